"""The linear transport map against SciPy and by what defines it."""

import numpy as np
from scipy.linalg import inv, sqrtm

from jaxgen.metrics.transport import linear_transport

F = 4


def sets():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, F)) @ rng.normal(size=(F, F)) + 2, rng.normal(size=(300, F)) @ rng.normal(size=(F, F))


def test_it_is_the_map_of_the_formula():
    # Kills: the Cholesky map, which carries one Gaussian onto the other too and is not symmetric; a and b exchanged;
    # A without one of its outer factors; the means left where they are; no ridge, or another.
    a, b = sets()
    c_a, c_b = (np.cov(x.T, bias=True) for x in (a, b))
    more = 1e-3 * np.mean([np.diag(c_a), np.diag(c_b)]) * np.eye(F)
    root = sqrtm(c_a + more)
    exact = inv(root) @ sqrtm(root @ (c_b + more) @ root) @ inv(root)
    x = np.random.default_rng(1).normal(size=(5, F))
    np.testing.assert_allclose(linear_transport(a, b)(x), b.mean(0) + (x - a.mean(0)) @ exact.T, rtol=1e-8)


def test_it_carries_one_covariance_onto_the_other():
    # Kills: the same without the formula; the one map among those that carry Gaussians that turns nothing.
    a, b = sets()
    there = linear_transport(a, b)
    matrix = there(np.eye(F)) - there(np.zeros((1, F)))
    c_a, c_b = (np.cov(x.T, bias=True) for x in (a, b))
    more = 1e-3 * np.mean([np.diag(c_a), np.diag(c_b)]) * np.eye(F)
    np.testing.assert_allclose(matrix @ (c_a + more) @ matrix.T, c_b + more, rtol=1e-8)
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-8)
    assert np.all(np.linalg.eigvalsh(matrix) > 0)
    np.testing.assert_allclose(there(a).mean(0), b.mean(0), atol=1e-10)


def test_what_never_varies_moves_with_the_means():
    # Kills: a division by a variance of 0, in one column or in all of them.
    a, b = sets()
    a[:, 1], b[:, 1] = 0.25, 0.75
    moved = linear_transport(a, b)(a)
    assert np.all(np.isfinite(moved))
    np.testing.assert_allclose(moved[:, 1], 0.75, atol=1e-8)
    np.testing.assert_allclose(linear_transport(np.zeros((3, 2)), np.ones((3, 2)))(np.full((1, 2), 2.0)), [[3, 3]])
