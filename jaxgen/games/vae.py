"""The game with one player: variational autoencoders and their kin."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Batch, Game, Memo, Model, Network, Note, network
from jaxgen.games.observation import PIXELS, Observation
from jaxgen.objectives import (
    GAUSSIAN,
    IMPORTANCE,
    MEAN,
    PATHWISE,
    Bound,
    Divergence,
    Estimator,
    Family,
    exact_kl,
)


def vae(
    encode: Any,
    decode: Any,
    *,
    latent_dim: int,
    posterior: Family = GAUSSIAN,
    observation: Observation = PIXELS,
    divergence: Divergence | None = None,
    estimator: Estimator = PATHWISE,
    bound: Bound = MEAN,
    samples: int = 1,
    beta: float | Callable[[Array], Array] = 1.0,
) -> Game:
    """-bound of log p(x) in nats, averaged over the batch; with the default parts the negative ELBO.

    q = q(z | encode(x)), z = push(q, noise); bound = reduce_K(log p(x | z) - beta D(q || p)), where an exact divergence
    stands outside the reduction and a sampled one inside. The prior p is N(0, I), or of the divergence's other family
    the member whose raw numbers are zero, such as fair coins. Kingma and Welling 2014, arXiv 1312.6114, eqs. 7 and 10;
    beta: Higgins et al. 2017; importance bound: Burda et al. 2016, arXiv 1509.00519, eq. 8.

    Args:
      encode: network x [B, ...] -> [B, size D], the posterior's raw parameters: of a Gaussian the means, then the raw
        log_stds.
      decode: network z [B, D] -> y [B, ...], raw parameters of the observation.
      latent_dim: D.
      posterior: family of q.
      observation: from y to a distribution over x.
      divergence: `exact_kl` (the default), the same under `free_bits`, or `sampled_kl`, of q's family and the prior's.
      estimator: how the gradient passes the sample.
      bound: `MEAN` or `IMPORTANCE`.
      samples: K, posterior samples per example.
      beta: weight of the divergence, or a function of the round (warm-up).

    Returns:
      A game of the player "vae"; its info holds `nll_nats` and `kl_nats`. Examples in `encode` must not see each other.

    Raises:
      BadRequest: parts that do not go together, in a sentence.
    """
    divergence = exact_kl(posterior, GAUSSIAN) if divergence is None else divergence
    _check(posterior, divergence, estimator, bound, samples)
    price = divergence.cost or divergence.value
    encoder, decoder = network(encode), network(decode)
    parts = _Parts(encoder, decoder, latent_dim, posterior, observation, divergence)

    def init(key, batch: Batch):
        k_encoder, k_decoder = jax.random.split(key)
        z = jnp.zeros((batch.x.shape[0], latent_dim))
        return {
            "vae": {
                "encoder": encoder.init(k_encoder, batch.x),
                "decoder": decoder.init(k_decoder, z),
                "observation": observation.init(_flat(batch.x).shape[-1]),
            }
        }, {}

    def draw(key, batch: Batch):
        return posterior.draw(key, (samples, batch.x.shape[0], latent_dim))

    def loss(params, noise, batch: Batch, memo: Memo):
        own = params["vae"]
        weight = beta(memo.round) if callable(beta) else beta
        q = _infer(parts, own, batch.x)
        prior = _prior(parts, posterior.mean(q))

        def cost(z, q):
            nll = -_log_likelihood(parts, own, z, batch.x)
            return nll + weight * price(q, prior, z) if divergence.sampled else nll

        total = estimator.cost(posterior, q, noise, cost)
        value = bound.value(-total)
        z = posterior.push(q, noise)
        nll = jnp.mean(total) - weight * jnp.mean(price(q, prior, z)) if divergence.sampled else jnp.mean(total)
        if not divergence.sampled:
            value = value - weight * price(q, prior, None)
        return -jnp.mean(value), Note({"nll_nats": nll, "kl_nats": jnp.mean(divergence.value(q, prior, z))})

    def model(params, carry):
        return _model(parts, params["vae"])

    return Game(init, draw, {"vae": loss}, model, couples=divergence.couples, range=observation.range)


class _Parts(NamedTuple):
    encoder: Network
    decoder: Network
    latent_dim: int
    posterior: Family
    observation: Observation
    divergence: Divergence


def _infer(parts: _Parts, own, x: Array) -> Any:
    """theta of q(z | x)."""
    raw = parts.encoder.apply(own["encoder"], x)
    size = parts.posterior.size
    check_width("encoder", raw, size * parts.latent_dim, f"{size} for each latent")
    return parts.posterior.theta(raw)


def _prior(parts: _Parts, like: Array) -> Any:
    """theta of the standard member of the prior's family, for z of the shape of `like` [B, D]."""
    family = parts.divergence.prior
    return family.theta(jnp.zeros((*like.shape[:-1], family.size * parts.latent_dim), like.dtype))


def _log_likelihood(parts: _Parts, own, z: Array, x: Array) -> Array:
    """log p(x | z) in nats: z [K, B, D], x [B, ...] -> [K, B]."""
    y = _flat(parts.decoder.apply(own["decoder"], z.reshape(-1, parts.latent_dim)))
    check_width("decoder", y, _flat(x).shape[-1], "one for each number of an example")
    theta = parts.observation.theta(own["observation"], y.reshape(*z.shape[:-1], -1))
    return parts.observation.family.log_prob(theta, _flat(x))


def _model(parts: _Parts, own) -> Model:
    encoder, decoder, latent_dim, posterior, observation, divergence = parts
    hidden, prior = encoder.hidden, divergence.prior

    def decode_mean(z):
        return observation.mean(decoder.apply(own["decoder"], z))

    def encode_mean(x):
        return posterior.mean(_infer(parts, own, x))

    def draw_sample(key, n):
        k_z, k_x = jax.random.split(key)
        width = jax.eval_shape(decoder.apply, own["decoder"], jnp.zeros((n, latent_dim))).shape
        return {"z": prior.draw(k_z, (n, latent_dim)), "x": observation.draw(k_x, width)}

    def sample(noise):
        y = decoder.apply(own["decoder"], prior.push(_prior(parts, noise["z"]), noise["z"]))
        return observation.sample(own["observation"], noise["x"], y)

    def log_weight(noise, x):
        q = _infer(parts, own, x)
        z = posterior.push(q, noise)
        log_prior = prior.log_prob(_prior(parts, posterior.mean(q)), z)
        return _log_likelihood(parts, own, z, x) + log_prior - posterior.log_prob(q, z)

    def distance(noise, x):
        q = _infer(parts, own, x)
        value = divergence.value(q, _prior(parts, posterior.mean(q)), posterior.push(q, noise))
        return jnp.mean(value, 0) if divergence.sampled else value

    return Model(
        draw=draw_sample,
        sample=sample,
        decode=decode_mean,
        encode=encode_mean,
        draw_posterior=lambda key, K, x: posterior.draw(key, (K, x.shape[0], latent_dim)),
        log_weight=log_weight,
        scores={
            "elbo": lambda noise, x: -MEAN.value(log_weight(noise, x)),
            "importance bound": lambda noise, x: -IMPORTANCE.value(log_weight(noise, x)),
            "reconstruction": lambda noise, x: squared_error(x, decode_mean(encode_mean(x))),
            "divergence": distance,
        },
        features={} if hidden is None else {"encoder": lambda x: hidden(own["encoder"], x)},
    )


def squared_error(x: Array, y: Array) -> Array:
    """|x - y|^2 summed over all but the first axis: [B, ...], [B, ...] -> [B]."""
    return jnp.sum(_flat(x - y) ** 2, -1)


def _flat(x: Array) -> Array:
    return x.reshape(x.shape[0], -1)


def check_width(network: str, y: Array, width: int, why: str) -> None:
    """Refuses a network's answer that is not [B, width]."""
    if y.shape[1:] != (width,):
        raise BadRequest(
            f"the {network} gives {list(y.shape)}, where [B, {width}] is wanted, {why}: change its last layer."
        )


def _check(posterior: Family, divergence: Divergence, estimator: Estimator, bound: Bound, samples: int) -> None:
    if samples < 1:
        raise BadRequest(f"samples={samples}: a bound needs at least one posterior sample.")
    if estimator.needs_pathwise and not posterior.pathwise:
        raise BadRequest(
            "this estimator differentiates the posterior's push, but this family's push has no gradient: "
            "use posterior=GAUSSIAN, or an estimator that does not need it."
        )
    if divergence.posterior != posterior:
        raise BadRequest(
            "the divergence is that of another family than the posterior: name the posterior in it, as in "
            "sampled_kl(posterior, prior)."
        )
    if posterior.pathwise != divergence.prior.pathwise:
        raise BadRequest(
            "the posterior or the prior is discrete and the other is not, so neither has a density where the other "
            "lives: use sampled_kl(posterior, prior) of two discrete families, or of two that are not."
        )
    if samples < estimator.samples:
        raise BadRequest(f"samples={samples}: this estimator needs at least {estimator.samples} posterior samples.")
    if estimator.linear_only and not bound.linear:
        raise BadRequest(
            "this estimator is unbiased under a mean over samples only, but the importance bound takes a logarithm: "
            "use bound=MEAN or estimator=PATHWISE."
        )
    if not bound.linear and not divergence.sampled:
        raise BadRequest(
            "bound=IMPORTANCE needs the divergence inside the log-mean-exp, but exact_kl is added outside it: "
            "use divergence=sampled_kl(posterior, prior)."
        )
