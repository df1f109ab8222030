"""One round of a game as one compiled program.

A round in which a turn comes back is a scan over its turns with a switch over the distinct ones, so six turns compile
like two; any other is written out. `unroll=True` always writes it out, for networks whose operations must not stand in
a loop (XLA's own convolutions on CPU). Bits agree within one form.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import Array, Batch, Game, Memo, Note, Params, player
from jaxgen.objectives import descend
from jaxgen.training.checks import check_batches, check_plan, checked_loss, checked_start

PATIENCE = 10  # rounds in a row that are not finite before a run ends
Turn = tuple[str, ...]
Rate = float | Callable[[Array], Array]


class State(NamedTuple):
    """All that the next round needs, and no key: noise is a function of (run key, round, turn)."""

    params: Params
    opts: dict[str, Any]
    memo: Memo
    ema: Params | None
    skipped: Array  # i32[], rounds that were not finite and changed nothing
    streak: Array  # i32[], how many of them came last without a finite one between; from 10 on it stays


class _Played(NamedTuple):
    params: Params
    opts: dict[str, Any]
    memo: Memo
    ok: Array  # bool[], no turn so far was not finite


class Step(NamedTuple):
    """`init(key, batch) -> state`; `update(state, key, batches) -> (state, info)` is compiled and owns its state."""

    init: Callable[..., State]
    update: Callable[..., tuple[State, dict[str, Any]]]


def evaluation_params(state: State) -> Params:
    """The moving average where there is one, else the params."""
    return state.params if state.ema is None else state.ema


def ema_rate(rate: float) -> Callable[[Array], Array]:
    """A rate for `make_step(ema=...)` that forgets the start: its half-life is at most 5 % of the rounds so far.

    rate(n) = max(rate, 1 - 2^(-20 / n)); the ramp of StyleGAN2 (Karras et al. 2020, official code).

    >>> float(ema_rate(0.001)(0)), round(float(ema_rate(0.001)(10_000_000)), 6)
    (1.0, 0.001)
    """

    def at(n):
        return jnp.maximum(rate, 1 - 2 ** (-20 / jnp.maximum(n, 1e-3)))

    return at


def make_step(
    game: Game,
    optimizers: Mapping[str, optax.GradientTransformation],
    turns: Sequence[Turn],
    *,
    rule: Callable = descend,
    ema: Rate | None = None,
    unroll: bool = False,
) -> Step:
    """The step that plays `turns` once.

    Args:
      game: what is played.
      optimizers: by player; an entry named like a turn (`"critic:r1"`) is that turn's own.
      turns: the balance of a round as data. `(("critic",),) * 5 + (("generator",),)` is WGAN's, `(("critic",
        "generator"),)` moves both from the same point.
      rule: `(field, apply, params, opts) -> (params, opts, notes)`; `field(params) -> ({player: grad}, {turn: Note})`
        holds noise, batch and memo fixed. Those of `jaxgen.objectives.rules`, or your own.
      ema: rate of the moving average of the params per round, or a function of the round.
      unroll: write the turns out instead of looping over them.

    Returns:
      `Step`. `update` takes one batch per turn (leaves `[T, B, ...]`); the noise of turn t of round n depends on
      (key, n, t) only. A round with a loss or a gradient norm that is not finite changes nothing but the counts
      `skipped`, `streak` and `memo.round`. `info` is `{turn: {"loss": f32[], "grad_norm": f32[], ...}}`, of the last
      such turn of the round.

    Raises:
      BadRequest: an unknown turn, a player without an optimiser, an optimiser without a player, or a turn that moves
        one player twice; by `init`, params that are not by player or not all float; by `update`, batches that are not
        one a turn, or a loss that does not return (f32[], Note) with figures f32[] and a carry that `init` gave.
    """
    turns = tuple(turns)
    check_plan(game, optimizers, turns)
    # Where no turn comes twice a loop saves no compilation, and the straight program is some 8 % faster.
    form = _unrolled if unroll or len(turns) == len(set(turns)) else _scanned
    play = form(_mover(game, optimizers, rule), turns)

    def init(key, batch):
        params, carry = checked_start(game, game.init(key, batch))
        opts = {slot: tx.init(params[player(slot)]) for slot, tx in optimizers.items()}
        zero = jnp.zeros((), jnp.int32)
        return State(params, opts, Memo(zero, carry), None if ema is None else params, zero, zero)

    def update(state: State, key: Array, batches: Batch):
        check_batches(batches, len(turns))
        before = _Played(state.params, state.opts, state.memo, jnp.array(True))
        after, info = play(before, jax.random.fold_in(key, state.memo.round), batches)
        ok = after.ok
        if len(turns) > 1:  # a single turn has guarded itself; more of them want the copy from before the first
            after = jax.lax.cond(ok, lambda: after, lambda: before)
        params, opts = after.params, after.opts
        memo = after.memo._replace(round=state.memo.round + 1)
        average = state.ema
        if ema is not None:
            rate = ema(state.memo.round) if callable(ema) else ema
            average = optax.incremental_update(params, average, jnp.where(ok, rate, 0.0))
        bad = 1 - ok.astype(jnp.int32)
        # Once too long, a streak stays: the loop looks between dispatches only, and must not miss one within.
        streak = jnp.where(state.streak >= PATIENCE, state.streak, bad * (state.streak + 1))
        return State(params, opts, memo, average, state.skipped + bad, streak), info

    # Compiled, `init` gives every leaf a buffer of its own: donation refuses one buffer that stands in two places.
    return Step(jax.jit(init), jax.jit(update, donate_argnums=0))


def _mover(game: Game, optimizers: Mapping[str, optax.GradientTransformation], rule: Callable) -> Callable:
    """`move(turn, played, key, batch) -> (played, info)`: one turn, which moves nothing where it is not finite."""

    def move(turn: Turn, played: _Played, key, batch: Batch) -> tuple[_Played, dict[str, Any]]:
        memo = played.memo
        field = _field(game, turn, game.draw(key, batch), batch, memo)
        params, opts, notes = rule(field, _applier(optimizers, turn), played.params, played.opts)
        carry, ok = dict(memo.carry), played.ok
        for note in notes.values():
            carry |= note.carry
            ok &= jnp.isfinite(note.info["grad_norm"])
        carry = jax.tree.map(lambda new, old: jnp.where(ok, new, old), carry, memo.carry)
        return _Played(params, opts, memo._replace(carry=carry), ok), {name: note.info for name, note in notes.items()}

    return move


def _field(game: Game, turn: Turn, noise, batch: Batch, memo: Memo) -> Callable:
    """`field(params) -> ({player: grad}, {turn: Note})` at held noise, batch and memo."""

    def field(params):
        grads, notes = {}, {}
        for name in turn:
            mine = player(name)

            def loss(own, mine=mine, name=name):
                return checked_loss(name, game.losses[name]({**params, mine: own}, noise, batch, memo), memo)

            value, pull, note = jax.vjp(loss, params[mine], has_aux=True)
            grads[mine] = _poisoned(*pull(jnp.ones_like(value)), jnp.isfinite(value))
            notes[name] = Note({"loss": value, "grad_norm": optax.tree.norm(grads[mine]), **note.info}, note.carry)
        return grads, notes

    return field


def _applier(optimizers: Mapping[str, optax.GradientTransformation], turn: Turn) -> Callable:
    """`apply(grads, params, opts) -> (params, opts)`: one step of each player's optimiser, where all are finite."""

    def go(grads, params, opts):
        params, opts = dict(params), dict(opts)
        for name in turn:
            mine, slot = player(name), name if name in optimizers else player(name)
            updates, opts[slot] = optimizers[slot].update(grads[mine], opts[slot], params[mine])
            params[mine] = optax.apply_updates(params[mine], updates)
        return params, opts

    def apply(grads, params, opts):
        # A branch, not a select: XLA then updates in place, and the guard costs nothing.
        finite = jnp.all(jnp.stack([jnp.isfinite(optax.tree.norm(grads[player(name)])) for name in turn]))
        return jax.lax.cond(finite, go, lambda grads, params, opts: (params, opts), grads, params, opts)

    return apply


def _unrolled(move: Callable, turns: tuple[Turn, ...]) -> Callable:
    """`play(played, key, batches) -> (played, info)`: the turns one after the other, written out."""

    def play(played, key, batches):
        info = {}
        for t, turn in enumerate(turns):
            batch = jax.tree.map(lambda a, t=t: a[t], batches)
            played, said = move(turn, played, jax.random.fold_in(key, t), batch)
            info |= said
        return played, info

    return play


def _scanned(move: Callable, turns: tuple[Turn, ...]) -> Callable:
    """The same as a loop with a branch for each distinct turn: compile time does not grow with their number."""
    distinct = tuple(dict.fromkeys(turns))
    which = [distinct.index(turn) for turn in turns]

    def branch(turn):
        def go(played, info, key, batch):
            played, said = move(turn, played, key, batch)
            return played, {**info, **said}

        return go

    def play(played, key, batches):
        first = jax.tree.map(lambda a: a[0], batches)
        shapes = {}
        for turn in distinct:
            shapes |= jax.eval_shape(lambda turn=turn: move(turn, played, key, first)[1])
        blank = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

        def body(carried, at):
            t, which, batch = at
            return jax.lax.switch(which, list(map(branch, distinct)), *carried, jax.random.fold_in(key, t), batch), None

        return jax.lax.scan(body, (played, blank), (jnp.arange(len(turns)), jnp.array(which), batches))[0]

    return play


def _poisoned(grads, finite: Array):
    # A loss that is not finite marks its gradient, so that one test on gradients covers both. One entry-holding leaf is
    # enough, and the smallest costs nothing; a cotangent of NaN is not enough, for a select in the loss would stop it.
    leaves, tree = jax.tree.flatten(grads)
    smallest = min((leaf.size, i) for i, leaf in enumerate(leaves) if leaf.size)[1]
    leaves[smallest] = jnp.where(finite, leaves[smallest], jnp.nan)
    return jax.tree.unflatten(tree, leaves)
