"""Papers on variational autoencoders, each a function whose signature is its command line.

With a condition each is its conditional form (Sohn et al. 2015): encoder and decoder are given it. Networks and batches
are smaller than the papers'.
"""

from collections.abc import Mapping
from typing import Any

import optax

from jaxgen.core import BadRequest
from jaxgen.games import vae as make_vae
from jaxgen.latents import Latent, codebook, flow, free_bits, hierarchical, quantised, scalars, vamp, vector
from jaxgen.objectives import (
    DECODED_LEVELS,
    LEVELS,
    NUMBERS,
    PIXELS,
    SHARED_GAUSSIAN,
    VECTORS,
    Observation,
    fixed_gaussian,
    importance,
)
from jaxgen.recipes.spec import Spec, at_least, flattened
from jaxgen.training.program import Plan

LIKELIHOODS: Mapping[str, Observation] = {
    "bernoulli": PIXELS,
    "levels": LEVELS,
    "decoded_levels": DECODED_LEVELS,
    "fixed": fixed_gaussian(0.1),
    "shared": SHARED_GAUSSIAN,
    "columns": VECTORS,
    "each": NUMBERS,
}
"""What `likelihood` may be: of pixels Bernoulli, or 256 levels of which the scale is learned for each pixel or decoded;
Gaussians of std 0.1, of one learned std, of one for each number of an example, of one that is decoded for each."""


def vae(
    spec: Spec,
    *,
    likelihood: str = "default",
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
) -> Plan:
    """Gaussian posterior, exact KL, pathwise gradient, ELBO.

    Paper: arXiv 1312.6114
    Departs: Adam in place of Adagrad.
    """
    return _plan(spec, vector(latent_dim), 2 * latent_dim, likelihood, learning_rate)


def beta_vae(
    spec: Spec,
    *,
    beta: float = 4.0,
    likelihood: str = "default",
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
) -> Plan:
    """The same with the KL weighted by beta.

    Paper: Higgins et al. 2017

    Args:
      beta: weight of the KL.
    """
    return _plan(spec, vector(latent_dim), 2 * latent_dim, likelihood, learning_rate, beta=beta)


def iwae(
    spec: Spec,
    *,
    samples: int = 8,
    likelihood: str = "default",
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
) -> Plan:
    """Importance bound of several posterior samples.

    Paper: arXiv 1509.00519
    Departs: a constant rate of Adam in place of one that falls in eight stages; 8 samples in place of 1, 5 and 50.

    Args:
      samples: of the posterior, for each example.
    """
    parts = {"bound": importance, "samples": samples}
    return _plan(spec, vector(latent_dim), 2 * latent_dim, likelihood, learning_rate, **parts)


def flow_vae(
    spec: Spec,
    *,
    layers: int = 4,
    likelihood: str = "default",
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
) -> Plan:
    """A normalising flow of affine couplings as posterior.

    Paper: arXiv 1505.05770
    Departs: the couplings of arXiv 1605.08803 in place of planar flows.

    Args:
      layers: couplings, each of which moves half of the latents.
    """
    latent = vector(latent_dim, posterior=flow(layers=layers))
    return _plan(spec, latent, 2 * latent_dim, likelihood, learning_rate)


def vamp_vae(
    spec: Spec,
    *,
    components: int = 50,
    likelihood: str = "default",
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
) -> Plan:
    """The prior is the mean of the posteriors of learned pseudo-inputs.

    Paper: arXiv 1705.07120
    Departs: pseudo-inputs are initialised with examples, and there are 50 in place of 500. Takes no condition.

    Args:
      components: pseudo-inputs.
    """
    if spec.condition is not None:
        raise BadRequest("the pseudo-inputs of vamp_vae have no condition: leave --condition out, or use vae.")
    latent = vector(latent_dim, prior=vamp(components))
    return _plan(spec, latent, 2 * latent_dim, likelihood, learning_rate)


def hvae(
    spec: Spec,
    *,
    layers: int = 3,
    free_nats: float = 0.0,
    likelihood: str = "default",
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
) -> Plan:
    """Several layers of latents, from the top down in both prior and posterior.

    Paper: arXiv 1602.02282
    Departs: free nats for each layer in place of a warm-up of the KL, and no batch normalisation.

    Args:
      layers: of latents, `latent_dim` numbers each.
      free_nats: KL of each layer that the loss does not count.
    """
    at_least(1, layers=layers)
    latent = hierarchical((latent_dim,) * layers)
    latent = free_bits(latent, free_nats) if free_nats else latent
    return _plan(spec, latent, 128, likelihood, learning_rate)


def vq_vae(
    spec: Spec,
    *,
    codes: int = 64,
    positions: int = 8,
    commitment: float = 0.25,
    likelihood: str = "default",
    latent_dim: int = 8,
    learning_rate: float = 1e-3,
) -> Plan:
    """Discrete codes of a codebook that is learned as a moving average.

    Paper: arXiv 1711.00937
    Departs: codes have no position in the image, because encoders here end in a vector.

    Args:
      codes: in the codebook.
      positions: codes of an example.
      commitment: weight of the distance from a code.
      latent_dim: numbers of a code.
    """
    latent = quantised(codebook(codes, commitment=commitment), (positions,))
    return _plan(spec, latent, (positions, latent_dim), likelihood, learning_rate)


def fsq_vae(
    spec: Spec,
    *,
    levels: int = 5,
    channels: int = 4,
    positions: int = 8,
    likelihood: str = "default",
    learning_rate: float = 1e-3,
) -> Plan:
    """Latent numbers rounded to a few levels, in place of a learned codebook.

    Paper: arXiv 2309.15505

    Args:
      levels: of a number.
      channels: numbers of a code, so that there are levels ** channels codes.
      positions: codes of an example.
    """
    latent = quantised(scalars(*(levels,) * channels), (positions,))
    return _plan(spec, latent, (positions, channels), likelihood, learning_rate)


def _plan(
    spec: Spec,
    latent: Latent,
    code: int | tuple[int, ...],
    likelihood: str,
    learning_rate: float,
    **parts: Any,
) -> Plan:
    """A VAE of the networks of `spec` with Adam; `code` is the shape of what the latent takes from the encoder."""
    at_least(0, learning_rate=learning_rate)
    observation = observation_of(spec, likelihood)
    decoder = spec.decoder_for(observation)
    decoder = decoder if isinstance(code, int) else flattened(decoder)
    game = make_vae(spec.encoder(code), decoder, latent, observation=observation, **parts)
    return Plan(game, {"vae": optax.adam(learning_rate)}, (("vae",),))


def observation_of(spec: Spec, likelihood: str) -> Observation:
    """The observation that `likelihood` names; that of `spec` for "default".

    Raises:
      BadRequest: an unknown name.
    """
    if likelihood == "default":
        return spec.observation
    if likelihood not in LIKELIHOODS:
        raise BadRequest(f"likelihood {likelihood!r}: there are {', '.join(LIKELIHOODS)}.")
    return LIKELIHOODS[likelihood]
