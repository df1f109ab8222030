"""Linear probes on a few labels: which labels are seen, and how many of the others are then told right."""

from collections.abc import Callable, Sequence

import numpy as np

from jaxgen.metrics.features import DIRECT

COUNTS = (1, 5, 20)  # labels per class
DRAWS = 5  # of labels; figures are their average. At a stage one is enough: it is compared with other stages alone
WIDE = 4  # times as many columns as rows that a probe may see, from which on it sees their coordinates
BLOCK = 1 << 23  # numbers that are standardised at once


def labelled(label: np.ndarray, count: int, *, seed: int, draw: int) -> np.ndarray:
    """Positions of `count` examples of each class, or of all where a class has fewer; a function of (seed, draw).

    Those of a smaller count are among those of a larger one, and they are the same for all models.

    >>> [len(labelled(np.array([0, 0, 0, 1]), n, seed=0, draw=0)) for n in (1, 2, 5)]
    [2, 3, 4]
    """
    rng = np.random.default_rng([seed, draw])
    return np.concatenate([rng.permutation(np.flatnonzero(label == c))[:count] for c in np.unique(label)])


def accuracies(read: list, labels: tuple, seed: int, draws: int = DRAWS) -> tuple[dict[str, float], dict[str, float]]:
    """Accuracy on valid and on test, by count, averages over draws; and their mean."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    known = {(n, draw): labelled(labels[0], n, seed=seed, draw=draw) for n in COUNTS for draw in range(draws)}
    mean, scale = _standard(read[0])
    pool, valid, test = _spanned(read, mean, scale, np.unique(np.concatenate(list(known.values()))))
    on_valid, on_test = {}, {}
    for count in COUNTS:
        fits = []
        for draw in range(draws):
            at = known[count, draw]
            with threadpool_limits(1, user_api="blas"):  # a fit this small is slower on several, up to ten times
                fitted = LogisticRegression(max_iter=1000).fit(pool[at], labels[0][at])
            fits.append([balanced(fitted.predict(x), y) for x, y in ((valid, labels[1]), (test, labels[2]))])
        on_valid[f"accuracy_{count}"], on_test[f"accuracy_{count}"] = map(float, np.mean(fits, axis=0))
    for figures in (on_valid, on_test):
        figures["accuracy"] = sum(figures.values()) / len(COUNTS)
    if draws == DRAWS:
        on_test["neighbour_accuracy"] = balanced(_neighbours(read[0], labels[0], read[2], mean, scale), labels[2])
    return on_valid, on_test


def balanced(predicted: np.ndarray, label: np.ndarray) -> float:
    """The mean over the classes in `label` of the share of each that is predicted right.

    >>> balanced(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]))
    0.5
    """
    right = np.bincount(label, predicted == label)
    counts = np.bincount(label)
    return float(np.mean(right[counts > 0] / counts[counts > 0]))


def _standard(pool: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of rows and their standard deviation, infinite for what never varies, which then says nothing."""
    mean, std = pool.mean(0, dtype=np.float64), pool.std(0, dtype=np.float64)
    return mean.astype(pool.dtype), np.where(std > 1e-6, std, np.inf).astype(pool.dtype)


def _spanned(read: Sequence[np.ndarray], mean: np.ndarray, scale: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
    """Standardised rows; of many columns their coordinates in the span of those of the pool at `at`.

    The weights of a penalised linear model lie in the span of the rows that it is fitted on, so that it predicts the
    same of the coordinates, which are as few as these rows.
    """
    if read[0].shape[1] <= max(DIRECT, WIDE * len(at)):
        return [(x - mean) / scale for x in read]
    basis, _ = np.linalg.qr(((read[0][at] - mean) / scale).T.astype(np.float64))
    basis = (basis / scale[:, None]).astype(read[0].dtype)  # the rows, which are many, are read as they are
    return [(x @ basis - mean @ basis).astype(np.float64) for x in read]


def _neighbours(
    pool: np.ndarray, label: np.ndarray, test: np.ndarray, mean: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """The labels of the standardised rows of the pool that are nearest to those of test."""
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(1).fit((pool - mean) / scale, label)
    return _in_blocks(lambda part: nearest.predict((part - mean) / scale), test)


def _in_blocks(fn: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    size = max(1, BLOCK // x.shape[1])
    return np.concatenate([fn(x[i : i + size]) for i in range(0, len(x), size)])
