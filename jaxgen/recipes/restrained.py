"""Papers on GANs that limit the slope of the critic: by clipping, by a penalty near the data, by spectral norm."""

import optax

from jaxgen.nets.wrappers import spectral
from jaxgen.objectives import NON_SATURATING, RELATIVISTIC_AVERAGE, WASSERSTEIN
from jaxgen.objectives import dragan as dragan_penalty
from jaxgen.recipes.gans import FIVE_TO_ONE, gan_plan
from jaxgen.recipes.spec import Spec, at_least
from jaxgen.training.clipping import clipped
from jaxgen.training.program import Plan

PIXEL_STD = 0.3  # of pixels in [0, 1], roughly, where columns are of standard deviation 1


def wgan(
    spec: Spec,
    *,
    limit: float = 0.01,
    latent_dim: int = 16,
    learning_rate: float = 5e-5,
    ema: float = 0.0,
) -> Plan:
    """Wasserstein loss, the params of the critic clipped after each of its turns, five of them to one.

    Paper: arXiv 1701.07875
    Departs: always five critic turns, whereas the authors' code has a hundred in the first 25 steps and in every 500th
      one; no batch normalisation.

    Args:
      limit: the largest absolute value of a param of the critic.
      learning_rate: of RMSProp, whose mean of squares keeps the share .99 as in the authors' code.
    """
    at_least(0, limit=limit)
    plan = gan_plan(spec, latent_dim, learning_rate, (0.0, 0.0), ema, turns=FIVE_TO_ONE, loss=WASSERSTEIN)
    rmsprop = optax.rmsprop(learning_rate, decay=0.99)
    return plan._replace(optimizers={"critic": clipped(rmsprop, limit), "generator": rmsprop}, batch_size=64)


def dragan(
    spec: Spec,
    *,
    weight: float = 10.0,
    std: float = 0.5,
    latent_dim: int = 16,
    learning_rate: float = 1e-4,
    ema: float = 0.0,
) -> Plan:
    """The non-saturating loss, and a gradient penalty at real examples with noise.

    Paper: arXiv 1705.07215
    Departs: normal noise with half the standard deviation of the data; the authors' code multiplies noise that is
      uniform from 0 to that by a uniform number in (0, 1), a root mean square of a sixth of the deviation. The slope of
      1 is per pixel in [0, 1]; theirs is per pixel in [-1, 1], which is 2 here. Adam (1e-4, b1 .5, b2 .9) is that of
      their code; no batch normalisation.

    Args:
      weight: of the gradient penalty.
      std: of the noise, in standard deviations of the data, which are taken as .3 for pixels and 1 for columns.
    """
    noise = std * (PIXEL_STD if spec.is_image else 1.0)
    penalty = dragan_penalty(weight, std=noise)
    return gan_plan(spec, latent_dim, learning_rate, (0.5, 0.9), ema, loss=NON_SATURATING, penalty=penalty)


def ragan(spec: Spec, *, latent_dim: int = 16, learning_rate: float = 2e-4, ema: float = 0.0) -> Plan:
    """Relativistic average loss, spectrally normalised critic, one turn each.

    Paper: arXiv 1807.00734
    Departs: the first of the authors' settings for CIFAR-10 (Adam 2e-4, b1 .5, batches of 32), for all data; no batch
      normalisation.
    """
    critic = spectral(spec.critic())
    plan = gan_plan(spec, latent_dim, learning_rate, (0.5, 0.999), ema, loss=RELATIVISTIC_AVERAGE, critic=critic)
    return plan._replace(batch_size=32)
