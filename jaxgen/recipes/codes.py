"""Papers on GANs with a code that can be inferred from an example."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import Array, Network
from jaxgen.games import bigan as make_bigan
from jaxgen.games import infogan as make_infogan
from jaxgen.recipes.gans import ALTERNATING, adam, average
from jaxgen.recipes.spec import Spec, at_least
from jaxgen.training.program import Plan


def infogan(
    spec: Spec,
    *,
    categories: int = 10,
    numbers: int = 2,
    weight: float = 1.0,
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
    ema: float = 0.0,
) -> Plan:
    """A code of one category and some numbers that the critic learns to predict from samples.

    Paper: arXiv 1606.03657
    Departs: the settings of the authors' code for MNIST (Adam 1e-3 for the generator, 2e-4 for the critic, b1 .5), for
      all data; one layer predicts the code in place of two; normal noise in place of uniform; no batch normalisation.

    Args:
      categories: of the code, each as probable; 0: none.
      numbers: of the code, uniform in (-1, 1).
      weight: of the information, in nats.
      latent_dim: numbers beside the code.
      learning_rate: of the generator's Adam; the critic's is a fifth of it.
    """
    at_least(1, latent_dim=latent_dim)
    at_least(0, learning_rate=learning_rate)
    sizes: dict[str, Any] = {"latent_dim": latent_dim, "categories": categories, "numbers": numbers}
    game = make_infogan(spec.generator(), spec.critic(), weight=weight, **sizes)
    optimizers = adam(learning_rate, (0.5, 0.999), "generator") | adam(learning_rate / 5, (0.5, 0.999), "critic")
    return Plan(game, optimizers, ALTERNATING, average(ema))


def bigan(
    spec: Spec,
    *,
    decay: float = 2.5e-5,
    latent_dim: int = 16,
    learning_rate: float = 2e-4,
    ema: float = 0.0,
) -> Plan:
    """An encoder trained with the generator, a critic of pairs (example, code), and simultaneous updates.

    Paper: arXiv 1605.09782
    Departs: a constant rate of Adam (2e-4, b1 .5), which in the authors' code falls in the second half; normal codes in
      place of uniform; no batch normalisation. The moving average is of the generator and the encoder.

    Args:
      decay: weight of half the squared params of each player in its loss.
    """
    at_least(1, latent_dim=latent_dim)
    at_least(0, learning_rate=learning_rate)
    nets = spec.generator(), spec.encoder(latent_dim), pair_critic(spec, latent_dim)
    game = make_bigan(*nets, latent_dim=latent_dim)
    decayed = optax.chain(optax.add_decayed_weights(decay), optax.adam(learning_rate, b1=0.5))
    return Plan(game, {"critic": decayed, "generator": decayed}, (("critic", "generator"),), average(ema))


def pair_critic(spec: Spec, latent_dim: int) -> Network:
    """(x, z, condition) -> logits f32[B]: the critic of `spec` that is given z and the condition as one vector."""
    form = spec.condition
    more = 0 if form is None else form if isinstance(form, int) else math.prod(form)
    critic = spec._replace(condition=(latent_dim + more,)).critic()

    def vector(z: Array, *given: Array) -> Array:
        parts = [
            jax.nn.one_hot(y, more, dtype=jnp.float32) if isinstance(form, int) else y.reshape(len(y), -1)
            for y in given
        ]
        return jnp.concatenate([z, *parts], -1)

    return critic._replace(
        init=lambda key, x, *zs: critic.init(key, x, vector(*zs)),
        apply=lambda params, state, noise, x, *zs: critic.apply(params, state, noise, x, vector(*zs)),
        draw=lambda key, x, *zs: critic.draw(key, x, jax.eval_shape(vector, *zs)),
        features=None,
    )
