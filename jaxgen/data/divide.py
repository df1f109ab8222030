"""Examples are divided once, by class, into what is trained on, chosen by and reported; the result has a digest."""

import contextlib
import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.data import NAMES, Data, Examples, Split
from jaxgen.data.streams import Stored
from jaxgen.data.streams import digest as stored_digest

LARGEST = 1e18  # in a table; the squares of more leave float32
FEWEST = 20  # examples; below that no split says anything


def divide(
    count: int, label: np.ndarray | None, *, seed: int, official: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of train, valid and test: 70, 10 and 20 %, by class, shuffled by `seed`; each example in one of them.

    Of a class of n examples round(n / 10) go to valid and round(n / 5) to test, at least one to each; a class of
    fewer than three stays in train. A valid or test split that the source names (`official`) is kept as it is, and only
    what is missing is held out of its train split, in the same proportions: beside an official test split, an eighth.

    Raises:
      BadRequest: fewer than 20 examples in all or to train on, or labels of which none occurs three times.

    >>> [len(part) for part in divide(50, None, seed=0)]
    [35, 5, 10]
    >>> [len(part) for part in divide(50, None, seed=0, official=np.repeat([0, 2], [40, 10]))]
    [35, 5, 10]
    """
    order = np.random.default_rng(seed).permutation(count)
    part = np.zeros(count, np.int64) if official is None else official[order].astype(np.int64)  # of order[i], as NAMES
    free = np.flatnonzero(part == 0)
    if len(free) < FEWEST:
        where = "" if official is None else " in its train split"
        raise BadRequest(
            f"the data holds {len(free)} examples{where}: at least {FEWEST} are needed to train, choose and test."
        )
    tenths = [0 if (part == i).any() else tenth for i, tenth in ((1, 1), (2, 2))]
    stratum = np.zeros(len(free), np.int64) if label is None else label[order[free]]
    for mine in np.split(free[np.argsort(stratum, kind="stable")], np.cumsum(np.bincount(stratum))[:-1]):
        if len(mine) >= 3:
            valid, test = (max(1, round(len(mine) * tenth / (7 + sum(tenths)))) if tenth else 0 for tenth in tenths)
            part[mine[:valid]] = 1
            part[mine[valid : valid + test]] = 2
    if not ((part == 1).any() and (part == 2).any()):
        raise BadRequest(
            "no label occurs three times, so nothing can be held out: are they identifiers? Leave them out."
        )
    train, valid, test = (order[part == i] for i in range(3))
    return train, valid, test


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """Puts the name of the data before what is said of them."""
    try:
        yield
    except BadRequest as error:
        raise BadRequest(f"{name}: {error}") from error


def assemble(name: str, kind: str, examples: Examples, *, seed: int, room: float = math.inf) -> Data:
    """Examples as `Data`: divided, tables standardised by the training split, duplicates counted.

    Images that are on the disk and take more than `room` bytes stay there (`jaxgen.data.streams.Stored`); duplicates
    are then not counted. Where the source's own train split holds one class, as that of MVTec AD does, the classes of
    its other splits are the anomalies.

    Raises:
      BadRequest: as `divide`; a table with a number beyond 1e18, or a column that float64 cannot standardise.
    """
    with named(name):
        parts = divide(examples.total, examples.label, seed=seed, official=examples.official)
    labels, factors = (
        [None if array is None else array[part] for part in parts] for array in (examples.label, examples.factors)
    )
    anomalies, kept = _unseen(examples, parts), _official(examples)
    notes = [*examples.notes, *_notes_of_splits(examples, parts, kept, anomalies)]

    def data_of(x: Sequence[Any], scale: Any = None) -> Data:
        train, valid, test = map(Split, x, labels, factors)
        known = (tuple(notes), anomalies, kept, examples.factor_names)
        return Data(name, kind, train, valid, test, examples.classes, None, scale, "", *known)

    if examples.shape is not None and examples.total * math.prod(examples.shape) > room:
        stored = data_of([Stored(examples.read, part, examples.shape, np.uint8) for part in parts])
        return stored._replace(digest=stored_digest((stored.train, stored.valid, stored.test)))
    x, scale = examples.read(np.concatenate(parts)), None
    if kind == "table":
        with named(name):
            x, scale, more = standardise(x, len(parts[0]))
        notes += more
    elif kind == "image" and (top := int(x.max())) < 128:
        notes.append(f"the brightest pixel is {top} of 255: rescale the images if that is not meant.")
    return finish(data_of(np.split(x, np.cumsum([len(part) for part in parts])[:-1]), scale))


def _official(examples: Examples) -> tuple[str, ...]:
    """The splits, of valid and test, that the source itself names."""
    if examples.official is None:
        return ()
    return tuple(NAMES[i] for i in (1, 2) if (examples.official == i).any())


def _notes_of_splits(
    examples: Examples, parts: tuple[np.ndarray, ...], kept: tuple[str, ...], anomalies: tuple[str, ...]
) -> list[str]:
    """What is to be said of the splits and of their classes."""
    notes = [f"{' and '.join(kept)}: the source's own."] if kept else []
    if examples.label is None:
        return notes
    sizes, in_train = (
        np.bincount(label, minlength=len(examples.classes)) for label in (examples.label, examples.label[parts[0]])
    )
    small = [repr(c) for c, n, m in zip(examples.classes, sizes, in_train, strict=True) if n == m < 3]
    if small:
        notes.append(f"{some(small)}: fewer than 3 examples, so in train only.")
    if anomalies:
        alone = examples.classes[examples.label[parts[0]][0]]
        return [*notes, f"anomalies: {some(list(map(repr, anomalies)))}, for train holds {alone!r} alone."]
    return notes + _lacking(examples, parts)


def _unseen(examples: Examples, parts: tuple[np.ndarray, ...]) -> tuple[str, ...]:
    """Where train holds one class, by the source's own splits: the classes that only the others have, else ()."""
    if examples.label is None:
        return ()
    seen = set(examples.label[parts[0]])
    unseen = set(examples.label[np.concatenate(parts[1:])]) - seen
    return tuple(examples.classes[c] for c in sorted(unseen)) if len(seen) == 1 else ()


def _lacking(examples: Examples, parts: tuple[np.ndarray, ...]) -> list[str]:
    """Of splits that the source names: classes that a model is asked for and was never shown."""
    assert examples.label is not None
    seen = set(examples.label[parts[0]])
    notes = []
    for name, part in zip(NAMES[1:], parts[1:], strict=True):
        if strange := sorted(set(examples.label[part]) - seen):
            notes.append(f"in {name} but never in train: {some([repr(examples.classes[c]) for c in strange])}.")
    return notes


def finish(data: Data) -> Data:
    """The same data with its digest, and with a note for each pair of splits that shares examples byte for byte."""
    notes = (*data.notes, *shared(data))
    return data._replace(digest=digest((data.train, data.valid, data.test)), notes=notes)


def shared(data: Data) -> list[str]:
    """A note for each pair of splits that shares examples byte for byte."""
    seen = [[hashlib.blake2b(row, digest_size=16).digest() for row in _rows(split.x)] for split in data.splits.values()]
    notes = []
    for later, earlier in ((1, 0), (2, 0), (2, 1)):
        known = set(seen[earlier])
        both = sum(row in known for row in seen[later])
        if both:
            notes.append(f"{both} of {len(seen[later])} {NAMES[later]} examples also stand in {NAMES[earlier]}.")
    return notes


def digest(splits: tuple[Split, ...]) -> str:
    """Sha256 in hex of the splits in order: name, dtype, shape and bytes of examples and labels."""
    sha = hashlib.sha256()
    for name, split in zip(NAMES, splits, strict=True):
        for what, array in (("x", split.x), ("label", split.label)):
            if array is None:
                sha.update(f"{name}.{what} none;".encode())
            else:
                sha.update(f"{name}.{what} {array.dtype.str} {array.shape};".encode())
                sha.update(_rows(array[None])[0])
    return sha.hexdigest()


def _rows(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x).reshape(len(x), math.prod(x.shape[1:])).view(np.uint8)


def some(names: list[str]) -> str:
    """The first five names, and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def standardise(x: np.ndarray, n: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], list[str]]:
    """Rows less the mean, over the standard deviation of the first `n`: them in float32, (mean, std), and notes.

    Raises:
      BadRequest: a number beyond 1e18, or a column that float64 cannot standardise.
    """
    x = x.astype(np.float64)
    top = np.abs(x).max(0)
    if top.max() > LARGEST:
        column = int(top.argmax())
        raise BadRequest(
            f"column {column} of the table reaches {top[column]:.3g}, beyond {LARGEST:g}: rescale or drop it."
        )
    # In units of a power of two near the largest value, for the square of 1e-200 is 0; it changes no other bit.
    constant = x[:n].min(0) == x[:n].max(0)
    exponent = np.where(constant, 0, np.frexp(np.abs(x[:n]).max(0))[1])
    with np.errstate(over="ignore", invalid="ignore"):  # a value held out may be larger by any factor
        x = np.ldexp(x, -exponent)
        # A constant column's own value, not its computed mean: the difference is then exactly 0.
        mean = np.where(constant, x[0], x[:n].mean(0))
        std = np.where(constant, 1.0, x[:n].std(0))
        z, mean, std = (x - mean) / std, np.ldexp(mean, exponent), np.ldexp(std, exponent)
    bad = ~(np.abs(z) <= LARGEST).all(0) | (std < np.finfo(np.float64).tiny)
    if bad.any():
        column = int(bad.argmax())
        raise BadRequest(
            f"column {column} of the table has a spread of {std[column]:.3g} in train, too small for what it holds: "
            "rescale or drop it."
        )
    columns = list(map(str, np.flatnonzero(constant)))
    notes = [f"columns constant in train, kept in their own unit around 0: {some(columns)}."] if columns else []
    return z.astype(np.float32), (mean, std), notes
