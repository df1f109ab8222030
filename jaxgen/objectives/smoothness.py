"""Penalties on how a critic changes near an example: under small noise, or under augmentation."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import BadRequest, Batch, at
from jaxgen.objectives.penalties import Penalty, root, squared_slope
from jaxgen.objectives.schedules import Schedule, check_weight


def dragan(weight: Schedule = 10.0, *, std: Schedule = 0.5, target: Schedule = 1.0) -> Penalty:
    """DRAGAN: weight (|grad D(x + std n)| - target)^2 at the real examples x, with n ~ N(0, I) of the shape of x.

    If the critic is flat, the value is weight target^2 and the gradient is zero. Kodali et al. 2017, arXiv 1705.07215,
    whose c is std^2. The default std is for data of standard deviation 1; in general use half of the standard deviation
    of the data. The authors' code uses x + a (y - x) in place of x + std n, with a uniform in (0, 1) and y - x uniform
    from 0 to half of the data's standard deviation, so that its root mean square is a sixth of that. The target has the
    units of 1 / x: a slope of 1 for pixels in [0, 1] corresponds to one of .5 for pixels in [-1, 1].

    Args:
      weight: a number, or a function of the step.
      std: of the noise, in the units of the data; a number, or a function of the step.
      target: the norm that the gradient should have; a number, or a function of the step.

    Raises:
      BadRequest: for a weight, std or target that is negative or not finite.
    """
    check_weight("weight", weight)
    check_weight("std", std)
    check_weight("target", target)

    def value(forward, noise, state, step):
        near = jax.tree.map(lambda x, n: x + at(std, step) * n, forward.real, noise)
        return at(weight, step) * (root(squared_slope(forward.critic_real, near)) - at(target, step)) ** 2, state

    return Penalty(value, _draw_numbers)


def consistency(change: Any, *, real: Schedule = 10.0, fake: Schedule = 10.0) -> Penalty:
    """bCR: real (D(T(x)) - D(x))^2 + fake (D(T(G(z))) - D(G(z)))^2, averaged over the logits of an entry.

    A penalty of the critic, which should not react to the augmentation T. Zhao et al. 2020, arXiv 2002.04724. Unlike in
    `augmented`, the generator is not trained through T, so T may be a change that must not appear in samples.

    Args:
      change: T, with `draw(key, x) -> noise` and `apply(x, noise, p) -> x`, such as `jaxgen.nets.diffaugment()`.
      real: weight at the real examples; a number, or a function of the step.
      fake: weight at the fake ones.

    Raises:
      BadRequest: for a change without these two functions, or a weight that is negative or not finite; in `value`,
        if real and fake logits differ in shape.
    """
    if not all(callable(getattr(change, name, None)) for name in ("draw", "apply")):
        raise BadRequest(f"change={change!r}: it must have draw(key, x) and apply(x, noise, p), as diffaugment() has.")
    check_weight("real", real)
    check_weight("fake", fake)

    def draw(key, batch: Batch):
        k_real, k_fake = jax.random.split(key)
        return {"real": change.draw(k_real, batch.x), "fake": change.draw(k_fake, batch.x)}

    def value(forward, noise, state, step):
        if forward.real_logits.shape != forward.fake_logits.shape:
            shapes = f"{forward.real_logits.shape} and {forward.fake_logits.shape}"
            raise BadRequest(f"consistency() needs real and fake logits of one shape, not {shapes}.")

        def moved(critic, x, logits, noise):
            apart = critic(change.apply(x, noise, jnp.ones((), dtype=jnp.float32))) - logits
            return jnp.mean(apart.reshape(len(logits), -1) ** 2, -1)

        at_real = moved(forward.critic_real, forward.real, forward.real_logits, noise["real"])
        at_fake = moved(forward.critic_fake, forward.fake, forward.fake_logits, noise["fake"])
        return at(real, step) * at_real + at(fake, step) * at_fake, state

    return Penalty(value, draw)


def _draw_numbers(key, batch: Batch):
    """A normal number for each number of an example."""
    leaves, tree = jax.tree.flatten(batch.x)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(
        tree, [jax.random.normal(k, a.shape, dtype=jnp.float32) for k, a in zip(keys, leaves, strict=True)]
    )
