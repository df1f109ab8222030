"""Two Gaussians on the line, at several distances: the generator's gradient while its critic learns."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import norm

from experiments.critics import approach, dense, located, stops
from experiments.vanishing_gradient.losses import WAYS, Way
from jaxgen.games import gan

NODES = np.linspace(-5, 5, 41)  # of a standard normal; all pairs of them are real and fake examples
PERFECT, SOME = 0.99, 0.55  # least shares of pairs that a critic must tell apart to count; guessing gives 0.5
SAMPLE = norm.ppf((np.arange(4096) + 0.5) / 4096)  # for a loss that takes means of its own


@dataclasses.dataclass(frozen=True)
class Config:
    """A critic of two layers, and Adam whose rate falls to zero along half a cosine."""

    shifts: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    seeds: int = 8
    steps: int = 2000
    batch: int = 128
    width: int = 32
    rate: float = 3e-3


@dataclasses.dataclass(frozen=True)
class Course:
    """One loss: figures f64[stops, shifts, seeds]."""

    stops: list[int]
    gradient: np.ndarray  # norm of the generator's gradient in its mean
    told_apart: np.ndarray  # share of pairs in which the real example has the higher logit; a tie is half a pair

    def counted(self, place: int, least: float) -> np.ndarray:
        """Seeds bool[seeds] whose last critic at a place of the axis of shifts is finite and tells `least` apart."""
        return np.isfinite(self.gradient[-1, place]) & (self.told_apart[-1, place] >= least)


def least(shift: float) -> float:
    """The share of pairs that a critic must tell apart at a distance to count.

    The best critics of hinge and total variation are right about norm.cdf(d / 2) of the pairs, all others about more.

    >>> [least(shift) for shift in (0.5, 1.0, 2.0, 4.0, 8.0)]
    [0.55, 0.55, 0.55, 0.55, 0.99]
    """
    return PERFECT if norm.cdf(shift / 2) > 0.999 else SOME


def course(name: str, config: Config) -> Course:
    """All shifts and seeds of a loss, in one program."""
    way, shifts = WAYS[name], len(config.shifts)
    critic = dense(config.width)
    game = gan(located(), critic, latent_dim=1, loss=way.loss, penalty=way.penalty)
    means = jnp.repeat(jnp.asarray(config.shifts, jnp.float32), config.seeds)[:, None]
    adam = optax.adam(optax.cosine_decay_schedule(config.rate, config.steps))

    def draw(key):
        return jax.random.normal(key, (config.batch, 1))

    @jax.jit
    def look(critics, means):
        return jax.vmap(lambda params, mean: figures(way, lambda x: critic.apply(params, x), mean))(critics, means)

    looks, history = stops(config.steps), []
    generators = {"mean": means, "log_std": jnp.zeros_like(means)}
    for state in approach(game, adam, draw, generators, runs=len(means), stops=looks):
        history.append(np.asarray(look({"params": state.params["critic"]}, means[:, 0]), np.float64))
    gradient, told_apart = np.moveaxis(np.stack(history), -1, 0).reshape(2, len(looks), shifts, config.seeds)
    return Course(looks, gradient, told_apart)


def figures(way: Way, critic, mean: jax.Array) -> jax.Array:
    """(norm of the gradient, share of pairs told apart) of a critic x [N, 1] -> logits [N], at the shift `mean`."""
    nodes, weights = jnp.asarray(NODES, jnp.float32), jnp.asarray(norm.pdf(NODES) / norm.pdf(NODES).sum(), jnp.float32)
    real = critic(nodes[:, None])
    each = weights[:, None] * weights[None]

    def paired(mean):
        fake = critic(mean + nodes[:, None])
        r, f = (jnp.broadcast_to(a, each.shape) for a in (real[:, None], fake[None]))
        return jnp.sum(each * way.loss.generator(r, f))

    def averaged(mean):
        z = jnp.asarray(SAMPLE, jnp.float32)[:, None]
        return jnp.mean(way.loss.generator(critic(z), critic(mean + z)))

    gradient = jax.grad(averaged if way.loss.couples else paired)(mean)
    gap = real[:, None] - critic(mean + nodes[:, None])[None]
    told_apart = jnp.sum(each * jnp.heaviside(gap, 0.5))
    return jnp.stack([jnp.abs(gradient), told_apart])
