"""References for a mean gradient: finite differences of the loss along a segment, or an exact gradient."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.testing.measure import Gradients, draw_offsets, grad_of, losses_at

SETTLED = 64  # draws that suffice for a leaf if they leave little uncertainty
STEPS = 0.2 * 0.25 ** np.arange(4)  # candidate half lengths of a segment, in units of the size of the leaf
SMALL = 0.1  # a leaf with a smaller size is moved as if it had this size, because it may be zero
SLACK = 1e-4  # relative error of a float32 gradient that is not reported
POINTS = 12  # points at which rounding is measured, within a hundredth of the size of the leaf


class Line(NamedTuple):
    """A loss, and the directions from params along which it is evaluated."""

    loss: Callable
    params: Any
    batch: Any
    at: int  # the index of the leaf that is moved
    directions: Sequence
    rounding: float  # a lower bound of the rounding error of a difference of two losses

    def moved(self, j: int, by: float) -> Any:
        """Params with the leaf moved by `by` along direction j."""
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
    """Differences and slopes of a loss on the segment p - h d to p + h d for N draws, float64[N] each."""

    rise: np.ndarray  # (L(p + h d, noise) - L(p - h d, noise)) / (2 h), the noise common to both ends
    slope: np.ndarray  # <gradient at p + t d, d>, with another t for each draw


class Rough(NamedTuple):
    """Standard deviation of the rounding error of a loss as params move: its part common to all draws, and in total."""

    common: float
    single: float


class Probe(NamedTuple):
    """The properties of a leaf that a few draws show."""

    step: float  # h to use
    sloped: bool  # some gradient inside the segment is not zero
    moves: bool  # it moves the loss of a draw
    varies: bool  # it moves the loss of each draw differently
    rounding: float  # of a difference of two mean losses
    single: float  # of the loss of one draw


class Reference(NamedTuple):
    """The reference derivative along each direction of one leaf, and the bias of the mean gradient."""

    derivative: np.ndarray  # [J]
    bias: np.ndarray  # [J], mean gradient - derivative
    error: np.ndarray  # [J], standard error of the bias, including rounding


def segment(line: Line, chunks: Sequence, j: int, step: float, offsets: np.ndarray) -> Segment:
    """The `Segment` of step `step`, with slopes at the offsets [N] in (-1, 1), one for each draw.

    The rise is the mean of the slope over the segment, for any length and also if the loss has kinks, because it is an
    integral. So the difference adds no truncation error.
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
    """The rounding error of the losses: their residuals on a short line after a cubic fit to the losses of each draw.

    If large constants cancel, or weights are cast to bfloat16, all draws share a rounding error. It does not shrink in
    a mean over draws and does not appear in a standard error, so it is estimated separately, by the correlation of the
    residuals of different draws. Jumps of the loss are at different points for each draw and do not count.
    """
    offsets = (2 * np.arange(POINTS) + 1) / POINTS - 1
    losses = [
        np.concatenate([losses_at(line.loss, line.moved(0, 0.01 * size * t), chunk, line.batch) for chunk in chunks])
        for t in offsets
    ]
    left = _remainder(offsets, np.stack(losses), 3)
    return Rough(_common(left), float(np.nan_to_num(np.median(np.sqrt(np.mean(left**2, axis=0))))))


def grain(line: Line, chunks: Sequence, eps: float) -> float:
    """The possible rounding error of a mean gradient along the first direction of a leaf.

    It is the part of the residuals of slopes after a parabolic fit that a few draws share, plus `eps` times the change
    of slopes over the size of the leaf, because near an optimum the gradient is a sum of such terms that cancel.
    """
    size, (chunk, *_) = line.size() or SMALL, chunks
    n = min(4, len(chunk[0]))
    offsets = (2 * np.arange(POINTS) + 1) / POINTS - 1
    slopes = np.array([[line.slope(0, 0.01 * size * t, chunk, i) for i in range(n)] for t in offsets])
    bend = np.polyfit(offsets, slopes.mean(axis=1), 2)[1] / 0.01 if np.isfinite(slopes).all() else 0.0
    return float(np.hypot(3 * _common(_remainder(offsets, slopes, 2)), 10 * eps * bend))


def _remainder(offsets: np.ndarray, values: np.ndarray, degree: int) -> np.ndarray:
    """The residuals of a polynomial fit in the offsets to each column of values [K, N], scaled to be unbiased."""
    basis, _ = np.linalg.qr(np.vander(offsets, degree + 1))
    return (values - basis @ (basis.T @ values)) * math.sqrt(len(offsets) / (len(offsets) - degree - 1))


def _common(left: np.ndarray) -> float:
    """The standard deviation of the common part of the columns of [K, N], from the products of two columns."""
    n = left.shape[1]
    products = (left.sum(axis=1) ** 2 - (left**2).sum(axis=1)) / max(1, n * (n - 1))
    return math.sqrt(max(0.0, float(np.nan_to_num(products.mean()))))


def probed(line: Line, chunks: Sequence) -> Probe:
    """Chooses the segment of smallest error, or the longest if the loss jumps, because a short one may miss jumps.

    If the loss of a small leaf is not finite within steps for a leaf of size 0.1, steps for its own size are used.
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
    """Compares slopes with rises: by the first draws, or by all if these leave more than 2 % uncertain."""
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
        off = drawn.slope - drawn.rise  # both have the same noise, so their difference has a small variance
        derivative.append(drawn.rise.mean())
        bias.append(off.mean())
        error.append(np.hypot(off.std(ddof=1) / math.sqrt(n), probe.rounding / probe.step))
    return _reference(np.array(derivative), np.array(bias), np.array(error))


def given(gradient: Any, directions: Sequence, gradients: Gradients, grain: float) -> Reference:
    """Compares the mean gradient at params with an exact one; `grain` is the possible rounding error."""
    exact, along = np.asarray(gradient, np.float64), gradients.along
    derivative = np.array([np.sum(exact * direction.astype(np.float64)) for direction in directions])
    error = np.hypot(along.std(axis=0, ddof=1) / math.sqrt(len(along)), grain)
    return _reference(derivative, along.mean(axis=0) - derivative, error)


def _reference(derivative: np.ndarray, bias: np.ndarray, error: np.ndarray) -> Reference:
    return Reference(derivative, bias, np.hypot(error, SLACK * (abs(derivative + bias) + abs(derivative))))
