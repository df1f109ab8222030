"""What figures of several seeds allow one to say: intervals, paired differences, who beats whom."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """A mean over seeds with its 95 % interval; the ends are NaN where one seed gives none."""

    mean: float
    low: float
    high: float
    n: int


def interval(values: Sequence[float]) -> Interval:
    """Student's interval of the mean: m +- t(0.975, n - 1) s / sqrt(n).

    >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484, 3]
    """
    from scipy.stats import t

    n = len(values)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = float(t.ppf(0.975, n - 1)) * std / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def difference(a: Mapping[int, float], b: Mapping[int, float]) -> Interval:
    """The interval of a - b, paired by seed, over the seeds that both have.

    >>> difference({0: 2.0, 1: 3.0, 2: 9.0}, {0: 1.0, 1: 2.0}).mean
    1.0
    """
    return interval([a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())])


def within(spread: Interval, bounds: tuple[float, float] | None) -> Interval:
    """An interval cut where its figure must end: Student's law knows no bounds, and a share of 1.02 is nonsense.

    >>> within(Interval(0.9, 0.5, 1.3, 2), (0.0, 1.0))
    Interval(mean=0.9, low=0.5, high=1.0, n=2)
    """
    least, most = bounds or (-math.inf, math.inf)
    return spread._replace(low=max(spread.low, least), high=min(spread.high, most))  # a NaN stays one


def still_improving(half: Mapping[int, float], full: Mapping[int, float], higher_is_better: bool) -> bool:
    """Whether the second half of the budget made a model better: the paired interval of the gain lies above zero."""
    gain = difference(full, half) if higher_is_better else difference(half, full)
    return gain.low > 0


def beats(a: Mapping[int, float], b: Mapping[int, float], higher_is_better: bool) -> bool:
    """Whether a is better than b: the whole paired interval lies on one side of zero."""
    gap = difference(a, b) if higher_is_better else difference(b, a)
    return gap.low > 0
