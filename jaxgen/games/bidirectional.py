"""BiGAN: a GAN with an encoder trained together with the generator, and a critic of pairs of an example and a code."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Context, Game, Model, Network, draw_each, inputs, rows, whole
from jaxgen.games.parts import (
    check_array,
    check_codes,
    check_generated,
    check_logits,
    check_loss,
    evaluation,
    features_of,
    squared_error,
    strangeness,
)
from jaxgen.nets.adapters import network
from jaxgen.objectives.adversarial import NON_SATURATING, Adversarial, mean_loss


def bigan(
    generator: Any,
    encoder: Any,
    critic: Any,
    *,
    latent_dim: int,
    loss: Adversarial = NON_SATURATING,
) -> Game:
    """Bidirectional GAN: real pairs are (x, E(x)), fake ones (G(z), z), z ~ N(0, I).

    critic: mean loss.critic(D(x, E(x)), D(G(z), z)); generator, which is G and E together: the same loss with real and
    fake exchanged, mean loss.critic(D(G(z), z), D(x, E(x))), as in the code of Donahue et al. 2017, arXiv 1605.09782.
    If both kinds of pairs have the same distribution, E inverts G. With an encoder that draws noise in training it is
    ALI, Dumoulin et al. 2017, arXiv 1606.00704; `encode` uses no noise.

    Args:
      generator: network (z f32[B, D], condition) -> x.
      encoder: network (x, condition) -> z [B, D].
      critic: network (x, z, condition) -> logits [B, ...]. If the batch has no condition, all networks are called
        without one. A critic conditioned on a vector, `networks(shape, condition=(D,)).critic`, can be used.
      latent_dim: D.
      loss: both players use its critic's loss, so `top_k`, which changes the generator's loss, has no effect.

    Returns:
      A game with the players and losses "critic" and "generator"; the params of "generator" are {"generator",
      "encoder"}. The info of the critic's loss has real_logit and fake_logit. The model has `encode`, the map
      "reconstruct", G(E(x)), the features "encoder" and two scores: "reconstruction", the squared error summed over an
      example, and, unless the critic couples examples, "critic", -D(x, E(x)) averaged over an example.

    Raises:
      BadRequest: for a latent_dim below 1 or a loss of another type; in `init`, if x is not a single array, or the
        encoder has another width; in the losses, if shapes of examples or logits do not fit.
    """
    check_loss(loss)
    latent_dim = whole("latent_dim", latent_dim, 1)
    parts = _Parts(network(generator), network(encoder), network(critic), latent_dim, loss)
    losses = {name: partial(_loss, parts, name) for name in ("critic", "generator")}
    couples = any(part.couples for part in (parts.generator, parts.encoder, parts.critic, loss))
    turns = (("critic", "generator"),)
    return Game(partial(_init, parts), partial(_draw, parts), losses, partial(_model, parts), couples, turns=turns)


class _Parts(NamedTuple):
    generator: Network
    encoder: Network
    critic: Network
    latent_dim: int
    loss: Adversarial


def _init(parts: _Parts, key: Array, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
    check_array(batch)
    k_generator, k_encoder, k_critic = jax.random.split(key, 3)
    z = jnp.zeros((rows(batch), parts.latent_dim), dtype=jnp.float32)
    params: dict[str, Any] = {}
    state: dict[str, Any] = {}
    params["generator"], state["generator"] = parts.generator.init(k_generator, *inputs(z, batch.condition))
    params["encoder"], state["encoder"] = parts.encoder.init(k_encoder, *inputs(*batch))
    check_codes(parts.encoder, params["encoder"], state["encoder"], batch, parts.latent_dim)
    critic, state["critic"] = parts.critic.init(k_critic, batch.x, *inputs(z, batch.condition))
    return {"critic": critic, "generator": params}, state


def _draw(parts: _Parts, key: Array, batch: Batch) -> dict[str, Any]:
    shape = rows(batch), parts.latent_dim
    zs = inputs(jax.ShapeDtypeStruct(shape, jnp.float32), batch.condition)
    return draw_each(
        key,
        z=(jax.random.normal, shape, jnp.float32),
        generator=(parts.generator.draw, *zs),
        encoder=(parts.encoder.draw, *inputs(*batch)),
        real=(parts.critic.draw, batch.x, *zs),
        fake=(parts.critic.draw, batch.x, *zs),
    )


def _loss(parts: _Parts, player: str, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    generator_params, state, z = params["generator"], context.state, noise["z"]

    def judge(which: str, x, code):
        given = inputs(code, batch.condition)
        return parts.critic.apply(params["critic"], state["critic"], noise[which], x, *given)

    given = inputs(z, batch.condition)
    fake, generated = parts.generator.apply(
        generator_params["generator"], state["generator"], noise["generator"], *given
    )
    check_generated(fake, batch.x)
    code, encoded = parts.encoder.apply(
        generator_params["encoder"], state["encoder"], noise["encoder"], *inputs(*batch)
    )
    real_logits, new = judge("real", batch.x, code)
    fake_logits, _ = judge("fake", fake, z)
    check_logits(real_logits, fake_logits, rows(batch), parts.critic.couples)
    if player == "generator":
        values = parts.loss.critic(fake_logits, real_logits)
        return mean_loss(values, real_logits), Aux({}, {"generator": generated, "encoder": encoded})
    info = {"real_logit": jnp.mean(real_logits), "fake_logit": jnp.mean(fake_logits)}
    return mean_loss(parts.loss.critic(real_logits, fake_logits), real_logits), Aux(info, {"critic": new})


def _model(parts: _Parts, params, state) -> Model:
    generator_params = params["generator"]
    decode = evaluation(parts.generator, generator_params["generator"], state["generator"])
    encode = evaluation(parts.encoder, generator_params["encoder"], state["encoder"])

    def reconstruct(x, condition=None):
        return decode(encode(x, condition), condition)

    def reconstruction(noise, x, condition=None):
        return squared_error(x, reconstruct(x, condition))

    def pair(noise, x, condition=None):
        given = inputs(encode(x, condition), condition)
        return strangeness(parts.critic.apply(params["critic"], state["critic"], None, x, *given)[0], rows(x))

    return Model(
        draw=lambda key, n, condition=None: jax.random.normal(key, (n, parts.latent_dim), dtype=jnp.float32),
        sample=decode,
        decode=decode,
        encode=encode,
        scores={"reconstruction": reconstruction} | ({} if parts.critic.couples else {"critic": pair}),
        features=features_of("encoder", parts.encoder, generator_params["encoder"], state["encoder"]),
        maps={"reconstruct": reconstruct},
    )
