"""The linear map that carries one Gaussian onto another at least cost."""

from collections.abc import Callable

import numpy as np

RIDGE = 1e-3  # of the mean variance, added to all variances


def linear_transport(a: np.ndarray, b: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The optimal transport map, for squared distance, from the Gaussian of the rows of `a` to that of `b`.

    x -> m_b + A (x - m_a) with A = C_a^(-1/2) (C_a^(1/2) C_b C_a^(1/2))^(1/2) C_a^(-1/2), which is the symmetric
    positive A with A C_a A = C_b. To both covariances 0.001 of their mean variance is added. Peyré and Cuturi 2019,
    "Computational Optimal Transport", arXiv 1803.00567, on Gaussians.

    Args:
      a: float [N, F].
      b: float [M, F].

    >>> there = linear_transport(np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]]))
    >>> there(np.array([[1.0], [2.0]])).round(2).ravel().tolist()
    [5.0, 7.0]
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    m_a, m_b = a.mean(0), b.mean(0)
    c_a, c_b = (np.atleast_2d(np.cov(rows, rowvar=False, bias=True)) for rows in (a, b))
    more = RIDGE * (np.trace(c_a) + np.trace(c_b)) / (2 * len(c_a)) or 1.0
    c_a, c_b = (c + more * np.eye(len(c)) for c in (c_a, c_b))
    root, inverse = _power(c_a, 0.5), _power(c_a, -0.5)
    matrix = inverse @ _power(root @ c_b @ root, 0.5) @ inverse
    return lambda x: m_b + (np.asarray(x, np.float64) - m_a) @ matrix


def _power(c: np.ndarray, exponent: float) -> np.ndarray:
    """Of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh((c + c.T) / 2)
    return (vectors * np.maximum(values, np.finfo(float).tiny) ** exponent) @ vectors.T
