"""Games between: an autoencoder whose latent is shaped by a critic."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Aux, BadRequest, Batch, Context, Game, Model, check_type, draw_each, inputs, rows, whole
from jaxgen.games.parts import (
    check_array,
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

    "autoencoder": -log p(x | E(x)); "critic": draws of N(0, I) are real, codes E(x) are fake; "autoencoder:fool": the
    codes pass for draws of N(0, I), a second loss of the same player, with an optimiser of its own. All networks see
    the condition, if there is one, so codes look like N(0, I) given each condition, and a sample is a decoded draw.
    Makhzani et al. 2015, arXiv 1511.05644, section 2.

    Args:
      encoder: network (x) or (x, condition) -> z [B, D].
      decoder: network (z) or (z, condition) -> y [B, ..., observation.outputs(C)].
      critic: network (z) or (z, condition) -> logits [B, ...], or [B / m] of packs if it couples examples.
      latent_dim: D.
      observation: p(x | y).
      loss: the adversarial loss on codes.

    Returns:
      A game with params {"autoencoder": {"encoder", "decoder", "observation"}, "critic"} and state by network. The
      encoder's state is that of the loss "autoencoder". The first score of the model is "reconstruction", the
      squared error summed over an example, which Chen and Konukoglu 2018, arXiv 1806.04972, read of such models; then
      "code critic", -logit averaged over an example, unless the critic couples examples.

    Raises:
      BadRequest: for a latent_dim below 1, or a loss or observation of another type; by `init`, x that is not one
        array, or a network of another width; by the losses, logits or values of the loss of another shape.
    """
    latent_dim = whole("latent_dim", latent_dim, 1)
    check_loss(loss)
    check_type("observation", observation, Observation, "VECTORS or independent(GAUSSIAN)")
    encoder, decoder, critic = network(encoder), network(decoder), network(critic)

    def init(key, batch: Batch):
        check_array(batch)
        k_encoder, k_decoder, k_critic = jax.random.split(key, 3)
        zs = inputs(jnp.zeros((rows(batch), latent_dim)), batch.condition)
        own: dict[str, Any] = {"observation": observation.init(batch.x.shape[1:])}
        state: dict[str, Any] = {}
        own["encoder"], state["encoder"] = encoder.init(k_encoder, *inputs(*batch))
        own["decoder"], state["decoder"] = decoder.init(k_decoder, *zs)
        judged, state["critic"] = critic.init(k_critic, *zs)
        z, _ = jax.eval_shape(encoder.apply, own["encoder"], state["encoder"], None, *inputs(*batch))
        if z.shape[1:] != (latent_dim,):
            raise BadRequest(
                f"the encoder gives {list(z.shape)}, where [B, {latent_dim}] is wanted: change its last layer."
            )
        y, _ = jax.eval_shape(decoder.apply, own["decoder"], state["decoder"], None, *zs)
        check_outputs(observation, y, batch.x)
        return {"autoencoder": own, "critic": judged}, state

    def draw(key, batch: Batch):
        shape = rows(batch), latent_dim
        zs = inputs(jax.ShapeDtypeStruct(shape, jnp.float32), batch.condition)
        return draw_each(
            key,
            z=(jax.random.normal, shape),
            encoder=(encoder.draw, *inputs(*batch)),
            decoder=(decoder.draw, *zs),
            real=(critic.draw, *zs),
            fake=(critic.draw, *zs),
        )

    def encode(params, noise, batch: Batch, state):
        return encoder.apply(params["autoencoder"]["encoder"], state["encoder"], noise["encoder"], *inputs(*batch))

    def logits(params, noise, batch: Batch, state):
        """(on draws of the prior, on codes, state of the critic from its call on the first)."""
        codes, _ = encode(params, noise, batch, state)
        on_prior, new = critic.apply(
            params["critic"], state["critic"], noise["real"], *inputs(noise["z"], batch.condition)
        )
        on_codes, _ = critic.apply(params["critic"], state["critic"], noise["fake"], *inputs(codes, batch.condition))
        check_logits(on_prior, on_codes, rows(batch), critic.couples)
        return on_prior, on_codes, new

    def autoencoder_loss(params, noise, batch: Batch, context: Context):
        own, state = params["autoencoder"], context.state
        codes, encoder_state = encode(params, noise, batch, state)
        zs = inputs(codes, batch.condition)
        y, decoder_state = decoder.apply(own["decoder"], state["decoder"], noise["decoder"], *zs)
        nll = -jnp.mean(observation.log_prob(own["observation"], y, batch.x))
        return nll, Aux({"nll_nats": nll}, {"encoder": encoder_state, "decoder": decoder_state})

    def critic_loss(params, noise, batch: Batch, context: Context):
        on_prior, on_codes, new = logits(params, noise, batch, context.state)
        info = {"prior_logit": jnp.mean(on_prior), "code_logit": jnp.mean(on_codes)}
        return mean_loss(loss.critic(on_prior, on_codes), on_prior), Aux(info, {"critic": new})

    def fool_loss(params, noise, batch: Batch, context: Context):
        on_prior, on_codes, _ = logits(params, noise, batch, context.state)
        return mean_loss(loss.generator(on_prior, on_codes), on_prior), Aux()

    def model(params, state):
        own = params["autoencoder"]

        codes = evaluation(encoder, own["encoder"], state["encoder"])
        outputs = evaluation(decoder, own["decoder"], state["decoder"])
        judge = evaluation(critic, params["critic"], state["critic"])

        def decode(z, condition=None):
            return observation.mean(own["observation"], outputs(z, condition))

        def reconstruct(x, condition=None):
            return decode(codes(x, condition), condition)

        def draw_sample(key, n, condition=None):
            k_z, k_x = jax.random.split(key)
            z = jax.random.normal(k_z, (n, latent_dim))
            return {"z": z, "x": observation.draw(k_x, jax.eval_shape(lambda: outputs(z, condition)))}

        def sample(noise, condition=None):
            if observation.sample is None:
                return decode(noise["z"], condition)
            return observation.sample(own["observation"], noise["x"], outputs(noise["z"], condition))

        def reconstruction(noise, x, condition=None):
            return squared_error(x, reconstruct(x, condition))

        def code_critic(noise, x, condition=None):
            return strangeness(judge(codes(x, condition), condition), rows(x))

        return Model(
            draw=draw_sample,
            sample=sample,
            decode=decode,
            encode=codes,
            scores={"reconstruction": reconstruction} | ({} if critic.couples else {"code critic": code_critic}),
            features=features_of("encoder", encoder, own["encoder"], state["encoder"]),
            maps={"reconstruct": reconstruct},
        )

    losses = {"autoencoder": autoencoder_loss, "critic": critic_loss, "autoencoder:fool": fool_loss}
    couples = encoder.couples or decoder.couples or critic.couples or loss.couples
    return Game(init, draw, losses, model, couples, observation.range)
