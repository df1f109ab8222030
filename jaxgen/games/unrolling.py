"""A generator that sees its critic some steps ahead."""

import math
from functools import partial
from typing import Any

import jax

from jaxgen.core import Array, Aux, BadRequest, Batch, Context, Game, Params, check_type, whole
from jaxgen.games.gan import is_gan
from jaxgen.objectives.schedules import as_number


def unrolled(game: Game, *, steps: int, rate: float) -> Game:
    """The same game, in which the generator maximises the loss that the critic will have `steps` steps later.

    w_0 = w, w_(i+1) = w_i - rate dL/dw (w_i, theta), L the critic's whole loss, penalty included; then the generator
    minimises -L_adv(w_steps, theta), L_adv without the penalty, and differentiates through these steps, which depend on
    theta. A penalty of the generator is added as it was, at the critic of now. All is at the noise, batch and state of
    the turn. The critic's loss, which the critic then learns by, is as it was.

    As in the paper the two play for one objective, so the generator's own adversarial loss is not read. That of
    SATURATING or WASSERSTEIN differs from -L_adv by what L_adv says of real examples alone, and has its slope at w. All
    others have another slope there: NON_SATURATING, LEAST_SQUARES, HINGE, `margin`, the relativistic ones, and any of
    `top_k`, whose choice of fakes is lost. A loss of `smooth` is smoothed for both players.

    In `bilinear` the generator minimises -theta psi + steps rate theta^2, and a simultaneous step of rate h has the
    factors of the matrix [[1, -h], [h, 1 - 2 h rate steps]] in (psi, theta): their modulus is
    sqrt(1 + h^2 - 2 h rate steps) while they turn. A turn of the generator takes `steps` gradients of the critic more,
    and stores all of them to differentiate through. The steps are written out, as XLA's own convolutions must not stand
    in a loop on CPU: the time to compile grows with their number.

    Metz et al. 2017, arXiv 1611.02163. They unroll Adam in their experiments, and here it is SGD.

    Args:
      game: one of `gan`, `dirac`, `bilinear` or `lq`.
      steps: at least 1.
      rate: of the foreseen steps, above 0.

    Returns:
      A game of the same players, losses, state, noise and model.

    Raises:
      BadRequest: any other game, such as one that is unrolled already; fewer than one step; a rate that is not a finite
        number above 0.

    >>> import jax.numpy as jnp
    >>> from jaxgen.games import bilinear
    >>> game, batch = unrolled(bilinear(), steps=5, rate=0.1), Batch(jnp.zeros((1, 1)))
    >>> params, state = game.init(jax.random.key(0), batch)  # psi = theta = 1; the critic goes to 1 - 5 * 0.1
    >>> noise = game.draw(jax.random.key(1), batch)
    >>> {name: round(float(loss(params, noise, batch, Context(0, state))[0]), 4) for name, loss in game.losses.items()}
    {'critic': 1.0, 'generator': -0.5}
    """
    check_type("game", game, Game, "gan(generator, critic, latent_dim=2)")
    steps = whole("steps", steps, 1)
    number = as_number(rate)
    if number is None or not 0 < number < math.inf:
        raise BadRequest(f"rate={rate!r}: the rate of the foreseen steps is a finite number above 0.")
    if not is_gan(game):
        raise BadRequest(
            "unrolled() takes what gan(), dirac(), bilinear() or lq() returns, and takes it once: of any other game it "
            f"would drop terms of the generator's loss. This one has the losses {', '.join(game.losses)}."
        )
    foreseen = {
        name: partial(_foreseen, game, name, steps, number)
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

    critic = params["critic"]
    for _ in range(steps):
        slope = jax.grad(partial(loss, "critic"))(critic)
        critic = jax.tree.map(lambda p, g: p - rate * g, critic, slope)
    value = -loss("critic:adversarial" if "critic:adversarial" in game.losses else "critic", critic)
    if name == "generator" and "generator:penalty" in game.losses:
        value += loss("generator:penalty", params["critic"])
    return value, game.losses[name](params, noise, batch, context)[1]
