"""What an edit does to the factors that examples were made from, where these are known: part of `manipulate`."""

import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data, Split, as_float
from jaxgen.metrics.disentanglement import dci, mutual_information_gap
from jaxgen.metrics.features import flat
from jaxgen.tasks.edits import encoded, pixels_of
from jaxgen.tasks.evaluation import looked_at
from jaxgen.tasks.task import SHARE, Metric

LABELS = 20  # examples of either half of a factor's values, of which a direction is made
PAIRS = {"valid": 200, "test": 500}  # edits of a split, at most
WIDEST = 64  # numbers in a code that trees are grown on, at most: beyond that they take minutes

METRICS = {
    "right_factor": Metric(
        True, False, "edits of one factor after which it is in its other half and no other factor is", "", SHARE
    ),
    "disentanglement": Metric(True, False, "DCI: numbers of the code that speak of one factor only", "", SHARE),
    "completeness": Metric(True, False, "DCI: factors that one number of the code speaks of", "", SHARE),
    "informativeness": Metric(True, False, "DCI: factors that trees read from the code", "", SHARE),
    "mutual_information_gap": Metric(
        True, False, "information on a factor that the best number of the code has before the second", "", SHARE
    ),
}


def measure(model: Model, data: Data, seed: int, strengths: np.ndarray) -> dict[str, float]:
    """Figures of a model on data whose factors are known, of at least two factors; {} on others.

    DCI and the mutual information gap are of codes of 2 to 64 numbers: trees and information from training examples,
    informativeness from test examples.
    """
    if len(data.factors) < 2:
        return {}
    train, test = looked_at(data.train), looked_at(data.test)
    codes, test_codes = (_rows(encoded(model, split.x)) for split in (train, test))
    figures = {"right_factor": right_factor(model, data, seed, strengths)}
    if 2 <= codes.shape[1] <= WIDEST and np.all(np.isfinite(codes)) and np.all(np.isfinite(test_codes)):
        figures |= dci(codes, train.factors, test_codes, test.factors)._asdict()
        figures["mutual_information_gap"] = mutual_information_gap(codes, train.factors)
    return figures


def _rows(codes: np.ndarray) -> np.ndarray:
    return codes.reshape(len(codes), -1)


def halves(factors: np.ndarray, data: Data) -> np.ndarray:
    """Whether the value of each factor is of the upper half of its values: bool [N, K] of int [N, K].

    Of three values the last alone is.
    """
    return 2 * factors >= data.train.factors.max(0)[None] + 1


def right_factor(model: Model, data: Data, seed: int, strengths: np.ndarray) -> float:
    """Share of edits of one factor that move it into its other half, and leave each other factor in the half it was in.

    The direction of a factor is the mean code of 20 training examples of its upper half minus that of 20 of its lower
    half. A test example goes along it, or against it, by the strength that is best on validation. The factors of an
    edited image are those of the nearest training example, in pixels. An edit that is read so before it is edited, by
    its reconstruction, does not count: a model that ignores its code has 0, and so has one that changes nothing.
    """
    from sklearn.neighbors import KNeighborsClassifier

    train = looked_at(data.train)
    rows = flat(train.x).astype(np.float32)
    reader = KNeighborsClassifier(1, algorithm="brute").fit(rows, halves(train.factors, data))
    way = _directions(model, train, data, seed)
    best = int(np.argmax(_shares(model, data, "valid", seed, way, strengths, reader)))
    return _shares(model, data, "test", seed, way, strengths[best : best + 1], reader)[0]


def _directions(model: Model, train: Split, data: Data, seed: int) -> np.ndarray:
    rng, upper = np.random.default_rng(seed), halves(train.factors, data)
    ways = []
    for half in upper.T:
        ends = [train.x[rng.permutation(np.flatnonzero(half == side))[:LABELS]] for side in (True, False)]
        above, below = (encoded(model, x).mean(0) for x in ends)
        ways.append(above - below)
    return np.stack(ways)


def _shares(model: Model, data: Data, name: str, seed: int, way: np.ndarray, strengths, reader) -> list[float]:
    """The share of right edits of one split, at each of the strengths; 0 where an image is no number."""
    from threadpoolctl import threadpool_limits

    split = data.splits[name]
    rng = np.random.default_rng([seed, len(split.x)])
    at = rng.permutation(len(split.x))[: PAIRS[name]]
    k, row = rng.integers(len(way), size=len(at)), np.arange(len(at))
    wanted = halves(split.factors[at], data)
    wanted[row, k] ^= True
    sign = np.where(wanted[row, k], 1, -1).reshape(-1, *[1] * (way.ndim - 1))
    codes = encoded(model, as_float(split.x[at]))

    def right(strength) -> np.ndarray:
        x = pixels_of(model, codes + (strength * sign * way[k]).astype(np.float32), data.shape)
        if not np.all(np.isfinite(x)):
            return np.zeros(len(x), bool)
        with threadpool_limits(1):  # threads that wait for each other take longer than the search itself
            return (reader.predict(flat(x).astype(np.float32)) == wanted).all(1)

    already = right(0)
    return [float(np.mean(right(strength) & ~already)) for strength in strengths]
