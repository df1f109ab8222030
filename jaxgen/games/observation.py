"""From what a decoder or generator puts out to data: one network serves a VAE and a GAN alike."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array
from jaxgen.objectives import BERNOULLI, DISCRETISED_LOGISTIC, GAUSSIAN, Family, diag_gaussian


class Observation(NamedTuple):
    """p(x | y) for the raw output y of a network, with the parameters of its own that a likelihood may need."""

    family: Family
    init: Callable[[int], Any]  # number of values of an example -> its own parameters
    theta: Callable[..., Any]  # (own, y [..., N]) -> theta of the family
    mean: Callable[[Array], Array]  # y -> x: all that a GAN uses
    draw: Callable[..., Any]  # (key, shape) -> noise of `sample`
    sample: Callable[..., Array]  # (own, noise, y) -> x
    range: tuple[float, float] | None = None  # of every number of x; None: anywhere


def _gaussian_theta(own, y):
    return diag_gaussian(y, jnp.broadcast_to(own, y.shape))


def _levels_theta(own, y):
    return DISCRETISED_LOGISTIC.theta(jnp.concatenate([jax.nn.sigmoid(y), jnp.broadcast_to(own, y.shape)], axis=-1))


def _levels_sample(own, noise, y):
    flat = y.shape[0], -1
    return DISCRETISED_LOGISTIC.push(_levels_theta(own, y.reshape(flat)), noise.reshape(flat)).reshape(y.shape)


PIXELS = Observation(
    family=BERNOULLI,
    init=lambda n: (),
    theta=lambda own, y: y,
    mean=BERNOULLI.mean,
    draw=lambda key, shape: (),
    sample=lambda own, noise, y: BERNOULLI.mean(y),
    range=(0.0, 1.0),
)
"""Pixels in [0, 1]: Bernoulli with logits y. A sample is the mean image: drawn bits are not what data look like."""

LEVELS = Observation(
    family=DISCRETISED_LOGISTIC,
    init=lambda n: jnp.full(n, 3.5),  # a law about as wide as images are: a standard deviation of .18
    theta=_levels_theta,
    mean=jax.nn.sigmoid,
    draw=DISCRETISED_LOGISTIC.draw,
    sample=_levels_sample,
    range=(0.0, 1.0),
)
"""Pixels k / 255: the discretised logistic of location sigmoid(y) and one learned scale per number of an example.

A likelihood of 8-bit images: divided by the number of values and log 2 it is bits per dimension. The mean image is the
location; a sample includes the noise of the levels.
"""

VECTORS = Observation(
    family=GAUSSIAN,
    init=lambda n: jnp.zeros(n),
    theta=_gaussian_theta,
    mean=lambda y: y,
    draw=GAUSSIAN.draw,
    sample=lambda own, noise, y: GAUSSIAN.push(_gaussian_theta(own, y), noise),
)
"""Points and tables: Gaussian with mean y and one learned log_std per column; a sample includes that noise."""
