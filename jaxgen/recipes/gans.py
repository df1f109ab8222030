"""Papers on generative adversarial networks, each a function whose signature is its command line.

All of them end a generator of images in a sigmoid, for pixels in [0, 1]; the papers mostly end it in a tanh, for pixels
in [-1, 1], which is the same function after that change of units. Networks and batches are smaller than the papers'.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import BadRequest, Network
from jaxgen.games import gan as make_gan
from jaxgen.nets.augmentation import ada, diffaugment
from jaxgen.nets.wrappers import packed, spectral
from jaxgen.objectives import (
    HINGE,
    LEAST_SQUARES,
    NON_SATURATING,
    RELATIVISTIC,
    SATURATING,
    WASSERSTEIN,
    add,
    content,
    gradient_penalty,
    r1,
    r2,
)
from jaxgen.objectives.schedules import check_weight, cosine
from jaxgen.recipes.spec import Spec, at_least
from jaxgen.training.devices import shared_size
from jaxgen.training.program import Plan
from jaxgen.training.step import Ema, ema_rate

ALTERNATING = (("critic",), ("generator",))
FIVE_TO_ONE = (("critic",),) * 5 + (("generator",),)


def gan(spec: Spec, *, latent_dim: int = 16, learning_rate: float = 2e-4, ema: float = 0.0) -> Plan:
    """The non-saturating loss without a penalty.

    Paper: arXiv 1406.2661
    Departs: Adam (2e-4, b1 .5) is that of DCGAN, arXiv 1511.06434; the paper used momentum.
    """
    return gan_plan(spec, latent_dim, learning_rate, (0.5, 0.999), ema, loss=NON_SATURATING)


def gan_minimax(spec: Spec, *, latent_dim: int = 16, learning_rate: float = 2e-4, ema: float = 0.0) -> Plan:
    """The saturating minimax loss without a penalty.

    Paper: arXiv 1406.2661
    Departs: Adam (2e-4, b1 .5) is that of DCGAN, arXiv 1511.06434; the paper used momentum.
    """
    return gan_plan(spec, latent_dim, learning_rate, (0.5, 0.999), ema, loss=SATURATING)


def lsgan(spec: Spec, *, latent_dim: int = 16, learning_rate: float = 2e-4, ema: float = 0.0) -> Plan:
    """Least squares on the logits without a penalty.

    Paper: arXiv 1611.04076
    """
    return gan_plan(spec, latent_dim, learning_rate, (0.5, 0.999), ema, loss=LEAST_SQUARES)


def wgan_gp(
    spec: Spec,
    *,
    weight: float = 10.0,
    latent_dim: int = 16,
    learning_rate: float = 1e-4,
    ema: float = 0.0,
) -> Plan:
    """Wasserstein loss, gradient penalty, five critic turns to one.

    Paper: arXiv 1704.00028

    Args:
      weight: of the gradient penalty.
    """
    parts: dict[str, Any] = {"loss": WASSERSTEIN, "penalty": gradient_penalty(weight)}
    return gan_plan(spec, latent_dim, learning_rate, (0.0, 0.9), ema, turns=FIVE_TO_ONE, **parts)


def hinge_sn(spec: Spec, *, latent_dim: int = 16, learning_rate: float = 2e-4, ema: float = 0.0) -> Plan:
    """Hinge loss, spectrally normalised critic, five critic turns to one.

    Paper: arXiv 1802.05957
    """
    parts = {"loss": HINGE, "critic": spectral(spec.critic())}
    return gan_plan(spec, latent_dim, learning_rate, (0.0, 0.9), ema, turns=FIVE_TO_ONE, **parts)


def r3gan(
    spec: Spec,
    *,
    gamma: float = 1.0,
    burn_in: int = 0,
    latent_dim: int = 16,
    learning_rate: float = 2e-4,
    ema: float = 0.001,
) -> Plan:
    """Relativistic paired loss with R1 and R2, one turn each.

    Paper: arXiv 2501.05441
    Departs: without `burn_in` gamma and b2 (.99) are constant, whereas the paper lowers the one and raises the other
      over the first fifth of training; batches of 128 in place of 512; the moving average has a rate of .001 per step.

    Args:
      gamma: weight of R1 and of R2.
      burn_in: steps over which gamma falls to a tenth and b2 of Adam rises from .9 to .99, along half a cosine; 0: both
        stay.
    """
    check_weight("gamma", gamma)
    weight: Any = cosine(gamma, gamma / 10, burn_in) if burn_in else gamma
    parts: dict[str, Any] = {"loss": RELATIVISTIC, "penalty": add(r1(weight), r2(weight))}
    plan = gan_plan(spec, latent_dim, learning_rate, (0.0, 0.99), ema, **parts)
    if not burn_in:
        return plan
    moving = optax.inject_hyperparams(optax.adam)(learning_rate, b1=0.0, b2=cosine(0.9, 0.99, burn_in))
    return plan._replace(optimizers=dict.fromkeys(plan.optimizers, moving))


def gan_ada(
    spec: Spec,
    *,
    gamma: float = 1.0,
    target: float = 0.6,
    images: float = 500_000.0,
    interval: int = 16,
    latent_dim: int = 16,
    learning_rate: float = 2e-3,
    ema: float = 0.001,
) -> Plan:
    """Adaptive augmentation; R1 every `interval` critic turns.

    Paper: arXiv 2006.06676
    Departs: the pipe has translation, cutout and brightness, arXiv 2006.10738, in place of the paper's eighteen
      operations; no path length penalty. Images only.

    Args:
      gamma: of R1, which is added in every `interval`-th turn, `interval` times as high.
      target: mean sign of the logits of real examples, above which augmentation increases.
      images: examples in which the probability of augmentation can rise from 0 to 1.
      interval: critic turns from one R1 to the next.
    """
    if not spec.is_image:
        raise BadRequest(f"gan_ada augments images (H, W, C), not vectors {spec.shape}: use r3gan.")
    at_least(1, interval=interval)
    critic = ada(spec.critic(), diffaugment(), target=target, images=images)
    lazy = (("critic:adversarial",), ("generator",)) * (interval - 1)
    parts = {"loss": NON_SATURATING, "penalty": r1(gamma * interval), "critic": critic}
    return gan_plan(spec, latent_dim, learning_rate, (0.0, 0.99), ema, turns=(*ALTERNATING, *lazy), **parts)


def pacgan(
    spec: Spec,
    *,
    pack: int = 2,
    latent_dim: int = 16,
    learning_rate: float = 2e-4,
    ema: float = 0.0,
) -> Plan:
    """The non-saturating loss of a critic that judges `pack` examples together.

    Paper: arXiv 1712.04086
    Departs: Adam (2e-4, b1 .5) for all data, which is the paper's for images.

    Args:
      pack: examples that the critic sees together.
    """
    at_least(1, pack=pack)
    shape = (*spec.shape[:-1], pack * spec.shape[-1])
    if isinstance(spec.condition, int):  # a pack has as many labels as examples
        critic = _with_one_hot(spec._replace(shape=shape, condition=(pack * spec.condition,)).critic(), spec.condition)
    else:
        condition = spec.condition and (*spec.condition[:-1], pack * spec.condition[-1])
        critic = spec._replace(shape=shape, condition=condition).critic()
    parts: dict[str, Any] = {"loss": NON_SATURATING, "critic": packed(critic, pack)}
    plan = gan_plan(spec, latent_dim, learning_rate, (0.5, 0.999), ema, **parts)
    return plan._replace(batch_size=shared_size(plan.batch_size, None, unit=pack), unit=pack)


def _with_one_hot(critic: Network, classes: int) -> Network:
    """`critic` of (x, vector) as a network of (x, labels i32[B, m])."""

    def vector(labels):
        return jax.nn.one_hot(labels, classes, dtype=jnp.float32).reshape(labels.shape[0], -1)

    return critic._replace(
        init=lambda key, x, labels: critic.init(key, x, vector(labels)),
        apply=lambda params, state, noise, x, labels: critic.apply(params, state, noise, x, vector(labels)),
        draw=lambda key, x, labels: critic.draw(key, x, jax.eval_shape(vector, labels)),
    )


def sr_gan(
    spec: Spec,
    *,
    weight: float = 10.0,
    gamma: float = 0.1,
    latent_dim: int = 4,
    learning_rate: float = 5e-4,
    ema: float = 0.001,
) -> Plan:
    """Super-resolution: the condition is the small image, `--condition small:4`.

    Paper: arXiv 1609.04802
    Departs: L1 to the large image in place of squared error in VGG features; a critic of both images with R1; z as a
      second input, so that a small image has many results. The learning rate was chosen on the embedded digits.

    Args:
      weight: of the mean absolute error, in pixels of [0, 1].
      gamma: of R1.
    """
    if not isinstance(spec.condition, tuple):
        raise BadRequest(
            "sr_gan makes large images of small ones: give it the small ones, such as --condition small:4."
        )
    parts: dict[str, Any] = {"loss": NON_SATURATING, "penalty": r1(gamma), "generator_penalty": content(weight)}
    return gan_plan(spec, latent_dim, learning_rate, (0.5, 0.99), ema, **parts)


def gan_plan(
    spec: Spec,
    latent_dim: int,
    learning_rate: float,
    momenta: tuple[float, float],
    ema: float,
    *,
    turns: tuple[tuple[str, ...], ...] = ALTERNATING,
    critic: Any = None,
    **parts: Any,
) -> Plan:
    """A GAN of the networks of `spec`, both players with the same Adam, the generator averaged if `ema` is above 0."""
    at_least(1, latent_dim=latent_dim)
    at_least(0, learning_rate=learning_rate)
    game = make_gan(spec.generator(), critic or spec.critic(), latent_dim=latent_dim, **parts)
    return Plan(game, adam(learning_rate, momenta, "critic", "generator"), turns, average(ema))


def adam(rate: float, momenta: tuple[float, float], *slots: str) -> dict[str, optax.GradientTransformation]:
    """The same Adam for each of `slots`."""
    return {slot: optax.adam(rate, b1=momenta[0], b2=momenta[1]) for slot in slots}


def average(rate: float, *players: str) -> Ema | None:
    """The moving average of `players`, of the generator by default, ramped up; None at a rate of 0."""
    if rate > 1:
        raise BadRequest(f"ema={rate}: the rate of a moving average is at most 1.")
    return Ema(ema_rate(rate), players or ("generator",)) if rate else None
