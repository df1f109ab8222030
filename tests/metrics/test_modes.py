"""Modes against counting by hand."""

import numpy as np

from jaxgen.data import Modes
from jaxgen.metrics import count_modes

RING = Modes(np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1).astype(np.float32), 0.01)


def test_counts():
    # Kills: KL over all modes with log 0; the KL the other way round; shares of all samples in place of the good ones;
    # a threshold of 2 or 4 std.
    at = np.repeat(np.arange(8), [6, 3, 1, 0, 0, 0, 0, 0])
    good = RING.means[at] + [0.029, 0.0]
    bad = RING.means[:5] + [0.0, 0.031]
    found = count_modes(np.concatenate([good, bad]), RING)
    p = np.array([0.6, 0.3, 0.1])
    assert found.captured == 3
    np.testing.assert_allclose(found.high_quality_percent, 100 * 10 / 15)
    np.testing.assert_allclose(found.reverse_kl, np.sum(p * (np.log(p) - np.log(1 / 8))), rtol=1e-12)


def test_true_samples():
    # Kills: a distance per coordinate. In the plane 1 - exp(-9/2) of a Gaussian lie within 3 std.
    rng = np.random.default_rng(0)
    n = 40_000
    samples = RING.means[rng.integers(8, size=n)] + RING.std * rng.normal(size=(n, 2))
    found = count_modes(samples, RING)
    share = 1 - np.exp(-4.5)
    assert abs(found.high_quality_percent / 100 - share) < 5 * np.sqrt(share * (1 - share) / n)
    assert found.captured == 8
    assert found.reverse_kl < 10 * 7 / (2 * n)  # its mean for even modes is (M - 1) / 2n


def test_extremes():
    # Kills: a mean over no high-quality samples; -0.0.
    nothing, one, even = (
        count_modes(s, RING) for s in (np.full((9, 2), 5.0), np.repeat(RING.means[:1], 9, 0), RING.means)
    )
    np.testing.assert_allclose(nothing, (0, 0, np.log(8)))
    np.testing.assert_allclose(one, (1, 100, np.log(8)))
    np.testing.assert_allclose(even, (8, 100, 0), atol=1e-15)
