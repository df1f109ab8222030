"""What a mean gradient is compared with: finite differences of the loss along a segment, or an exact gradient."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.testing.measure import Gradients, draw_offsets, grad_of, losses_at

SETTLED = 64  # draws that do for a leaf where they leave little open
STEPS = 0.2 * 0.25 ** np.arange(4)  # half lengths of a segment to choose from, in units of the leaf's own size
SMALL = 0.1  # a leaf of smaller numbers is moved as one of this size, for it may be zero
SLACK = 1e-4  # relative error of a float32 gradient that is not looked into
POINTS = 12  # at which rounding is looked at, within a hundredth of the leaf's own size


class Line(NamedTuple):
    """A loss, and the directions in which it is followed from params."""

    loss: Callable
    params: Any
    batch: Any
    at: int  # which leaf moves
    directions: Sequence
    rounding: float  # of a difference of two losses, at least

    def moved(self, j: int, by: float) -> Any:
        """Params, the leaf moved `by` along direction j."""
        leaves, tree = jax.tree.flatten(self.params)
        leaf = np.asarray(leaves[self.at])
        leaves[self.at] = leaf + leaf.dtype.type(by) * self.directions[j]
        return jax.tree.unflatten(tree, leaves)

    def slope(self, j: int, by: float, chunk: Any, i: int) -> float:
        """<gradient of draw i of a chunk, direction j> at the params moved `by`."""
        grad = grad_of(self.loss, self.moved(j, by), chunk, i, self.batch, self.at)
        return float(grad @ self.directions[j].astype(np.float64).ravel())

    def size(self) -> float:
        """The root mean square of the leaf."""
        return float(np.sqrt(np.mean(np.asarray(jax.tree.leaves(self.params)[self.at], np.float64) ** 2)))


class Segment(NamedTuple):
    """A loss along p - h d to p + h d over N draws, float64[N] each."""

    rise: np.ndarray  # (L(p + h d, noise) - L(p - h d, noise)) / (2 h), the noise common to both ends
    slope: np.ndarray  # <gradient at p + t d, d>, each draw at a t of its own


class Rough(NamedTuple):
    """Standard deviation of the rounding of a loss as params move, in all draws alike and in each by itself."""

    common: float
    single: float


class Probe(NamedTuple):
    """What a few draws say about a leaf."""

    step: float  # h to use
    sloped: bool  # some gradient inside the segment is not zero
    moves: bool  # it moves the loss of a draw
    varies: bool  # it moves the loss of each draw differently
    rounding: float  # of a difference of two mean losses
    single: float  # of the loss of one draw


class Reference(NamedTuple):
    """What the mean gradient should be, along each direction of one leaf."""

    derivative: np.ndarray  # [J]
    bias: np.ndarray  # [J], mean gradient - derivative
    error: np.ndarray  # [J], standard error of the bias, with what the arithmetic adds


def segment(line: Line, chunks: Sequence, j: int, step: float, offsets: np.ndarray) -> Segment:
    """Ends and inside of a segment; offsets [N] in (-1, 1), one for each draw.

    The rise is the mean of the slope over the segment, whatever its length and with kinks as without: it is an
    integral, so that differencing adds no error of its own.
    """
    up, down = line.moved(j, step), line.moved(j, -step)
    rise: list[np.ndarray] = []
    slope: list[float] = []
    for chunk in chunks:
        high, low = (losses_at(line.loss, end, chunk, line.batch) for end in (up, down))
        rise.append((high - low) / (2 * step))
        slope += [line.slope(j, step * offsets[len(slope) + i], chunk, i) for i in range(len(high))]
    return Segment(np.concatenate(rise), np.array(slope))


def rough(line: Line, chunks: Sequence, size: float) -> Rough:
    """What is left of the losses on a short line when a cubic is taken out of each draw's.

    Rounding that all draws share, as where large constants cancel or weights are cast to bfloat16, is no smaller in a
    mean over draws, nor in a standard error. It is what the draws' remainders have in common; jumps, which come to each
    draw elsewhere, are not.
    """
    offsets = (2 * np.arange(POINTS) + 1) / POINTS - 1
    losses = [
        np.concatenate([losses_at(line.loss, line.moved(0, 0.01 * size * t), chunk, line.batch) for chunk in chunks])
        for t in offsets
    ]
    left = _remainder(offsets, np.stack(losses), 3)
    return Rough(_common(left), float(np.nan_to_num(np.median(np.sqrt(np.mean(left**2, axis=0))))))


def grain(line: Line, chunks: Sequence, eps: float) -> float:
    """How far rounding may take a mean gradient along the first direction of a leaf.

    What the slopes of a few draws have in common beside a parabola, and `eps` times their change over the leaf's own
    size: near an optimum a gradient is a sum of terms of that size, which cancel.
    """
    size, (chunk, *_) = line.size() or SMALL, chunks
    n = min(4, len(chunk[0]))
    offsets = (2 * np.arange(POINTS) + 1) / POINTS - 1
    slopes = np.array([[line.slope(0, 0.01 * size * t, chunk, i) for i in range(n)] for t in offsets])
    bend = np.polyfit(offsets, slopes.mean(axis=1), 2)[1] / 0.01 if np.isfinite(slopes).all() else 0.0
    return float(np.hypot(3 * _common(_remainder(offsets, slopes, 2)), 10 * eps * bend))


def _remainder(offsets: np.ndarray, values: np.ndarray, degree: int) -> np.ndarray:
    """values [K, N] less a polynomial in the offsets for each column, scaled to the variance of what it came from."""
    basis, _ = np.linalg.qr(np.vander(offsets, degree + 1))
    return (values - basis @ (basis.T @ values)) * math.sqrt(len(offsets) / (len(offsets) - degree - 1))


def _common(left: np.ndarray) -> float:
    """The standard deviation of what the columns of [K, N] share: from the products of two of them."""
    n = left.shape[1]
    products = (left.sum(axis=1) ** 2 - (left**2).sum(axis=1)) / max(1, n * (n - 1))
    return math.sqrt(max(0.0, float(np.nan_to_num(products.mean()))))


def probed(line: Line, chunks: Sequence) -> Probe:
    """The segment of least error, or the longest one if the loss jumps, because a short one may miss the jumps.

    Where the loss is not finite within steps as for a leaf of size 0.1, a smaller leaf is moved by its own size.
    """
    n = sum(len(keys) for keys, _ in chunks)
    offsets = (2 * np.arange(n) + 1) / n - 1
    leaf_size = line.size()
    for size in (max(leaf_size, SMALL), leaf_size or SMALL):
        roughness, steps = rough(line, chunks, size), STEPS * size
        rounding = max(line.rounding, 3 * roughness.common)
        tried = [segment(line, chunks, 0, step, offsets) for step in steps]
        errors = np.array(
            [
                np.hypot((each.slope - each.rise).std() / math.sqrt(SETTLED), rounding / step)
                for each, step in zip(tried, steps, strict=True)
            ]
        )
        if np.isfinite(errors).any():
            break
    change = abs(tried[0].rise - tried[1].rise)
    jumps = change.mean() > 0.5 * abs(tried[0].rise).mean()
    best = 0 if jumps else int(np.argmin(np.nan_to_num(errors, nan=np.inf)))
    step, chosen = steps[best], tried[best]
    single = max(line.rounding, roughness.single)
    noticed = 4 * single / step
    varies = chosen.rise.std() > noticed + 1e-3 * abs(chosen.rise.mean())
    moves = np.mean(abs(chosen.rise)) > noticed
    return Probe(step, bool(chosen.slope.any()), bool(moves), bool(varies), rounding, single)


def differenced(line: Line, chunks: Sequence, probe: Probe, key: Any, limit: float) -> Reference:
    """Slopes against rises, over the first draws, and over all where these leave more than 2 % open."""
    settled = -(-SETTLED // len(chunks[0][0]))
    few = _differenced(line, chunks[:settled], probe, key)
    if limit * np.linalg.norm(few.error) < 0.02 * np.linalg.norm(few.derivative):
        return few
    return _differenced(line, chunks, probe, key)


def _differenced(line: Line, chunks: Sequence, probe: Probe, key: Any) -> Reference:
    derivative, bias, error = [], [], []
    n = sum(len(keys) for keys, _ in chunks)
    for j in range(len(line.directions)):
        drawn = segment(line, chunks, j, probe.step, draw_offsets(jax.random.fold_in(key, j), n))
        off = drawn.slope - drawn.rise  # the noise is common, so the difference of the two varies least
        derivative.append(drawn.rise.mean())
        bias.append(off.mean())
        error.append(np.hypot(off.std(ddof=1) / math.sqrt(n), probe.rounding / probe.step))
    return _reference(np.array(derivative), np.array(bias), np.array(error))


def given(gradient: Any, directions: Sequence, gradients: Gradients, grain: float) -> Reference:
    """The mean gradient at params against an exact one, which rounding may take `grain` away from it."""
    exact, along = np.asarray(gradient, np.float64), gradients.along
    derivative = np.array([np.sum(exact * direction.astype(np.float64)) for direction in directions])
    error = np.hypot(along.std(axis=0, ddof=1) / math.sqrt(len(along)), grain)
    return _reference(derivative, along.mean(axis=0) - derivative, error)


def _reference(derivative: np.ndarray, bias: np.ndarray, error: np.ndarray) -> Reference:
    return Reference(derivative, bias, np.hypot(error, SLACK * (abs(derivative + bias) + abs(derivative))))
