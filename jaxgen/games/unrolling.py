"""A generator that sees its critic some steps ahead."""

from functools import partial
from typing import Any

import jax

from jaxgen.core import BadRequest, Batch, Context, Game, Params, player, whole


def unrolled(game: Game, *, steps: int, rate: float, critic: str = "critic") -> Game:
    """The same game, in which each other player minimises its loss against the critic of `steps` steps later.

    w_0 = w, w_(i+1) = w_i - rate dL_critic/dw (w_i, theta), and the generator's loss is L_generator(w_steps, theta),
    differentiated through these steps, which depend on theta. The critic's loss is as it was, and so is what it
    learns. All steps are SGD on its whole loss, penalty included, at the noise, batch and state of the turn.

    In `bilinear` the generator then minimises -theta psi + steps rate theta^2, and a simultaneous step of rate h has
    the factors of the matrix [[1, -h], [h, 1 - 2 h rate steps]] in (psi, theta): their modulus is
    sqrt(1 + h^2 - 2 h rate steps) while they turn. In memory and time a turn of the generator costs some 2 steps + 1
    times as much.

    Metz et al. 2017, arXiv 1611.02163.

    Args:
      game: with a loss named `critic`, such as `gan`.
      steps: k, at least 1.
      rate: of the foreseen steps, above 0.
      critic: the player who is foreseen.

    Returns:
      A game of the same players, losses, state, noise and model.

    Raises:
      BadRequest: no such loss; no other player; fewer than one step; a rate that is not a finite number above 0.

    >>> import jax.numpy as jnp
    >>> from jaxgen.games import bilinear
    >>> game, batch = unrolled(bilinear(), steps=5, rate=0.1), Batch(jnp.zeros((1, 1)))
    >>> params, state = game.init(jax.random.key(0), batch)  # psi = theta = 1; the critic goes to 1 - 5 * 0.1
    >>> noise = game.draw(jax.random.key(1), batch)
    >>> {name: round(float(loss(params, noise, batch, Context(0, state))[0]), 4) for name, loss in game.losses.items()}
    {'critic': 1.0, 'generator': -0.5}
    """
    steps = whole("steps", steps, 1)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < float("inf"):
        raise BadRequest(f"rate={rate!r}: the rate of the foreseen steps is a finite number above 0.")
    others = [name for name in game.losses if player(name) != critic]
    if critic not in game.losses or not others:
        names = ", ".join(game.losses)
        raise BadRequest(f"unrolled() foresees the loss {critic!r} for other players, and this game has {names}.")
    foreseen = {name: partial(_foreseen, game, name, critic, steps, rate) for name in others}
    return game._replace(losses={**game.losses, **foreseen})


def _foreseen(
    game: Game,
    name: str,
    critic: str,
    steps: int,
    rate: float,
    params: Params,
    noise: Any,
    batch: Batch,
    context: Context,
) -> Any:
    """The loss `name` where the critic stands `steps` steps on."""

    def ahead(own, _):
        slope = jax.grad(lambda own: game.losses[critic]({**params, critic: own}, noise, batch, context)[0])(own)
        return jax.tree.map(lambda p, g: p - rate * g, own, slope), None

    own, _ = jax.lax.scan(ahead, params[critic], length=steps)
    return game.losses[name]({**params, critic: own}, noise, batch, context)
