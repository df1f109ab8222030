"""Adversarial losses and label smoothing, value and gradient, against float64 arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, logit

from jaxgen.core import BadRequest
from jaxgen.objectives import (
    HINGE,
    LEAST_SQUARES,
    NON_SATURATING,
    RELATIVISTIC,
    RELATIVISTIC_AVERAGE,
    SATURATING,
    WASSERSTEIN,
    least_squares,
    margin,
    smooth,
    top_k,
)
from jaxgen.objectives.adversarial import mean_loss

VALUES = [-200, -20, -1.5, 0, 0.3, 20, 200]
PEARSON = least_squares(fake=-1.0, real=1.0, target=0.0)
REAL, FAKE = (a.ravel().astype("f") for a in np.meshgrid(VALUES, VALUES))


def softplus(x):
    return np.logaddexp(0, x)


def zero(r, f):
    return 0 * r


def sigmoid_critic(a, b):
    """Value, d/d real and d/d fake of the cross-entropy with targets a for real and b for fake."""
    return (
        lambda r, f: a * softplus(-r) + (1 - a) * softplus(r) + b * softplus(-f) + (1 - b) * softplus(f),
        lambda r, f: (1 - a) * expit(r) - a * expit(-r),
        lambda r, f: (1 - b) * expit(f) - b * expit(-f),
    )


ROWS = {  # loss, then value, d/d real, d/d fake
    "classifier": (SATURATING.critic, *sigmoid_critic(1, 0)),
    "same classifier": (NON_SATURATING.critic, *sigmoid_critic(1, 0)),
    "smooth": (smooth(NON_SATURATING).critic, *sigmoid_critic(0.9, 0.0)),
    "two-sided": (smooth(SATURATING, real=0.8, fake=0.1).critic, *sigmoid_critic(0.8, 0.1)),
    "saturating": (SATURATING.generator, lambda r, f: -softplus(f), zero, lambda r, f: -expit(f)),
    "non-saturating": (NON_SATURATING.generator, lambda r, f: softplus(-f), zero, lambda r, f: -expit(-f)),
    "least squares critic": (
        LEAST_SQUARES.critic,
        lambda r, f: ((r - 1) ** 2 + f**2) / 2,
        lambda r, f: r - 1,
        lambda r, f: f,
    ),
    "smooth least squares": (
        smooth(LEAST_SQUARES, real=0.9, fake=0.2).critic,
        lambda r, f: ((r - 0.9) ** 2 + (f - 0.2) ** 2) / 2,
        lambda r, f: r - 0.9,
        lambda r, f: f - 0.2,
    ),
    "least squares generator": (LEAST_SQUARES.generator, lambda r, f: (f - 1) ** 2 / 2, zero, lambda r, f: f - 1),
    "pearson critic": (
        PEARSON.critic,
        lambda r, f: ((r - 1) ** 2 + (f + 1) ** 2) / 2,
        lambda r, f: r - 1,
        lambda r, f: f + 1,
    ),
    "smooth pearson": (  # a tenth of the way from 1 to -1
        smooth(PEARSON, real=0.9).critic,
        lambda r, f: ((r - 0.8) ** 2 + (f + 1) ** 2) / 2,
        lambda r, f: r - 0.8,
        lambda r, f: f + 1,
    ),
    "pearson generator": (PEARSON.generator, lambda r, f: f**2 / 2, zero, lambda r, f: f),
    "hinge critic": (
        HINGE.critic,
        lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f),
        lambda r, f: -np.where(r < 1, 1.0, 0.0),
        lambda r, f: np.where(f > -1, 1.0, 0.0),
    ),
    "hinge generator": (HINGE.generator, lambda r, f: -f, zero, lambda r, f: 0 * f - 1),
    "margin critic": (
        margin(1.4).critic,
        lambda r, f: np.maximum(0, 1.4 + f) - r,
        lambda r, f: zero(r, f) - 1,
        lambda r, f: np.where(f > -1.4, 1.0, 0.0),
    ),
    "margin generator": (margin(1.4).generator, lambda r, f: -f, zero, lambda r, f: 0 * f - 1),
    "wasserstein critic": (WASSERSTEIN.critic, lambda r, f: f - r, lambda r, f: zero(r, f) - 1, lambda r, f: 1 + 0 * f),
    "wasserstein generator": (WASSERSTEIN.generator, lambda r, f: -f, zero, lambda r, f: 0 * f - 1),
    "paired critic": (
        RELATIVISTIC.critic,
        lambda r, f: softplus(f - r),
        lambda r, f: -expit(f - r),
        lambda r, f: expit(f - r),
    ),
    "paired generator": (
        RELATIVISTIC.generator,
        lambda r, f: softplus(r - f),
        lambda r, f: expit(r - f),
        lambda r, f: -expit(r - f),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_value_and_gradient(name):
    # Kills: real and fake swapped; a sign; a generator trained uphill; digits lost where the critic is sure.
    loss, value, d_real, d_fake = ROWS[name]
    out, (g_real, g_fake) = jax.jit(
        jax.vmap(jax.value_and_grad(lambda r, f: loss(r[None], f[None])[0], argnums=(0, 1)))
    )(REAL, FAKE)
    r, f = REAL.astype("d"), FAKE.astype("d")
    for ours, exact in [(out, value(r, f)), (g_real, d_real(r, f)), (g_fake, d_fake(r, f))]:
        np.testing.assert_allclose(ours, exact, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("scale", [1, 1e4])
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_relativistic_average(shape, scale):
    # Kills: real and fake swapped; the other mean, or no mean; a mean over one axis of patches; a stopped mean; one of
    # the two halves left out, or halved; a softplus that overflows.
    rng = np.random.default_rng(0)
    real, fake = (scale * rng.normal(size=shape).astype("f") for _ in range(2))
    r, f = real.astype("d"), fake.astype("d")
    n = r.size
    sides = {  # values, then d/d real and d/d fake of their mean
        "critic": (
            softplus(f.mean() - r) + softplus(f - r.mean()),
            -(expit(f.mean() - r) + expit(f - r.mean()).mean()) / n,
            (expit(f.mean() - r).mean() + expit(f - r.mean())) / n,
        ),
        "generator": (
            softplus(r.mean() - f) + softplus(r - f.mean()),
            (expit(r.mean() - f).mean() + expit(r - f.mean())) / n,
            -(expit(r.mean() - f) + expit(r - f.mean()).mean()) / n,
        ),
    }
    for side, exact in sides.items():
        loss = getattr(RELATIVISTIC_AVERAGE, side)
        slopes = jax.grad(lambda r, f, loss=loss: loss(r, f).mean(), argnums=(0, 1))(real, fake)
        for ours, theirs in zip((loss(real, fake), *slopes), exact, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7 * scale)


def test_relativistic_average_couples():
    # Kills: a loss that micro-batches would compute wrongly without a word.
    assert RELATIVISTIC_AVERAGE.couples and not RELATIVISTIC.couples
    real = jnp.zeros(2)
    before, after = (RELATIVISTIC_AVERAGE.critic(real, jnp.array([0.0, last])) for last in (0.0, 1.0))
    assert before[0] != after[0]


TOP = [((7,), 0.5, 4), ((7,), 1.0, 7), ((5, 2, 3), 0.2, 1), ((100,), 0.55, 55), ((3,), 1e-12, 1)]


@pytest.mark.parametrize(("shape", "share", "kept"), TOP)
def test_top_k(shape, share, kept):
    # Kills: the fakes that the critic finds least real, or that the loss is largest of; a mean over all of them;
    # patches that are chosen one by one; a k that is rounded down, or up for a rounding error, or to 0; a critic that
    # sees a part; a slope of the others.
    rng = np.random.default_rng(0)
    real, fake = (rng.normal(size=shape).astype("f") for _ in range(2))
    f = fake.astype("d")
    best = np.argsort(-f.reshape(shape[0], -1).mean(-1))[:kept]
    loss = top_k(NON_SATURATING, share)
    value, grad = jax.value_and_grad(lambda f: mean_loss(loss.generator(real, f), f))(jnp.asarray(fake))
    np.testing.assert_allclose(value, softplus(-f[best]).mean(), rtol=1e-5)
    by_hand = np.zeros(shape)
    by_hand[best] = -expit(-f[best]) / f[best].size
    np.testing.assert_allclose(grad, by_hand, rtol=1e-5, atol=1e-7)
    assert loss.critic is NON_SATURATING.critic and loss.couples


def test_top_k_leaves_out_what_is_not_finite():
    # Kills: a weight of 0, which makes NaN of a value that is infinite.
    values = top_k(WASSERSTEIN).generator(jnp.zeros(4), jnp.array([3.0, -jnp.inf, 2.0, -jnp.inf]))
    np.testing.assert_array_equal(values, [-6.0, 0.0, -4.0, 0.0])


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: top_k("x"), "loss must be of the type Adversarial"),
        (lambda: top_k(HINGE, None), "share must be"),
        (lambda: margin(None), "m must be"),
    ],
)
def test_parts_of_another_type_are_refused(build, word):
    # Kills: a TypeError or an AttributeError, at once or from the first step.
    with pytest.raises(BadRequest, match=word):
        build()


@pytest.mark.parametrize("m", [0.0, -1.0, float("inf"), float("nan")])
def test_margin_needs_room(m):
    # Kills: a critic that raises energies for ever, or not at all.
    with pytest.raises(BadRequest, match="finite number above 0"):
        margin(m)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
def test_top_k_needs_a_part(share):
    # Kills: a generator that learns from no fake.
    with pytest.raises(BadRequest, match=r"must be in \(0, 1\]"):
        top_k(HINGE, share)


def test_the_mean_is_over_all_logits():
    # Kills: a mean over examples of a sum over patches; all pairs, or a mean, averaged without a word.
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2, 4)), "f")
    got, grad = jax.value_and_grad(lambda f: mean_loss(NON_SATURATING.generator(logits, f), f))(2 * logits)
    f = 2 * np.asarray(logits, np.float64)
    np.testing.assert_allclose(got, softplus(-f).mean(), rtol=1e-6)
    np.testing.assert_allclose(grad, -expit(-f) / 24, rtol=1e-5)
    for values, shape in ((logits[0, 0][:, None] - logits[0, :1], r"\(4, 4\)"), (jnp.zeros(()), r"\(\)")):
        with pytest.raises(BadRequest, match=rf"one number per logit, \(4,\), not {shape}"):
            mean_loss(values, logits[0, 0])


@pytest.mark.parametrize("targets", [{"real": 0.0}, {"fake": float("nan")}, {"target": float("inf")}])
def test_least_squares_needs_two_targets(targets):
    # Kills: targets that make every critic as good as the next one; one that ends a run.
    with pytest.raises(BadRequest, match="finite targets with real != fake"):
        least_squares(**targets)


def test_the_minimax_game_is_zero_sum_and_worth_minus_log_4():
    # Kills: a generator loss that is not the critic's part with the other sign; a log in another base.
    tie = jnp.zeros(1)
    np.testing.assert_allclose(-SATURATING.critic(tie, tie), [-np.log(4)], rtol=1e-6)
    ours, theirs = (jax.grad(lambda f, fn=fn: fn(REAL, f).sum())(jnp.asarray(FAKE)) for fn in SATURATING[:2])
    np.testing.assert_allclose(ours, -np.asarray(theirs), rtol=1e-6)


@pytest.mark.parametrize("real, fake", [(0.9, 0.1), (0.9, 0.0), (1.0, 0.0), (0.7, 0.2)])
@pytest.mark.parametrize("p, q", [(0.8, 0.1), (0.2, 0.2), (0.05, 1.3)])
def test_optimal_smoothed_critic(real, fake, p, q):
    # Kills: labels swapped; smoothing of the logit instead of the label; one side that is not smoothed.
    loss = smooth(NON_SATURATING, real=real, fake=fake)

    def slope(level):
        """d/d level of p * (real part) + q * (fake part), at one point of density p under data and q under fakes."""
        at = jnp.full(1, level)
        d_real, d_fake = jax.grad(lambda r, f: loss.critic(r, f).sum(), argnums=(0, 1))(at, at)
        return (p * d_real + q * d_fake).item()

    best = logit((real * p + fake * q) / (p + q))
    assert abs(slope(best)) < 1e-6 * (p + q)
    assert slope(best - 0.1) < 0 < slope(best + 0.1)


def test_smoothing_leaves_the_generator():
    # Kills: a generator that is trained on smoothed labels as well.
    for loss in (SATURATING, NON_SATURATING):
        assert smooth(loss).generator is loss.generator
        np.testing.assert_allclose(
            smooth(loss, real=1.0, fake=0.0).critic(REAL, FAKE), loss.critic(REAL, FAKE), rtol=1e-6
        )


@pytest.mark.parametrize("loss", [SATURATING, NON_SATURATING])
def test_labelled(loss):
    # Kills: labels of the wrong side; a label per example that is broadcast over the batch.
    label = np.linspace(0, 1, len(REAL)).astype("f")
    r, y = REAL.astype("d"), label.astype("d")
    np.testing.assert_allclose(
        loss.labelled(jnp.asarray(REAL), jnp.asarray(label)),
        y * softplus(-r) + (1 - y) * softplus(r),
        rtol=1e-5,
        atol=1e-37,
    )


@pytest.mark.parametrize("loss", [WASSERSTEIN, RELATIVISTIC, RELATIVISTIC_AVERAGE, HINGE])
def test_smooth_needs_labels(loss):
    # Kills: a smoothed loss that fails only when it is trained.
    with pytest.raises(BadRequest, match="LEAST_SQUARES"):
        smooth(loss)


@pytest.mark.parametrize("real, fake", [(0.1, 0.9), (0.5, 0.5), (1.1, 0.1), (0.9, -0.1), (float("nan"), 0.1)])
def test_smooth_needs_ordered_labels(real, fake):
    # Kills: labels outside [0, 1], or turned round.
    with pytest.raises(BadRequest, match="0 <= fake < real <= 1"):
        smooth(NON_SATURATING, real=real, fake=fake)
