"""Plays steps in order, a chunk of them per dispatch, until all are played or ten in a row were not finite."""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.training.checkpoint import not_finite
from jaxgen.training.program import Keys, Program
from jaxgen.training.step import PATIENCE, State
from jaxgen.training.turns import all_finite


class Chunk(NamedTuple):
    """What the loop yields after each dispatch."""

    step: int  # steps played so far
    state: State  # taken back by the next dispatch: copy what you keep
    info: dict[str, dict[str, float]]  # by loss, means over the chunk
    steps: int  # how many this dispatch played
    seconds: float  # that it took


class Diverged(RuntimeError):
    """The last ten steps were not finite, or the params are not finite after a chunk. Exit code 3."""


_all_finite = jax.jit(all_finite)


def default_chunk(shape: tuple[int, ...]) -> int:
    """Steps per dispatch: 100 if an example of `shape` holds at most 1024 numbers, else 10."""
    return 100 if math.prod(shape) <= 1024 else 10


def train(
    program: Program, state: State, keys: Keys, *, steps: int | None, fetch: Callable[..., Any] | None = None
) -> Iterator[Chunk]:
    """Continues from `state` until `steps` steps are played in total; to stop earlier, leave the iteration.

    Args:
      program: from `compile_loop`.
      state: from `program.init` or a checkpoint. Its buffers are donated.
      keys: of the run.
      steps: the step to end at; None: plays whole chunks until the iteration is left.
      fetch: what to see in place of what the program's source fetches, such as
        `jaxgen.training.sources.positions(n, subset=...)`, which trains on some of the examples.

    Raises:
      Diverged: after a chunk whose last ten steps were not finite, or whose params are not finite, such as those of an
        optimiser with a rate of NaN.
    """
    at = int(state.context.step)
    lengths = [] if steps is None else _lengths(at, steps, program.chunk)
    for count in {program.chunk} if steps is None else set(lengths):
        program.prepare(count)
    with ThreadPoolExecutor(1) as thread:  # what comes next is fetched while the devices work
        counts = itertools.repeat(program.chunk) if steps is None else iter(lengths)
        yield from _played(program, state, keys, at, counts, fetch, thread)


def _played(program, state, keys, at, counts: Iterator[int], fetch, thread) -> Iterator[Chunk]:
    def coming(at: int) -> tuple[int, Any]:
        """The length of the chunk that begins at step `at`, 0 at the end, and what it will see."""
        count = next(counts, 0)
        return count, thread.submit(program.fetch, keys.data, at, count, fetch) if count else None

    count, future = coming(at)
    while count:
        began = time.perf_counter()
        fetched = future.result()
        at += count
        following, future = coming(at)
        state, infos = program.advance(state, keys.noise, fetched)
        infos, streak, finite = jax.device_get((infos, state.streak, _all_finite(state.params)))
        seconds = time.perf_counter() - began
        means = jax.tree.map(lambda a: float(np.mean(a, dtype=np.float64)), infos)
        yield Chunk(at, state, means, count, seconds)
        if streak >= PATIENCE:
            raise Diverged(f"{int(streak)} steps in a row were not finite, by step {at}.")
        if not finite:
            raise Diverged(
                f"{not_finite({'params': state.params})} is not finite after step {at}: look at its optimiser."
            )
        count = following


def _lengths(start: int, end: int, chunk: int) -> list[int]:
    whole, rest = divmod(max(end - start, 0), chunk)
    return [chunk] * whole + [rest] * (rest > 0)
