"""Gradient estimators: how the gradient of a bound reaches the distribution that its samples are drawn from.

An estimator draws samples and returns a function `reduce(bound, log_w)`. Its value is bound(log_w) for every estimator;
only its gradient differs. It uses nothing of the bound but the derivatives L_k = dL / d log w_k, so every estimator
works with every bound: the score function is RLOO under the ELBO and VIMCO under the importance bound, and the doubly
reparametrised gradient is sticking the landing under the ELBO.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest
from jaxgen.objectives.bounds import Bound, elbo
from jaxgen.objectives.distributions import GAUSSIAN, Family

_stop = jax.lax.stop_gradient


class Law(NamedTuple):
    """A distribution over z with parameters theta, any pytree: the functions that an estimator needs."""

    sample: Callable[..., tuple[Array, Array]]  # (theta, noise) -> (z [K, B, D], log q(z) [K, B] nats)
    log_prob: Callable[..., Array]  # (theta, z) -> log q(z) [K, B] nats
    pathwise: bool = True  # True if z is a differentiable function of theta


class Draws(NamedTuple):
    """Samples, and the function that reduces their log-weights to a bound."""

    z: Array  # f32[K, B, D]
    log_q: Array  # f32[K, B] nats; the log-weights must be computed from it
    reduce: Callable[..., Array]  # (bound, log_w [K, B], beta=1.0) -> f32[B]; call it once for each Draws


class Estimator(NamedTuple):
    """A gradient estimator. If the log-weights contain -beta log q(z) with beta other than 1, pass beta to `reduce`."""

    sample: Callable[..., Draws]  # (law, theta, noise) -> Draws
    differentiates: bool  # True if it needs a law whose samples are differentiable in theta
    closed_form: bool  # True if it stays unbiased when a KL in closed form replaces log q - log p
    samples: int = 1  # the smallest number of samples per example


def plain(bound: Bound, log_w: Array, beta: Any = 1.0) -> Array:
    """bound(log_w), with its ordinary gradient."""
    return bound(log_w)


def _pathwise(law: Law, theta: Any, noise: Any) -> Draws:
    return Draws(*law.sample(theta, noise), plain)


def _cut(law: Law, theta: Any, noise: Any) -> Draws:
    z = _stop(law.sample(theta, noise)[0])
    return Draws(z, law.log_prob(theta, z), plain)


def _score(law: Law, theta: Any, noise: Any) -> Draws:
    z, log_q, _ = _cut(law, theta, noise)

    def reduce(bound: Bound, log_w: Array, beta: Any = 1.0) -> Array:
        if log_w.shape != log_q.shape or len(log_w) < 2:
            raise BadRequest(
                f"SCORE takes its baseline from the other samples and weighs each log q(z) {list(log_q.shape)}: it "
                f"needs log-weights of that shape with K >= 2 rows, not {list(log_w.shape)}."
            )
        # The second term is exactly 0 and only changes the gradient.
        return bound(log_w) + jnp.sum(_stop(_advantage(bound, log_w)) * (log_q - _stop(log_q)), 0)

    return Draws(z, log_q, reduce)


def _advantage(bound: Bound, log_w: Array) -> Array:
    """The contribution of each sample: L minus L with log w_k replaced by the mean of the others; f32[K, B]."""
    others = (jnp.sum(log_w, 0, keepdims=True) - log_w) / (len(log_w) - 1)
    if bound is elbo:  # it is linear, so the difference has a closed form that avoids K bounds of K samples each
        return (log_w - others) / len(log_w)
    without = jax.vmap(lambda k: bound(log_w.at[k].set(others[k])))(jnp.arange(len(log_w)))
    return bound(log_w)[None] - without


def _dreg(law: Law, theta: Any, noise: Any) -> Draws:
    z = law.sample(theta, noise)[0]
    z, gate = _gated(z, jnp.zeros(z.shape[:2], z.dtype))
    log_q = law.log_prob(_stop(theta), z)

    def reduce(bound: Bound, log_w: Array, beta: Any = 1.0) -> Array:
        w = _stop(log_w)
        each = jnp.broadcast_to(
            jnp.eye(len(w), dtype=w.dtype)[..., None], (len(w), *w.shape)
        )  # [K, K, B], sample k's direction

        def slope(w):
            return jax.grad(lambda w: jnp.sum(bound(w)))(w)

        first = slope(w)
        second = jax.vmap(lambda v: jnp.sum(jax.jvp(slope, (w,), (v,))[1] * v, 0))(each)
        # If L_k is zero, the cotangent of z_k is zero too, and its factor does not matter.
        return _send(bound(log_w), gate, -beta * second / jnp.where(first == 0, 1.0, first))

    return Draws(z, log_q, reduce)


# The factor of z_k is known only after the bound has been computed from z. `_gated` has a second output that nothing
# reads; `_send` sets the cotangent of this output to the factor. In the backward pass the factor is therefore known
# before the cotangent of z is used.
@jax.custom_vjp
def _gated(z: Array, gate: Array) -> tuple[Array, Array]:
    """(z, gate) unchanged; in the backward pass the cotangent of z is multiplied by 1 + that of the gate."""
    return z, gate


@jax.custom_vjp
def _send(value: Array, gate: Array, factor: Array) -> Array:
    """`value` unchanged; in the backward pass the cotangent of the gate is `factor`."""
    return value


_gated.defvjp(lambda z, gate: ((z, gate), None), lambda _, g: (g[0] * (1 + g[1][..., None]), jnp.zeros_like(g[1])))
_send.defvjp(lambda value, gate, factor: (value, factor), lambda factor, g: (g, factor, jnp.zeros_like(factor)))


PATHWISE = Estimator(_pathwise, differentiates=True, closed_form=True)
"""The reparametrisation trick: z is a function of theta and noise, and is differentiated in theta. Unbiased.

Kingma and Welling 2014, arXiv 1312.6114, section 2.4.
"""

CUT = Estimator(_cut, differentiates=False, closed_form=True)
"""z is treated as a constant: biased on purpose, to show why the reparametrisation trick is needed.

theta receives a gradient only from terms that depend on it at a fixed z, such as log q(z); its gradient through z is
exactly zero.
"""

SCORE = Estimator(_score, differentiates=False, closed_form=True, samples=2)
"""The score function with a leave-one-out baseline, also for discrete families. Unbiased; needs K >= 2 samples.

Sample k contributes (L - L_-k) grad log q(z_k), with L_-k the bound if log w_k is replaced by the mean of the others.
Under the ELBO this is the score function with the mean of the other samples as baseline (Salimans and Knowles 2014,
arXiv 1401.1022; Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free!"), and under the importance bound
it is VIMCO with the geometric mean (Mnih and Rezende 2016, arXiv 1602.06725). Its `reduce` raises BadRequest for a
single sample.
"""

DREG = Estimator(_dreg, differentiates=True, closed_form=False)
"""The doubly reparametrised gradient: log q with stopped parameters, and the gradient of z_k times 1 - beta L_kk / L_k.

L_kk is the second derivative of the bound in log w_k. The variance is lower than that of PATHWISE near the true
posterior. It is unbiased under every bound if the decoder treats samples independently, which batch statistics in
training do not. Under the importance bound the factor is w_k / sum_j w_j (Tucker et al. 2019, arXiv 1810.04152); under
the ELBO it is 1, which is sticking the landing (Roeder et al. 2017, arXiv 1703.09194). beta is the weight of the KL in
the log-weights. It cannot be differentiated in forward mode.
"""

NOT_DIFFERENTIABLE = (
    "this estimator differentiates the sample, but a sample of this posterior has no gradient: use estimator=SCORE, or "
    "a posterior such as GAUSSIAN."
)


def law_of(family: Family) -> Law:
    """The `Law` of a family."""

    def sample(theta, noise):
        z = family.push(theta, noise)
        return z, family.log_prob(theta, z)

    return Law(sample, family.log_prob, family.pathwise)


def expectation(
    cost: Callable[[Array], Array],
    theta: Any,
    noise: Array,
    *,
    family: Family = GAUSSIAN,
    estimator: Estimator = PATHWISE,
) -> Array:
    """A Monte Carlo estimate of E cost(z), z ~ family(theta), f32[B], with the estimator's gradient in theta.

    The cost may itself depend on theta, as log q(z) does; this dependence at a fixed z is differentiated as usual.

    Args:
      cost: z [K, B, D] -> f32[K, B].
      theta: parameters of the family, [B, ...].
      noise: `family.draw(key, (K, B, D))`.
      family: the family of z.
      estimator: PATHWISE, CUT or SCORE. DREG gives the same as PATHWISE here.

    Raises:
      BadRequest: if the estimator differentiates a sample that is not differentiable, or has too few samples.

    >>> from jaxgen.objectives import SCORE, DiagGaussian
    >>> theta = DiagGaussian(jnp.zeros((1, 1)), jnp.zeros((1, 1)))
    >>> noise = GAUSSIAN.draw(jax.random.key(0), (100_000, 1, 1))
    >>> slope = jax.grad(lambda t: expectation(lambda z: z[..., 0], t, noise, estimator=SCORE).sum())(theta)
    >>> slope.mean.round(1)  # the derivative of E z with respect to the mean
    Array([[1.]], dtype=float32)
    """
    law = law_of(family)
    if estimator.differentiates and not law.pathwise:
        raise BadRequest(NOT_DIFFERENTIABLE)
    draws = estimator.sample(law, theta, noise)
    return -draws.reduce(elbo, -cost(draws.z))
