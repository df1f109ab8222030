"""Gradients of expectations against closed forms; the cut sample, through which nothing flows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.objectives import (
    BERNOULLI,
    CUT,
    DREG,
    GAUSSIAN,
    PATHWISE,
    SCORE,
    DiagGaussian,
    elbo,
    expectation,
    importance,
    standard,
)
from jaxgen.objectives.estimators import law_of

M, S, SHIFT, N = 0.7, 1.3, -0.4, 200_000
THETA = DiagGaussian(jnp.full((1, 1), M), jnp.full((1, 1), jnp.log(S)))


def square(theta, z):
    return jnp.sum((z - SHIFT) ** 2, axis=-1)


def kl(theta, z):
    return GAUSSIAN.log_prob(theta, z) - GAUSSIAN.log_prob(standard(theta.mean), z)


def mean_cost(estimator, cost, theta, noise):
    """The expected cost; what the cost says of theta at a fixed z is part of it."""
    return expectation(lambda z: cost(theta, z), theta, noise, estimator=estimator).sum()


def gradients(estimator, cost, samples=1):
    """One gradient of the mean over samples per draw, [N] float64 by name."""
    noise = GAUSSIAN.draw(jax.random.key(3), (N, samples, 1, 1))
    grads = jax.jit(jax.vmap(lambda eps: jax.grad(lambda t: mean_cost(estimator, cost, t, eps))(THETA)))(noise)
    return {name: np.asarray(g, np.float64).ravel() for name, g in grads._asdict().items()}


EXACT = {  # of E f and of KL(N(M, S^2) || N(0, 1)), in mean and log_std
    square: {"mean": 2 * (M - SHIFT), "log_std": 2 * S**2},
    kl: {"mean": M, "log_std": S**2 - 1},
}


@pytest.mark.parametrize("cost", EXACT)
@pytest.mark.parametrize("estimator, samples", [(PATHWISE, 1), (SCORE, 2), (SCORE, 5)])
def test_unbiased(estimator, samples, cost):
    # Kills: a stopped z; a missing chain through log_std; noise of another law. In the score function: a baseline that
    # holds the sample itself; an analytic term that is dropped, or counted in the score as well.
    for name, g in gradients(estimator, cost, samples).items():
        error = g.std(ddof=1) / np.sqrt(N)
        assert abs(g.mean() - EXACT[cost][name]) < 5 * error, (name, g.mean(), error)


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
        def value(r):
            return expectation(lambda z: 2 * z[..., 0] + 1, r, u, family=BERNOULLI, estimator=SCORE).sum()

        return jax.grad(value)(logits)

    g = np.asarray(jax.jit(jax.vmap(one))(noise), np.float64).ravel()
    p = 1 / (1 + np.exp(-0.4))
    assert abs(g.mean() - 2 * p * (1 - p)) < 5 * g.std(ddof=1) / np.sqrt(N)


def test_score_needs_another_sample():
    # Kills: 0 / 0 where there is no other sample.
    with pytest.raises(BadRequest, match="K >= 2"):
        mean_cost(SCORE, square, THETA, jnp.zeros((1, 1, 1)))


def test_score_wants_a_cost_for_each_sample():
    # Kills: a cost [K, 1] that broadcasts over the examples.
    theta = DiagGaussian(jnp.zeros((4, 1)), jnp.zeros((4, 1)))
    with pytest.raises(BadRequest, match=r"\[3, 4\]: it needs .* not \[3, 1\]"):
        mean_cost(SCORE, lambda theta, z: jnp.sum(z, (1, 2))[:, None], theta, jnp.zeros((3, 4, 1)))


def test_pathwise_is_the_total_derivative():
    # Kills: log q evaluated at a stopped theta, which is as unbiased (sticking the landing) but another estimator.
    noise = GAUSSIAN.draw(jax.random.key(0), (5, 1, 1))
    grad = jax.grad(lambda t: mean_cost(PATHWISE, kl, t, noise))(THETA)
    eps = np.asarray(noise, np.float64)
    z = M + S * eps  # log q(z) - log p(z) = z^2 / 2 - eps^2 / 2 - log S
    np.testing.assert_allclose(grad.mean, [[z.mean()]], rtol=1e-4)
    np.testing.assert_allclose(grad.log_std, [[(z * S * eps - 1).mean()]], rtol=1e-4)


def test_cut_passes_nothing_through_the_sample():
    # Kills: a stop_gradient on theta's analytic terms instead of the sample; none at all.
    noise = GAUSSIAN.draw(jax.random.key(0), (5, 1, 1))
    through = jax.grad(lambda t: mean_cost(CUT, square, t, noise))(THETA)
    assert all(np.all(np.asarray(g) == 0) for g in through)

    analytic = jax.grad(lambda t: mean_cost(CUT, kl, t, noise))(THETA)
    eps = np.asarray(noise, np.float64)
    np.testing.assert_allclose(analytic.mean, [[(eps / S).mean()]], rtol=1e-4)  # d log q / d mean at a fixed z
    np.testing.assert_allclose(analytic.log_std, [[(eps**2 - 1).mean()]], rtol=1e-4)


def renyi(log_w):
    """Of order 1/2, arXiv 1602.02311: a bound that the package does not know."""
    return 2 * importance(log_w / 2)


BOUNDS = [elbo, importance, renyi]


@pytest.mark.parametrize("bound", BOUNDS)
def test_score_is_exactly_unbiased_under_every_bound(bound):
    # Kills: a baseline that holds the sample itself; an advantage that is that of another bound.
    # Two samples of one Bernoulli number: all four outcomes, weighed by their probabilities.
    reward, logits = jnp.array([0.3, -1.1]), jnp.full((1, 1), 0.4)
    outcomes = jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]])

    def value(logits, ones):
        noise = 0.99 * (1.0 - ones)[:, None, None]  # below p where z is one
        draws = SCORE.sample(law_of(BERNOULLI), logits, noise)
        return draws.reduce(bound, reward[draws.z[..., 0].astype(int)]).sum()

    values, grads = jax.jit(jax.vmap(jax.value_and_grad(value), (None, 0)))(logits, outcomes)
    values, grads = np.asarray(values, np.float64), np.asarray(grads, np.float64).ravel()
    p = 1 / (1 + np.exp(-0.4))
    weights, ones = np.array([(1 - p) ** 2, p * (1 - p), p * (1 - p), p**2]), np.array([0, 1, 1, 2])
    exact = weights @ (values * (ones - 2 * p))  # d weight / d logit = weight (ones - 2 p)
    np.testing.assert_allclose(weights @ grads, exact, rtol=1e-5)


LOG_W = np.random.default_rng(4).normal(size=(4, 3)).astype("f")


def slopes(estimator, bound, log_w=LOG_W, beta=1.0):
    """d bound / d mean of q, [K, 4, 3]: by sample, of log-weights that are constants, and dz = d mean."""
    theta = DiagGaussian(jnp.full((4, 3, 1), 0.2), jnp.zeros((4, 3, 1)))  # a mean for every sample: [K, B, 1]
    noise = jnp.asarray(np.random.default_rng(5).normal(size=(4, 3, 1)), "f")

    def value(theta):
        draws = estimator.sample(law_of(GAUSSIAN), theta, noise)
        moved = draws.z[..., 0] - jax.lax.stop_gradient(draws.z[..., 0])  # d log w / dz = 1
        return draws.reduce(bound, jnp.asarray(log_w) + moved, beta).sum()

    return np.asarray(jax.grad(value)(theta).mean[..., 0], np.float64), np.asarray(noise[..., 0], np.float64)


def test_score_under_the_importance_bound_is_vimco():
    # Kills: the arithmetic mean of the other weights as baseline; a logsumexp that leaves the sample out altogether.
    slope, eps = slopes(SCORE, importance)
    w = LOG_W.astype("d")
    others = (w.sum(0) - w) / 3
    for k in range(4):
        without = w.copy()
        without[k] = others[k]  # the geometric mean of the other weights
        advantage = np.logaddexp.reduce(w, 0) - np.logaddexp.reduce(without, 0)
        np.testing.assert_allclose(slope[k], advantage * eps[k], rtol=1e-4, atol=1e-6)


def test_score_takes_the_same_way_for_the_elbo_by_any_name():
    # Kills: a shortcut for the ELBO that is another estimator.
    for a, b in zip(slopes(SCORE, elbo), slopes(SCORE, lambda w: elbo(w)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_doubly_reparametrised_factors(beta):
    # Kills: sticking the landing under the importance bound (factor w_k in place of w_k^2); beta that is not in the
    # factor. With d log w_k / d z_k = 1 the slope of sample k is L_k - beta L_kk.
    w = np.exp(LOG_W - np.logaddexp.reduce(LOG_W.astype("d"), 0))
    half = np.exp(LOG_W / 2 - np.logaddexp.reduce(LOG_W.astype("d") / 2, 0))
    expected = {
        elbo: np.full((4, 3), 0.25),
        importance: w - beta * w * (1 - w),
        renyi: half - beta * half * (1 - half) / 2,
    }
    for bound, slope in expected.items():
        np.testing.assert_allclose(slopes(DREG, bound, beta=beta)[0], slope, rtol=1e-5)


def test_doubly_reparametrised_is_w_squared_where_a_weight_vanishes():
    # Kills: 0 / 0 where a weight underflows.
    far = LOG_W - np.array([0, 0, 0, 500], "f")[:, None]
    slope = slopes(DREG, importance, far)[0]
    w = np.exp(far - np.logaddexp.reduce(far.astype("d"), 0))
    np.testing.assert_allclose(slope, w**2, rtol=1e-4, atol=1e-30)


def test_sticking_the_landing_is_still_at_the_posterior():
    # Kills: log q at parameters that are not stopped. If q is p(z | x), log w is constant, and no draw has a gradient.
    noise = GAUSSIAN.draw(jax.random.key(0), (3, 1, 1))

    def value(estimator, bound, theta):
        draws = estimator.sample(law_of(GAUSSIAN), theta, noise)
        return draws.reduce(bound, GAUSSIAN.log_prob(jax.lax.stop_gradient(theta), draws.z) - draws.log_q).sum()

    for bound in BOUNDS:
        for leaf in jax.grad(lambda t, bound=bound: value(DREG, bound, t))(THETA):
            np.testing.assert_allclose(leaf, 0, atol=1e-6)
        assert np.abs(jax.grad(lambda t, bound=bound: value(PATHWISE, bound, t))(THETA).mean) > 1e-2


@pytest.mark.parametrize("bound", BOUNDS)
def test_value_does_not_depend_on_the_estimator(bound):
    # Kills: an estimator that rescales or shifts the bound.
    noise = GAUSSIAN.draw(jax.random.key(0), (5, 1, 1))
    values = []
    for estimator in (PATHWISE, CUT, SCORE, DREG):
        draws = estimator.sample(law_of(GAUSSIAN), THETA, noise)
        values.append(draws.reduce(bound, -square(THETA, draws.z) - draws.log_q))
    for other in values[1:]:
        np.testing.assert_allclose(values[0], other, rtol=1e-6)


@pytest.mark.parametrize("estimator", [PATHWISE, DREG])
def test_a_family_without_a_path_is_refused(estimator):
    # Kills: a gradient of zero for theta of a discrete family, in silence.
    with pytest.raises(BadRequest, match="differentiates the sample"):
        expectation(lambda z: z[..., 0], jnp.zeros((1, 1)), jnp.zeros((1, 1, 1)), family=BERNOULLI, estimator=estimator)
