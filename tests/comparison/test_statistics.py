"""What figures of several seeds allow one to say."""

import numpy as np
from scipy import stats

from jaxgen.comparison.statistics import beats, difference, holm, interval, still_improving

SEEDS = range(5)


def by_seed(mean, wobble=0.01):
    return {seed: mean + wobble * (-1) ** seed for seed in SEEDS}


def test_interval_is_students():
    # Kills: a normal quantile; n for n - 1.

    values = np.random.default_rng(0).normal(size=6)
    low, high = stats.t.interval(0.95, 5, loc=values.mean(), scale=stats.sem(values))
    np.testing.assert_allclose(interval(list(values))[:3], [values.mean(), low, high])


def test_difference_is_paired():
    # Kills: a difference of means with the spread of both: here each varies by 10, the difference not at all.
    a = {seed: 10.0 * seed for seed in SEEDS}
    gap = difference({seed: value + 1 for seed, value in a.items()}, a)
    np.testing.assert_allclose(gap[:3], [1, 1, 1])
    assert beats({s: v + 1 for s, v in a.items()}, a, True) and not beats({s: v + 1 for s, v in a.items()}, a, False)


def test_still_improving_is_a_paired_interval():
    # Kills: the direction ignored; improvement read from a single seed.
    half, full = by_seed(0.8), by_seed(0.9, 0.02)
    assert still_improving(half, full, True) and not still_improving(half, full, False)
    assert not still_improving({0: 0.1}, {0: 0.9}, True)


def test_both_tests_are_those_of_scipy():
    # Kills: a pooled variance; degrees of freedom of one set; a p value of one side.
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.5, 1, 6), rng.normal(0, 3, 4)
    welch = stats.ttest_ind(a, b, equal_var=False)
    gap = difference(dict(enumerate(a)), dict(enumerate(b)), paired=False)
    np.testing.assert_allclose((gap.low, gap.high), welch.confidence_interval(0.95))
    np.testing.assert_allclose((gap.mean, gap.p), (a.mean() - b.mean(), welch.pvalue))
    assert (gap.n, gap.test) == (4, "Welch's t test")
    pairs = stats.ttest_rel(a[:4], b)
    gap = difference(dict(enumerate(a)), dict(enumerate(b)))
    np.testing.assert_allclose((gap.low, gap.high, gap.p), (*pairs.confidence_interval(0.95), pairs.pvalue))


def test_what_does_not_vary_is_sure():
    # Kills: 0 / 0.
    level, other = dict.fromkeys(SEEDS, 0.5), dict.fromkeys(SEEDS, 0.7)
    for paired in (True, False):
        assert difference(other, level, paired=paired).p == 0 and difference(level, level, paired=paired).p == 1
    assert np.isnan(difference({0: 1.0}, {0: 2.0}, paired=False).p)


def test_equal_differences_of_few_seeds_may_be_chance():
    # Kills: a sure winner of two seeds whose figures are counts of twenty, and differ by 2 in both; a floor for what
    # varies, or for many seeds.
    def gap(*shifts):
        a = {seed: 0.05 * (seed + 11) for seed in range(len(shifts))}
        return difference({seed: a[seed] + shift for seed, shift in enumerate(shifts)}, a)

    assert (gap(0.1, 0.1).p, gap(0.1, 0.1, 0.1).p) == (0.5, 0.25) and gap(0.1, 0.1, 0.1, 0.1).p < 1e-6
    assert gap(0.1, 0.1001).p < 0.01


def test_holm():
    # Kills: Bonferroni; a corrected value below one that was smaller before; a NaN that counts.
    assert holm({"a": 0.01, "b": 0.02, "c": 0.9, "d": 0.015}) == {"a": 0.04, "b": 0.045, "c": 0.9, "d": 0.045}
    found = holm({"a": 0.03, "b": float("nan")})
    assert found["a"] == 0.03 and np.isnan(found["b"]) and holm({}) == {}
