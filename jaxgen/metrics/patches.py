"""Features of images that need neither labels nor a download: one layer of random filters on whitened patches."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from jaxgen.data import as_float

IMAGES = 2000  # that the patches are whitened on and the features are standardised on, at most
WHITENED = 500  # images that give patches to the whitening, at most
PATCHES = 20_000  # of them, at most
POSITIONS = 16  # of patches along a side, at most: larger images are read in strides
COARSE = 8  # pixels along the shorter side of the coarse copy of an image
EPSILON = (
    1.0  # times the mean variance of a patch, added before the whitening: less lets noise and edges outweigh all else
)
LEAST = 0.1  # of the largest standard deviation of a feature: none is divided by less
BLOCK = 1 << 22  # float32 numbers in the patches that are held at once


class Layer(NamedTuple):
    """Random filters on the whitened patches of an image at one scale."""

    factor: int  # by which images are reduced first, by means over squares
    side: int  # of a patch, in pixels
    mean: np.ndarray  # float32 [P], of patches
    filters: np.ndarray  # float32 [P, K]: the whitening, then K random directions


def patch_features(x, *, features: int = 128) -> Callable[..., np.ndarray]:
    """A function images [N, H, W, C] -> float64 [N, features], fitted on images `x` [M, H, W, C].

      f(x) = (mean over a quadrant of relu((patch - m) W d_k) - a) / s      for each quadrant and filter k

    `W` is the ZCA whitening of patches, with .1 of the mean eigenvalue of their covariance added to each; `d_k` are
    random unit vectors from a fixed seed; `a` and `s` make each feature standard over `x`, but `s` is at least a tenth
    of the largest. Patches are 3 to 6 pixels wide. Images of 16 pixels a side and more are read at two scales, as they
    are and reduced to about 8 pixels a side, with half of the filters each. `features` is a multiple of 8.

    Patches are whitened and pooled over quadrants as in Coates, Lee and Ng 2011, "An analysis of single-layer networks
    in unsupervised feature learning"; the filters are random, as in Saxe et al. 2011, "On random weights and
    unsupervised feature learning", so that nothing is trained.

    >>> images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8)
    >>> patch_features(images)(images[:3]).shape
    (3, 128)
    """
    rng = np.random.default_rng(0)
    some = as_float(x[np.sort(rng.choice(len(x), min(len(x), IMAGES), replace=False))])
    side = min(some.shape[1:3])
    factors = (1, side // COARSE) if side >= 2 * COARSE else (1,)
    layers = [_layer(some[:WHITENED], factor, features // (4 * len(factors)), rng) for factor in factors]
    raw = _pooled(some, layers)
    mean, std = raw.mean(0), raw.std(0)
    scale = np.maximum(std, LEAST * std.max()) if std.max() > 0 else np.ones_like(std)
    return lambda images: (_pooled(images, layers) - mean) / scale


def _layer(x: np.ndarray, factor: int, count: int, rng: np.random.Generator) -> Layer:
    shortest = min(x.shape[1:3]) // factor
    side = min(shortest, int(np.clip(3 * shortest // 8, 3, 6)))
    each = max(1, PATCHES // len(x))
    patches = np.concatenate(
        [
            block[:, rng.choice(block.shape[1], min(each, block.shape[1]), replace=False)]
            for block in _flat(x, factor, side)
        ]
    )
    patches = patches.reshape(-1, patches.shape[-1]).astype(np.float64)
    mean = patches.mean(0)
    value, vector = np.linalg.eigh(np.atleast_2d(np.cov(patches, rowvar=False, bias=True)))
    value = np.clip(value, 0, None) + max(EPSILON * float(value.mean()), 1e-12)
    direction = rng.normal(size=(len(mean), count))
    direction /= np.linalg.norm(direction, axis=0)
    filters = (vector / np.sqrt(value)) @ vector.T @ direction
    return Layer(factor, side, mean.astype(np.float32), filters.astype(np.float32))


def _pooled(x, layers: list[Layer]) -> np.ndarray:
    """Means over quadrants of what the filters of all layers see in images: float64 [N, F]."""
    return np.concatenate(
        [
            np.concatenate([_quadrants(block, layer) for block in _patches(x, layer.factor, layer.side)])
            for layer in layers
        ],
        axis=1,
    )


def _quadrants(patches: np.ndarray, layer: Layer) -> np.ndarray:
    responses = patches @ layer.filters
    responses -= layer.mean @ layer.filters  # of the products, which are fewer numbers than the patches
    np.maximum(responses, 0, out=responses)
    shares = _shares(*responses.shape[1:3])
    means = shares @ responses.reshape(len(responses), shares.shape[1], -1)  # [n, quadrant, filter]
    return means.reshape(len(responses), -1).astype(np.float64)


def _shares(rows: int, columns: int) -> np.ndarray:
    """Of each position in the mean of each quadrant: float32 [4, rows * columns]."""
    halves = [np.array_split(np.arange(n), 2) if n > 1 else [np.arange(1)] * 2 for n in (rows, columns)]
    shares = np.zeros((4, rows, columns), np.float32)
    for share, (i, j) in zip(shares, itertools.product(*halves), strict=True):
        share[np.ix_(i, j)] = 1 / (len(i) * len(j))
    return shares.reshape(4, -1)


def _flat(x, factor: int, side: int) -> Iterator[np.ndarray]:
    for block in _patches(x, factor, side):
        yield block.reshape(len(block), -1, block.shape[-1])


def _patches(x, factor: int, side: int) -> Iterator[np.ndarray]:
    """The patches of images, a block of images at a time: float32 [n, rows, columns, side * side * C]."""
    rows, columns = (length // factor - side + 1 for length in x.shape[1:3])
    down, right = -(-rows // POSITIONS), -(-columns // POSITIONS)
    held = -(-rows // down) * -(-columns // right) * side * side * x.shape[3] + np.prod(x.shape[1:])
    size = max(1, BLOCK // int(held))
    for i in range(0, len(x), size):
        small = _reduced(np.asarray(as_float(x[i : i + size])), factor)
        windows = sliding_window_view(small, (side, side), axis=(1, 2))[:, ::down, ::right]
        yield windows.reshape(*windows.shape[:3], -1)


def _reduced(x: np.ndarray, factor: int) -> np.ndarray:
    n, height, width, channels = x.shape
    height, width = height // factor, width // factor
    x = x[:, : height * factor, : width * factor]
    rows = x.reshape(n, height, factor, -1).mean(2)  # rows first, whose numbers lie side by side
    return rows.reshape(n, height, width, factor, channels).mean(3)
