"""BEGAN: a GAN whose critic is an autoencoder, and whose players are balanced by a number k in the state."""

import numbers
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import (
    Array,
    Aux,
    BadRequest,
    Batch,
    Context,
    Game,
    Model,
    Network,
    check_type,
    draw_each,
    inputs,
    whole,
)
from jaxgen.games.parts import (
    check_array,
    check_generated,
    draw_calls,
    evaluation,
    features_of,
    first_players,
)
from jaxgen.nets.adapters import network
from jaxgen.nets.autoencoders import error


def began(generator: Any, critic: Any, *, latent_dim: int, gamma: float = 0.5, rate: float = 0.001) -> Game:
    """Boundary equilibrium GAN. The critic is an autoencoder D, and L(x) is its mean absolute error.

    critic: mean L(x) - k mean L(G(z)); generator: mean L(G(z)); z ~ N(0, I). k starts at 0, and each turn of the critic
    replaces it by k + rate (gamma mean L(x) - mean L(G(z))), clipped to [0, 1]. This controls L(G(z)) to be
    gamma L(x). Berthelot et al. 2017, arXiv 1703.10717.

    Args:
      generator: network (z f32[B, D], condition) -> x.
      critic: network (x, condition) -> x, such as `autoencoder(encoder, decoder)` of `jaxgen.nets`.
      latent_dim: D.
      gamma: the target of mean L(G(z)) / mean L(x), in (0, 1]; the smaller it is, the less varied are the samples.
      rate: how fast k moves, above 0.

    Returns:
      A game with the losses "critic" and "generator", whose state has k under "balance". The info of the critic's loss
      has real_error, fake_error, balance (k), and convergence, L(x) + |gamma L(x) - L(G(z))|, which falls as both
      players improve. The model has the score "reconstruction", L(x), the map "reconstruct", D, and the features
      "critic" if D has features.

    Raises:
      BadRequest: for a latent_dim below 1, a gamma outside (0, 1] or a rate that is not above 0; in `init`, if x is not
        a single array; in the losses, for examples of another shape.
    """
    latent_dim = whole("latent_dim", latent_dim, 1)
    for name, value in (("gamma", gamma), ("rate", rate)):
        check_type(name, value, numbers.Real, "0.5")
    if not 0 < gamma <= 1 or not 0 < rate < float("inf"):
        raise BadRequest(f"began() needs 0 < gamma <= 1 and a finite rate above 0, not {gamma=}, {rate=}.")
    parts = _Parts(network(generator), network(critic), latent_dim, gamma, rate)
    losses = {name: partial(_loss, parts, name) for name in ("critic", "generator")}
    couples = parts.generator.couples or parts.critic.couples
    turns = (("critic", "generator"),)
    return Game(partial(_init, parts), partial(_draw, parts), losses, partial(_model, parts), couples, turns=turns)


class _Parts(NamedTuple):
    generator: Network
    critic: Network
    latent_dim: int
    gamma: float
    rate: float


def _init(parts: _Parts, key: Array, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
    check_array(batch)
    params, state = first_players(parts.generator, parts.critic, key, parts.latent_dim, batch)
    return params, {**state, "balance": jnp.zeros((), dtype=jnp.float32)}


def _draw(parts: _Parts, key: Array, batch: Batch) -> dict[str, Any]:
    return draw_each(key, **draw_calls(parts.generator, parts.critic, parts.latent_dim, batch))


def _loss(parts: _Parts, player: str, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    state = context.state

    def missed(which: str, x):
        given = inputs(x, batch.condition)
        y, new = parts.critic.apply(params["critic"], state["critic"], noise[which], *given)
        return jnp.mean(error(x, y, 1)), new

    given = inputs(noise["z"], batch.condition)
    fake, moved = parts.generator.apply(params["generator"], state["generator"], noise["generator"], *given)
    check_generated(fake, batch.x)
    at_fake, _ = missed("fake", fake)
    if player == "generator":
        return at_fake, Aux({}, {"generator": moved})
    at_real, new = missed("real", batch.x)
    gap, k = parts.gamma * at_real - at_fake, state["balance"]
    info = {"real_error": at_real, "fake_error": at_fake, "balance": k, "convergence": at_real + jnp.abs(gap)}
    balance = jnp.clip(k + parts.rate * jax.lax.stop_gradient(gap), 0.0, 1.0)
    return at_real - k * at_fake, Aux(info, {"critic": new, "balance": balance})


def _model(parts: _Parts, params, state) -> Model:
    decode = evaluation(parts.generator, params["generator"], state["generator"])
    judge = parts.critic, params["critic"], state["critic"]
    reconstruct = evaluation(*judge)

    def reconstruction(noise, x, condition=None):
        return error(x, reconstruct(x, condition), 1)

    return Model(
        draw=lambda key, n, condition=None: jax.random.normal(key, (n, parts.latent_dim), dtype=jnp.float32),
        sample=decode,
        decode=decode,
        scores={} if parts.critic.couples else {"reconstruction": reconstruction},
        features={} if parts.critic.couples else features_of("critic", *judge),
        maps={"reconstruct": reconstruct},
    )
