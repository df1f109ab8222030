"""Families of distributions, as functions that draw noise, transform it to a sample, and compute a log density.

The last axis is the event axis. Either parameters or points may lack leading axes of the other: `log_prob` of theta
[B, D] and z [K, B, D] is [K, B], and that of theta [K, B, N] and x [B, N] is [K, B]. Nothing else broadcasts.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest

_LOG_STD = 7.0  # std within e^-7 .. e^7: the KL of two such Gaussians and all its gradients stay far inside float32


class Support(NamedTuple):
    """The support of a family: all numbers from `low` to `high`, or `low`, `low + step`, ... if there is a step."""

    low: float = -math.inf
    high: float = math.inf
    step: float | None = None  # None: a continuous family, which has a density; else probabilities

    def within(self, other: "Support") -> bool:
        """True if a distribution with this support can have a finite KL divergence from one with the `other`.

        >>> Support(0.0).within(Support()), Support(0.0, 1.0, 1.0).within(Support())
        (True, False)
        """
        return self.step == other.step and other.low <= self.low and self.high <= other.high

    def __str__(self) -> str:
        """In words, for messages."""
        kind = "all numbers" if self.step is None else f"the numbers {self.step:.3g} apart"
        return f"{kind} from {self.low:g} to {self.high:g}"


class Family(NamedTuple):
    """A parametric family of independent numbers, with parameters theta, any pytree."""

    draw: Callable[..., Array]  # (key, shape) -> noise
    push: Callable[..., Array]  # (theta, noise) -> z
    log_prob: Callable[..., Array]  # (theta, z) -> nats, summed over the last axis
    mean: Callable[[Any], Array]  # theta -> the expected z
    theta: Callable[[Array], Any]  # the output of a network, raw [..., size * D] -> theta, bounded if necessary
    size: int  # raw parameters for each number of z
    pathwise: bool  # True if `push` is differentiable in theta with the gradient of the sample
    support: Support = Support()


class DiagGaussian(NamedTuple):
    """Parameters of `GAUSSIAN`: independent numbers from N(mean, exp(log_std)^2)."""

    mean: Array  # f32[..., D]
    log_std: Array  # f32[..., D], or fewer leading axes; it should be bounded, as by `diag_gaussian`


class DiagLaplace(NamedTuple):
    """Parameters of `LAPLACE`: independent numbers of density exp(-|z - mean| / b) / (2 b), b = exp(log_scale)."""

    mean: Array  # f32[..., D]
    log_scale: Array  # f32[..., D], or fewer leading axes; bounded by `LAPLACE.theta`


def diag_gaussian(mean: Array, raw_log_std: Array) -> DiagGaussian:
    """The Gaussian with the raw outputs of a network as parameters: log_std = 7 tanh(raw / 7).

    Any finite `raw_log_std` gives a finite density and KL, for means up to 1e15. The gradient in `raw_log_std` is that
    in log_std if it is near 0, and zero if it is far outside (-7, 7).

    Raises:
      BadRequest: if the shapes do not match from the right.

    >>> diag_gaussian(jnp.zeros(2), jnp.array([0.0, 1e4])).log_std
    Array([0., 7.], dtype=float32)
    """
    aligned(mean, raw_log_std)
    return DiagGaussian(mean, bounded(raw_log_std))


def bounded(raw: Array) -> Array:
    """7 tanh(raw / 7): the log-scale for a raw output of a network."""
    return _LOG_STD * jnp.tanh(raw / _LOG_STD)


def standard(like: Array) -> DiagGaussian:
    """N(0, I) of the shape and type of `like`."""
    return DiagGaussian(jnp.zeros_like(like), jnp.zeros_like(like))


def aligned(*arrays: Array) -> list[Array]:
    """The arrays with axes of length 1 put in front, so that all have the same number of axes.

    Raises:
      BadRequest: if the shapes do not match from the right; nothing else broadcasts.
    """
    longest = max((jnp.shape(a) for a in arrays), key=len)
    for a in arrays:
        if jnp.shape(a) != longest[len(longest) - jnp.ndim(a) :]:
            raise BadRequest(
                f"shapes {' and '.join(str(jnp.shape(b)) for b in arrays)} do not match from the right: "
                "give the same axes on the right, and leave out leading axes only."
            )
    return [jnp.reshape(a, (1,) * (len(longest) - jnp.ndim(a)) + jnp.shape(a)) for a in arrays]


def _in_rows(function: Callable[[Any, Array], Array]) -> Callable[[Any, Array], Array]:
    """`function(theta, point)` with the leading axes that only the point has merged into one.

    On CPU, XLA's sums over [K, 1, D] and [K, B, D], which the gradient in a shared theta is, are ten times slower than
    over [K B, D].
    """

    def on_rows(theta, point):
        aligned(*theta, point)
        extra = max(jnp.ndim(point) - max(map(jnp.ndim, theta)), 0)
        lead, shared = jnp.shape(point)[:extra], jnp.shape(point)[extra:]
        if extra < 2 or not shared:
            return function(theta, point)
        out = function(theta, jnp.reshape(point, (math.prod(lead), *shared)))
        return jnp.reshape(out, (*lead, *jnp.shape(out)[1:]))

    return on_rows


def _gaussian_draw(key: Array, shape: tuple[int, ...]) -> Array:
    return jax.random.normal(key, shape, dtype=jnp.float32)


@_in_rows
def _shifted_push(theta: DiagGaussian | DiagLaplace, noise: Array) -> Array:
    mean, log_scale, noise = aligned(*theta, noise)
    return mean + jnp.exp(log_scale) * noise


@_in_rows
def _gaussian_log_prob(theta: DiagGaussian, z: Array) -> Array:
    mean, log_std, z = aligned(*theta, z)
    # Multiplies by exp(-log_std), because a division by a std that underflows would be 0 / 0 at z = mean.
    return jnp.sum(-0.5 * ((z - mean) * jnp.exp(-log_std)) ** 2 - log_std - 0.5 * math.log(2 * math.pi), axis=-1)


def _own_mean(theta: DiagGaussian | DiagLaplace) -> Array:
    return theta.mean


def _gaussian_theta(raw: Array) -> DiagGaussian:
    return diag_gaussian(*jnp.split(raw, 2, axis=-1))


def _laplace_draw(key: Array, shape: tuple[int, ...]) -> Array:
    return jax.random.laplace(key, shape, dtype=jnp.float32)


@_in_rows
def _laplace_log_prob(theta: DiagLaplace, z: Array) -> Array:
    mean, log_scale, z = aligned(*theta, z)
    return jnp.sum(-jnp.abs(z - mean) * jnp.exp(-log_scale) - log_scale - math.log(2), axis=-1)


def _laplace_theta(raw: Array) -> DiagLaplace:
    mean, log_scale = jnp.split(raw, 2, axis=-1)
    return DiagLaplace(mean, bounded(log_scale))


def _bernoulli_draw(key: Array, shape: tuple[int, ...]) -> Array:
    return jax.random.uniform(key, shape, dtype=jnp.float32)


def _bernoulli_push(logits: Array, noise: Array) -> Array:
    logits, noise = aligned(logits, noise)
    return (noise < jax.nn.sigmoid(logits)).astype(noise.dtype)


def _bernoulli_log_prob(logits: Array, x: Array) -> Array:
    logits, x = aligned(logits, x)
    # x l - softplus(l), in the form in which no large terms cancel. At l = 0 one branch is used, so that higher
    # derivatives are right there too.
    positive = logits > 0
    tail = jnp.log1p(jnp.exp(jnp.where(positive, -logits, logits)))
    return jnp.sum(jnp.where(positive, x - 1, x) * logits - tail, axis=-1)


GAUSSIAN = Family(_gaussian_draw, _shifted_push, _gaussian_log_prob, _own_mean, _gaussian_theta, size=2, pathwise=True)
"""Diagonal Gaussian, theta a `DiagGaussian`: z = mean + exp(log_std) * eps with eps ~ N(0, I).

log N(z; mean, std^2) = sum_d [-(z - mean)^2 / (2 std^2) - log_std - log(2 pi) / 2]. Kingma & Welling 2013,
arXiv 1312.6114.
"""

LAPLACE = Family(_laplace_draw, _shifted_push, _laplace_log_prob, _own_mean, _laplace_theta, size=2, pathwise=True)
"""Independent Laplace numbers, theta a `DiagLaplace`: z = mean + exp(log_scale) * e, with e of density exp(-|e|) / 2.

log p(z) = sum_d [-|z - mean| / b - log(2 b)], b = exp(log_scale). Reparametrised by location and scale, as the
Gaussian (Kingma and Welling 2013, arXiv 1312.6114, section 2.4).
"""

BERNOULLI = Family(
    _bernoulli_draw,
    _bernoulli_push,
    _bernoulli_log_prob,
    jax.nn.sigmoid,
    lambda raw: raw,
    size=1,
    pathwise=False,
    support=Support(0.0, 1.0, step=1.0),
)
"""Independent Bernoulli numbers, theta the logits l: z = 1 if u < sigmoid(l), with u ~ U[0, 1).

log p(x) = sum_d [x l - softplus(l)]. It is also defined for x between 0 and 1, as the usual cross-entropy, no density.
Stable to |l| = 3e38 in float32. Kingma & Welling 2013, arXiv 1312.6114.
"""
