"""What data is here: uint8 images or float32 vectors in three splits, with labels where there are any."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgen.core import BadRequest, one_line

NAMES = ("train", "valid", "test")
SHOWN = 20  # classes that a message lists, at most
PARTS = {  # what sources call them, in small letters, as places in NAMES
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), 1),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), 2),
    **dict.fromkeys(("holdout", "hold_out", "heldout", "held_out"), 2),
}
_SET = re.compile("_?set$")
_YEAR = re.compile(r"(train|val|test)[-_]?(19|20)\d\d")


def part_of(name: str) -> int | None:
    """The split that a source calls `name`, in any case, as a place in `NAMES`; None: it is no name of a split.

    >>> part_of("Training"), part_of("val2017"), part_of("test_set"), part_of("cat")
    (0, 1, 2, None)
    """
    name = name.strip().lower()
    if year := _YEAR.fullmatch(name):  # as in COCO
        name = year[1]
    return PARTS.get(_SET.sub("", re.sub("[- ]", "_", name)))


class Split(NamedTuple):
    """Examples of one split."""

    x: Any  # uint8 [N, H, W, C], or float32 [N, D]; a `jaxgen.data.streams.Stored` if they do not fit in memory
    label: Any  # int32 [N], position in `Data.classes`; None where there are no labels
    factors: Any = None  # int32 [N, K], the value of each of `Data.factors`; None where they are not known


class Modes(NamedTuple):
    """An equal mixture of isotropic Gaussians in the plane."""

    means: np.ndarray  # float32 [M, 2]
    std: float


class Data(NamedTuple):
    """A data set, split for good: whoever trains sees `train`, whoever chooses `valid`, whoever reports `test`."""

    name: str
    kind: str  # "image", "table" or "points"
    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...]  # () where there are no labels
    modes: Modes | None  # where they are known
    scale: (
        tuple[np.ndarray, np.ndarray] | None
    )  # tables: float64 (mean, std) of train; x * std + mean is in the user's units
    digest: str  # sha256 of the three splits, in hex
    notes: tuple[str, ...]  # what was done to the data, one line each
    anomalies: tuple[str, ...] = ()  # the classes that are anomalies where that is known; whatever else is normal
    official: tuple[str, ...] = ("valid", "test")  # splits that came divided, and that stay as they are
    factors: tuple[str, ...] = ()  # what the examples were made from, by name, where it is known
    domains: tuple[str, ...] = ()  # between which images are translated: two classes, or one of `jaxgen.data.styles`

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (H, W, C) or (D,)."""
        return self.train.x.shape[1:]

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return dict(zip(NAMES, (self.train, self.valid, self.test), strict=True))


class Examples(NamedTuple):
    """What a source knows before anything is decoded: labels first, so that pixels are read once, in final order."""

    total: int
    read: Callable[[np.ndarray], np.ndarray]  # positions int [n] -> x [n, ...] in that order
    label: np.ndarray | None  # int32 [total]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    official: np.ndarray | None = None  # int8 [total]: the source's own split, 0, 1, 2 as in NAMES; None: it has none
    shape: tuple[int, ...] | None = None  # of one image, uint8, if `read` reads from the disk; None: all is in memory
    factors: np.ndarray | None = None  # int32 [total, K]
    factor_names: tuple[str, ...] = ()


def class_names(values: Sequence[str]) -> tuple[str, ...]:
    """Names of classes as they can be written: what of them cannot is replaced, or spelt out if two would be alike.

    >>> class_names(["cat", "a\\nb", "a b"])
    ('cat', 'a\\\\nb', 'a b')
    """
    names = [one_line(value) for value in values]
    counts = Counter(names)
    return tuple(
        name if counts[name] == 1 or name == value else ascii(value)[1:-1]
        for name, value in zip(names, values, strict=True)
    )


def subset(split: Split, keep: np.ndarray) -> Split:
    """The examples of a split that `keep` names, by position (int [n]) or by mask (bool [N])."""
    label, factors = (None if array is None else array[keep] for array in (split.label, split.factors))
    return Split(split.x[keep], label, factors)


def listed(classes: tuple[str, ...]) -> str:
    """Classes as a message lists them: 20 of them at most; "none" if there are none."""
    return ", ".join(classes[:SHOWN]) + f" and {len(classes) - SHOWN} more" * (len(classes) > SHOWN) or "none"


def with_anomalies(data: Data, names: tuple[str, ...]) -> Data:
    """The same data, with these classes as its anomalies in place of those that its source names.

    Raises:
      BadRequest: no labels, no names, a name that is no class, or no class left that is normal.

    >>> from jaxgen.data import load
    >>> with_anomalies(load("digits"), ("7", "1")).anomalies
    ('7', '1')
    """
    if not data.classes:
        raise BadRequest(
            f"{data.name} has no labels, and so no class {', '.join(names)} to be the anomaly: give it labels."
        )
    classes = listed(data.classes)
    for name in names:
        if name not in data.classes:
            raise BadRequest(f"{data.name} has no class {name!r} to be the anomaly: its classes are {classes}.")
    if not names or set(names) == set(data.classes):
        raise BadRequest(f"of the classes of {data.name} some are anomalies and some are not: they are {classes}.")
    return data._replace(anomalies=tuple(dict.fromkeys(names)))
