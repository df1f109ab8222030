"""Intervals of a figure over seeds, and the decimal places that they deserve."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

TINY = -5  # the power of ten below which a number is written with its power


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


def places(spreads: Iterable[Interval]) -> int | None:
    """Decimal places for figures that stand in one table: the narrowest interval shows its width in 3 to 29 steps.

    At most one place more than the widest interval deserves; but no mean loses more than 5 % of itself, and where all
    are below 10 there are two. None where no interval has a width.

    >>> places([Interval(0.94, 0.92, 0.96, 5), Interval(0.5, 0.5, 0.5, 5)]), places([interval([0.5])])
    (2, None)
    """
    spreads = list(spreads)
    widths = [spread.high - spread.low for spread in spreads if spread.high > spread.low]
    if not widths:
        return None
    means = [abs(spread.mean) for spread in spreads if math.isfinite(spread.mean)]
    needed = [1 - power(mean) for mean in means if mean and power(mean) >= TINY]
    fine, coarse = steps(min(widths)), steps(max(widths))
    return max(0, min(fine, coarse + 1), *needed, 2 if means and max(means) < 10 else 0)


def steps(width: float) -> int:
    """The decimal places by which a width is 3 to 29 steps long."""
    return -math.floor(math.log10(width / 3))


def power(x: float) -> int:
    """The power of ten of the first digit of a number that is not 0."""
    return math.floor(math.log10(abs(x)))
