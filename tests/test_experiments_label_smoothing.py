"""The experiment `label_smoothing`: verdicts on made-up figures, its formulas by other means, a tiny run."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, ttest_rel

from experiments import label_smoothing as whole
from experiments.label_smoothing import learned, training
from experiments.label_smoothing.training import Trained
from jaxgen.metrics.modes import ModeCount
from jaxgen.objectives import NON_SATURATING, smooth

TINY = learned.Config((1.0, 2.0, 8.0), seeds=2, steps=2, batch=8, width=4)


def errors(**rows):
    return {"labels": {n: {"error_of_probability": e, "confidence_on_data": 0.7} for n, e in rows.items()}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (errors(a=0.02, b=0.0), "supported", "Off the formula by 0.02 at most"),
        (errors(a=0.021, b=0.0), "depends", "Not there: a."),
        (errors(a=0.3, b=math.nan), "not supported", "Not there: a; b."),
    ],
)
def test_moves(figures, word, says):
    # Kills: a NaN that counts as there; one critic enough.
    found = learned.moves(figures)
    assert found.word == word and says in found.because


def shares(**rows):
    return {"labels": {n: {"label_of_samples": b, "share_left": share} for n, (b, share) in rows.items()}}


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        (shares(one=(0.0, 2.0), two=(0.1, 0.049)), "supported"),
        (shares(one=(0.0, 2.0), two=(0.1, 0.05)), "not supported"),
        (shares(one=(0.0, 2.0), two=(0.1, 0.01), more=(0.3, 0.5)), "depends"),
        (shares(plain=(0.0, 2.0), one=(0.0, 0.01), two=(0.1, 0.01)), "depends"),
        (shares(plain=(0.0, 0.01), one=(0.0, 0.01), two=(0.1, 0.01)), "not supported"),
    ],
)
def test_costs(figures, word):
    # Kills: a gradient that is lost without smoothing too, held against smoothing; one of two labels enough.
    assert learned.costs(figures).word == word


def gains(**rows):
    made = {n: {"more_modes": [gap, -9.0, 9.0], "p_corrected": p} for n, (gap, p) in rows.items()}
    return {"labels": {training.PLAIN: {"kept_modes": 7.6}} | made}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (gains(a=(1.0, 0.049), b=(0.5, 0.0)), "supported", "Surely more modes: a; b."),
        (gains(a=(1.0, 0.049), b=(0.5, 0.05)), "depends", "Surely more modes: a. No sure difference: b."),
        (gains(a=(-1.0, 0.01), b=(1.0, None)), "not supported", "Surely fewer: a. No sure difference: b."),
    ],
)
def test_helps(figures, word, says):
    # Kills: p values corrected a second time; no smoothing counted as one; a loss of modes not told, or called a gain.
    found = training.helps(figures)
    assert found.word == word and says in found.because and "7.6 of 8" in found.because


def seed(captured, quality=50.0, confidence=0.5):
    return Trained(ModeCount(captured, quality, 0.25), np.zeros((1, 2)), confidence)


def test_seeds_become_figures():
    # Kills: modes among noise that count; a gain that is not paired by seed, or has the other sign.
    plain = [seed(8), seed(6), seed(5)]
    found = training.row([seed(8, confidence=0.8), seed(8, 9.9), seed(7)], plain)
    gaps = np.array([0.0, -6.0, 2.0])
    half = 4.302652729911275 * gaps.std(ddof=1) / math.sqrt(3)
    np.testing.assert_allclose(found.pop("more_modes"), [gaps.mean(), gaps.mean() - half, gaps.mean() + half])
    assert found == {
        "kept_modes": 5.0,
        "seeds_with_all_modes": 1,
        "high_quality_percent": pytest.approx(109.9 / 3),
        "reverse_kl_nats": 0.25,
        "confidence_on_data": pytest.approx(0.6),
        "p": pytest.approx(ttest_rel([8, 0, 7], [8, 6, 5]).pvalue),
    }


def test_p_values_are_corrected():
    # Kills: p values as they are; a correction that counts no smoothing as a test, or is Bonferroni's.
    runs = {training.PLAIN: [seed(n) for n in (4, 5, 6)], "a": [seed(n) for n in (7, 7, 8)]}
    runs["b"] = [seed(n) for n in (5, 4, 8)]
    p = {name: ttest_rel(*([s.kept for s in runs[of]] for of in (name, training.PLAIN))).pvalue for name in "ab"}
    found = {name: row["p_corrected"] for name, row in training.table(runs).items()}
    assert p["a"] < p["b"]
    assert found == {training.PLAIN: None, "a": pytest.approx(2 * p["a"]), "b": pytest.approx(p["b"])}


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (0.9, 0.0), (0.9, 0.1), (0.7, 0.3)])
@pytest.mark.parametrize("d", [1.0, 4.0])
def test_formulas(a, b, d):
    # Kills: labels exchanged; a mean over p in place of q; a gradient of the probability in place of its logarithm.
    x = np.linspace(-3, 6, 10)
    p, q = norm.pdf(x), norm.pdf(x, d)
    np.testing.assert_allclose(learned.optimum(a, b, d, x), (a * p + b * q) / (p + q), rtol=1e-9)

    def log_critic(x):
        p, q = norm.pdf(x), norm.pdf(x, d)
        return np.log((a * p + b * q) / (p + q))

    def slope(x, h=1e-5):
        return (log_critic(x + h) - log_critic(x - h)) / (2 * h)

    exact = quad(lambda x: -slope(x) * norm.pdf(x, d), d - 8, d + 8, limit=200)[0]
    np.testing.assert_allclose(learned.exact_gradient(a, b, d), exact, rtol=1e-5)


@pytest.mark.parametrize(("a", "b"), [(0.9, 0.0), (0.9, 0.1)])
def test_the_shipped_loss_is_least_at_the_formula(a, b):
    # Kills: a formula of other labels than the loss is given.
    x = np.linspace(-3, 4, 8)
    p, q = norm.pdf(x), norm.pdf(x, 2.0)
    best = learned.optimum(a, b, 2.0, x)
    logit = jnp.asarray(np.log(best / (1 - best)), jnp.float32)
    loss = smooth(NON_SATURATING, real=a, fake=b).critic
    slopes = jax.grad(lambda r, f: loss(r, f) @ jnp.ones(8), argnums=(0, 1))(logit, logit)
    np.testing.assert_allclose(p * slopes[0] + q * slopes[1], np.zeros(8), atol=1e-7)


def test_smallest_run_on_the_line():
    # Kills: seeds and distances exchanged; a critic compared with the formula of other labels.
    found = learned.learn(0.9, 0.1, TINY)
    assert found.gradient.shape == (3, 2) and found.shown.shape == (2, len(learned.SHOWN))
    assert np.all((found.at_data > 0) & (found.at_samples < 1))
    row = learned.row(found, 0.9, 0.1, TINY)
    np.testing.assert_allclose(row["share_left"], found.gradient[2].mean() / found.gradient[0].mean())
    perfect = found._replace(
        at_data=learned.optimum(0.9, 0.1, 2.0, learned.NOISE)[None],
        at_samples=learned.optimum(0.9, 0.1, 2.0, 2.0 + learned.NOISE)[None],
    )
    assert learned.row(perfect, 0.9, 0.1, TINY)["error_of_probability"] < 1e-12
    assert learned.row(perfect, 0.9, 0.0, TINY)["error_of_probability"] > 0.04


def test_limits():
    # Kills: a quick run that does not say so; a full one that does.
    found = {"no smoothing": learned.Learned(*[np.full((1, n), 0.5) for n in (201, 721, 721)], np.ones((4, 1)))}
    runs = {"no smoothing": [seed(8), seed(8)]}
    for config, said in ((whole.QUICK, True), (whole.FULL, False)):
        assert all(claim.limits.startswith("Unfinished") == said for claim in whole.claims(found, runs, config))
