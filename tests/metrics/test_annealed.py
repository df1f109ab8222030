"""Annealed importance sampling where log p(x) is known: z ~ N(0, I), x ~ N(W z, s^2 I), so x ~ N(0, W W^T + s^2 I)."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.core import BadRequest
from jaxgen.metrics import annealed
from jaxgen.metrics.annealed import Noise, Target

S = 0.5


def log_prior(z, given):
    return jnp.sum(jax.scipy.stats.norm.logpdf(z), -1)


def log_likelihood(z, given):
    miss = given["x"][None] - z @ given["w"]
    return jnp.sum(jax.scipy.stats.norm.logpdf(miss, scale=S), -1)


TARGET = Target(log_prior, log_likelihood)


def simulated(examples, scale=1.0):
    """(given, z that made x, exact log p(x) in float64)."""
    rng = np.random.default_rng(0)
    w = scale * np.array([[1.5, 0.3, -0.4], [0.2, -1.0, 0.6]])
    z = rng.normal(size=(examples, 2))
    x = z @ w + S * rng.normal(size=(examples, 3))
    exact = stats.multivariate_normal(np.zeros(3), w.T @ w + S**2 * np.eye(3)).logpdf(x)
    return {"x": jnp.asarray(x, jnp.float32), "w": jnp.asarray(w, jnp.float32)}, jnp.asarray(z, jnp.float32), exact


def prior_draw(key, shape):
    return jax.random.normal(key, shape)


def test_both_sides_bracket_log_p():
    # Kills: weights at the temperature of after the move; a chain back that starts with a move; the last weight left
    # out; a sign; a step size that does not settle at the share of moves that is wanted.
    given, z, exact = simulated(32)
    betas, shape = annealed.schedule(1000), (8, 32, 2)
    k_start, *keys = jax.random.split(jax.random.key(0), 4)
    noise = [annealed.draw(key, shape, betas) for key in keys]
    start = prior_draw(k_start, shape)
    rates = annealed.tune(TARGET, start, given, noise[0], betas, 0.5, leapfrog=3)
    up = annealed.forward(TARGET, start, given, noise[1], betas, rates, leapfrog=3)
    back = jnp.broadcast_to(z[None], shape)
    down = annealed.reverse(TARGET, back, given, noise[2], betas, rates, leapfrog=3)
    low, high = (np.asarray(side, np.float64) for side in (up.log_w.mean(0), down.log_w.mean(0)))
    spread = np.sqrt((np.var(up.log_w, 0, ddof=1) + np.var(down.log_w, 0, ddof=1)) / 8)
    assert np.all(low - 5 * spread <= exact) and np.all(exact <= high + 5 * spread)
    assert low.mean() < exact.mean() < high.mean() and high.mean() - low.mean() < 0.1
    assert 0.55 < float(up.accepted[50:].mean()) < 0.85


def test_the_weight_is_unbiased():
    # Kills: a move that does not leave its density as it is (no Metropolis test, a momentum that is kept, half a step
    # of the momentum left out); the mean of 1 / w called unbiased for p. Four temperatures and a flat likelihood: 1 / w
    # has a variance then, as it has not for every model.
    given, z, exact = simulated(1, 0.4)
    betas, shape = annealed.schedule(4), (100_000, 1, 2)
    k_start, k_up, k_down, k_z = jax.random.split(jax.random.key(1), 4)
    up = annealed.forward(
        TARGET, prior_draw(k_start, shape), given, annealed.draw(k_up, shape, betas), betas, 1.2, leapfrog=2
    )
    w = np.exp(np.asarray(up.log_w[:, 0], np.float64) - exact)
    assert abs(w.mean() - 1) < 5 * w.std(ddof=1) / math.sqrt(len(w)) < 0.05
    # The posterior itself: precision I + W W^T / s^2.
    precision = np.eye(2) + np.asarray(given["w"] @ given["w"].T, np.float64) / S**2
    mean = np.linalg.solve(precision, np.asarray(given["w"] @ given["x"][0], np.float64) / S**2)
    half = np.linalg.cholesky(np.linalg.inv(precision))
    start = jnp.asarray(mean + np.asarray(prior_draw(k_z, shape), np.float64) @ half.T, jnp.float32)
    down = annealed.reverse(TARGET, start, given, annealed.draw(k_down, shape, betas), betas, 1.2, leapfrog=2)
    inverse = np.exp(exact - np.asarray(down.log_w[:, 0], np.float64))
    assert abs(inverse.mean() - 1) < 5 * inverse.std(ddof=1) / math.sqrt(len(inverse)) < 0.05


@pytest.mark.parametrize(("level", "taken"), [(0.0, True), (0.999, False)])
def test_two_temperatures_by_hand(level, taken):
    # Kills: a step of another size for the momentum; beta on the prior; a weight at the old point after a move that
    # was taken, or at the new one after a move that was not. One number of z, one of x, b = 0, 0.25, 1.
    x, w, z, p, rate, b = 1.2, 0.8, 0.3, -0.7, 0.9, 0.25

    def log_x(z):
        return stats.norm.logpdf(x, w * z, S)

    def slope(z):
        return -z + b * w * (x - w * z) / S**2

    half = p + rate / 2 * slope(z)
    end = z + rate * half
    last = half + rate / 2 * slope(end)
    gain = stats.norm.logpdf(end) - stats.norm.logpdf(z) + b * (log_x(end) - log_x(z)) + (p**2 - last**2) / 2
    assert (math.log(level) if level else -math.inf) < gain if taken else math.log(level) > gain
    landed = end if taken else z
    given = {"x": jnp.full((1, 1), x), "w": jnp.full((1, 1), w)}
    noise = Noise(jnp.full((1, 1, 1, 1), p), jnp.full((1, 1, 1), level))
    start, betas = jnp.full((1, 1, 1), z), [0.0, b, 1.0]
    up = annealed.forward(TARGET, start, given, noise, betas, rate)
    np.testing.assert_allclose(up.log_w, [[b * log_x(z) + 0.75 * log_x(landed)]], rtol=1e-5)
    np.testing.assert_allclose(up.z, [[[landed]]], rtol=1e-5)
    np.testing.assert_allclose(up.accepted, [[taken]])
    down = annealed.reverse(TARGET, start, given, noise, betas, rate)
    np.testing.assert_allclose(down.log_w, [[0.75 * log_x(z) + b * log_x(landed)]], rtol=1e-5)


def test_chains_of_no_move_are_importance_sampling():
    # Kills: a move at b = 1, which two temperatures do not have; a mean of logs for the log of a mean.
    given, z, _ = simulated(3)
    betas, shape = annealed.schedule(1), (5, 3, 2)
    noise, start = annealed.draw(jax.random.key(0), shape, betas), prior_draw(jax.random.key(1), shape)
    found = annealed.forward(TARGET, start, given, noise, betas, 0.1).log_w
    np.testing.assert_allclose(found, log_likelihood(start, given), rtol=1e-6)
    wide = np.asarray(found, np.float64)
    np.testing.assert_allclose(annealed.lower(found), np.log(np.exp(wide).mean(0)), rtol=1e-5)
    np.testing.assert_allclose(annealed.upper(found), -np.log(np.exp(-wide).mean(0)), rtol=1e-5)


def test_moves_that_are_not_finite_are_not_taken():
    # Kills: a chain that is lost to one step that is too long.
    def steep(z, given):
        return -jnp.exp(jnp.sum(z**2, -1)) * given

    target, betas, shape = Target(log_prior, steep), annealed.schedule(5), (2, 2, 1)
    noise = annealed.draw(jax.random.key(0), shape, betas)
    found = annealed.forward(target, jnp.ones(shape), jnp.float32(1.0), noise, betas, 1e20, leapfrog=3)
    assert np.all(np.asarray(found.z) == 1) and np.all(np.isfinite(found.log_w)) and not found.accepted.any()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"temperatures": [0.0, 1.0, 1.0]}, "rise from 0 to 1"),
        ({"temperatures": [0.1, 0.5, 1.0]}, "rise from 0 to 1"),
        ({"temperatures": [0.0, math.nan, 1.0]}, "rise from 0 to 1"),
        ({"start": jnp.zeros((2, 2))}, r"z \[K, B, D\]"),
        ({"temperatures": [0.0, 1.0]}, r"momenta \[0, K, B, D\]"),
        ({"levels": jnp.ones((1, 1, 3))}, r"levels \[1, K, B\]"),
        ({"rates": jnp.ones(3)}, "rates are a number"),
        ({"rates": -0.1}, "above 0"),
        ({"rates": math.nan}, "above 0"),
        ({"target": Target(lambda z, given: jnp.zeros(()), TARGET.log_likelihood)}, "log_prior gives"),
        ({"target": Target(TARGET.log_prior, lambda z, given: jnp.zeros(3))}, "log_likelihood gives"),
        ({"leapfrog": 0}, "leapfrog=0"),
    ],
)
def test_refusals(change, says):
    # Kills: temperatures that weigh a part twice; noise of other chains, which broadcasts; moves that all chains share;
    # a density that is summed over the chains; a rate by which every move is taken, or none.
    betas, start = [0.0, 0.5, 1.0], jnp.zeros((2, 3, 2))
    noise = annealed.draw(jax.random.key(0), start.shape, betas)
    asked = {"target": TARGET, "start": start, "temperatures": betas, "rates": 0.1, "leapfrog": 1} | change
    noise = noise._replace(levels=asked.pop("levels", noise.levels))
    with pytest.raises(BadRequest, match=says) as error:
        annealed.forward(asked.pop("target"), asked.pop("start"), simulated(3)[0], noise, **asked)
    assert "\n" not in str(error.value)


def test_refusals_of_schedules():
    # Kills: a schedule of no step; one that divides by zero; a rate that never moves.
    for options in (
        {"steps": 0},
        {"steps": 2.5},
        {"steps": 4, "steep": 0.0},
        {"steps": 4, "steep": math.inf},
        {"steps": 100, "steep": 20},
        {"steps": 4, "steep": "a"},
    ):
        with pytest.raises(BadRequest):
            annealed.schedule(**options)
    betas, start = [0.0, 0.5, 1.0], jnp.zeros((2, 3, 2))
    noise = annealed.draw(jax.random.key(0), start.shape, betas)
    for bad in ({"rate": 0.0}, {"rate": 0.1, "wanted": 1.0}):
        with pytest.raises(BadRequest, match="above 0"):
            annealed.tune(TARGET, start, simulated(3)[0], noise, betas, **bad)
