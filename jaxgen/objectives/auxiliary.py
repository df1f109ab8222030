"""Auxiliary classifiers: terms that they add to the losses of a GAN with labelled examples, for each example.

Scores are the unnormalised log-probabilities f32[B, O] of the classifier, O outputs for K classes; labels are i32[B].
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest


class Auxiliary(NamedTuple):
    """The classifier's term in the loss of each player, to be minimised."""

    outputs: Callable[[int], int]  # K -> O
    critic: Callable[[Array, Array, Array], Array]  # (real scores, fake scores, label) -> [B]
    generator: Callable[[Array, Array], Array]  # (fake scores, label) -> [B]


def _log_prob(scores: Array, label: Array) -> Array:
    """log softmax(scores)[label], f32[B], as a product, because the gradient of a gather is a slow scatter on CPU."""
    if scores.ndim != 2 or label.shape != scores.shape[:1] or not jnp.issubdtype(label.dtype, jnp.integer):
        raise BadRequest(
            f"a classifier needs scores [B, O] and labels i32[B], not {scores.shape} and {label.dtype}{label.shape}."
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
        raise BadRequest(f"this classifier needs two scores for each class, an even number, not {scores.shape[-1]}.")
    return scores.shape[-1] // 2


CLASSIFIER = Auxiliary(lambda classes: classes, _both, _as_asked)
"""AC-GAN: critic -log C(y|x) - log C(y|G(z, y)), generator -log C(y|G(z, y)). Odena et al. 2017, arXiv 1610.09585.

If classes overlap, its optimum is not the distribution of the data: even if the model has that distribution and C is
exact, the generator gains by moving the classes apart.
"""

DISCRIMINATIVE_CLASSIFIER = Auxiliary(lambda classes: 2 * classes, _apart, _as_real)
"""ADC-GAN: 2 K classes, of which the first K are for real examples, y+, and the last K for fake ones, y-.

Critic -log C(y+|x) - log C(y-|G(z, y)), generator log C(y-|G(z, y)) - log C(y+|G(z, y)), which is 0 if C is exact and
the model has the distribution of the data. Hou et al. 2022, arXiv 2107.10060, as in the README of their code.
"""

TWIN_CLASSIFIER = Auxiliary(lambda classes: 2 * classes, _twins, _as_first)
"""TAC-GAN: the first K scores are those of a classifier C for real examples, the last K those of a twin T for fakes.

Critic -log C(y|x) - log T(y|G(z, y)), generator log T(y|G(z, y)) - log C(y|G(z, y)). The generator's term is 0 if C and
T are exact and the model has the distribution of the data, so T cancels the gain from moving the classes apart. Each
has its own softmax, and C is trained on real examples only, as in the code of Gong et al. 2019, arXiv 1907.02690.
"""


def information(scores: Array, code: Array, *, categories: int) -> Array:
    """log q(c|x) - log p(c), f32[B] nats, for a code c [B, K + n]: a one-hot vector of K categories, and n numbers.

    Under the prior each category has probability 1/K, and numbers are uniform in (-1, 1). q is given by the scores
    [B, K + n]: a softmax of the first K scores, and N(score, 1) for each number. The mean over c and x = G(z, c) is a
    lower bound of I(c; x). It is at most log K - .226 n, because a normal distribution of standard deviation 1 is never
    the posterior of a number in (-1, 1). Chen et al. 2016, arXiv 1606.03657, whose MNIST code has that standard
    deviation too.

    Raises:
      BadRequest: for scores of another shape than the code, or fewer of them than categories.

    >>> print(information(jnp.array([[20.0, 0.0]]), jnp.array([[1.0, 0.0]]), categories=2) / jnp.log(2))
    [1.]
    """
    if scores.ndim != 2 or scores.shape != code.shape or not 0 <= categories <= code.shape[1]:
        raise BadRequest(
            f"scores {scores.shape} do not fit a code {code.shape} with {categories} categories: give one score for "
            "each number of the code."
        )
    kinds = code[:, :categories] * jax.nn.log_softmax(scores[:, :categories])
    apart = code[:, categories:] - scores[:, categories:]
    each = math.log(2) - 0.5 * math.log(2 * math.pi)  # of a number, at its mean
    known = math.log(categories) if categories else 0.0
    return jnp.sum(kinds, -1) + known + jnp.sum(each - 0.5 * apart**2, -1)
