"""The data sets that need no file: two of scikit-learn's, two mixtures of Gaussians, and drawn shapes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data import shapes as drawing
from jaxgen.data.data import Data, Examples, Modes, Split
from jaxgen.data.divide import assemble, finish

SHAPES = 4_000  # images of `shapes`
STACKED = (20_000, 2_500, 2_500)  # images of `stacked_digits`, by split


def digits(seed: int) -> Data:
    """1,797 handwritten digits of 8 x 8 grey pixels, from scikit-learn."""
    from sklearn.datasets import load_digits  # a second of import that only this data set pays

    bunch: Any = load_digits()
    # 0..16 to 0..255: the scikit-learn description calls them counts of set pixels in 4x4 blocks.
    x = np.rint(bunch.images * 255 / 16).astype(np.uint8)[..., None]
    examples = Examples(len(x), x.__getitem__, bunch.target.astype(np.int32), tuple("0123456789"))
    return assemble("digits", "image", examples, seed=seed)


def stacked_digits(seed: int) -> Data:
    """Images of 8 x 8 pixels with a digit in each of three channels: 1,000 modes, each as probable as any other.

    Three numbers from 0 to 9 are drawn, and of each of them one of the `digits` of the same split: no two splits share
    a digit's image. Srivastava et al. 2017, arXiv 1705.07761, stack digits of MNIST so.
    """
    single = digits(seed)
    rng = np.random.default_rng([seed, len(STACKED)])
    train, valid, test = (
        Split(stack(split, n, rng, len(single.classes)), None)
        for split, n in zip(single.splits.values(), STACKED, strict=True)
    )
    return finish(Data("stacked_digits", "image", train, valid, test, (), None, None, "", ()))


def stack(split: Split, n: int, rng: np.random.Generator, classes: int = 10) -> np.ndarray:
    """n images uint8 [n, H, W, 3] whose channels are images [H, W, 1] of the split, of classes drawn independently.

    Raises:
      BadRequest: the split lacks one of the classes.
    """
    if len(lacking := np.setdiff1d(np.arange(classes), split.label)):
        raise BadRequest(f"no example of class {lacking[0]}: images are stacked of all {classes} classes.")
    label = rng.integers(classes, size=(n, 3))
    x = np.empty((n, *split.x.shape[1:3], 3), np.uint8)
    for c in range(classes):
        own, (row, channel) = np.flatnonzero(split.label == c), np.nonzero(label == c)
        x[row, :, :, channel] = split.x[own[rng.integers(len(own), size=len(row))], ..., 0]
    return x


def cancer(seed: int) -> Data:
    """569 tumours by 30 measurements, benign or malignant, from scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    bunch: Any = load_breast_cancer()
    classes = tuple(map(str, bunch.target_names))
    examples = Examples(len(bunch.data), bunch.data.__getitem__, bunch.target.astype(np.int32), classes)
    return assemble("cancer", "table", examples, seed=seed)._replace(anomalies=("malignant",))


def shapes(seed: int) -> Data:
    """4,000 grey images of 16 x 16 pixels: an ellipse, a square or a heart, with the five factors they were drawn from.

    `seed` decides which of the 4,608 combinations of shape, size, angle, x and y are there; none is there twice. The
    label is the shape.
    """
    return _shapes("shapes", 16, seed)


def shapes64(seed: int) -> Data:
    """The images of `shapes` in 64 x 64 pixels."""
    return _shapes("shapes64", drawing.SIDE, seed)


def _shapes(name: str, side: int, seed: int) -> Data:
    combinations = drawing.grid()
    rng = np.random.default_rng([seed, len(combinations)])  # not the permutation by which examples are divided
    factors = rng.permutation(combinations)[:SHAPES]
    examples = Examples(
        len(factors),
        lambda at: drawing.draw(factors[at], side),
        factors[:, 0],
        drawing.SHAPES,
        factors=factors,
        factor_names=drawing.FACTORS,
    )
    return assemble(name, "image", examples, seed=seed)


def ring8(seed: int) -> Data:
    """Points of 8 Gaussians on the unit circle, of standard deviation 0.01."""
    angle = 2 * np.pi * np.arange(8) / 8
    return _mixture("ring8", np.stack([np.cos(angle), np.sin(angle)], 1), 0.01, seed)


def grid25(seed: int) -> Data:
    """Points of 25 Gaussians on a grid of spacing 2, of standard deviation 0.05."""
    side = np.arange(-4, 5, 2)
    return _mixture("grid25", np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(25, 2), 0.05, seed)


def _mixture(name: str, means: np.ndarray, std: float, seed: int) -> Data:
    rng = np.random.default_rng(seed)

    def draw(n):
        label = rng.integers(len(means), size=n, dtype=np.int32)
        return Split((means[label] + std * rng.standard_normal((n, 2))).astype(np.float32), label)

    train, valid, test = draw(20_000), draw(2_500), draw(2_500)
    classes = tuple(map(str, range(len(means))))
    modes = Modes(means.astype(np.float32), std)
    return finish(Data(name, "points", train, valid, test, classes, modes, None, "", (), official=()))


EMBEDDED: dict[str, Callable[[int], Data]] = {
    "digits": digits,
    "shapes": shapes,
    "shapes64": shapes64,
    "ring8": ring8,
    "grid25": grid25,
    "stacked_digits": stacked_digits,
    "cancer": cancer,
}
