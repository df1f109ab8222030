"""A plan compiled ahead of time for data that lives on the device; what compiling takes is timed apart."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from jaxgen.core import Array, BadRequest, Batch, Game, as_float
from jaxgen.objectives import descend
from jaxgen.training import devices
from jaxgen.training.step import Rate, State, Step, Turn, make_step

FORMS = {
    "scanned": "many rounds per dispatch.",
    "unrolled": "one round per dispatch, turns unrolled: on CPU, XLA's own convolutions crawl in a loop.",
}


class Plan(NamedTuple):
    """What is trained and how: the arguments of `make_step`."""

    game: Game
    optimizers: Mapping[str, optax.GradientTransformation]
    turns: Sequence[Turn]
    ema: Rate | None = None
    rule: Callable = descend

    def step(self, *, unroll: bool = False) -> Step:
        """The step that plays this plan."""
        return make_step(self.game, self.optimizers, self.turns, rule=self.rule, ema=self.ema, unroll=unroll)


class Keys(NamedTuple):
    """The four keys of a run."""

    init: Array
    data: Array
    noise: Array
    evaluation: Array


class Program(NamedTuple):
    """A plan compiled for the examples it will see. It belongs to no seed: each run brings its own keys."""

    init: Callable[[Array], State]  # init key -> state
    advance: Callable[..., tuple[State, Any]]  # (state, noise key, i32[R, T, B]) -> (state, infos [R]); owns its state
    prepare: Callable[[int], None]  # compiles `advance` for that many rounds, where that has not been done
    place: Callable[[State], State]  # a restored state, put on the devices
    shape: tuple[int, int]  # T, B
    examples: int  # how many there are to index
    chunk: int  # rounds per dispatch
    form: str  # a name in FORMS
    compile_s: dict[Any, float]  # seconds of each compilation so far: "init", and by chunk length


def run_keys(seed: int) -> Keys:
    """The keys that a seed makes.

    >>> len({str(jax.random.key_data(key)) for key in run_keys(0)})
    4
    """
    return Keys(*(jax.random.fold_in(jax.random.key(seed), i) for i in range(len(Keys._fields))))


def choose_form(jaxpr: Any, backend: str) -> str:
    """The one place where the form of the loop is decided: from the operations of a scanned round."""
    return "unrolled" if backend == "cpu" and "conv_general_dilated" in _primitives(jaxpr) else "scanned"


def abstract_state(plan: Plan, shape: tuple[int, ...], label: bool, batch_size: int) -> State:
    """Shapes and dtypes of the state, for examples of `shape`; nothing is computed."""
    x = jax.ShapeDtypeStruct((batch_size, *shape), jnp.float32)
    index = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
    batch: Any = Batch(x, index if label else None, index)  # type: ignore[arg-type]  # shapes stand for arrays
    return jax.eval_shape(plan.step().init, run_keys(0).init, batch)


def compile_loop(
    plan: Plan, x: Any, label: Any = None, *, batch_size: int, chunk: int, mesh: Mesh | None = None
) -> Program:
    """The program that plays `chunk` rounds per dispatch.

    Args:
      plan: what to play.
      x: all examples, uint8 or float32 [N, ...]. They go to the device as they are; a batch becomes float32 there.
      label: int32 [N], or None.
      batch_size: B, over all devices.
      chunk: rounds per dispatch. It changes no bit of the result.
      mesh: devices to split the batch over; one device where None.

    Raises:
      BadRequest: a batch larger than the data, or one that the devices cannot share; numbers that the game does not
        take; whatever `make_step` refuses.
    """
    if not 1 <= batch_size <= len(x):
        raise BadRequest(f"batch size {batch_size}: it must be between 1 and the {len(x)} training examples.")
    _check_range(plan.game, x)
    devices.check_batch(batch_size, mesh)
    everywhere = devices.replicated(mesh)
    stored = jax.device_put((x, label), everywhere)
    programs, compile_s = {}, {}
    abstract_key = jax.eval_shape(lambda: run_keys(0).init)
    start = jax.jit(_start(plan, batch_size), out_shardings=everywhere).trace(abstract_key, stored)

    def trace(unroll: bool, count: int):
        shape = (len(plan.turns), batch_size) if unroll else (count, len(plan.turns), batch_size)
        at = jax.ShapeDtypeStruct(shape, jnp.int32)
        return _jitted(_rounds(plan, unroll, mesh), mesh, len(shape)).trace(start.out_info, abstract_key, stored, at)

    def compile(name: str | int, traced: Callable[[], Any]) -> None:
        began = time.perf_counter()
        programs[name] = traced().lower().compile()
        compile_s[name] = time.perf_counter() - began

    compile("init", lambda: start)
    looped = trace(False, chunk)
    form = choose_form(looped.jaxpr.jaxpr, _platform(mesh))
    unroll = form == "unrolled"
    compile(1 if unroll else chunk, lambda: trace(True, 1) if unroll else looped)

    def prepare(count: int) -> None:
        if not unroll and count not in programs:
            compile(count, lambda: trace(False, count))

    def advance(state, key, at):
        if not unroll:
            prepare(len(at))
            return programs[len(at)](state, key, stored, jax.device_put(at, devices.split(mesh, 2)))
        infos = []
        for row in at:
            state, info = programs[1](state, key, stored, jax.device_put(row, devices.split(mesh, 1)))
            infos.append(info)
        return state, jax.tree.map(lambda *a: np.stack(a), *jax.device_get(infos))

    def place(state):
        # A copy: a buffer that NumPy still holds must not be donated.
        return jax.tree.map(lambda a: jax.device_put(jnp.array(a), everywhere), state)

    return Program(
        init=lambda key: programs["init"](key, stored),
        advance=advance,
        prepare=prepare,
        place=place,
        shape=(len(plan.turns), batch_size),
        examples=len(x),
        chunk=chunk,
        form=form,
        compile_s=compile_s,
    )


def _check_range(game: Game, x: Any) -> None:
    if game.range is None or x.dtype == np.uint8:
        return
    (low, high), (least, most) = game.range, (float(np.min(x)), float(np.max(x)))
    if not low <= least <= most <= high:
        raise BadRequest(
            f"examples run from {least:.4g} to {most:.4g}, and this game takes {low:g} to {high:g}: scale them, or "
            "make it with observation=jaxgen.games.VECTORS."
        )


def _gather(stored, at, mesh: Mesh | None = None) -> Batch:
    x, label = (None if a is None else jnp.take(a, at, axis=0, mode="clip") for a in stored)
    batch = Batch(as_float(x), label, at)
    return batch if mesh is None else jax.lax.with_sharding_constraint(batch, devices.split(mesh, at.ndim - 1))


def _start(plan: Plan, batch_size: int) -> Callable[..., State]:
    def start(key, stored):
        first = _gather(stored, jnp.arange(batch_size, dtype=jnp.int32))
        return plan.step().init(key, first)

    return start


def _rounds(plan: Plan, unroll: bool, mesh: Mesh | None) -> Callable[..., tuple[State, Any]]:
    step = plan.step(unroll=unroll)

    def one(state, key, stored, at):
        return step.update(state, key, _gather(stored, at, mesh))

    def many(state, key, stored, at):
        return jax.lax.scan(lambda state, at: one(state, key, stored, at), state, at)

    return one if unroll else many


def _jitted(rounds: Callable, mesh: Mesh | None, axes: int) -> Any:
    """Owns its state; over a mesh the last of the `axes` of the indices, the batch, is split."""
    if mesh is None:
        return jax.jit(rounds, donate_argnums=0)
    everywhere = devices.replicated(mesh)
    places = (everywhere, everywhere, everywhere, devices.split(mesh, axes - 1))
    return jax.jit(rounds, donate_argnums=0, in_shardings=places, out_shardings=everywhere)


def _primitives(jaxpr: Any) -> set[str]:
    found = set()
    for equation in jaxpr.eqns:
        found.add(equation.primitive.name)
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_jaxpr):
            if _is_jaxpr(value):
                found |= _primitives(getattr(value, "jaxpr", value))
    return found


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


def _platform(mesh: Mesh | None) -> str:
    return jax.default_backend() if mesh is None else mesh.devices.flat[0].platform
