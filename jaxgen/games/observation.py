"""From what a decoder or generator puts out to data: one network serves a VAE and a GAN alike."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgen.core import Array
from jaxgen.objectives import BERNOULLI, GAUSSIAN, Family, diag_gaussian


class Observation(NamedTuple):
    """p(x | y) for the raw output y of a network, with the parameters of its own that a likelihood may need."""

    family: Family
    init: Callable[[int], Any]  # number of values of an example -> its own parameters
    theta: Callable[..., Any]  # (own, y [..., N]) -> theta of the family
    mean: Callable[[Array], Array]  # y -> x: all that a GAN uses
    draw: Callable[..., Any]  # (key, shape) -> noise of `sample`
    sample: Callable[..., Array]  # (own, noise, y) -> x


def _gaussian_theta(own, y):
    return diag_gaussian(y, jnp.broadcast_to(own, y.shape))


PIXELS = Observation(
    family=BERNOULLI,
    init=lambda n: (),
    theta=lambda own, y: y,
    mean=BERNOULLI.mean,
    draw=lambda key, shape: (),
    sample=lambda own, noise, y: BERNOULLI.mean(y),
)
"""Pixels in [0, 1]: Bernoulli with logits y. A sample is the mean image: drawn bits are not what data look like."""

VECTORS = Observation(
    family=GAUSSIAN,
    init=lambda n: jnp.zeros(n),
    theta=_gaussian_theta,
    mean=lambda y: y,
    draw=GAUSSIAN.draw,
    sample=lambda own, noise, y: GAUSSIAN.push(_gaussian_theta(own, y), noise),
)
"""Points and tables: Gaussian with mean y and one learned log_std per column; a sample includes that noise."""
