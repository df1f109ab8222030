"""Local networks, in which each output depends on a window of the image only.

A network with a global receptive field can map one image to a different one: if dense generators learn translation
without pairs, they satisfy the cycle loss but may permute the classes. A local network cannot do this.
"""

import flax.linen as nn

from jaxgen.core import Array, BadRequest
from jaxgen.nets.convolution import Convolutions
from jaxgen.nets.images import Down, Same, Up, padded
from jaxgen.nets.vectors import centred, leaky


class Translator(nn.Module):
    """x[B, H, W, C] in [0, 1] -> unconstrained f32[B, H, W, C], logits of an image of the same shape.

    It has a 3x3 layer, `halvings` layers down, `blocks` residual blocks of a 3x3 and a 1x1 layer, as many layers up,
    each with a skip connection to the layer of its size, and a 1x1 layer. Without halvings, an output depends on
    3 + 2 `blocks` pixels a side. x is not added to the output, because a translator that was initialised so kept
    returning x when it had to invert it.
    """

    width: int = 32
    blocks: int = 1
    halvings: int = 0
    convolve: Convolutions | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """f32[B, H, W, C]."""
        height, width, channels = x.shape[1:]
        y = Same(self.width, self.convolve)(fitted(centred(x), self.halvings))
        skips = []
        for level in range(self.halvings):
            skips.append(y)
            y = Down(self.width * 2 ** (level + 1), self.convolve)(leaky(y))
        for _ in range(self.blocks):
            inside = leaky(Same(y.shape[-1], self.convolve)(leaky(y)))
            y = y + nn.Dense(y.shape[-1])(inside)
        for level in reversed(range(self.halvings)):
            y = Up(self.width * 2**level, 2.0, self.convolve)(leaky(y)) + skips[level]
        y = nn.Dense(channels)(leaky(y))
        top, left = (y.shape[1] - height) // 2, (y.shape[2] - width) // 2
        return y[:, top : top + height, left : left + width]


class PatchCritic(nn.Module):
    """x[B, H, W, C] -> logits f32[B, h, w], each of a window of x. Isola et al. 2017, arXiv 1611.07004.

    It has a 3x3 layer, `halvings` layers down, a 3x3 layer and a 1x1 layer. A logit depends on 5 pixels a side without
    halvings, 10 with one and 20 with two.
    """

    width: int = 32
    halvings: int = 0
    convolve: Convolutions | None = None

    def setup(self):
        """Defines the layers."""
        self.first = Same(self.width, self.convolve)
        self.down = [Down(self.width * 2 ** (level + 1), self.convolve) for level in range(self.halvings)]
        self.second = Same(self.width * 2**self.halvings, self.convolve)
        self.head = nn.Dense(1)

    def hidden(self, x: Array) -> Array:
        """The layer below the last, averaged over positions: f32[B, F]."""
        return self.windows(x).mean((1, 2))

    def windows(self, x: Array) -> Array:
        """f32[B, h, w, F]."""
        y = leaky(self.first(fitted(centred(x), self.halvings)))
        for layer in self.down:
            y = leaky(layer(y))
        return leaky(self.second(y))

    def __call__(self, x: Array) -> Array:
        """f32[B, h, w]."""
        return self.head(self.windows(x))[..., 0]


def fitted(x: Array, halvings: int) -> Array:
    """x, padded evenly so that its sides can be halved `halvings` times."""
    side = 2**halvings
    return padded(x, -(-x.shape[1] // side) * side, -(-x.shape[2] // side) * side)


def translator(shape: tuple[int, ...], *, width: int = 32, convolve: Convolutions | None = None) -> Translator:
    """A local network x[B, *shape] -> f32[B, *shape], logits of images; no halvings below 16 pixels, two from 48 on.

    Raises:
      BadRequest: a shape that is no image's, a width below 1.

    >>> import jax, jax.numpy as jnp
    >>> x = jnp.zeros((2, 8, 8, 1))
    >>> jax.eval_shape(translator((8, 8, 1)).init_with_output, jax.random.key(0), x)[0].shape
    (2, 8, 8, 1)
    """
    halvings = _halvings(shape, width)
    return Translator(width, 2 if halvings else 1, halvings, convolve)


def patch_critic(shape: tuple[int, ...], *, width: int = 32, convolve: Convolutions | None = None) -> PatchCritic:
    """A critic x[B, *shape] -> logits f32[B, h, w] of windows: 5 pixels a side below 16, 10 below 48, 20 from there on.

    Raises:
      BadRequest: a shape that is no image's, a width below 1.

    >>> import jax, jax.numpy as jnp
    >>> x = jnp.zeros((2, 32, 32, 3))
    >>> jax.eval_shape(patch_critic((32, 32, 3)).init_with_output, jax.random.key(0), x)[0].shape
    (2, 16, 16)
    """
    return PatchCritic(width, _halvings(shape, width), convolve)


def _halvings(shape: tuple[int, ...], width: int) -> int:
    if len(shape) != 3 or min(shape) < 1:
        raise BadRequest(f"local networks take images (H, W, C), not {shape}: a vector has no neighbours.")
    if width < 1:
        raise BadRequest(f"width must be at least 1, not {width}.")
    side = min(shape[:2])
    return 0 if side < 16 else 1 if side < 48 else 2
