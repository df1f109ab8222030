"""Orthogonal regularisation against the slope of its own formula, by differences."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from players import quotients

from jaxgen.core import BadRequest
from jaxgen.training.orthogonal import orthogonal

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("shape", "out"), [((3, 4), -1), ((2, 2, 3, 4), -1), ((4, 3), 0)])
def test_slope_by_differences(shape, out):
    # Kills: the diagonal kept; inputs led apart in place of outputs; half of the slope; a gradient that is replaced.
    w, gradient = RNG.normal(size=shape), RNG.normal(size=shape)

    def cost(w):
        rows = np.moveaxis(w, out, 0).reshape(shape[out], -1)
        return 0.2 * sum((rows[i] @ rows[j]) ** 2 for i in range(len(rows)) for j in range(len(rows)) if i != j)

    found, _ = orthogonal(0.2, out=out).update(jnp.asarray(gradient), optax.EmptyState(), jnp.asarray(w, jnp.float32))
    np.testing.assert_allclose(found - gradient, quotients(cost, w), rtol=1e-3, atol=1e-4)


def test_biases_and_tables_are_left():
    # Kills: a bias as a kernel; a table of labels whose rows are led apart.
    params = {"bias": jnp.ones(3), "Code_0": {"embedding": jnp.ones((3, 3))}, "Dense_0": {"kernel": jnp.ones((3, 3))}}
    tx = orthogonal(1.0)
    zeros = {"bias": jnp.zeros(3), "Code_0": {"embedding": jnp.zeros((3, 3))}, "Dense_0": {"kernel": jnp.zeros((3, 3))}}
    found, _ = tx.update(zeros, tx.init(params), params)
    assert not np.any(found["bias"]) and not np.any(found["Code_0"]["embedding"])
    np.testing.assert_allclose(found["Dense_0"]["kernel"], np.full((3, 3), 4 * 2 * 3.0))


def test_refuses():
    # Kills: a negative strength; an update that cannot see what it regularises.
    for strength in (-1.0, float("inf"), "much"):
        with pytest.raises(BadRequest, match="strength"):
            orthogonal(strength)
    with pytest.raises(BadRequest, match="wants them too"):
        orthogonal(1.0).update(jnp.ones((2, 2)), optax.EmptyState())
