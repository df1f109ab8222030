"""Penalties that compare G(z) with G(z') for a nearby z', or with z itself."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Batch, at, rows, whole
from jaxgen.objectives.penalties import Forward, Penalty
from jaxgen.objectives.schedules import Schedule, check_weight


def latent_consistency(latent_dim: int, weight: Schedule = 5.0, *, std: Schedule = 0.03) -> Penalty:
    """zCR of the critic: weight (D(G(z + std e)) - D(G(z)))^2, e ~ N(0, I), averaged over the logits of an entry.

    The critic should not react to a small change of z. Use it together with `latent_spread` for the generator. Zhao et
    al. 2020, arXiv 2002.04724. In trials on ring8, whose modes are far apart, these weights kept all modes but left
    more samples between them.

    Args:
      latent_dim: numbers of z.
      weight: a number, or a function of the step.
      std: of the change of z; a number, or a function of the step.

    Raises:
      BadRequest: for a latent_dim below 1, or a weight or std that is negative or not finite; in `value`, for a z of
        another size.
    """
    draw = _near(latent_dim, weight, std)

    def value(forward, noise, state, step):
        apart = forward.critic_fake(forward.generate(_moved(forward, noise, at(std, step)))) - forward.fake_logits
        return at(weight, step) * jnp.mean(apart.reshape(len(apart), -1) ** 2, -1), state

    return Penalty(value, draw)


def latent_spread(latent_dim: int, weight: Schedule = 0.5, *, std: Schedule = 0.03) -> Penalty:
    """zCR of the generator: -weight |G(z + std e) - G(z)|^2, e ~ N(0, I), averaged over the numbers of an example.

    It rewards a generator whose output changes with z. The loss is negative, and unbounded below if x is unbounded: a
    large weight then makes training diverge. Zhao et al. 2020, arXiv 2002.04724.

    Args:
      latent_dim: numbers of z.
      weight: a number, or a function of the step.
      std: of the change of z; a number, or a function of the step.

    Raises:
      BadRequest: as in `latent_consistency`.
    """
    draw = _near(latent_dim, weight, std)

    def value(forward, noise, state, step):
        near = forward.generate(_moved(forward, noise, at(std, step)))
        return -at(weight, step) * _mean_square(near, forward.fake), state

    return Penalty(value, draw)


def transport(weight: Schedule = 1.0) -> Penalty:
    """weight |G(z) - z|^2, averaged over the numbers of an example; z must have as many numbers.

    A penalty of the generator. Of all maps from N(0, I) to the distribution of the data, it prefers the one that moves
    z least, the optimal transport. It is a term of adversarial flow models, Lin et al. 2025, arXiv 2511.22475.

    Args:
      weight: a number, or a function of the step.

    Raises:
      BadRequest: for a weight that is negative or not finite; in `value`, if z and an example differ in size.
    """
    check_weight("weight", weight)

    def value(forward, noise, state, step):
        fake, z = forward.fake, forward.z
        if not hasattr(fake, "shape") or fake.size != z.size:
            raise BadRequest(f"transport() compares G(z) with z: z needs as many numbers as an example, not {z.shape}.")
        return at(weight, step) * _mean_square(fake, z.reshape(fake.shape)), state

    return Penalty(value)


def _near(latent_dim: int, weight: Schedule, std: Schedule) -> Any:
    """Checks the arguments, and returns the function that draws noise, (key, batch) -> f32[B, D]."""
    numbers = whole("latent_dim", latent_dim, 1)
    check_weight("weight", weight)
    check_weight("std", std)

    def draw(key, batch: Batch):
        return jax.random.normal(key, (rows(batch), numbers), dtype=jnp.float32)

    return draw


def _moved(forward: Forward, noise: Array, std: Any) -> Array:
    if forward.z.shape != noise.shape:
        raise BadRequest(f"this penalty was built for z of {noise.shape[1:]}, and z is {forward.z.shape[1:]}.")
    return forward.z + std * noise


def _mean_square(x: Any, y: Any) -> Array:
    """|x - y|^2 / n, [B], over all leaves."""
    squares = jax.tree.map(lambda a, b: jnp.sum(((a - b) ** 2).reshape(len(a), -1), -1), x, y)
    return jax.tree.reduce(jnp.add, squares) / sum(leaf[0].size for leaf in jax.tree.leaves(x))
