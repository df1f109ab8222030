"""Splits of another seed of data that are loaded already."""

import numpy as np

from jaxgen.data.data import NAMES, Data, Split
from jaxgen.data.divide import divide, standardise


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
    pooled = Split(*(None if parts[0] is None else np.concatenate(parts) for parts in zip(*splits, strict=True)))
    places = np.repeat(
        [NAMES.index(name) if name in data.official else 0 for name in NAMES], [len(s.x) for s in splits]
    )
    official = places.astype(np.int8) if data.official else None
    parts = divide(len(pooled.x), pooled.label, seed=seed, official=official)
    scale = data.scale
    if scale is not None:
        mean, std = scale
        order = np.concatenate(parts)
        z, scale, _ = standardise((pooled.x * std + mean)[order], len(parts[0]))
        x = np.empty_like(z)
        x[order] = z
        pooled = pooled._replace(x=x)
    train, valid, test = (Split(*(None if a is None else a[part] for a in pooled)) for part in parts)
    return data._replace(train=train, valid=valid, test=test, scale=scale)
