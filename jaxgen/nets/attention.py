"""Self-attention between the positions of a layer of an image, for critics and generators of your own."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest


class SelfAttention(nn.Module):
    """x + gain v(sum_i a_ij h(x_i)) at position j of x[B, h, w, C], a_ij = softmax_i <f(x_i), g(x_j)>.

    f, g, h and v are linear in the channels of a position, without a bias: f and g to C / 8 numbers, h to C / 2 and v
    back to C, at least 1 each. The gain is learned and starts at 0, so that the layer is initially the identity. Zhang
    et al. 2019, arXiv 1805.08318, in which h has C / 8 numbers; C / 2 is from the authors' code, which also halves the
    sides of f(x) and h(x) by max pooling. `spectral` divides its kernels, as the paper does.

    Raises:
      BadRequest: if x has another number of axes.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """f32[B, h, w, C]."""
        if x.ndim != 4:
            raise BadRequest(f"SelfAttention takes the layer of an image [B, h, w, C], not {x.shape}.")
        channels = x.shape[-1]
        flat = x.reshape(x.shape[0], -1, channels)

        def linear(y: Array, features: int, name: str) -> Array:
            return nn.Dense(max(1, features), use_bias=False, name=name)(y)

        key, query = linear(flat, channels // 8, "f"), linear(flat, channels // 8, "g")
        share = jax.nn.softmax(jnp.einsum("bif,bjf->bji", key, query), -1)
        attended = jnp.einsum("bji,bic->bjc", share, linear(flat, channels // 2, "h"))
        gain = self.param("gain", nn.initializers.zeros, (), jnp.float32)
        return x + gain * linear(attended, channels, "v").reshape(x.shape)
