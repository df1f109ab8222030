"""Which examples a model that must not see some classes is trained on, and which it is asked about."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data import Data, Split, as_float
from jaxgen.tasks.evaluation import most

TRAINED, TESTED = 20, 5  # normal examples to learn from; examples of either kind to test on
SCORED, CHOOSING = 2, 8  # the parts of what evaluation looks at that are scored, and that choose: both cost much
CHOICE = 3  # examples of either kind in the validation split, from which on they choose a score


class Examined(NamedTuple):
    """Examples that are scored, at most as many as evaluation looks at."""

    x: np.ndarray  # float32 [M, ...]
    anomalous: np.ndarray  # bool [M]


def servable(data: Data) -> str | None:
    """None, or why no anomalies of this data can be found.

    Needed are 20 normal training examples, and of either kind 5 examples to test on, as `scored_set` takes them; below
    that an AUROC is the rank of one example or two. Where the data name no anomalies, one class must be such.
    """
    if data.train.label is None or data.valid.label is None or data.test.label is None:
        return f"{data.name} has no labels."
    if data.anomalies:
        possible, who = _enough(_sizes(data), _named(data)), f"the class {', '.join(data.anomalies)} of {data.name}"
    else:
        possible, who = bool(_possible(data)), f"a class of {data.name} that is left out"
    rule = f"{TRAINED} training and {TESTED} test examples of other classes, and {TESTED} anomalies to test on"
    return None if possible else f"{who} cannot be looked for: {rule}, are needed."


def anomaly_classes(data: Data, seed: int) -> tuple[int, ...]:
    """The classes to leave out: those that the data name as anomalies, else one class, which goes round by seed.

    Only classes count of which there is enough, and beside which enough remains, as `servable` says.

    Raises:
      BadRequest: where `servable` names a reason.
    """
    reason = servable(data)
    if reason is not None:
        raise BadRequest(reason)
    if data.anomalies:
        return _named(data)
    possible = _possible(data)
    return (possible[seed % len(possible)],)


def normal_indices(data: Data, anomalies: Sequence[int]) -> np.ndarray:
    """Positions in the training split that may be trained on: all but the anomalies."""
    return np.flatnonzero(~_among(data.train, anomalies))


def scored_set(data: Data, anomalies: Sequence[int], part: int = SCORED) -> Examined:
    """The normal examples of the test split, and the anomalies of all splits: no model was trained on any of them.

    The anomalies of the validation split are left to `choice_set` where that uses them. Beyond what evaluation looks at
    (`jaxgen.tasks.evaluation.most`, with that part) a fixed random part is taken, of which anomalies are at most half.
    """
    return _examined(_tested(data, anomalies, part), anomalies)


def choice_set(data: Data, anomalies: Sequence[int]) -> Examined | None:
    """The validation split, cut as `scored_set` is; None if it holds fewer than 3 examples of either kind."""
    whole = [(data.valid, np.arange(len(data.valid.x)))]
    return _examined(_cut(whole, anomalies, CHOOSING), anomalies) if _chooses(_sizes(data), anomalies) else None


def tested(data: Data, anomalies: Sequence[int]) -> tuple[int, int]:
    """How many normal examples and how many anomalies `scored_set` holds."""
    parts = _tested(data, anomalies, SCORED)
    anomalous = sum(int(_among(split, anomalies)[at].sum()) for split, at in parts)
    return sum(len(at) for _, at in parts) - anomalous, anomalous


def anomalous(split: Split, data: Data) -> np.ndarray:
    """Which examples of a split are anomalies by name, bool [N]."""
    return _among(split, _named(data))


Part = tuple[Split, np.ndarray]  # and the positions of some of its examples


def _among(split: Split, classes: Sequence[int]) -> np.ndarray:
    return np.isin(split.label, classes)


def _named(data: Data) -> tuple[int, ...]:
    return tuple(map(data.classes.index, data.anomalies))


def _possible(data: Data) -> list[int]:
    sizes = _sizes(data)
    return [c for c in range(len(data.classes)) if _enough(sizes, (c,))]


def _sizes(data: Data) -> np.ndarray:
    """Examples by split and class, int [3, C]."""
    return np.stack([np.bincount(split.label, minlength=len(data.classes)) for split in data.splits.values()])


def _enough(sizes: np.ndarray, anomalies: Sequence[int]) -> bool:
    anomalous = sizes[:, list(anomalies)].sum(1)
    normal = sizes.sum(1) - anomalous
    tested = anomalous.sum() - (anomalous[1] if _chooses(sizes, anomalies) else 0)
    return bool(normal[0] >= TRAINED and normal[2] >= TESTED and tested >= TESTED)


def _chooses(sizes: np.ndarray, anomalies: Sequence[int]) -> bool:
    anomalous = sizes[1, list(anomalies)].sum()
    return bool(min(anomalous, sizes[1].sum() - anomalous) >= CHOICE)


def _tested(data: Data, anomalies: Sequence[int], part: int) -> list[Part]:
    beside = (data.train,) if _chooses(_sizes(data), anomalies) else (data.train, data.valid)
    parts = [(split, np.flatnonzero(_among(split, anomalies))) for split in beside]
    return _cut([(data.test, np.arange(len(data.test.x))), *parts], anomalies, part)


def _cut(parts: Sequence[Part], anomalies: Sequence[int], part: int) -> list[Part]:
    """What evaluation looks at, anomalies at most half of it; all normal examples that there is room for."""
    anomalous = np.concatenate([_among(split, anomalies)[at] for split, at in parts])
    limit = most(parts[0][0].x.shape[1:], part)
    if len(anomalous) <= limit:
        return list(parts)
    keep, rng = np.ones(len(anomalous), bool), np.random.default_rng(0)
    wanted = min(int(anomalous.sum()), limit // 2)
    for kind, room in ((anomalous, wanted), (~anomalous, limit - wanted)):
        keep[rng.permutation(np.flatnonzero(kind))[room:]] = False
    ends = np.cumsum([len(at) for _, at in parts])[:-1]
    return [(split, at[stays]) for (split, at), stays in zip(parts, np.split(keep, ends), strict=True)]


def _examined(parts: Sequence[Part], anomalies: Sequence[int]) -> Examined:
    parts = [(split, at) for split, at in parts if len(at)]
    x = np.concatenate([as_float(split.x[at]) for split, at in parts])
    return Examined(x, np.concatenate([_among(split, anomalies)[at] for split, at in parts]))
