"""Pure mathematics on arrays: no networks, no params, no jit.

A part sums the event axes and nothing else; its results are `[B]` or `[K, B]`, in nats where they are likelihoods.
"""

from jaxgen.objectives.adversarial import (
    HINGE,
    LEAST_SQUARES,
    NON_SATURATING,
    RELATIVISTIC,
    SATURATING,
    WASSERSTEIN,
    Adversarial,
    smooth,
)
from jaxgen.objectives.augment import NO_AUGMENT, Augment, instance_noise
from jaxgen.objectives.bounds import IMPORTANCE, MEAN, Bound
from jaxgen.objectives.distributions import (
    BERNOULLI,
    DISCRETISED_LOGISTIC,
    GAUSSIAN,
    LAPLACE,
    DiagGaussian,
    DiagLaplace,
    DiagLogistic,
    Family,
    diag_gaussian,
    standard,
)
from jaxgen.objectives.divergences import Divergence, exact_kl, free_bits, sampled_kl
from jaxgen.objectives.estimators import CUT, PATHWISE, SCORE, Estimator
from jaxgen.objectives.penalties import NO_PENALTY, Penalty, add, gradient_penalty, r1, r2
from jaxgen.objectives.rules import descend, extragradient

__all__ = [
    "BERNOULLI",
    "CUT",
    "DISCRETISED_LOGISTIC",
    "GAUSSIAN",
    "HINGE",
    "IMPORTANCE",
    "LAPLACE",
    "LEAST_SQUARES",
    "MEAN",
    "NON_SATURATING",
    "NO_AUGMENT",
    "NO_PENALTY",
    "PATHWISE",
    "RELATIVISTIC",
    "SATURATING",
    "SCORE",
    "WASSERSTEIN",
    "Adversarial",
    "Augment",
    "Bound",
    "DiagGaussian",
    "DiagLaplace",
    "DiagLogistic",
    "Divergence",
    "Estimator",
    "Family",
    "Penalty",
    "add",
    "descend",
    "diag_gaussian",
    "exact_kl",
    "extragradient",
    "free_bits",
    "gradient_penalty",
    "instance_noise",
    "r1",
    "r2",
    "sampled_kl",
    "smooth",
    "standard",
]
