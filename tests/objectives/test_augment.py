"""Augmentations: by hand, and the law of their noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.core import BadRequest
from jaxgen.objectives import NO_AUGMENT, instance_noise

X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), jnp.float32)


def test_instance_noise_by_hand():
    # Kills: a variance for the std; a schedule of another number than the round; noise that the example scales; a path
    # to the generator that is stopped.
    for std, size in ((0.7, 0.7), (lambda round: 0.5 / (1 + round), 0.125)):
        part = instance_noise(std)
        noise = part.draw(jax.random.key(0), X)
        expected = np.asarray(X, np.float64) + size * np.asarray(noise, np.float64)
        np.testing.assert_allclose(part.show(X, noise, jnp.int32(3)), expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(jax.grad(lambda x: part.show(x, noise, 3).sum())(X), np.ones_like(X))  # noqa: B023
    assert NO_AUGMENT.show(X, NO_AUGMENT.draw(jax.random.key(0), X), 3) is X


def test_noise_is_standard_normal():
    # Kills: uniform noise; one number per example.
    noise = np.asarray(instance_noise(0.1).draw(jax.random.key(0), jnp.zeros((10_000, 2))), np.float64)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(noise.T)[0, 1]) < 5 / np.sqrt(len(noise))


@pytest.mark.parametrize("std", [-0.1, float("nan"), float("inf")])
def test_instance_noise_refuses(std):
    # Kills: a negative std that is taken for its size; one that ends a run.
    with pytest.raises(BadRequest, match="std must be"):
        instance_noise(std)
