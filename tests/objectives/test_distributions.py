"""Families: the formulas against float64 arithmetic, and their samples against their densities."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from jaxgen.core import BadRequest
from jaxgen.objectives import (
    BERNOULLI,
    DISCRETISED_LOGISTIC,
    GAUSSIAN,
    LAPLACE,
    DiagGaussian,
    DiagLaplace,
    diag_gaussian,
    standard,
)

RNG = np.random.default_rng(0)
K, B, D = 3, 4, 5
MEAN, LOG_STD = RNG.normal(size=(B, D)).astype("f"), RNG.uniform(-2, 1, (B, D)).astype("f")
Z = (RNG.normal(size=(K, B, D)) * 2).astype("f")


def f64(*arrays):
    return [np.asarray(a, np.float64) for a in arrays]


def test_gaussian_log_prob():
    # Kills: std for variance; a missing 1/2 or log(2 pi); a sum over the batch; theta aligned with the sample axis.
    theta = DiagGaussian(jnp.asarray(MEAN), jnp.asarray(LOG_STD))
    mean, log_std, z = f64(MEAN, LOG_STD, Z)
    expected = stats.norm(mean, np.exp(log_std)).logpdf(z).sum(-1)
    np.testing.assert_allclose(GAUSSIAN.log_prob(theta, jnp.asarray(Z)), expected, rtol=1e-5)

    (grad, grad_z) = jax.grad(lambda t, z: GAUSSIAN.log_prob(t, z).sum(), argnums=(0, 1))(theta, jnp.asarray(Z))
    unit = (z - mean) / np.exp(log_std)
    np.testing.assert_allclose(grad.mean, (unit / np.exp(log_std)).sum(0), rtol=1e-4)
    np.testing.assert_allclose(grad.log_std, (unit**2 - 1).sum(0), rtol=1e-4)
    np.testing.assert_allclose(grad_z, -unit / np.exp(log_std), rtol=1e-5)


def test_gaussian_log_prob_of_many_means():
    # Kills: x [B, N] aligned with the wrong axes of theta [K, B, N]; a shared log_std [N] that counts once per batch.
    mean, x, log_std = Z, MEAN, LOG_STD[0]
    out = GAUSSIAN.log_prob(DiagGaussian(jnp.asarray(mean), jnp.asarray(log_std)), jnp.asarray(x))
    mean, x, log_std = f64(mean, x, log_std)
    np.testing.assert_allclose(out, stats.norm(mean, np.exp(log_std)).logpdf(x).sum(-1), rtol=1e-5)


def test_gaussian_at_its_mean_where_the_std_underflows():
    # Kills: division by exp(log_std), which is 0 / 0 here.
    theta = DiagGaussian(jnp.zeros((1, 1)), jnp.full((1, 1), -80.0))
    value, grad = jax.value_and_grad(lambda t: GAUSSIAN.log_prob(t, jnp.zeros((1, 1))).sum())(theta)
    np.testing.assert_allclose(value, 80 - 0.5 * np.log(2 * np.pi), rtol=1e-6)
    assert grad.mean == 0 and grad.log_std == -1


def test_gaussian_push():
    # Kills: the variance for the std; noise that theta [B, D] does not meet at the batch axis.
    theta = DiagGaussian(jnp.asarray(MEAN), jnp.asarray(LOG_STD))
    mean, log_std, eps = f64(MEAN, LOG_STD, Z)
    np.testing.assert_allclose(GAUSSIAN.push(theta, jnp.asarray(Z)), mean + np.exp(log_std) * eps, rtol=1e-5)
    grad = jax.grad(lambda t: GAUSSIAN.push(t, jnp.asarray(Z)).sum())(theta)
    np.testing.assert_allclose(grad.mean, np.full((B, D), K), rtol=1e-6)
    np.testing.assert_allclose(grad.log_std, (np.exp(log_std) * eps).sum(0), rtol=1e-5)
    np.testing.assert_array_equal(GAUSSIAN.mean(theta), MEAN)


def test_laplace_by_hand():
    # Kills: a scale that is a standard deviation; a missing log 2; a gradient of the wrong sign left of the mean.
    theta = DiagLaplace(jnp.asarray(MEAN), jnp.asarray(LOG_STD))
    mean, log_scale, z = f64(MEAN, LOG_STD, Z)
    scale = np.exp(log_scale)
    expected = stats.laplace(mean, scale).logpdf(z).sum(-1)
    np.testing.assert_allclose(LAPLACE.log_prob(theta, jnp.asarray(Z)), expected, rtol=1e-5)
    np.testing.assert_allclose(LAPLACE.push(theta, jnp.asarray(Z)), mean + scale * z, rtol=1e-5)
    np.testing.assert_array_equal(LAPLACE.mean(theta), MEAN)

    grad, grad_z = jax.grad(lambda t, z: LAPLACE.log_prob(t, z).sum(), argnums=(0, 1))(theta, jnp.asarray(Z))
    np.testing.assert_allclose(grad_z, -np.sign(z - mean) / scale, rtol=1e-5)
    np.testing.assert_allclose(grad.mean, (np.sign(z - mean) / scale).sum(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(grad.log_scale, (np.abs(z - mean) / scale - 1).sum(0), rtol=1e-4)


def test_laplace_samples_match_the_density():
    # Kills: Gaussian noise; noise of another scale.
    theta = DiagLaplace(jnp.array([0.7, -3.0]), jnp.array([0.3, -1.0]))
    z = f64(LAPLACE.push(theta, LAPLACE.draw(jax.random.key(0), (20_000, 2))))[0]
    for d in range(2):
        law = stats.laplace(float(theta.mean[d]), np.exp(float(theta.log_scale[d])))
        assert stats.kstest(z[:, d], law.cdf).pvalue > 0.01
    assert abs(np.corrcoef(z.T)[0, 1]) < 4 / np.sqrt(len(z))


@pytest.mark.parametrize("family", [GAUSSIAN, LAPLACE])
def test_parameters_that_all_points_share(family):
    # Kills: draws merged into one axis and not taken apart again, or in another order; a mean that is shared and a
    # log-scale that is not; shapes in the refusal that are nobody's.
    kind = DiagGaussian if family is GAUSSIAN else DiagLaplace
    repeated = [np.broadcast_to(a[0], (B, D)) for a in (MEAN, LOG_STD)]
    for mean, log_scale in ((MEAN[0], LOG_STD[0]), (repeated[0], LOG_STD[0])):
        shared, spread = (kind(*map(jnp.asarray, pair)) for pair in ((mean, log_scale), repeated))
        for function in (family.push, family.log_prob):
            got, meant = function(shared, jnp.asarray(Z)), function(spread, jnp.asarray(Z))
            assert got.shape == meant.shape
            np.testing.assert_allclose(got, meant, rtol=1e-6)
            slopes = [
                jax.grad(lambda z, f=function, t=t: (f(t, z) ** 2).sum())(jnp.asarray(Z)) for t in (shared, spread)
            ]
            np.testing.assert_allclose(*slopes, rtol=1e-5)
            once, each = (jax.grad(lambda t, f=function: (f(t, Z) ** 2).sum())(t) for t in (shared, spread))
            np.testing.assert_allclose(once[1], each[1].sum(0), rtol=2e-5)
    many = kind(*(np.broadcast_to(a, (2, K, B, D)) for a in (MEAN, LOG_STD)))  # more axes than the points have
    np.testing.assert_allclose(family.log_prob(many, Z)[1], family.log_prob(kind(MEAN, LOG_STD), Z), rtol=1e-6)
    empty, single = jnp.zeros((2, 3, 0)), jnp.float32(0.5)
    assert family.push(kind(jnp.zeros(0), jnp.zeros(0)), empty).shape == (2, 3, 0)
    filled = kind(jnp.full(D, single), jnp.full(D, single))
    np.testing.assert_allclose(family.log_prob(kind(single, single), Z), family.log_prob(filled, Z), rtol=1e-6)
    with pytest.raises(BadRequest, match=re.escape(f"shapes ({D + 1},) and ({D + 1},) and {Z.shape}")):
        family.push(kind(jnp.zeros(D + 1), jnp.zeros(D + 1)), jnp.asarray(Z))


def test_log_std_is_bounded_smoothly():
    # Kills: a clip, whose gradient is dead at 8; a bound on the sample alone; a bound that bends small numbers.
    raw = np.array([-1e4, -8, -1, -1e-3, 0, 1e-3, 1, 8, 1e4], "f")
    bounded = diag_gaussian(jnp.zeros(9), jnp.asarray(raw)).log_std
    np.testing.assert_allclose(bounded, 7 * np.tanh(raw.astype("d") / 7), rtol=1e-5)
    slope = jax.grad(lambda raw: diag_gaussian(jnp.zeros(9), raw).log_std.sum())(jnp.asarray(raw))
    np.testing.assert_allclose(slope[1:-1], np.cosh(raw[1:-1].astype("d") / 7) ** -2, rtol=1e-5)


@pytest.mark.parametrize("family", [GAUSSIAN, LAPLACE])
def test_raw_numbers_are_means_and_then_log_scales(family):
    # Kills: one half at both places, or the halves exchanged; a bound on the mean; a scale that is not bounded.
    raw = np.concatenate([9 * MEAN, 8 * LOG_STD], -1)
    mean, log_scale = family.theta(jnp.asarray(raw))
    np.testing.assert_array_equal(mean, 9 * MEAN)
    np.testing.assert_allclose(log_scale, 7 * np.tanh(8 * LOG_STD.astype("d") / 7), rtol=1e-5)


def test_diag_gaussian_takes_its_arguments_apart():
    # Kills: the log_std for the mean; shapes that meet only later, where they broadcast.
    gaussian = diag_gaussian(jnp.asarray(MEAN), jnp.asarray(LOG_STD[0]))
    np.testing.assert_array_equal(gaussian.mean, MEAN)
    np.testing.assert_allclose(gaussian.log_std, 7 * np.tanh(LOG_STD[0].astype("d") / 7), rtol=1e-5)
    for log_std in (LOG_STD[:, :1], LOG_STD[:2], LOG_STD.T):
        with pytest.raises(BadRequest, match="do not match from the right"):
            diag_gaussian(jnp.asarray(MEAN), jnp.asarray(log_std))


def test_bernoulli_draws_no_one_of_probability_zero():
    # Kills: u <= p, which is met by u = 0 where p = 0.
    logits, noise = jnp.array([-1e4, -1e4, 0.0, 0.0, 1e4]), jnp.array([0.0, 0.5, 0.5, 0.499, 0.999])
    np.testing.assert_array_equal(BERNOULLI.push(logits, noise), [0, 0, 0, 1, 1])


def test_bernoulli_takes_logits_as_they_are():
    # Kills: a bound on logits.
    np.testing.assert_array_equal(BERNOULLI.theta(LOGITS), LOGITS)


def test_standard_is_standard():
    # Kills: log_std of one.
    prior = standard(jnp.asarray(MEAN))
    expected = stats.norm.logpdf(Z.astype("d")).sum(-1)
    np.testing.assert_allclose(GAUSSIAN.log_prob(prior, jnp.asarray(Z)), expected, rtol=1e-5)


LOGITS = np.array([0, 0.5, -0.5, 20, -20, 200, -200, 3e38, -3e38], "f")


@pytest.mark.parametrize("x", [0.0, 0.25, 1.0])
def test_bernoulli_log_prob(x):
    # Kills: log(sigmoid), infinite at -200; x l - softplus(l) taken literally, which has no digit left at l = 20.
    logits = LOGITS[:7] if x == 0.25 else LOGITS  # x l itself leaves float32 near 3e38 in neither case
    point = jnp.full((len(logits), 1), x)
    value, grad = jax.vmap(jax.value_and_grad(BERNOULLI.log_prob))(jnp.asarray(logits)[:, None], point)
    wide = logits.astype("d")
    expected = -x * np.logaddexp(0, -wide) - (1 - x) * np.logaddexp(0, wide)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(grad[:, 0], x * expit(-wide) - (1 - x) * expit(wide), rtol=1e-5, atol=1e-37)


def test_bernoulli_curvature_at_zero():
    # Kills: |l| in the formula, whose second derivative at 0 is 0, where networks that start at zero are.
    second = jax.grad(jax.grad(lambda x: BERNOULLI.log_prob(x[None], jnp.ones(1))))(jnp.zeros(()))
    np.testing.assert_allclose(second, -0.25, rtol=1e-6)


def test_bernoulli_sums_the_event_only():
    # Kills: a mean over pixels.
    logits, x = RNG.normal(size=(K, B, D)).astype("f"), RNG.uniform(size=(B, D)).astype("f")
    wide, point = f64(logits, x)
    expected = (point * wide - np.logaddexp(0, wide)).sum(-1)
    np.testing.assert_allclose(BERNOULLI.log_prob(jnp.asarray(logits), jnp.asarray(x)), expected, rtol=1e-5)
    np.testing.assert_allclose(BERNOULLI.mean(jnp.asarray(logits)), expit(wide), rtol=1e-5)


def test_gaussian_samples_match_the_density():
    # Kills: the variance for the std; uniform noise; noise shared between numbers.
    theta = DiagGaussian(jnp.array([0.7, -3.0]), jnp.array([0.3, -1.0]))
    z = f64(GAUSSIAN.push(theta, GAUSSIAN.draw(jax.random.key(0), (20_000, 2))))[0]
    for d in range(2):
        law = stats.norm(float(theta.mean[d]), np.exp(float(theta.log_std[d])))
        assert stats.kstest(z[:, d], law.cdf).pvalue > 0.01
    assert abs(np.corrcoef(z.T)[0, 1]) < 4 / np.sqrt(len(z))


def test_bernoulli_samples_match_the_density():
    # Kills: u > p; a threshold at the logit; noise that is not uniform.
    logits, n = np.array([-3.0, -0.4, 0.0, 1.0, 4.0]), 20_000
    x = f64(BERNOULLI.push(jnp.asarray(logits, "f"), BERNOULLI.draw(jax.random.key(0), (n, 5))))[0]
    assert set(np.unique(x)) == {0.0, 1.0}
    ones, expected = x.sum(0), n * expit(logits)
    chi2 = ((ones - expected) ** 2 / expected + (ones - expected) ** 2 / (n - expected)).sum()
    assert stats.chi2(5).sf(chi2) > 0.01


@pytest.mark.parametrize("family", [GAUSSIAN, LAPLACE, BERNOULLI, DISCRETISED_LOGISTIC])
def test_noise_depends_on_the_key(family):
    # Kills: a key that is not read.
    a, b = (family.draw(jax.random.key(seed), (B, D)) for seed in (0, 1))
    assert not np.any(np.asarray(a) == np.asarray(b))
    np.testing.assert_array_equal(a, family.draw(jax.random.key(0), (B, D)))
