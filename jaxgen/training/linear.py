"""A step as a linear map: its derivative in the params, and in what else of its state the next step depends on."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.flatten_util import ravel_pytree

from jaxgen.core import Array, BadRequest, Batch, player
from jaxgen.objectives.stops import unstopped
from jaxgen.training.step import State, Step


class Linear(NamedTuple):
    """A step at a state. What it compiles serves every state of one shape: take one step along a whole training."""

    step: Step
    state: State
    key: Array
    batches: Batch
    values: list[Array]  # all float arrays of (params, opts, state of the game)
    chosen: tuple[int, ...]  # which of them are the point

    @property
    def point(self) -> np.ndarray:
        """The point as a vector [M]."""
        return _joined([self.values[i] for i in self.chosen])

    def product(self, v: np.ndarray) -> np.ndarray:
        """J v [M] of v [M]."""
        tangents: list[Any] = [jnp.zeros_like(leaf) for leaf in self.values]
        ends = np.cumsum([self.values[i].size for i in self.chosen])
        for i, part in zip(self.chosen, np.split(v, ends[:-1]), strict=True):
            tangents[i] = part.reshape(self.values[i].shape).astype(self.values[i].dtype)
        _, slopes = _push(*self[:5], tangents)
        return _joined([slopes[i] for i in self.chosen])

    def columns(self, together: int) -> Array:
        """The columns of J [M, M] as rows, computed `together` at once."""
        return _columns(*self[:5], self.chosen, together)


def linearised(step: Step, state: State, key: Array, batches: Batch) -> Linear:
    """The step at the point of `state`.

    The point holds the params, in the order of `jax.flatten_util.ravel_pytree`, and after them the memory: each float
    array of the optimisers and of the game's state that a step moves and that a later step's params depend on, in the
    order of `jax.tree.leaves((opts, state))`. Whole numbers, such as the count of Adam, are held as they are.

    Raises:
      BadRequest: an optimiser that remembers what it will use in a later step, and moves nothing in this one.
    """
    state = jax.tree.map(jnp.asarray, state)  # numbers of Python too
    values, _ = _floats(state)
    params = len(jax.tree.leaves(state.params))  # all of them are floats
    push = partial(_push, step, state, key, batches)
    places, moves = _moves(push, values, params)
    _check_optimisers(state, moves)
    memory = _memory(push, places, [i for i in moves if i >= params], params)
    return Linear(step, state, key, batches, values, (*range(params), *memory))


def _floats(state: State) -> tuple[list[Array], Callable]:
    """(all float arrays of a state, (arrays) -> the state with these in their place)."""
    leaves, shape = jax.tree.flatten((state.params, state.opts, state.context.state))
    where = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.inexact)]

    def filled(values):
        new = dict(zip(where, values, strict=True))
        params, opts, network_state = jax.tree.unflatten(shape, [new.get(i, leaf) for i, leaf in enumerate(leaves)])
        return state._replace(params=params, opts=opts, context=state.context._replace(state=network_state))

    return [leaves[i] for i in where], filled


# Compiled as a whole: called by itself, `update` would consume the state. `step` is static, so that a training that is
# looked at many times compiles once.
@partial(jax.jit, static_argnums=0)
def _push(
    step: Step, state: State, key: Array, batches: Batch, values: list[Array], tangents: list[Array]
) -> tuple[list[Array], list[Array]]:
    """(the float arrays after the step, their slopes along the tangents)."""

    def play(values, state, key, batches):
        after, _ = step.update(_floats(state)[1](values), key, batches)
        return _floats(after)[0], after.skipped

    held = state, key, batches
    program = jax.make_jaxpr(play)(values, *held)
    moves = core.jaxpr_as_fun(program.replace(jaxpr=unstopped(program.jaxpr)))

    def played(values):
        *moved, skipped = moves(*jax.tree.leaves((values, *held)))
        return moved, skipped

    moved, slopes, skipped = jax.jvp(played, (values,), (tangents,), has_aux=True)
    # A skipped step would pass for the identity.
    return moved, [jnp.where(skipped == state.skipped, slope, jnp.nan) for slope in slopes]


@partial(jax.jit, static_argnums=(0, 5, 6))
def _columns(step, state, key, batches, values, chosen, together):
    point, restore = ravel_pytree([values[i] for i in chosen])

    def product(v):
        tangents = [jnp.zeros_like(leaf) for leaf in values]
        for i, part in zip(chosen, restore(v), strict=True):
            tangents[i] = part
        slopes = _push(step, state, key, batches, values, tangents)[1]
        return ravel_pytree([slopes[i] for i in chosen])[0]

    return jax.lax.map(product, jnp.eye(point.size, dtype=point.dtype), batch_size=together)


def _joined(leaves: list[Array]) -> np.ndarray:
    return np.concatenate([np.asarray(leaf).ravel() for leaf in leaves])


def _moves(push: Callable, point: list[Array], params: int) -> tuple[list[list[Array]], list[int]]:
    """(the point and two places close by, which arrays a step moves at any of them).

    At an equilibrium nothing moves and much has no slope. Close by the memory is displaced too, once, and upwards:
    second moments are not negative.
    """
    flat, restore = ravel_pytree(point[:params])
    away = jnp.asarray(_reach(flat) * direction(flat.size), flat.dtype)
    still = [jnp.zeros_like(leaf) for leaf in point]
    memory = point[params:]
    pushed = [m + jnp.asarray(_reach(m) * jnp.full(m.shape, n), m.dtype) for n, m in enumerate(memory, 1)]  # all apart
    places = [[*restore(flat), *memory], [*restore(flat + away), *pushed], [*restore(flat - away), *memory]]
    moves: set[int] = set()
    with forward_mode():
        for place in places:
            moved, _ = push(place, still)
            moves |= {i for i in range(len(point)) if not np.array_equal(moved[i], place[i], equal_nan=True)}
    return places, sorted(moves)


def _check_optimisers(state: State, moves: list[int]) -> None:
    """Refuses an optimiser whose memory moves while its player does not: its step is not the identity that it seems."""
    leaves = jax.tree.leaves_with_path((state.params, state.opts))
    owners = [(path[0].idx, path[1].key) for path, leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    moved = {owners[i] for i in moves if i < len(owners)}
    for kind, slot in sorted(moved):
        if kind == 1 and (0, player(slot)) not in moved:
            raise BadRequest(
                f"the optimiser of {slot} remembers and moves nothing in this step, which tells nothing of later ones: "
                "in place of optax.MultiSteps and optax.apply_every use make_step(micro=...); if a rate is 0, play on."
            )


def _memory(push: Callable, places: list[list[Array]], moves: list[int], params: int) -> list[int]:
    """Which arrays of `moves`, those besides the first `params`, the params of a later step depend on."""
    still = [jnp.zeros_like(leaf) for leaf in places[0]]
    with forward_mode():
        reached = {i: _reached(push, places, still, i) for i in moves}
    needed: set[int] = set()
    while more := {i for i in reached if i not in needed and any(j < params or j in needed for j in reached[i])}:
        needed |= more
    return sorted(needed)


def _reach(leaf: Array) -> float:
    return 1e-3 * max(float(jnp.sqrt(jnp.mean(leaf**2))) if leaf.size else 0.0, 0.1)


def _reached(push: Callable, places: list[list[Array]], still: list[Array], i: int) -> set[int]:
    """The arrays after a step that depend on array i before it; one that is not finite counts."""
    tangents = list(still)
    tangents[i] = jnp.asarray(direction(still[i].size).reshape(still[i].shape), still[i].dtype)
    slopes = [push(place, tangents)[1] for place in places]
    return {j for each in slopes for j, slope in enumerate(each) if np.any(np.asarray(slope) != 0)}


@contextlib.contextmanager
def forward_mode() -> Iterator[None]:
    """Turns JAX's error about a missing forward derivative into a `BadRequest` that says what to do."""
    try:
        yield
    except TypeError as error:  # JAX raises it when a program is lowered, not when it is traced
        if "forward-mode" not in str(error):
            raise
        raise BadRequest("a network here has no forward derivative: build it with convolve=jaxgen.nets.LAX.") from error


def finite(numbers: Array) -> np.ndarray:
    """f64 of what is finite, or `BadRequest`."""
    if not np.all(np.isfinite(numbers)):
        raise BadRequest("the step is not finite at these params, or its derivative is not: choose another point.")
    return np.asarray(numbers, np.float64)


def direction(n: int) -> np.ndarray:
    """f64[n]: fixed, so that results repeat, and without the symmetries that would hide an eigenvector."""
    return np.cos(np.arange(1.0, n + 1) ** 2)
