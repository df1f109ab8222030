"""Orthogonal regularisation against the slope of its own formula, by differences."""

import jax
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
    # Kills: a bias as a kernel, also one of two axes; a table of labels whose rows are led apart, of Linen or of Haiku.
    left = {"bias": (3,), "position": {"bias": (3, 3)}, "code": {"embedding": (3, 3)}, "embed": {"embeddings": (3, 3)}}
    shapes = {"left": left, "Dense_0": {"kernel": (3, 3)}}
    params, zeros = (
        jax.tree.map(make, shapes, is_leaf=lambda a: isinstance(a, tuple)) for make in (jnp.ones, jnp.zeros)
    )
    tx = orthogonal(1.0)
    found, _ = tx.update(zeros, tx.init(params), params)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(found["left"]))
    np.testing.assert_allclose(found["Dense_0"]["kernel"], np.full((3, 3), 4 * 2 * 3.0))


def test_refuses():
    # Kills: a negative strength; True as 1; an update that cannot see what it regularises; an axis that is not there.
    for strength in (-1.0, float("inf"), "much", True):
        with pytest.raises(BadRequest, match="strength"):
            orthogonal(strength)
    with pytest.raises(BadRequest, match="wants them too"):
        orthogonal(1.0).update(jnp.ones((2, 2)), optax.EmptyState())
    with pytest.raises(BadRequest, match="out must be of the type int"):
        orthogonal(1.0, out="last")
    with pytest.raises(BadRequest, match="has no axis 2"):
        orthogonal(1.0, out=2).update(jnp.ones((2, 2)), optax.EmptyState(), jnp.ones((2, 2)))
