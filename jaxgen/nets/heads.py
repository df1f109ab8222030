"""Heads: the linear last layer of an encoder and of a critic, on a trunk."""

import flax.linen as nn

from jaxgen.core import Array, inputs


class Encoder(nn.Module):
    """x[B, ...] -> f32[B, out], linear in the trunk's last layer.

    `trunk` is any module x -> f32[B, F], or (x, condition) -> f32[B, F]: `MLP` or `Pyramid`. The VAE of 784-400-20 is

    >>> from jaxgen.nets import MLP, Generator
    >>> encoder = Encoder(2 * 20, MLP((400,), nn.relu))
    >>> decoder = Generator((784,), MLP((400,), nn.relu))
    """

    out: int
    trunk: nn.Module

    def setup(self):
        """Defines the layers."""
        self.head = nn.Dense(self.out)

    def hidden(self, x: Array, condition: Array | None = None) -> Array:
        """The layer below the last, f32[B, F]."""
        return self.trunk(*inputs(x, condition))

    def __call__(self, x: Array, condition: Array | None = None) -> Array:
        """f32[B, out]."""
        return self.head(self.hidden(x, condition))


class Critic(nn.Module):
    """x[B, ...] -> f32[B], one unconstrained score per example, linear in the trunk's last layer."""

    trunk: nn.Module

    def setup(self):
        """Defines the layers."""
        self.head = nn.Dense(1)

    def hidden(self, x: Array, condition: Array | None = None) -> Array:
        """The layer below the last, f32[B, F]."""
        return self.trunk(*inputs(x, condition))

    def __call__(self, x: Array, condition: Array | None = None) -> Array:
        """f32[B]."""
        return self.head(self.hidden(x, condition))[:, 0]
