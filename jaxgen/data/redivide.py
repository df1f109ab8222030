"""Splits of another seed of data that are loaded already."""

import numpy as np

from jaxgen.data.data import NAMES, Data, Split
from jaxgen.data.divide import divide, standardise
from jaxgen.data.streams import Stored
from jaxgen.training.pool import Pool, Rows


def pooled(data: Data) -> Data:
    """The same data; images lie in one pool, of which `redivide` then makes splits without a copy.

    Tables are standardised by each seed's own training split, so they stay arrays.

    >>> from jaxgen.data import load
    >>> data = pooled(load("digits"))
    >>> redivide(data, 1).test.x.pool is redivide(data, 2).train.x.pool
    True
    """
    splits = data.splits.values()
    if data.kind != "image" or any(isinstance(split.x, Stored | Rows) for split in splits):
        return data
    ends = np.cumsum([len(split.x) for split in splits])
    pool = Pool.of([split.x for split in splits])
    parts = np.split(np.arange(ends[-1]), ends[:-1])
    train, valid, test = (split._replace(x=pool.rows(at)) for split, at in zip(splits, parts, strict=True))
    return data._replace(train=train, valid=valid, test=test)


def redivide(data: Data, seed: int) -> Data:
    """The same examples in splits of another seed; those that the source itself divided (`Data.official`) stay.

    A table is standardised by its new training split. Seed 0 gives the data as they are, and so do data of which
    nothing may move. The digest stays that of the data as they were loaded.

    >>> from jaxgen.data import load
    >>> data = load("digits")
    >>> other = redivide(data, 1)
    >>> [len(split.x) for split in other.splits.values()], bool((other.test.x == data.test.x).all())
    ([1259, 179, 359], False)
    """
    if seed == 0 or {"valid", "test"} <= set(data.official):
        return data
    splits = list(data.splits.values())
    # Field by field: each is an array over the examples, or None in all splits.
    whole = Split(*(None if parts[0] is None else _joined(parts) for parts in zip(*splits, strict=True)))
    places = np.repeat(
        [NAMES.index(name) if name in data.official else 0 for name in NAMES], [len(s.x) for s in splits]
    )
    official = places.astype(np.int8) if data.official else None
    parts = divide(len(whole.x), whole.label, seed=seed, official=official)
    if [len(part) for part in parts] != [len(split.x) for split in splits]:  # not of 70, 10 and 20 %
        parts = _redrawn(splits, whole.label, places, seed)
    scale = data.scale
    if scale is not None:
        mean, std = scale
        order = np.concatenate(parts)
        z, scale, _ = standardise((whole.x * std + mean)[order], len(parts[0]))
        x = np.empty_like(z)
        x[order] = z
        whole = whole._replace(x=x)
    train, valid, test = (Split(*(None if a is None else _part(a, part) for a in whole)) for part in parts)
    return data._replace(train=train, valid=valid, test=test, scale=scale)


def _redrawn(
    splits: list[Split], label: np.ndarray | None, official: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of splits with as many examples of each class as `splits`; those that are not 0 in `official` stay."""
    part, rng = np.repeat(np.arange(len(splits)), [len(split.x) for split in splits]), np.random.default_rng(seed)
    strata = np.zeros(len(part), int) if label is None else label
    for stratum in np.unique(strata):
        free = np.flatnonzero((strata == stratum) & (official == 0))
        part[free] = part[rng.permutation(free)]
    train, valid, test = (rng.permutation(np.flatnonzero(part == i)) for i in range(3))
    return train, valid, test


def _joined(parts: tuple) -> np.ndarray | Rows:
    if all(isinstance(part, Rows) for part in parts):
        return parts[0].pool.rows(np.concatenate([part.at for part in parts]))
    return np.concatenate(parts)


def _part(a: np.ndarray | Rows, at: np.ndarray) -> np.ndarray | Rows:
    return a.pool.rows(a.at[at]) if isinstance(a, Rows) else a[at]
