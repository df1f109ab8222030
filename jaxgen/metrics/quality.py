"""How near a set of samples is to a set of real examples, in a given feature space. All in float64 on the host."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxgen.core import BadRequest

BLOCK = 1 << 20  # distances held at once: what a cache holds
FLAT = 8  # dimensions up to which a tree finds neighbours faster than a product of matrices


class PRDC(NamedTuple):
    """Precision, recall, density and coverage. All in [0, 1] but density, which may pass 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real, fake, *, k: int = 5) -> PRDC:
    """Four figures of how two sets overlap, from balls to the k-th nearest neighbour within each set.

    With B(x) the closed ball around x that reaches the k-th nearest other point of its own set:
      precision  share of fake points in any B(real)         recall    share of real points in any B(fake)
      density    number of B(real) around a fake point / k   coverage  share of B(real) that hold a fake point

    Two equal distributions have an expected density of 1 and, where both sets are large, a coverage of nearly
    1 - (N / (N + M))^k: 0.97 for as many samples as examples and k = 5, less for fewer samples.
    A density above that of real data against real data says that samples crowd where the data are dense.

    Args:
      real: [N, F] features of real examples.
      fake: [M, F] features of samples.
      k: neighbours.

    Raises:
      BadRequest: k < 1, or a set of k points or fewer.

    Precision and recall: Kynkäänniemi et al. 2019, arXiv 1904.06991. Density and coverage: Naeem et al. 2020, arXiv
    2002.09797, section 3; their code (clovaai prdc) takes open balls, which differs on ties only.

    >>> prdc(np.arange(4.0)[:, None], np.array([[0.5], [9.0], [11.0]]), k=1)
    PRDC(precision=0.3333333333333333, recall=1.0, density=0.6666666666666666, coverage=0.5)
    """
    real, fake = _rows(real), _rows(fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise BadRequest(
            f"k = {k} nearest neighbours need more than {max(k, 1)} points on either side, and k of 1 or more: "
            f"there are {len(real)} real and {len(fake)} generated ones."
        )
    centre = np.median(real, 0)  # not the mean: one point far away must not cost all others their digits
    real, fake = real - centre, fake - centre
    # A copy of a neighbour at exactly the radius is inside, however the two distances were rounded.
    reach_real, reach_fake = (1 + 1e-9) * _radii(real, k), (1 + 1e-9) * _radii(fake, k)
    hits, found, covered, typical = 0, 0, 0, np.zeros(len(fake), bool)
    for rows, square in _square_distances(real, fake):
        inside = square <= reach_real[rows, None]
        hits += inside.sum()
        covered += inside.any(1).sum()
        found += (square <= reach_fake).any(1).sum()
        typical |= inside.any(0)
    n, m = len(real), len(fake)
    return PRDC(float(typical.mean()), float(found / n), float(hits / (k * m)), float(covered / n))


def frechet(a, b) -> float:
    """Frechet distance, squared, between Gaussians with the moments of two sets [N, F] and [M, F].

      |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a^(1/2) C_b C_a^(1/2))^(1/2))

    Both roots come from eigh with eigenvalues clipped at zero: features of a ReLU layer have a singular covariance, on
    which a general matrix root is neither real nor stable. Biased upwards for small sets: compare at equal sizes only.

    Raises:
      BadRequest: a set of fewer than two points.

    Dowson and Landau 1982; as a distance of samples, Heusel et al. 2017, arXiv 1706.08500.

    >>> frechet(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]]))
    9.0
    """
    a, b = _rows(a), _rows(b)
    _need_two(a, b)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    value, vector = np.linalg.eigh(cov_a)
    root = (vector * np.sqrt(np.clip(value, 0, None))) @ vector.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)).sum()
    distance = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return float(max(distance, 0.0))


def kernel_distance(a, b) -> float:
    """Squared maximum mean discrepancy under k(x, y) = (x.y / F + 1)^3, unbiased: below zero now and then.

      sum_{i != j} k(a_i, a_j) / (N (N-1)) + sum_{i != j} k(b_i, b_j) / (M (M-1)) - 2 mean_{i, j} k(a_i, b_j)

    Args:
      a: [N, F] features.
      b: [M, F] features.

    Raises:
      BadRequest: a set of fewer than two points.

    Bińkowski et al. 2018, arXiv 1801.01401 (there on Inception features, which these are not).
    """
    a, b = _rows(a), _rows(b)
    _need_two(a, b)

    def total(x, y):
        products = (x[rows] @ y.T / x.shape[1] + 1 for rows in _blocks(len(x), len(y)))
        return sum(float(np.sum(product * product * product)) for product in products)

    def within(x):
        own = np.sum((np.sum(x**2, 1) / x.shape[1] + 1) ** 3)
        return (total(x, x) - own) / (len(x) * (len(x) - 1))

    return float(within(a) + within(b) - 2 * total(a, b) / (len(a) * len(b)))


def nearest_distance(queries, references) -> np.ndarray:
    """Euclidean distance of each query [Q, ...] to the nearest reference [R, ...]: float64 [Q], 0 for an exact copy.

    >>> nearest_distance(np.array([[3.0, 4.0], [1.0, 1.0]]), np.array([[0.0, 0.0], [1.0, 1.0]])).round(3).tolist()
    [3.606, 0.0]
    """
    queries, references = _rows(queries), _rows(references)
    if queries.shape[1] <= FLAT:
        from scipy.spatial import cKDTree

        return cKDTree(references).query(queries)[0]
    centre = np.median(references, 0)
    squares = _square_distances(queries - centre, references - centre)
    nearest = np.concatenate([square.argmin(1) for _, square in squares])
    return np.sqrt(np.sum((queries - references[nearest]) ** 2, 1))


def _rows(x) -> np.ndarray:
    x = np.asarray(x, np.float64)
    return x.reshape(len(x), -1)


def _need_two(a, b) -> None:
    if min(len(a), len(b)) < 2:
        raise BadRequest(f"a distance of two sets needs at least two points in each, not {len(a)} and {len(b)}.")


def _blocks(n: int, m: int) -> Iterator[slice]:
    size = max(1, BLOCK // max(m, 1))
    return (slice(i, min(i + size, n)) for i in range(0, n, size))


def _square_distances(a, b) -> Iterator[tuple[slice, np.ndarray]]:
    norm_a, norm_b = np.sum(a**2, 1), np.sum(b**2, 1)
    for rows in _blocks(len(a), len(b)):
        # Norms shrunk by their rounding at the most: an exact copy comes out at 0, nothing comes out below.
        norms = (norm_a[rows, None] + norm_b) * (1 - 2 * (a.shape[1] + 2) * np.finfo(np.float64).eps)
        yield rows, np.maximum(norms - 2 * (a[rows] @ b.T), 0)


def _radii(x, k: int) -> np.ndarray:
    squares = []
    for rows, square in _square_distances(x, x):
        square[np.arange(len(square)), np.arange(rows.start, rows.stop)] = np.inf
        squares.append(np.partition(square, k - 1, axis=1)[:, k - 1])
    return np.concatenate(squares)
