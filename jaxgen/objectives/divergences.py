"""How far a posterior lies from its prior, exact or at a sample; nats per example."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest
from jaxgen.objectives.distributions import GAUSSIAN, LAPLACE, DiagGaussian, DiagLaplace, Family, _aligned


class Divergence(NamedTuple):
    """A divergence of theta q from theta p."""

    value: Callable[..., Array]  # (q, p, z) -> [B] where exact (z is not read), [K, B] where sampled
    posterior: Family  # of q
    prior: Family  # of p
    sampled: bool  # True where the value belongs to the sample z, as an importance bound needs it
    cost: Callable[..., Array] | None = None  # what a loss pays instead, shaped alike; None: the value
    couples: bool = False  # True where the cost of an example depends on the others of its batch


def exact_kl(posterior: Family, prior: Family) -> Divergence:
    """KL(q || p) in closed form, [B] nats.

    Gaussians: sum_d [(s_q^2 / s_p^2 - 1 + (m_q - m_p)^2 / s_p^2) / 2 - log s_q + log s_p]. Kingma & Welling 2013,
    appendix B, arXiv 1312.6114. A Laplace q against a Gaussian p, from E|z - m| = b and Var z = 2 b^2:
    sum_d [(2 b^2 + (m_q - m_p)^2) / (2 s_p^2) - log b + log s_p - 1 - log 2 + log(2 pi) / 2].

    Raises:
      BadRequest: where no closed form is known for the two families.

    >>> from jaxgen.objectives import standard
    >>> q = DiagGaussian(jnp.ones((1, 2)), jnp.zeros((1, 2)))
    >>> exact_kl(GAUSSIAN, GAUSSIAN).value(q, standard(q.mean), None)
    Array([1.], dtype=float32)
    """
    closed = _CLOSED.get((posterior, prior))
    if closed is None:
        raise BadRequest("no closed form of this KL is known: use sampled_kl(posterior, prior).")

    def value(q, p, z):
        return closed(q, p)

    return Divergence(value, posterior, prior, sampled=False)


def sampled_kl(posterior: Family, prior: Family) -> Divergence:
    """log q(z) - log p(z) at samples z ~ q: [K, B] nats whose mean is KL(q || p).

    The one to use under an importance bound, which weighs every sample by p(x, z) / q(z|x).
    """

    def value(q, p, z):
        return posterior.log_prob(q, z) - prior.log_prob(p, z)

    return Divergence(value, posterior, prior, sampled=True)


def free_bits(divergence: Divergence, nats: float) -> Divergence:
    """`divergence` of which each latent has `nats` for free: a loss pays sum_d max(nats, mean_B KL_d).

    The mean over the batch stands inside the maximum, so examples see each other: a latent may be dear for one example
    if it is cheap for the rest, and below `nats` on average no example has a gradient in it. The cost is [B], KL_d of
    the example where the mean is above `nats`, else `nats`; its mean over the batch is that sum. `value` stays the
    divergence itself. Kingma et al. 2016, arXiv 1606.04934, section on free bits, with one group for each latent.

    Raises:
      BadRequest: for a sampled divergence, or unless nats is a finite number of at least 0.

    >>> from jaxgen.objectives import standard
    >>> q = DiagGaussian(jnp.array([[2.0, 0.0], [0.0, 0.2]]), jnp.zeros((2, 2)))  # KLs 2, 0; 0, .02: means 1, .01
    >>> part = free_bits(exact_kl(GAUSSIAN, GAUSSIAN), 0.25)
    >>> part.cost(q, standard(q.mean), None)
    Array([2.25, 0.25], dtype=float32)
    """
    if divergence.sampled:
        raise BadRequest("free bits need the divergence of each latent by itself: use exact_kl(posterior, prior).")
    if not 0 <= nats < math.inf:
        raise BadRequest(f"nats={nats}: free bits are a finite number of at least 0.")

    def cost(q, p, z):
        # Latents are independent, so each is an event of its own, and the sum over the last axis is of one term.
        each = divergence.value(*jax.tree.map(lambda a: a[..., None], (q, p)), None)
        return jnp.sum(jnp.where(jnp.mean(each, axis=0, keepdims=True) > nats, each, nats), axis=-1)

    return divergence._replace(cost=cost, couples=True)


def _gaussians(q: DiagGaussian, p: DiagGaussian) -> Array:
    q_mean, q_log_std, p_mean, p_log_std = _aligned(*q, *p)
    apart = q_log_std - p_log_std
    # expm1 keeps more digits of a small KL than s_q^2 / s_p^2 - 1 would.
    return jnp.sum(0.5 * (jnp.expm1(2 * apart) + ((q_mean - p_mean) * jnp.exp(-p_log_std)) ** 2) - apart, axis=-1)


def _laplace_from_gaussian(q: DiagLaplace, p: DiagGaussian) -> Array:
    q_mean, q_log_scale, p_mean, p_log_std = _aligned(*q, *p)
    apart = q_log_scale - p_log_std
    shift = (q_mean - p_mean) * jnp.exp(-p_log_std)
    return jnp.sum(jnp.exp(2 * apart) + 0.5 * shift**2 - apart + (0.5 * math.log(math.pi / 2) - 1), axis=-1)


_CLOSED: dict[tuple[Family, Family], Callable[..., Array]] = {
    (GAUSSIAN, GAUSSIAN): _gaussians,
    (LAPLACE, GAUSSIAN): _laplace_from_gaussian,
}
