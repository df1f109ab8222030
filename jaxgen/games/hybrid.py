"""Adversarial autoencoders: autoencoders with a critic that makes their codes resemble draws of a prior."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import (
    Array,
    Aux,
    Batch,
    Context,
    Game,
    Model,
    Network,
    check_type,
    draw_each,
    inputs,
    rows,
    whole,
)
from jaxgen.games.parts import (
    check_array,
    check_codes,
    check_logits,
    check_loss,
    check_outputs,
    evaluation,
    features_of,
    squared_error,
    strangeness,
)
from jaxgen.nets.adapters import network
from jaxgen.objectives.adversarial import NON_SATURATING, Adversarial, mean_loss
from jaxgen.objectives.observation import PIXELS, Observation


def aae(
    encoder: Any,
    decoder: Any,
    critic: Any,
    *,
    latent_dim: int,
    observation: Observation = PIXELS,
    loss: Adversarial = NON_SATURATING,
) -> Game:
    """Adversarial autoencoder with a deterministic encoder: three networks, two players, three losses.

    "autoencoder": -log p(x | E(x)). "critic": the loss of a critic with draws of N(0, I) as real and codes E(x) as fake
    examples. "autoencoder:fool": the generator's loss for the codes, a second loss of the player "autoencoder" with its
    own optimiser. If there is a condition, all networks get it, so codes resemble N(0, I) given each condition, and a
    sample is a decoded draw. Makhzani et al. 2015, arXiv 1511.05644, section 2.

    Args:
      encoder: network (x) or (x, condition) -> z [B, D].
      decoder: network (z) or (z, condition) -> y [B, ..., observation.outputs(C)].
      critic: network (z) or (z, condition) -> logits [B, ...], or [B / m] for packs if it couples examples.
      latent_dim: D.
      observation: p(x | y).
      loss: the adversarial loss on codes.

    Returns:
      A game with params {"autoencoder": {"encoder", "decoder", "observation"}, "critic"} and state by network. The
      new state of the encoder is that of the loss "autoencoder". The first score of the model is "reconstruction", the
      squared error summed over an example, which Chen and Konukoglu 2018, arXiv 1806.04972, use for such models. Unless
      the critic couples examples, the second is "code critic", -logit averaged over an example.

    Raises:
      BadRequest: for a latent_dim below 1, or a loss or observation of another type; in `init`, if x is not a single
        array, or a network has another width; in the losses, for logits or values of the loss of another shape.
    """
    latent_dim = whole("latent_dim", latent_dim, 1)
    check_loss(loss)
    check_type("observation", observation, Observation, "VECTORS or independent(GAUSSIAN)")
    parts = _Parts(network(encoder), network(decoder), network(critic), latent_dim, observation, loss)
    losses = {
        "autoencoder": partial(_autoencoder_loss, parts),
        "critic": partial(_critic_loss, parts),
        "autoencoder:fool": partial(_fool_loss, parts),
    }
    couples = parts.encoder.couples or parts.decoder.couples or parts.critic.couples or loss.couples
    return Game(
        partial(_init, parts), partial(_draw, parts), losses, partial(_model, parts), couples, observation.range
    )


class _Parts(NamedTuple):
    encoder: Network
    decoder: Network
    critic: Network
    latent_dim: int
    observation: Observation
    loss: Adversarial

    def encode(self, params, noise, batch: Batch, state) -> tuple[Array, Any]:
        """(codes, new state of the encoder)."""
        weights = params["autoencoder"]["encoder"]
        return self.encoder.apply(weights, state["encoder"], noise["encoder"], *inputs(*batch))

    def logits(self, params, noise, batch: Batch, state) -> tuple[Array, Array, Any]:
        """(logits of draws of the prior, logits of codes, new state of the critic from its call on the draws)."""

        def judge(which: str, z):
            return self.critic.apply(params["critic"], state["critic"], noise[which], *inputs(z, batch.condition))

        codes, _ = self.encode(params, noise, batch, state)
        on_prior, new = judge("real", noise["z"])
        on_codes, _ = judge("fake", codes)
        check_logits(on_prior, on_codes, rows(batch), self.critic.couples)
        return on_prior, on_codes, new


def _init(parts: _Parts, key: Array, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
    check_array(batch)
    k_encoder, k_decoder, k_critic = jax.random.split(key, 3)
    zs = inputs(jnp.zeros((rows(batch), parts.latent_dim), dtype=jnp.float32), batch.condition)
    autoencoder: dict[str, Any] = {"observation": parts.observation.init(batch.x.shape[1:])}
    state: dict[str, Any] = {}
    autoencoder["encoder"], state["encoder"] = parts.encoder.init(k_encoder, *inputs(*batch))
    autoencoder["decoder"], state["decoder"] = parts.decoder.init(k_decoder, *zs)
    critic, state["critic"] = parts.critic.init(k_critic, *zs)
    check_codes(parts.encoder, autoencoder["encoder"], state["encoder"], batch, parts.latent_dim)
    y, _ = jax.eval_shape(parts.decoder.apply, autoencoder["decoder"], state["decoder"], None, *zs)
    check_outputs(parts.observation, y, batch.x)
    return {"autoencoder": autoencoder, "critic": critic}, state


def _draw(parts: _Parts, key: Array, batch: Batch) -> dict[str, Any]:
    shape = rows(batch), parts.latent_dim
    zs = inputs(jax.ShapeDtypeStruct(shape, jnp.float32), batch.condition)
    return draw_each(
        key,
        z=(jax.random.normal, shape, jnp.float32),
        encoder=(parts.encoder.draw, *inputs(*batch)),
        decoder=(parts.decoder.draw, *zs),
        real=(parts.critic.draw, *zs),
        fake=(parts.critic.draw, *zs),
    )


def _autoencoder_loss(parts: _Parts, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    autoencoder, state = params["autoencoder"], context.state
    codes, encoder_state = parts.encode(params, noise, batch, state)
    zs = inputs(codes, batch.condition)
    y, decoder_state = parts.decoder.apply(autoencoder["decoder"], state["decoder"], noise["decoder"], *zs)
    nll = -jnp.mean(parts.observation.log_prob(autoencoder["observation"], y, batch.x))
    return nll, Aux({"nll_nats": nll}, {"encoder": encoder_state, "decoder": decoder_state})


def _critic_loss(parts: _Parts, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    on_prior, on_codes, new = parts.logits(params, noise, batch, context.state)
    info = {"prior_logit": jnp.mean(on_prior), "code_logit": jnp.mean(on_codes)}
    return mean_loss(parts.loss.critic(on_prior, on_codes), on_prior), Aux(info, {"critic": new})


def _fool_loss(parts: _Parts, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    on_prior, on_codes, _ = parts.logits(params, noise, batch, context.state)
    return mean_loss(parts.loss.generator(on_prior, on_codes), on_prior), Aux()


def _model(parts: _Parts, params, state) -> Model:
    autoencoder, observation, latent_dim = params["autoencoder"], parts.observation, parts.latent_dim
    encode = evaluation(parts.encoder, autoencoder["encoder"], state["encoder"])
    outputs = evaluation(parts.decoder, autoencoder["decoder"], state["decoder"])
    judge = evaluation(parts.critic, params["critic"], state["critic"])

    def decode(z, condition=None):
        return observation.mean(autoencoder["observation"], outputs(z, condition))

    def reconstruct(x, condition=None):
        return decode(encode(x, condition), condition)

    def draw(key, n, condition=None):
        k_z, k_x = jax.random.split(key)
        z = jax.random.normal(k_z, (n, latent_dim), dtype=jnp.float32)
        return {"z": z, "x": observation.draw(k_x, jax.eval_shape(lambda: outputs(z, condition)))}

    def sample(noise, condition=None):
        if observation.sample is None:
            return decode(noise["z"], condition)
        return observation.sample(autoencoder["observation"], noise["x"], outputs(noise["z"], condition))

    def reconstruction(noise, x, condition=None):
        return squared_error(x, reconstruct(x, condition))

    def code_critic(noise, x, condition=None):
        return strangeness(judge(encode(x, condition), condition), rows(x))

    return Model(
        draw=draw,
        sample=sample,
        decode=decode,
        encode=encode,
        scores={"reconstruction": reconstruction} | ({} if parts.critic.couples else {"code critic": code_critic}),
        features=features_of("encoder", parts.encoder, autoencoder["encoder"], state["encoder"]),
        maps={"reconstruct": reconstruct},
    )
