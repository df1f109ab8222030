"""Stochastic objectives written without jaxgen: five right ones, and the same with one mistake planted in each."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

B, X, D, K = 6, 3, 2, 3
BATCH = jnp.asarray(np.random.default_rng(0).normal(size=(B, X)), jnp.float32)


def affine(rng, rows, columns):
    w = rng.normal(size=(rows, columns)) / np.sqrt(rows)
    return {"w": jnp.asarray(w, jnp.float32), "b": jnp.asarray(0.3 * rng.normal(size=columns), jnp.float32)}


def vae_params():
    rng = np.random.default_rng(1)
    return {"encoder": affine(rng, X, 2 * D), "decoder": affine(rng, D, X)}


def normals(key, batch):
    return jax.random.normal(key, (B, D))


def encode(params, x):
    h = jnp.tanh(x @ params["encoder"]["w"] + params["encoder"]["b"][None])
    return h[:, :D], h[:, D:]


def reconstruction(params, z, x):
    out = z @ params["decoder"]["w"] + params["decoder"]["b"][None]
    return 0.5 * jnp.sum((out - x) ** 2, axis=-1)


def closed_kl(mean, log_std):
    return 0.5 * jnp.sum(mean**2 + jnp.exp(2 * log_std) - 1 - 2 * log_std, axis=-1)


def log_normal(z, mean, log_std):
    return jnp.sum(-0.5 * ((z - mean) / jnp.exp(log_std)) ** 2 - log_std - 0.5 * jnp.log(2 * jnp.pi), axis=-1)


stop = jax.lax.stop_gradient


# 1. The reparametrised ELBO with a closed-form KL; its sample stopped, with the KL, without it, with a sampled one.


def elbo(params, eps, x):
    mean, log_std = encode(params, x)
    z = mean + jnp.exp(log_std) * eps
    return jnp.mean(reconstruction(params, z, x) + closed_kl(mean, log_std)), {"kl": closed_kl(mean, log_std)}


def stopped(params, eps, x):
    mean, log_std = encode(params, x)
    z = stop(mean + jnp.exp(log_std) * eps)
    return jnp.mean(reconstruction(params, z, x) + closed_kl(mean, log_std))


def stopped_reconstruction(params, eps, x):
    mean, log_std = encode(params, x)
    return jnp.mean(reconstruction(params, stop(mean + jnp.exp(log_std) * eps), x))


def stopped_sampled_kl(params, eps, x):
    mean, log_std = encode(params, x)
    z = stop(mean + jnp.exp(log_std) * eps)
    kl = log_normal(z, mean, log_std) - log_normal(z, jnp.zeros_like(z), jnp.zeros_like(z))
    return jnp.mean(reconstruction(params, z, x) + kl)


# 2. The score function over Bernoulli codes; without its score term. The exact value enumerates the codes.


def bits_params():
    rng = np.random.default_rng(2)
    return {"encoder": affine(rng, X, D), "decoder": affine(rng, D, X)}


def bit_logits(params, x):
    return x @ params["encoder"]["w"] + params["encoder"]["b"][None]


def log_bits(bits, logits):
    return jnp.sum(bits * jax.nn.log_sigmoid(logits) + (1 - bits) * jax.nn.log_sigmoid(-logits), axis=-1)


def bits_cost(params, bits, x):
    return reconstruction(params, bits, x) + log_bits(bits, bit_logits(params, x)) + D * jnp.log(2.0)


def uniforms(key, batch):
    return jax.random.uniform(key, (B, D))


def sampled_bits(params, u, x):
    return stop((u < jax.nn.sigmoid(bit_logits(params, x))).astype(jnp.float32))


def score(params, u, x):
    bits = sampled_bits(params, u, x)
    cost = bits_cost(params, bits, x)
    return jnp.mean(cost + stop(cost) * log_bits(bits, bit_logits(params, x)))


def score_in_place(params, u, x):
    # The same gradient, and the value of the cost: what finite differences can judge.
    bits = sampled_bits(params, u, x)
    cost, log_q = bits_cost(params, bits, x), log_bits(bits, bit_logits(params, x))
    return jnp.mean(cost + stop(cost) * (log_q - stop(log_q)))


def no_score(params, u, x):
    return jnp.mean(bits_cost(params, sampled_bits(params, u, x), x))


def bits_value(params, x):
    total = 0.0
    for code in np.ndindex(*(2,) * D):
        bits = jnp.broadcast_to(jnp.asarray(code, jnp.float32), (B, D))
        total += jnp.mean(jnp.exp(log_bits(bits, bit_logits(params, x))) * bits_cost(params, bits, x))
    return total


# 3. Sticking the landing with the sampled KL that it is meant for; around a closed-form one.


def landing(params, eps, x):
    mean, log_std = encode(params, x)
    z = mean + jnp.exp(log_std) * eps
    kl = log_normal(z, stop(mean), stop(log_std)) - log_normal(z, jnp.zeros_like(z), jnp.zeros_like(z))
    return jnp.mean(reconstruction(params, z, x) + kl)


def landing_closed(params, eps, x):
    mean, log_std = encode(params, x)
    z = mean + jnp.exp(log_std) * eps
    return jnp.mean(reconstruction(params, z, x) + closed_kl(stop(mean), stop(log_std)))


# 4. An Equinox network with dropout, which takes a key; one key for the sample and for the mask.


class Network(eqx.Module):
    encoder: eqx.nn.Linear
    decoder: eqx.nn.MLP
    drop: eqx.nn.Dropout

    def __init__(self, key):
        one, two = jax.random.split(key)
        self.encoder = eqx.nn.Linear(X, 2 * D, key=one)
        self.decoder = eqx.nn.MLP(D, X, width_size=8, depth=1, activation=jnp.tanh, key=two)
        self.drop = eqx.nn.Dropout(0.25)

    def __call__(self, x, k_sample, k_drop):
        mean, log_std = jnp.split(self.encoder(x), 2)
        z = mean + jnp.exp(log_std) * jax.random.normal(k_sample, (D,))
        out = self.decoder(self.drop(z, key=k_drop))
        return 0.5 * jnp.sum((out - x) ** 2) + closed_kl(mean, log_std)


NETWORK, STATIC = eqx.partition(Network(jax.random.key(3)), eqx.is_inexact_array)


def the_key(key, batch):
    return key


def split_keys(params, key, x):
    k_sample, k_drop = (jax.random.split(k, B) for k in jax.random.split(key))
    return jnp.mean(jax.vmap(eqx.combine(params, STATIC))(x, k_sample, k_drop))


def one_key(params, key, x):
    keys = jax.random.split(key, B)
    return jnp.mean(jax.vmap(eqx.combine(params, STATIC))(x, keys, keys))


def drawn_twice(key, batch):
    return {"eps": jax.random.normal(key, (B, D)), "mask": jax.random.bernoulli(key, 0.75, (B, D))}


def folded_alike(key, batch):
    again = jax.random.fold_in(key, 1)
    return {"eps": jax.random.normal(again, (B, D)), "more": jax.random.uniform(jax.random.fold_in(key, 1), (4,))}


# 5. The importance bound over K samples; weights from the softmax of the loss, so that the worst sample weighs most.


def line_params():
    rng = np.random.default_rng(4)
    return {"encoder": affine(rng, X, 2), "decoder": affine(rng, 1, X)}


def sample_losses(params, eps, x):
    """-log w [K, B] for one latent dimension: eps [K, B]."""
    out = x @ params["encoder"]["w"] + params["encoder"]["b"][None]
    mean, log_std = jnp.tanh(out[:, :1]), 0.3 * jnp.tanh(out[:, 1:])
    z = mean[None] + jnp.exp(log_std)[None] * eps[..., None]
    recon = 0.5 * jnp.sum(
        (z * params["decoder"]["w"][None] + params["decoder"]["b"][None, None] - x[None]) ** 2, axis=-1
    )
    return recon + log_normal(z, mean[None], log_std[None]) - log_normal(z, jnp.zeros_like(z), jnp.zeros_like(z))


def pairs(key, batch):
    return jax.random.normal(key, (2, B))


def importance(params, eps, x):
    return jnp.mean(jnp.log(2.0) - jax.nn.logsumexp(-sample_losses(params, eps, x), axis=0))


def worst_first(params, eps, x):
    losses = sample_losses(params, eps, x)
    return jnp.mean(jnp.sum(jax.nn.softmax(losses, axis=0) * losses, axis=0))


def worst_first_stopped(params, eps, x):
    losses = sample_losses(params, eps, x)
    return jnp.mean(jnp.sum(stop(jax.nn.softmax(losses, axis=0)) * losses, axis=0))


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
GRID = jnp.asarray(np.stack(np.meshgrid(NODES, NODES, indexing="ij")).reshape(2, -1), jnp.float32)
GRID_WEIGHTS = jnp.asarray(np.outer(WEIGHTS, WEIGHTS).ravel() / (2 * np.pi), jnp.float32)


def importance_value(params, x):
    """The bound of two samples in expectation: Gauss-Hermite quadrature over the pair."""
    at = jax.vmap(lambda pair: importance(params, jnp.broadcast_to(pair[:, None], (2, B)), x), in_axes=1)(GRID)
    return jnp.sum(GRID_WEIGHTS * at)


def ignores(params, eps, x):
    mean, log_std = encode(params, x)
    return jnp.mean(reconstruction(params, mean, x) + closed_kl(mean, log_std))
