"""Outlier scores that train no network, and how well a score ranks anomalies first.

Each score is a function (normal [N, F], x [M, F]) -> [M], higher is stranger, in float32. scikit-learn does the work.
"""

import math

import numpy as np

ROWS = 10_000  # normal examples that a score looks at, at most
NUMBERS = 1 << 25  # in these examples, at most: 128 MiB, 2,730 images of 64x64x3
NEIGHBOURS = 5
COMPONENTS = 16
TREES = 100
FAR = 1e15  # standard deviations; the squares of more leave float32


def rows(shape: tuple[int, ...]) -> int:
    """How many normal examples of this shape a score looks at, at most.

    >>> rows((28, 28, 1)), rows((64, 64, 3))
    (10000, 2730)
    """
    return min(ROWS, max(2, NUMBERS // max(1, math.prod(shape))))


def auroc(score, anomalous) -> float:
    """Area under the ROC curve: the probability that an anomaly scores higher than a normal example, ties one half.

    `sklearn.metrics.roc_auc_score`, of infinite scores too, which count as the largest number.

    Args:
      score: [M], higher is stranger.
      anomalous: bool [M], with both kinds present.

    >>> auroc([0.1, 0.4, 0.4, np.inf], [False, False, True, True])
    0.875
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(anomalous, _bounded(score)))


def average_precision(score, anomalous) -> float:
    """Mean, over the anomalies, of the share of anomalies among all that score as high: `average_precision_score`.

    Guessing has the share of anomalies among all examples, so figures of sets with other shares do not compare.

    Args:
      score: [M], higher is stranger.
      anomalous: bool [M], with at least one anomaly.

    >>> average_precision([0.9, 0.8, 0.7, 0.1], [True, False, True, False]) == (1 + 2 / 3) / 2
    True
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(anomalous, _bounded(score)))


def standardised(normal, x) -> tuple[np.ndarray, np.ndarray]:
    """Both in standard deviations of the normal examples from their mean; a constant column keeps its unit.

    >>> standardised(np.array([[0.0, 5.0], [2.0, 5.0]]), np.array([[3.0, 6.0]]))[1].tolist()
    [[2.0, 1.0]]
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(normal)
    normal, x = (np.clip(scaler.transform(rows), -FAR, FAR).astype(np.float32) for rows in (normal, x))
    return normal, x


def distance_from_mean(normal, x) -> np.ndarray:
    """Euclidean distance from the mean of the normal examples, in their standard deviations by column.

    >>> distance_from_mean(np.array([[0.0, 0.0], [2.0, 4.0]]), np.array([[4.0, 10.0], [1.0, 2.0]])).tolist()
    [5.0, 0.0]
    """
    return np.linalg.norm(standardised(normal, x)[1], axis=1)


def neighbour_distance(normal, x, *, k: int = NEIGHBOURS) -> np.ndarray:
    """Euclidean distance to the k-th nearest normal example, or to the farthest if there are fewer than k.

    Ramaswamy et al. 2000, doi 10.1145/342009.335437: the detector KNN of PyOD as it is by default, k = 5 and "largest".

    >>> neighbour_distance(np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [5.0]]), k=2).tolist()
    [1.0, 4.0]
    """
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=min(k, len(normal))).fit(normal).kneighbors(x)[0][:, -1]


def reconstruction_error(normal, x, *, components: int = COMPONENTS, seed: int = 0) -> np.ndarray:
    """Squared distance from the plane of the first principal components of the normal examples.

    `components`, or half of the columns if that is fewer. `seed` is that of the randomised solver, which
    scikit-learn takes for large sets.

    >>> line, x = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), np.array([[5.0, 2.0]])
    >>> reconstruction_error(line, x).tolist()
    [4.0]
    """
    from sklearn.decomposition import PCA

    count = max(1, min(components, x.shape[1] // 2, len(normal)))
    pca = PCA(count, random_state=seed).fit(normal)
    return np.sum((x - pca.inverse_transform(pca.transform(x))) ** 2, 1)


def isolation(normal, x, *, seed: int) -> np.ndarray:
    """How few random cuts part an example from 256 normal ones, over 100 trees: `sklearn.ensemble.IsolationForest`.

    2^(-E h(x) / c(256)), h the depth at which x stands alone, c its mean for an unsuccessful search (Liu et al. 2008,
    doi 10.1109/ICDM.2008.17, eq. 2).
    """
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(n_estimators=TREES, random_state=seed).fit(normal).score_samples(x)


def _bounded(score) -> np.ndarray:
    largest = np.finfo(np.float64).max
    return np.clip(np.asarray(score, np.float64), -largest, largest)
