"""KLs against quadrature and against their gradients by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import roots_hermitenorm

from jaxgen.core import BadRequest
from jaxgen.objectives import (
    BERNOULLI,
    GAUSSIAN,
    LAPLACE,
    DiagGaussian,
    DiagLaplace,
    exact_kl,
    free_bits,
    sampled_kl,
    standard,
)

RNG = np.random.default_rng(1)
B, D = 3, 2
Q = DiagGaussian(*(jnp.asarray(a, "f") for a in (RNG.normal(size=(B, D)), RNG.uniform(-1, 1, (B, D)))))
P = DiagGaussian(*(jnp.asarray(a, "f") for a in (RNG.normal(size=(B, D)), RNG.uniform(-1, 1, (B, D)))))


def by_quadrature(q, p):
    """KL(q || p) [B]: one integral of q log(q / p) per number."""
    out = np.zeros(q.mean.shape)
    for at in np.ndindex(out.shape):
        (m, s), (n, t) = ((float(g.mean[at]), np.exp(float(g.log_std[at]))) for g in (q, p))
        a, b = stats.norm(m, s), stats.norm(n, t)
        out[at] = integrate.quad(
            lambda z, a=a, b=b: a.pdf(z) * (a.logpdf(z) - b.logpdf(z)), m - 12 * s, m + 12 * s, epsabs=1e-12
        )[0]
    return out.sum(-1)


@pytest.mark.parametrize("p", [P, standard(Q.mean)], ids=["gaussian", "standard"])
def test_exact_kl_is_the_integral(p):
    # Kills: KL(p || q); a missing 1/2 or -1; a sum over the batch.
    value = exact_kl(GAUSSIAN, GAUSSIAN).value(Q, p, None)
    np.testing.assert_allclose(value, by_quadrature(Q, p), rtol=1e-5)


@pytest.mark.parametrize("p", [P, standard(Q.mean)], ids=["gaussian", "standard"])
def test_sampled_kl_has_the_integral_as_its_mean(p):
    # Kills: log p - log q; a log-density without its normalisation; samples averaged inside.
    nodes, weights = roots_hermitenorm(20)  # exact for polynomials in the noise, which this is
    z = GAUSSIAN.push(Q, jnp.asarray(np.broadcast_to(nodes[:, None, None], (20, B, D)), "f"))
    value = np.asarray(sampled_kl(GAUSSIAN, GAUSSIAN).value(Q, p, z), np.float64)
    expected = (weights / weights.sum()) @ value
    np.testing.assert_allclose(expected, by_quadrature(Q, p), rtol=1e-5)


@pytest.mark.parametrize("p", [P, standard(Q.mean)], ids=["gaussian", "standard"])
def test_exact_kl_of_a_laplace_is_the_integral(p):
    # Kills: Var z = b^2; the entropy of a Gaussian; a scale that is squared twice. By value and by gradient.
    def integral(m, s, n, t):
        a, b = stats.laplace(m, np.exp(s)), stats.norm(n, np.exp(t))
        sides = [(m - 40 * np.exp(s), m), (m, m + 40 * np.exp(s))]
        return sum(integrate.quad(lambda z: a.pdf(z) * (a.logpdf(z) - b.logpdf(z)), *side)[0] for side in sides)

    q = DiagLaplace(*Q)
    value, grad = jax.value_and_grad(lambda q: exact_kl(LAPLACE, GAUSSIAN).value(q, p, None).sum())(q)
    wide = [np.asarray(a, np.float64) for a in (*q, *p)]
    np.testing.assert_allclose(value, sum(integral(*(a[at] for a in wide)) for at in np.ndindex(B, D)), rtol=1e-5)
    m, s, n, t = wide
    np.testing.assert_allclose(grad.mean, (m - n) / np.exp(2 * t), rtol=1e-5)
    np.testing.assert_allclose(grad.log_scale, 2 * np.exp(2 * (s - t)) - 1, rtol=1e-4, atol=1e-6)


def test_exact_kl_gradient():
    # Kills: a stopped q or p; a factor 2 in log_std.
    gq, gp = jax.grad(lambda q, p: exact_kl(GAUSSIAN, GAUSSIAN).value(q, p, None).sum(), argnums=(0, 1))(Q, P)
    m, s, n, t = (np.asarray(a, np.float64) for a in (*Q, *P))
    ratio, shift = np.exp(2 * (s - t)), (m - n) / np.exp(2 * t)
    np.testing.assert_allclose(gq.mean, shift, rtol=1e-5)
    np.testing.assert_allclose(gq.log_std, ratio - 1, rtol=1e-5)
    np.testing.assert_allclose(gp.mean, -shift, rtol=1e-5)
    np.testing.assert_allclose(gp.log_std, 1 - ratio - (m - n) * shift, rtol=1e-5)


def test_exact_kl_keeps_the_digits_of_a_small_one():
    # Kills: exp(2 a) - 1 - 2 a, which is 0 or 1e-7 here.
    log_std = np.float32(2e-3)
    q = DiagGaussian(jnp.zeros((1, 1)), jnp.full((1, 1), log_std))
    wide = float(log_std)
    expected = 0.5 * np.expm1(2 * wide) - wide
    value = exact_kl(GAUSSIAN, GAUSSIAN).value(q, standard(q.mean), None)
    np.testing.assert_allclose(value, [expected], rtol=1e-3)


def test_sampled_kl_gradient_in_the_sample():
    # Kills: a sample that is stopped inside the divergence.
    z = jnp.asarray(RNG.normal(size=(4, B, D)), "f")
    grad = jax.grad(lambda z: sampled_kl(GAUSSIAN, GAUSSIAN).value(Q, P, z).sum())(z)
    m, s, n, t, x = (np.asarray(a, np.float64) for a in (*Q, *P, z))
    np.testing.assert_allclose(grad, (x - n) / np.exp(2 * t) - (x - m) / np.exp(2 * s), rtol=1e-4)


def test_free_bits_by_hand():
    # Kills: a maximum for each example; a maximum of the sum over latents; a gradient below the floor, or none above;
    # a floor that is added; a sum over the batch inside the maximum.
    q = DiagGaussian(*(jnp.asarray(a, "f") for a in (RNG.normal(size=(4, 6)), RNG.uniform(-1, 1, (4, 6)))))
    m, s = (np.asarray(a, np.float64) for a in q)
    each = 0.5 * (np.exp(2 * s) + m**2 - 1) - s
    means = np.sort(each.mean(0))
    for nats in (0.0, (means[2] + means[3]) / 2, means[5] + 1):
        part = free_bits(exact_kl(GAUSSIAN, GAUSSIAN), float(nats))

        def total(q, part=part):
            return part.cost(q, standard(q.mean), None).mean()

        dear = each.mean(0) > nats
        np.testing.assert_allclose(total(q), np.maximum(each.mean(0), nats).sum(), rtol=1e-5)
        np.testing.assert_allclose(part.cost(q, standard(q.mean), None), np.where(dear, each, nats).sum(-1), rtol=1e-5)
        grad = jax.grad(total)(q)
        np.testing.assert_allclose(grad.mean, dear * m / 4, rtol=1e-5)
        np.testing.assert_allclose(grad.log_std, dear * (np.exp(2 * s) - 1) / 4, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(part.value(q, standard(q.mean), None), each.sum(-1), rtol=1e-5)
        assert part.couples and not part.sampled
    assert not exact_kl(GAUSSIAN, GAUSSIAN).couples and not sampled_kl(GAUSSIAN, GAUSSIAN).couples


def test_free_bits_of_a_laplace():
    # Kills: free bits that know Gaussians only.
    q, p = DiagLaplace(*Q), standard(Q.mean)
    exact = exact_kl(LAPLACE, GAUSSIAN)
    alone = [
        exact.value(DiagLaplace(q.mean[:, d : d + 1], q.log_scale[:, d : d + 1]), standard(q.mean[:, :1]), None)
        for d in range(D)
    ]
    expected = np.maximum(np.mean(np.asarray(alone, np.float64), -1), 0.5).sum()
    np.testing.assert_allclose(free_bits(exact, 0.5).cost(q, p, None).mean(), expected, rtol=1e-5)


def test_free_bits_refuses():
    # Kills: a floor under samples, whose terms are negative half of the time; a floor of nan.
    with pytest.raises(BadRequest, match="exact_kl"):
        free_bits(sampled_kl(GAUSSIAN, GAUSSIAN), 0.1)
    for nats in (-0.1, float("nan"), float("inf")):
        with pytest.raises(BadRequest, match="at least 0"):
            free_bits(exact_kl(GAUSSIAN, GAUSSIAN), nats)


@pytest.mark.parametrize("posterior, law", [(GAUSSIAN, stats.norm), (LAPLACE, stats.laplace), (BERNOULLI, None)])
@pytest.mark.parametrize("prior, prior_law", [(GAUSSIAN, stats.norm), (LAPLACE, stats.laplace), (BERNOULLI, None)])
def test_sampled_kl_of_two_families(posterior, law, prior, prior_law):
    # Kills: one family's density at both places, which no pair of equal families shows; q and p exchanged.
    def theta(family, of):
        return {GAUSSIAN: of, LAPLACE: DiagLaplace(*of), BERNOULLI: of.mean}[family]

    def log_density(law, mean, log_scale, z):
        return law(mean, np.exp(log_scale)).logpdf(z) if law else z * mean - np.logaddexp(0, mean)

    z = RNG.integers(0, 2, (4, B, D)).astype("d")  # where all three have a density
    wide = [[np.asarray(a, np.float64) for a in of] for of in (Q, P)]
    value = sampled_kl(posterior, prior).value(theta(posterior, Q), theta(prior, P), jnp.asarray(z, "f"))
    expected = (log_density(law, *wide[0], z) - log_density(prior_law, *wide[1], z)).sum(-1)
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_exact_kl_refuses_what_has_no_closed_form():
    # Kills: the Gaussian formula for whatever families are given.
    for families in [(GAUSSIAN, BERNOULLI), (BERNOULLI, GAUSSIAN), (BERNOULLI, BERNOULLI), (GAUSSIAN, LAPLACE)]:
        with pytest.raises(BadRequest, match="sampled_kl"):
            exact_kl(*families)
