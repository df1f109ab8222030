"""The row `estimators`: its gradients are those of the closed form."""

import numpy as np
import pytest

from benchmarks import estimators


def closed_form():
    """Gradient of E|z - k|^2 in mean and log_std, and its variance in the mean, by estimator; float64."""
    mean, log_std = (p.astype(np.float64) for p in estimators.parameters())
    d, s = mean - estimators.CENTRE, np.exp(log_std)
    of_f = 2 * s**4 + 4 * d**2 * s**2  # Var (z_i - k)^2; the other entries' costs are noise to the score of one
    variance = {"PATHWISE": 4 * s**2, "SCORE": 8 * d**2 + 10 * s**2 + (of_f.sum() - of_f) / s**2}
    return np.concatenate([2 * d, 2 * s**2]), variance


@pytest.mark.parametrize("estimator", ["PATHWISE", "SCORE"])
def test_gradients_are_right(estimator, tmp_path):
    # Kills: a sum for the mean over draws; the other estimator; a gradient in log_std left out; the centre's sign; a
    # gradient of the other sign.
    exact, variance = closed_form()
    work = estimators.ours(estimator=estimator, draws=4000, together=4000, repeats=1)
    found, sizes = np.split(np.array(work.losses(tmp_path / "record.npz")), 2)
    np.testing.assert_allclose(sizes, abs(found), rtol=1e-6)  # of a single gradient
    error = 5 * np.sqrt(variance[estimator] / 4000)
    assert found.shape == (128,) and (abs(found[:64] - exact[:64]) < error).all()
    np.testing.assert_allclose(found[64:].mean(), exact[64:].mean(), rtol=0.1)


def test_a_gradient_per_group(tmp_path):
    # Kills: groups that share noise; a spread that averaging took away, or another number of draws per gradient.
    exact, variance = closed_form()
    work = estimators.ours(estimator="PATHWISE", draws=4000, together=2, repeats=1)
    mean, size = np.split(np.array(work.losses(tmp_path / "record.npz")), 2)
    np.testing.assert_allclose(size[:64] ** 2, exact[:64] ** 2 + variance["PATHWISE"] / 2, rtol=0.2)
    assert (abs(mean[:64] - exact[:64]) < 5 * np.sqrt(variance["PATHWISE"] / 4000)).all()


def test_parts():
    # Kills: a part that measures another estimator than it names.
    for part, (estimator, together) in estimators.PARTS.items():
        assert part.startswith("pathwise") == (estimator == "PATHWISE")
        assert ("one gradient" in part) == (together is None)


def test_moments():
    # Kills: a mean alone, which hides what differs from draw to draw; a size alone, which hides signs; the wrong axis.
    np.testing.assert_allclose(estimators.moments(np.array([[3.0, 1.0], [-3.0, 7.0]])), [0.0, 4.0, 3.0, 5.0])
