"""Lower bounds on log p(x), as functions of log-weights log p(x, z_k) - log q(z_k | x): f32[K, B] -> f32[B] nats.

The package accepts any such function as a bound, including your own: Renyi's bound of order 1/2 (Li and
Turner 2016, arXiv 1602.02311) is `lambda log_w: 2 * importance(log_w / 2)`.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest

Bound = Callable[[Array], Array]


def elbo(log_w: Array) -> Array:
    """The evidence lower bound, averaged over samples: 1/K sum_k log w_k, f32[B] nats.

    Kingma and Welling 2014, arXiv 1312.6114.

    Raises:
      BadRequest: if `log_w` is not [K, B].

    >>> elbo(jnp.log(jnp.array([[1.0], [4.0]]))) == jnp.log(2.0)
    Array([ True], dtype=bool)
    """
    _check(log_w)
    return jnp.mean(log_w, axis=0)


def importance(log_w: Array) -> Array:
    """The bound of importance-weighted autoencoders: log 1/K sum_k w_k, f32[B] nats.

    Its expectation lies between the ELBO and log p(x). If the weights have finite variance, its gap to log p(x) is
    O(1/K). Its gradient weights sample k by w_k / sum_j w_j. Burda et al. 2016, arXiv 1509.00519, eq. 8.

    Raises:
      BadRequest: if `log_w` is not [K, B].

    >>> importance(jnp.log(jnp.array([[1.0], [3.0]]))) - jnp.log(2.0)
    Array([0.], dtype=float32)
    """
    _check(log_w)
    return jax.nn.logsumexp(log_w, axis=0) - math.log(log_w.shape[0])


def _check(log_w: Array) -> None:
    if jnp.ndim(log_w) != 2 or not log_w.shape[0]:
        raise BadRequest(f"a bound takes log-weights [K, B] with K of at least 1, not of shape {jnp.shape(log_w)}.")
