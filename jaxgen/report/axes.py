"""Axes of charts: the range, the position of a figure on it, and the round numbers at its ticks."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jaxgen.report.numbers import known, number

ROOM = 23  # how many characters of tick labels fit below a chart of half the page's width


class Scale(NamedTuple):
    """The range of an axis, and whether it is logarithmic."""

    low: float
    high: float
    log: bool


def scale(values: Iterable[float | None], *, margin: float = 0.06, bounds: Sequence[float] | None = None) -> Scale:
    """An axis that holds `values`: logarithmic if all are positive and span more than a factor of 30, else linear.

    If the figure has `bounds`, values are clipped to them; with a finite upper bound the axis is linear.

    >>> scale([1.0, 2.0], margin=0.5), scale([1.0, 100.0], margin=0.0).log
    (Scale(low=0.5, high=2.5, log=False), True)
    """
    least, most = bounds or (-math.inf, math.inf)
    values_within = [min(max(float(v), least), most) for v in values if known(v)] or [0.0, 1.0]
    low, high = min(values_within), max(values_within)
    if low > 0 and high / low > 30 and most == math.inf:
        stretch = (high / low) ** margin
        return Scale(max(low / stretch, least), high * stretch, True)
    margin_width = (high - low) * margin or abs(high) * 0.1 or 1.0
    return Scale(max(low - margin_width, least), min(high + margin_width, most), False)


def position(axis: Scale, x) -> np.ndarray:
    """The position of `x` on the axis: 0 at its low end, 1 at its high end, and outside [0, 1] beyond them."""
    x = np.asarray(x, np.float64)
    if axis.log:
        x = np.log(np.where(x > 0, x, np.nan))
        return (x - math.log(axis.low)) / math.log(axis.high / axis.low)
    return (x - axis.low) / (axis.high - axis.low)


def ticks(axis: Scale, count: int = 4) -> list[float]:
    """At most `count` round numbers on the axis, with equal distances, or equal ratios if it is logarithmic.

    >>> ticks(Scale(0.13, 0.97, False)), ticks(Scale(0.5, 2000.0, True))
    ([0.2, 0.4, 0.6, 0.8], [1.0, 10.0, 100.0, 1000.0])
    """
    if axis.log:
        first, last = math.ceil(math.log10(axis.low) - 1e-9), math.floor(math.log10(axis.high) + 1e-9)
        if last > first:
            return [10.0**k for k in range(first, last + 1, -(-(last - first + 1) // count))]
        fine = [m * 10.0**k for k in (first - 1, first) for m in (1, 2, 5)]
        return [t for t in fine if axis.low <= t <= axis.high]
    power = 10.0 ** math.floor(math.log10((axis.high - axis.low) / count))
    for step in (power * m for m in (1, 2, 2.5, 5, 10, 20)):
        first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
        if last - first + 1 <= count:
            return [float(f"{k * step:.12g}") for k in range(first, last + 1)]
    return []


def tick_words(axis: Scale, at: Sequence[float]) -> list[str]:
    """Tick labels: with one number of decimals for all on a linear axis, and as each needs on a logarithmic one."""
    if axis.log:
        return [number(t, max(0, -math.floor(math.log10(t) + 1e-9))) for t in at]
    step = min((b - a for a, b in zip(at, at[1:], strict=False)), default=abs(at[0]) or 1.0)
    decimals = next(d for d in range(13) if math.isclose(round(step, d), step, rel_tol=1e-9) or d == 12)
    return [number(t, decimals) for t in at]


def labelled(axis: Scale) -> list[tuple[float, str]]:
    """(tick, label) pairs for a chart of half the page's width: every second tick if the labels of all would touch.

    >>> [word for _, word in labelled(Scale(-7e-5, 7e-5, False))]
    ['−0.00005', '0.00005']
    """
    at = ticks(axis)
    named = list(zip(at, tick_words(axis, at), strict=True))
    spots = [(ROOM * float(position(axis, t)), len(word)) for t, word in named]
    apart = all(x + (n + m) / 2 + 1 <= y for (x, n), (y, m) in pairwise(spots))
    return named if apart else named[::2]
