"""Papers between VAE and GAN: autoencoders with a critic, and translation without pairs."""

from collections.abc import Callable, Mapping

import jax

from jaxgen.core import BadRequest
from jaxgen.games import aae as make_aae
from jaxgen.games import cycle
from jaxgen.games import vae_gan as make_vae_gan
from jaxgen.latents import vector
from jaxgen.nets import patch_critic, translator
from jaxgen.nets.wrappers import mapped
from jaxgen.objectives import HINGE, Weighting, adaptive_weight, constant_weight, equal_norms, r1
from jaxgen.objectives.schedules import check_weight
from jaxgen.recipes.gans import ALTERNATING, adam
from jaxgen.recipes.spec import Spec, at_least
from jaxgen.recipes.vaes import observation_of
from jaxgen.training.program import Plan


def aae(
    spec: Spec,
    *,
    likelihood: str = "default",
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
) -> Plan:
    """Autoencoder with a critic that makes its codes resemble draws of a normal prior.

    Paper: arXiv 1511.05644
    Departs: Adam, for the two adversarial losses with a fifth of the rate and b1 .5; the paper used momentum.
    """
    at_least(1, latent_dim=latent_dim)
    at_least(0, learning_rate=learning_rate)
    observation = observation_of(spec, likelihood)
    decoder = spec.decoder_for(observation)
    nets = spec.encoder(latent_dim), decoder, spec.latent_critic()
    game = make_aae(*nets, latent_dim=latent_dim, observation=observation)
    optimizers = adam(learning_rate, (0.9, 0.999), "autoencoder")
    optimizers |= adam(0.2 * learning_rate, (0.5, 0.999), "autoencoder:fool", "critic")
    turns = (("autoencoder",), ("critic",), ("autoencoder:fool",))
    return Plan(game, optimizers, turns)


WEIGHTINGS: Mapping[str, Callable[[float], Weighting]] = {
    "adaptive": adaptive_weight,
    "constant": constant_weight,
    "norms": equal_norms,
}
"""What `weighting` may be: by gradients in the decoder's last layer, the weight as it is, each loss by its own norm."""


def vae_gan(
    spec: Spec,
    *,
    weighting: str = "adaptive",
    weight: float = 0.5,
    beta: float = 1.0,
    gamma: float = 0.0,
    start: int = 0,
    likelihood: str = "default",
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
) -> Plan:
    """A VAE with an adversarial loss of patches, weighted by the gradients in the decoder's last layer.

    Paper: arXiv 2112.10752
    Departs: no perceptual loss, because it needs a trained network; the likelihood of `vae` in place of L1; beta 1 in
      place of 1e-6, so that draws of the prior decode to samples; the adversarial loss from the first step in place of
      step 50,001; one latent vector; a rate of 1e-3. On vectors, and with a condition, the critic sees whole examples.

    Args:
      weighting: of the adversarial loss: adaptive, constant, or norms, which scales both gradients to norm 1.
      weight: of the adversarial loss, a further factor to that of `weighting`.
      beta: weight of the KL.
      gamma: of R1 on the critic; 0: none.
      start: step before which there is no adversarial loss and the critic is not trained.
    """
    at_least(1, latent_dim=latent_dim)
    at_least(0, learning_rate=learning_rate)
    check_weight("gamma", gamma)
    if weighting not in WEIGHTINGS:
        raise BadRequest(f"weighting {weighting!r}: there are {', '.join(WEIGHTINGS)}.")
    observation = observation_of(spec, likelihood)
    local = spec.is_image and spec.condition is None
    game = make_vae_gan(
        spec.encoder(2 * latent_dim),
        spec.decoder_for(observation),
        spec.computed(patch_critic(spec.shape)) if local else spec.critic(),
        vector(latent_dim),
        observation=observation,
        beta=beta,
        loss=HINGE,
        penalty=r1(gamma) if gamma else None,
        weighting=WEIGHTINGS[weighting](weight),
        start=start,
    )
    return Plan(game, adam(learning_rate, (0.5, 0.9), "vae", "critic"), (("vae",), ("critic",)))


def cyclegan(
    spec: Spec,
    *,
    weight: float = 5.0,
    identity: float = 0.0,
    learning_rate: float = 2e-4,
) -> Plan:
    """Translation between two domains without pairs: two generators that invert each other, two critics.

    Paper: arXiv 1703.10593
    Departs: batches of 16 in place of 1, no buffer of older fakes, no falling rate; residual networks of a few 3x3
      windows. Images only. Takes no condition.

    Args:
      weight: of the mean absolute cycle error. The paper's 10 is relative to (D - 1)^2, which is twice the loss here.
      identity: weight of |G(x) - x| for x of the domain that G makes, as a share of `weight`; .5 in the paper, for
        paintings.
    """
    if not spec.is_image or spec.condition is not None:
        raise BadRequest("cyclegan translates images (H, W, C) without a condition: leave --condition out.")
    if len(spec.domains) != 2:
        raise BadRequest("cyclegan translates between two domains: bring two classes, or name two, --domains A,B.")
    at_least(0, learning_rate=learning_rate)
    generators = {name: mapped(spec.computed(translator(spec.shape)), jax.nn.sigmoid) for name in spec.domains}
    critics = {name: spec.computed(patch_critic(spec.shape)) for name in spec.domains}
    game = cycle(generators, critics, weight=weight, identity=weight * identity)
    optimizers = adam(learning_rate, (0.5, 0.999), "critic", "generator")
    return Plan(game, optimizers, ALTERNATING, batch_size=16, domains=spec.domains)
