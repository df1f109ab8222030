"""What an auxiliary classifier adds to the losses of a GAN of labelled examples, for each example.

Scores are unnormalised log-probabilities f32[B, O] of the classifier, O numbers for K classes; labels are i32[B].
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest


class Auxiliary(NamedTuple):
    """The classifier's part in the loss of each player, minimised."""

    outputs: Callable[[int], int]  # K -> O
    critic: Callable[[Array, Array, Array], Array]  # (real scores, fake scores, label) -> [B]
    generator: Callable[[Array, Array], Array]  # (fake scores, label) -> [B]


def _log_prob(scores: Array, label: Array) -> Array:
    """log softmax(scores)[label], f32[B]: a product and no gather, whose gradient would be a slow scatter on CPU."""
    if scores.ndim != 2 or label.shape != scores.shape[:1] or not jnp.issubdtype(label.dtype, jnp.integer):
        raise BadRequest(
            f"a classifier takes scores [B, O] and labels i32[B], not {scores.shape} and {label.dtype}{label.shape}."
        )
    return jnp.sum(jax.nn.one_hot(label, scores.shape[1], dtype=jnp.float32) * jax.nn.log_softmax(scores), -1)


def _both(real: Array, fake: Array, label: Array) -> Array:
    return -_log_prob(real, label) - _log_prob(fake, label)


def _as_asked(fake: Array, label: Array) -> Array:
    return -_log_prob(fake, label)


def _apart(real: Array, fake: Array, label: Array) -> Array:
    return -_log_prob(real, label) - _log_prob(fake, label + _half(fake))


def _as_real(fake: Array, label: Array) -> Array:
    return _log_prob(fake, label + _half(fake)) - _log_prob(fake, label)


def _twins(real: Array, fake: Array, label: Array) -> Array:
    half = _half(real)
    return -_log_prob(real[..., :half], label) - _log_prob(fake[..., half:], label)


def _as_first(fake: Array, label: Array) -> Array:
    half = _half(fake)
    return _log_prob(fake[..., half:], label) - _log_prob(fake[..., :half], label)


def _half(scores: Array) -> int:
    if scores.shape[-1] % 2:
        raise BadRequest(f"this classifier has two scores of each class, not {scores.shape[-1]} in all.")
    return scores.shape[-1] // 2


CLASSIFIER = Auxiliary(lambda classes: classes, _both, _as_asked)
"""AC-GAN: critic -log C(y|x) - log C(y|G(z, y)), generator -log C(y|G(z, y)). Odena et al. 2017, arXiv 1610.09585.

Where classes overlap its optimum is not the data: if the model is the data and C is exact, the generator still gains by
moving the classes apart.
"""

DISCRIMINATIVE_CLASSIFIER = Auxiliary(lambda classes: 2 * classes, _apart, _as_real)
"""ADC-GAN: of 2 K classes the first K are those of real examples, y+, and the last K those of fake ones, y-.

Critic -log C(y+|x) - log C(y-|G(z, y)), generator log C(y-|G(z, y)) - log C(y+|G(z, y)), which is 0 for an exact C
where the model is the data. Hou et al. 2022, arXiv 2107.10060, as in the objective of their code's README.
"""

TWIN_CLASSIFIER = Auxiliary(lambda classes: 2 * classes, _twins, _as_first)
"""TAC-GAN: the first K scores are those of a classifier C of real examples, the last K those of its twin T, of fakes.

Critic -log C(y|x) - log T(y|G(z, y)), generator log T(y|G(z, y)) - log C(y|G(z, y)), which is 0 for exact C and T where
the model is the data: the twin takes back what C pays for moving the classes apart. Each is a softmax of its own, and C
reads real examples alone, as in the code of Gong et al. 2019, arXiv 1907.02690.
"""


def information(scores: Array, code: Array, *, categories: int) -> Array:
    """log q(c|x) - log p(c), f32[B] nats, of a code [B, K + n]: one of K categories, a one-hot vector, and n numbers.

    Under the prior each category has probability 1/K, and numbers are uniform in (-1, 1). Under q, read off x, the
    first K scores [B, K + n] are those of a softmax, and the others the means of N(., 1). Its mean over c and
    x = G(z, c) is a lower bound of I(c; x), and at most log K - .226 n: a normal law of standard deviation 1 is never
    the posterior of a number in (-1, 1), and the bound is the lower for it. Chen et al. 2016, arXiv 1606.03657, whose
    MNIST code has that standard deviation too.

    Raises:
      BadRequest: for scores of another shape than the code, or fewer of them than categories.

    >>> print(information(jnp.array([[20.0, 0.0]]), jnp.array([[1.0, 0.0]]), categories=2) / jnp.log(2))
    [1.]
    """
    if scores.ndim != 2 or scores.shape != code.shape or not 0 <= categories <= code.shape[1]:
        raise BadRequest(f"scores {scores.shape} are read of a code {code.shape} of {categories} categories.")
    kinds = code[:, :categories] * jax.nn.log_softmax(scores[:, :categories])
    apart = code[:, categories:] - scores[:, categories:]
    each = math.log(2) - 0.5 * math.log(2 * math.pi)  # of a number, at its mean
    known = math.log(categories) if categories else 0.0
    return jnp.sum(kinds, -1) + known + jnp.sum(each - 0.5 * apart**2, -1)
