"""Adversarial losses: what critic and generator minimise, as functions of the logits of real and fake examples.

Logits may have any shape with at least one axis, the same for real and fake: [B] for examples, [B / m] for packs,
[B, h, w] for patches. The result has the shape of the logits, and the game takes its mean.
"""

import math
import numbers
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, check_type


class Adversarial(NamedTuple):
    """A pair of losses, each minimised by its own player; both raise BadRequest if real and fake differ in shape."""

    critic: Callable[[Array, Array], Array]  # (real logits, fake logits) -> one number for each logit
    generator: Callable[[Array, Array], Array]  # (real logits, fake logits) -> one number for each logit
    labelled: Callable[..., Array] | None = None  # (logits, labels of their shape or a number) -> one for each logit
    couples: bool = False  # True if a value depends on the logits of other examples, as with a mean over the batch


def mean_loss(values: Array, logits: Array) -> Array:
    """The mean over all values of an adversarial loss, f32[].

    Raises:
      BadRequest: if `values` do not have the shape of the logits, as with all pairs [B, B] or a mean [].

    >>> print(mean_loss(jnp.array([1.0, 3.0]), jnp.zeros(2)))
    2.0
    """
    if jnp.shape(values) != jnp.shape(logits):
        raise BadRequest(
            f"an adversarial loss must return one number per logit, {jnp.shape(logits)}, not {jnp.shape(values)}: the "
            "game takes the mean over logits, and a loss of pairs must sum over partners."
        )
    return jnp.mean(values)


def smooth(loss: Adversarial, *, real: float = 0.9, fake: float = 0.0) -> Adversarial:
    """`loss` with the critic's targets changed to `real` and `fake`; the generator's loss stays the same.

    critic = labelled(real logits, real) + labelled(fake logits, fake). For densities p of the data and q of the
    generator its optimum is D*(x) = (real p + fake q) / (p + q). The default is one-sided, as Salimans et al. 2016
    advise (arXiv 1606.03498, section 3.4): with fake > 0, samples at which p is small attract the generator.

    Raises:
      BadRequest: for a loss without labels, or unless 0 <= fake < real <= 1.

    >>> half = smooth(NON_SATURATING, real=0.5)
    >>> print(half.critic(jnp.zeros(1), jnp.zeros(1)) / jnp.log(2))  # cross-entropies of probability 1/2, log 2 each
    [2.]
    """
    labelled = loss.labelled
    if labelled is None:
        raise BadRequest("this loss has no labels to smooth: use smooth() on NON_SATURATING or LEAST_SQUARES.")
    if not 0 <= fake < real <= 1:
        raise BadRequest(f"smooth() needs 0 <= fake < real <= 1, not fake={fake}, real={real}.")

    def critic(real_logits, fake_logits):
        check_pair(real_logits, fake_logits)
        return labelled(real_logits, real) + labelled(fake_logits, fake)

    return loss._replace(critic=critic)


def top_k(loss: Adversarial, share: float = 0.5) -> Adversarial:
    """`loss` whose generator learns only from the fakes of a batch that have the largest logits.

    The generator's values of the k = ceil(share B) entries with the largest mean logit are multiplied by B / k, and
    all others are 0, so the mean over the batch is the mean over these k. The critic's loss stays the same. It has no
    effect in `bigan`, in which both players use the critic's loss. Sinha et al. 2020, arXiv 2002.06224, decrease k
    during training. In trials on ring8 small shares lost modes, so start near 1.

    Raises:
      BadRequest: for a loss of another type, or unless 0 < share <= 1.

    >>> print(top_k(WASSERSTEIN).generator(jnp.zeros(4), jnp.array([3.0, 1.0, 2.0, 0.0])))
    [-6.  0. -4.  0.]
    """
    check_type("loss", loss, Adversarial, "HINGE")
    check_type("share", share, numbers.Real, "0.5")
    if not 0 < share <= 1:
        raise BadRequest(f"share={share}, the part of the fakes that the generator learns from, must be in (0, 1].")

    def generator(real, fake):
        values = loss.generator(real, fake)
        count = max(1, math.ceil(share * len(fake) - 1e-9))  # .55 of 100 is 55, but .55 * 100 rounds to more
        rank = jnp.argsort(jnp.argsort(-jnp.mean(fake.reshape(len(fake), -1), -1)))
        most_real = (rank < count).reshape(-1, *[1] * (values.ndim - 1))
        return jnp.where(most_real, values * (len(fake) / count), 0.0)

    return loss._replace(generator=generator, couples=True)


def margin(m: float) -> Adversarial:
    """Critic -D(x) + max(0, m + D(G(z))), generator -D(G(z)). D = -E with an energy E >= 0, as `energy` returns it.

    The critic raises the energy of fakes up to m. EBGAN, Zhao et al. 2017, arXiv 1609.03126.

    Raises:
      BadRequest: for an m that is not a finite number above 0.
    """
    check_type("m", m, numbers.Real, "1.0")
    if not 0 < m < math.inf:
        raise BadRequest(f"m={m}, the energy that fakes are raised to, must be a finite number above 0.")

    def critic(real, fake):
        check_pair(real, fake)
        return jax.nn.relu(m + fake) - real

    return Adversarial(critic, _wasserstein_generator)


def least_squares(*, fake: float = 0.0, real: float = 1.0, target: float = 1.0) -> Adversarial:
    """Critic ((D(x) - real)^2 + (D(G(z)) - fake)^2) / 2, generator (D(G(z)) - target)^2 / 2, with D the logit itself.

    Mao et al. 2017, arXiv 1611.04076, eq. 2, whose a, b and c are `fake`, `real` and `target`. The generator minimises
    a Pearson chi-squared divergence if real - target = 1 and real - fake = 2, as with fake=-1, real=1, target=0. The
    label 0 means `fake` and the label 1 `real`; `smooth` interpolates between these two targets.

    Raises:
      BadRequest: for a target that is not finite, or if real and fake are the same.
    """
    if not all(math.isfinite(value) for value in (fake, real, target)) or fake == real:
        raise BadRequest(f"least_squares() needs finite targets with real != fake, not {fake=}, {real=}, {target=}.")

    def half_square(logits, label):
        _check_label(logits, label)
        return 0.5 * (logits - (fake + (real - fake) * label)) ** 2

    def critic(real_logits, fake_logits):
        check_pair(real_logits, fake_logits)
        return 0.5 * (real_logits - real) ** 2 + 0.5 * (fake_logits - fake) ** 2

    def generator(real_logits, fake_logits):
        check_pair(real_logits, fake_logits)
        return 0.5 * (fake_logits - target) ** 2

    return Adversarial(critic, generator, half_square)


def check_pair(real: Array, fake: Array) -> None:
    """Refuses logits that would broadcast: [B, 1] with [B] would silently give [B, B].

    Raises:
      BadRequest: unless real and fake logits have one shape, of at least one axis.
    """
    if jnp.ndim(real) < 1 or jnp.shape(real) != jnp.shape(fake):
        raise BadRequest(
            f"logits of real and fake must have one shape, such as [B] or [B, h, w], not {jnp.shape(real)} and "
            f"{jnp.shape(fake)}: the critic must return the same shape for both."
        )


def _check_label(logits: Array, label: Array | float) -> None:
    if jnp.ndim(logits) < 1 or jnp.shape(label) not in ((), jnp.shape(logits)):
        raise BadRequest(
            f"labels must be one number or have the shape of the logits, such as [B], not {jnp.shape(logits)} and "
            f"{jnp.shape(label)}: give a label for each logit."
        )


def _cross_entropy(logits: Array, label: Array | float) -> Array:
    _check_label(logits, label)
    return label * jax.nn.softplus(-logits) + (1 - label) * jax.nn.softplus(logits)


def _classifier(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def _saturating(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return -jax.nn.softplus(fake)


def _non_saturating(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return jax.nn.softplus(-fake)


def _hinge_critic(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)


def _wasserstein_critic(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return fake - real


def _wasserstein_generator(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return -fake


def _paired_critic(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return jax.nn.softplus(fake - real)


def _paired_generator(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return jax.nn.softplus(real - fake)


def _average_critic(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return jax.nn.softplus(jnp.mean(fake) - real) + jax.nn.softplus(fake - jnp.mean(real))


def _average_generator(real: Array, fake: Array) -> Array:
    check_pair(real, fake)
    return jax.nn.softplus(jnp.mean(real) - fake) + jax.nn.softplus(real - jnp.mean(fake))


SATURATING = Adversarial(_classifier, _saturating, _cross_entropy)
"""The minimax game. D = sigmoid(logit); critic -log D(x) - log(1 - D(G(z))), generator log(1 - D(G(z))).

The generator's gradient vanishes if D(G(z)) is near 0. Goodfellow et al. 2014, eq. 1, arXiv 1406.2661.
"""

NON_SATURATING = Adversarial(_classifier, _non_saturating, _cross_entropy)
"""The critic of SATURATING; the generator minimises -log D(G(z)). Goodfellow et al. 2014, arXiv 1406.2661."""

LEAST_SQUARES = least_squares()
"""Critic ((D(x) - 1)^2 + D(G(z))^2) / 2, generator (D(G(z)) - 1)^2 / 2, with D the logit itself.

Mao et al. 2017, arXiv 1611.04076, with the targets 0, 1 and 1 of their experiments.
"""

HINGE = Adversarial(_hinge_critic, _wasserstein_generator)
"""Critic max(0, 1 - D(x)) + max(0, 1 + D(G(z))), generator -D(G(z)). Logits beyond the margin give no critic gradient.

Lim and Ye 2017, arXiv 1705.02894; with spectral normalisation Miyato et al. 2018, arXiv 1802.05957.
"""

WASSERSTEIN = Adversarial(_wasserstein_critic, _wasserstein_generator)
"""Critic f(G(z)) - f(x), generator -f(G(z)); f must be kept Lipschitz, for instance by `gradient_penalty`.

Arjovsky et al. 2017, arXiv 1701.07875.
"""

RELATIVISTIC = Adversarial(_paired_critic, _paired_generator)
"""Paired relativistic: critic softplus(D(G(z)) - D(x)), generator softplus(D(x) - D(G(z))), one fake for each real x.

Jolicoeur-Martineau 2018, arXiv 1807.00734; with R1 and R2 the loss of R3GAN, Huang et al. 2025, arXiv 2501.05441.
"""

RELATIVISTIC_AVERAGE = Adversarial(_average_critic, _average_generator, couples=True)
"""Relativistic average, with the means r and f of all real and all fake logits of the batch.

Critic softplus(f - D(x)) + softplus(D(G(z)) - r), generator softplus(r - D(G(z))) + softplus(D(x) - f), with a gradient
through both means. The means couple the examples of a batch, so micro-batches are refused. RaSGAN of
Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.2.
"""
