"""The space in which samples are compared. Images: random filters; tables: a classifier's layer; else components."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxgen.data import Data, Split, as_float, subset
from jaxgen.metrics.natural import NAME as NATURAL
from jaxgen.metrics.natural import natural_features, serves
from jaxgen.metrics.patches import patch_features
from jaxgen.system.signals import unbroken

DIRECT = 1024  # numbers in an example that the classifier is shown as they are; more are reduced to AXES first
AXES = 256
HIDDEN = 128  # width of the classifier's one hidden layer
UPDATES = 2000  # Adam updates of the classifier, whatever the size of the data
COMPONENTS = 32  # principal components if there are no labels
ROWS = 10_000  # training examples that any of them is fitted on, at most
NUMBERS = 1 << 25  # in those examples, at most: 256 MiB in float64, which examples of up to 1,024 numbers take
FEW = 32  # axes up to which a few passes through the examples take less time than all their products
NEGLIGIBLE = 1e-6  # of the largest variance: what float32 products cannot tell
ITERATIONS = 4  # power iterations for the axes of examples of more: of 64x64x3 they then hold as much to four digits
BLOCK = 1 << 22  # numbers of examples that are projected at once
HELD = 2000  # the most training examples that no feature space is fitted on; a fifth of small sets


class Features(NamedTuple):
    """A stated feature space. It is never Inception's, so a distance in it is never called FID."""

    embed: Callable[..., np.ndarray]  # x [N, ...] -> float64 [N, F]
    name: str  # as a report prints it
    classify: Callable[..., np.ndarray] | None = None  # x [N, ...] -> int [N], positions in `data.classes`
    accuracy: float | None = None  # of `classify` on the test split, of which as many are looked at, 0 to 1
    natural: Callable[..., np.ndarray] | None = None  # x [N, H, W, 3] -> float64 [N, 128], of EfficientNet-Lite0


class Axes(NamedTuple):
    """Principal axes of a set of examples."""

    mean: np.ndarray  # float64 [F]
    axes: np.ndarray  # [count, F], orthonormal rows, largest variance first; float64, or float32 of large examples
    share: float  # of the variance that the axes hold, 0 to 1


def flat(x, dtype: Any = np.float64) -> np.ndarray:
    """Examples [N, ...] as rows [N, F], in the range that the networks see (images in [0, 1])."""
    x = np.asarray(as_float(x), dtype)
    return x.reshape(len(x), -1)


def working(shape: tuple[int, ...]) -> Any:
    """The type in which examples of this shape are projected: float32 if they have more than 1,024 numbers."""
    return np.float64 if np.prod(shape) <= DIRECT else np.float32


def held_out(n: int) -> np.ndarray:
    """Which of n training examples no feature space is fitted on: a random fifth, 2,000 at most, in their own order.

    They are what samples of a perfect model would be: real, and unseen by whoever measures.

    >>> len(held_out(100)), len(held_out(50_000))
    (20, 2000)
    """
    return np.sort(np.random.default_rng(0).choice(n, min(n // 5, HELD), replace=False))


def feature_space(data: Data) -> Features:
    """The feature space of a data set, the same for each model that is measured on it.

    Images: 128 features of random filters on whitened patches (`jaxgen.metrics.patches`), with labels or without, for
    in that space, and not in the two below, real images that are blurred, noisy, tinted or lack classes are farther
    from real ones with each step of that.
    Tables with labels of at least two classes: the 128 ReLU units of a multilayer perceptron with one hidden layer,
    trained for 2,000 Adam updates from a fixed seed. Other tables, and points: the first 32 principal components, not
    whitened, so that a distance has the units of the data (exactly, if an example has at most 32 numbers).

    If its weights are installed, natural images without labels have a second space, `natural`; see
    `jaxgen.metrics.natural`.

    Labelled images have such a perceptron too, as `classify`; examples of more than 1,024 numbers are reduced to their
    first 256 principal components before it. All of them are fitted on the training split without `held_out`.
    """
    n = len(data.train.x)
    train = subset(data.train, _some(data.train.x, np.setdiff1d(np.arange(n), held_out(n))))
    labelled = data.kind != "points" and data.train.label is not None and len(np.unique(data.train.label)) > 1
    space = _classifier(data, train) if labelled else None
    if data.kind == "image":
        name = "random filters on whitened patches, their means over quadrants (128 features)"
        embed = patch_features(train.x)
        natural = natural_features() if serves(data) else None
        space = Features(embed, name) if space is None else space
        name += f"; the headline of synthesis in {NATURAL}" if natural else ""
        return space._replace(embed=embed, name=name, natural=natural)
    if space is not None:
        return space
    axes = principal_axes(train.x, COMPONENTS)
    name = f"first {len(axes.axes)} principal components ({100 * axes.share:.0f} % of the variance)"
    project = _projection(axes)
    return Features(lambda x: project(x).astype(np.float64), name)


def principal_axes(x, count: int) -> Axes:
    """The first `count` principal axes of x [N, ...], or fewer if there are fewer examples or numbers.

    Right singular vectors of x - mean, by randomised SVD (fixed seed) if both sides exceed 500; more than 32 of
    large examples that are fewer than their numbers, by the eigenvectors of their products, without the axes that hold
    less than a millionth of the variance of the first. At most 10,000 examples are looked at, a fixed random part; of
    large ones as many as have 32 Mi numbers.

    >>> found = principal_axes(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]], np.float32), 1)
    >>> np.abs(found.axes).round(3).tolist(), round(found.share, 3)
    ([[0.6, 0.8]], 1.0)
    """
    precision = working(x.shape[1:])
    x = flat(x[_some(x, np.arange(len(x)))], precision)
    mean = x.mean(0, dtype=np.float64)
    x -= mean.astype(precision)
    count, total = min(count, *x.shape), np.vdot(x, x)
    if precision == np.float32 and 500 < len(x) < x.shape[1] and total > 0 and count > FEW:
        size, axes = _by_products(x, count)
    elif min(x.shape) > 500:
        from sklearn.utils.extmath import randomized_svd

        iterations = "auto" if precision == np.float64 else ITERATIONS
        _, size, axes = randomized_svd(x, count, n_iter=iterations, random_state=0)
    else:
        _, size, axes = np.linalg.svd(x, full_matrices=False)
    return Axes(mean, axes[:count], float(np.sum(size[:count] ** 2) / total) if total > 0 else 1.0)


def _by_products(x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Singular values, largest first, and right singular vectors of x [N, F], N < F."""
    from scipy.linalg import eigh

    n = len(x)
    squares, left = eigh(x @ x.T, subset_by_index=(n - count, n - 1), overwrite_a=True)
    large = squares > NEGLIGIBLE * squares[-1]
    size, left = np.sqrt(squares[large])[::-1], left[:, large][:, ::-1]
    return size, (left.T @ x) / size[:, None]


def _projection(axes: Axes) -> Callable[..., np.ndarray]:
    """Coordinates along principal axes: x [N, ...] -> [N, count], a block of examples at a time."""

    def project(x) -> np.ndarray:
        size = max(1, BLOCK // axes.axes.shape[1])
        parts = [coordinates(axes, x[i : i + size]) for i in range(0, len(x), size)]
        return np.concatenate(parts)

    return project


def coordinates(axes: Axes, x) -> np.ndarray:
    """Examples x [N, ...] along principal axes: [N, count], of the type of the axes."""
    precision = axes.axes.dtype
    return (flat(x, precision) - axes.mean.astype(precision)) @ axes.axes.T


def _classifier(data: Data, train: Split) -> Features:
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    reduced, of = flat, ""
    if np.prod(data.shape) > DIRECT:
        axes = principal_axes(train.x, AXES)
        reduced, of = _projection(axes), f" on {len(axes.axes)} principal components"
    x, label = reduced(train.x), train.label
    net = MLPClassifier((HIDDEN,), random_state=np.random.RandomState(0))
    with threadpool_limits(1, user_api="blas"):  # products this small are slower on several threads, up to ten times
        for _ in range(-(-UPDATES // -(-len(x) // min(200, len(x))))):  # epochs; 200 is MLPClassifier's batch size
            with unbroken():  # scikit-learn would end the epoch at a KeyboardInterrupt, and say that all is well
                net.partial_fit(x, label, classes=np.unique(data.train.label))
    weight, bias = (np.asarray(layer[0], np.float64) for layer in (net.coefs_, net.intercepts_))
    test = subset(data.test, _some(data.test.x, np.arange(len(data.test.x))))
    accuracy = float(np.mean(net.predict(reduced(test.x)) == test.label))

    def embed(x):
        return np.maximum(reduced(x) @ weight + bias, 0)

    name = f"hidden layer of a classifier{of} ({100 * accuracy:.0f} % right on test)"
    return Features(embed, name, lambda x: net.predict(reduced(x)), accuracy)


def _some(x, among: np.ndarray) -> np.ndarray:
    """Positions of the examples that are looked at, of those at `among`: all, or a fixed random part of them."""
    count = min(ROWS, max(2, NUMBERS // max(1, int(np.prod(x.shape[1:])))))
    return among if len(among) <= count else np.sort(np.random.default_rng(0).choice(among, count, replace=False))
