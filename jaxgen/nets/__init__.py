"""Networks: Linen modules that hold no randomness and no state, so every one applies without `rngs`.

`networks(shape, ...)` is the front door. The parts compose: an `Encoder` or a `Critic` is a linear layer on a trunk
(`MLP` or `Pyramid`), and any module of the same shapes may stand in their place.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn

from jaxgen.core import BadRequest
from jaxgen.nets.convolution import LAX, MATMUL, Convolutions, convolutions
from jaxgen.nets.heads import Critic, Encoder
from jaxgen.nets.images import ImageGenerator, Pyramid
from jaxgen.nets.vectors import MLP, Generator
from jaxgen.system.allocator import keep_freed_memory

__all__ = [
    "DENSE_LIMIT",
    "LAX",
    "MATMUL",
    "MLP",
    "Convolutions",
    "Critic",
    "Encoder",
    "Generator",
    "ImageGenerator",
    "Networks",
    "Pyramid",
    "convolutions",
    "keep_freed_memory",
    "networks",
]

SMALLEST, LARGEST = 8, 64
DENSE_LIMIT = 1024


class Networks(NamedTuple):
    """One network of each kind for data of one shape."""

    encoder: Callable[[int], nn.Module]  # out -> (x[B, *shape] -> f32[B, out])
    generator: nn.Module  # z[B, D] -> f32[B, *shape], unconstrained
    critic: nn.Module  # x[B, *shape] -> f32[B]
    latent_critic: nn.Module  # z[B, D] -> f32[B]


def networks(
    shape: tuple[int, ...], *, latent_dim: int, width: int | None = None, convolve: Convolutions | None = None
) -> Networks:
    """Networks for vectors `(N,)` or images `(H, W, C)`.

    Vectors, and images of at most 1024 numbers: dense, two hidden layers of `width`, three for the critics, and four
    for the generator of vectors: modes that lie apart want a steep map, and depth makes it. Larger images: 4x4
    convolutions of stride 2 down to about 4x4, starting with `width // 8` channels and doubling, and the mirror image
    of that for the generator; sides that do not halve are padded inside and cropped on the way out.

    Args:
      shape: of one example.
      latent_dim: of z. The modules take it from the z that they are initialised with.
      width: of the hidden layers; 64 for vectors and 256 for images where None.
      convolve: how to convolve; `None` is `convolutions()`, decided when a module is traced.

    Raises:
      BadRequest: a shape that is neither; a side outside 8 to 64; a size that is not positive.

    >>> import jax, jax.numpy as jnp
    >>> nets = networks((28, 28, 3), latent_dim=16)
    >>> image, params = jax.eval_shape(nets.generator.init_with_output, jax.random.key(0), jnp.zeros((5, 16)))
    >>> image.shape
    (5, 28, 28, 3)
    """
    width = (64 if len(shape) == 1 else 256) if width is None else width
    _check(shape, latent_dim, width)
    pair, triple = (width,) * 2, (width,) * 3
    latent_critic = Critic(MLP(triple))
    if len(shape) == 1 or math.prod(shape) <= DENSE_LIMIT:
        return Networks(
            encoder=lambda out: Encoder(out, MLP(pair)),
            generator=Generator(shape, MLP((width,) * 4 if len(shape) == 1 else pair)),
            critic=Critic(MLP(triple)),
            latent_critic=latent_critic,
        )
    base = max(1, width // 8)
    return Networks(
        encoder=lambda out: Encoder(out, Pyramid(base, convolve)),
        generator=ImageGenerator(shape, base, convolve),
        critic=Critic(Pyramid(base, convolve)),
        latent_critic=latent_critic,
    )


def _check(shape: tuple[int, ...], latent_dim: int, width: int) -> None:
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise BadRequest(f"networks take vectors (N,) or images (H, W, C), not {shape}: reshape the data.")
    if len(shape) == 3 and not (SMALLEST <= min(shape[:2]) and max(shape[:2]) <= LARGEST):
        raise BadRequest(
            f"images of {shape[0]}x{shape[1]} are outside {SMALLEST} to {LARGEST} pixels a side: resize them first, "
            f"for instance to 32x32."
        )
    for name, value in (("latent_dim", latent_dim), ("width", width)):
        if value < 1:
            raise BadRequest(f"{name} must be at least 1, not {value}.")
