"""A distance in words: radii of blur that real images are given."""

import numpy as np
from scipy.ndimage import gaussian_filter

from jaxgen.data import load
from jaxgen.metrics import feature_space
from jaxgen.tasks import Reference, synthesise
from jaxgen.tasks.yardstick import RADII, in_words, yardstick

MARKS = [(0.0, 0.5), (0.5, 2.0), (1.0, 1.5), (2.0, 11.5)]  # the second falls, as it may by chance
FAR = "as far from real images as real images blurred by "


def test_yardstick():
    # Kills: images of test, which are the reference; a blur over examples or colours; radii exchanged.
    data = load("digits")
    data = data._replace(train=data.train._replace(label=None))
    reference = Reference(data, feature_space(data))
    found = yardstick(reference)
    assert [radius for radius, _ in found] == list(RADII)
    figures = np.array([figure for _, figure in found])
    assert abs(figures[0]) < 2 and np.all(np.diff(figures[RADII.index(0.4) :]) > 0)
    x = synthesise.unseen(data)
    assert len(x) < 500  # all of them are blurred, and figures do not depend on their order but by rounding and halves
    blurred = np.stack([gaussian_filter(image[..., 0], 1.0, mode="nearest")[..., None] for image in x])
    alone = synthesise.headline(reference, blurred)["frechet"]
    np.testing.assert_allclose(figures[RADII.index(1.0)], alone, rtol=0.02)


def test_no_yardstick_of_tables(table):
    # Kills: a blur over the columns of a table.
    assert yardstick(Reference(table, feature_space(table._replace(train=table.train._replace(label=None))))) == []


def test_in_words():
    # Kills: the nearest mark for the line between two; the last of several radii; words for what lies beyond.
    assert in_words(0.5, MARKS) == in_words(-3.0, MARKS) == "as near to real images as other real images"
    assert in_words(0.51, MARKS) == "as near to real images as other real images"  # less than half a tenth of a pixel
    assert in_words(1.4, MARKS) == FAR + "0.3 pixels"
    assert in_words(2.0, MARKS) == FAR + "0.5 pixels"  # and not by 1.1
    assert in_words(6.5, MARKS) == FAR + "1.5 pixels"
    assert in_words(1.5, [(0.0, 0.0), (2.0, 3.0)]) == FAR + "1 pixel"
    assert in_words(11.6, MARKS) == "farther from real images than real images blurred by 2 pixels"
    assert in_words(float("nan"), MARKS) == in_words(1.0, []) == ""
