"""Edits of examples from class to class, and two measures of them: whether the class changed, and the identity kept.

Whether the class is *changed* cannot be left to a classifier alone, because an image with a faint trace of another
class may deceive it; so an edit must also lie near examples of the target class. Whether the identity is *kept* cannot
be measured by a distance of pixels alone, because another class has other pixels; so the measure is whether the
original of an edit is nearer to it than other examples of the original's class.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data, Split, as_float, subset
from jaxgen.metrics.features import DIRECT, Features, flat
from jaxgen.tasks.evaluation import decoded, in_batches, large, most
from jaxgen.tasks.probe import labelled
from jaxgen.tasks.task import Reference

LABELS = 20  # per class, of which a direction is made
PAIRS = 500  # edits of a split, at most
LARGE = 226  # of images of which tasks look at a part at a stage
FEW = 113  # of these, where the best strength is looked for and at a stage
ORIGINALS = 50  # examples of a class that edits start from, and among which the original is to be told, at most
POOL = 200  # training examples of a class near which an edit must lie, at most
TYPICAL = 0.95  # share of validation examples that lie as near to training examples of their class as an edit must
CLASSES = 20  # those with the most training examples, where there are more
LEAST = 3  # examples of a class in each split; a class of fewer is left out


class Edits(NamedTuple):
    """Which examples are edited, and what they are to become."""

    x: np.ndarray  # float32 [P, ...]: the originals
    label: np.ndarray  # int [P]
    source: np.ndarray  # int [E], positions in x
    target: np.ndarray  # int [E], another class than that of the source


class Judge(NamedTuple):
    """Recognises typical examples of a class: by a classifier, and by their distance to training examples."""

    features: Features
    known: Mapping[int, np.ndarray]  # class -> features of its training examples, float64 [N, F]
    radius: Mapping[int, float]


def classes_of(data: Data) -> np.ndarray:
    """The classes that edits lead between: those with 3 examples in each split, of more than 20 the largest 20."""
    counts = np.stack([np.bincount(split.label, minlength=len(data.classes)) for split in data.splits.values()])
    enough = np.flatnonzero(counts.min(0) >= LEAST)
    return np.sort(enough[np.argsort(-counts[0, enough], kind="stable")[:CLASSES]])


def encoded(model: Model, x: np.ndarray) -> np.ndarray:
    """Codes of x [N, ...], in batches."""
    encode = model.encode
    assert encode is not None
    return in_batches(lambda i, x: encode(x), x)


def pixels_of(model: Model, codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Images of codes, of `shape`, in batches, cut to [0, 1]."""
    return np.clip(decoded(model, codes, shape), 0, 1).astype(np.float32)


def plan_edits(data: Data, split: Split, seed: int, *, few: bool = False) -> Edits:
    """At most 500 pairs of an example and another class, drawn by the seed, from at most 50 examples of each class.

    Where images are large, 32x32 in colour and more, there are 226 at most, and with `few` 113.
    """
    count = PAIRS if not large(data.shape) else FEW if few else LARGE
    classes = classes_of(data)
    at = np.sort(labelled(split.label, ORIGINALS, seed=0, draw=0))
    held = subset(split, at[np.isin(split.label[at], classes)])
    source, target = np.repeat(np.arange(len(held.x)), len(classes)), np.tile(classes, len(held.x))
    pairs = np.flatnonzero(held.label[source] != target)
    drawn = np.random.default_rng([seed, len(pairs)]).permutation(pairs)[:count]
    return Edits(as_float(held.x), held.label, source[drawn], target[drawn])


def make_judge(reference: Reference) -> Judge:
    """The classifier of the comparison's feature space, and for each class the distance within which 95 % of its
    validation examples have a training example of it (200 of a class at most), in that space.
    """
    from scipy.spatial.distance import cdist

    data, features = reference.data, reference.features
    known, radius = {}, {}
    each = min(POOL, max(LABELS, most(data.shape) // len(data.classes)))
    at = labelled(data.train.label, each, seed=0, draw=0)
    for c in classes_of(data):
        known[c] = features.embed(data.train.x[at[data.train.label[at] == c]])
        embedded = features.embed(data.valid.x[np.flatnonzero(data.valid.label == c)[:POOL]])
        radius[c] = float(np.quantile(cdist(embedded, known[c]).min(1), TYPICAL))
    return Judge(features, known, radius)


def judged(judge: Judge, x: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(whether the classifier assigns x [E, ...] to the target class, whether it is also typical), bool [E] each."""
    from scipy.spatial.distance import cdist

    assert judge.features.classify is not None
    taken, embedded = judge.features.classify(x) == target, judge.features.embed(x)
    near = np.zeros(len(x), bool)
    for c in np.unique(target):
        chosen = target == c
        near[chosen] = cdist(embedded[chosen], judge.known[c]).min(1) <= judge.radius[c]
    return taken, taken & near


def identity_kept(x: np.ndarray, edits: Edits) -> float:
    """How well the originals of edited examples x [E, ...] are recognised: 1 for an unchanged original, 0 by chance.

      2 P(|x - x_j| > |x - x_i|) - 1, x an edit of x_i, x_j another original of its class, ties counting one half

    It is averaged over edits, and 0 if that is negative; distances are those of pixels. It is two times an area under
    the ROC curve minus 1. A change that all edits share, such as the change of class itself, does not count.
    """
    ahead, edited, originals = np.zeros(len(x)), flat(x), flat(edits.x)
    of = edits.label[edits.source]
    for c in np.unique(of):
        members, others = np.flatnonzero(of == c), np.flatnonzero(edits.label == c)
        distance = _distances(edited[members], originals[others])
        to_source = distance[others[None] == edits.source[members][:, None]]
        further = (distance > to_source[:, None]).sum(1) + ((distance == to_source[:, None]).sum(1) - 1) / 2
        ahead[members] = further / (len(others) - 1)
    return float(max(0.0, 2 * ahead.mean() - 1))


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distances [N, M] of rows; their squares, by one product, where rows are long: the order is the same."""
    from scipy.spatial.distance import cdist

    if a.shape[1] <= DIRECT:
        return cdist(a, b)
    return np.sum(a**2, 1)[:, None] + np.sum(b**2, 1)[None] - 2 * a @ b.T


def area(identity, change) -> float:
    """Area under the largest share changed while at least a given identity is kept: from 0 to 1.

      integral over k from 0 to 1 of max {changed(s): kept(s) >= k}, linear between the strengths that are measured

    It is 0 for edits that change nothing, and for edits that keep no identity.

    >>> area([1.0, 0.5], [0.0, 0.5])  # a triangle of 0.125 beside a rectangle of 0.25
    0.375
    """
    order = np.argsort(-np.asarray(identity), kind="stable")
    k, best = np.asarray(identity)[order], np.maximum.accumulate(np.asarray(change)[order])
    return float(np.sum((k[:-1] - k[1:]) * (best[:-1] + best[1:])) / 2 + k[-1] * best[-1])
