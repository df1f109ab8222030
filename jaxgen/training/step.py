"""One step of a game, with all of its turns, as one compiled program.

If a turn occurs more than once in a step, the step is a scan over its turns with a switch over the distinct ones, so
that six turns compile as fast as two; otherwise the turns are unrolled. `unroll=True` always unrolls them, for
networks with operations that must not be inside a loop (XLA's own convolutions on CPU). The results of a scanned and of
an unrolled step may differ in their last bits.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import Array, Batch, Context, Game, Model, Params, at, player
from jaxgen.objectives.rules import descend
from jaxgen.training.checks import check_batches, check_examples, check_micro, check_plan, checked_start
from jaxgen.training.turns import Played, Turn, make_move, scanned, unrolled

PATIENCE = 10  # a run ends after so many steps in a row that are not finite
Rate = float | Callable[[Array], Array]


class State(NamedTuple):
    """All that the next step needs. It has no key, because noise is a function of (run key, step, turn)."""

    params: Params
    opts: dict[str, Any]
    context: Context
    ema: Params  # by player, in float32: the moving averages; {} if none is kept
    skipped: Array  # i32[], steps in which a turn was not finite
    streak: Array  # i32[], the number of such steps since the last finite one; it stays once it is 10


class Ema(NamedTuple):
    """An exponential moving average of params, e' = e + rate (p - e), kept in float32 beside them.

    Only params are averaged. The state, such as batch norm statistics, is that of the last step.
    """

    rate: Rate  # weight of the new params in each step, 1 - decay, in (0, 1]; or a function of the step
    players: tuple[str, ...] | None = None  # the players whose params are averaged; None: all


class Step(NamedTuple):
    """The functions of a step. `update` is compiled and donates its state: continue with the state that it returns."""

    init: Callable[..., State]  # (key, batch) -> state
    update: Callable[..., tuple[State, dict[str, Any]]]  # (state, key, batches) -> (state, info)
    model: Callable[[State], Model]  # (state) -> the model, with the moving average of the params if one is kept


def evaluation_params(state: State) -> Params:
    """The params of every player: their moving average if one is kept, else the params themselves."""
    averaged = {name: state.params[name] for name in state.ema}
    return {**state.params, **jax.tree.map(lambda e, p: e.astype(p.dtype), state.ema, averaged)}


def ema_rate(rate: float) -> Callable[[Array], Array]:
    """A rate for `Ema` that forgets the initial params: its half-life is at most 5 % of the steps so far.

    rate(n) = max(rate, 1 - 2^(-20 / n)); the ramp of StyleGAN2 (Karras et al. 2020, official code).

    >>> float(ema_rate(0.001)(0)), round(float(ema_rate(0.001)(10_000_000)), 6)
    (1.0, 0.001)
    """

    def rate_at(n):
        return jnp.maximum(rate, 1 - 2 ** (-20 / jnp.maximum(n, 1e-3)))

    return rate_at


def make_step(
    game: Game,
    optimizers: Mapping[str, optax.GradientTransformation],
    turns: Sequence[Turn],
    *,
    rule: Callable = descend,
    ema: Ema | Rate | None = None,
    micro: int = 1,
    unroll: bool = False,
) -> Step:
    """The step that plays each of `turns` once.

    Args:
      game: what is played.
      optimizers: by player; an optimiser named after a loss (`"critic:penalty"`) is used for that loss only.
      turns: the turns of a step in their order. A turn is a tuple of losses whose players are updated simultaneously.
        `(("critic",),) * 5 + (("generator",),)` is WGAN's; `(("critic", "generator"),)` updates both at once.
      rule: the update rule, one of `jaxgen.objectives.rules` or your own.
      ema: the moving average of params to keep. A number is the rate for all players, the weight of the new params:
        0.001 is elsewhere called a decay of 0.999.
      micro: the number of micro-batches, to save memory: their gradients are computed one after the other and averaged.
        Each has its own noise and the same old state; the new state is the mean of their new states.
      unroll: whether to unroll the turns instead of looping over them.

    Returns:
      `Step`. `update` takes one batch per turn (leaves `[T, B, ...]`); the noise of turn t of step n depends on
      (key, n, t) only. A turn whose loss, gradient norm or new state is not finite changes nothing, and its step is
      counted in `skipped` and `streak`. The updates of the optimiser are not checked here: a learning rate of NaN makes
      the params NaN, and `jaxgen.training.loop.train`, which `fit` uses, then raises `Diverged`.
      `info` is `{loss: {"loss": f32[], "grad_norm": f32[], ...}}`, for each loss from its last turn in the step. With
      `micro`, figures are means over micro-batches, and grad_norm is the norm of the mean gradient.

    Raises:
      BadRequest: for an unknown loss, a player without an optimiser, an optimiser or average of an unknown player, a
        turn that updates one player twice, `micro` with a game that couples examples, or an average with a rate outside
        (0, 1]; in `init`, for params that are not a dict by player or not all float, or a key in the state; in `init`
        and `update`, for 8-bit pixels as x; in `update`, for batches that are not one for each turn or cannot be split
        into `micro` parts, or a loss that does not return (f32[], Aux) with figures f32[] and entries of the state that
        `init` returned.
    """
    turns = tuple(turns)
    ema = ema if ema is None or isinstance(ema, Ema) else Ema(ema)
    check_plan(game, optimizers, turns, ema)
    check_micro(game, micro)
    # If no turn occurs twice, a loop saves no compilation time, and the unrolled program is about 8 % faster.
    form = unrolled if unroll or len(turns) == len(set(turns)) else scanned
    play = form(make_move(game, optimizers, rule, micro), turns)

    def init(key, batch):
        check_examples(batch)
        params, state = checked_start(game, game.init(key, batch))
        opts = {slot: tx.init(params[player(slot)]) for slot, tx in optimizers.items()}
        averaged = {} if ema is None else {name: params[name] for name in ema.players or params}
        zero = jnp.zeros((), jnp.int32)
        averaged = jax.tree.map(lambda p: p.astype(jnp.float32), averaged)
        return State(params, opts, Context(zero, state), averaged, zero, zero)

    def update(state: State, key: Array, batches: Batch):
        check_batches(batches, len(turns), micro)
        n = state.context.step
        before = Played(state.params, state.opts, state.context.state, jnp.array(True))
        after, info = play(before, n, jax.random.fold_in(key, n), batches)
        average = state.ema
        if ema is not None:
            rate, averaged = at(ema.rate, n), {name: after.params[name] for name in average}
            average = jax.tree.map(lambda e, p: e + rate * (p.astype(e.dtype) - e), average, averaged)
        bad = 1 - after.finite.astype(jnp.int32)
        # A streak of ten is kept, because the loop reads it only after a dispatch of several steps.
        streak = jnp.where(state.streak >= PATIENCE, state.streak, bad * (state.streak + 1))
        context = Context(n + 1, after.state)
        return State(after.params, after.opts, context, average, state.skipped + bad, streak), info

    def model(state: State) -> Model:
        return game.model(evaluation_params(state), state.context.state)

    # A compiled `init` gives every leaf its own buffer; donation fails if two leaves share one.
    return Step(jax.jit(init), jax.jit(update, donate_argnums=0), model)
