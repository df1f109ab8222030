"""The Frechet distance of two sets of features, and what it would be of unlimited sets. In float64 on the host."""

import numpy as np

from jaxgen.core import BadRequest


def frechet(a, b) -> float:
    """Frechet distance, squared, between Gaussians with the moments of two sets [N, F] and [M, F].

      |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a^(1/2) C_b C_a^(1/2))^(1/2))

    Both roots come from eigh with eigenvalues clipped at zero: features of a ReLU layer have a singular covariance, on
    which a general matrix root is neither real nor stable. Biased upwards for small sets: see `unbiased_frechet`.

    Raises:
      BadRequest: a set of fewer than two points.

    Dowson and Landau 1982; as a distance of samples, Heusel et al. 2017, arXiv 1706.08500.

    >>> frechet(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]]))
    9.0
    """
    a, b = as_rows(a), as_rows(b)
    need(2, a, b)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    value, vector = np.linalg.eigh(cov_a)
    root = (vector * np.sqrt(np.clip(value, 0, None))) @ vector.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)).sum()
    distance = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return float(max(distance, 0.0))


def unbiased_frechet(
    a, b, *, halvings: int = 2, seed: int = 0, halves: tuple[np.ndarray, np.ndarray] | None = None
) -> float:
    """The Frechet distance as it would be of unlimited sets, extrapolated from sets [N, F] and [M, F].

      2 frechet(a, b) - mean of frechet(half of a, half of b)

    The distance of finite sets is too large by about c / N, where c depends on the model, so that no fixed N makes
    two models comparable (Chong and Forsyth 2020, arXiv 1911.07023, who fit a line in 1 / N to several N). Here the
    line goes through two sizes: all points, and their halves, by `halvings` random divisions of both sets. What is left
    is of the order of 1 / N^2. Around zero for two equal distributions, and below it now and then.

    Args:
      a: [N, F] features.
      b: [M, F] features.
      halvings: how often both sets are divided.
      seed: of the divisions.
      halves: the divisions themselves, of `halves_of` for either set, in place of random ones. Figures that are
        compared because they lack some of the points each need them: with divisions of their own, each would differ
        from the others by its divisions too.

    Raises:
      BadRequest: a set of fewer than four points.

    >>> a, b = np.random.default_rng(0).normal(size=(2, 200, 10))
    >>> frechet(a, b) > 0.3, abs(unbiased_frechet(a, b)) < 0.1
    (True, True)
    """
    a, b = as_rows(a), as_rows(b)
    need(4, a, b)
    rng, of_halves = np.random.default_rng(seed), []
    for k in range(halvings if halves is None else len(halves[0])):
        if halves is None:
            of_a, of_b = (np.array_split(rng.permutation(len(x)), 2) for x in (a, b))
        else:
            of_a, of_b = ([half[k], ~half[k]] for half in halves)
        of_halves += [frechet(a[i], b[j]) for i, j in zip(of_a, of_b, strict=True)]
    return 2 * frechet(a, b) - float(np.mean(of_halves))


def halves_of(n: int, *, label: np.ndarray | None = None, halvings: int = 2, seed: int = 0) -> np.ndarray:
    """Random divisions of n points into halves: bool [halvings, n], whether a point is in the first one.

    With a `label` [n] for each point, the members of each class are halved too, up to one.

    >>> halves_of(4, halvings=3).sum(1).tolist()
    [2, 2, 2]
    """
    rng, halves = np.random.default_rng(seed), np.zeros((halvings, n), bool)
    for first in halves:
        order = rng.permutation(n)
        if label is not None:
            order = order[np.argsort(np.asarray(label)[order], kind="stable")]
        first[order[1::2]] = True
    return halves


def as_rows(x) -> np.ndarray:
    """Examples as rows, float64 [N, F]."""
    x = np.asarray(x, np.float64)
    return x.reshape(len(x), -1)


def need(count: int, a, b) -> None:
    """Refuses two sets of which one has fewer than `count` points.

    Raises:
      BadRequest: one has.
    """
    if min(len(a), len(b)) < count:
        needed = "two" if count == 2 else count
        raise BadRequest(f"two sets need at least {needed} points each to be compared, not {len(a)} and {len(b)}.")
