"""The f-GAN family: values and gradients against float64 arithmetic, bounds against quadrature over two Gaussians."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from jaxgen.core import BadRequest
from jaxgen.objectives import NON_SATURATING, SATURATING, f_gan
from jaxgen.objectives.f_divergences import F_DIVERGENCES

VALUES = np.array([-1e4, -50, -3, -0.4, 0, 1.5, 20, 1e4])
REAL, FAKE = (a.ravel() for a in np.meshgrid(VALUES, VALUES))


def big(x):
    """Extended precision, whose exponents reach e^1e4: an infinity of ours is then that of rounding to float32."""
    return np.asarray(x, np.longdouble)


def softplus(v):
    return np.logaddexp(0, v)


def one(v):
    return 0 * v + 1


ROWS = {  # T, f*(T) and the derivatives of both, of the logit
    "kl": (lambda v: v, lambda v: np.exp(v - 1), one, lambda v: np.exp(v - 1)),
    "reverse_kl": (lambda v: -np.exp(-v), lambda v: v - 1, lambda v: np.exp(-v), one),
    "pearson": (lambda v: v, lambda v: v**2 / 4 + v, one, lambda v: v / 2 + 1),
    "hellinger": (lambda v: 1 - np.exp(-v), lambda v: np.exp(v) - 1, lambda v: np.exp(-v), np.exp),
    "jensen_shannon": (
        lambda v: np.log(2) - softplus(-v),
        lambda v: softplus(v) - np.log(2),
        lambda v: expit(-v),
        expit,
    ),
    "gan": (lambda v: -softplus(-v), softplus, lambda v: expit(-v), expit),
    "total_variation": (
        lambda v: np.tanh(v) / 2,
        lambda v: np.tanh(v) / 2,
        lambda v: 2 * expit(2 * v) * expit(-2 * v),
        lambda v: 2 * expit(2 * v) * expit(-2 * v),
    ),
}


def slopes(loss):
    return jax.vmap(jax.value_and_grad(lambda r, f: loss(r[None], f[None])[0], argnums=(0, 1)))


@pytest.mark.parametrize("name", F_DIVERGENCES)
def test_value_and_gradient(name):
    # Kills: a sign; real and fake swapped; a row in the place of another; f* that is not that of T; a quotient that is
    # NaN at the extremes; infinity where the number is finite in float32; "activation" for "bound".
    activation, conjugate, d_activation, d_conjugate = ROWS[name]
    r, f = big(REAL), big(FAKE)
    exact = {
        f_gan(name).critic: (conjugate(f) - activation(r), -d_activation(r), d_conjugate(f)),
        f_gan(name).generator: (-conjugate(f), 0 * r, -d_conjugate(f)),
        f_gan(name, generator="activation").generator: (-activation(f), 0 * r, -d_activation(f)),
    }
    for loss, wanted in exact.items():
        out, (g_real, g_fake) = slopes(loss)(REAL.astype("f"), FAKE.astype("f"))
        for ours, theirs in zip((out, g_real, g_fake), wanted, strict=True):
            with np.errstate(over="ignore", under="ignore"):
                np.testing.assert_allclose(ours, theirs.astype("f"), rtol=1e-5, atol=1e-6)


def test_the_kl_row_in_literal_numbers():
    # Kills: an expected value that repeats the formula.
    loss = f_gan("kl")
    np.testing.assert_allclose(loss.critic(jnp.array([2.0]), jnp.array([1.0])), [-1.0], rtol=1e-6)
    np.testing.assert_allclose(loss.generator(jnp.array([2.0]), jnp.array([0.0])), [-0.36787944], rtol=1e-6)


def test_the_gan_row_is_the_minimax_game():
    # Kills: log 4 lost or added; the alternative generator in the place of the zero-sum one.
    r, f = REAL.astype("f"), FAKE.astype("f")
    zero_sum, alternative = f_gan("gan"), f_gan("gan", generator="activation")
    np.testing.assert_allclose(zero_sum.critic(r, f), SATURATING.critic(r, f), rtol=1e-6)
    np.testing.assert_allclose(zero_sum.generator(r, f), SATURATING.generator(r, f), rtol=1e-6)
    np.testing.assert_allclose(alternative.generator(r, f), NON_SATURATING.generator(r, f), rtol=1e-6)


# --- the bound

X = np.linspace(-14, 16, 30_001)
P, Q = norm(0, 1), norm(0.8, 1.3)
LOG_RATIO = P.logpdf(X) - Q.logpdf(X)
H = X[1] - X[0]


def expect(law, values):
    """By the trapezoidal rule; what is infinite where the density is zero counts as nothing."""
    density = law.pdf(X)
    return H * np.sum(density * np.where(density > 0, np.asarray(values, np.float64), 0.0))


def m_of(sign):
    """KL of the one law from the mean of both: the halves of Jensen-Shannon."""
    one, other = (P, Q) if sign > 0 else (Q, P)
    return expect(one, one.logpdf(X) - np.log((one.pdf(X) + other.pdf(X)) / 2))


KL = math.log(1.3) + (1 + 0.64) / (2 * 1.69) - 0.5
REVERSE = -math.log(1.3) + (1.69 + 0.64) / 2 - 0.5
CHI2 = expect(Q, (np.exp(LOG_RATIO) - 1) ** 2)
HELLINGER = 2 - 2 * math.sqrt(2 * 1.3 / (1 + 1.69)) * math.exp(-0.64 / (4 * (1 + 1.69)))
EXACT = {
    "kl": KL,
    "reverse_kl": REVERSE,
    "pearson": CHI2,
    "hellinger": HELLINGER,
    "jensen_shannon": m_of(1) + m_of(-1),
    "gan": m_of(1) + m_of(-1) - math.log(4),
    "total_variation": H * np.sum(np.abs(P.pdf(X) - Q.pdf(X))) / 2,
}


def bound(name, logits):
    """E_p T - E_q f*(T) by the two halves of the shipped loss."""
    loss, v = f_gan(name), jnp.asarray(logits, jnp.float32)
    at_fake = -np.asarray(loss.generator(v, v), np.float64)
    at_real = at_fake - np.asarray(loss.critic(v, v), np.float64)
    return expect(P, at_real) - expect(Q, at_fake)


@pytest.mark.parametrize("name", F_DIVERGENCES)
def test_the_bound_is_tight_at_its_optimum_alone(name):
    # Kills: an optimum of another row; a conjugate that is not that of f; a bound that is above its divergence.
    row = F_DIVERGENCES[name]
    best = np.asarray(row.optimum(jnp.asarray(LOG_RATIO, jnp.float32)), np.float64)
    inside = np.abs(X - 0.4) < 9  # beyond, the densities are below 1e-15, and logits may overflow
    np.testing.assert_allclose(bound(name, np.where(inside, best, 0)), EXACT[name], rtol=1e-5)
    np.testing.assert_allclose(expect(Q, np.where(inside, row.f(np.exp(LOG_RATIO)), 0)), EXACT[name], rtol=1e-5)
    for change in (lambda v: v + 0.3, lambda v: 0.7 * v, lambda v: v + 0.2 * X):
        other = change(np.clip(best, -1, 1) if name == "total_variation" else best)
        assert bound(name, np.where(inside, other, 0)) < EXACT[name] - 1e-4 * abs(EXACT[name])


@pytest.mark.parametrize("name", F_DIVERGENCES)
def test_it_is_zero_for_equal_laws(name):
    # Kills: a constant in a row that its conjugate does not have.
    v = F_DIVERGENCES[name].optimum(jnp.zeros(1))
    np.testing.assert_allclose(-f_gan(name).critic(v, v), [-math.log(4) if name == "gan" else 0.0], atol=1e-6)


def test_a_divergence_of_your_own():
    # Kills: constants that are looked up by name.
    own = F_DIVERGENCES["kl"]._replace(activation=lambda v: 2 * v)
    np.testing.assert_allclose(f_gan(own).critic(jnp.ones(1), jnp.ones(1)), [1 - 2], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"divergence": "renyi"}, "it has kl, reverse_kl, pearson"),
        ({"divergence": 2.0}, 'such as "kl"'),
        ({"divergence": "kl", "generator": "both"}, "'bound' or 'activation', not 'both'"),
    ],
)
def test_refusals(options, says):
    # Kills: a KeyError; a generator that is chosen by anything but a known word.
    with pytest.raises(BadRequest, match=says):
        f_gan(**options)
