"""Observations: values by SciPy, every one a distribution, means and samples of the same law, mixed tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, log_softmax, softmax

from jaxgen.core import BadRequest
from jaxgen.objectives import (
    BERNOULLI,
    DECODED_LEVELS,
    DISCRETISED_LOGISTIC,
    IMAGE_LOGISTIC,
    LAPLACE,
    LEVELS,
    NUMBERS,
    PIXELS,
    SHARED_GAUSSIAN,
    VECTORS,
    categorical,
    fixed_gaussian,
    independent,
    mixture,
)

RNG = np.random.default_rng(0)
N, SHAPE = 3, (2, 2, 2)
GREYS = RNG.uniform(size=(N, *SHAPE)).astype("f")
BYTES = (np.round(GREYS * 255) / 255).astype("f")
REALS = RNG.normal(size=(N, *SHAPE)).astype("f")


def raw_of(part, seed=1):
    """Outputs of a decoder [N, 2, 2, outputs] and, in float64, side by side per number [N, 2, 2, C, size]."""
    y = np.random.default_rng(seed).normal(size=(N, 2, 2, part.outputs(2))).astype("f")
    return jnp.asarray(y), y.astype("d").reshape(N, 2, 2, 2, -1)


def bounded(raw):
    return 7 * np.tanh(raw / 7)


def level_masses(x, location, log_scale):
    """P of pixel levels at x by differences of the logistic law."""
    law, k = stats.logistic(location, np.exp(log_scale)), np.round(np.asarray(x, "d") * 255)
    above, below = np.where(k == 255, np.inf, (k + 0.5) / 255), np.where(k == 0, -np.inf, (k - 0.5) / 255)
    return np.where(below > location, law.sf(below) - law.sf(above), law.cdf(above) - law.cdf(below))


OWN = {"vectors": RNG.normal(size=SHAPE).astype("f"), "shared": np.float32(0.4), "levels": np.full(SHAPE, 2.5, "f")}


def by_scipy(name, raw, x):
    """log p of each number."""
    first, last = raw[..., 0], raw[..., -1]
    if name == "pixels":
        return x * -np.logaddexp(0, -first) + (1 - x) * -np.logaddexp(0, first)
    if name == "levels":
        return np.log(level_masses(x, expit(first), bounded(OWN["levels"].astype("d")) - np.log(255)))
    if name == "decoded levels":
        return np.log(level_masses(x, expit(first), bounded(last + 3.5) - np.log(255)))
    if name == "vectors":
        return stats.norm(first, np.exp(bounded(OWN["vectors"].astype("d")))).logpdf(x)
    if name == "shared":
        return stats.norm(first, np.exp(bounded(np.float64(OWN["shared"])))).logpdf(x)
    if name == "fixed":
        return stats.norm(first, 0.3).logpdf(x)
    if name == "numbers":
        return stats.norm(first, np.exp(bounded(last))).logpdf(x)
    if name == "laplace":
        return stats.laplace(first, np.exp(bounded(last))).logpdf(x)
    if name == "categorical":
        level = np.round(x * 4).astype(int)[..., None]
        return np.take_along_axis(log_softmax(raw, -1), level, -1)[..., 0]
    parts = raw[..., 3:].reshape(*raw.shape[:-1], 3, 2)  # of a mixture of 3: logits, then the two numbers of each part
    mean, scale = parts[..., 0], bounded(parts[..., 1])
    if name == "mixture of levels":
        each = np.log(level_masses(x[..., None], expit(mean), bounded(parts[..., 1] + 3.5) - np.log(255)))
    else:
        each = stats.norm(mean, np.exp(scale)).logpdf(x[..., None])
    return np.log(np.sum(softmax(raw[..., :3], -1) * np.exp(each), -1))


PARTS = {
    "pixels": (PIXELS, GREYS, ()),
    "levels": (LEVELS, BYTES, OWN["levels"]),
    "decoded levels": (DECODED_LEVELS, BYTES, ()),
    "vectors": (VECTORS, REALS, OWN["vectors"]),
    "shared": (SHARED_GAUSSIAN, REALS, OWN["shared"]),
    "fixed": (fixed_gaussian(0.3), REALS, ()),
    "numbers": (NUMBERS, REALS, ()),
    "laplace": (independent(LAPLACE), REALS, ()),
    "categorical": (categorical(5), np.round(GREYS * 4).astype("f") / 4, ()),
    "mixture": (mixture(3), REALS, ()),
    "mixture of levels": (mixture(3, IMAGE_LOGISTIC), BYTES, ()),
}


@pytest.mark.parametrize("name", PARTS)
def test_log_prob_is_that_of_scipy(name):
    # Kills: outputs of one number read from another; channels and outputs exchanged; a scale that is no log-scale; a
    # mean over pixels; a mixture of log-densities; a missing bound.
    part, x, params = PARTS[name]
    y, raw = raw_of(part)
    expected = by_scipy(name, raw, x.astype("d")).reshape(N, -1).sum(-1)
    np.testing.assert_allclose(part.log_prob(params, y, jnp.asarray(x)), expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("name", PARTS)
def test_gradient_is_the_directional_difference(name):
    # Kills: an output that is stopped, or reaches another number. Central differences of SciPy's values in float64.
    part, x, params = PARTS[name]
    y, raw = raw_of(part)
    away = np.random.default_rng(2).normal(size=raw.shape)
    grad = np.asarray(jax.grad(lambda y: part.log_prob(params, y, jnp.asarray(x)).sum())(y), "d")
    up, down = (by_scipy(name, raw + s * away, x.astype("d")).sum() for s in (1e-5, -1e-5))
    np.testing.assert_allclose(np.vdot(grad, away.reshape(grad.shape)), (up - down) / 2e-5, rtol=1e-3)


LINE = np.linspace(-80, 80, 40_001)
POINTS = {  # a number of each: all of its values, and the width that a value stands for
    "pixels": (np.array([0.0, 1.0]), 1.0),
    "levels": (np.arange(256) / 255, 1.0),
    "decoded levels": (np.arange(256) / 255, 1.0),
    "mixture of levels": (np.arange(256) / 255, 1.0),
    "categorical": (np.arange(5) / 4, 1.0),
}


@pytest.mark.parametrize("name", PARTS)
def test_it_is_a_distribution_and_mean_and_samples_are_its_own(name):
    # Kills: a law that does not sum to 1; edges without their tails; a mean that is the location or the mode; samples
    # of another law, or with one noise for all. 20,000 samples within 5 standard errors of the law's mean and variance.
    part, _, params = PARTS[name]
    params = jax.tree.map(lambda a: a if np.ndim(a) == 0 else a.ravel()[:1], params)
    points, width = POINTS.get(name, (LINE, LINE[1] - LINE[0]))
    raw = jnp.asarray(np.random.default_rng(7).normal(size=(1, part.outputs(1))).astype("f"))
    mass = np.exp(
        np.asarray(part.log_prob(params, jnp.repeat(raw, len(points), 0), jnp.asarray(points[:, None], "f")), "d")
    )
    mass *= width
    np.testing.assert_allclose(mass.sum(), 1, rtol=2e-4)  # of a Laplace, whose corner the grid does not meet, 1e-4
    mean = mass @ points
    np.testing.assert_allclose(part.mean(params, raw)[0, 0], mean, rtol=1e-3, atol=1e-4)
    if part.sample is None:
        return
    many = jnp.repeat(raw, 20_000, 0)
    x = np.asarray(part.sample(params, part.draw(jax.random.key(0), many), many), "d")[:, 0]
    variance = mass @ (points - mean) ** 2
    fourth = mass @ (points - mean) ** 4
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / len(x))
    assert abs(np.mean((x - mean) ** 2) - variance) < 5 * np.sqrt((fourth - variance**2) / len(x)) + 1e-6
    if name in POINTS:
        np.testing.assert_allclose(abs(x[:, None] - points).min(-1), 0, atol=1e-6)


def test_range_and_levels():
    # Kills: bits per dimension of a cross-entropy of greys, or of a density; greys that are let in beyond [0, 1].
    bounds = {name: (part.range, part.levels) for name, (part, *_) in PARTS.items()}
    pixels, anywhere = (0.0, 1.0), (None, None)
    assert bounds == {
        "pixels": (pixels, None),
        "levels": (pixels, 256),
        "decoded levels": (pixels, 256),
        "mixture of levels": (pixels, 256),
        "categorical": (pixels, 5),
        **dict.fromkeys(("vectors", "shared", "fixed", "numbers", "laplace", "mixture"), anywhere),
    }
    assert independent(BERNOULLI).levels is None and independent(BERNOULLI).range == pixels
    assert independent(DISCRETISED_LOGISTIC).levels == 256


def test_starts():
    # Kills: a scale per pixel where one for all was asked for; levels that start as narrow as a level.
    assert VECTORS.init(SHAPE).shape == SHAPE and SHARED_GAUSSIAN.init(SHAPE).shape == () and PIXELS.init(SHAPE) == ()
    for theta in (IMAGE_LOGISTIC.theta(jnp.zeros((1, 2))),):
        std = np.pi / np.sqrt(3) * np.exp(theta.log_scale)
        np.testing.assert_allclose((theta.location[0, 0], std[0, 0]), (0.5, 0.18), atol=0.01)
    np.testing.assert_allclose(LEVELS.init(SHAPE), np.full(SHAPE, 3.5))


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: categorical(1), "at least 2"),
        (lambda: mixture(0), "parts=0: it must be a whole number of at least 1"),
        (lambda: categorical(2.5), "levels=2.5: it must be a whole number"),
        (lambda: fixed_gaussian(0.0), "above 0"),
        (lambda: fixed_gaussian(float("nan")), "above 0"),
    ],
)
def test_refusals(build, word):
    # Kills: a likelihood of nothing, found at the first NaN.
    with pytest.raises(BadRequest, match=word):
        build()


def test_a_number_between_levels_counts_as_the_nearest():
    # Kills: a floor in place of the rounding; an index outside of the logits.
    logits = jnp.arange(5.0)[None]
    for x, level in ((0.12, 0), (0.13, 1), (0.51, 2), (1.3, 4), (-0.2, 0)):
        got = categorical(5).log_prob((), logits, jnp.full((1, 1), x))
        np.testing.assert_allclose(got, log_softmax(np.arange(5.0))[level], rtol=1e-5)


def test_the_best_that_greys_can_have():
    # Kills: the entropy without its sign, or of one side; a mean over the numbers; NaN of bits. On a grid of means.
    means = np.linspace(1e-4, 1 - 1e-4, 9999)
    x = np.concatenate([GREYS.reshape(N, -1), np.array([[0, 1, 0, 1, 1, 1, 0, 0.5]], "f")]).astype("d")
    grid = x[..., None] * np.log(means) + (1 - x[..., None]) * np.log(1 - means)
    np.testing.assert_allclose(PIXELS.best(jnp.asarray(x, jnp.float32)), grid.max(-1).sum(-1), atol=2e-3)
    assert VECTORS.best is None and LEVELS.best is None
