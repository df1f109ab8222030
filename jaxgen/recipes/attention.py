"""Papers on GANs of images with self-attention and spectral norm in both networks."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import Array, Game, Network
from jaxgen.games import gan as make_gan
from jaxgen.nets import networks
from jaxgen.nets.readouts import projected
from jaxgen.nets.wrappers import mapped, spectral
from jaxgen.objectives import HINGE
from jaxgen.recipes.gans import ALTERNATING, adam, average
from jaxgen.recipes.spec import Spec, at_least
from jaxgen.training.orthogonal import orthogonal
from jaxgen.training.program import Plan

SCALE = 8.0  # of what a divided generator gives: its layers are no steeper than 1, and logits of pixels reach 4


def sagan(spec: Spec, *, latent_dim: int = 16, learning_rate: float = 1e-4, ema: float = 0.0) -> Plan:
    """Self-attention and spectral norm in both networks, hinge loss, a critic that learns four times as fast.

    Paper: arXiv 1805.08318
    Departs: no batch normalisation; in its place the outputs of the normalised generator are multiplied by 8. Without
      that factor, chosen on the embedded digits, it made a single grey image of each digit. Layers of stride 2
      in place of residual blocks, attention at about 8x8 positions in place of 32x32, and none in networks of vectors.
      Batches of 64 are those of the authors' code. Labels are projected; other conditions are inputs of the critic.

    Args:
      learning_rate: of the generator's Adam; the critic's is four times it.
    """
    plan = _plan(spec, latent_dim, learning_rate, ema, momenta=(0.0, 0.9))
    return plan._replace(batch_size=64)


def biggan(
    spec: Spec,
    *,
    strength: float = 1e-4,
    truncation: float = 0.0,
    latent_dim: int = 16,
    learning_rate: float = 5e-5,
    ema: float = 1e-4,
) -> Plan:
    """sagan with z in every layer and orthogonal regularisation of the generator, two critic turns to one.

    Paper: arXiv 1809.11096
    Departs: as sagan, including the factor of 8; all of z modulates every layer, as in the paper's deep form, together
      with one embedding of labels for all layers; batches of 128 in place of 2,048; no orthogonal initialisation. z is
      not truncated unless `truncation` is set. In networks of vectors z is an input of the first layer only.

    Args:
      strength: of the orthogonal regularisation.
      truncation: largest absolute value of a number of z for samples; 0: no limit.
      learning_rate: of the generator's Adam; the critic's is four times it.
    """
    plan = _plan(spec, latent_dim, learning_rate, ema, momenta=(0.0, 0.999), skip=True)
    optimizers = {**plan.optimizers, "generator": optax.chain(orthogonal(strength), plan.optimizers["generator"])}
    game = truncated(plan.game, latent_dim, truncation) if truncation else plan.game
    return plan._replace(game=game, optimizers=optimizers, turns=(("critic",), *ALTERNATING))


def truncated(game: Game, latent_dim: int, most: float) -> Game:
    """The game whose model draws z of N(0, I) within [-most, most]: fewer kinds of samples, and better ones."""

    def draw(key: Array, n: int, condition: Any = None) -> Array:
        return jax.random.truncated_normal(key, -most, most, (n, latent_dim), dtype=jnp.float32)

    return game._replace(model=lambda params, state: game.model(params, state)._replace(draw=draw))


def _plan(
    spec: Spec, latent_dim: int, rate: float, ema: float, *, momenta: tuple[float, float], skip: bool = False
) -> Plan:
    """Both networks divided and attending; labels are projected on the critic's features."""
    at_least(1, latent_dim=latent_dim)
    at_least(0, learning_rate=rate)
    labels = spec.condition if isinstance(spec.condition, int) else None
    nets = networks(spec.shape, width=spec.width, condition=spec.condition, attention=True, skip=skip)
    blind = networks(spec.shape, width=spec.width, attention=True)
    generator: Network = spectral(spec.computed(nets.generator))
    if labels is None:
        critic = spectral(spec.computed(nets.critic))
    else:
        critic = spectral(projected(spec.computed(blind.critic), labels), exclude=())
    generator = mapped(generator, lambda y: jax.nn.sigmoid(SCALE * y) if spec.is_image else SCALE * y)
    game = make_gan(generator, critic, latent_dim=latent_dim, loss=HINGE)
    optimizers = adam(4 * rate, momenta, "critic") | adam(rate, momenta, "generator")
    return Plan(game, optimizers, ALTERNATING, average(ema))
