"""Gradients of expectations against closed forms; the cut sample, through which nothing flows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.objectives import (
    BERNOULLI,
    CUT,
    GAUSSIAN,
    IMPORTANCE,
    MEAN,
    PATHWISE,
    SCORE,
    DiagGaussian,
    sampled_kl,
    standard,
)

M, S, SHIFT, N = 0.7, 1.3, -0.4, 200_000
THETA = DiagGaussian(jnp.full((1, 1), M), jnp.full((1, 1), jnp.log(S)))
KL = sampled_kl(GAUSSIAN, GAUSSIAN)


def square(z, theta):
    return jnp.sum((z - SHIFT) ** 2, axis=-1)


def kl(z, theta):
    return KL.value(theta, standard(theta.mean), z)


def gradients(estimator, cost_of, samples=1):
    """One gradient of the mean over samples per draw, [N] float64 by name."""
    noise = GAUSSIAN.draw(jax.random.key(3), (N, samples, 1, 1))

    def one(eps):
        return jax.grad(lambda theta: estimator.cost(GAUSSIAN, theta, eps, cost_of).mean())(THETA)

    grads = jax.jit(jax.vmap(one))(noise)
    return {name: np.asarray(g, np.float64).ravel() for name, g in grads._asdict().items()}


EXACT = {  # of E f and of KL(N(M, S^2) || N(0, 1)), in mean and log_std
    square: {"mean": 2 * (M - SHIFT), "log_std": 2 * S**2},
    kl: {"mean": M, "log_std": S**2 - 1},
}


@pytest.mark.parametrize("cost_of", EXACT)
@pytest.mark.parametrize("estimator, samples", [(PATHWISE, 1), (SCORE, 2), (SCORE, 5)])
def test_unbiased(estimator, samples, cost_of):
    # Kills: a stopped z; a missing chain through log_std; noise of another law. In the score function: a baseline that
    # holds the sample itself; an analytic term that is dropped, or counted in the score as well.
    for name, g in gradients(estimator, cost_of, samples).items():
        error = g.std(ddof=1) / np.sqrt(N)
        assert abs(g.mean() - EXACT[cost_of][name]) < 5 * error, (name, g.mean(), error)


def test_pathwise_variance():
    # Kills: a gradient with the right mean from another estimator (score function: 43.2), or noise used twice.
    variance = gradients(PATHWISE, square)["mean"].var(ddof=1)
    np.testing.assert_allclose(variance, 4 * S**2, rtol=0.05)


@pytest.mark.parametrize("samples", [2, 5])
def test_score_variance(samples):
    # Kills: no baseline, or the mean of all samples for that of the others.
    # With the others' mean as baseline the estimator is the sample covariance of f and s = eps / S, whose variance
    # over K samples is (m22 - m11^2 (K - 2) / (K - 1) + m20 m02 / (K - 1)) / K, in central moments m of (f, s).
    d = M - SHIFT
    m11, m20, m02, m22 = 2 * d, 4 * d**2 * S**2 + 2 * S**4, S**-2, 12 * d**2 + 10 * S**2
    expected = (m22 - m11**2 * (samples - 2) / (samples - 1) + m20 * m02 / (samples - 1)) / samples
    variance = gradients(SCORE, square, samples)["mean"].var(ddof=1)
    np.testing.assert_allclose(variance, expected, rtol=0.05)


def test_score_reaches_a_discrete_family():
    # Kills: a gradient that asks for a path; log q at the pushed noise instead of the sample.
    logits, noise = jnp.full((1, 1), 0.4), BERNOULLI.draw(jax.random.key(0), (N, 3, 1, 1))

    def one(u):
        return jax.grad(lambda r: SCORE.cost(BERNOULLI, r, u, lambda z, theta: 2 * z[..., 0] + 1).mean())(logits)

    g = np.asarray(jax.jit(jax.vmap(one))(noise), np.float64).ravel()
    p = 1 / (1 + np.exp(-0.4))
    assert abs(g.mean() - 2 * p * (1 - p)) < 5 * g.std(ddof=1) / np.sqrt(N)


def test_score_needs_another_sample():
    # Kills: 0 / 0 where there is no other sample.
    with pytest.raises(BadRequest, match="K >= 2"):
        SCORE.cost(GAUSSIAN, THETA, jnp.zeros((1, 1, 1)), square)


def test_score_wants_a_cost_for_each_sample():
    # Kills: a cost [K, 1] that broadcasts over the examples.
    with pytest.raises(BadRequest, match=r"\(3, 4\), by costs of the same shape, not \(3, 1\)"):
        theta = DiagGaussian(jnp.zeros((4, 1)), jnp.zeros((4, 1)))
        SCORE.cost(GAUSSIAN, theta, jnp.zeros((3, 4, 1)), lambda z, theta: jnp.sum(z, (1, 2))[:, None])


def test_pathwise_is_the_total_derivative():
    # Kills: log q evaluated at a stopped theta, which is as unbiased (sticking the landing) but another estimator.
    noise = GAUSSIAN.draw(jax.random.key(0), (5, 1, 1))
    grad = jax.grad(lambda t: PATHWISE.cost(GAUSSIAN, t, noise, kl).sum())(THETA)
    eps = np.asarray(noise, np.float64)
    z = M + S * eps  # log q(z) - log p(z) = z^2 / 2 - eps^2 / 2 - log S
    np.testing.assert_allclose(grad.mean, [[z.sum()]], rtol=1e-4)
    np.testing.assert_allclose(grad.log_std, [[(z * S * eps - 1).sum()]], rtol=1e-4)


def test_cut_passes_nothing_through_the_sample():
    # Kills: a stop_gradient on theta's analytic terms instead of the sample; none at all.
    noise = GAUSSIAN.draw(jax.random.key(0), (5, 1, 1))
    through = jax.grad(lambda t: CUT.cost(GAUSSIAN, t, noise, square).sum())(THETA)
    assert all(np.all(np.asarray(g) == 0) for g in through)

    analytic = jax.grad(lambda t: CUT.cost(GAUSSIAN, t, noise, kl).sum())(THETA)
    eps = np.asarray(noise, np.float64)
    np.testing.assert_allclose(analytic.mean, [[(eps / S).sum()]], rtol=1e-4)  # d log q / d mean at a fixed z
    np.testing.assert_allclose(analytic.log_std, [[(eps**2 - 1).sum()]], rtol=1e-4)


@pytest.mark.parametrize("bound", [MEAN, IMPORTANCE])
def test_score_is_unbiased_where_it_says_so(bound):
    # Kills: a score function that is let in under a bound of which its mean is not the gradient, or is kept out of one.
    # Two samples of one Bernoulli number: all four outcomes, weighed.
    reward, logits = jnp.array([0.3, -1.1]), jnp.full((1, 1), 0.4)
    outcomes = jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]])

    def value(logits, ones):
        noise = 0.99 * (1.0 - ones)[:, None, None]  # below p where z is one
        return bound.value(SCORE.cost(BERNOULLI, logits, noise, lambda z, theta: reward[z[..., 0].astype(int)])).sum()

    values, grads = jax.jit(jax.vmap(jax.value_and_grad(value), (None, 0)))(logits, outcomes)
    values, grads = np.asarray(values, np.float64), np.asarray(grads, np.float64).ravel()
    p = 1 / (1 + np.exp(-0.4))
    weights, ones = np.array([(1 - p) ** 2, p * (1 - p), p * (1 - p), p**2]), np.array([0, 1, 1, 2])
    exact = weights @ (values * (ones - 2 * p))  # d weight / d logit = weight (ones - 2 p)
    assert np.isclose(weights @ grads, exact, rtol=1e-5) == (bound.linear or not SCORE.linear_only)


def test_what_an_estimator_says_of_itself():
    # Kills: a flag that lets a game be built which learns nothing, or refuses a sound one.
    said = {e: (e.needs_pathwise, e.linear_only, e.samples) for e in (PATHWISE, CUT, SCORE)}
    assert said == {PATHWISE: (True, False, 1), CUT: (False, False, 1), SCORE: (False, True, 2)}
    for estimator in said:
        noise = jnp.zeros((estimator.samples, 1, 1))
        assert estimator.cost(GAUSSIAN, THETA, noise, square).shape == (estimator.samples, 1)


@pytest.mark.parametrize("cost_of", EXACT)
def test_value_does_not_depend_on_the_estimator(cost_of):
    # Kills: an estimator that rescales or shifts the cost.
    noise = GAUSSIAN.draw(jax.random.key(0), (5, 1, 1))
    a, *others = (e.cost(GAUSSIAN, THETA, noise, cost_of) for e in (PATHWISE, CUT, SCORE))
    for b in others:
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_pathwise_refuses_a_family_without_a_path():
    # Kills: a gradient of zero for theta of a discrete family, in silence.
    with pytest.raises(BadRequest, match="differentiable"):
        PATHWISE.cost(BERNOULLI, jnp.zeros((1, 1)), jnp.zeros((1, 1, 1)), square)
