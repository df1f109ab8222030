"""The space in which samples are compared: a small classifier's hidden layer, principal components without labels."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxgen.data import Data, as_float

DIRECT = 1024  # numbers in an example that the classifier is shown as they are; more are reduced to AXES first
AXES = 256
HIDDEN = 128  # width of the classifier's one hidden layer
UPDATES = 2000  # Adam updates of the classifier, whatever the size of the data
COMPONENTS = 32  # principal components where there are no labels
ROWS = 10_000  # training examples that either is fitted on, at most


class Features(NamedTuple):
    """A stated feature space. It is never Inception's, so a distance in it is never called FID."""

    embed: Callable[..., np.ndarray]  # x [N, ...] -> float64 [N, F]
    name: str  # as a report prints it
    classify: Callable[..., np.ndarray] | None = None  # x [N, ...] -> int [N], positions in `data.classes`
    accuracy: float | None = None  # of `classify` on the test split, 0 to 1


class Axes(NamedTuple):
    """Principal axes of a set of examples."""

    mean: np.ndarray  # float64 [F]
    axes: np.ndarray  # float64 [count, F], orthonormal rows, largest variance first
    share: float  # of the variance that the axes hold, 0 to 1


def flat(x) -> np.ndarray:
    """Examples [N, ...] as rows float64 [N, F], in the range that the networks see (images in [0, 1])."""
    x = np.asarray(as_float(x), np.float64)
    return x.reshape(len(x), -1)


def feature_space(data: Data) -> Features:
    """The feature space of a data set, the same for each model that is measured on it.

    With labels of at least two classes: the 128 ReLU units of a multilayer perceptron with one hidden layer, trained on
    the training split for 2,000 Adam updates from a fixed seed; examples of more than 1,024 numbers are reduced to
    their first 256 principal components before it. Without labels, and for points: the first 32 principal
    components, not whitened, so that a distance stays one in the data's own units (exactly, where there are no more
    than 32 numbers to an example).
    """
    if data.kind != "points" and data.train.label is not None and len(np.unique(data.train.label)) > 1:
        return _classifier(data)
    found = principal_axes(data.train.x, COMPONENTS)
    name = f"first {len(found.axes)} principal components ({100 * found.share:.0f} % of the variance)"
    return Features(lambda x: (flat(x) - found.mean) @ found.axes.T, name)


def principal_axes(x, count: int) -> Axes:
    """The first `count` principal axes of x [N, ...], fewer where there are fewer examples or numbers.

    Right singular vectors of x - mean, by randomised SVD (fixed seed) where both sides are beyond 500.

    >>> found = principal_axes(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]], np.float32), 1)
    >>> np.abs(found.axes).round(3).tolist(), round(found.share, 3)
    ([[0.6, 0.8]], 1.0)
    """
    x = flat(_some(x))
    mean = x.mean(0)
    x -= mean
    count = min(count, *x.shape)
    if min(x.shape) > 500:
        from sklearn.utils.extmath import randomized_svd

        _, size, axes = randomized_svd(x, count, random_state=0)
    else:
        _, size, axes = np.linalg.svd(x, full_matrices=False)
    total = np.sum(x**2)
    return Axes(mean, axes[:count], float(np.sum(size[:count] ** 2) / total) if total > 0 else 1.0)


def _classifier(data: Data) -> Features:
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    reduced, of = flat, ""
    if np.prod(data.shape) > DIRECT:
        found = principal_axes(data.train.x, AXES)
        of = f" on {len(found.axes)} principal components"

        def reduced(x):
            return (flat(x) - found.mean) @ found.axes.T

    x, label = reduced(_some(data.train.x)), _some(data.train.label)
    net = MLPClassifier((HIDDEN,), random_state=np.random.RandomState(0))
    with threadpool_limits(1, user_api="blas"):  # products this small are slower on several threads, up to ten times
        for _ in range(-(-UPDATES // -(-len(x) // min(200, len(x))))):  # epochs; 200 is MLPClassifier's batch size
            net.partial_fit(x, label, classes=np.unique(label))
    weight, bias = (np.asarray(layer[0], np.float64) for layer in (net.coefs_, net.intercepts_))
    accuracy = float(np.mean(net.predict(reduced(data.test.x)) == data.test.label))

    def embed(x):
        return np.maximum(reduced(x) @ weight + bias, 0)

    name = f"hidden layer of a classifier{of} ({100 * accuracy:.0f} % right on test)"
    return Features(embed, name, lambda x: net.predict(reduced(x)), accuracy)


def _some(a: np.ndarray) -> np.ndarray:
    if len(a) <= ROWS:
        return a
    return a[np.sort(np.random.default_rng(0).choice(len(a), ROWS, replace=False))]
