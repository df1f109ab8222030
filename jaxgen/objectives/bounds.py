"""From K log-weights per example to one bound on log p(x)."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest


class Bound(NamedTuple):
    """A lower bound on log p(x), in expectation."""

    value: Callable[[Array], Array]  # log_w [K, B] = log p(x, z) - log q(z|x) -> [B] nats, to be maximised
    linear: bool  # True where terms outside the bound may be added as well as inside


def _mean(log_w: Array) -> Array:
    _check(log_w)
    return jnp.mean(log_w, axis=0)


def _importance(log_w: Array) -> Array:
    _check(log_w)
    return jax.nn.logsumexp(log_w, axis=0) - math.log(log_w.shape[0])


def _check(log_w: Array) -> None:
    if jnp.ndim(log_w) != 2 or not log_w.shape[0]:
        raise BadRequest(f"a bound takes log-weights [K, B] with K of at least 1, not of shape {jnp.shape(log_w)}.")


MEAN = Bound(_mean, linear=True)
"""The ELBO, averaged over samples: 1/K sum_k log w_k. Raises BadRequest where log_w is not [K, B].

Kingma & Welling 2013, arXiv 1312.6114.
"""

IMPORTANCE = Bound(_importance, linear=False)
"""IWAE: log 1/K sum_k w_k. Its gradient weighs sample k by w_k / sum w: the best sample most.

Between the ELBO and log p(x), and closing like 1/K. Raises BadRequest where log_w is not [K, B]. Burda et al. 2015,
arXiv 1509.00519.
"""
