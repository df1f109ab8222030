"""What a critic is shown in place of an example, real and fake alike; the generator's gradient passes through it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxgen.core import Array
from jaxgen.objectives.penalties import _check_weight, _draw_nothing
from jaxgen.system.threefry import straight


class Augment(NamedTuple):
    """A change of every example on its way to the critic, with randomness of its own for each."""

    draw: Callable[..., Any]  # (key, x [B, ...]) -> noise
    show: Callable[..., Array]  # (x [B, ...], noise, round i32[]) -> what the critic sees, of the same shape


def instance_noise(std: float | Callable[[Array], Array]) -> Augment:
    """x + std e, e ~ N(0, I): laws that lie apart overlap, so that a critic cannot tell them without a slope.

    `std` is in units of x, or a function of the round, to let it fade. Near the equilibrium of a Dirac-GAN it acts like
    r1(std^2 / 2). Sonderby et al. 2017, arXiv 1610.04490; Arjovsky and Bottou 2017, arXiv 1701.04862.

    Raises:
      BadRequest: for a negative or non-finite std.
    """
    _check_weight("std", std)

    def draw(key, x):
        return jax.random.normal(straight(key), x.shape)

    def show(x, noise, round):
        return x + (std(round) if callable(std) else std) * noise

    return Augment(draw, show)


def _as_it_is(x: Array, noise: Any, round: Array) -> Array:
    return x


NO_AUGMENT = Augment(_draw_nothing, _as_it_is)
"""Examples as they are."""
