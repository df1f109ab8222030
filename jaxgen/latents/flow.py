"""A normalising flow as posterior: one pass gives a sample with its density, and one inverse pass a density."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, check_type, merge, repeat, split, whole
from jaxgen.latents.dense import Dense
from jaxgen.latents.vector import Posterior
from jaxgen.nets.adapters import pure
from jaxgen.objectives.distributions import GAUSSIAN, Family, Support


def flow(*, layers: int = 4, width: int = 64, base: Family = GAUSSIAN) -> Posterior:
    """Affine coupling layers on a base family; each layer also receives h, the raw parameters of the base.

    Each layer keeps one half a of z and transforms the other half b to b exp(s(a, h)) + t(a, h), with s in (-1, 1). So
    log q(z) is the log density of the base minus the sum of all s. Initially it equals the base. It needs at least 2
    latents. Rezende and Mohamed 2015, arXiv 1505.05770, with the layers of Dinh et al. 2017, arXiv 1605.08803. `mean`
    is the image of the mean of the base under the flow, which is not the mean of z.

    Args:
      layers: number of couplings; the two halves alternate.
      width: of the hidden layers of their networks.
      base: a continuous family with a differentiable push.

    Raises:
      BadRequest: if there is no layer, or for another base; in `init`, for a single latent.
    """
    layers, width = whole("layers", layers, 1), whole("width", width, 1)
    check_type("base", base, Family, "GAUSSIAN")
    if not base.pathwise or base.support != Support():
        raise BadRequest("the base of a flow must be a family on all real numbers, with differentiable push: GAUSSIAN.")

    def halves(i: int, z: Array) -> tuple[Array, Array]:
        """(the fixed half, the transformed half) of z in layer i."""
        a, b = jnp.split(z, [z.shape[-1] // 2], -1)
        return (a, b) if i % 2 == 0 else (b, a)

    def rejoined(i: int, fixed: Array, moved: Array) -> Array:
        return jnp.concatenate((fixed, moved) if i % 2 == 0 else (moved, fixed), -1)

    def net(moved: Array) -> Any:
        return pure(Dense(2 * moved.shape[-1], width, zero=True))

    def init(key, h, latent_dim: int):
        if latent_dim < 2:
            raise BadRequest("a flow transforms one half of the latents by the other: use latent_dim of at least 2.")
        params = []
        for i, k in enumerate(jax.random.split(key, layers)):
            fixed, moved = halves(i, jnp.zeros((h.shape[0], latent_dim), dtype=jnp.float32))
            params.append(net(moved)[0](k, fixed, h))
        return params

    def coupling(params, h, fixed: Array, moved: Array) -> tuple[Array, Array]:
        """(shift, log scale), [K, B, half]."""
        samples = fixed.shape[0]
        out = net(moved)[1](params, merge(fixed), repeat(h, samples))
        shift, raw = jnp.split(split(out, samples), 2, -1)
        return shift, jnp.tanh(raw)

    def forward(params, h, z):
        """(z after all layers, the sum of their log scales [K, B])."""
        total: Any = 0.0
        for i, layer_params in enumerate(params):
            fixed, moved = halves(i, z)
            shift, log_scale = coupling(layer_params, h, fixed, moved)
            z, total = rejoined(i, fixed, moved * jnp.exp(log_scale) + shift), total + jnp.sum(log_scale, -1)
        return z, total

    def sample(params, h, noise):
        theta = base.theta(h)
        start = base.push(theta, noise)
        z, total = forward(params, h, start)
        return z, base.log_prob(theta, start) - total

    def log_prob(params, h, z):
        total: Any = 0.0
        for i, layer_params in reversed(list(enumerate(params))):
            fixed, moved = halves(i, z)
            shift, log_scale = coupling(layer_params, h, fixed, moved)
            z, total = rejoined(i, fixed, (moved - shift) * jnp.exp(-log_scale)), total + jnp.sum(log_scale, -1)
        return base.log_prob(base.theta(h), z) - total

    def mean(params, h):
        return forward(params, h, base.mean(base.theta(h))[None])[0][0]

    return Posterior(base.size, base.draw, sample, log_prob, mean, init)
