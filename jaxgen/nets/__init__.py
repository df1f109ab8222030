"""Networks: Linen modules without randomness and without state, so that `apply` needs no `rngs`.

`networks(shape, ...)` makes all networks for data of one shape. Their parts compose: an `Encoder` or a `Critic` is a
linear layer on a trunk (`MLP` or `Pyramid`), and any module with the same shapes can replace them. `network(module)`
adapts modules of other libraries.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn

from jaxgen.core import BadRequest
from jaxgen.nets.adapters import network, pure
from jaxgen.nets.attention import SelfAttention
from jaxgen.nets.augmentation import Pipe, ada, augmented, diffaugment, instance_noise
from jaxgen.nets.autoencoders import autoencoder, energy
from jaxgen.nets.calls import whole
from jaxgen.nets.conditions import ADDED, Condition, check_condition
from jaxgen.nets.convolution import LAX, MATMUL, Convolutions, convolutions
from jaxgen.nets.heads import Critic, Encoder
from jaxgen.nets.images import ImageGenerator, Pyramid
from jaxgen.nets.local import PatchCritic, Translator, patch_critic, translator
from jaxgen.nets.readouts import branched, projected
from jaxgen.nets.vectors import MLP, Generator
from jaxgen.nets.wrappers import cast, equalised, mapped, minibatch_std, packed, remat, spectral

__all__ = [
    "LAX",
    "MATMUL",
    "MLP",
    "Condition",
    "Convolutions",
    "Critic",
    "Encoder",
    "Generator",
    "ImageGenerator",
    "Networks",
    "PatchCritic",
    "Pipe",
    "Pyramid",
    "SelfAttention",
    "Translator",
    "ada",
    "augmented",
    "autoencoder",
    "branched",
    "cast",
    "convolutions",
    "convolves",
    "diffaugment",
    "energy",
    "equalised",
    "instance_noise",
    "mapped",
    "minibatch_std",
    "network",
    "networks",
    "packed",
    "patch_critic",
    "projected",
    "pure",
    "remat",
    "spectral",
    "translator",
]

SMALLEST, LARGEST = 8, 64
CONVOLVED = 16


class Networks(NamedTuple):
    """One network of each kind for data of one shape. Each takes (x) or (z), or with a condition (x, condition)."""

    encoder: Callable[[int], nn.Module]  # out -> (x[B, *shape] -> f32[B, out])
    decoder: Callable[..., nn.Module]
    """(outputs, residual="logits") -> (z[B, D] -> f32[B, *shape[:-1], outputs], unconstrained)"""
    generator: nn.Module  # z[B, D] -> f32[B, *shape], unconstrained
    critic: nn.Module  # x[B, *shape] -> f32[B]
    latent_critic: nn.Module  # z[B, D] -> f32[B]


def convolves(shape: tuple[int, ...]) -> bool:
    """Whether the networks for examples of this shape convolve: images of 16 pixels a side and more.

    >>> convolves((28, 28, 1)), convolves((8, 8, 1)), convolves((784,))
    (True, False, False)
    """
    return len(shape) == 3 and min(shape[:2]) >= CONVOLVED


def networks(
    shape: tuple[int, ...],
    *,
    width: int | None = None,
    condition: Condition = None,
    convolve: Convolutions | None = None,
    attention: bool = False,
    skip: bool = False,
) -> Networks:
    """Networks for vectors `(N,)` or images `(H, W, C)`.

    For vectors, and for images with fewer than 16 pixels a side, networks are dense: two hidden layers of `width`,
    three for the critics, and four for the generator of vectors, because a map from noise to separate modes is steep
    and easier to learn for a deeper network. For larger images they have 4x4 convolutions of stride 2 down to about
    4x4, starting with `width // 8` channels, which double each time; the generator is the mirror image. Sides that
    cannot be halved are padded inside the network, and the output is cropped.

    If there is a condition, every network takes it as a second input. Dense networks concatenate it with the first
    input, and a label becomes a learned vector of 32 numbers. In convolutional networks labels and vectors modulate
    every layer by a scale and a shift of each channel, and are concatenated with z, because without the latter a VAE
    learns labels slowly. Images are resized and concatenated with the channels. A generator or decoder of images also
    adds the condition to its output if the condition is an image with as many channels, so that it learns the
    difference. It adds the logits of the condition, because the image is the sigmoid of the output. If the output is
    the mean itself, as with a Gaussian likelihood, use `decoder(outputs, residual="values")`; None adds nothing. A
    label outside of 0 ... classes - 1 becomes 32 zeros, because compiled functions cannot refuse values.

    Args:
      shape: of one example.
      width: of the hidden layers; 64 for vectors and 256 for images if None.
      condition: a number of classes, for labels i32[B]; the shape (N,) or (h, w, C) of a vector or image for each
        example, with images in [0, 1]; or None.
      convolve: how to convolve; `None` is `convolutions()`, decided when a module is traced.
      attention: adds `SelfAttention` to networks of images, at about 8x8 positions, or at 4x4 if they have no more.
        Networks of images below 16 pixels a side are then convolutional too. Networks of vectors do not change.
      skip: z also modulates every layer of a convolutional generator, and is not only its input.

    Raises:
      BadRequest: for another kind of shape, a side outside 8 to 64, a width that is no whole number of at least 1, or
        another kind of condition; when a module is traced, for a condition that it was not built for.

    >>> import jax, jax.numpy as jnp
    >>> nets = networks((28, 28, 3), condition=10)
    >>> z, labels = jnp.zeros((5, 16)), jnp.arange(5)
    >>> image, params = jax.eval_shape(nets.generator.init_with_output, jax.random.key(0), z, labels)
    >>> image.shape
    (5, 28, 28, 3)
    """
    shape, width = _sizes(shape, (64 if len(shape) == 1 else 256) if width is None else width)
    condition = check_condition(condition)
    triple = MLP((width,) * 3, condition=condition)
    base = max(1, width // 8)
    pyramids = convolves(shape) or (attention and len(shape) == 3)

    def trunk(depth: int) -> nn.Module:
        if pyramids:
            return Pyramid(base, convolve, condition, attention)
        return MLP((width,) * depth, condition=condition)

    def decoder(outputs: int, residual: str | None = "logits") -> nn.Module:
        size = whole(outputs) or 0
        if size < 1:
            raise BadRequest(f"a decoder has at least 1 output on its last axis, not {outputs}.")
        if residual not in ADDED:
            raise BadRequest(f"residual={residual!r}: a decoder adds the 'logits' or 'values' of a condition, or None.")
        if pyramids:
            return ImageGenerator((*shape[:-1], size), base, convolve, condition, residual, attention, skip)
        trunk = MLP((width,) * (4 if len(shape) == 1 else 2), condition=condition)
        return Generator((*shape[:-1], size), trunk, residual)

    return Networks(
        encoder=lambda out: Encoder(out, trunk(2)),
        decoder=decoder,
        generator=decoder(shape[-1]),
        critic=Critic(trunk(3)),
        latent_critic=Critic(triple),
    )


def _sizes(shape: tuple[int, ...], width: int) -> tuple[tuple[int, ...], int]:
    """Both in plain ints."""
    sides, size = tuple(whole(side) or 0 for side in shape), whole(width) or 0
    if len(sides) not in (1, 3) or min(sides) < 1:
        raise BadRequest(f"networks take vectors (N,) or images (H, W, C), not {shape}: reshape the data.")
    if len(shape) == 3 and not (SMALLEST <= min(shape[:2]) and max(shape[:2]) <= LARGEST):
        raise BadRequest(
            f"images of {shape[0]}x{shape[1]} are outside {SMALLEST} to {LARGEST} pixels a side: resize them first, "
            f"for instance to 32x32."
        )
    if size < 1:
        raise BadRequest(f"width must be a whole number of at least 1, not {width}.")
    return sides, size
