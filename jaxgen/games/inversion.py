"""The encoder that a GAN lacks, trained after it."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Aux, BadRequest, Batch, Context, Game, draw_each, inputs, rows
from jaxgen.games.parts import evaluation, features_of, squared_error
from jaxgen.nets.adapters import network


def invert(game: Game, encoder: Any, trained: tuple[Any, Any] | None = None) -> Game:
    """Gives a trained model its missing encoder: regression of z on G(z), with the generator at rest in the state.

    loss = mean_B |E(G(z, c), c) - z|^2 / D, c the condition of the batch: the "latent regressor" that Donahue et al.
    2017 (arXiv 1605.09782) set beside their bidirectional GAN. It is trained afterwards, so the model itself is the
    same with and without it.

    Args:
      game: a game whose model has `decode`, and whose `draw` gives z itself, such as `gan`.
      encoder: network (x, condition) -> z, of the shape of z.
      trained: (params, state) of `game` after its training, (run.state.params, run.state.context.state) of a run of
        `fit`; `init` puts them into the state as "trained". None: it puts untrained ones there, whose codes are of no
        use, so `fit` needs this argument; in a loop of your own you may replace `state["trained"]` instead.

    Returns:
      A game of the player "encoder". Its model is that of `game` with `encode`, the map "reconstruct", the score
      "reconstruction" (squared error, summed over an example) and the features "encoder" added.

    Raises:
      BadRequest: by `init`, if `trained` has other shapes than params and state of `game`; by `draw`, if the model has
        no `decode`, or draws something else than z; by the loss, if the encoder gives another shape than that of z.
    """
    encoder = network(encoder)

    def init(key, batch: Batch):
        k_encoder, k_game = jax.random.split(key)
        params, state = encoder.init(k_encoder, *inputs(*batch))
        if trained is None:
            return {"encoder": params}, {"encoder": state, "trained": game.init(k_game, batch)}
        fresh = jax.eval_shape(game.init, k_game, batch)
        if jax.tree.map(jnp.shape, trained) != jax.tree.map(jnp.shape, fresh):
            raise BadRequest("trained=... does not fit this game: hand in (params, state) of the same networks.")
        return {"encoder": params}, {"encoder": state, "trained": trained}

    def draw(key, batch: Batch):
        def code(key):
            own = game.init(key, batch)
            model = game.model(*own)
            if model.draw is None or model.decode is None:
                raise BadRequest("invert() needs a model that draws z and decodes it, and this one does not.")
            return own, model.draw(key, rows(batch), batch.condition)

        own, z = jax.eval_shape(code, key)
        if not hasattr(z, "shape"):
            raise BadRequest("invert() needs a model whose noise is z itself, one array, such as that of gan().")
        draw_code = game.model(*own).draw
        return draw_each(key, z=(draw_code, rows(batch), batch.condition), encoder=(encoder.draw, *inputs(*batch)))

    def loss(params, noise, batch: Batch, context: Context):
        decode: Any = game.model(*context.state["trained"]).decode
        x = decode(noise["z"], batch.condition)
        given = inputs(x, batch.condition)
        code, state = encoder.apply(params["encoder"], context.state["encoder"], noise["encoder"], *given)
        if code.shape != noise["z"].shape:
            raise BadRequest(f"the encoder gives {code.shape}, and z is {noise['z'].shape}: make them the same.")
        return jnp.mean((code - noise["z"]) ** 2), Aux({}, {"encoder": state})

    def model(params, state):
        bare = game.model(*state["trained"])
        decode: Any = bare.decode
        own = encoder, params["encoder"], state["encoder"]
        encode = evaluation(*own)

        def reconstruct(x, condition=None):
            return decode(encode(x, condition), condition)

        def error(noise, x, condition=None):
            return squared_error(x, reconstruct(x, condition))

        return bare._replace(
            encode=encode,
            scores={**bare.scores, "reconstruction": error},
            features={**bare.features, **features_of("encoder", *own)},
            maps={**bare.maps, "reconstruct": reconstruct},
        )

    return Game(init, draw, {"encoder": loss}, model, couples=encoder.couples, range=game.range)
