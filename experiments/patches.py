"""Patches of the colour photographs that come with scikit-image, where it is installed."""

import importlib.util

import numpy as np

from jaxgen.data import Data
from jaxgen.data.data import Examples
from jaxgen.data.divide import assemble

PICTURES = ("astronaut", "coffee", "chelsea", "rocket")  # in its wheel: nothing is downloaded
TILE, SHRINK = 16, 2  # pixels of a side: of a tile, and of the squares of which a pixel of the patch is the mean
LEAST = 0.02  # standard deviation of a patch in [0, 1]; those with less, such as clear sky, are left out


def installed() -> bool:
    """Whether scikit-image is there."""
    return importlib.util.find_spec("skimage") is not None


def load() -> Data:
    """Patches of 8 x 8 pixels in colour; the label is the picture. Tiles do not overlap, so that splits share no pixel.

    Raises:
      ModuleNotFoundError: scikit-image is not installed.
    """
    import skimage.data

    results = [tiles(getattr(skimage.data, name)()) for name in PICTURES]
    x, label = (
        np.concatenate(results),
        np.repeat(np.arange(len(results), dtype=np.int32), [len(values) for values in results]),
    )
    return assemble("patches", "image", Examples(len(x), x.__getitem__, label, PICTURES), seed=0)


def tiles(picture: np.ndarray) -> np.ndarray:
    """Patches uint8 [N, 8, 8, C] of a picture uint8 [H, W, C]; a rest at its right and lower edge is not used.

    >>> tiles(np.zeros((40, 40, 3), np.uint8)).shape  # four tiles, all of them flat
    (0, 8, 8, 3)
    >>> ramp = np.arange(0, 160, 10, np.uint8)[:, None, None] + np.zeros((1, 16, 1), np.uint8)
    >>> tiles(ramp)[0, :3, 0, 0].tolist()
    [5, 25, 45]
    """
    h, w, c = (picture.shape[0] // TILE, picture.shape[1] // TILE, picture.shape[2])
    side = TILE // SHRINK
    squares = picture[: h * TILE, : w * TILE].reshape(h, side, SHRINK, w, side, SHRINK, c).mean((2, 5))
    patches = squares.transpose(0, 2, 1, 3, 4).reshape(h * w, side, side, c)
    return np.rint(patches[patches.std((1, 2, 3)) >= 255 * LEAST]).astype(np.uint8)
