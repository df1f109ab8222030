"""The encoder that a GAN lacks, trained after it."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, BadRequest, Batch, Context, Game, draw_each, inputs, rows
from jaxgen.nets.adapters import network


def invert(game: Game, encoder: Any) -> Game:
    """Gives a trained model its missing encoder: regression of z on G(z), with the generator at rest in the state.

    loss = mean_B |E(G(z, c), c) - z|^2 / D, c the condition of the batch: the "latent regressor" that Donahue et al.
    2017 (arXiv 1605.09782) set beside their bidirectional GAN. It is trained afterwards, so the model itself is the
    same with and without it.

    Args:
      game: a game whose model has `decode`, and whose `draw` gives z itself, such as `gan`.
      encoder: network (x, condition) -> z, of the shape of z.

    Returns:
      A game of the player "encoder". `init` puts fresh params and state of `game` into the state: replace
      `state["trained"]` by those that are trained, `(params, state)`. Its model is that of `game` with `encode`, the
      map and the score "reconstruction" (squared error, summed over an example), and the features "encoder" added.

    Raises:
      BadRequest: by `draw`, if the model has no `decode`, or draws something else than z; by the loss, if the encoder
        gives another shape than that of z.
    """
    encoder = network(encoder)

    def init(key, batch: Batch):
        k_encoder, k_game = jax.random.split(key)
        params, state = encoder.init(k_encoder, *inputs(*batch))
        return {"encoder": params}, {"encoder": state, "trained": game.init(k_game, batch)}

    def draw(key, batch: Batch):
        model = game.model(*jax.eval_shape(game.init, key, batch))
        if model.draw is None or model.decode is None:
            raise BadRequest("invert() needs a model that draws z and decodes it, and this one does not.")
        noise = draw_each(
            key,
            z=(model.draw, rows(batch), batch.condition),
            encoder=(encoder.draw, *inputs(*batch)),
        )
        if not hasattr(noise["z"], "shape"):
            raise BadRequest("invert() needs a model whose noise is z itself, one array, such as that of gan().")
        return noise

    def loss(params, noise, batch: Batch, context: Context):
        decode: Any = game.model(*context.state["trained"]).decode
        x = decode(noise["z"], batch.condition)
        given = inputs(x, batch.condition)
        code, state = encoder.apply(params["encoder"], context.state["encoder"], noise["encoder"], *given)
        if code.shape != noise["z"].shape:
            raise BadRequest(f"the encoder gives {code.shape}, and z is {noise['z'].shape}: make them the same.")
        return jnp.mean((code - noise["z"]) ** 2), Aux({}, {"encoder": state})

    def model(params, state):
        trained = game.model(*state["trained"])
        decode: Any = trained.decode

        def encode(x, condition=None):
            return encoder.apply(params["encoder"], state["encoder"], None, *inputs(x, condition))[0]

        def reconstruct(x, condition=None):
            return decode(encode(x, condition), condition)

        def error(noise, x, condition=None) -> Array:
            again = reconstruct(x, condition)
            squares = jax.tree.map(lambda a, b: jnp.sum(((a - b) ** 2).reshape(len(a), -1), -1), x, again)
            return jax.tree.reduce(jnp.add, squares)

        def features(x, condition=None):
            return encoder.features(params["encoder"], state["encoder"], None, *inputs(x, condition))[0]

        return trained._replace(
            encode=encode,
            scores={**trained.scores, "reconstruction": error},
            features=dict(trained.features) | ({} if encoder.features is None else {"encoder": features}),
            maps={**trained.maps, "reconstruct": reconstruct},
        )

    return Game(init, draw, {"encoder": loss}, model, couples=encoder.couples, range=game.range)
