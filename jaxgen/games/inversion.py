"""An encoder for a trained GAN, trained after it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, BadRequest, Batch, Context, Game, Model, Network, draw_each, inputs, rows
from jaxgen.games.parts import evaluation, features_of, mean_squared_error, squared_error
from jaxgen.nets.adapters import network

KAPPA = 1.0  # weight of the critic's features in the score "f-AnoGAN"


def invert(game: Game, encoder: Any, trained: tuple[Any, Any] | None = None) -> Game:
    """Trains an encoder for a trained model by regression of z on G(z). The trained generator is part of the state.

    loss = mean_B |E(G(z, c), c) - z|^2 / D, c the condition of the batch. It is the "latent regressor" with which
    Donahue et al. 2017 (arXiv 1605.09782) compare their bidirectional GAN. It does not change the trained model.

    Args:
      game: a game whose model has `decode` and whose `draw` returns z itself, such as `gan`.
      encoder: network (x, condition) -> z, of the shape of z.
      trained: (params, state) of `game` after its training, (run.state.params, run.state.context.state) of a run of
        `fit`; `init` puts them into the state as "trained". If None, `init` puts untrained ones there, which are of no
        use: `fit` needs this argument, but in your own loop you may replace `state["trained"]` instead.

    Returns:
      A game with the player "encoder". Its model is that of `game` plus `encode`, the map "reconstruct", the features
      "encoder" and scores: "reconstruction" (squared error, summed over an example) and, if the critic has features f
      [B, F], also "f-AnoGAN", which is then the first score,

        |x - G(E(x))|^2 / n + kappa |f(x) - f(G(E(x)))|^2 / F,  n numbers in an example, kappa = 1,

      and "feature residual", its second term without kappa. Schlegl et al. 2019, doi 10.1016/j.media.2019.01.010, as
      their `anomaly_scoring` computes it. They scale pixels to [-1, 1], whereas here x is the input of the networks;
      and they train the encoder on that sum over real images (izi_f).

    Raises:
      BadRequest: in `init`, if `trained` has other shapes than params and state of `game`; in `draw`, if the model has
        no `decode`, or draws something else than z; in the loss, if the encoder gives another shape than that of z.
    """
    parts = _Parts(game, network(encoder), trained)
    losses = {"encoder": partial(_loss, parts)}
    couples = parts.encoder.couples
    return Game(
        partial(_init, parts), partial(_draw, parts), losses, partial(_model, parts), couples=couples, range=game.range
    )


class _Parts(NamedTuple):
    game: Game
    encoder: Network
    trained: tuple[Any, Any] | None  # (params, state) of `game`


def _init(parts: _Parts, key: Array, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
    k_encoder, k_game = jax.random.split(key)
    params, state = parts.encoder.init(k_encoder, *inputs(*batch))
    if parts.trained is None:
        return {"encoder": params}, {"encoder": state, "trained": parts.game.init(k_game, batch)}
    fresh = jax.eval_shape(parts.game.init, k_game, batch)
    if jax.tree.map(jnp.shape, parts.trained) != jax.tree.map(jnp.shape, fresh):
        raise BadRequest("trained=... does not fit this game: pass (params, state) of the same networks.")
    return {"encoder": params}, {"encoder": state, "trained": parts.trained}


def _draw(parts: _Parts, key: Array, batch: Batch) -> dict[str, Any]:
    def code(key):
        untrained = parts.game.init(key, batch)
        model = parts.game.model(*untrained)
        if model.draw is None or model.decode is None:
            raise BadRequest("invert() needs a model that draws z and decodes it, and this one does not.")
        return untrained, model.draw(key, rows(batch), batch.condition)

    untrained, z = jax.eval_shape(code, key)
    if not hasattr(z, "shape"):
        raise BadRequest("invert() needs a model whose noise is z itself, one array, such as that of gan().")
    draw_code = parts.game.model(*untrained).draw
    return draw_each(key, z=(draw_code, rows(batch), batch.condition), encoder=(parts.encoder.draw, *inputs(*batch)))


def _loss(parts: _Parts, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    decode: Any = parts.game.model(*context.state["trained"]).decode
    x = decode(noise["z"], batch.condition)
    given = inputs(x, batch.condition)
    code, state = parts.encoder.apply(params["encoder"], context.state["encoder"], noise["encoder"], *given)
    if code.shape != noise["z"].shape:
        raise BadRequest(f"the encoder gives {code.shape}, but z is {noise['z'].shape}: make the shapes the same.")
    return jnp.mean((code - noise["z"]) ** 2), Aux({}, {"encoder": state})


def _model(parts: _Parts, params, state) -> Model:
    bare = parts.game.model(*state["trained"])
    decode: Any = bare.decode
    net = parts.encoder, params["encoder"], state["encoder"]
    encode = evaluation(*net)

    def reconstruct(x, condition=None):
        return decode(encode(x, condition), condition)

    def reconstruction(noise, x, condition=None):
        return squared_error(x, reconstruct(x, condition))

    added = {"reconstruction": reconstruction}
    if critic := bare.features.get("critic"):
        added = {**_critic_scores(critic, reconstruct), **added}
    return bare._replace(
        encode=encode,
        scores={**added, **bare.scores},
        features={**bare.features, **features_of("encoder", *net)},
        maps={**bare.maps, "reconstruct": reconstruct},
    )


def _critic_scores(critic: Callable, reconstruct: Callable) -> dict[str, Callable]:
    """The scores that use features of the critic; the first is that of f-AnoGAN."""

    def feature_residual(noise, x, condition=None):
        return mean_squared_error(critic(x, condition), critic(reconstruct(x, condition), condition))

    def f_anogan(noise, x, condition=None):
        return mean_squared_error(x, reconstruct(x, condition)) + KAPPA * feature_residual(noise, x, condition)

    return {"f-AnoGAN": f_anogan, "feature residual": feature_residual}
