"""What a critic pays for steepness in its input, per example.

The norm runs over all axes but the first. The slope of example b is read from the gradient of the sum of the logits,
which is right because critics here do not couple the examples of a batch.
"""

import math
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest
from jaxgen.system.threefry import straight

See = Callable[[Array], Array]  # x [B, ...] -> logits [B]


class Penalty(NamedTuple):
    """A term of the critic's loss."""

    draw: Callable[..., Any]  # (key, x [B, ...]) -> noise
    value: Callable[..., Array]  # (see, real [B, ...], fake [B, ...], noise) -> [B]; `see` maps x to logits [B]


def r1(gamma: float | Array) -> Penalty:
    """gamma/2 |grad D(x)|^2 at the real examples. Draws nothing; zero where the critic is flat.

    Mescheder et al. 2018, arXiv 1801.04406.

    Raises:
      BadRequest: for a negative or non-finite gamma; by `value`, where the logits are not [B].
    """
    _check_weight("gamma", gamma)

    def value(see, real, fake, noise):
        return gamma / 2 * _squared_slope(see, real)

    return Penalty(_draw_nothing, value)


def r2(gamma: float | Array) -> Penalty:
    """gamma/2 |grad D(x)|^2 at the fake examples. Draws nothing; zero where the critic is flat.

    Mescheder et al. 2018, arXiv 1801.04406. R3GAN (arXiv 2501.05441) uses it beside R1; its eq. 12 prints
    the norm without the square, which its eq. 15 implies.

    Raises:
      BadRequest: for a negative or non-finite gamma; by `value`, where the logits are not [B].
    """
    _check_weight("gamma", gamma)

    def value(see, real, fake, noise):
        return gamma / 2 * _squared_slope(see, fake)

    return Penalty(_draw_nothing, value)


def gradient_penalty(weight: float | Array, *, target: float | Array = 1.0) -> Penalty:
    """WGAN-GP: weight (|grad D(x)| - target)^2 at x = u real + (1 - u) fake, one u ~ U[0, 1) per example.

    Where the critic is flat the value is weight target^2 and the gradient is zero. Gulrajani et al. 2017,
    arXiv 1704.00028.

    Raises:
      BadRequest: for a negative or non-finite weight or target; by `value`, where real and fake differ in shape or the
        logits are not [B].
    """
    _check_weight("weight", weight)
    _check_weight("target", target)

    def draw(key, x):
        return jax.random.uniform(straight(key), x.shape[:1])

    def value(see, real, fake, noise):
        if real.shape != fake.shape:
            raise BadRequest(f"real and fake examples are mixed one to one, but are {real.shape} and {fake.shape}.")
        u = noise.reshape(noise.shape + (1,) * (real.ndim - 1))
        return weight * (_root(_squared_slope(see, u * real + (1 - u) * fake)) - target) ** 2

    return Penalty(draw, value)


def add(*penalties: Penalty) -> Penalty:
    """The sum of penalties, each with noise of its own: `add(r1(1.0), r2(1.0))` is R3GAN's."""

    def draw(key, x):
        return tuple(p.draw(jax.random.fold_in(key, i), x) for i, p in enumerate(penalties))

    def value(see, real, fake, noise):
        return sum((p.value(see, real, fake, n) for p, n in zip(penalties, noise, strict=True)), _nothing(real))

    return Penalty(draw, value)


def _squared_slope(see: See, x: Array) -> Array:
    def total(x):
        logits = see(x)
        if logits.shape != x.shape[:1]:
            raise BadRequest(f"a critic gives one logit per example, [B], not {logits.shape} for x of {x.shape}.")
        return logits.sum()

    return jnp.sum(jax.grad(total)(x) ** 2, axis=tuple(range(1, x.ndim)))


def _root(square: Array) -> Array:
    # Two selects: one alone leaves 0 * inf = NaN in the gradient at zero.
    flat = square == 0
    return jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, square)))


def _draw_nothing(key: Array, x: Array) -> tuple:
    return ()


def _nothing(real: Array) -> Array:
    return jnp.zeros(real.shape[:1], real.dtype)


def _check_weight(name: str, value: Any) -> None:
    # Arrays and functions pass: they may be schedules that no one knows before the step runs.
    if isinstance(value, numbers.Real) and not 0 <= float(value) < math.inf:
        raise BadRequest(f"{name} must be a finite number of at least 0, not {value}.")


def _no_value(see: See, real: Array, fake: Array, noise: Any) -> Array:
    return _nothing(real)


NO_PENALTY = Penalty(_draw_nothing, _no_value)
"""Zero for every example."""
