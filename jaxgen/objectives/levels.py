"""The discretised logistic family for 8-bit pixels: a logistic number rounded to one of 256 levels."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array
from jaxgen.objectives.distributions import Family, Support, aligned, bounded

_STEPS = 255  # from the lowest of 256 pixel levels to the highest


class DiagLogistic(NamedTuple):
    """Parameters of `DISCRETISED_LOGISTIC`: those of the logistic distribution before rounding, in units of x."""

    location: Array  # f32[..., D]
    log_scale: Array  # f32[..., D], or fewer leading axes; bounded by `DISCRETISED_LOGISTIC.theta`


def _levels(x: Array) -> Array:
    return jnp.clip(jnp.round(x * _STEPS), 0, _STEPS)


def _logistic_draw(key: Array, shape: tuple[int, ...]) -> Array:
    return jax.random.logistic(key, shape)


def _logistic_push(theta: DiagLogistic, noise: Array) -> Array:
    location, log_scale, noise = aligned(*theta, noise)
    return _levels(location + jnp.exp(log_scale) * noise) / _STEPS


def _logistic_log_prob(theta: DiagLogistic, x: Array) -> Array:
    location, log_scale, x = aligned(*theta, x)
    level = _levels(x)
    width = jnp.exp(-log_scale) / _STEPS  # of a level, in scales
    middle = (level - _STEPS * location) * width
    # sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)): three logarithms of one sign, none of a
    # difference, so that no digit is lost in the tails. A level at an edge has no end there, and no third factor.
    below = jnp.where(level == 0, 0.0, -jax.nn.softplus(middle - width / 2))
    above = jnp.where(level == _STEPS, 0.0, -jax.nn.softplus(-middle - width / 2))
    both = jnp.where((level == 0) | (level == _STEPS), 0.0, jnp.log(-jnp.expm1(-width)))
    return jnp.sum(below + above + both, axis=-1)


def _logistic_mean(theta: DiagLogistic) -> Array:
    location, log_scale = (a[..., None] for a in aligned(*theta))
    ends = jnp.reshape(
        (jnp.arange(_STEPS, dtype=location.dtype) + 0.5) / _STEPS, (1,) * (location.ndim - 1) + (_STEPS,)
    )
    return jnp.mean(jax.nn.sigmoid((location - ends) * jnp.exp(-log_scale)), axis=-1)


def _logistic_theta(raw: Array) -> DiagLogistic:
    location, raw_scale = jnp.split(raw, 2, axis=-1)
    return DiagLogistic(location, bounded(raw_scale) - math.log(_STEPS))


DISCRETISED_LOGISTIC = Family(
    _logistic_draw,
    _logistic_push,
    _logistic_log_prob,
    _logistic_mean,
    _logistic_theta,
    size=2,
    pathwise=False,
    support=Support(0.0, 1.0, step=1 / _STEPS),
)
"""Pixel levels k = 0 .. 255 at x = k / 255, theta a `DiagLogistic` (m, log s): a logistic number, rounded and clipped.

P(k) = F(k + 1/2) - F(k - 1/2) with F(k) = sigmoid((k / 255 - m) / s), where the tails belong to the end levels:
F(-1/2) = 0 and F(255.5) = 1. So log P is at most 0; x in [0, 1] counts as its nearest level. z is m + s e, e standard
logistic, rounded to a level; the mean is that of the levels, 1/255 sum_{k=1}^{255} P(level >= k). The raw scale is
log(255 s), the scale in levels, which `theta` bounds to (-7, 7). Finite for |m| up to 1e30. Kingma et al. 2016, arXiv
1606.04934, with the end levels of Salimans et al. 2017, arXiv 1701.05517.
"""
