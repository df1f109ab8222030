"""Papers on GANs whose critic is an autoencoder."""

import math

from jaxgen.core import BadRequest
from jaxgen.games import began as make_began
from jaxgen.nets import autoencoder
from jaxgen.recipes.gans import adam, average
from jaxgen.recipes.spec import Spec, at_least
from jaxgen.training.program import Plan


def began(
    spec: Spec,
    *,
    ratio: float = 0.7,
    rate: float = 0.01,
    latent_dim: int = 4,
    learning_rate: float = 1e-4,
    ema: float = 0.0,
) -> Plan:
    """The critic is an autoencoder, and a number in the state balances it with the generator.

    Paper: arXiv 1703.10717
    Departs: a constant rate of Adam (1e-4) in place of one that falls, with our choice of b1 (.5); normal z in place
      of uniform; the balance changes ten times as fast. The 4 numbers of z and of the code, the ratio and
      the rate of the balance were chosen on the embedded digits: with 16 numbers it collapses to one image; with 4 and
      no labels it makes some digits only. On the points of ring8 it collapses: with 1 number to one mode of eight.

    Args:
      ratio: the paper's gamma, the error at fakes as a part of that at real examples, above 0 and at most 1.
      rate: of the balance, above 0.
      latent_dim: numbers of z, and of the autoencoder's code; few beside those of an example.
    """
    at_least(1, latent_dim=latent_dim)
    at_least(0, learning_rate=learning_rate, ratio=ratio, rate=rate)
    if ratio > 1:
        raise BadRequest(f"ratio={ratio!r}: it must be at most 1.")
    size = math.prod(spec.shape)
    if latent_dim >= size:
        raise BadRequest(
            f"latent_dim={latent_dim!r}: an example has {size} numbers, and the code of the critic must have fewer."
        )
    critic = autoencoder(spec.encoder(latent_dim), spec.generator())
    game = make_began(spec.generator(), critic, latent_dim=latent_dim, gamma=ratio, rate=rate)
    optimizers = adam(learning_rate, (0.5, 0.999), "critic", "generator")
    return Plan(game, optimizers, (("critic", "generator"),), average(ema), batch_size=16)
