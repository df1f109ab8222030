"""Modes against counting by hand."""

import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.data import Modes
from jaxgen.metrics import count_modes, count_stacked

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


def bright(x):
    """0 to 9, by the mean of an image."""
    return np.rint(10 * x.mean((1, 2, 3)) - 0.5).astype(int).clip(0, 9)


def of_classes(label):
    return np.broadcast_to((np.asarray(label)[:, None, None, :] + 0.5) / 10, (len(label), 2, 4, 3)).astype(np.float32)


def test_combinations_of_channels():
    # Kills: channels in another order or mixed with rows; a KL over the modes that occur alone; the KL the other way
    # round; combinations told apart by their sum.
    label = np.array([[1, 2, 3]] * 6 + [[3, 2, 1]] * 3 + [[2, 2, 2]])
    found = count_stacked(of_classes(label), bright)
    p = np.array([0.6, 0.3, 0.1])
    assert found.captured == 3
    np.testing.assert_allclose(found.kl, np.sum(p * np.log(1000 * p)), rtol=1e-12)
    seen = []
    count_stacked(of_classes(label), lambda x: seen.append(x) or bright(x))
    assert seen[0].shape == (30, 2, 4, 1)
    np.testing.assert_allclose(10 * seen[0].mean((1, 2, 3)) - 0.5, label.ravel(), atol=1e-4)


def test_even_combinations_have_the_kl_of_chance():
    # Kills: a histogram of fewer modes; a bias that is taken off, so that figures are not those of the papers.
    n, rng = 20_000, np.random.default_rng(0)
    found = count_stacked(of_classes(rng.integers(10, size=(n, 3))), bright)
    assert found.captured == 1000
    # 2 n KL is about chi-squared of 999 degrees of freedom: 999 with a standard deviation of 44.7.
    assert abs(2 * n * found.kl - 999) < 5 * 44.7
    assert count_stacked(of_classes(np.zeros((9, 3), int)), bright) == (1, float(np.log(1000)))


@pytest.mark.parametrize(
    ("samples", "classify", "says"),
    [
        (np.zeros((0, 2, 2, 3)), bright, "at least one"),
        (np.zeros((4, 2, 2)), bright, "images"),
        (np.zeros((4, 2, 2, 3)), lambda x: np.full(len(x), 10), "0 to 9"),
        (np.zeros((4, 2, 2, 3)), lambda x: np.full(len(x), -1), "0 to 9"),
        (np.zeros((4, 2, 2, 3)), lambda x: np.zeros(len(x)), "whole number"),
        (np.zeros((4, 2, 2, 3)), lambda x: np.zeros((len(x), 10), int), "12 images"),
    ],
)
def test_what_cannot_be_counted(samples, classify, says):
    # Kills: the best score for no samples; a class beyond the last that counts as another mode.
    with pytest.raises(BadRequest, match=says):
        count_stacked(samples, classify)
