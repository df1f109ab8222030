"""Every public part of jaxgen.objectives and jaxgen.latents, listed once under its public name.

The contract tests run over these tables. A factory stands here as one of its parts. To add a part, add its row.
"""

from jaxgen import objectives as o
from jaxgen.latents import (
    codebook,
    family_prior,
    flow,
    free_bits,
    gaussian_mixture,
    gaussian_prior,
    hierarchical,
    quantised,
    scalars,
    vamp,
    vector,
)
from jaxgen.nets import instance_noise

FAMILIES = {
    "GAUSSIAN": o.GAUSSIAN,
    "LAPLACE": o.LAPLACE,
    "BERNOULLI": o.BERNOULLI,
    "DISCRETISED_LOGISTIC": o.DISCRETISED_LOGISTIC,
    "IMAGE_LOGISTIC": o.IMAGE_LOGISTIC,
}

CLOSED_FORMS = {  # pairs of families, posterior and prior
    "Gaussian from Gaussian": ("GAUSSIAN", "GAUSSIAN"),
    "Laplace from Gaussian": ("LAPLACE", "GAUSSIAN"),
    "Laplace from Laplace": ("LAPLACE", "LAPLACE"),
    "Bernoulli from Bernoulli": ("BERNOULLI", "BERNOULLI"),
}

ESTIMATORS = {
    "PATHWISE": o.PATHWISE,
    "CUT": o.CUT,
    "SCORE": o.SCORE,
    "DREG": o.DREG,
}

BOUNDS = {  # plain functions
    "elbo": o.elbo,
    "importance": o.importance,
}

OBSERVATIONS = {
    "PIXELS": o.PIXELS,
    "LEVELS": o.LEVELS,
    "DECODED_LEVELS": o.DECODED_LEVELS,
    "VECTORS": o.VECTORS,
    "SHARED_GAUSSIAN": o.SHARED_GAUSSIAN,
    "NUMBERS": o.NUMBERS,
    "fixed_gaussian": o.fixed_gaussian(0.5),
    "independent": o.independent(o.LAPLACE),
    "categorical": o.categorical(5),
    "mixture": o.mixture(3, o.IMAGE_LOGISTIC),
    "columns": o.columns((1, o.PIXELS), (2, o.NUMBERS)),
}

LATENTS = {  # and the shape of h, of one example
    "vector": (vector(2), (4,)),
    "vector, gaussian_mixture": (vector(2, prior=gaussian_mixture(3)), (4,)),
    "vector, gaussian_prior": (vector(2, prior=gaussian_prior()), (4,)),
    "vector, family_prior": (vector(2, prior=family_prior(o.LAPLACE)), (4,)),
    "vector, coins": (vector(2, posterior=o.BERNOULLI, estimator=o.SCORE), (2,)),
    "vector, flow": (vector(2, posterior=flow(layers=1, width=4)), (4,)),
    "vector, vamp": (vector(2, prior=vamp(3)), (4,)),
    "free_bits": (free_bits(vector(2), 0.25), (4,)),
    "hierarchical": (hierarchical((2, 1), width=4), (5,)),
    "quantised, codebook": (quantised(codebook(4), (2,)), (2, 3)),
    "quantised, scalars": (quantised(scalars(3, 4), (2, 2)), (2, 2, 2)),
}

ADVERSARIAL = {
    "SATURATING": o.SATURATING,
    "NON_SATURATING": o.NON_SATURATING,
    "LEAST_SQUARES": o.LEAST_SQUARES,
    "HINGE": o.HINGE,
    "WASSERSTEIN": o.WASSERSTEIN,
    "RELATIVISTIC": o.RELATIVISTIC,
    "RELATIVISTIC_AVERAGE": o.RELATIVISTIC_AVERAGE,
    "f_gan": o.f_gan("jensen_shannon"),
    "least_squares": o.least_squares(fake=-1.0, real=1.0, target=0.0),
    "smooth": o.smooth(o.NON_SATURATING),
    "margin": o.margin(1.5),
    "top_k": o.top_k(o.NON_SATURATING),
}

AUXILIARIES = {
    "CLASSIFIER": o.CLASSIFIER,
    "DISCRIMINATIVE_CLASSIFIER": o.DISCRIMINATIVE_CLASSIFIER,
    "TWIN_CLASSIFIER": o.TWIN_CLASSIFIER,
}

PENALTIES = {
    "r1": o.r1(2.0),
    "r2": o.r2(2.0),
    "gradient_penalty": o.gradient_penalty(10.0),
    "content": o.content(2.0),
    "path_length": o.path_length(2.0),
    "lecam": o.lecam(2.0),
    "dragan": o.dragan(10.0),
    "consistency": o.consistency(instance_noise(0.1)),
    "latent_consistency": o.latent_consistency(2),
    "latent_spread": o.latent_spread(2),
    "transport": o.transport(2.0),
    "add": o.add(o.r1(1.0), o.gradient_penalty(10.0)),
}
WEIGHTED = (  # penalties as functions of each number that must be finite and not negative
    *(o.r1, o.r2, o.gradient_penalty, o.content, o.path_length, o.lecam, o.dragan, o.transport),
    *(lambda weight: o.gradient_penalty(1.0, target=weight), lambda weight: o.dragan(std=weight)),
    *(lambda weight: o.dragan(target=weight), lambda weight: o.latent_consistency(2, weight)),
    *(lambda weight: o.latent_spread(2, weight), lambda weight: o.consistency(instance_noise(0.1), real=weight)),
    lambda weight: o.consistency(instance_noise(0.1), fake=weight),
)
DECAYING = (o.path_length, o.lecam)  # penalties that take a `decay`

WEIGHTINGS = {
    "constant_weight": o.constant_weight(0.5),
    "adaptive_weight": o.adaptive_weight(0.5),
    "equal_norms": o.equal_norms(0.5),
}

TABLES = {
    o.Family: FAMILIES,
    o.Estimator: ESTIMATORS,
    o.Observation: OBSERVATIONS,
    o.Adversarial: ADVERSARIAL,
    o.Auxiliary: AUXILIARIES,
    o.Weighting: WEIGHTINGS,
    o.Penalty: PENALTIES,
}
