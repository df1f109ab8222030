"""EfficientNet-Lite, a classifier of images, as a function of its weights: their shapes, and the way to its features.

The architecture is that of EfficientNet (Tan and Le 2019, arXiv 1905.11946, table 1) without squeeze-and-excitation and
with ReLU6 in place of swish. It evaluates: batch norms are folded into the convolutions. The convolutions of a
channel each are sums of shifted images, the others products of matrices, which is faster on CPU than
XLA's own grouped convolutions.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgen.core import Array

EPSILON = 1e-3  # of the batch norms
NORM = ("weight", "bias", "running_mean", "running_var")


class Stage(NamedTuple):
    """Some blocks: a product to `expansion` times the channels, a convolution of each channel, and a product back."""

    repeats: int
    kernel: int
    stride: int  # of the first block; of the others 1
    expansion: int
    channels: int


class Architecture(NamedTuple):
    """Channels after the first convolution (3x3, stride 2), the stages, and the number of features."""

    stem: int
    stages: tuple[Stage, ...]
    features: int


class Block(NamedTuple):
    """One block of a stage."""

    kernel: int
    stride: int
    entering: int  # channels
    hidden: int
    leaving: int


LITE0 = Architecture(
    32,
    (
        Stage(1, 3, 1, 1, 16),
        Stage(2, 3, 2, 6, 24),
        Stage(2, 5, 2, 6, 40),
        Stage(3, 3, 2, 6, 80),
        Stage(3, 5, 1, 6, 112),
        Stage(4, 5, 2, 6, 192),
        Stage(1, 3, 1, 6, 320),
    ),
    1280,
)


def blocks(architecture: Architecture) -> list[Block]:
    """All blocks, in their order.

    >>> len(blocks(LITE0)), blocks(LITE0)[1]
    (16, Block(kernel=3, stride=2, entering=16, hidden=96, leaving=24))
    """
    result, entering = [], architecture.stem
    for stage in architecture.stages:
        for i in range(stage.repeats):
            stride = stage.stride if i == 0 else 1
            result.append(Block(stage.kernel, stride, entering, stage.expansion * entering, stage.channels))
            entering = stage.channels
    return result


def _convolutions(architecture: Architecture) -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    """(part, name of its convolution, name of its batch norm, shape of its kernel), of the whole network."""
    yield "stem", "_conv_stem", "_bn0", (architecture.stem, 3, 3, 3)
    for i, block in enumerate(blocks(architecture)):
        at, k = f"_blocks.{i}.", block.kernel
        if block.hidden != block.entering:
            yield f"{i} expand", f"{at}_expand_conv", f"{at}_bn0", (block.hidden, block.entering, 1, 1)
        yield f"{i} depthwise", f"{at}_depthwise_conv", f"{at}_bn1", (block.hidden, 1, k, k)
        yield f"{i} project", f"{at}_project_conv", f"{at}_bn2", (block.leaving, block.hidden, 1, 1)
    yield "head", "_conv_head", "_bn1", (architecture.features, architecture.stages[-1].channels, 1, 1)


def shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor that the features rest on, by its name in the published weights; kernels are OIHW."""
    by_name: dict[str, tuple[int, ...]] = {}
    for _, convolution, norm, shape in _convolutions(architecture):
        by_name[f"{convolution}.weight"] = shape
        by_name |= {f"{norm}.{name}": shape[:1] for name in NORM}
    return by_name


def folded(tensors: Mapping[str, np.ndarray], architecture: Architecture) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Part -> (kernel HWIO, bias), float32, with the batch norm in both: y = g (conv(x) - m) / sqrt(v + .001) + b."""
    params = {}
    for part, convolution, norm, _ in _convolutions(architecture):
        gain, bias, mean, variance = (np.float64(tensors[f"{norm}.{name}"]) for name in NORM)
        scale = gain / np.sqrt(variance + EPSILON)
        kernel = tensors[f"{convolution}.weight"] * scale[:, None, None, None]
        params[part] = kernel.transpose(2, 3, 1, 0).astype(np.float32), (bias - mean * scale).astype(np.float32)
    return params


def features(params: Mapping[str, Any], x: Array, architecture: Architecture = LITE0) -> Array:
    """The means over positions of the last layer: x [B, H, W, 3], (pixel - 127) / 128 -> f32 [B, features].

    Args:
      params: of `folded`.
      x: of any size; a side of 32 pixels becomes one position.
      architecture: that of the weights.
    """
    x = _relu6(_full(x, *params["stem"], stride=2))
    for i, block in enumerate(blocks(architecture)):
        hidden = _relu6(_product(x, *params[f"{i} expand"])) if f"{i} expand" in params else x
        hidden = _relu6(_depthwise(hidden, *params[f"{i} depthwise"], stride=block.stride))
        y = _product(hidden, *params[f"{i} project"])
        x = x + y if block.stride == 1 and block.entering == block.leaving else y
    return _relu6(_product(x, *params["head"])).mean((1, 2))


def _relu6(x: Array) -> Array:
    return jnp.clip(x, 0, 6)


def _product(x: Array, kernel: Array, bias: Array) -> Array:
    return jnp.matmul(x, kernel[0, 0], precision=lax.Precision.HIGHEST) + bias[None, None, None]


def _full(x: Array, kernel: Array, bias: Array, *, stride: int) -> Array:
    size, _, entering, leaving = kernel.shape
    patches = jnp.concatenate([shifted for _, _, shifted in _shifts(x, size, stride)], -1)
    return _product(patches, kernel.reshape(1, 1, size * size * entering, leaving), bias)


def _depthwise(x: Array, kernel: Array, bias: Array, *, stride: int) -> Array:
    y = bias[None, None, None]
    for i, j, shifted in _shifts(x, kernel.shape[0], stride):
        y = y + shifted * kernel[i, j, 0][None, None, None]
    return y


def _shifts(x: Array, size: int, stride: int) -> Iterator[tuple[int, int, Array]]:
    """What each weight of a kernel sees, with zeros around the image, where their number is odd one more at its end."""
    leaving = [-(-n // stride) for n in x.shape[1:3]]
    missing = [max(0, (m - 1) * stride + size - n) for m, n in zip(leaving, x.shape[1:3], strict=True)]
    x = jnp.pad(x, ((0, 0), *((n // 2, n - n // 2) for n in missing), (0, 0)))
    ends = [(m - 1) * stride + 1 for m in leaving]
    for i in range(size):
        for j in range(size):
            yield i, j, x[:, i : i + ends[0] : stride, j : j + ends[1] : stride]


def resized(x: Array, side: int) -> Array:
    """Images [B, H, W, 3] stretched to squares of `side` pixels, by straight lines between pixels; none is skipped."""
    return jax.image.resize(x, (len(x), side, side, x.shape[-1]), "bilinear")
