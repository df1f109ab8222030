"""Pixel levels: masses, slopes and samples against float64 arithmetic and SciPy's logistic law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.objectives import DISCRETISED_LOGISTIC, DiagLogistic

# Location and scale within the range, at its edge, beyond it; narrower and wider than a level.
LOGISTICS = [(0.5, -2), (0.301, -5.6), (0.1, -9), (0.0, -6), (1.0, -12), (-0.3, -4), (1.2, -3), (0.4, 1.4)]
EVERY = np.arange(256) / 255


def logistic(location, log_scale):
    return DiagLogistic(jnp.full(1, location, jnp.float32), jnp.full(1, log_scale, jnp.float32))


@jax.jit
def levels(theta):
    """log P of the 256 levels and the slopes of each in location and log_scale."""
    every = jnp.asarray(EVERY, "f")[:, None]
    return jax.vmap(lambda x: jax.value_and_grad(DISCRETISED_LOGISTIC.log_prob)(theta, x))(every)


def log_masses(location, log_scale):
    """log P of the 256 levels in float64, differences of survival functions where those of the law have no digits."""
    ends = (np.arange(1, 256) - 0.5) / 255
    law = stats.logistic(np.float64(np.float32(location)), np.exp(np.float64(np.float32(log_scale))))
    below, above = np.r_[0, law.cdf(ends), 1], np.r_[1, law.sf(ends), 0]
    with np.errstate(divide="ignore"):
        return np.log(np.where(below[1:] < 0.5, np.diff(below), -np.diff(above)))


@pytest.mark.parametrize(("location", "log_scale"), LOGISTICS)
def test_masses_of_levels(location, log_scale):
    # Kills: bins of 1/256; a density for a mass; tails that are not part of the edges; edges swapped; a difference of
    # sigmoids, which has no digits at level 0 of a narrow law far away.
    theta = logistic(location, log_scale)
    value = np.asarray(levels(theta)[0], np.float64)
    exact = log_masses(location, log_scale)
    seen = np.isfinite(exact)  # float64 loses the others, float32 here does not
    np.testing.assert_allclose(value[seen], exact[seen], rtol=1e-5, atol=3e-5)
    assert np.all(value <= 0) and np.all(value[~seen] < -700)
    np.testing.assert_allclose(np.exp(value).sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(DISCRETISED_LOGISTIC.mean(theta), np.exp(exact) @ EVERY, rtol=1e-5, atol=1e-6)


def test_slopes_of_levels():
    # Kills: a gradient in log s without the width of a level; one that goes on past an edge; a stopped location.
    k, step = np.arange(256), 1e-5

    def closed_form(m, s):
        low, high = ((k - 0.5) / 255 - m) / np.exp(s), ((k + 0.5) / 255 - m) / np.exp(s)
        out = np.where(k < 255, -np.logaddexp(0, -high), 0) + np.where(k > 0, -np.logaddexp(0, low), 0)
        return out + np.where((k > 0) & (k < 255), np.log(-np.expm1(low - high)), 0)

    for m, s in [(0.5, -2.0), (0.375, -5.5), (1.125, -1.5), (0.5, 1.0)]:  # exact in float32
        _, grad = levels(logistic(m, s))
        by_m = (closed_form(m + step, s) - closed_form(m - step, s)) / (2 * step)
        by_s = (closed_form(m, s + step) - closed_form(m, s - step)) / (2 * step)
        np.testing.assert_allclose(grad.location[:, 0], by_m, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(grad.log_scale[:, 0], by_s, rtol=1e-4, atol=1e-4)


def test_levels_at_the_ends_of_float32():
    # Kills: log(0) or 0 * inf where a level is far away, or wider or narrower than any scale.
    theta = DISCRETISED_LOGISTIC.theta
    location, scale = np.meshgrid([-1e30, -1e4, 0, 0.5, 1, 1e4, 1e30], [-3e38, -1e4, -7, 0, 7, 1e4, 3e38])
    raw = jnp.asarray(np.stack([location.ravel(), scale.ravel()], -1), "f")
    both = jax.jit(jax.vmap(jax.value_and_grad(lambda r, x: DISCRETISED_LOGISTIC.log_prob(theta(r), x))))
    for x in (0.0, 0.3, 0.5, 1.0):
        value, grad = both(raw, jnp.full((len(raw), 1), x))
        assert np.all(np.isfinite(value)) and np.all(np.isfinite(grad)) and np.all(value <= 0)
    near = jnp.array([[100.4 / 255], [99.6 / 255]])  # a point between levels counts as the nearest one
    at = [DISCRETISED_LOGISTIC.log_prob(logistic(0.4, -4), x) for x in (*near, jnp.full(1, 100 / 255))]
    assert at[0] == at[1] == at[2]
    np.testing.assert_allclose(theta(jnp.array([[0.3, 0.0]])).log_scale, [[-np.log(255)]], rtol=1e-6)


def test_sampled_levels_match_their_masses():
    # Kills: a floor for the rounding; another noise; samples between levels or beyond the edges.
    n = 20_000
    for location, log_scale in [(0.1, -2.5), (0.7, -5.5)]:
        noise = DISCRETISED_LOGISTIC.draw(jax.random.key(0), (n, 1))
        x = np.asarray(DISCRETISED_LOGISTIC.push(logistic(location, log_scale), noise))[:, 0]
        np.testing.assert_allclose(x, np.clip(np.round(x * 255), 0, 255) / 255, rtol=1e-6)
        masses = np.exp(log_masses(location, log_scale))
        counts = np.bincount(np.round(x * 255).astype(int), minlength=256)
        likely = masses * n > 20
        observed = np.r_[counts[likely], counts[~likely].sum()]
        expected = np.r_[masses[likely], masses[~likely].sum()] * n
        assert stats.chisquare(observed, expected * n / expected.sum()).pvalue > 0.01
        mean = DISCRETISED_LOGISTIC.mean(logistic(location, log_scale))
        assert abs(x.mean(dtype="d") - float(mean[0])) < 5 * x.std() / np.sqrt(n)
