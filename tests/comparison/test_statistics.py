"""What figures of several seeds allow one to say."""

import numpy as np
from scipy import stats

from jaxgen.comparison.statistics import Sampling, beats, difference, holm, interval, jackknife, still_improving

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


def test_the_jackknife_of_a_mean_is_the_variance_of_a_mean():
    # Kills: the variance of the values left out, which is far too small; g for g - 1.
    x = np.random.default_rng(0).normal(size=20)
    found = jackknife([float(np.delete(x, i).mean()) for i in range(20)])
    np.testing.assert_allclose(found, (x.var(ddof=1) / 20, 19))


def test_sampling_is_added_to_what_seeds_show():
    # Kills: standard errors added for variances; the degrees of freedom of the seeds alone.
    a, b = {0: 1.0, 1: 1.4, 2: 1.5}, {0: 0.9, 1: 1.0, 2: 1.3}
    alone, gap = difference(a, b), difference(a, b, sampling=Sampling(0.04, 9))
    over_seeds = np.var([0.1, 0.4, 0.2], ddof=1) / 3
    degrees = (over_seeds + 0.04) ** 2 / (over_seeds**2 / 2 + 0.04**2 / 9)
    half = stats.t.ppf(0.975, degrees) * np.sqrt(over_seeds + 0.04)
    np.testing.assert_allclose(gap[:3], [alone.mean, alone.mean - half, alone.mean + half])
    assert gap.test == "paired t test over seeds and test examples" and alone.test == "paired t test"
    assert difference(a, b, sampling=Sampling(0.0, 9)) == alone


def test_shared_test_examples_are_counted_in():
    # Kills: an interval over seeds alone, which two equal models leave in most comparisons on one small test split.
    rng, outside = np.random.default_rng(2), {True: 0, False: 0}
    for _ in range(400):
        # What each of 100 examples is worth to a model, beside it what the training of each of 6 seeds is worth.
        example, training = rng.normal(size=(2, 100)), rng.normal(0, 0.03, (2, 6))
        a, b = (dict(enumerate((example[i].mean() + training[i]).tolist())) for i in range(2))
        without = [np.delete(example, np.arange(j, 100, 10), axis=1).mean(1) for j in range(10)]
        sampling = jackknife([float(own[0] - own[1]) for own in without])
        for counted in outside:
            gap = difference(a, b, sampling=sampling if counted else None)
            outside[counted] += not gap.low <= 0 <= gap.high
    assert 0.02 < outside[True] / 400 < 0.08 and outside[False] / 400 > 0.5
