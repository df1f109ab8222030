"""Rounds one after the other, a chunk of them per dispatch, until all are played or none is finite any more."""

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.training.order import indices
from jaxgen.training.program import Keys, Program
from jaxgen.training.step import PATIENCE, State


class Chunk(NamedTuple):
    """What the loop says after each dispatch."""

    round: int  # rounds played so far
    state: State  # taken back by the next dispatch: copy what you keep
    info: dict[str, dict[str, float]]  # by turn, means over the chunk
    rounds: int  # how many this dispatch played
    seconds: float  # that it took


class Diverged(RuntimeError):
    """Ten rounds in a row were not finite. Exit code 3."""


def default_chunk(shape: tuple[int, ...]) -> int:
    """Rounds per dispatch: 100 where an example of `shape` holds at most 1024 numbers, else 10."""
    return 100 if math.prod(shape) <= 1024 else 10


def train(
    program: Program, state: State, keys: Keys, *, rounds: int, subset: np.ndarray | None = None
) -> Iterator[Chunk]:
    """Plays on from `state` until `rounds` rounds have been played in all; leave the iteration to stop between chunks.

    Args:
      program: from `compile_loop`.
      state: from `program.init` or a checkpoint. It is taken over.
      keys: of the run.
      rounds: the round to end at.
      subset: the examples to train on, where not all.

    Raises:
      Diverged: after a chunk that ends with ten rounds in a row that were not finite. Their state changed nothing but
        the counts.
    """
    turns, batch = program.shape
    at_round = int(state.memo.round)

    def order(start: int, count: int) -> np.ndarray:
        shape = (count, turns, batch)
        return indices(keys.data, start * turns * batch, shape, program.examples, subset=subset)

    lengths = _lengths(at_round, rounds, program.chunk)
    for count in set(lengths):
        program.prepare(count)
    at = order(at_round, lengths[0]) if lengths else None
    for i, count in enumerate(lengths):
        began = time.perf_counter()
        state, infos = program.advance(state, keys.noise, at)
        at_round += count
        if i + 1 < len(lengths):  # while the device works
            at = order(at_round, lengths[i + 1])
        infos, streak = jax.device_get((infos, state.streak))
        seconds = time.perf_counter() - began
        means = jax.tree.map(lambda a: float(np.mean(a, dtype=np.float64)), infos)
        yield Chunk(at_round, state, means, count, seconds)
        if streak >= PATIENCE:
            raise Diverged(f"{int(streak)} rounds in a row were not finite, by round {at_round}.")


def _lengths(start: int, end: int, chunk: int) -> list[int]:
    whole, rest = divmod(max(end - start, 0), chunk)
    return [chunk] * whole + [rest] * (rest > 0)
