"""Compiles a plan for a source of examples ahead of time, and measures the time of compilation separately."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

import jax
import optax
from jax.sharding import Mesh

from jaxgen.core import Array, BadRequest, Batch, Game
from jaxgen.objectives.rules import descend
from jaxgen.training import devices
from jaxgen.training.compiled import Compiled
from jaxgen.training.forms import choose_form
from jaxgen.training.sources import Source, fetched_like
from jaxgen.training.step import Ema, Rate, State, Step, make_step
from jaxgen.training.turns import Turn


class Plan(NamedTuple):
    """The game to train and how to train it: the arguments of `make_step`, and the size and form of a batch."""

    game: Game
    optimizers: Mapping[str, optax.GradientTransformation]
    turns: Sequence[Turn]
    ema: Ema | Rate | None = None
    rule: Callable = descend
    micro: int = 1
    batch_size: int = 128
    domains: tuple[str, ...] = ()  # if `Batch.x` is a dict of unpaired examples, the names of its entries
    unit: int = 1  # a batch holds a multiple of so many examples, such as those of a pack

    def step(self, *, unroll: bool = False) -> Step:
        """The training step of this plan."""
        options: dict[str, Any] = {"rule": self.rule, "ema": self.ema, "micro": self.micro, "unroll": unroll}
        return make_step(self.game, self.optimizers, self.turns, **options)


class Keys(NamedTuple):
    """The four keys of a run."""

    init: Array
    data: Array
    noise: Array
    evaluation: Array


class Program(NamedTuple):
    """A plan compiled for a source. It is independent of the seed, because each run passes its own keys."""

    init: Callable[[Array], State]  # init key -> state
    fetch: Callable[..., Any]  # (data key, step, count, fetch or None) -> the examples of `count` steps, on the host
    advance: Callable[..., tuple[State, Any]]  # (state, noise key, fetched) -> (state, infos [R]); owns its state
    prepare: Callable[[int], None]  # compiles `advance` for that many steps, if that has not been done
    place: Callable[[State], State]  # a restored state, put on the devices
    shape: tuple[int, int]  # T, B
    size: int | None  # examples an epoch, if the source has epochs
    chunk: int  # steps per dispatch
    form: str  # a name in `forms.FORMS`
    compile_s: dict[Any, float]  # seconds of each compilation so far: "init", and by chunk length
    serve: Callable[[Source], Any]  # the program for another source of the same shapes, such as another split
    abstract: State  # shapes and dtypes of the state
    wait: Callable[[], None]  # returns when all is compiled, if that goes on in a pool; raises the compiler's error


def run_keys(seed: int) -> Keys:
    """The keys that a seed makes.

    >>> len({str(jax.random.key_data(key)) for key in run_keys(0)})
    4
    """
    return Keys(*(jax.random.fold_in(seed_key(seed), i) for i in range(len(Keys._fields))))


def seed_key(seed: int) -> Array:
    """The key of a seed, from which the four of a run are made: of JAX's default generator, whatever is set for others.

    >>> str(jax.random.key_impl(seed_key(0)))
    'threefry2x32'
    """
    return jax.random.key(seed, impl="threefry2x32")


def abstract_state(plan: Plan, batch: Batch) -> State:
    """The shapes and dtypes of the state for a batch of `jax.ShapeDtypeStruct`s, without computing it."""
    return jax.eval_shape(plan.step().init, run_keys(0).init, batch)


def compile_loop(
    plan: Plan,
    source: Source,
    *,
    chunk: int,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    pool: Executor | None = None,
) -> Program:
    """The program that runs `chunk` steps per dispatch.

    Args:
      plan: the plan to run.
      source: the examples. Its resident arrays are copied to the devices here, once.
      chunk: the number of steps per dispatch. The result does not depend on it, to the last bit.
      batch_size: B, over all devices of all processes; the plan's if None.
      mesh: devices to split the batch over; one device if None.
      pool: an executor that compiles in its threads, so that the caller can trace the next program in the meantime; a
        call that needs a part waits until it is compiled. If None, everything is compiled when this returns.

    Raises:
      BadRequest: if the batch is larger than the data, if devices or micro-batches cannot share it equally, if values
        of the data are outside the range of the game, or for the reasons of `make_step`.
    """
    size = plan.batch_size if batch_size is None else batch_size
    if size < 1 or (source.size is not None and size > source.size):
        raise BadRequest(f"batch size {size}: it must be between 1 and the {source.size} training examples.")
    _check_range(plan.game, source)
    devices.check_batch(size, mesh, micro=plan.micro)
    first = source._replace(resident=devices.put(source.resident, mesh))
    # What is traced knows its shapes alone: a program that serves other examples must not hold the first ones.
    abstract = source._replace(resident=jax.tree.map(_shape, first.resident), fetch=_no_examples)
    abstract_key = jax.eval_shape(lambda: run_keys(0).init)
    start = _start(plan, abstract, mesh).trace(abstract_key, abstract.resident, fetched_like(abstract, (1, size)))

    def trace(unroll: bool, count: int) -> Any:
        lead = (len(plan.turns), size) if unroll else (count, len(plan.turns), size)
        steps = _jitted(_steps(plan, abstract, unroll, mesh), mesh, len(lead))
        return steps.trace(start.out_info, abstract_key, abstract.resident, fetched_like(abstract, lead))

    looped = trace(False, chunk)
    form = choose_form(looped.jaxpr.jaxpr, _platform(mesh))
    compiled = Compiled({}, {}, form, (len(plan.turns), size), chunk, mesh, trace, start.out_info)
    # It runs once, so on CPU, where that saves half of its compilation, it is not optimised.
    rough = {"xla_backend_optimization_level": 0} if _platform(mesh) == "cpu" else None
    compiled.add("init", lambda: start, rough, pool)
    if form == "unrolled":
        compiled.add(1, lambda: trace(True, 1), pool=pool)
    else:
        compiled.add(chunk, lambda: looped, pool=pool)
    return _serve(compiled, first)


def _serve(compiled: Compiled, source: Source) -> Program:
    """The compiled programs with the examples of `source`."""
    (turns, size), mesh = compiled.shape, compiled.mesh
    resident = devices.put(source.resident, mesh)

    def fetch(key, step: int, count: int, other: Callable[..., Any] | None = None):
        position, place = step * turns * size, (jax.process_index(), jax.process_count())
        return (other or source.fetch)(key, position, (count, turns, size), *place)

    def init(key):
        # The first batch in an order of its own: what the state starts from depends on the init key alone.
        one = source.fetch(key, 0, (1, 1, size), jax.process_index(), jax.process_count())
        first = devices.put(jax.tree.map(lambda a: a[0], one), mesh, 1)
        return compiled.programs["init"]()(devices.put_key(key, mesh), resident, first)

    return Program(
        init=init,
        fetch=fetch,
        advance=partial(compiled.advance, resident),
        prepare=compiled.prepare,
        place=lambda state: devices.put_copies(
            state, mesh
        ),  # NumPy may hold a buffer still, which is not to be donated
        shape=compiled.shape,
        size=source.size,
        chunk=compiled.chunk,
        form=compiled.form,
        compile_s=compiled.compile_s,
        serve=partial(_serve, compiled),
        abstract=compiled.abstract,
        wait=compiled.wait,
    )


def _shape(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)


def _no_examples(*args: Any) -> Any:
    raise AssertionError("a program is played on a source that it serves")


def _check_range(game: Game, source: Source) -> None:
    if game.range is None or source.range is None:
        return
    (low, high), (least, most) = game.range, source.range
    if not low <= least <= most <= high:
        raise BadRequest(
            f"examples run from {least:.4g} to {most:.4g}, and this game takes {low:g} to {high:g}: scale them, or "
            "build it with observation=jaxgen.objectives.VECTORS."
        )


def _start(plan: Plan, source: Source, mesh: Mesh | None) -> Any:
    def start(key, resident, fetched):
        return plan.step().init(key, jax.tree.map(lambda a: a[0], source.batch(resident, fetched)))

    if mesh is None:
        return jax.jit(start)
    everywhere = devices.replicated(mesh)
    return jax.jit(start, in_shardings=(everywhere, everywhere, devices.split(mesh, 1)), out_shardings=everywhere)


def _steps(plan: Plan, source: Source, unroll: bool, mesh: Mesh | None) -> Callable[..., tuple[State, Any]]:
    step = plan.step(unroll=unroll)

    def one(state, key, resident, fetched):
        batch = source.batch(resident, fetched)
        if mesh is not None:
            batch = jax.lax.with_sharding_constraint(batch, devices.split(mesh, 1))
        return step.update(state, key, batch)

    def many(state, key, resident, fetched):
        return jax.lax.scan(lambda state, part: one(state, key, resident, part), state, fetched)

    return one if unroll else many


def _jitted(steps: Callable, mesh: Mesh | None, axes: int) -> Any:
    """Owns its state; over a mesh the last of the `axes` leading axes of what is fetched, the batch, is split."""
    if mesh is None:
        return jax.jit(steps, donate_argnums=0)
    everywhere = devices.replicated(mesh)
    places = (everywhere, everywhere, everywhere, devices.split(mesh, axes - 1))
    return jax.jit(steps, donate_argnums=0, in_shardings=places, out_shardings=everywhere)


def _platform(mesh: Mesh | None) -> str:
    return jax.default_backend() if mesh is None else mesh.devices.flat[0].platform
