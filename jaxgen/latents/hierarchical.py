"""Hierarchical latents: several layers, sampled from the top down in both the posterior and the prior."""

import itertools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, merge, repeat, rows, split, whole, wholes
from jaxgen.latents.dense import Dense
from jaxgen.latents.latent import Inference, Latent
from jaxgen.nets.adapters import pure
from jaxgen.objectives.distributions import GAUSSIAN, DiagGaussian
from jaxgen.objectives.divergences import kl


class TopDown(nn.Module):
    """One layer (s [B, W], eps [B, d], h) -> (s, theta of q, theta of p, z), with Gaussian q and p.

    The prior p depends on s, which summarises all latents above; the posterior q depends on s and h. Without h, q is p.
    """

    width: int = 128  # of the hidden layers

    @nn.compact
    def __call__(self, s: Array, eps: Array, h: Array | None = None) -> tuple[Array, DiagGaussian, DiagGaussian, Array]:
        """(s below this layer, theta of q, theta of p, z)."""
        raw = 2 * eps.shape[-1]
        p = GAUSSIAN.theta(Dense(raw, self.width, name="prior")(s))
        q = p if h is None else GAUSSIAN.theta(Dense(raw, self.width, name="posterior")(s, h))
        z = GAUSSIAN.push(q, eps)
        return s + Dense(s.shape[-1], self.width, name="merge")(s, z), q, p, z


def hierarchical(latent_dims: tuple[int, ...], *, width: int = 128, layers: tuple[Any, ...] | None = None) -> Latent:
    """Layers p(z_1) p(z_2 | z_1) ..., with q(z_1 | h) q(z_2 | z_1, h) ... in the same order.

    The decoder receives s [B, width], which summarises all latents. The KL of a layer is in closed form given the
    samples of the layers above; log p and log q are sums over layers. Gradients are those of PATHWISE. Sonderby et al.
    2016, arXiv 1602.02282; Vahdat and Kautz 2020, arXiv 2007.03898.

    Args:
      latent_dims: sizes of z_1 (the top), z_2, ...
      width: of s, and of the hidden layers of the default networks.
      layers: for each layer a stateless network with the signature of `TopDown`; h may be anything that they accept.
        None: `TopDown(width)`, which needs h [B, N].

    Raises:
      BadRequest: if there is no layer, a size is below 1, or the number of networks differs; in `init`, if h is not
        [B, N] for the default layers.
    """
    latent_dims, width = wholes("latent_dims", latent_dims, 1), whole("width", width, 1)
    if layers is not None and len(layers) != len(latent_dims):
        raise BadRequest(f"{len(layers)} layers for latent_dims={latent_dims}: give one network for each.")
    inits, applies = zip(*map(pure, layers or (TopDown(width),) * len(latent_dims)), strict=True)
    exact = kl(GAUSSIAN, GAUSSIAN)

    def descend(params, noise, *h):
        """s below the last layer, and (theta of q, theta of p, z) of every layer."""
        s, each = jnp.zeros((rows(noise), width), dtype=jnp.float32), []
        for apply, layer_params, eps in zip(applies, params, noise, strict=True):
            s, *layer = apply(layer_params, s, eps, *h)
            each.append(layer)
        return s, each

    def init(key, h, batch):
        if layers is None and jnp.ndim(h) != 2:
            raise BadRequest(
                f"the encoder gives {list(jnp.shape(h))} but must give [B, N] with any N: end it with a dense layer."
            )
        s = jnp.zeros((rows(h), width), dtype=jnp.float32)
        keys = jax.random.split(key, len(latent_dims))
        return [
            start(k, s, jnp.zeros((rows(h), d), dtype=jnp.float32), h)
            for start, k, d in zip(inits, keys, latent_dims, strict=True)
        ], ()

    def draw(key, *lead):
        noise = jax.random.normal(key, (*lead, sum(latent_dims)), dtype=jnp.float32)
        return jnp.split(noise, list(itertools.accumulate(latent_dims))[:-1], -1)

    def infer(params, state, noise, h, given):
        samples = rows(noise)
        s, each = descend(params, merge(noise), repeat(h, samples))
        log_p = sum(GAUSSIAN.log_prob(p, z) for _, p, z in each)
        log_q = sum(GAUSSIAN.log_prob(q, z) for q, _, z in each)
        by_layer = jnp.stack([exact(q, p) for q, p, _ in each], -1)
        s, log_p, log_q, by_layer = split((s, log_p, log_q, by_layer), samples)
        return Inference(s, log_p, log_q, jnp.mean(by_layer, 0))

    def encode(params, state, h):
        return descend(params, [jnp.zeros((rows(h), d), dtype=jnp.float32) for d in latent_dims], h)[0]

    return Latent(
        init=init,
        draw=draw,
        infer=infer,
        encode=encode,
        draw_prior=draw,
        generate=lambda params, state, noise, given: descend(params, noise)[0],
        closed_form=True,
    )
