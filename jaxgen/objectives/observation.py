"""Observations: likelihoods p(x | y) of data x given the raw output y of a decoder.

For data of C channels, y has `outputs(C)` channels on its last axis; its other axes are those of the data. All
observations accept images [N, H, W, C] and vectors [N, C]. If there are several outputs for each number of x, they are
adjacent: y [N, ..., C * size] is reshaped to [N, ..., C, size].
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import xlogy

from jaxgen.core import Array, BadRequest, nothing, whole
from jaxgen.objectives.distributions import (
    BERNOULLI,
    GAUSSIAN,
    DiagGaussian,
    Family,
    diag_gaussian,
)
from jaxgen.objectives.levels import DISCRETISED_LOGISTIC


class Observation(NamedTuple):
    """A likelihood p(x | y), which may have learned params of its own."""

    outputs: Callable[[int], int]  # channels of x, on its last axis -> channels of y
    log_prob: Callable[..., Array]  # (params, y [N, ..., outputs], x [N, ..., C]) -> nats [N]
    mean: Callable[..., Array]  # (params, y) -> the expected x
    draw: Callable[..., Any] = nothing  # (key, y) -> noise; reads the shape of y only
    sample: Callable[..., Array] | None = None  # (params, noise, y) -> x; None: the mean is used in its place
    init: Callable[..., Any] = nothing  # (shape of one example) -> params
    range: tuple[float, float] | None = None  # the interval that must contain every number of x; None: any number
    levels: int | None = None
    """L if x has the levels k / (L - 1), k = 0 .. L - 1, with probabilities, so that bits per dimension are defined;
    256 for 8-bit images. None for densities, and for scores such as the cross-entropy of grey values."""
    best: Callable[[Array], Array] | None = None
    """x [N, ..., C] -> the largest log_prob of x over all y, nats [N], if log_prob is such a score. This maximum
    depends on x and says nothing about the fit of y, so it is subtracted. None for probabilities and densities."""


def independent(family: Family) -> Observation:
    """Independent numbers of a family with all parameters from the decoder, `family.size` outputs for each number.

    >>> from jaxgen.objectives import LAPLACE
    >>> robust = independent(LAPLACE)
    >>> robust.outputs(3), robust.log_prob((), jnp.zeros((1, 6)), jnp.zeros((1, 3)))  # -3 log 2
    (6, Array([-2.0794415], dtype=float32))
    """

    return _by_number(
        family.size,
        log_prob=lambda raw, x: family.log_prob(family.theta(raw), x[..., None]),
        mean=lambda raw: family.mean(family.theta(raw))[..., 0],
        draw=lambda key, shape: family.draw(key, (*shape, 1)),
        sample=lambda noise, raw: family.push(family.theta(raw), noise)[..., 0],
        range=_range(family),
        levels=_levels(family),
    )


def categorical(levels: int) -> Observation:
    """A categorical distribution of `levels` values k / (levels - 1) for each number, with logits from the decoder.

    With 256 levels, the softmax of van den Oord et al. 2016, arXiv 1601.06759. A number between two values
    counts as the nearest one.

    Raises:
      BadRequest: for fewer than 2 levels.
    """
    whole("levels", levels, 2)

    def log_prob(logits, x):
        level = jnp.clip(jnp.round(x * (levels - 1)), 0, levels - 1).astype(jnp.int32)
        return jnp.take_along_axis(jax.nn.log_softmax(logits), level[..., None], -1)[..., 0]

    return _by_number(
        levels,
        log_prob=log_prob,
        mean=lambda logits: jax.nn.softmax(logits) @ jnp.linspace(0.0, 1.0, levels, dtype=jnp.float32),
        draw=lambda key, shape: jax.random.gumbel(key, (*shape, levels), dtype=jnp.float32),
        sample=lambda noise, logits: jnp.argmax(logits + noise, -1).astype(jnp.float32) / (levels - 1),
        range=(0.0, 1.0),
        levels=levels,
    )


def mixture(parts: int, family: Family = GAUSSIAN) -> Observation:
    """A mixture of `parts` members of a family for each number, with weights and parameters from the decoder.

    log p(x) = log sum_i softmax(l)_i p_i(x), with `parts` logits l first and then `family.size` outputs for each part.
    With IMAGE_LOGISTIC it is the likelihood of 8-bit pixels of Salimans et al. 2017, arXiv 1701.05517, without its
    dependence between channels.

    Raises:
      BadRequest: for fewer than 1 part.
    """
    whole("parts", parts, 1)

    def members(raw: Array) -> tuple[Array, Any]:
        """log weights [..., parts], and theta of numbers [..., parts, 1]."""
        rest = raw[..., parts:]
        return jax.nn.log_softmax(raw[..., :parts]), family.theta(rest.reshape(*rest.shape[:-1], parts, family.size))

    def log_prob(raw, x):
        log_weight, theta = members(raw)
        points = jnp.broadcast_to(x[..., None, None], (*log_weight.shape, 1))
        return jax.nn.logsumexp(log_weight + family.log_prob(theta, points), -1)

    def mean(raw):
        log_weight, theta = members(raw)
        return jnp.sum(jnp.exp(log_weight) * family.mean(theta)[..., 0], -1)

    def draw(key, shape):
        k_part, k_x = jax.random.split(key)
        return {
            "part": jax.random.gumbel(k_part, (*shape, parts), dtype=jnp.float32),
            "x": family.draw(k_x, (*shape, parts, 1)),
        }

    def sample(noise, raw):
        log_weight, theta = members(raw)
        part = jnp.argmax(log_weight + noise["part"], -1)[..., None]
        return jnp.take_along_axis(family.push(theta, noise["x"])[..., 0], part, -1)[..., 0]

    size = parts * (1 + family.size)
    return _by_number(size, log_prob, mean, draw, sample, range=_range(family), levels=_levels(family))


def fixed_gaussian(std: float) -> Observation:
    """A Gaussian with mean y and a given std: -log p is |x - y|^2 / (2 std^2) plus a constant.

    Raises:
      BadRequest: unless std is a finite number above 0.
    """
    if not 0 < std < math.inf:
        raise BadRequest(f"std={std}: the std of an observation must be a finite number above 0.")
    return _by_location(GAUSSIAN, lambda params, y: DiagGaussian(y, jnp.full((), math.log(std), dtype=jnp.float32)))


def _by_number(
    size: int, log_prob: Callable, mean: Callable, draw: Callable, sample: Callable, **fields: Any
) -> Observation:
    """An observation with independent numbers given y; the functions receive y as [..., C, size], for x [..., C]."""

    def raw(y: Array) -> Array:
        return y.reshape(*y.shape[:-1], -1, size)

    return Observation(
        outputs=lambda channels: channels * size,
        log_prob=lambda params, y, x: jnp.sum(_flat(log_prob(raw(y), x)), -1),
        mean=lambda params, y: mean(raw(y)),
        draw=lambda key, y: draw(key, (*y.shape[:-1], y.shape[-1] // size)),
        sample=lambda params, noise, y: sample(noise, raw(y)),
        **fields,
    )


def _by_location(family: Family, theta: Callable, init: Callable = nothing) -> Observation:
    """An observation whose decoder gives the location of each number; theta(params, y [N, n]) adds a scale."""

    def law(params, y):
        return theta(params, _flat(y))

    return Observation(
        outputs=lambda channels: channels,
        log_prob=lambda params, y, x: family.log_prob(law(params, y), _flat(x)),
        mean=lambda params, y: family.mean(law(params, y)).reshape(y.shape),
        draw=lambda key, y: family.draw(key, y.shape),
        sample=lambda params, noise, y: family.push(law(params, y), _flat(noise)).reshape(y.shape),
        init=init,
        range=_range(family),
        levels=_levels(family),
    )


def _flat(a: Array) -> Array:
    return a.reshape(a.shape[0], -1)


def _range(family: Family) -> tuple[float, float] | None:
    ends = family.support.low, family.support.high
    return ends if all(map(math.isfinite, ends)) else None


def _levels(family: Family) -> int | None:
    """256 for pixel levels; none for Bernoulli, which accepts grey values, whose cross-entropy is no probability."""
    return 256 if family.support == DISCRETISED_LOGISTIC.support else None


PIXELS = Observation(
    outputs=lambda channels: channels,
    log_prob=lambda params, y, x: BERNOULLI.log_prob(_flat(y), _flat(x)),
    mean=lambda params, y: BERNOULLI.mean(y),
    range=(0.0, 1.0),
    best=lambda x: jnp.sum(_flat(xlogy(x, x) + xlogy(1 - x, 1 - x)), -1),
)
"""Bernoulli with logits y: for bits, or for grey values in [0, 1] with the cross-entropy as likelihood.

For grey values it is no probability, so bits per dimension are not defined: even with x as its own mean the
cross-entropy is -sum(x log x + (1 - x) log(1 - x)), which is 0 for bits only. The mean image is used as a sample,
because grey images do not look like random bits. Kingma and Welling 2014, arXiv 1312.6114, appendix C.1.
"""

IMAGE_LOGISTIC = DISCRETISED_LOGISTIC._replace(
    theta=lambda raw: _image_theta(*jnp.split(raw, 2, axis=-1)),
)
"""DISCRETISED_LOGISTIC for decoders of images: outputs of 0 mean a location of 1/2 and a std of .18."""


def _image_theta(location: Array, raw_scale: Array) -> Any:
    start = 3.5  # the value of log(255 s) with about the spread of image pixels
    return DISCRETISED_LOGISTIC.theta(jnp.concatenate([jax.nn.sigmoid(location), raw_scale + start], -1))


LEVELS = _by_location(
    DISCRETISED_LOGISTIC,
    lambda params, y: DISCRETISED_LOGISTIC.theta(
        jnp.concatenate([jax.nn.sigmoid(y), jnp.broadcast_to(jnp.ravel(params), y.shape)], -1)
    ),
    init=lambda shape: jnp.full(shape, 3.5, dtype=jnp.float32),
)
"""8-bit pixels k / 255: discretised logistic with location sigmoid(y) and one learned scale per number of an example.

Kingma et al. 2016, arXiv 1606.04934.
"""

DECODED_LEVELS = independent(IMAGE_LOGISTIC)
"""8-bit pixels k / 255: discretised logistic whose location sigmoid(y_1) and scale (from y_2) the decoder gives."""

VECTORS = _by_location(
    GAUSSIAN,
    lambda params, y: diag_gaussian(y, jnp.ravel(params)),
    init=lambda shape: jnp.zeros(shape, dtype=jnp.float32),
)
"""Points and tables: Gaussian with mean y and one learned log_std per number of an example, initially 0."""

SHARED_GAUSSIAN = _by_location(
    GAUSSIAN, lambda params, y: diag_gaussian(y, params), init=lambda shape: jnp.zeros((), dtype=jnp.float32)
)
"""Gaussian with mean y and one learned log_std for all numbers: sigma-VAE, Rybkin et al. 2021, arXiv 2006.13202."""

NUMBERS = independent(GAUSSIAN)
"""Gaussian with a mean and a log_std of each number from the decoder.

The better the mean fits, the smaller the optimal std becomes, down to e^-7. Early gradients are large, so clip them.
"""
