"""A distance in words: how strongly real images have to be blurred to be as far from real images."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from jaxgen.tasks.synthesise import headline, unseen
from jaxgen.tasks.task import Reference

RADII = (0.0, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0)  # standard deviation of the Gaussian blur, in pixels
IMAGES = 500  # that are blurred, at most

Yardstick = Sequence[tuple[float, float]]  # (radius in pixels, headline), radii ascending from 0


def yardstick(reference: Reference) -> list[tuple[float, float]]:
    """The headline of `synthesise` of real images that were blurred: [(radius in pixels, headline), ...], ascending.

    The images are up to 500 that neither the feature space nor the reference has seen (`unseen`). The radius is the
    standard deviation of a Gaussian blur; images are continued at their edges by their outermost pixels. [] where the
    data are no images.
    """
    from scipy.ndimage import gaussian_filter

    if reference.data.kind != "image":
        return []
    x = unseen(reference.data)
    x = x[np.random.default_rng(0).choice(len(x), min(len(x), IMAGES), replace=False)]
    figures = []
    for radius in RADII:
        blurred = gaussian_filter(x, (0, radius, radius, 0), mode="nearest") if radius else x
        (figure,) = headline(reference, blurred).values()
        figures.append((radius, figure))
    return figures


def in_words(value: float, yardstick: Yardstick) -> str:
    """A headline, lower is better, as a sentence's end: "as far from real images as real images blurred by 1.1 pixels".

    The smallest radius at which the straight lines between the marks of the yardstick reach the value, to a tenth of a
    pixel. At or below the figure of unblurred images "as near to real images as other real images"; beyond the last
    mark "farther from real images than real images blurred by 4 pixels". "" where there is no yardstick or no value.

    >>> marks = [(0.0, 0.0), (1.0, 10.0), (2.0, 40.0)]
    >>> in_words(13.0, marks)
    'as far from real images as real images blurred by 1.1 pixels'
    >>> in_words(-0.1, marks), in_words(41.0, marks)
    ('as near to real images as other real images', 'farther from real images than real images blurred by 2 pixels')
    """
    if not yardstick or not np.isfinite(value):
        return ""
    if value <= yardstick[0][1]:
        return "as near to real images as other real images"
    for (left, low), (right, high) in pairwise(yardstick):
        if value <= high:
            radius = left + (right - left) * (value - low) / (high - low)
            if radius < 0.05:
                return "as near to real images as other real images"
            return f"as far from real images as real images blurred by {_pixels(radius)}"
    return f"farther from real images than real images blurred by {_pixels(yardstick[-1][0])}"


def _pixels(radius: float) -> str:
    number = f"{radius:.1f}".removesuffix(".0")
    return f"{number} pixel" if number == "1" else f"{number} pixels"
