"""Conditions: inputs of a network in addition to x or z, a label, a vector or an image for each example."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest
from jaxgen.nets.calls import whole

Condition = int | tuple[int, ...] | None
"""The number of classes, for labels i32[B]; or the shape of one vector (N,) or image (H, W, C); or None."""

EMBEDDING = 32  # numbers in the learned vector of a label
EDGE = 0.02  # images are clipped to [EDGE, 1 - EDGE] before their logits are computed
ADDED = ("logits", "values", None)  # what a `Residual` adds of an image


def check_condition(condition: Condition) -> Condition:
    """`condition` with Python ints in place of NumPy's.

    Raises:
      BadRequest: for fewer than two classes, or a shape that is neither that of a vector nor that of an image.
    """
    classes = whole(condition)
    if classes is not None and classes < 2:
        raise BadRequest(f"condition={classes} is a number of classes, and must be at least 2.")
    if classes is not None or condition is None:
        return classes
    sides = [whole(side) or 0 for side in condition] if isinstance(condition, tuple) else []
    if len(sides) not in (1, 3) or min(sides) < 1:
        raise BadRequest(f"condition={condition!r}: pass a number of classes, or a shape (N,) or (H, W, C).")
    return tuple(sides)


def check_given(condition: Condition, given: Array | None) -> None:
    """Checks, when a network is traced, that it gets the condition that it was built for.

    Raises:
      BadRequest: for a missing or unexpected condition, a label that is no whole number, or another shape.
    """
    if condition is None or given is None:
        if condition is not None or given is not None:
            raise BadRequest(_mismatch(given))
        return
    labels = isinstance(condition, int)
    fits = given.shape[1:] == (() if labels else condition)
    if not fits or jnp.issubdtype(given.dtype, jnp.integer) is not labels:
        wanted = f"labels i32[B] of {condition} classes" if labels else f"a condition f32[B, {_commas(condition)}]"
        raise BadRequest(f"this network takes {wanted}, not {given.dtype}[{_commas(given.shape)}].")


def _mismatch(given: Array | None) -> str:
    if given is None:
        return "this network is built for a condition and is called without one: pass the condition as a second input."
    form = "NUMBER_OF_CLASSES" if jnp.issubdtype(given.dtype, jnp.integer) else given.shape[1:]
    return (
        f"this network is built without a condition and is called with one: build it with networks(shape, "
        f"condition={form})."
    )


def _commas(shape) -> str:
    return ", ".join(map(str, shape))


class Code(nn.Module):
    """A condition as numbers f32[B, E]: a learned vector of 32 for a label, a vector itself, or a flattened image."""

    condition: Condition

    @nn.compact
    def __call__(self, given: Array) -> Array:
        """f32[B, E]."""
        check_given(self.condition, given)
        if isinstance(self.condition, int):
            # The standard deviation is 1, as that of z, so that networks use it from the start. It is a product,
            # because the gradient of a gather is a slow scatter on CPU.
            table = self.param("embedding", nn.initializers.normal(1.0), (self.condition, EMBEDDING), jnp.float32)
            return jax.nn.one_hot(given, self.condition, dtype=jnp.float32) @ table
        return 2 * given.reshape(given.shape[0], -1) - 1 if given.ndim == 4 else given


class Modulate(nn.Module):
    """y[B, h, w, C] (1 + scale[B, C]) + shift[B, C], both linear in a code. Perez et al. 2018, arXiv 1709.07871."""

    @nn.compact
    def __call__(self, y: Array, code: Array) -> Array:
        """f32[B, h, w, C]."""
        small = nn.initializers.normal(0.1 / math.sqrt(code.shape[-1]))
        scale, shift = jnp.split(nn.Dense(2 * y.shape[-1], kernel_init=small)(code)[:, None, None], 2, -1)
        return y * (1 + scale) + shift


class Residual(nn.Module):
    """Adds an image in [0, 1] to y[B, H, W, O], times a learned gain, if the image has O channels.

    `added` says what is added: the "logits" of the image, if y are logits; its "values", if y is a mean; or nothing, if
    it is None. The gain starts at 1, so that y = 0 gives the image itself, and the network learns the difference. If
    the image is not useful, the network can learn a gain of 0.
    """

    added: str | None = "logits"

    @nn.compact
    def __call__(self, y: Array, image: Array | None) -> Array:
        """f32[B, H, W, O]."""
        if self.added is None or image is None or image.ndim != 4 or y.ndim != 4 or image.shape[-1] != y.shape[-1]:
            return y
        gain = self.param("gain", nn.initializers.ones, (y.shape[-1],), jnp.float32)
        image = resized(image, *y.shape[1:3])
        if self.added == "logits":
            image = jnp.clip(image, EDGE, 1 - EDGE)
            image = jnp.log(image) - jnp.log1p(-image)
        return y + gain.reshape(1, 1, 1, -1) * image


def resized(image: Array, height: int, width: int) -> Array:
    """[B, h, w, C] -> [B, height, width, C] by linear interpolation; if it shrinks, by weighted means."""
    batch, h, w, channels = image.shape
    return image if (h, w) == (height, width) else jax.image.resize(image, (batch, height, width, channels), "linear")


def blocks(image: Array, side: int) -> Array:
    """[B, side * h, side * w, C] -> [B, h, w, side * side * C]: squares of pixels as channels, without averaging."""
    batch, height, width, channels = image.shape
    cut = image.reshape(batch, height // side, side, width // side, side, channels)
    return cut.swapaxes(2, 3).reshape(batch, height // side, width // side, -1)


def boxes(image: Array, side: int) -> Array:
    """[B, side * h, side * w, C] -> [B, h, w, C], means of squares."""
    batch, height, width, channels = image.shape
    return image.reshape(batch, height // side, side, width // side, side, channels).mean((2, 4))
