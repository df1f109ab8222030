"""Convolutional networks for images of 16 to 64 pixels a side: 4x4 kernels, stride 2, no normalisation.

A pyramid halves the image until about 4x4 positions are left, and doubles the channels each time; the generator is its
mirror image. Images whose sides cannot be halved so often are padded evenly with mid-grey before the first layer, and
the output of the generator is cropped, so that a likelihood counts the pixels of the data only.
"""

import math

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.core import Array
from jaxgen.nets.attention import SelfAttention
from jaxgen.nets.conditions import Code, Condition, Modulate, Residual, blocks, boxes, check_given, resized
from jaxgen.nets.convolution import Convolutions, convolutions
from jaxgen.nets.vectors import centred, leaky

SMALL_SIDE = 4


def layout(height: int, width: int) -> tuple[int, int, int]:
    """(layers, h, w): how often an image is halved, and the remaining sides, about 4.

    The padded image is `h * 2**layers` by `w * 2**layers`, the smallest such size that holds it.

    >>> layout(32, 32), layout(28, 28), layout(64, 64), layout(30, 31), layout(40, 60)
    ((3, 4, 4), (3, 4, 4), (4, 4, 4), (3, 4, 4), (4, 3, 4))
    """
    layers = max(1, math.ceil(math.log2(height * width) / 2 - math.log2(SMALL_SIDE) - 0.5))
    return layers, -(-height // 2**layers), -(-width // 2**layers)


def padded(x: Array, height: int, width: int) -> Array:
    """x [B, H, W, C] padded to `height` by `width` with zeros (mid-grey), by one more below and right if odd."""
    rows, columns = height - x.shape[1], width - x.shape[2]
    return jnp.pad(x, ((0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0)))


def _margins(height: int, width: int) -> tuple[int, int]:
    layers, h, w = layout(height, width)
    return (h * 2**layers - height) // 2, (w * 2**layers - width) // 2


def _kernel(module: nn.Module, variance: float, channels: int, features: int, side: int = 4) -> Array:
    """[side, side, channels, features]."""
    draw = nn.initializers.normal(math.sqrt(variance))
    # Drawn as a matrix, because random numbers with four axes take four times as long to compile.
    flat, shape = (side * side * channels, features), (side, side, channels, features)
    return module.param("kernel", lambda key: draw(key, flat, jnp.float32).reshape(shape))


class Down(nn.Module):
    """x[B, 2h, 2w, C] -> [B, h, w, features], a layer that an activation follows."""

    features: int
    convolve: Convolutions | None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B, ., ., features]."""
        channels = x.shape[-1]
        kernel = _kernel(self, 2 / (16 * channels), channels, self.features)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        down = (convolutions() if self.convolve is None else self.convolve).down
        return down(x, kernel) + bias.reshape(1, 1, 1, -1)


class Up(nn.Module):
    """y[B, h, w, C] -> [B, 2h, 2w, features]."""

    features: int
    gain: float  # 2 before an activation, 1 for a last layer
    convolve: Convolutions | None

    @nn.compact
    def __call__(self, y: Array) -> Array:
        """[B, ., ., features]."""
        channels = y.shape[-1]
        kernel = _kernel(self, self.gain / (4 * channels), channels, self.features)  # a pixel meets 2x2 of the 16 taps
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        up = (convolutions() if self.convolve is None else self.convolve).up
        return up(y, kernel) + bias.reshape(1, 1, 1, -1)


class Same(nn.Module):
    """x[B, H, W, C] -> [B, H, W, features] by 3x3 windows, a layer that an activation follows."""

    features: int
    convolve: Convolutions | None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B, ., ., features]."""
        channels = x.shape[-1]
        kernel = _kernel(self, 2 / (9 * channels), channels, self.features, 3)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        same = (convolutions() if self.convolve is None else self.convolve).same
        return same(x, kernel) + bias.reshape(1, 1, 1, -1)


class Pyramid(nn.Module):
    """A trunk of images x[B, H, W, C] -> f32[B, F], F = h * w * base * 2**(layers - 1) with `layout(H, W)`.

    A label or a vector modulates every layer; an image is resized to that of x and concatenated as more channels.
    `convolve` is a form of `jaxgen.nets.convolution`; if None, `convolutions()` chooses it when the module is traced.
    With `attention`, `SelfAttention` follows the layer with about 8x8 positions, or the only layer.
    """

    base: int
    convolve: Convolutions | None = None
    condition: Condition = None
    attention: bool = False

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None) -> Array:
        """f32[B, F]."""
        check_given(self.condition, condition)
        _, height, width, _ = x.shape
        layers, h, w = layout(height, width)
        y, code = centred(x), None
        if condition is not None and condition.ndim == 4:
            y = jnp.concatenate([y, centred(resized(condition, height, width))], -1)
        elif condition is not None:
            code = Code(self.condition)(condition)
        y = padded(y, h * 2**layers, w * 2**layers)
        for layer in range(layers):
            y = Down(self.base * 2**layer, self.convolve)(y)
            y = leaky(y if code is None else Modulate()(y, code))
            y = SelfAttention()(y) if self.attention and layer == max(layers - 2, 0) else y
        return y.reshape(y.shape[0], -1)


class ImageGenerator(nn.Module):
    """z[B, D] -> unconstrained f32[B, H, W, C]: a dense layer, then an inverted pyramid, then a crop to `shape`.

    It serves as a VAE's decoder and as a GAN's generator, as `Generator` does for vectors. A label or a vector is
    concatenated with z and modulates every layer. An image is concatenated with the channels of every layer, at twice
    the layer's resolution. If it has C channels it is also added to the output, as `residual` says, so that the network
    learns the difference, and D may be 0. With `attention` it has `SelfAttention` where `Pyramid` has it. With `skip`,
    z also modulates every layer, together with the label or vector. Brock et al. 2019, arXiv 1809.11096.
    """

    shape: tuple[int, ...]
    base: int
    convolve: Convolutions | None = None
    condition: Condition = None
    residual: str | None = "logits"  # as `added` of `Residual`
    attention: bool = False
    skip: bool = False

    @nn.compact
    def __call__(self, z: Array, condition: Array | None = None) -> Array:
        """f32[B, *shape]."""
        check_given(self.condition, condition)
        height, width, channels = self.shape
        layers, h, w = layout(height, width)
        top, left = _margins(height, width)
        deepest = self.base * 2 ** (layers - 1)
        image = condition if condition is not None and condition.ndim == 4 else None
        code = Code(self.condition)(condition) if condition is not None and image is None else None
        z = z if code is None else jnp.concatenate([z, code], -1)
        code = z if self.skip else code
        wide = None if image is None else padded(centred(resized(image, height, width)), h * 2**layers, w * 2**layers)

        def guided(y, layer):
            """Leaky ReLU of a layer's input, after modulation by the condition, or concatenated with it."""
            y = leaky(y if code is None else Modulate()(y, code))
            y = SelfAttention()(y) if self.attention and layer == max(layers - 2, 0) else y
            return y if wide is None else jnp.concatenate([y, blocks(boxes(wide, 2**layer), 2)], -1)

        first = nn.initializers.he_normal() if z.shape[-1] else nn.initializers.zeros
        y = nn.Dense(h * w * deepest, kernel_init=first)(z).reshape(-1, h, w, deepest)
        for layer in reversed(range(1, layers)):
            y = Up(self.base * 2 ** (layer - 1), 2.0, self.convolve)(guided(y, layer))
        y = Up(channels, 1.0, self.convolve)(guided(y, 0))[:, top : top + height, left : left + width]
        return Residual(self.residual)(y, image)
