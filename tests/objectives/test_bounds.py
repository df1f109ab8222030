"""Bounds: by hand, and on a linear-Gaussian model, where log p(x) is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from jaxgen.objectives import GAUSSIAN, DiagGaussian, elbo, importance, standard

RNG = np.random.default_rng(2)
LOG_W = (RNG.normal(size=(5, 3)) * 3 - 40).astype("f")


def test_elbo():
    # Kills: a sum over samples; a mean over the batch.
    np.testing.assert_allclose(elbo(jnp.asarray(LOG_W)), LOG_W.astype("d").mean(0), rtol=1e-5)
    grad = jax.grad(lambda w: elbo(w).sum())(jnp.asarray(LOG_W))
    np.testing.assert_allclose(grad, np.full((5, 3), 1 / 5), rtol=1e-5)


def test_importance():
    # Kills: a missing log K; weights of a softmax of the loss, which gives the worst sample the most.
    wide = LOG_W.astype("d")
    np.testing.assert_allclose(importance(jnp.asarray(LOG_W)), logsumexp(wide, axis=0) - np.log(5), rtol=1e-5)
    grad = jax.grad(lambda w: importance(w).sum())(jnp.asarray(LOG_W))
    np.testing.assert_allclose(grad, np.exp(wide - logsumexp(wide, axis=0)), rtol=1e-4)
    np.testing.assert_array_equal(np.argmax(grad, axis=0), np.argmax(LOG_W, axis=0))


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_importance_moves_with_its_weights(shift):
    # Kills: exp before the maximum is taken out.
    moved = importance(jnp.asarray(LOG_W) + shift) - shift
    np.testing.assert_allclose(moved, importance(jnp.asarray(LOG_W)), rtol=1e-3)


def test_one_sample_is_the_elbo():
    # Kills: log K off by one.
    one = jnp.asarray(LOG_W[:1])
    np.testing.assert_allclose(importance(one), elbo(one), rtol=1e-6)


# z ~ N(0, I), x | z ~ N(W z + b, s^2 I); the columns of W are orthogonal, so the posterior is a diagonal Gaussian.
W = np.linalg.qr(RNG.normal(size=(3, 2)))[0] * [0.9, 0.6]
OFFSET, SPREAD = RNG.normal(size=3), 0.7
X = RNG.normal(size=(4, 3)).astype("f")
LOG_P = multivariate_normal(OFFSET, W @ W.T + SPREAD**2 * np.eye(3)).logpdf(X.astype("d"))


def posterior(x):
    variance = 1 / (1 + (W**2).sum(0) / SPREAD**2)
    mean = (x.astype("d") - OFFSET) @ W / SPREAD**2 * variance
    return mean, np.broadcast_to(0.5 * np.log(variance), mean.shape)


@jax.jit
def log_weights(q, noise, x):
    z = GAUSSIAN.push(q, noise)
    mean = z @ jnp.asarray(W.T, "f") + jnp.asarray(OFFSET, "f")[None, None]
    likelihood = DiagGaussian(mean, jnp.full(3, np.log(SPREAD)))
    return GAUSSIAN.log_prob(likelihood, x) + GAUSSIAN.log_prob(standard(q.mean), z) - GAUSSIAN.log_prob(q, z)


def test_exact_posterior_weighs_every_sample_alike():
    # Kills: an analytic KL in place of the log ratio; a dropped normaliser; a push that log_prob does not know.
    q = DiagGaussian(*(jnp.asarray(a, "f") for a in posterior(X)))
    log_w = log_weights(q, GAUSSIAN.draw(jax.random.key(0), (50, 4, 2)), jnp.asarray(X))
    np.testing.assert_allclose(log_w, np.broadcast_to(LOG_P, (50, 4)), rtol=1e-5)
    for bound in (elbo, importance):
        np.testing.assert_allclose(bound(log_w), LOG_P, rtol=1e-5)


N = 2**19


@pytest.fixture(scope="module")
def wrong():
    """Log-weights [N] float32 of one x under a posterior that is shifted and too wide, and log p(x)."""
    mean, log_std = posterior(X[:1])
    q = DiagGaussian(jnp.asarray(mean + 0.25, "f"), jnp.asarray(log_std + 0.2, "f"))
    return log_weights(q, GAUSSIAN.draw(jax.random.key(1), (N, 1, 2)), jnp.asarray(X[:1]))[:, 0], LOG_P[0]


def test_wrong_posterior_still_has_the_right_mean_weight(wrong):
    # Kills: q evaluated at other parameters than z was drawn from; a dropped prior.
    log_w, log_p = wrong
    w = np.exp(np.asarray(log_w, np.float64) - log_p)
    assert w.std() > 0.1
    assert abs(w.mean() - 1) < 4 * w.std(ddof=1) / np.sqrt(N)


def test_importance_bound_closes_like_one_over_k(wrong):
    # Kills: a bound on the wrong side; a softmax of the loss; log K missing or doubled; a gap that does not fall.
    log_w, log_p = wrong
    ks, gaps = np.array([4, 16, 64]), []
    for k in ks:
        rows = log_w.reshape(k, N // k)
        value = np.asarray(importance(rows), np.float64) - log_p
        mean_weight = np.exp(np.asarray(rows, np.float64) - log_p).mean(0)
        # E w = 1, so subtracting it changes no expectation and takes out nearly all of the noise.
        gaps.append(-(value - (mean_weight - 1)).mean())
    elbo_gap = log_p - np.asarray(elbo(log_w[:, None]), np.float64)[0]
    assert elbo_gap > gaps[0] > gaps[1] > gaps[2] > 0
    slope = np.polyfit(np.log(ks), np.log(gaps), 1)[0]
    assert abs(slope + 1) < 0.1, (slope, gaps)
