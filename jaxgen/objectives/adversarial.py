"""What the players of a GAN minimise, per example: `critic(real, fake)` and `generator(real, fake)` of logits [B]."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest


class Adversarial(NamedTuple):
    """A pair of losses, both minimised, each over its own player; both raise BadRequest where logits are not [B]."""

    critic: Callable[[Array, Array], Array]  # (real logits [B], fake logits [B]) -> [B]
    generator: Callable[[Array, Array], Array]  # (real logits [B], fake logits [B]) -> [B]
    labelled: Callable[..., Array] | None = None  # (logits [B], label [B] or a number) -> [B], where labels exist


def smooth(loss: Adversarial, *, real: float = 0.9, fake: float = 0.1) -> Adversarial:
    """`loss` with the critic's targets moved to `real` and `fake`; the generator's loss stays.

    critic = labelled(real logits, real) + labelled(fake logits, fake). Against densities p of the data and q of the
    generator its optimum is D*(x) = (real p + fake q) / (p + q): with fake > 0 the generator is drawn to its own
    samples where p is small, which is why fake = 0 (one-sided) is what Salimans et al. 2016 advise, arXiv 1606.03498.

    Raises:
      BadRequest: for a loss without labels, or unless 0 <= fake < real <= 1.
    """
    labelled = loss.labelled
    if labelled is None:
        raise BadRequest("this loss has no labels to smooth: use smooth() on NON_SATURATING or LEAST_SQUARES.")
    if not 0 <= fake < real <= 1:
        raise BadRequest(f"smooth() needs 0 <= fake < real <= 1, not fake={fake}, real={real}.")

    def critic(real_logits, fake_logits):
        _check(real_logits, fake_logits)
        return labelled(real_logits, real) + labelled(fake_logits, fake)

    return Adversarial(critic, loss.generator, labelled)


def _check(real: Array, fake: Array) -> None:
    # [B, 1] against [B] would broadcast to [B, B] and train on it without a word.
    if jnp.ndim(real) != 1 or jnp.shape(real) != jnp.shape(fake):
        raise BadRequest(
            f"logits must be [B], as many real as fake, not {jnp.shape(real)} and {jnp.shape(fake)}: "
            "let the critic return one number per example, for instance logits[:, 0]."
        )


def _check_label(logits: Array, label: Array | float) -> None:
    if jnp.ndim(logits) != 1 or jnp.shape(label) not in ((), jnp.shape(logits)):
        raise BadRequest(
            f"logits must be [B] and labels [B] or one number, not {jnp.shape(logits)} and {jnp.shape(label)}."
        )


def _cross_entropy(logits: Array, label: Array | float) -> Array:
    _check_label(logits, label)
    return label * jax.nn.softplus(-logits) + (1 - label) * jax.nn.softplus(logits)


def _classifier(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def _saturating(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return -jax.nn.softplus(fake)


def _non_saturating(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return jax.nn.softplus(-fake)


def _half_square(logits: Array, label: Array | float) -> Array:
    _check_label(logits, label)
    return 0.5 * (logits - label) ** 2


def _least_squares_critic(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return _half_square(real, 1.0) + _half_square(fake, 0.0)


def _least_squares_generator(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return _half_square(fake, 1.0)


def _hinge_critic(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)


def _wasserstein_critic(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return fake - real


def _wasserstein_generator(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return -fake


def _paired_critic(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return jax.nn.softplus(fake - real)


def _paired_generator(real: Array, fake: Array) -> Array:
    _check(real, fake)
    return jax.nn.softplus(real - fake)


SATURATING = Adversarial(_classifier, _saturating, _cross_entropy)
"""The minimax game. D = sigmoid(logit); critic -log D(x) - log(1 - D(G(z))), generator log(1 - D(G(z))).

Its gradient vanishes where the critic is sure of a fake. Goodfellow et al. 2014, eq. 1, arXiv 1406.2661.
"""

NON_SATURATING = Adversarial(_classifier, _non_saturating, _cross_entropy)
"""The same critic; the generator minimises -log D(G(z)). Goodfellow et al. 2014, arXiv 1406.2661."""

LEAST_SQUARES = Adversarial(_least_squares_critic, _least_squares_generator, _half_square)
"""Critic ((D(x) - 1)^2 + D(G(z))^2) / 2, generator (D(G(z)) - 1)^2 / 2, with D the logit itself.

Mao et al. 2017, arXiv 1611.04076, with their targets 0, 1 and 1.
"""

HINGE = Adversarial(_hinge_critic, _wasserstein_generator)
"""Critic max(0, 1 - D(x)) + max(0, 1 + D(G(z))), generator -D(G(z)): no gradient where the critic is past its margin.

Lim and Ye 2017, arXiv 1705.02894; with spectral normalisation Miyato et al. 2018, arXiv 1802.05957.
"""

WASSERSTEIN = Adversarial(_wasserstein_critic, _wasserstein_generator)
"""Critic f(G(z)) - f(x), generator -f(G(z)); f must be kept Lipschitz, for instance by `gradient_penalty`.

Arjovsky et al. 2017, arXiv 1701.07875.
"""

RELATIVISTIC = Adversarial(_paired_critic, _paired_generator)
"""Paired relativistic: critic softplus(D(G(z)) - D(x)), generator softplus(D(x) - D(G(z))), one fake to each real.

Jolicoeur-Martineau 2018, arXiv 1807.00734; with R1 and R2 the loss of R3GAN, Huang et al. 2025, arXiv 2501.05441.
"""
