"""Dense networks, for vectors and for small images.

All networks here are initialised in the same way. A layer that an activation follows is He-normal (He et al. 2015), so
that signals keep their size; a last, linear layer has half that variance (LeCun); biases are zero.
"""

import math
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, inputs
from jaxgen.nets.conditions import Code, Condition, Residual, check_given


def leaky(x: Array) -> Array:
    """Leaky ReLU of slope 0.2, the activation of every network here unless another is named."""
    return nn.leaky_relu(x, 0.2)


def centred(x: Array) -> Array:
    """The scaled input of a network: images [B, H, W, C] are mapped from [0, 1] to [-1, 1], vectors [B, N] unchanged.

    Raises:
      BadRequest: for any other number of axes.

    >>> import jax.numpy as jnp
    >>> float(centred(jnp.zeros((1, 8, 8, 1))).min()), float(centred(jnp.zeros((1, 3))).min())
    (-1.0, 0.0)
    """
    if x.ndim not in (2, 4):
        raise BadRequest(f"networks take [B, N] or [B, H, W, C], not {x.shape}: reshape, or use jax.vmap.")
    return 2 * x - 1 if x.ndim == 4 else x


class MLP(nn.Module):
    """A trunk x[B, ...] -> f32[B, features[-1]]: dense layers with an activation after each one; images are flattened.

    A `condition` is concatenated with x: a label as a learned vector of 32 numbers, other conditions as they are.
    """

    features: tuple[int, ...]
    activation: Callable[[Array], Array] = leaky
    condition: Condition = None

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None) -> Array:
        """f32[B, features[-1]]."""
        check_given(self.condition, condition)
        x = centred(x)
        x = x.reshape(x.shape[0], -1)
        if condition is not None:
            x = jnp.concatenate([x, Code(self.condition)(condition)], -1)
        for width in self.features:
            x = self.activation(nn.Dense(width, kernel_init=nn.initializers.he_normal())(x))
        return x


class Generator(nn.Module):
    """z[B, D] -> unconstrained f32[B, *shape], linear in the trunk's last layer: logits of images, means of vectors.

    It serves as a VAE's decoder and as a GAN's generator; the game defines the meaning of its outputs. If `shape` and
    the condition are images with as many channels, the condition is added to the output, as `residual` says, so that
    the network learns the difference.
    """

    shape: tuple[int, ...]
    trunk: nn.Module
    residual: str | None = "logits"  # as `added` of `Residual`

    @nn.compact
    def __call__(self, z: Array, condition: Array | None = None) -> Array:
        """f32[B, *shape]."""
        y = nn.Dense(math.prod(self.shape))(self.trunk(*inputs(z, condition))).reshape(-1, *self.shape)
        return Residual(self.residual)(y, condition)
