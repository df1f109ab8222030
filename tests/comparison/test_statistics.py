"""What figures of several seeds allow one to say."""

import numpy as np

from jaxgen.comparison.statistics import beats, difference, interval, still_improving

SEEDS = range(5)


def by_seed(mean, wobble=0.01):
    return {seed: mean + wobble * (-1) ** seed for seed in SEEDS}


def test_interval_is_students():
    # Kills: a normal quantile; n for n - 1.
    from scipy import stats

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
