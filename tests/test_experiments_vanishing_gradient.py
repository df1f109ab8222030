"""The experiment `vanishing_gradient`: verdicts on made-up figures, its formulas by quadrature, a tiny run."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from experiments import vanishing_gradient as whole
from experiments.vanishing_gradient import digits, lines, verdicts
from experiments.vanishing_gradient.lines import Course
from experiments.vanishing_gradient.losses import WAYS

LINES = lines.Config((1.0, 8.0), seeds=2, steps=3, batch=8, width=4)
DIGITS = digits.Config(seeds=2, warm=2, steps=3, batch=8, width=4, looked_at=16)


def left(**shares):
    return {"cases": {name.replace("_", ": "): {"share_left": share} for name, share in shares.items()}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (left(a_x=0.049, a_y=0.0), "supported", "Vanishes: a."),
        (left(a_x=0.05, b_x=101.0), "not supported", "Stays: a. Grows more than 100 times: b."),
        (left(a_x=0.01, a_y=0.06, b_x=1.0, b_y=1.0), "depends", "Vanishes: a (x). Stays: a (y); b."),
        (left(a_x=0.01, b_x=None), "depends", "Vanishes: a. Not finite: b."),
        (left(a_x=math.nan), "not supported", "Not finite: a."),
    ],
)
def test_vanishes(figures, word, says):
    # Kills: a loss whose numbers are not finite counted as one that vanishes; one of two data taken for both.
    assert verdicts.vanishes(figures) == (word, says)


@pytest.mark.parametrize(
    ("shares", "word"),
    [
        ((0.01, 1.0, 0.02, 5.0), "supported"),
        ((0.01, 1.0, 0.2, 5.0), "depends"),
        ((0.01, 0.04, 0.02, 5.0), "depends"),
        ((0.2, 1.0, 0.2, 5.0), "not supported"),
        ((0.01, 0.01, 0.02, 0.03), "not supported"),
    ],
)
def test_rescues(shares, word):
    # Kills: an alternative that loses its gradient too, called a rescue; one data set enough.
    names = ("saturating_x", "non-saturating_x", "saturating_y", "non-saturating_y")
    found = verdicts.rescues(left(**dict(zip(names, shares, strict=True))))
    assert found.word == word and "X: saturating" in found.because


def misses(**far):
    return {"losses": {name: {"farthest_from_formula": miss} for name, miss in far.items()}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (misses(a=0.1, b=0.0), "supported", "Within 10 %: a; b."),
        (misses(a=0.11, b=0.0), "depends", "Within 10 %: b. Off: a (11 %)."),
        (misses(a=None, b=math.nan), "not supported", "Off: a (not finite); b (nan %)."),
    ],
)
def test_meets(figures, word, says):
    # Kills: a NaN that meets; a loss without numbers that counts as there.
    assert verdicts.meets(figures) == (word, says)


def test_courses_become_figures():
    # Kills: a seed that is not finite in a mean; the first look taken for the last; the nearest for the farthest.
    gradient = np.arange(1.0, 13.0).reshape(2, 3, 2)  # stops, shifts, seeds
    gradient[1, 2, 1] = np.inf
    course = Course([0, 5], gradient, np.full((2, 3, 2), 0.75))
    assert whole.far(course, (0.5, 1.0, 8.0)) == {
        "share_left": 11 / 9.5,
        "gradient_before": 9.5,
        "gradient_after": 11.0,
        "told_apart_percent": 75.0,
        "seeds_not_finite": 1,
    }
    assert whole.late(Course([0, 5], gradient[:, :1], np.ones((2, 1, 2))))["share_left"] == 7.5 / 1.5
    row = whole.against("f-GAN KL", course, (0.5, 1.0, 8.0))  # whose formula is the distance itself
    assert row["farthest_from_formula"] == 7.5 / 0.5 - 1 and row["formula_at_8"] == 8.0


def expected(values, d, of=0.0):
    return quad(lambda x: values(d * d / 2 - d * x) * norm.pdf(x, of), of - 12, of + 12, epsabs=1e-11, limit=300)[0]


@pytest.mark.parametrize("d", [0.5, 2.0, 4.0])
def test_formulas(d):
    # Kills: a mean over p in place of q; a derivative of the sigmoid left out; a distance that is not d.
    exact = {
        "saturating": d * expected(expit, d, d),
        "non-saturating": d * expected(lambda r: 1 - expit(r), d, d),
        "least squares": d * expected(lambda r: (1 - expit(r)) * expit(r) * (1 - expit(r)), d, d),
        # The divergences of two Gaussians, differentiated by hand.
        "f-GAN KL": d,
        "f-GAN reverse KL": d,
        "f-GAN Pearson": 2 * d * math.exp(d * d),
        "f-GAN Hellinger": d / 2 * math.exp(-d * d / 8),
        "f-GAN total variation": math.exp(-d * d / 8) / math.sqrt(2 * math.pi),
        "hinge": 2 * math.exp(-d * d / 8) / math.sqrt(2 * math.pi),
    }
    for name, wanted in exact.items():
        np.testing.assert_allclose(WAYS[name].optimum(d), wanted, rtol=1e-7, err_msg=name)


@pytest.mark.parametrize("d", [0.5, 2.0])
def test_formulas_of_pairs(d):
    # Kills: the pairs' difference with another mean or spread than d^2 and sqrt(2) d; a sign.
    rng = np.random.default_rng(0)
    real, fake = (rng.normal(of, size=400_000) for of in (0.0, d))
    gap = d * (fake - real)
    drawn = d * expit(gap)
    assert abs(WAYS["relativistic"].optimum(d) - drawn.mean()) < 5 * drawn.std() / math.sqrt(len(drawn))


@pytest.mark.parametrize("d", [1.0, 4.0])
def test_the_penalised_critic_is_at_its_best(d):
    # Kills: a slope of another density of mixed points, or without the factor 2 of the square.
    x = np.linspace(-7, d + 7, 1401)
    h, gap = x[1] - x[0], norm.cdf(x) - norm.cdf(x, d)
    u = (np.arange(400) + 0.5) / 400
    mixed = norm.pdf(x[:, None], (1 - u) * d, np.sqrt(u**2 + (1 - u) ** 2)).mean(1)

    def loss(slope):  # of the downward slope s: E f(fake) - E f(real) = -int s gap, and the penalty
        return h * np.sum(-slope * gap + 10 * mixed * (slope - 1) ** 2)

    best = 1 + gap / (20 * mixed)
    for other in (best + 0.01, best - 0.01, best + 0.01 * np.sin(x)):
        assert loss(best) < loss(other)
    np.testing.assert_allclose(WAYS["Wasserstein, penalty"].optimum(d), h * np.sum(best * norm.pdf(x, d)), rtol=1e-4)


@pytest.mark.parametrize("name", ["saturating", "relativistic", "f-GAN Hellinger"])
def test_figures_at_a_critic_that_is_known(name):
    # Kills: a gradient of the real side; real and fake exchanged; pairs of equal noise in place of all pairs.
    d, scale = 1.0, 0.5 if name == "f-GAN Hellinger" else 1.0
    found = lines.figures(WAYS[name], lambda x: scale * (d * d / 2 - d * x[:, 0]), jnp.float32(d))
    np.testing.assert_allclose(found[0], WAYS[name].optimum(d), rtol=2e-4)
    assert abs(float(found[1]) - norm.cdf(1 / math.sqrt(2))) < 0.05  # ties of nodes count as not told apart


def test_figures_of_a_loss_with_means_of_its_own():
    # Kills: means over the nodes, which have unequal weights; a side of the loss left out.
    d, z = 1.0, norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    real, fake = -(z**2) / 4, -((d + z) ** 2) / 4
    by_hand = expit(real.mean() - fake) * (d + z) / 2 + expit(real - fake.mean()).mean() * (d + z).mean() / 2
    found = lines.figures(WAYS["relativistic average"], lambda x: -(x[:, 0] ** 2) / 4, jnp.float32(d))
    np.testing.assert_allclose(found[0], by_hand.mean(), rtol=1e-3)


def test_lines_have_an_axis_for_each_thing():
    # Kills: seeds and shifts exchanged; figures of one run under another.
    course = lines.course("saturating", LINES)
    assert course.gradient.shape == course.told_apart.shape == (len(course.stops), 2, 2)
    alone = lines.course("saturating", dataclasses.replace(LINES, shifts=(1.0,)))
    np.testing.assert_allclose(course.gradient[:, 0], alone.gradient[:, 0], rtol=1e-4)
    assert np.all((course.told_apart >= 0) & (course.told_apart <= 1))


def test_digits_hold_the_same_generators():
    # Kills: a generator that goes on learning, or is another for each loss; a critic that is not fresh.
    found = digits.courses(("saturating", "f-GAN Hellinger"), DIGITS)
    first, second = found.values()
    assert first.gradient.shape == (len(first.stops), 1, 2) and np.all(np.isfinite(first.gradient))
    np.testing.assert_allclose(first.told_apart[0], second.told_apart[0], rtol=1e-6)  # before the losses differ
    assert not np.allclose(first.gradient[-1], second.gradient[-1], rtol=1e-3)


def test_limits():
    # Kills: a quick run that does not say so; a full one that does.
    assert whole._limits(whole.QUICK).startswith("Unfinished: few seeds")
    assert "Unfinished" not in whole._limits(whole.FULL)


def test_advice_follows_from_the_figures():
    # Kills: a loss that keeps its gradient on one data set alone; one whose gradient explodes.
    shares = {"a: x": 0.01, "a: y": 0.5, "b: x": 0.5, "b: y": 3.0, "c: x": 0.5, "c: y": 101.0}
    cases = {"cases": {name: {"share_left": share} for name, share in shares.items()}}
    assert verdicts.practice(cases).endswith("on all data: b.")
    assert verdicts.practice({"cases": {"a: x": {"share_left": 0.01}}}).startswith("No loss")
