"""The losses, and for two Gaussians the generator's gradient at the optimal critic of each, in closed form.

p = N(0, 1), q = N(d, 1): log p/q = d^2/2 - d x. The gradient is in d, with the critic held; all in float64 NumPy.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from experiments.laws import NOISE, WEIGHTS
from jaxgen.objectives import (
    HINGE,
    LEAST_SQUARES,
    NON_SATURATING,
    RELATIVISTIC,
    RELATIVISTIC_AVERAGE,
    SATURATING,
    WASSERSTEIN,
    Adversarial,
    Penalty,
    f_gan,
    gradient_penalty,
)

WEIGHT = 10.0  # of the gradient penalty


class Way(NamedTuple):
    """A loss, the penalty that belongs to it, and the gradient at its optimal critic."""

    loss: Adversarial
    optimum: Callable[[float], float | None]  # shift -> norm; None where no closed form is known
    penalty: Penalty | None = None


def _mean(values: Callable[[np.ndarray], np.ndarray], d: float) -> float:
    """E_q of a function of log p/q."""
    return float(WEIGHTS @ values(d * d / 2 - d * (d + NOISE)))


def _wasserstein(d: float) -> float:
    """The penalised critic maximises its slope's product with the gap of the distribution functions, point by point.

    With r the density of the mixed points the best slope is -(1 + (P - Q) / (2 weight r)).
    """
    x = d + NOISE
    u = (np.arange(400) + 0.5) / 400  # a mixed point is N((1 - u) d, u^2 + (1 - u)^2)
    mixed = norm.pdf(x[:, None], (1 - u) * d, np.sqrt(u**2 + (1 - u) ** 2)).mean(1)
    return 1 + float(WEIGHTS @ ((norm.cdf(x) - norm.cdf(x, d)) / (2 * WEIGHT * mixed)))


WAYS = {
    "saturating": Way(SATURATING, lambda d: d * _mean(expit, d)),
    "non-saturating": Way(NON_SATURATING, lambda d: d * _mean(lambda r: expit(-r), d)),
    "least squares": Way(LEAST_SQUARES, lambda d: d * _mean(lambda r: expit(r) * expit(-r) ** 2, d)),
    # The best critics of hinge and total variation jump; this is the limit of smooth ones that rise ever more steeply.
    "hinge": Way(HINGE, lambda d: 2 * norm.pdf(d / 2)),
    "Wasserstein, penalty": Way(WASSERSTEIN, _wasserstein, gradient_penalty(WEIGHT)),
    # The logit is log p/q, and log p/q of a real less that of a fake example is N(d^2, 2 d^2).
    "relativistic": Way(RELATIVISTIC, lambda d: d * float(WEIGHTS @ expit(d * d + math.sqrt(2) * d * NOISE))),
    "relativistic average": Way(RELATIVISTIC_AVERAGE, lambda d: None),
    "f-GAN KL": Way(f_gan("kl"), lambda d: d),
    "f-GAN reverse KL": Way(f_gan("reverse_kl"), lambda d: d),
    "f-GAN Pearson": Way(f_gan("pearson"), lambda d: 2 * d * math.exp(d * d)),
    "f-GAN Hellinger": Way(f_gan("hellinger"), lambda d: d / 2 * math.exp(-d * d / 8)),
    "f-GAN total variation": Way(f_gan("total_variation"), lambda d: float(norm.pdf(d / 2))),
}
"""The f-GAN rows "gan" and "jensen_shannon" have the gradient of the saturating loss."""
