"""How near a set of samples is to a set of real examples, in a given feature space. All in float64 on the host."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.metrics.frechet import as_rows, need

BLOCK = 1 << 20  # distances held at once: what a cache holds
NEAR = 0.05  # the quantile of new examples below which a sample is a near-copy
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

    Two equal distributions have an expected density of 1 and, if both sets are large, a coverage of nearly
    1 - (N / (N + M))^k: 0.97 for as many samples as examples and k = 5, less for fewer samples.
    A density above that of real data means that samples concentrate in the densest regions of the data.

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
    real, fake = as_rows(real), as_rows(fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise BadRequest(
            f"k = {k} nearest neighbours need more than {max(k, 1)} points on either side, and k of 1 or more: "
            f"there are {len(real)} real and {len(fake)} generated ones."
        )
    centre = np.median(real, 0)  # not the mean: one point far away must not cost all others their digits
    real, fake = real - centre, fake - centre
    # A copy of a neighbour at exactly the radius is inside, however the two distances were rounded.
    reach_real, reach_fake = (1 + 1e-9) * _radii(real, k), (1 + 1e-9) * _radii(fake, k)
    hits, recalled, covered, typical = 0, 0, 0, np.zeros(len(fake), bool)
    for rows, square in _square_distances(real, fake):
        inside = square <= reach_real[rows, None]
        hits += inside.sum()
        covered += inside.any(1).sum()
        recalled += (square <= reach_fake).any(1).sum()
        typical |= inside.any(0)
    n, m = len(real), len(fake)
    return PRDC(float(typical.mean()), float(recalled / n), float(hits / (k * m)), float(covered / n))


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
    a, b = as_rows(a), as_rows(b)
    need(2, a, b)

    def total(x, y):
        products = (x[rows] @ y.T / x.shape[1] + 1 for rows in _blocks(len(x), len(y)))
        return sum(float(np.sum(product * product * product)) for product in products)

    def within(x):
        diagonal = np.sum((np.sum(x**2, 1) / x.shape[1] + 1) ** 3)
        return (total(x, x) - diagonal) / (len(x) * (len(x) - 1))

    return float(within(a) + within(b) - 2 * total(a, b) / (len(a) * len(b)))


def two_sample(real, fake) -> float:
    """How often the nearest neighbour of a point is of the same kind, among real [N, F] and generated points [M, F].

    The leave-one-out accuracy of a nearest-neighbour classifier: about .5 if the two sets have the same distribution,
    1 if they are separate, 0 if the samples are copies of the real points. The larger set is reduced at random to the
    size of the smaller one. A tie counts one half.

    Raises:
      BadRequest: a set of fewer than two points.

    Lopez-Paz and Oquab 2017, arXiv 1610.06545; among figures of generative models it is, with the kernel distance, the
    one that Xu et al. 2018, arXiv 1806.07755, prefer.

    >>> two_sample(np.array([[0.0], [1.0], [9.0]]), np.array([[9.1], [20.0], [21.0]]))
    0.6666666666666666
    """
    real, fake = as_rows(real), as_rows(fake)
    need(2, real, fake)
    n, rng = min(len(real), len(fake)), np.random.default_rng(0)
    real, fake = (x if len(x) == n else x[rng.choice(len(x), n, replace=False)] for x in (real, fake))
    both = np.concatenate([real, fake]) - np.median(real, 0)
    right = 0.0
    for rows, square in _square_distances(both, both):
        square[np.arange(len(square)), np.arange(rows.start, rows.stop)] = np.inf
        to_real, to_fake = square[:, :n].min(1), square[:, n:].min(1)
        is_real = np.arange(rows.start, rows.stop) < n
        same, other = np.where(is_real, to_real, to_fake), np.where(is_real, to_fake, to_real)
        right += np.sum(same < other) + np.sum(same == other) / 2
    return float(right / (2 * n))


def near_copies(ratio, usual) -> float:
    """The share of `ratio` [Q] below the 5th percentile of `usual` [U], both of `nearest_ratio` to training examples.

    `usual` are those of new examples, so that of samples which copy nothing .05 lie below it, and of copies nearly all.

    >>> near_copies(np.array([0.01, 0.02, 0.9, 0.97]), np.linspace(0.5, 1.0, 101))
    0.5
    """
    return float(np.mean(np.asarray(ratio) < np.quantile(usual, NEAR)))


def nearest_ratio(queries, references) -> np.ndarray:
    """Distance of each query [Q, ...] to the nearest reference [R, ...] over that to the second: float64 [Q], 0 to 1.

    It is near 0 for a near-copy at any density of the references, whereas a distance is also small in dense regions. It
    is 0 for an exact copy. A near-copy of two references that resemble each other is not detected.

    Raises:
      BadRequest: fewer than two references.

    Of synthetic tables it is known as the nearest-neighbour distance ratio.

    >>> nearest_ratio(np.array([[0.5], [2.0]]), np.array([[0.0], [2.0], [3.0]])).round(3).tolist()
    [0.333, 0.0]
    """
    first, second = _nearest(queries, references, 2).T
    return np.divide(first, second, out=np.zeros_like(first), where=first > 0)


def nearest_distance(queries, references) -> np.ndarray:
    """Euclidean distance of each query [Q, ...] to the nearest reference [R, ...]: float64 [Q], 0 for an exact copy.

    >>> nearest_distance(np.array([[3.0, 4.0], [1.0, 1.0]]), np.array([[0.0, 0.0], [1.0, 1.0]])).round(3).tolist()
    [3.606, 0.0]
    """
    return _nearest(queries, references, 1)[:, 0]


def _nearest(queries, references, count: int) -> np.ndarray:
    """Distances of each query to the `count` nearest references, ascending: float64 [Q, count]."""
    queries, references = as_rows(queries), as_rows(references)
    if len(references) < count:
        raise BadRequest(f"{count} nearest neighbours need {count} references, and there is {len(references)}.")
    if queries.shape[1] <= FLAT:
        from scipy.spatial import cKDTree

        return cKDTree(references).query(queries, k=range(1, count + 1))[0]
    centre = np.median(references, 0)
    parts = []
    for rows, square in _square_distances(queries - centre, references - centre):
        at = np.argpartition(square, count - 1, axis=1)[:, :count]
        exact = np.linalg.norm(queries[rows, None] - references[at], axis=2)
        parts.append(np.sort(exact, 1))
    return np.concatenate(parts)


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
