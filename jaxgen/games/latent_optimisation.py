"""LOGAN: a GAN that first moves z along the gradient of the critic's logit."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, BadRequest, Batch, Context, Game, Model, Params, at, check_type
from jaxgen.games.gan import parts_of
from jaxgen.objectives.schedules import Schedule, above_0, check_weight


def latent_optimised(
    game: Game,
    *,
    rate: float = 0.9,
    damping: float | None = 5.0,
    weight: Schedule = 300.0,
    share: float = 0.5,
) -> Game:
    """LOGAN: losses are evaluated at z' = clip(z + dz, -1, 1), z uniform in (-1, 1), and differentiated through dz.

    With f(z) = D(G(z)), averaged over the logits of an example, and g = df/dz,

      dz = rate (g g^T + damping I)^-1 g = rate g / (damping + |g|^2), a step along the natural gradient

    with the damped Fisher matrix of this one example; or dz = rate g with damping=None. The term weight mean |dz|^2 is
    added to the generator's adversarial loss, with dz before the clip, summed over the numbers of z. Wu et al. 2019,
    arXiv 1912.00953. The regulariser is in the generator's loss, as in the code of its predecessor CS-GAN
    (deepmind-research, `cs_gan/gan.py`). The defaults are the paper's for BigGAN-deep, taken from descriptions of it.

    The model decodes uniform z without such a step. Each turn needs one more forward and backward pass of the generator
    and the critic, and differentiates through it. In trials with small GANs on ring8 it did not help: it lost modes
    that the same GAN keeps without it, and most of them with the plain gradient.

    Args:
      game: `gan(...)` with a latent_dim of at least 1, whose normal z is mapped to uniform numbers, -1 + 2 Phi(z).
      rate: of the step, above 0; 0.9 in the paper.
      damping: above 0, 5 in the paper; no step is longer than rate / (2 sqrt(damping)). None: the plain gradient.
      weight: of the squared step; a number, or a function of the step of training.
      share: the share of the numbers of z that move, the first ones, rounded up; above 0, at most 1.

    Returns:
      A game with the same losses. The info of the generator's adversarial loss also has squared_step, mean |dz|^2.

    Raises:
      BadRequest: for any other game, or a rate, damping, weight or share out of range.

    >>> import optax
    >>> from jaxgen.games import gan
    >>> from jaxgen.nets import networks
    >>> nets = networks((2,), width=8)
    >>> game = latent_optimised(gan(nets.generator, nets.critic, latent_dim=4), damping=0.1, weight=0.1)
    >>> batch = Batch(jnp.zeros((8, 2)))
    >>> params, state = game.init(jax.random.key(0), batch)
    >>> noise = game.draw(jax.random.key(1), batch)
    >>> sorted(game.losses["generator"](params, noise, batch, Context(jnp.int32(0), state))[1].info)
    ['squared_step']
    """
    check_type("game", game, Game, "gan(generator, critic, latent_dim=2)")
    parts = parts_of(game)
    if parts is None or parts.latent_dim < 1:
        raise BadRequest(
            "latent_optimised() takes a game of gan() with a latent_dim of at least 1 that nothing has changed, "
            "because it moves the z of that game."
        )
    rate, share = above_0("rate", rate), above_0("share", share, 1.0)
    damping = None if damping is None else above_0("damping", damping)
    check_weight("weight", weight)
    moving = jnp.arange(parts.latent_dim) < math.ceil(share * parts.latent_dim - 1e-9)

    def step(params: Params, noise: Any, batch: Batch, state: Any) -> Array:
        def sure(z):
            x, _ = parts.generate(params, noise, state, z, batch.condition)
            logits, _ = parts.logits(params, noise["fake"], state, x, batch.condition)
            return jnp.sum(logits) / (logits.size / len(logits))

        slope = jnp.where(moving[None], jax.grad(sure)(noise["z"]), 0.0)
        scale = rate if damping is None else rate / (damping + jnp.sum(slope**2, -1, keepdims=True))
        return scale * slope

    def played(name: str, params: Params, noise: Any, batch: Batch, context: Context) -> tuple[Array, Aux]:
        dz = step(params, noise, batch, context.state)
        moved = {**noise, "z": jnp.clip(noise["z"] + dz, -1.0, 1.0)}
        value, aux = game.losses[name](params, moved, batch, context)
        if name not in ("generator", "generator:adversarial"):
            return value, aux
        length = jnp.mean(jnp.sum(dz**2, -1))
        info = {**aux.info, "squared_step": length}
        return value + at(weight, context.step) * length, aux._replace(info=info)

    def draw(key: Array, batch: Batch) -> Any:
        noise = game.draw(key, batch)
        return {**noise, "z": _uniform(noise["z"])}

    def model(params: Params, state: Any) -> Model:
        bare = game.model(params, state)
        draw_z: Any = bare.draw
        return bare._replace(draw=lambda key, n, condition=None: _uniform(draw_z(key, n, condition)))

    losses = {name: partial(played, name) for name in game.losses}
    return game._replace(draw=draw, losses=losses, model=model)


def _uniform(z: Array) -> Array:
    """2 Phi(z) - 1: N(0, 1) becomes uniform in (-1, 1)."""
    return jax.lax.erf(z / math.sqrt(2))
