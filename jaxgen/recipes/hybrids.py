"""Papers between VAE and GAN: autoencoders with a critic, and translation without pairs."""

import jax

from jaxgen.core import BadRequest
from jaxgen.games import aae as make_aae
from jaxgen.games import cycle
from jaxgen.nets import patch_critic, translator
from jaxgen.nets.wrappers import mapped
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
    """Autoencoder whose codes a critic shapes; a second loss of one player.

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


def cyclegan(
    spec: Spec,
    *,
    weight: float = 5.0,
    identity: float = 0.0,
    learning_rate: float = 2e-4,
) -> Plan:
    """Translation between two domains without pairs: two generators that undo each other, two critics.

    Paper: arXiv 1703.10593
    Departs: batches of 16 in place of 1, no buffer of older fakes, no falling rate; residual networks of a few 3x3
      windows. Images only. Takes no condition.

    Args:
      weight: of the cycle error, the mean absolute one. The paper's 10 stands beside (D - 1)^2, twice the loss here.
      identity: weight of |G(x) - x| for x of the domain that G makes, as a part of `weight`; the paper's is .5, for
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
