"""One step of a game, all of its turns, as one compiled program.

A step in which a turn comes back is a scan over its turns with a switch over the distinct ones, so six turns compile
like two; any other step is written out. `unroll=True` always writes it out, for networks whose operations must not
stand in a loop (XLA's own convolutions on CPU). Bits agree within one form.
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

PATIENCE = 10  # steps in a row that are not finite before a run ends
Rate = float | Callable[[Array], Array]


class State(NamedTuple):
    """All that the next step needs, and no key: noise is a function of (run key, step, turn)."""

    params: Params
    opts: dict[str, Any]
    context: Context
    ema: Params  # by player, in float32: the moving averages; {} if none is kept
    skipped: Array  # i32[], steps in which a turn was not finite
    streak: Array  # i32[], how many of them came last without a finite one between; from 10 on it stays


class Ema(NamedTuple):
    """An exponential moving average of params, e' = e + rate (p - e), kept in float32 beside them.

    Only params are averaged. The state, such as the statistics of a batch norm, stays that of the last step.
    """

    rate: Rate  # share of the new params in each step, 1 - decay, above 0 and at most 1; or a function of the step
    players: tuple[str, ...] | None = None  # whose params; None: all players


class Step(NamedTuple):
    """`update` is compiled and donates its state: continue with the one that it returns."""

    init: Callable[..., State]  # (key, batch) -> state
    update: Callable[..., tuple[State, dict[str, Any]]]  # (state, key, batches) -> (state, info)
    model: Callable[[State], Model]  # (state) -> the model of the moving average of the params, if one is kept


def evaluation_params(state: State) -> Params:
    """The params of every player, as their moving average if one is kept."""
    averaged = {name: state.params[name] for name in state.ema}
    return {**state.params, **jax.tree.map(lambda e, p: e.astype(p.dtype), state.ema, averaged)}


def ema_rate(rate: float) -> Callable[[Array], Array]:
    """A rate for `Ema` that forgets the start: its half-life is at most 5 % of the steps so far.

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
    """The step that plays `turns` once.

    Args:
      game: what is played.
      optimizers: by player; an entry named like a loss (`"critic:penalty"`) belongs to that loss alone.
      turns: the balance of a step as data, each turn a tuple of losses whose players move together.
        `(("critic",),) * 5 + (("generator",),)` is WGAN's, `(("critic", "generator"),)` moves both from one point.
      rule: how gradients become a move, one of `jaxgen.objectives.rules` or your own.
      ema: the moving average of params to keep; a rate alone averages all players. It is the share of the new params:
        0.001 for what is elsewhere called a decay of 0.999.
      micro: parts of each batch whose gradients are averaged one after the other, to save memory. Each part has noise
        of its own and reads the same state; the new state is the mean of theirs.
      unroll: write the turns out instead of looping over them.

    Returns:
      `Step`. `update` takes one batch per turn (leaves `[T, B, ...]`); the noise of turn t of step n depends on
      (key, n, t) only. A turn with a loss, a gradient norm or a new state that is not finite moves nothing; its step is
      counted in `skipped` and `streak`. The updates of the optimiser are not checked here: a rate of NaN makes the
      params NaN, and `jaxgen.training.loop.train`, which `fit` uses, then raises `Diverged`.
      `info` is `{loss: {"loss": f32[], "grad_norm": f32[], ...}}`, of the last turn of the step that has this loss;
      under `micro` figures are means over the parts, and grad_norm is that of the mean gradient.

    Raises:
      BadRequest: an unknown loss, a player without an optimiser, an optimiser or average without a player, a turn that
        moves one player twice, `micro` for a game whose examples see each other, a rate of the average outside (0, 1];
        by `init`, params that are not by player or not all float, a key in the state; by both, pixels of 8 bits as x;
        by `update`, batches that are not one for each turn or cannot be split into `micro` parts, or a loss that does
        not return (f32[], Aux) with figures f32[] and entries of the state that `init` gave.
    """
    turns = tuple(turns)
    ema = ema if ema is None or isinstance(ema, Ema) else Ema(ema)
    check_plan(game, optimizers, turns, ema)
    check_micro(game, micro)
    # If no turn comes twice a loop saves no compilation, and the straight program is some 8 % faster.
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
        # From ten on a streak stays: the loop looks between dispatches only, and must not miss one within.
        streak = jnp.where(state.streak >= PATIENCE, state.streak, bad * (state.streak + 1))
        context = Context(n + 1, after.state)
        return State(after.params, after.opts, context, average, state.skipped + bad, streak), info

    def model(state: State) -> Model:
        return game.model(evaluation_params(state), state.context.state)

    # Compiled, `init` gives every leaf a buffer of its own: donation refuses one buffer that stands in two places.
    return Step(jax.jit(init), jax.jit(update, donate_argnums=0), model)
