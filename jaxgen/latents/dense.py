"""The small dense network that flows and hierarchical latents use."""

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.core import Array


class Dense(nn.Module):
    """(*inputs [B, N_i]) -> f32[B, out]: concatenates inputs, then two hidden layers of `width` and a linear layer."""

    out: int
    width: int
    zero: bool = False  # True if its initial output is 0

    @nn.compact
    def __call__(self, *inputs: Array) -> Array:
        """f32[B, out]."""
        x = jnp.concatenate(inputs, -1)
        for _ in range(2):
            x = nn.leaky_relu(nn.Dense(self.width, kernel_init=nn.initializers.he_normal())(x), 0.2)
        last = nn.initializers.zeros if self.zero else nn.initializers.lecun_normal()
        return nn.Dense(self.out, kernel_init=last)(x)
