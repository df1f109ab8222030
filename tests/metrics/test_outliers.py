"""Outlier scores against NumPy, and areas under curves against counts of pairs."""

import numpy as np
import pytest

from jaxgen.metrics import outliers
from jaxgen.metrics.outliers import auroc, average_precision

RNG = np.random.default_rng(0)
NORMAL = (RNG.normal(size=(60, 6)) * [1, 2, 3, 1, 1, 1] + 5).astype(np.float32)
X = (RNG.normal(size=(40, 6)) * 3 + 5).astype(np.float32)
SCORES = {
    "mean": outliers.distance_from_mean,
    "neighbours": outliers.neighbour_distance,
    "PCA": outliers.reconstruction_error,
    "isolation": lambda normal, x: outliers.isolation(normal, x, seed=0),
}


def test_auroc_counts_pairs():
    # Kills: ties won or lost in place of half; normal and anomalous swapped; an infinite score refused, or the lowest.
    score, anomalous = RNG.integers(0, 9, size=200).astype(float), RNG.random(200) < 0.2
    score[anomalous] += 3
    pairs = [(a > b) + 0.5 * (a == b) for a in score[anomalous] for b in score[~anomalous]]
    np.testing.assert_allclose(auroc(score, anomalous), np.mean(pairs), rtol=1e-12)
    assert auroc([0.0, np.inf, 1.0, -np.inf], [False, True, False, False]) == 1


def test_average_precision_by_hand():
    # Kills: precision over the normal examples; the trapezoid of the curve; an infinite score refused.
    score, anomalous = [np.inf, 4.0, 3.0, 2.0, 1.0], np.array([True, False, True, True, False])
    np.testing.assert_allclose(average_precision(score, anomalous), (1 + 2 / 3 + 3 / 4) / 3, rtol=1e-12)
    assert average_precision(np.zeros(5), anomalous) == 3 / 5


def test_distance_from_the_mean():
    # Kills: mean or deviation of the examples that are scored; no standardisation; a variance for a deviation.
    mean, std = NORMAL.astype(float).mean(0), NORMAL.astype(float).std(0)
    expected = np.sqrt(np.sum(((X - mean) / std) ** 2, 1))
    np.testing.assert_allclose(outliers.distance_from_mean(NORMAL, X), expected, rtol=1e-5)


def test_distance_to_the_fifth_neighbour():
    # Kills: the first neighbour, or the mean of five; the sixth; neighbours among what is scored; too few refused.
    expected = [np.sort(np.linalg.norm(x - NORMAL.astype(float), axis=1))[4] for x in X.astype(float)]
    np.testing.assert_allclose(outliers.neighbour_distance(NORMAL, X), expected, rtol=1e-5)
    farthest = [np.linalg.norm(x - NORMAL[:3].astype(float), axis=1).max() for x in X.astype(float)]
    np.testing.assert_allclose(outliers.neighbour_distance(NORMAL[:3], X), farthest, rtol=1e-5)


def test_error_outside_the_components():
    # Kills: the error within the components in place of that outside; 16 components of 6; components of what is scored.
    mean, vector = NORMAL.mean(0, dtype=float), np.linalg.eigh(np.cov(NORMAL.T.astype(float)))[1][:, ::-1][:, :3]
    missed = (X - mean) - (X - mean) @ vector @ vector.T
    np.testing.assert_allclose(outliers.reconstruction_error(NORMAL, X), np.sum(missed**2, 1), rtol=1e-4)


def test_isolation():
    # Kills: a sign turned; a seed that is ignored, or taken from elsewhere; another number of trees than 100. One tree
    # of one cut isolates either of two points at depth 1, and c(2) = 1, so 2^-1 it is.
    far = np.concatenate([NORMAL, NORMAL + 50])
    scores = [outliers.isolation(NORMAL, far, seed=seed) for seed in (0, 0, 1)]
    assert scores[0][60:].min() > scores[0][:60].max()
    assert np.array_equal(scores[0], scores[1]) and not np.array_equal(scores[0], scores[2])
    two = np.array([[0.0], [1.0]], np.float32)
    np.testing.assert_allclose(outliers.isolation(two, two, seed=0), [0.5, 0.5])


@pytest.mark.parametrize("name", SCORES)
def test_rows_that_float32_cannot_square(name):
    # Kills: an infinity that scikit-learn refuses; a far outlier that overflows to the score of a near one.
    normal, x = NORMAL.copy(), np.concatenate([X, np.full((1, 6), 1e18, np.float32)])
    normal[:, 0] = 0  # a column without spread keeps its unit
    normal, x = outliers.standardised(normal * np.float32(1e-6), x)
    score = SCORES[name](normal, x)
    assert np.all(np.isfinite(score))
    assert name == "isolation" or score.argmax() == len(X)  # beyond the last cut all are isolated alike
