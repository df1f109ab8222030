"""Statistics of figures over seeds: intervals of means and of differences, tests, and their correction.

Student's and Welch's tests assume that figures are approximately normal. Without this assumption a sign test can reject
at the 5 % level from six seeds on (2 / 2^6 = .031), which is why six is the default.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.special import stdtr, stdtrit  # Student's law; importing scipy.stats for it takes half a second more

LEVEL = 0.05  # of the tests of all settings together
FEW = 3  # the largest number of seeds whose differences may be equal by chance
FEWEST_SEEDS = 6  # with fewer seeds no test rejects at that level without an assumption on the distribution


class Interval(NamedTuple):
    """A mean over seeds with its 95 % interval; both ends are NaN if there is only one seed."""

    mean: float
    low: float
    high: float
    n: int


class Sampling(NamedTuple):
    """The variance of a difference of means due to the choice of test examples, if all seeds share these examples."""

    variance: float
    degrees: float  # of freedom, of that estimate


class Difference(NamedTuple):
    """The difference of two means with its 95 % interval, and the two-sided p value of the hypothesis that it is 0."""

    mean: float
    low: float
    high: float
    n: int  # the number of pairs, or without pairs the size of the smaller of the two sets
    p: float
    test: str  # "paired t test" or "Welch's t test", with "over seeds and test examples" if `Sampling` is added


def interval(values: Sequence[float]) -> Interval:
    """Student's interval of the mean: m +- t(0.975, n - 1) s / sqrt(n).

    >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484, 3]
    """
    n, mean, variance = _moments(values)
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    half = quantile(n - 1) * math.sqrt(variance / n)
    return Interval(mean, mean - half, mean + half, n)


def difference(
    a: Mapping[int, float], b: Mapping[int, float], *, paired: bool = True, sampling: Sampling | None = None
) -> Difference:
    """The mean of a minus that of b, over seeds.

    If `paired`, this is Student's test of the differences on the seeds that both have, which is right if both figures
    of a seed depend on something drawn for it, such as the split or the labels. Otherwise it is Welch's (1947) test of
    two independent sets, each with its own variance and number of seeds:

      (m_a - m_b) / sqrt(v_a + v_b),  v = s^2 / n,  degrees (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1))

    `sampling` is a variance that is added to that of the mean, because seeds measured on the same examples do not show
    it. The degrees of freedom of the sum are Satterthwaite's (1946): v^2 over the sum of v_i^2 / d_i.

    The interval and p are NaN if a set has fewer than two values. If nothing varies, p is 0 or 1; with two or three
    seeds it is then at least 2 / 2^n as in a sign test, because so few differences may be equal by chance.

    >>> difference({0: 2.0, 1: 3.0, 2: 9.0}, {0: 1.0, 1: 2.5}).mean
    0.75
    >>> round(difference({0: 2.0, 1: 3.0}, {0: 1.0, 1: 1.5}, paired=False).p, 3)
    0.199
    """
    if paired:
        n, mean, variance = _moments([a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())])
        return _tested(mean, (variance / max(n, 1), n - 1), sampling, n, "paired t test")
    (n_a, mean_a, var_a), (n_b, mean_b, var_b) = _moments(list(a.values())), _moments(list(b.values()))
    if min(n_a, n_b) < 2:
        return _tested(mean_a - mean_b, (math.nan, 0), None, min(n_a, n_b), "Welch's t test")
    both = _summed((var_a / n_a, n_a - 1), (var_b / n_b, n_b - 1))
    return _tested(mean_a - mean_b, both, sampling, min(n_a, n_b), "Welch's t test")


def jackknife(values: Sequence[float]) -> Sampling:
    """The variance of a figure of all examples, from its g values that each leave out one of g groups of examples.

      (g - 1) / g * sum_i (v_i - mean v)^2      Tukey (1958), by groups

    The groups are drawn at random and about equally large. The estimate has g - 1 degrees of freedom.

    >>> jackknife([1.0, 2.0, 3.0])
    Sampling(variance=1.3333333333333333, degrees=2)
    """
    n, _, variance = _moments(values)
    return Sampling((n - 1) ** 2 / n * variance, n - 1)


def better(
    a: Mapping[int, float],
    b: Mapping[int, float],
    higher_is_better: bool,
    *,
    paired: bool = True,
    sampling: Sampling | None = None,
) -> float:
    """The one-sided p value of the hypothesis that a is no better than b; NaN if there are too few values.

    >>> a, b = {0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.5}
    >>> round(better(a, b, True), 3), round(better(a, b, False), 3)
    (0.102, 0.898)
    """
    gap = difference(a, b, paired=paired, sampling=sampling)
    return gap.p / 2 if (gap.mean > 0) == higher_is_better else 1 - gap.p / 2


def beats(a: Mapping[int, float], b: Mapping[int, float], higher_is_better: bool, *, paired: bool = True) -> bool:
    """Whether a is significantly better than b: the whole 95 % interval of the difference is on the side of a."""
    gap = difference(a, b, paired=paired)
    return gap.low > 0 if higher_is_better else gap.high < 0


def still_improving(half: Mapping[int, float], full: Mapping[int, float], higher_is_better: bool) -> bool:
    """Whether a model improved in the second half of its time: the paired interval of the gain is above zero."""
    return beats(full, half, higher_is_better)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """P values after Holm's (1979) correction: with the limit .05, the chance of any false rejection is at most 5 %.

    The k-th smallest of m is multiplied by m - k + 1, and is at least the one before it. NaN stays and is not counted.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    known = sorted((value, name) for name, value in p.items() if not math.isnan(value))
    corrected, least = dict(p), 0.0
    for rank, (value, name) in enumerate(known):
        least = max(least, min(1.0, value * (len(known) - rank)))
        corrected[name] = least
    return corrected


def within(spread: Interval, bounds: tuple[float, float] | None) -> Interval:
    """An interval cut at the bounds of its figure: Student's interval may exceed them, as with a share of 1.02.

    >>> within(Interval(0.9, 0.5, 1.3, 2), (0.0, 1.0))
    Interval(mean=0.9, low=0.5, high=1.0, n=2)
    """
    least, most = bounds or (-math.inf, math.inf)
    return spread._replace(low=max(spread.low, least), high=min(spread.high, most))  # a NaN stays one


def quantile(degrees: float) -> float:
    """The number that Student's t exceeds with a chance of 2.5 %.

    >>> round(quantile(5), 4)
    2.5706
    """
    return float(stdtrit(degrees, 0.975))


def _moments(values: Sequence[float]) -> tuple[int, float, float]:
    """(number of values, mean, variance with n - 1); NaN if there are too few."""
    n = len(values)
    mean = math.fsum(values) / n if n else math.nan
    return n, mean, math.fsum((v - mean) ** 2 for v in values) / (n - 1) if n > 1 else math.nan


def _summed(*parts: tuple[float, float]) -> tuple[float, float]:
    """(sum, degrees of freedom by Satterthwaite) of independent variances; if all are 0, the sum of the degrees."""
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / degrees for part, degrees in parts if part)
    return variance, variance**2 / spread if spread > 0 else sum(degrees for _, degrees in parts)


def _tested(mean: float, over: tuple[float, float], sampling: Sampling | None, n: int, test: str) -> Difference:
    """The test of a mean; `over` is its variance over seeds with the degrees of freedom."""
    variance, degrees = over
    if sampling is not None and sampling.variance > 0 and not math.isnan(variance):
        (variance, degrees), test = _summed(over, sampling), f"{test} over seeds and test examples"
    if math.isnan(variance):
        return Difference(mean, math.nan, math.nan, n, math.nan, test)
    error = math.sqrt(variance)
    half = quantile(degrees) * error
    p = 2 * float(stdtr(degrees, -abs(mean) / error)) if error > 0 else float(mean == 0)
    if n <= FEW and error <= 1e-9 * abs(mean):  # nothing varies by more than rounding
        p = max(p, 2 / 2**n)
    return Difference(mean, mean - half, mean + half, n, p, test)
