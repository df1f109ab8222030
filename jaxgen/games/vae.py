"""Variational autoencoders, as games with one player."""

import math
from collections.abc import Callable
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
    at,
    check_type,
    draw_each,
    inputs,
    merge,
    nothing,
    repeat,
    rows,
    split,
    whole,
)
from jaxgen.games.parts import check_array, check_outputs, evaluation, features_of, squared_error
from jaxgen.latents.latent import Given, Inference, Latent
from jaxgen.nets.adapters import network
from jaxgen.objectives.bounds import Bound, elbo, importance
from jaxgen.objectives.observation import PIXELS, Observation
from jaxgen.objectives.schedules import check_weight


def vae(
    encoder: Any,
    decoder: Any,
    latent: Latent,
    *,
    observation: Observation = PIXELS,
    bound: Bound | None = None,
    samples: int = 1,
    beta: float | Callable[[Array], Array] = 1.0,
) -> Game:
    """The game that minimises -bound of log p(x) in nats, averaged over the batch; by default the negative ELBO.

    With bound=None the loss is -mean_K log p(x | z_k) + beta KL(q || p), if the latent has the KL in closed form; if
    not, it is that of bound=elbo. With a bound it is -bound(log p(x | z_k) + beta (log p(z_k) - log q(z_k | x))).
    Penalties of the latent are added.
    Kingma and Welling 2014, arXiv 1312.6114, eqs. 7 and 10; beta: Higgins et al. 2017; importance bound: Burda et al.
    2016, arXiv 1509.00519, eq. 8.

    Args:
      encoder: network (x) or (x, condition) -> h, in the shape that the latent needs: [B, 2 D] for `vector(D)`.
      decoder: network (z) or (z, condition) -> y [B, ..., observation.outputs(C)] for x [B, ..., C].
      latent: q(z | h) and p(z), such as `vector(20)`.
      observation: p(x | y).
      bound: of log-weights [K, B], such as `elbo`, `importance` or a function of your own.
      samples: K, posterior samples per example.
      beta: weight of the KL, or a function of the step (warm-up).

    Returns:
      A game with the player "vae", whose params and state have the keys "encoder", "latent", "decoder" and, for params
      only, "observation". Its info holds means over samples and batch: `nll_nats`, -log p(x | z); `kl_nats`;
      `neg_elbo_nats`, the sum of the two, which is the negative ELBO for any beta, free bits and penalties;
      `bits_per_dim`, that sum divided by the numbers of x, if the observation is a distribution over levels; and the
      figures of the latent.

      The first score of its model is the "reconstruction probability" of An and Cho 2015 (SNUDM-TR-2015-03), here the
      negative mean of its logarithm, -mean_K log p(x | z_k) with z_k ~ q(z | x). `PIXELS` is not a density of grey
      values; with it `observation.best(x)` is added, so that a perfect copy scores 0 for all grey values. The other
      scores are "elbo" and "importance bound", both negated, "reconstruction", the squared error summed over an
      example, and "divergence", KL(q || p).

    Raises:
      BadRequest: for parts of another type, or parts that cannot be combined; in `init`, if x is not a single array, or
        a network has another width.
    """
    samples = whole("samples", samples, 1)
    check_weight("beta", beta)
    check_type("latent", latent, Latent, "vector(20)")
    check_type("observation", observation, Observation, "VECTORS or independent(GAUSSIAN)")
    latent.check(bound, samples)
    parts = Autoencoder(network(encoder), network(decoder), latent, observation)

    losses = {"vae": partial(_loss, parts, bound, beta)}
    couples = parts.encoder.couples or parts.decoder.couples or latent.couples
    draw = partial(_draw, parts, samples)
    return Game(partial(_init, parts), draw, losses, partial(_model, parts), couples, observation.range)


class Autoencoder(NamedTuple):
    """The parts of a VAE, and the functions that losses call; `params` and `state` are those of the player "vae"."""

    encoder: Network
    decoder: Network
    latent: Latent
    observation: Observation

    def given(self, params, state, condition: Any) -> Given:
        """What the prior may depend on."""
        encode = evaluation(self.encoder, params["encoder"], state["encoder"])
        return Given(condition, lambda x: encode(x, condition))

    def infer(self, params, state, noise, batch: Batch) -> tuple[Inference, Any]:
        """(`Inference`, new state of the encoder). A network whose noise is None is in evaluation mode."""
        h, new = self.encoder.apply(params["encoder"], state["encoder"], noise["encoder"], *inputs(*batch))
        given = self.given(params, state, batch.condition)
        return self.latent.infer(params["latent"], state["latent"], noise["latent"], h, given), new

    def log_likelihood(self, params, state, noise, z: Any, batch: Batch) -> tuple[Array, Any]:
        """(log p(x | z) in nats, [K, B], new state of the decoder), of z with leaves [K, B, ...]."""
        samples = rows(z)
        xs = inputs(merge(z), repeat(batch.condition, samples))
        y, new = self.decoder.apply(params["decoder"], state["decoder"], noise["decoder"], *xs)
        check_outputs(self.observation, y, batch.x)
        log_x = self.observation.log_prob(params["observation"], y, repeat(batch.x, samples))
        return split(log_x, samples), new

    def evaluate(self, params, state, noise, batch: Batch) -> tuple[Inference, Array]:
        """(`Inference`, log p(x | z) in nats [K, B]) with noise of the latent, and networks in evaluation mode."""
        q, _ = self.infer(params, state, _without_noise(noise), batch)
        return q, self.log_likelihood(params, state, _without_noise(noise), q.z, batch)[0]

    def generate(self, params, state, noise, condition: Any) -> Any:
        """Samples z of the prior, leaves [n, ...]."""
        return self.latent.generate(params["latent"], state["latent"], noise, self.given(params, state, condition))

    def decode(self, params, state, z: Any, condition: Any) -> Array:
        """y, the output of the decoder in evaluation mode."""
        return evaluation(self.decoder, params["decoder"], state["decoder"])(z, condition)


def _init(parts: Autoencoder, key: Array, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
    check_array(batch)
    k_encoder, k_latent, k_prior, k_decoder = jax.random.split(key, 4)
    params: dict[str, Any] = {"observation": parts.observation.init(batch.x.shape[1:])}
    state: dict[str, Any] = {}
    params["encoder"], state["encoder"] = parts.encoder.init(k_encoder, *inputs(*batch))
    h = parts.given(params, state, batch.condition).encode(batch.x)
    params["latent"], state["latent"] = parts.latent.init(k_latent, h, batch)
    z = parts.generate(params, state, parts.latent.draw_prior(k_prior, rows(batch)), batch.condition)
    params["decoder"], state["decoder"] = parts.decoder.init(k_decoder, *inputs(z, batch.condition))
    y = jax.eval_shape(parts.decode, params, state, z, batch.condition)
    check_outputs(parts.observation, y, batch.x)
    return {"vae": params}, state


def _draw(parts: Autoencoder, samples: int, key: Array, batch: Batch) -> dict[str, Any]:
    z = _decoder_inputs(parts, key, batch, samples) if parts.decoder.draw is not nothing else ()
    return draw_each(
        key,
        encoder=(parts.encoder.draw, *inputs(*batch)),
        latent=(parts.latent.draw, samples, rows(batch)),
        decoder=(parts.decoder.draw, *z),
    )


def _decoder_inputs(parts: Autoencoder, key: Array, batch: Batch, samples: int) -> tuple[Any, ...]:
    """The shapes of the decoder's inputs, which determine the shapes of its noise."""
    conditions = repeat(batch.condition, samples)

    def prior_draws(key):
        params, state = _init(parts, key, batch)
        noise = parts.latent.draw_prior(key, samples * rows(batch))
        return parts.generate(params["vae"], state, noise, conditions)

    return inputs(jax.eval_shape(prior_draws, key), conditions)


def _loss(
    parts: Autoencoder, bound: Bound | None, beta: Any, params, noise, batch: Batch, context: Context
) -> tuple[Array, Aux]:
    vae_params, weight = params["vae"], at(beta, context.step)
    q, encoder_state = parts.infer(vae_params, context.state, noise, batch)
    log_x, decoder_state = parts.log_likelihood(vae_params, context.state, noise, q.z, batch)
    if bound is None and q.kl is not None:
        divergence = jnp.sum(q.kl, -1)
        value = q.reduce(elbo, log_x, weight) - weight * (divergence if q.cost is None else jnp.sum(q.cost, -1))
    else:
        divergence = q.log_q - q.log_p
        value = q.reduce(bound or elbo, log_x - weight * divergence, weight)
    info = figures(parts.observation, batch.x, -jnp.mean(log_x), jnp.mean(divergence)) | dict(q.info)
    state = {"encoder": encoder_state, "latent": q.state, "decoder": decoder_state}
    return jnp.mean(q.penalty - value), Aux(info, state)


def figures(observation: Observation, x: Array, nll: Array, kl: Array) -> dict[str, Array]:
    """The info of a loss, from -log p(x | z) and the KL, means in nats, f32[] each."""
    info = {"nll_nats": nll, "kl_nats": kl, "neg_elbo_nats": nll + kl}
    if observation.levels is not None:
        info["bits_per_dim"] = (nll + kl) / (math.prod(x.shape[1:]) * math.log(2))
    return info


def _model(parts: Autoencoder, params, state) -> Model:
    vae_params, observation, latent = params["vae"], parts.observation, parts.latent

    def decode(z, condition=None):
        return observation.mean(vae_params["observation"], parts.decode(vae_params, state, z, condition))

    def encode(x, condition=None):
        h = parts.given(vae_params, state, condition).encode(x)
        return latent.encode(vae_params["latent"], state["latent"], h)

    def reconstruct(x, condition=None):
        return decode(encode(x, condition), condition)

    def draw(key, n, condition=None):
        k_z, k_x = jax.random.split(key)
        noise = latent.draw_prior(k_z, n)
        y = jax.eval_shape(
            lambda: parts.decode(vae_params, state, parts.generate(vae_params, state, noise, condition), condition)
        )
        return {"z": noise, "x": observation.draw(k_x, y)}

    def sample(noise, condition=None):
        z = parts.generate(vae_params, state, noise["z"], condition)
        if observation.sample is None:
            return decode(z, condition)
        return observation.sample(vae_params["observation"], noise["x"], parts.decode(vae_params, state, z, condition))

    def log_weight(noise, x, condition=None):
        q, log_x = parts.evaluate(vae_params, state, noise, Batch(x, condition))
        return log_x + q.log_p - q.log_q

    return Model(
        draw=draw,
        sample=sample,
        decode=decode,
        encode=encode,
        draw_posterior=lambda key, K, x, condition=None: latent.draw(key, K, rows(x)),
        log_weight=log_weight,
        scores=_scores(parts, vae_params, state, log_weight, reconstruct),
        features=features_of("encoder", parts.encoder, vae_params["encoder"], state["encoder"]),
        maps={"reconstruct": reconstruct},
    )


def _scores(
    parts: Autoencoder, vae_params, state, log_weight: Callable, reconstruct: Callable
) -> dict[str, Callable[..., Array]]:
    """`Model.scores`, the reconstruction probability first."""

    def reconstruction_probability(noise, x, condition=None):
        _, log_x = parts.evaluate(vae_params, state, noise, Batch(x, condition))
        best = 0.0 if parts.observation.best is None else parts.observation.best(x)
        return best - jnp.mean(log_x, 0)

    def divergence(noise, x, condition=None):
        q, _ = parts.infer(vae_params, state, _without_noise(noise), Batch(x, condition))
        return jnp.mean(q.log_q - q.log_p, 0) if q.kl is None else jnp.sum(q.kl, -1)

    return {
        "reconstruction probability": reconstruction_probability,
        "elbo": lambda noise, x, condition=None: -elbo(log_weight(noise, x, condition)),
        "importance bound": lambda noise, x, condition=None: -importance(log_weight(noise, x, condition)),
        "reconstruction": lambda noise, x, condition=None: squared_error(x, reconstruct(x, condition)),
        "divergence": divergence,
    }


def _without_noise(latent: Any) -> dict[str, Any]:
    """Noise of the latent only, so that the networks are in evaluation mode."""
    return {"encoder": None, "latent": latent, "decoder": None}
