"""Weights of a player's adversarial loss relative to its reconstruction loss, computed from their gradients."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, at
from jaxgen.objectives.schedules import Schedule, above_0, check_weight


class Weighting(NamedTuple):
    """The weights of a reconstruction loss and of an adversarial loss. No gradient passes through them."""

    weights: Callable[..., tuple[Array, Array]]
    """(norm of the gradient of the reconstruction loss, of that of the adversarial loss, step) -> the two weights."""
    place: str | None = None  # where gradients are taken: "layer", the decoder's last; "output", what it gives; or None


def constant_weight(weight: Schedule = 1.0) -> Weighting:
    """Weights 1 and `weight`, independent of gradients.

    Args:
      weight: a number, or a function of the step.

    Raises:
      BadRequest: for a weight that is negative or not finite.
    """
    check_weight("weight", weight)
    return Weighting(
        lambda reconstruction, adversarial, step: (jnp.float32(1.0), jnp.asarray(at(weight, step), jnp.float32))
    )


def adaptive_weight(weight: Schedule = 1.0, *, limit: float = 1e4, floor: float = 1e-4) -> Weighting:
    """Weights 1 and `weight` min(|grad_L nll| / (|grad_L g| + floor), limit), L the kernel of the decoder's last layer.

    nll is the reconstruction loss and g the adversarial one. So, up to the factor `weight`, the gradients of both in L
    have the same norm for any scale of g, unless |grad_L g| is near `floor` or the limit is reached. The flatter the
    critic, the larger the weight. Esser et al. 2021, arXiv 2012.09841, eq. 7, with the floor and the limit of their
    code and of latent diffusion (CompVis/taming-transformers and CompVis/latent-diffusion,
    `calculate_adaptive_weight`).

    Args:
      weight: a number, or a function of the step.
      limit: of the quotient, above 0.
      floor: added to |grad_L g|, above 0.

    Raises:
      BadRequest: for a weight that is negative or not finite, or a limit or floor that is not above 0.

    >>> lam = adaptive_weight(0.5).weights
    >>> [float(lam(jnp.float32(3.0), jnp.float32(slope), 0)[1]) for slope in (1.4999, 0.0)]
    [1.0, 5000.0]
    """
    check_weight("weight", weight)
    limit, floor = above_0("limit", limit), above_0("floor", floor)

    def weights(reconstruction, adversarial, step):
        quotient = jnp.minimum(reconstruction / (adversarial + floor), limit)
        return jnp.ones((), dtype=jnp.float32), at(weight, step) * jax.lax.stop_gradient(quotient)

    return Weighting(weights, "layer")


def equal_norms(weight: Schedule = 1.0, *, floor: float = 1e-8) -> Weighting:
    """Weights 1 / (|grad_y nll| + floor) and `weight` / (|grad_y g| + floor), y the output of the decoder.

    Up to the factor `weight`, the gradients of both losses in y have the same norm, which does not shrink as a loss
    nears its minimum. The larger the first weight, the less a KL term counts. This is the gradient normalisation of
    cloneofsimo/vqgan-training, in which y is the image and each term of the reconstruction loss is normalised.

    Args:
      weight: a number, or a function of the step.
      floor: added to the norms, above 0.

    Raises:
      BadRequest: for a weight that is negative or not finite, or a floor that is not above 0.
    """
    check_weight("weight", weight)
    floor = above_0("floor", floor)

    def weights(reconstruction, adversarial, step):
        first, second = (1 / (jax.lax.stop_gradient(norm) + floor) for norm in (reconstruction, adversarial))
        return first, at(weight, step) * second

    return Weighting(weights, "output")


def norm(tree: Any) -> Array:
    """The Euclidean norm of all numbers of a pytree, f32[].

    >>> print(norm({"a": jnp.array([3.0, 0.0]), "b": jnp.array(4.0)}))
    5.0
    """
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


def held(value: Array, slope: Any, at: Any) -> Array:
    """`value`, f32[], with the gradient `slope` in `at`, a pytree like `at`, which reuses a gradient computed before.

    >>> value, slope = jax.value_and_grad(lambda x: held(jnp.float32(7.0), jnp.float32(3.0), x))(5.0)
    >>> float(value), float(slope)
    (7.0, 3.0)
    """
    value, slope = jax.lax.stop_gradient((value, slope))
    moved = jax.tree.map(lambda s, a: jnp.sum(s * (a - jax.lax.stop_gradient(a))), slope, at)
    return value + sum(jax.tree.leaves(moved))
