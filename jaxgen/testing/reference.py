"""What a mean gradient is held against: finite differences of the loss along a segment, or an exact gradient."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.testing.measure import Gradients, draw_offsets, grads_at, losses_at

SETTLED = 64  # draws that do for a leaf where they leave little open
STEPS = 0.2 * 0.25 ** np.arange(4)  # half lengths of a segment to choose from, in units of the leaf's own size
SLACK = 1e-4  # relative error of a float32 gradient that is not looked into


class Line(NamedTuple):
    """A loss, and the directions in which it is followed from params."""

    loss: Callable
    params: Any
    batch: Any
    at: int  # which leaf moves
    directions: Sequence
    rounding: float


class Segment(NamedTuple):
    """A loss along p - h d to p + h d over N draws, float64[N] each."""

    rise: np.ndarray  # (L(p + h d, noise) - L(p - h d, noise)) / (2 h), the noise common to both ends
    slope: np.ndarray  # <gradient at p + t d, d>, each chunk of draws at a t of its own


class Probe(NamedTuple):
    """What a few draws say about a leaf."""

    step: float  # h to use
    sloped: bool  # some gradient inside the segment is not zero
    moves: bool  # it moves the loss of a draw
    varies: bool  # it moves the loss of each draw differently


class Reference(NamedTuple):
    """What the mean gradient should be, along each direction of one leaf."""

    derivative: np.ndarray  # [J]
    bias: np.ndarray  # [J], mean gradient - derivative
    error: np.ndarray  # [J], standard error of the bias, with what the arithmetic adds


def segment(line: Line, chunks: Sequence, j: int, step: float, offsets: np.ndarray) -> Segment:
    """Ends and inside of a segment.

    The rise is the mean of the slope over the segment, whatever its length and with kinks as without: it is an
    integral, so that differencing adds no error of its own.
    """
    leaves, tree = jax.tree.flatten(line.params)
    leaf, direction = np.asarray(leaves[line.at]), line.directions[j]

    def moved(by):
        there = leaf + leaf.dtype.type(by) * direction
        return jax.tree.unflatten(tree, [*leaves[: line.at], there, *leaves[line.at + 1 :]])

    up, down = moved(step), moved(-step)
    flat = direction.astype(np.float64).ravel()
    rise, slope = [], []
    for chunk, offset in zip(chunks, offsets, strict=True):
        high, low = (losses_at(line.loss, end, chunk, line.batch) for end in (up, down))
        rise.append((high - low) / (2 * step))
        slope.append(grads_at(line.loss, moved(step * offset), chunk, line.batch, line.at) @ flat)
    return Segment(np.concatenate(rise), np.concatenate(slope))


def probed(line: Line, chunks: Sequence) -> Probe:
    """The segment of least error; or the longest, where the loss jumps: a short one is good till it meets a jump."""
    leaf = np.asarray(jax.tree.leaves(line.params)[line.at])
    steps = STEPS * max(float(np.sqrt(np.mean(leaf**2))), 0.1)
    offsets = 2 * (np.arange(len(chunks)) + 0.5) / len(chunks) - 1
    tried = [segment(line, chunks, 0, step, offsets) for step in steps]
    errors = [
        np.hypot((found.slope - found.rise).std() / math.sqrt(SETTLED), line.rounding / step)
        for found, step in zip(tried, steps, strict=True)
    ]
    change = abs(tried[0].rise - tried[1].rise)
    jumps = change.mean() > 0.5 * abs(tried[0].rise).mean()
    best = 0 if jumps else int(np.argmin(np.nan_to_num(errors, nan=np.inf)))
    step, found = steps[best], tried[best]
    noticed = 10 * line.rounding / step
    varies = found.rise.std() > noticed + 1e-3 * abs(found.rise.mean())
    return Probe(step, bool(found.slope.any()), bool(np.mean(abs(found.rise)) > noticed), bool(varies))


def differenced(line: Line, chunks: Sequence, chunk: int, step: float, key: Any, limit: float) -> Reference:
    """Slopes against rises, over the first draws, and over all where these leave more than 2 % open."""
    few = _differenced(line, chunks[: SETTLED // chunk], step, key)
    if limit * np.linalg.norm(few.error) < 0.02 * np.linalg.norm(few.derivative):
        return few
    return _differenced(line, chunks, step, key)


def _differenced(line: Line, chunks: Sequence, step: float, key: Any) -> Reference:
    derivative, bias, error = [], [], []
    for j in range(len(line.directions)):
        found = segment(line, chunks, j, step, draw_offsets(jax.random.fold_in(key, j), len(chunks)))
        off = found.slope - found.rise  # the noise is common, so the difference of the two varies least
        derivative.append(found.rise.mean())
        bias.append(off.mean())
        error.append(np.hypot(off.std(ddof=1) / math.sqrt(len(off)), line.rounding / step))
    return _reference(np.array(derivative), np.array(bias), np.array(error))


def given(gradient: Any, directions: Sequence, gradients: Gradients) -> Reference:
    """The mean gradient at params against an exact one."""
    exact, along = np.asarray(gradient, np.float64), gradients.along
    derivative = np.array([np.sum(exact * direction.astype(np.float64)) for direction in directions])
    return _reference(derivative, along.mean(axis=0) - derivative, along.std(axis=0, ddof=1) / math.sqrt(len(along)))


def _reference(derivative: np.ndarray, bias: np.ndarray, error: np.ndarray) -> Reference:
    return Reference(derivative, bias, np.hypot(error, SLACK * (abs(derivative + bias) + abs(derivative))))
