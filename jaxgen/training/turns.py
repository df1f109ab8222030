"""The turns of a step: gradients, updates, and the check that leaves params unchanged if a value is not finite."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import Array, Batch, Context, Game, Params, player
from jaxgen.objectives.rules import Field
from jaxgen.system.threefry import straight
from jaxgen.training.checks import checked_loss

Turn = tuple[str, ...]


class Played(NamedTuple):
    """The values that a turn reads and updates."""

    params: Params
    opts: dict[str, Any]
    state: dict[str, Any]
    finite: Array  # bool[]: whether all turns so far were finite


def make_move(game: Game, optimizers: Mapping[str, Any], rule: Callable, micro: int) -> Callable:
    """`move(turn, played, step, key, batch) -> (played, info)`: one turn, without an update if it is not finite."""

    def move(turn: Turn, played: Played, step, key, batch: Batch) -> tuple[Played, dict[str, Any]]:
        field = _field(game, turn, key, batch, Context(step, played.state), micro)
        params, opts, end = rule(field, _applier(optimizers, turn), played.params, played.opts)
        state = dict(played.state)
        for aux in end.aux.values():
            state |= aux.state
        state = jax.tree.map(lambda new, old: jnp.where(end.finite, new, old), state, played.state)
        return Played(params, opts, state, played.finite & end.finite), {name: a.info for name, a in end.aux.items()}

    return move


def _field(game: Game, turn: Turn, key, batch: Batch, context: Context, micro: int) -> Callable[[Params], Field]:
    """`field(params) -> Field` for fixed noise, batch and context."""

    def part(params, key, batch):
        """({player: grad}, {loss: Aux}) of one micro-batch."""
        noise = game.draw(straight(key), batch)
        grads, aux = {}, {}
        for name in turn:
            mover = player(name)

            def loss(moved, mover=mover, name=name):
                result = game.losses[name]({**params, mover: moved}, noise, batch, context)
                return checked_loss(name, result, context)

            (value, out), grads[mover] = jax.value_and_grad(loss, has_aux=True)(params[mover])
            aux[name] = out._replace(info={"loss": value, **out.info})
        return grads, aux

    def field(params):
        if micro == 1:
            grads, aux = part(params, key, batch)
        else:
            grads, aux = _mean_of_parts(lambda *of: part(params, *of), key, batch, micro)
        finite = jnp.array(True)
        for name, out in aux.items():
            norm = optax.tree.norm(grads[player(name)])
            finite &= jnp.isfinite(out.info["loss"]) & jnp.isfinite(norm) & all_finite(out.state)
            aux[name] = out._replace(info={**out.info, "grad_norm": norm})
        return Field(grads, aux, finite)

    return field


def all_finite(tree: Any) -> Array:
    """bool[]: whether every float of a tree is finite."""
    floats = [a for a in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(a), jnp.inexact)]
    # 0 times a finite number is 0, and NaN otherwise. One sum compiles three times as fast as a test of each leaf.
    return jnp.isfinite(sum((jnp.sum(0 * jnp.asarray(a)).astype(jnp.float32) for a in floats), jnp.float32(0)))


def _mean_of_parts(part: Callable, key, batch: Batch, micro: int) -> Any:
    """The mean of `part(key, batch)` over `micro` parts; an integer of a state is that of the last part."""
    # Every micro-th example: of a batch that is split over devices, each part is then on all of them.
    parts = jax.tree.map(lambda a: a.reshape(-1, micro, *a.shape[1:]).swapaxes(0, 1), batch)
    first = jax.tree.map(lambda a: a[0], parts)
    like = jax.eval_shape(part, key, first)
    start = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), like)
    # A rule that differentiates the gradients would store what all parts leave; it computes each of them again.
    part = jax.checkpoint(part, prevent_cse=False)

    def is_mean(a):
        return jnp.issubdtype(a.dtype, jnp.inexact)

    def add(total, one):
        i, examples = one
        new = part(jax.random.fold_in(key, i), examples)
        return jax.tree.map(lambda a, b: a + b if is_mean(b) else b, total, new), None

    total, _ = jax.lax.scan(add, start, (jnp.arange(micro), parts))
    return jax.tree.map(lambda a: a / micro if is_mean(a) else a, total)


def _applier(optimizers: Mapping[str, optax.GradientTransformation], turn: Turn) -> Callable:
    """`apply(field, params, opts) -> (params, opts)`: one update of each player's optimiser, if the field is finite.

    An optimiser that depends on the loss, such as `optax.contrib.reduce_on_plateau`, gets that of its turn as `value`.
    """

    def update(grads, losses, params, opts):
        params, opts = dict(params), dict(opts)
        for name in turn:
            mover, slot = player(name), name if name in optimizers else player(name)
            tx = optax.with_extra_args_support(optimizers[slot])
            updates, opts[slot] = tx.update(grads[mover], opts[slot], params[mover], value=losses[name])
            params[mover] = optax.apply_updates(params[mover], updates)
        return params, opts

    def keep(grads, losses, params, opts):
        return params, opts

    def apply(field: Field, params, opts):
        # A branch, not a select: XLA then updates in place, and the guard costs nothing.
        losses = {name: field.aux[name].info["loss"] for name in turn}
        return jax.lax.cond(field.finite, update, keep, field.grads, losses, params, opts)

    return apply


def unrolled(move: Callable, turns: tuple[Turn, ...]) -> Callable:
    """`play(played, step, key, batches) -> (played, info)`: the turns in sequence, unrolled."""

    def play(played, step, key, batches):
        info = {}
        for t, turn in enumerate(turns):
            batch = jax.tree.map(lambda a, t=t: a[t], batches)
            played, figures = move(turn, played, step, jax.random.fold_in(key, t), batch)
            info |= figures
        return played, info

    return play


def scanned(move: Callable, turns: tuple[Turn, ...]) -> Callable:
    """The same as a loop with one branch for each distinct turn, so that compile time does not grow with the turns."""
    distinct = tuple(dict.fromkeys(turns))
    which = [distinct.index(turn) for turn in turns]

    def play(played, step, key, batches):
        first = jax.tree.map(lambda a: a[0], batches)
        shapes = {}
        for turn in distinct:
            shapes |= jax.eval_shape(lambda turn=turn: move(turn, played, step, key, first)[1])
        blank = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

        def branch(turn):
            def go(played, info, key, batch):
                played, figures = move(turn, played, step, key, batch)
                return played, {**info, **figures}

            return go

        def body(carry, one):
            t, which, batch = one
            return jax.lax.switch(which, list(map(branch, distinct)), *carry, jax.random.fold_in(key, t), batch), None

        return jax.lax.scan(body, (played, blank), (jnp.arange(len(turns)), jnp.array(which), batches))[0]

    return play
