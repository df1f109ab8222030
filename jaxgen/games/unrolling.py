"""A generator that sees its critic some steps ahead."""

from functools import partial
from typing import Any

import jax

from jaxgen.core import Array, Aux, BadRequest, Batch, Context, Game, Params, whole


def unrolled(game: Game, *, steps: int, rate: float) -> Game:
    """The same game, in which the generator minimises what the critic will lose least of, `steps` steps later.

    w_0 = w, w_(i+1) = w_i - rate dL/dw (w_i, theta), L the critic's whole loss, penalty included; then the generator
    minimises -L_adv(w_steps, theta), L_adv without the penalty, and differentiates through these steps, which depend on
    theta. A penalty of the generator is added as it was. All is at the noise, batch and state of the turn. The critic's
    loss, which the critic then learns by, is as it was.

    As in the paper the two play for one objective: the generator's loss counts for its figures and state alone. With
    SATURATING and WASSERSTEIN it is that objective anyway; with NON_SATURATING its slope is another.

    In `bilinear` the generator minimises -theta psi + steps rate theta^2, and a simultaneous step of rate h has the
    factors of the matrix [[1, -h], [h, 1 - 2 h rate steps]] in (psi, theta): their modulus is
    sqrt(1 + h^2 - 2 h rate steps) while they turn. A turn of the generator takes `steps` gradients of the critic more,
    and keeps them all for its own.

    Metz et al. 2017, arXiv 1611.02163. They unroll Adam in their experiments, and here it is SGD.

    Args:
      game: of the losses "critic" and "generator", such as `gan`.
      steps: at least 1.
      rate: of the foreseen steps, above 0.

    Returns:
      A game of the same players, losses, state, noise and model.

    Raises:
      BadRequest: a game without these losses; fewer than one step; a rate that is not a finite number above 0.

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
    if not {"critic", "generator"} <= game.losses.keys():
        names = ", ".join(game.losses)
        raise BadRequest(f"unrolled() wants the losses critic and generator, such as those of gan(), not {names}.")
    foreseen = {
        name: partial(_foreseen, game, name, steps, rate)
        for name in ("generator", "generator:adversarial")
        if name in game.losses
    }
    return game._replace(losses={**game.losses, **foreseen})


def _foreseen(
    game: Game, name: str, steps: int, rate: float, params: Params, noise: Any, batch: Batch, context: Context
) -> tuple[Array, Aux]:
    """The loss `name` of the generator where the critic stands `steps` steps on."""

    def loss(which: str, critic: Any) -> Array:
        return game.losses[which]({**params, "critic": critic}, noise, batch, context)[0]

    def ahead(critic, _):
        slope = jax.grad(lambda critic: loss("critic", critic))(critic)
        return jax.tree.map(lambda p, g: p - rate * g, critic, slope), None

    critic, _ = jax.lax.scan(ahead, params["critic"], length=steps)
    value = -loss("critic:adversarial" if "critic:adversarial" in game.losses else "critic", critic)
    if name == "generator" and "generator:penalty" in game.losses:
        value += loss("generator:penalty", critic)
    return value, game.losses[name]({**params, "critic": critic}, noise, batch, context)[1]
