"""Unrolled GANs: the generator's loss uses the critic after some further steps of the critic."""

import math
from functools import partial
from typing import Any

import jax

from jaxgen.core import Array, Aux, BadRequest, Batch, Context, Game, Params, check_type, whole
from jaxgen.games.gan import is_gan
from jaxgen.objectives.schedules import as_number


def unrolled(game: Game, *, steps: int, rate: float) -> Game:
    """The same game, but the generator maximises the loss that the critic would have after `steps` further steps.

    w_0 = w, w_(i+1) = w_i - rate dL/dw (w_i, theta), with L the critic's whole loss including its penalty. The
    generator minimises -L_adv(w_steps, theta), with L_adv the critic's loss without the penalty, and differentiates
    through these steps, which depend on theta. A penalty of the generator is added unchanged, at the current critic.
    All steps use the noise, batch and state of the turn. The loss with which the critic is trained does not change.

    As in the paper, both players share one objective, so the generator's own adversarial loss is not used. That of
    SATURATING or WASSERSTEIN differs from -L_adv only by the terms of real examples, and has the same gradient at w.
    All others have another gradient there: NON_SATURATING, LEAST_SQUARES, HINGE, `margin`, the relativistic ones, and
    any of `top_k`, whose selection of fakes is lost. A loss of `smooth` is smoothed for both players.

    In `bilinear` the generator minimises -theta psi + steps rate theta^2, and a simultaneous step of rate h multiplies
    (psi, theta) by [[1, -h], [h, 1 - 2 h rate steps]]. If its eigenvalues are complex, their modulus is
    sqrt(1 + h^2 - 2 h rate steps). A turn of the generator computes `steps` more gradients of the critic and stores
    them for differentiation. The steps are unrolled in the program, because XLA's own convolutions must not be inside a
    loop on CPU, so the time to compile grows with their number.

    Metz et al. 2017, arXiv 1611.02163. In their experiments they unroll Adam; here SGD is unrolled.

    Args:
      game: one of `gan`, `dirac`, `bilinear` or `lq`.
      steps: at least 1.
      rate: the learning rate of the unrolled steps, above 0.

    Returns:
      A game with the same players, losses, state, noise and model.

    Raises:
      BadRequest: for any other game, such as one that is already unrolled, fewer than one step, or a rate that is not a
        finite number above 0.

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
        raise BadRequest(f"rate={rate!r}: the rate of the unrolled steps must be a finite number above 0.")
    if not is_gan(game):
        raise BadRequest(
            "unrolled() takes a game of gan(), dirac(), bilinear() or lq() that nothing has changed, because it would "
            f"drop terms of other generator losses. This game has the losses {', '.join(game.losses)}."
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
    """The loss `name` of the generator, with the critic after `steps` unrolled steps."""

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
