"""Styles against loops over pixels."""

import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.data import load
from jaxgen.data.styles import STYLES, coloured, edges, inverted, thick, with_domains


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 6, 7, 2), np.uint8)


def over_cross(x, pick):
    """`pick` of each pixel and its neighbours on four sides, inside the image."""
    made = np.empty_like(x)
    for n, i, j, c in np.ndindex(x.shape):
        at = [(i, j), (i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
        made[n, i, j, c] = pick(int(x[n, a, b, c]) for a, b in at if 0 <= a < x.shape[1] and 0 <= b < x.shape[2])
    return made


def test_inverted(images):
    # Kills: 256 - x; an image inverted about its own mean; the argument overwritten.
    before = images.copy()
    np.testing.assert_array_equal(inverted(images), (255 - images.astype(int)).astype(np.uint8))
    np.testing.assert_array_equal(images, before)


def test_thick_and_edges(images):
    # Kills: a square for the cross; the smallest value; borders that wrap; channels or images that reach each other;
    # outlines on one side of an edge only; differences that wrap below 0.
    largest, smallest = over_cross(images, max), over_cross(images, min)
    np.testing.assert_array_equal(thick(images), largest)
    np.testing.assert_array_equal(edges(images), largest.astype(int) - smallest)
    assert not np.array_equal(largest, images)


@pytest.mark.parametrize(("side", "steps"), [(8, 1), (28, 1), (64, 2), (128, 5)])
def test_large_images_grow_further(side, steps):
    # Kills: strokes of a large image that one pixel more leaves as they were; the longer side in place of the shorter.
    x = np.zeros((1, side, 2 * side, 1), np.uint8)
    x[0, side // 2, side] = 255
    assert np.count_nonzero(thick(x)) == 2 * steps * (steps + 1) + 1  # within `steps` moves along the axes


def test_coloured():
    # Kills: the mean for the brightness; blue read for red; cut where it must be rounded; ends exchanged.
    x = np.random.default_rng(1).integers(0, 256, (2, 4, 4, 3), np.uint8)
    bright = (0.299 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2]) / 255
    exact = np.stack([dark + bright * (light - dark) for dark, light in ((20, 255), (40, 225), (110, 150))], -1)
    assert np.max(np.abs(coloured(x) - exact)) <= 0.5 + 1e-3
    with pytest.raises(BadRequest, match="three channels, and these have 1"):
        coloured(x[..., :1])


@pytest.mark.parametrize("name", STYLES)
def test_what_a_style_takes_and_gives(name, images):
    # Kills: floats in [0, 1] taken for bytes; another type or shape given back.
    x = np.repeat(images[..., :1], 3, -1)
    made = STYLES[name](x)
    assert made.dtype == np.uint8 and made.shape == x.shape
    for wrong in (x[0], x / 255.0):
        with pytest.raises(BadRequest, match=r"uint8 \[N, H, W, C\]"):
            STYLES[name](wrong)


def test_domains_are_two_classes_or_a_style():
    # Kills: domains in the order of the classes; one class twice.
    data = load("digits")
    assert with_domains(data, ("8", "3")) == data._replace(domains=("8", "3"))
    assert with_domains(data, ("edges",)).domains == ("edges",)
    with pytest.raises(BadRequest, match="name two classes, A,B, or one style, not 3, 3"):
        with_domains(data, ("3", "3"))
