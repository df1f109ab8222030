"""Games small enough to know everything about: the Dirac-GAN, a dense VAE, a GAN of two small networks."""

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import Aux, Game, Model
from jaxgen.training.program import Plan


def dirac(gamma: float = 0.0) -> Game:
    """Data at 0, generator theta, D(x) = psi x, R1 on the critic; the state counts the critic's moves and holds gamma.

    Mescheder et al. 2018, arXiv 1801.04406, with f(t) = -log(1 + exp(-t)).
    """

    def value(params):
        return jax.nn.softplus(params["critic"] * params["generator"])

    def critic(params, noise, batch, context):
        count = {"moves": context.state["moves"] + 1}
        return value(params) + context.state["gamma"] / 2 * params["critic"] ** 2, Aux({"psi": params["critic"]}, count)

    def plain(params, noise, batch, context):
        return value(params), Aux({})

    def generator(params, noise, batch, context):
        return -value(params), Aux({})

    def init(key, batch):
        state = {"moves": jnp.zeros((), jnp.int32), "gamma": jnp.float32(gamma)}
        return {"critic": jnp.float32(0.01), "generator": jnp.float32(0.01)}, state

    losses = {"critic": critic, "critic:plain": plain, "generator": generator}
    return Game(init, lambda key, batch: (), losses, lambda params, state: Model(None, None))


def dense(key, *sizes):
    """Weights and biases of a multilayer perceptron."""
    keys = jax.random.split(key, len(sizes) - 1)
    pairs = zip(sizes[:-1], sizes[1:], keys, strict=True)
    return [(jax.random.normal(k, (m, n)) / m**0.5, jnp.zeros((1, n))) for m, n, k in pairs]


def apply(layers, x):
    """Tanh between layers, none after the last."""
    for i, (w, b) in enumerate(layers):
        x = x @ w + b
        x = jnp.tanh(x) if i + 1 < len(layers) else x
    return x


def small_vae(dim: int = 2, latent: int = 2, width: int = 8) -> Game:
    """Gaussian posterior and unit-variance Gaussian observation; a state that counts, an info that shows the noise."""

    def init(key, batch):
        k_e, k_d = jax.random.split(key)
        return {"vae": {"e": dense(k_e, dim, width, 2 * latent), "d": dense(k_d, latent, width, dim)}}, {
            "seen": jnp.zeros((), jnp.int32)
        }

    def draw(key, batch):
        return jax.random.normal(key, (batch.x.shape[0], latent))

    def loss(params, noise, batch, context):
        own = params["vae"]
        x = batch.x.reshape(batch.x.shape[0], -1)
        mean, raw = jnp.split(apply(own["e"], x), 2, -1)
        log_std = 3 * jnp.tanh(raw)
        y = apply(own["d"], mean + jnp.exp(log_std) * noise)
        kl = jnp.sum(0.5 * (jnp.exp(2 * log_std) + mean**2 - 1) - log_std, -1)
        value = jnp.mean(0.5 * jnp.sum((x - y) ** 2, -1) + kl)
        seen = {"seen": context.state["seen"] + x.shape[0]}
        return value, Aux({"kl_nats": jnp.mean(kl), "noise": noise[0, 0], "first": x[0, 0]}, seen)

    def model(params, state):
        own = params["vae"]
        return Model(
            draw=lambda key, n: jax.random.normal(key, (n, latent)),
            sample=lambda noise: apply(own["d"], noise),
            decode=lambda z: apply(own["d"], z),
            encode=lambda x: jnp.split(apply(own["e"], x), 2, -1)[0],
            draw_posterior=lambda key, K, x: jax.random.normal(key, (K, x.shape[0], latent)),
            scores={"reconstruction": lambda noise, x: jnp.sum((x - apply(own["d"], x)) ** 2, -1)},
            features={"first": lambda x: jnp.tanh(x @ own["e"][0][0])},
        )

    return Game(init, draw, {"vae": loss}, model)


def small_gan(dim: int = 2, latent: int = 2, width: int = 8) -> Game:
    """Non-saturating, without a penalty."""

    def init(key, batch):
        k_c, k_g = jax.random.split(key)
        return {"critic": dense(k_c, dim, width, 1), "generator": dense(k_g, latent, width, dim)}, {}

    def draw(key, batch):
        return jax.random.normal(key, (batch.x.shape[0], latent))

    def fake(params, noise):
        return apply(params["critic"], apply(params["generator"], noise))

    def critic(params, noise, batch, context):
        real = apply(params["critic"], batch.x)
        value = jnp.mean(jax.nn.softplus(-real) + jax.nn.softplus(fake(params, noise)))
        return value, Aux({"noise": noise[0, 0]})

    def generator(params, noise, batch, context):
        return jnp.mean(jax.nn.softplus(-fake(params, noise))), Aux({"noise": noise[0, 0]})

    def model(params, state):
        return Model(lambda key, n: jax.random.normal(key, (n, latent)), lambda z: apply(params["generator"], z))

    return Game(init, draw, {"critic": critic, "generator": generator}, model)


def vae_plan(**sizes) -> Plan:
    """One player, Adam, a moving average."""
    return Plan(small_vae(**sizes), {"vae": optax.adam(1e-2)}, (("vae",),), 0.05)


def gan_plan(**sizes) -> Plan:
    """Two critic turns to one, momentum (Adam would hide a gradient of another size), a moving average."""
    heavy = {"critic": optax.sgd(0.1, 0.9), "generator": optax.sgd(0.1, 0.9)}
    return Plan(small_gan(**sizes), heavy, (("critic",), ("critic",), ("generator",)), 0.05)


def linear(turns=(("a",), ("b",)), ema=None, size=2) -> Plan:
    """Two players whose gradients are known: that of "a" is noise + x, that of "b" is (a - b) noise; both count."""

    def a(params, noise, batch, context):
        value = jnp.sum(params["a"] * (noise + batch.x[0]))
        return value, Aux({"noise": noise[0]}, {"moves": context.state["moves"] + 1})

    def b(params, noise, batch, context):
        return -0.5 * jnp.sum(noise * (params["a"] - params["b"]) ** 2), Aux({"noise": noise[0]})

    def init(key, batch):
        return {"a": jnp.zeros(size), "b": jax.random.normal(key, (size,))}, {"moves": jnp.int32(0)}

    def model(params, state):
        return Model(lambda key, n: jax.random.normal(key, (n, size)), lambda noise: params["b"][None] + noise)

    game = Game(init, lambda key, batch: jax.random.normal(key, (size,)), {"a": a, "b": b}, model)
    return Plan(game, {"a": optax.sgd(0.1), "b": optax.sgd(0.1, 0.9)}, turns, ema)
