"""What the samples of a run are conditioned on."""

import numpy as np
import pytest

from jaxgen.data import Data, Split
from jaxgen.runs import conditions

RNG = np.random.default_rng(0)


def split(n):
    """Images of which four in five have the label 0, sorted by label."""
    label = np.sort((np.arange(n) % 5 == 0).astype(np.int32))
    return Split(RNG.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8), label)


def images(train=90, valid=30, test=40):
    return Data("toy", "image", split(train), split(valid), split(test), ("a", "b", "c"), None, None, "", ())


@pytest.mark.parametrize("n", [10, 40, 100])
def test_labels_are_as_frequent_as_in_the_test_split(n):
    # Kills: all labels in turn, of which the third is nowhere; the first of a split that is sorted; a split in turn
    # that ends in the middle; labels that are no int32.
    data = images()
    label = conditions.measured(conditions.condition_of("label", data.shape, 3), data, n)
    assert label.dtype == np.int32 and np.bincount(label, minlength=3).tolist() == [0.8 * n, 0.2 * n, 0]
    drawn = conditions.given(conditions.condition_of("label", data.shape, 3), data, 9)
    assert np.bincount(drawn).tolist() == [3, 3, 3]


@pytest.mark.parametrize("valid", [30, 0])
def test_small_images_are_not_of_those_that_samples_are_measured_against(valid):
    # Kills: the test split, whose large images are then compared with what was made of their small ones; an empty
    # validation split divided by.
    data = images(valid=valid)
    small = conditions.measured(conditions.condition_of("small:4", data.shape, 3), data, 40)
    held = data.valid if valid else data.train
    at = np.arange(40) * len(held.x) // 40
    means = held.x[at].reshape(40, 4, 2, 4, 2, 1).astype(np.float64).mean((2, 4)) / 255
    np.testing.assert_allclose(small, means, rtol=1e-5)
