"""Pure mathematics on arrays: no networks, no params, no jit.

A part sums the event axes and nothing else; its results are `[B]` or `[K, B]`, in nats where they are likelihoods.
"""

from jaxgen.objectives.adversarial import (
    HINGE,
    LEAST_SQUARES,
    NON_SATURATING,
    RELATIVISTIC,
    RELATIVISTIC_AVERAGE,
    SATURATING,
    WASSERSTEIN,
    Adversarial,
    least_squares,
    margin,
    smooth,
    top_k,
)
from jaxgen.objectives.auxiliary import (
    CLASSIFIER,
    DISCRIMINATIVE_CLASSIFIER,
    Auxiliary,
    information,
)
from jaxgen.objectives.bounds import (
    Bound,
    elbo,
    importance,
)
from jaxgen.objectives.columns import columns
from jaxgen.objectives.distributions import (
    BERNOULLI,
    GAUSSIAN,
    LAPLACE,
    DiagGaussian,
    DiagLaplace,
    Family,
    Support,
    diag_gaussian,
    standard,
)
from jaxgen.objectives.divergences import (
    closed_form,
    kl,
)
from jaxgen.objectives.estimators import (
    CUT,
    DREG,
    PATHWISE,
    SCORE,
    Estimator,
    expectation,
)
from jaxgen.objectives.f_divergences import (
    f_gan,
)
from jaxgen.objectives.latent_penalties import latent_consistency, latent_spread, transport
from jaxgen.objectives.levels import (
    DISCRETISED_LOGISTIC,
    DiagLogistic,
)
from jaxgen.objectives.observation import (
    DECODED_LEVELS,
    IMAGE_LOGISTIC,
    LEVELS,
    NUMBERS,
    PIXELS,
    SHARED_GAUSSIAN,
    VECTORS,
    Observation,
    categorical,
    fixed_gaussian,
    independent,
    mixture,
)
from jaxgen.objectives.penalties import (
    Forward,
    Penalty,
    add,
    content,
    gradient_penalty,
    lecam,
    path_length,
    r1,
    r2,
)
from jaxgen.objectives.rules import (
    Field,
    descend,
    extragradient,
)
from jaxgen.objectives.smoothness import consistency, dragan

__all__ = [
    "Adversarial",
    "Auxiliary",
    "BERNOULLI",
    "Bound",
    "CLASSIFIER",
    "CUT",
    "DECODED_LEVELS",
    "DISCRETISED_LOGISTIC",
    "DISCRIMINATIVE_CLASSIFIER",
    "DREG",
    "DiagGaussian",
    "DiagLaplace",
    "DiagLogistic",
    "Estimator",
    "Family",
    "Field",
    "Forward",
    "GAUSSIAN",
    "HINGE",
    "IMAGE_LOGISTIC",
    "LAPLACE",
    "LEAST_SQUARES",
    "LEVELS",
    "NON_SATURATING",
    "NUMBERS",
    "Observation",
    "PATHWISE",
    "PIXELS",
    "Penalty",
    "RELATIVISTIC",
    "RELATIVISTIC_AVERAGE",
    "SATURATING",
    "SCORE",
    "SHARED_GAUSSIAN",
    "Support",
    "VECTORS",
    "WASSERSTEIN",
    "add",
    "categorical",
    "closed_form",
    "columns",
    "consistency",
    "content",
    "descend",
    "diag_gaussian",
    "dragan",
    "elbo",
    "expectation",
    "extragradient",
    "f_gan",
    "fixed_gaussian",
    "gradient_penalty",
    "importance",
    "independent",
    "information",
    "kl",
    "latent_consistency",
    "latent_spread",
    "least_squares",
    "lecam",
    "margin",
    "mixture",
    "path_length",
    "r1",
    "r2",
    "smooth",
    "standard",
    "top_k",
    "transport",
]
