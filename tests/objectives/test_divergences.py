"""KLs against quadrature and against their gradients by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from jaxgen.core import BadRequest
from jaxgen.objectives import (
    BERNOULLI,
    GAUSSIAN,
    LAPLACE,
    DiagGaussian,
    DiagLaplace,
    closed_form,
    kl,
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
def test_kl_is_the_integral(p):
    # Kills: KL(p || q); a missing 1/2 or -1; a sum over the batch.
    value = kl(GAUSSIAN, GAUSSIAN)(Q, p)
    np.testing.assert_allclose(value, by_quadrature(Q, p), rtol=1e-5)


@pytest.mark.parametrize("p", [P, standard(Q.mean)], ids=["gaussian", "standard"])
def test_kl_of_a_laplace_is_the_integral(p):
    # Kills: Var z = b^2; the entropy of a Gaussian; a scale that is squared twice. By value and by gradient.
    def integral(m, s, n, t):
        a, b = stats.laplace(m, np.exp(s)), stats.norm(n, np.exp(t))
        sides = [(m - 40 * np.exp(s), m), (m, m + 40 * np.exp(s))]
        return sum(integrate.quad(lambda z: a.pdf(z) * (a.logpdf(z) - b.logpdf(z)), *side)[0] for side in sides)

    q = DiagLaplace(*Q)
    value, grad = jax.value_and_grad(lambda q: kl(LAPLACE, GAUSSIAN)(q, p).sum())(q)
    wide = [np.asarray(a, np.float64) for a in (*q, *p)]
    np.testing.assert_allclose(value, sum(integral(*(a[at] for a in wide)) for at in np.ndindex(B, D)), rtol=1e-5)
    m, s, n, t = wide
    np.testing.assert_allclose(grad.mean, (m - n) / np.exp(2 * t), rtol=1e-5)
    np.testing.assert_allclose(grad.log_scale, 2 * np.exp(2 * (s - t)) - 1, rtol=1e-4, atol=1e-6)


def test_kl_gradient():
    # Kills: a stopped q or p; a factor 2 in log_std.
    gq, gp = jax.grad(lambda q, p: kl(GAUSSIAN, GAUSSIAN)(q, p).sum(), argnums=(0, 1))(Q, P)
    m, s, n, t = (np.asarray(a, np.float64) for a in (*Q, *P))
    ratio, shift = np.exp(2 * (s - t)), (m - n) / np.exp(2 * t)
    np.testing.assert_allclose(gq.mean, shift, rtol=1e-5)
    np.testing.assert_allclose(gq.log_std, ratio - 1, rtol=1e-5)
    np.testing.assert_allclose(gp.mean, -shift, rtol=1e-5)
    np.testing.assert_allclose(gp.log_std, 1 - ratio - (m - n) * shift, rtol=1e-5)


def test_kl_keeps_the_digits_of_a_small_one():
    # Kills: exp(2 a) - 1 - 2 a, which is 0 or 1e-7 here.
    log_std = np.float32(2e-3)
    q = DiagGaussian(jnp.zeros((1, 1)), jnp.full((1, 1), log_std))
    wide = float(log_std)
    expected = 0.5 * np.expm1(2 * wide) - wide
    value = kl(GAUSSIAN, GAUSSIAN)(q, standard(q.mean))
    np.testing.assert_allclose(value, [expected], rtol=1e-3)


LOGITS = [(0.0, 0.0), (0.3, -1.2), (-4.0, 2.5), (6.0, 5.9), (30.0, -25.0), (-90.0, -80.0), (200.0, -200.0), (1e4, 1e4)]


def test_kl_of_bernoullis():
    # Kills: KL(p || q); one side of the coin alone; a log of a probability, which is -inf at 200; a softplus of the
    # other logit. Against sums over both sides in float64, and the gradient against its closed form.
    q, p = (jnp.asarray(a, jnp.float32)[:, None] for a in zip(*LOGITS, strict=True))
    a, b = (np.asarray(t, np.float64)[:, 0] for t in (q, p))

    def log_sigmoid(x):
        return -np.logaddexp(0, -x)

    sides = [(expit(s * a), log_sigmoid(s * a) - log_sigmoid(s * b)) for s in (1, -1)]
    expected = sum(mass * ratio for mass, ratio in sides)
    value, (gq, gp) = jax.vmap(jax.value_and_grad(kl(BERNOULLI, BERNOULLI), argnums=(0, 1)))(q, p)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(gq[:, 0], expit(a) * expit(-a) * (a - b), rtol=1e-4, atol=1e-30)
    np.testing.assert_allclose(gp[:, 0], expit(b) - expit(a), rtol=1e-4, atol=1e-7)


def test_kl_of_bernoullis_keeps_the_digits_of_a_small_one():
    # Kills: the difference of two softplus, which is off by 6e-8: half of the value here.
    value = kl(BERNOULLI, BERNOULLI)(jnp.full((1, 1), 1e-3), jnp.zeros((1, 1)))
    np.testing.assert_allclose(value, [1e-6 / 8], rtol=1e-3)


def test_kl_of_laplaces_is_the_integral():
    # Kills: the Gaussian's; scales exchanged; exp(-d / c) for exp(-d / b). By value and by gradient.
    def integral(m, s, n, t):
        a, b = stats.laplace(m, np.exp(s)), stats.laplace(n, np.exp(t))
        ends = sorted({m - 40 * np.exp(s), m, n, m + 40 * np.exp(s)})
        f = lambda z: a.pdf(z) * (a.logpdf(z) - b.logpdf(z))  # noqa: E731
        return sum(integrate.quad(f, *ends[i : i + 2])[0] for i in range(len(ends) - 1))

    q, p = DiagLaplace(*Q), DiagLaplace(*P)
    value, grad = jax.value_and_grad(lambda q: kl(LAPLACE, LAPLACE)(q, p).sum())(q)
    m, s, n, t = (np.asarray(a, np.float64) for a in (*q, *p))
    np.testing.assert_allclose(value, sum(integral(m[i], s[i], n[i], t[i]) for i in np.ndindex(B, D)), rtol=1e-5)
    d, b, c = abs(m - n), np.exp(s), np.exp(t)
    np.testing.assert_allclose(grad.mean, np.sign(m - n) * (1 - np.exp(-d / b)) / c, rtol=1e-4)
    np.testing.assert_allclose(grad.log_scale, np.exp(-d / b) * (b + d) / c - 1, rtol=1e-4, atol=1e-6)
    near = kl(LAPLACE, LAPLACE)(
        DiagLaplace(jnp.zeros((1, 1)), jnp.full((1, 1), 2e-3)), DiagLaplace(*jnp.zeros((2, 1, 1)))
    )
    np.testing.assert_allclose(near, [np.expm1(2e-3) - 2e-3], rtol=1e-3)


PAIRS = [(GAUSSIAN, GAUSSIAN), (LAPLACE, GAUSSIAN), (LAPLACE, LAPLACE), (BERNOULLI, BERNOULLI)]


@pytest.mark.parametrize("posterior, prior", PAIRS)
def test_closed_form_is_the_kl_by_number(posterior, prior):
    # Kills: a sum over numbers or the batch; a closed form that is lost by a family that reads its theta elsewhere.
    q, p = (f.theta(jnp.concatenate(a[: f.size], -1)) for f, a in ((posterior, Q), (prior, P)))
    mine = posterior._replace(theta=lambda raw: posterior.theta(2 * raw), draw=lambda key, shape: jnp.zeros(shape))
    each = closed_form(mine, prior)(q, p)
    assert each.shape == (B, D)
    np.testing.assert_allclose(each.sum(-1), kl(posterior, prior)(q, p), rtol=1e-6)


@pytest.mark.parametrize("posterior, prior", PAIRS)
def test_closed_form_is_the_mean_of_the_log_ratio(posterior, prior):
    # Kills: a closed form that belongs to another pair of densities. 200,000 samples, 5 standard errors.
    q, p = (f.theta(jnp.concatenate(a[: f.size], -1)[:1]) for f, a in ((posterior, Q), (prior, P)))
    z = posterior.push(q, posterior.draw(jax.random.key(0), (200_000, 1, D)))
    ratio = np.asarray(posterior.log_prob(q, z) - prior.log_prob(p, z), np.float64)[:, 0]
    off = ratio.mean() - float(kl(posterior, prior)(q, p)[0])
    assert abs(off) < 5 * ratio.std() / np.sqrt(len(ratio))


def test_kl_refuses_what_has_no_closed_form():
    # Kills: the Gaussian formula for whatever families are given.
    for families in [(GAUSSIAN, BERNOULLI), (BERNOULLI, GAUSSIAN), (GAUSSIAN, LAPLACE)]:
        assert closed_form(*families) is None
        with pytest.raises(BadRequest, match="log q"):
            kl(*families)


def test_parameters_in_place_of_families_are_refused():
    # Kills: an AttributeError for the call that a reader of "KL(q || p)" tries first.
    with pytest.raises(BadRequest, match=r"posterior must be of the type Family, such as GAUSSIAN.*, not DiagGaussian"):
        kl(Q, P)
