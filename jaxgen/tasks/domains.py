"""Translation between two classes of the data: no pair is known, so what counts is the set that images come into."""

from collections.abc import Mapping

import numpy as np

from jaxgen.data import Data, Split
from jaxgen.metrics.features import Features
from jaxgen.metrics.frechet import unbiased_frechet
from jaxgen.tasks.evaluation import looked_at
from jaxgen.tasks.task import SIZE, Margin, Metric
from jaxgen.training.pool import Rows

RELATED = 500  # images whose distances to each other are compared before and after, at most
LOST = 0.4  # of `lost`: a model is not chosen if it is surely above twice that
FEWEST = 10  # images of each class in the training and in the test split

METRICS: Mapping[str, Metric] = {
    "frechet": Metric(
        False,
        True,
        "Frechet distance of the features of translations to those of test images of the second class, extrapolated "
        "to unlimited sets",
        "squared",
        margin=Margin(0.1, relative=True),
    ),
    "frechet_back": Metric(False, False, "the same of the way back, to test images of the first class", "squared"),
    "lost": Metric(
        False,
        False,
        "1 minus the correlation of the distances between images before translation with those after it, in the "
        "feature space; 0: which images are alike is kept, 1: nothing of it",
        "",
        SIZE,
        veto="its translations do not show what the images show",
        usual=LOST,
    ),
}


def servable(data: Data) -> str | None:
    """None, or why there is nothing to translate between the two classes."""
    for words, split in (("training", data.train), ("test", data.test)):
        for name in data.domains:
            n = int((split.label == data.classes.index(name)).sum())
            if n < FEWEST:
                return f"the {words} split of {data.name} has {n} images of {name!r}, and {FEWEST} are needed."
    return None


def size(data: Data) -> int:
    """How many training images the two classes have together."""
    return len(_members(data))


def two_sets(data: Data) -> Data:
    """The training images of the two classes, labelled 0 and 1 in the order in which they were named."""
    at, x = _members(data), data.train.x
    label = (data.train.label[at] == data.classes.index(data.domains[1])).astype(np.int32)
    x = x.pool.rows(x.at[at]) if isinstance(x, Rows) else x[at]
    return data._replace(train=Split(x, label), classes=data.domains, anomalies=())


def _members(data: Data) -> np.ndarray:
    return np.flatnonzero(np.isin(data.train.label, [data.classes.index(name) for name in data.domains]))


def tested(split: Split, data: Data, part: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Images of the first and of the second class that evaluation looks at, or a part of them, float32."""
    first, second = (looked_at(Split(split.x[np.flatnonzero(split.label == at)], None), part).x for at in places(data))
    return first, second


def places(data: Data) -> tuple[int, int]:
    """The labels of the two classes, the first one first."""
    return data.classes.index(data.domains[0]), data.classes.index(data.domains[1])


def figures(
    features: Features, first: np.ndarray, second: np.ndarray, forward: np.ndarray, back: np.ndarray
) -> dict[str, float]:
    """All figures of translations of the test images of either class, which are finite.

    Args:
      features: the space of the comparison.
      first: features of the test images of the first class.
      second: those of the second class.
      there: the test images of the first class, in the second.
      back: those of the second class, in the first.
    """
    moved = features.embed(forward)
    return {
        "frechet": unbiased_frechet(second, moved),
        "frechet_back": unbiased_frechet(first, features.embed(back)),
        "lost": lost(first, moved),
    }


def real(features: Features, data: Data) -> dict[str, float]:
    """Of training images of the classes themselves, in place of translations."""
    (first, second), (first_train, second_train) = (tested(split, data) for split in (data.test, data.train))
    return {
        "frechet": unbiased_frechet(features.embed(second), features.embed(second_train)),
        "frechet_back": unbiased_frechet(features.embed(first), features.embed(first_train)),
    }


def lost(before: np.ndarray, after: np.ndarray) -> float:
    """1 - r of the distances between the first 500 rows of `before` [N, F] and those between their images in `after`.

    Distances do not change with a shift, a rotation or an inversion, which a style may bring. 1 where all rows of
    `after` are one.

    >>> x = np.random.default_rng(0).normal(size=(20, 3))
    >>> round(lost(x, 5 - 2 * x), 6), lost(x, np.ones((20, 3)))
    (0.0, 1.0)
    """
    from scipy.spatial.distance import pdist

    a, b = pdist(before[:RELATED]), pdist(after[:RELATED])
    return 1 - float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 1.0
