"""Digits in three channels."""

import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.data import load, subset
from jaxgen.data.embedded import STACKED, stack


def test_channels_are_digits_of_the_same_split():
    # Kills: digits of a test image in training; a channel that repeats another; classes as unequal as in the digits.
    stacked, single = load("stacked_digits"), load("digits")
    for n, name in zip(STACKED, stacked.splits, strict=True):
        x = stacked.splits[name].x
        assert x.shape == (n, 8, 8, 3) and x.dtype == np.uint8
        label_of = {image.tobytes(): label for image, label in zip(*single.splits[name][:2], strict=True)}
        channels = [[label_of[np.ascontiguousarray(x[i, ..., c]).tobytes()] for i in range(n)] for c in range(3)]
        triples = np.stack(channels, 1)
        assert abs(np.bincount(triples.ravel(), minlength=10) / (3 * n) - 0.1).max() < 5 * np.sqrt(0.09 / (3 * n))
        assert abs(np.corrcoef(triples.T) - np.eye(3)).max() < 5 / np.sqrt(n)
    assert len(np.unique(triples @ [100, 10, 1])) > 850  # 1000 (1 - e^-2.5) = 918 of 2,500 test images


def test_a_class_that_is_not_there_is_named():
    # Kills: a split of nine digits that silently has 729 modes; an error that says nothing.
    single = load("digits").test
    for lacking in (4, 9):
        some = subset(single, single.label != lacking)
        with pytest.raises(BadRequest, match=f"no example of class {lacking}: "):
            stack(some, 5, np.random.default_rng(0))


def test_seeds_differ_and_repeat():
    # Kills: a draw that no seed decides.
    a, b, c = (load("stacked_digits", seed=seed) for seed in (0, 0, 1))
    assert a.digest == b.digest != c.digest and a.official == ("valid", "test") and not a.classes
