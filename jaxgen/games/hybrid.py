"""Games between: an autoencoder whose latent is shaped by a critic."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Batch, Game, Memo, Model, Note, network
from jaxgen.games.gan import each_alone
from jaxgen.games.observation import PIXELS, Observation
from jaxgen.games.vae import squared_error
from jaxgen.objectives import GAUSSIAN, NON_SATURATING, Adversarial


def aae(
    encode: Any,
    decode: Any,
    critic: Any,
    *,
    latent_dim: int,
    observation: Observation = PIXELS,
    loss: Adversarial = NON_SATURATING,
) -> Game:
    """Adversarial autoencoder with a deterministic encoder: three networks, two players, three losses.

    "autoencoder": -log p(x | E(x)); "critic": prior draws against codes; "autoencoder:fool": the codes of the encoder
    pass for prior draws, a second loss of the same player, with an optimiser of its own.
    Makhzani et al. 2015, arXiv 1511.05644, section 2.

    Args:
      encode: network x [B, ...] -> z [B, D].
      decode: network z [B, D] -> y [B, ...].
      critic: network z [B, D] -> logits [B].
      latent_dim: D.
      observation: from y to a distribution over x.
      loss: the adversarial loss on codes; real are draws of N(0, I).
    """
    encoder, decoder, judge = network(encode), network(decode), network(critic)

    def init(key, batch: Batch):
        k_encoder, k_decoder, k_critic = jax.random.split(key, 3)
        z = jnp.zeros((batch.x.shape[0], latent_dim))
        own = {
            "encoder": encoder.init(k_encoder, batch.x),
            "decoder": decoder.init(k_decoder, z),
            "observation": observation.init(batch.x[0].size),
        }
        return {"autoencoder": own, "critic": judge.init(k_critic, z)}, {}

    def draw(key, batch: Batch):
        return GAUSSIAN.draw(key, (batch.x.shape[0], latent_dim))

    def logits(params, noise, batch):
        codes = encoder.apply(params["autoencoder"]["encoder"], batch.x)
        return judge.apply(params["critic"], noise), judge.apply(params["critic"], codes)

    def autoencoder(params, noise, batch: Batch, memo: Memo):
        own, flat = params["autoencoder"], (batch.x.shape[0], -1)
        y = decoder.apply(own["decoder"], encoder.apply(own["encoder"], batch.x)).reshape(flat)
        theta = observation.theta(own["observation"], y)
        nll = -jnp.mean(observation.family.log_prob(theta, batch.x.reshape(flat)))
        return nll, Note({"nll_nats": nll})

    def critic_loss(params, noise, batch: Batch, memo: Memo):
        on_prior, on_codes = logits(params, noise, batch)
        note = {"prior_logit": jnp.mean(on_prior), "code_logit": jnp.mean(on_codes)}
        return jnp.mean(each_alone(loss.critic(on_prior, on_codes), batch)), Note(note)

    def fool(params, noise, batch: Batch, memo: Memo):
        return jnp.mean(each_alone(loss.generator(*logits(params, noise, batch)), batch)), Note({})

    def model(params, carry):
        own = params["autoencoder"]

        def decode_mean(z):
            return observation.mean(decoder.apply(own["decoder"], z))

        def encode_code(x):
            return encoder.apply(own["encoder"], x)

        def draw_sample(key, n):
            k_z, k_x = jax.random.split(key)
            width = jax.eval_shape(decode_mean, jnp.zeros((n, latent_dim))).shape
            return {"z": GAUSSIAN.draw(k_z, (n, latent_dim)), "x": observation.draw(k_x, width)}

        def sample(noise):
            return observation.sample(own["observation"], noise["x"], decoder.apply(own["decoder"], noise["z"]))

        return Model(
            draw=draw_sample,
            sample=sample,
            decode=decode_mean,
            encode=encode_code,
            scores={
                "reconstruction": lambda noise, x: squared_error(x, decode_mean(encode_code(x))),
                "code critic": lambda noise, x: -judge.apply(params["critic"], encode_code(x)),
            },
            features={} if encoder.hidden is None else {"encoder": lambda x: encoder.hidden(own["encoder"], x)},
        )

    losses = {"autoencoder": autoencoder, "critic": critic_loss, "autoencoder:fool": fool}
    return Game(init, draw, losses, model, range=observation.range)
