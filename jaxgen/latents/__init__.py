"""Latents: the posterior and the prior of z between an encoder and a decoder, and the estimator of their gradient."""

from jaxgen.latents.flow import flow
from jaxgen.latents.hierarchical import TopDown, hierarchical
from jaxgen.latents.latent import Given, Inference, Latent, free_bits
from jaxgen.latents.priors import Prior, family_prior, gaussian_mixture, gaussian_prior, vamp
from jaxgen.latents.quantised import Quantiser, codebook, quantised, scalars
from jaxgen.latents.vector import Posterior, family_posterior, vector

__all__ = [
    "Given",
    "Inference",
    "Latent",
    "Posterior",
    "Prior",
    "Quantiser",
    "TopDown",
    "codebook",
    "family_posterior",
    "family_prior",
    "flow",
    "free_bits",
    "gaussian_mixture",
    "gaussian_prior",
    "hierarchical",
    "quantised",
    "scalars",
    "vamp",
    "vector",
]
