"""Convolutional networks for images of 8 to 64 pixels a side: 4x4 kernels, stride 2, no normalisation.

A pyramid halves the image until about 4x4 positions are left and doubles the channels each time; the generator is its
mirror image. Sizes that do not halve so often are padded before the first layer, evenly and with mid-grey, and the
generator's surplus is cropped after its last, so that a likelihood counts the user's pixels only.
"""

import math

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.core import Array
from jaxgen.nets.convolution import Convolutions, convolutions
from jaxgen.nets.vectors import centred, leaky

SMALL_SIDE = 4


def layout(height: int, width: int) -> tuple[int, int, int]:
    """(layers, h, w): how often an image is halved, and the sides left then, about 4.

    The padded image is `h * 2**layers` by `w * 2**layers`, the smallest such size that holds it.

    >>> layout(32, 32), layout(28, 28), layout(64, 64), layout(30, 31), layout(40, 60)
    ((3, 4, 4), (3, 4, 4), (4, 4, 4), (3, 4, 4), (4, 3, 4))
    """
    layers = max(1, math.ceil(math.log2(height * width) / 2 - math.log2(SMALL_SIDE) - 0.5))
    return layers, -(-height // 2**layers), -(-width // 2**layers)


def _margins(height: int, width: int) -> tuple[int, int]:
    layers, h, w = layout(height, width)
    return (h * 2**layers - height) // 2, (w * 2**layers - width) // 2


def _kernel(module: nn.Module, variance: float, out: int, channels: int) -> Array:
    draw = nn.initializers.normal(math.sqrt(variance))
    # Drawn flat: random numbers in four axes take four times as long to compile.
    return module.param("kernel", lambda key: draw(key, (out, 16 * channels)).reshape(out, 4, 4, channels))


class _Down(nn.Module):
    features: int
    convolve: Convolutions | None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        kernel = _kernel(self, 2 / (16 * channels), self.features, channels)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        down = (convolutions() if self.convolve is None else self.convolve).down
        return down(x, kernel) + bias.reshape(1, 1, 1, -1)


class _Up(nn.Module):
    features: int
    gain: float  # 2 before an activation, 1 for a last layer
    convolve: Convolutions | None

    @nn.compact
    def __call__(self, y: Array) -> Array:
        channels = y.shape[-1]
        kernel = _kernel(self, self.gain / (4 * channels), channels, self.features)  # a pixel meets 2x2 of the 16 taps
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        up = (convolutions() if self.convolve is None else self.convolve).up
        return up(y, kernel) + bias.reshape(1, 1, 1, -1)


class Pyramid(nn.Module):
    """A trunk of images x[B, H, W, C] -> f32[B, F], F = h * w * base * 2**(layers - 1) with `layout(H, W)`.

    `convolve` is the switch of `jaxgen.nets.convolution`; `None` asks `convolutions()` when the module is traced.
    """

    base: int
    convolve: Convolutions | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """f32[B, F]."""
        _, height, width, _ = x.shape
        layers, h, w = layout(height, width)
        top, left = _margins(height, width)
        bottom, right = h * 2**layers - height - top, w * 2**layers - width - left
        y = jnp.pad(centred(x), ((0, 0), (top, bottom), (left, right), (0, 0)))
        for layer in range(layers):
            y = leaky(_Down(self.base * 2**layer, self.convolve)(y))
        return y.reshape(y.shape[0], -1)


class ImageGenerator(nn.Module):
    """z[B, D] -> unconstrained f32[B, H, W, C]: a dense layer, then a pyramid upside down, then the crop to `shape`.

    One and the same network is a VAE's decoder and a GAN's generator, as `Generator` is for vectors.
    """

    shape: tuple[int, ...]
    base: int
    convolve: Convolutions | None = None

    @nn.compact
    def __call__(self, z: Array) -> Array:
        """f32[B, *shape]."""
        height, width, channels = self.shape
        layers, h, w = layout(height, width)
        top, left = _margins(height, width)
        deepest = self.base * 2 ** (layers - 1)
        y = nn.Dense(h * w * deepest, kernel_init=nn.initializers.he_normal())(z).reshape(-1, h, w, deepest)
        for layer in reversed(range(1, layers)):
            y = _Up(self.base * 2 ** (layer - 1), 2.0, self.convolve)(leaky(y))
        y = _Up(channels, 1.0, self.convolve)(leaky(y))
        return y[:, top : top + height, left : left + width]
