"""f-GANs: the critic gives a lower bound of an f-divergence D_f(p || q) = E_q f(p/q) of data p and generator q.

T(x) = g(v(x)) is an activation g of the critic's logit v, which keeps T in the domain of the conjugate f*:
E_p T - E_q f*(T) <= D_f(p || q), with equality at T = f'(p/q). f*(g(v)) is implemented as one function of the logit, so
that no logarithm or quotient is computed from a rounded T.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, check_type
from jaxgen.objectives.adversarial import Adversarial, check_pair


class FDivergence(NamedTuple):
    """One row of tables 1 and 2 of Nowozin et al. 2016; all functions work elementwise on any shape."""

    f: Callable[[Array], Array]  # u = p/q > 0 -> f(u), convex with f(1) = 0, except for "gan" with f(1) = -log 4
    activation: Callable[[Array], Array]  # logit v -> T
    conjugate: Callable[[Array], Array]  # logit v -> f*(T), the conjugate after the activation
    optimum: Callable[[Array], Array]  # log(p/q) -> the logit for which the bound is tight


F_DIVERGENCES = {
    "kl": FDivergence(
        lambda u: u * jnp.log(u),
        lambda v: v,
        lambda v: jnp.exp(v - 1),
        lambda ratio: 1 + ratio,
    ),
    "reverse_kl": FDivergence(
        lambda u: -jnp.log(u),
        lambda v: -jnp.exp(-v),
        lambda v: v - 1,
        lambda ratio: ratio,
    ),
    "pearson": FDivergence(
        lambda u: (u - 1) ** 2,
        lambda v: v,
        lambda v: v * (v / 4 + 1),
        lambda ratio: 2 * jnp.expm1(ratio),
    ),
    "hellinger": FDivergence(
        lambda u: (jnp.sqrt(u) - 1) ** 2,
        lambda v: -jnp.expm1(-v),
        jnp.expm1,
        lambda ratio: ratio / 2,
    ),
    "jensen_shannon": FDivergence(
        lambda u: u * jnp.log(u) - (u + 1) * jnp.log((u + 1) / 2),
        lambda v: jnp.log(2.0) - jax.nn.softplus(-v),
        lambda v: jax.nn.softplus(v) - jnp.log(2.0),
        lambda ratio: ratio,
    ),
    "gan": FDivergence(
        lambda u: u * jnp.log(u) - (u + 1) * jnp.log(u + 1),
        lambda v: -jax.nn.softplus(-v),
        jax.nn.softplus,
        lambda ratio: ratio,
    ),
    "total_variation": FDivergence(
        lambda u: jnp.abs(u - 1) / 2,
        lambda v: jnp.tanh(v) / 2,
        lambda v: jnp.tanh(v) / 2,
        lambda ratio: jnp.where(ratio == 0, 0.0, jnp.copysign(jnp.inf, ratio)),
    ),
}
"""f-divergences by name. "hellinger" is the squared distance, "jensen_shannon" is twice the divergence of that name,
and "gan" is "jensen_shannon" minus log 4, the value of the minimax game at its optimal critic."""


def f_gan(divergence: str | FDivergence, *, generator: str = "bound") -> Adversarial:
    """Critic -(T(x) - f*(T(G(z)))); generator -f*(T(G(z))), its term of the bound, or -T(G(z)); T = g(logit).

    | divergence | f(u) | T = g(v) | f*(T) as a function of v |
    |---|---|---|---|
    | kl | u log u | v | e^(v - 1) |
    | reverse_kl | -log u | -e^-v | v - 1 |
    | pearson | (u - 1)^2 | v | v^2/4 + v |
    | hellinger | (sqrt u - 1)^2 | 1 - e^-v | e^v - 1 |
    | jensen_shannon | u log u - (u + 1) log((u + 1)/2) | log 2 - log(1 + e^-v) | log(1 + e^v) - log 2 |
    | gan | u log u - (u + 1) log(u + 1) | -log(1 + e^-v) | log(1 + e^v) |
    | total_variation | abs(u - 1)/2 | tanh(v)/2 | tanh(v)/2 |

    Nowozin et al. 2016, arXiv 1606.00709, sections 2.2 to 2.4, tables 1 and 2. "gan" is `SATURATING`, and with
    generator="activation" `NON_SATURATING`. e^v is infinite in float32 for logits above 88; a step then skips the turn
    and counts it.

    Args:
      divergence: a name of the table, or an `FDivergence` of your own.
      generator: "bound", for a zero-sum game whose gradient at the optimal critic is that of D_f(p || q); or
        "activation", the alternative of the paper's section 3.2, which maximises T at the fakes.

    Raises:
      BadRequest: an unknown divergence or generator.

    >>> loss = f_gan("kl")
    >>> print(loss.critic(jnp.zeros(1), jnp.ones(1)))  # -(0 - e^0)
    [1.]
    >>> print(f_gan("pearson").generator(jnp.zeros(1), jnp.ones(1)))  # -(1/4 + 1)
    [-1.25]
    """
    if isinstance(divergence, str):
        if divergence not in F_DIVERGENCES:
            raise BadRequest(f"f_gan() has no divergence {divergence!r}: it has {', '.join(F_DIVERGENCES)}.")
        divergence = F_DIVERGENCES[divergence]
    check_type("divergence", divergence, FDivergence, '"kl"')
    if generator not in ("bound", "activation"):
        raise BadRequest(f"the generator of f_gan() is 'bound' or 'activation', not {generator!r}.")
    _, activation, conjugate, _ = divergence
    gain = conjugate if generator == "bound" else activation

    def critic(real_logits, fake_logits):
        check_pair(real_logits, fake_logits)
        return conjugate(fake_logits) - activation(real_logits)

    def fooled(real_logits, fake_logits):
        check_pair(real_logits, fake_logits)
        return -gain(fake_logits)

    return Adversarial(critic, fooled)
