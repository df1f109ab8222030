"""Bounds against a model of which log p(x) is known: x = z + noise, both N(0, 1), so x ~ N(0, 2)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.core import BadRequest, Model
from jaxgen.metrics import likelihood

X = np.linspace(-2, 2, 301, dtype=np.float32)[:, None]


def model(mean, std):
    """q(z | x) = N(mean x, std^2); the posterior itself is N(x / 2, 1 / 2)."""

    def log_weight(noise, x, condition=None):
        x = x[None]
        z = mean * x + std * noise
        log_q = jax.scipy.stats.norm.logpdf(noise) - jnp.log(std)
        log_p = jax.scipy.stats.norm.logpdf(z) + jax.scipy.stats.norm.logpdf(x - z)
        return (log_p - log_q)[..., 0]

    return Model(
        draw_posterior=lambda key, K, x, condition=None: jax.random.normal(key, (K, *x.shape)), log_weight=log_weight
    )


def test_bounds_of_the_true_posterior_are_the_likelihood():
    # Kills: examples of the padding counted, or blocks in another order; a bound off by log K; a sign.
    exact = stats.norm.logpdf(X[:, 0], scale=2**0.5)
    for bound in likelihood.bounds(jax.random.key(0), model(0.5, 0.5**0.5), X, samples=32):
        np.testing.assert_allclose(bound, exact, rtol=1e-5, atol=1e-5)


def test_bounds_of_another_posterior():
    # Kills: the mean of weights for that of their logs, or the other way round; one key for all blocks.
    exact = stats.norm.logpdf(X[:, 0], scale=2**0.5)
    found = likelihood.bounds(jax.random.key(0), model(0.5, 1.0), X, samples=64)
    gap = 0.5 * (2 - 1 - np.log(2))  # KL(N(m, 1) || N(m, 1/2))
    errors = found.elbo - (exact - gap)
    assert abs(errors.mean()) < 5 * errors.std(ddof=1) / len(X) ** 0.5
    assert np.all(found.importance >= found.elbo) and abs((found.importance - exact).mean()) < 0.02
    assert np.corrcoef(errors[:64], errors[64:128])[0, 1] < 0.9


def test_interval():
    # Kills: a population's deviation; a variance that is not that of the mean.
    values = np.array([1.0, 2.0, 3.0, 6.0])
    mean, low, high = likelihood.interval(values)
    half = 1.96 * stats.sem(values)
    np.testing.assert_allclose([mean, low, high], [3, 3 - half, 3 + half])


def test_conditions_are_trees():
    # Kills: a slice of a dict; a condition of other examples in a later block. log p(x | c) is that of x + c_a - c_b.
    whole = model(0.5, 0.5**0.5)
    given = Model(
        draw_posterior=whole.draw_posterior,
        log_weight=lambda noise, x, condition: whole.log_weight(noise, x + condition["a"] - condition["b"][0]),
    )
    a, b = (np.random.default_rng(0).normal(size=(2, *X.shape))).astype("f")
    found = likelihood.bounds(jax.random.key(0), given, X, {"a": a, "b": (b,)}, samples=32)
    exact = stats.norm.logpdf((X.astype("d") + a - b)[:, 0], scale=2**0.5)
    np.testing.assert_allclose(found.elbo, exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "x", "samples", "said"),
    [
        (Model(), X, 64, "no bound"),
        (model(0.5, 1.0), X, 0, "samples=0: it must be a whole number of at least 1"),
        (model(0.5, 1.0), X, 2.5, "samples=2.5"),
        (model(0.5, 1.0), X[:0], 64, "x has no example"),
    ],
)
def test_refusals(model, x, samples, said):
    # Kills: a division by no samples; the maximum of nothing; a GAN that is asked for its likelihood.
    with pytest.raises(BadRequest, match=said):
        likelihood.bounds(jax.random.key(0), model, x, samples=samples)
