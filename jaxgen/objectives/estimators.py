"""How the gradient of an expectation over z ~ q_theta reaches theta. The value never depends on the estimator."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest
from jaxgen.objectives.distributions import Family


class Estimator(NamedTuple):
    """A gradient estimator, as a way to evaluate a cost at a sample."""

    cost: Callable[..., Array]  # (family, theta, noise, cost_of) -> cost_of(z, theta) [K, B], with its own gradient
    needs_pathwise: bool  # True where the family's `push` must be differentiable
    linear_only: bool  # True where it is wrong under a bound that is not linear in the samples
    samples: int = 1  # the fewest it works with


def _pathwise(family: Family, theta: Any, noise: Any, cost_of: Callable[..., Array]) -> Array:
    if not family.pathwise:
        raise BadRequest("PATHWISE needs a family whose push is differentiable, such as GAUSSIAN; this one is not.")
    return cost_of(family.push(theta, noise), theta)


def _cut(family: Family, theta: Any, noise: Any, cost_of: Callable[..., Array]) -> Array:
    return cost_of(jax.lax.stop_gradient(family.push(theta, noise)), theta)


def _score(family: Family, theta: Any, noise: Any, cost_of: Callable[..., Array]) -> Array:
    z = jax.lax.stop_gradient(family.push(theta, noise))
    cost = cost_of(z, theta)
    if jnp.ndim(cost) != 2 or len(cost) < SCORE.samples:
        raise BadRequest(
            f"SCORE takes its baseline from the other samples: costs [K, B] with K >= 2, not {cost.shape}."
        )
    others = (jnp.sum(cost, 0, keepdims=True) - cost) / (len(cost) - 1)
    log_prob = family.log_prob(theta, z)
    if log_prob.shape != cost.shape:
        raise BadRequest(f"SCORE weighs log q(z), {log_prob.shape}, by costs of the same shape, not {cost.shape}.")
    # Worth exactly nothing, and differentiable: only the gradient is changed.
    return cost + jax.lax.stop_gradient(cost - others) * (log_prob - jax.lax.stop_gradient(log_prob))


PATHWISE = Estimator(_pathwise, needs_pathwise=True, linear_only=False)
"""The reparametrisation trick: z = push(theta, noise), differentiated through. Unbiased.

`cost(family, theta, noise, cost_of)` is `cost_of(z, theta)`; the second argument of `cost_of` is where analytic terms
in theta, such as log q(z), are evaluated. Raises BadRequest for a family without a differentiable `push`.
Kingma & Welling 2013, arXiv 1312.6114.
"""

CUT = Estimator(_cut, needs_pathwise=False, linear_only=False)
"""Sampling without a gradient path: z is a constant. Biased on purpose, to show what the trick is for.

theta learns from the analytic terms of `cost_of(z, theta)` only; what reaches it through z is exactly zero.
"""

SCORE = Estimator(_score, needs_pathwise=False, linear_only=True, samples=2)
"""The score function with a leave-one-out baseline; any family, also a discrete one. Unbiased under a mean of samples.

Sample k adds (c_k - mean_{j != k} c_j) * grad log q(z_k) to the gradient of the analytic terms. K >= 2 samples, else
BadRequest. Williams 1992 (REINFORCE); the baseline: Mnih and Rezende 2016, arXiv 1602.06725.
"""
