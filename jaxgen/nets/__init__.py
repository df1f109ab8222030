"""Networks: Linen modules that hold no randomness and no state, so every one applies without `rngs`.

`networks(shape, ...)` is the front door. The parts compose: an `Encoder` or a `Critic` is a linear layer on a trunk
(`MLP` or `Pyramid`), and any module of the same shapes may stand in their place. `network(module)` takes those of other
libraries.
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

    Vectors, and images of fewer than 16 pixels a side: dense, two hidden layers of `width`, three for the critics, and
    four for the generator of vectors, because a map from noise to separate modes is steep, and a deeper network learns
    it more easily. Larger images: 4x4 convolutions of stride 2 down to about 4x4, starting with `width // 8` channels
    and doubling, and the mirror image of that for the generator; sides that do not halve are padded inside and cropped
    on the way out.

    With a condition every network takes it as a second input. In dense networks it stands beside the first input, a
    label as 32 numbers that are learned. In convolutional ones labels and vectors modulate every layer, by a scale and
    a shift of each channel, and stand beside z: without the latter a VAE learns labels slowly. Images stand beside the
    channels, brought to their size. A generator or decoder of images adds a condition that is an image of as many
    channels as it has outputs, so that it learns the difference: the logits of the condition, because the sigmoid of
    the output is the image. Where the output is the mean itself, as under a Gaussian likelihood, it takes
    `decoder(outputs, residual="values")`; None adds nothing. A label outside of 0 ... classes - 1 stands for 32 zeros:
    values cannot be refused in compiled functions.

    Args:
      shape: of one example.
      width: of the hidden layers; 64 for vectors and 256 for images if None.
      condition: a number of classes, for labels i32[B]; the shape (N,) or (h, w, C) of what each example is given, with
        images in [0, 1]; or None.
      convolve: how to convolve; `None` is `convolutions()`, decided when a module is traced.
      attention: networks of images have `SelfAttention` where they have about 8x8 positions, or at 4x4 if they have no
        more; smaller images than 16 pixels a side convolve then too. Those of vectors stay as they are.
      skip: z modulates every layer of a generator that convolves, and does not only start it.

    Raises:
      BadRequest: a shape that is neither; a side outside 8 to 64; a width that is no whole number of at least 1; a
        condition that is none of these. When a module is traced: a condition that it was not built for.

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
