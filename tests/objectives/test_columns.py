"""Mixed tables: values by SciPy, samples, where the numbers must lie, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, log_softmax, softmax

from jaxgen.core import BadRequest
from jaxgen.objectives import BERNOULLI, LEVELS, NUMBERS, PIXELS, VECTORS, categorical, columns, independent

RNG = np.random.default_rng(0)


def bounded(raw):
    return 7 * np.tanh(raw / 7)


def test_columns():
    # Kills: columns or outputs that are cut at another place; own params handed to the neighbour; noise that is shared.
    table = columns((2, VECTORS), (1, PIXELS), (1, categorical(4)), (1, NUMBERS))
    params = table.init((5,))
    params[0] = jnp.array([0.3, -0.2])
    assert table.outputs(5) == 2 + 1 + 4 + 2
    y = RNG.normal(size=(6, 9)).astype("f")
    x = np.c_[RNG.normal(size=(6, 2)), RNG.integers(0, 2, 6), RNG.integers(0, 4, 6) / 3, RNG.normal(size=6)].astype("f")
    wide, point = y.astype("d"), x.astype("d")
    expected = stats.norm(wide[:, :2], np.exp(bounded(np.array([0.3, -0.2])))).logpdf(point[:, :2]).sum(-1)
    expected += point[:, 2] * wide[:, 2] - np.logaddexp(0, wide[:, 2])
    expected += log_softmax(wide[:, 3:7], -1)[np.arange(6), np.round(point[:, 3] * 3).astype(int)]
    expected += stats.norm(wide[:, 7], np.exp(bounded(wide[:, 8]))).logpdf(point[:, 4])
    np.testing.assert_allclose(table.log_prob(params, jnp.asarray(y), jnp.asarray(x)), expected, rtol=1e-5)
    mean = np.c_[wide[:, :2], expit(wide[:, 2]), softmax(wide[:, 3:7], -1) @ np.arange(4) / 3, wide[:, 7]]
    np.testing.assert_allclose(table.mean(params, jnp.asarray(y)), mean, rtol=1e-5, atol=1e-6)
    noise = table.draw(jax.random.key(0), jnp.asarray(y))
    samples = np.asarray(table.sample(params, noise, jnp.asarray(y)), "d")
    np.testing.assert_allclose(samples[:, 2], mean[:, 2], rtol=1e-5)  # of PIXELS the mean stands for a sample
    np.testing.assert_allclose(samples[:, 3] * 3, np.round(samples[:, 3] * 3), atol=1e-5)
    assert np.all(samples[:, [0, 1, 4]] != mean[:, [0, 1, 4]])
    with pytest.raises(BadRequest, match="describes 5 columns, and x has 4"):
        table.log_prob(params, jnp.asarray(y), jnp.asarray(x[:, :4]))


def test_range_is_the_smallest_that_holds_all_parts():
    # Kills: a table of levels that takes 3 and 5, whose likelihood clips them; a range beside a column of all numbers;
    # the range of the first part for all.
    assert columns((1, categorical(4)), (1, PIXELS)).range == (0.0, 1.0)
    wide = independent(BERNOULLI)._replace(range=(-2.0, 0.5))
    assert columns((1, categorical(4)), (2, wide)).range == columns((2, wide), (1, PIXELS)).range == (-2.0, 1.0)
    assert columns((1, PIXELS), (1, VECTORS)).range is None
    assert columns((1, LEVELS)).levels is None


@pytest.mark.parametrize(
    ("parts", "word"),
    [((), "at least one pair"), (((0, PIXELS),), "count=0: it must be"), (((1.5, PIXELS),), "count=1.5: it must be")],
)
def test_refusals(parts, word):
    # Kills: a table of nothing; a count that cuts columns nowhere.
    with pytest.raises(BadRequest, match=word):
        columns(*parts)
