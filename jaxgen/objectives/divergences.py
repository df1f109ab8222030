"""Kullback-Leibler divergences in closed form, KL(q || p) = E_q [log q(z) - log p(z)], in nats.

If there is no closed form, the mean of log q(z) - log p(z) over samples z of q estimates it.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, check_type
from jaxgen.objectives.distributions import (
    BERNOULLI,
    GAUSSIAN,
    LAPLACE,
    DiagGaussian,
    DiagLaplace,
    Family,
    aligned,
)


def kl(posterior: Family, prior: Family) -> Callable[[Any, Any], Array]:
    """The function (theta q, theta p) -> KL(q || p) in nats, f32[B], summed over the last axis.

    Closed forms are known for two Gaussians, two Laplaces, two Bernoullis, and a Laplace q with a Gaussian p; see
    `closed_form`.

    Raises:
      BadRequest: if no closed form is known for the two families, or if parameters are given in place of families.

    >>> from jaxgen.objectives import GAUSSIAN, DiagGaussian, standard
    >>> q = DiagGaussian(jnp.ones((1, 2)), jnp.zeros((1, 2)))
    >>> kl(GAUSSIAN, GAUSSIAN)(q, standard(q.mean))
    Array([1.], dtype=float32)
    """
    closed = closed_form(posterior, prior)
    if closed is None:
        raise BadRequest("no closed form of this KL is known here: use log q(z) - log p(z) at samples z of q.")
    return lambda q, p: jnp.sum(closed(q, p), axis=-1)


def closed_form(posterior: Family, prior: Family) -> Callable[[Any, Any], Array] | None:
    """The function (theta q, theta p) -> KL(q || p) of each dimension, f32[B, D] nats; None if none is known.

    It is looked up by the `log_prob` of both families, so it is still found after `theta`, `draw` or `push` of a family
    was replaced. With mean m, std s, scale b of q, and n, t, c of p, d = |m - n|, and sigmoid s(.) of logits k and l:
      Gaussian from Gaussian: (s^2 / t^2 - 1 + d^2 / t^2) / 2 - log(s / t). Kingma and Welling 2014, arXiv 1312.6114,
        appendix B, for the standard p.
      Laplace from Gaussian: (2 b^2 + d^2) / (2 t^2) - log(b / t) - 1 + log(pi / 2) / 2, by E|z - m| = b, Var z = 2 b^2.
      Laplace from Laplace: d / c + (b / c) exp(-d / b) - 1 - log(b / c), by E|z - n| = d + b exp(-d / b).
      Bernoulli from Bernoulli: s(k) (k - l) - log(1 + e^k) + log(1 + e^l).
    """
    for name, family in (("posterior", posterior), ("prior", prior)):
        check_type(name, family, Family, "GAUSSIAN: kl(GAUSSIAN, GAUSSIAN)(q, p) takes the parameters")
    return _CLOSED.get((posterior.log_prob, prior.log_prob))


def _gaussians(q: DiagGaussian, p: DiagGaussian) -> Array:
    q_mean, q_log_std, p_mean, p_log_std = aligned(*q, *p)
    apart = q_log_std - p_log_std
    # expm1 keeps more digits of a small KL than s_q^2 / s_p^2 - 1 would.
    return 0.5 * (jnp.expm1(2 * apart) + ((q_mean - p_mean) * jnp.exp(-p_log_std)) ** 2) - apart


def _laplace_from_gaussian(q: DiagLaplace, p: DiagGaussian) -> Array:
    q_mean, q_log_scale, p_mean, p_log_std = aligned(*q, *p)
    apart = q_log_scale - p_log_std
    shift = (q_mean - p_mean) * jnp.exp(-p_log_std)
    return jnp.exp(2 * apart) + 0.5 * shift**2 - apart + (0.5 * math.log(math.pi / 2) - 1)


def _laplaces(q: DiagLaplace, p: DiagLaplace) -> Array:
    q_mean, q_log_scale, p_mean, p_log_scale = aligned(*q, *p)
    apart = q_log_scale - p_log_scale
    shift = jnp.abs(q_mean - p_mean)
    # b / c exp(-d / b) - 1 = b / c (exp(-d / b) - 1) + (b / c - 1): two expm1, which keep the digits of a small KL.
    tail = jnp.exp(apart) * jnp.expm1(-shift * jnp.exp(-q_log_scale))
    return shift * jnp.exp(-p_log_scale) + tail + jnp.expm1(apart) - apart


def _bernoullis(q: Array, p: Array) -> Array:
    q, p = aligned(q, p)
    # The KL does not change if 0 and 1 are exchanged in both. They are exchanged if sigmoid(q) exceeds a half, so that
    # sigmoid(q) is small if the logits are large, and no large terms cancel.
    a, b = jnp.where(q > 0, -q, q), jnp.where(q > 0, -p, p)
    mass, apart = jax.nn.sigmoid(a), b - a
    near = apart < 1
    # log (1 + e^b) / (1 + e^a) = log1p(sigmoid(a) (e^(b - a) - 1)), which keeps the digits of a small KL.
    close = jnp.log1p(mass * jnp.expm1(jnp.where(near, apart, 0.0)))
    return jnp.where(near, close, jax.nn.softplus(b) - jax.nn.softplus(a)) - mass * apart


_CLOSED: dict[tuple[Callable[..., Array], Callable[..., Array]], Callable[[Any, Any], Array]] = {
    (GAUSSIAN.log_prob, GAUSSIAN.log_prob): _gaussians,
    (LAPLACE.log_prob, GAUSSIAN.log_prob): _laplace_from_gaussian,
    (LAPLACE.log_prob, LAPLACE.log_prob): _laplaces,
    (BERNOULLI.log_prob, BERNOULLI.log_prob): _bernoullis,
}
