"""A table of three classes, small enough to reason about."""

import numpy as np
import pytest

from jaxgen.data import Data, Split


def make_split(seed, n, classes=3, d=6):
    rng = np.random.default_rng(seed)
    label = (np.arange(n) % classes).astype(np.int32)
    x = rng.normal(size=(n, d))
    x[:, 0] += 3.0 * label
    return Split(x.astype(np.float32), label)


@pytest.fixture
def table():
    splits = (make_split(0, 180), make_split(1, 60), make_split(2, 90))
    return Data("toy", "table", *splits, ("a", "b", "c"), None, None, "", ())
