"""The VAE of which everything is known: linear networks, x = W z + b + noise, which is probabilistic PCA.

Tipping and Bishop 1999; Lucas et al. 2019, arXiv 1911.02469. With data of covariance Q diag(lambda) Q^T and noise of
variance s^2, the optimum of the objective with weight beta of the KL has the columns w_i = sqrt(max(0, lambda_i -
beta s^2)) q_i, in any order and of either sign, and the posterior of a model with noise of variance beta s^2.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Array, Batch, Game
from jaxgen.games import vae
from jaxgen.latents import vector
from jaxgen.objectives import fixed_gaussian

BOUND = 7.0  # a log_std of the library is 7 tanh(raw / 7) of a network's raw number


@dataclasses.dataclass(frozen=True)
class Config:
    """The data and the model, and how much is trained, drawn and annealed."""

    eigenvalues: tuple[float, ...] = (6.0, 3.5, 1.6, 0.8, 0.3, 0.3)  # of the covariance of the data, D of them
    units: int = 5  # latents, M
    variance: float = 0.5  # of the noise of an observation, s^2
    betas: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0, 20.0)
    seeds: int = 8
    examples: int = 16
    steps: int = 12_000
    rate: float = 0.05  # of Adam, at the start; it falls to zero along a cosine
    samples: int = 16  # K of the training with drawn noise
    offset: float = 0.6  # |d|^2 / s_q^2 of an encoder whose means are off by d: the ELBO then lacks half of it
    counts: tuple[int, ...] = (1, 5, 50, 500)  # K of the importance bound
    draws: int = 100_000  # posterior samples for each example; a whole number of times each K
    temperatures: tuple[int, ...] = (10, 100, 1000)
    chains: int = 16
    leapfrog: int = 5


class Data(NamedTuple):
    """Examples whose mean and covariance are exactly what was asked for."""

    x: np.ndarray  # f64[N, D]
    mean: np.ndarray  # f64[D]
    directions: np.ndarray  # f64[D, D], column i has the variance lambda_i


def build(config: Config, beta: Any = 1.0, **options: Any) -> Game:
    """The library's own game, with a linear encoder and a linear decoder."""
    return vae(
        nn.Dense(2 * config.units),
        nn.Dense(len(config.eigenvalues)),
        vector(config.units),
        observation=fixed_gaussian(math.sqrt(config.variance)),
        beta=beta,
        **options,
    )


def draw_data(config: Config, seed: int) -> Data:
    """Random directions, and examples that are exact in mean and covariance."""
    rng, size = np.random.default_rng(seed), len(config.eigenvalues)
    directions = np.linalg.qr(rng.normal(size=(size, size)))[0]
    raw = rng.normal(size=(config.examples, size))
    white = math.sqrt(config.examples) * np.linalg.qr(raw - raw.mean(0))[0]
    mean = rng.normal(size=size)
    return Data(white * np.sqrt(config.eigenvalues) @ directions.T + mean, mean, directions)


def best_columns(config: Config, data: Data, beta: float = 1.0) -> np.ndarray:
    """W^T f64[M, D] at the optimum, in the order of the eigenvalues."""
    largest = np.asarray(config.eigenvalues)[: config.units]
    return np.sqrt(np.maximum(largest - beta * config.variance, 0))[:, None] * data.directions.T[: config.units]


def optimum(config: Config, data: Data, offset: float = 0.0) -> dict[str, Any]:
    """The params of the optimum of beta = 1, as `build` takes them; `offset` is |d|^2 / s_q^2 of the encoder."""
    columns, noise = best_columns(config, data), config.variance
    precision = 1 + (columns**2).sum(1) / noise  # of the posterior, which is diagonal here
    means = columns / noise / precision[:, None]  # [M, D]
    shift = np.sqrt(offset / config.units / precision)
    raw = BOUND * np.arctanh(-0.5 * np.log(precision) / BOUND)
    encoder = {
        "kernel": np.concatenate([means.T, np.zeros_like(means.T)], 1),
        "bias": np.concatenate([shift - means @ data.mean, raw]),
    }
    params, _ = build(config).init(jax.random.key(0), Batch(jnp.asarray(data.x, jnp.float32)))
    new = {"encoder": encoder, "decoder": {"kernel": columns, "bias": data.mean}}
    return {"vae": params["vae"] | jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), new)}


def log_p(config: Config, columns: np.ndarray, mean: np.ndarray, x: np.ndarray) -> np.ndarray:
    """log N(x; mean, W W^T + s^2 I), f64[N] nats."""
    size = x.shape[1]
    covariance = columns.T @ columns + config.variance * np.eye(size)
    miss = x - mean
    square = np.sum(miss * np.linalg.solve(covariance, miss.T).T, 1)
    return -0.5 * (square + np.linalg.slogdet(covariance)[1] + size * math.log(2 * math.pi))


def every_direction(config: Config) -> dict[str, Any]:
    """Noise of K = 2 M samples at which the mean over samples of a square is exact: +-sqrt(M) along each latent.

    Their mean is 0 and their covariance is I, as those of N(0, I) are, and the loss of a linear VAE with the KL in
    closed form is a square of the noise.
    """
    points = math.sqrt(config.units) * jnp.concatenate([jnp.eye(config.units), -jnp.eye(config.units)])
    shape = (2 * config.units, config.examples, config.units)
    return {"encoder": (), "latent": jnp.broadcast_to(points[:, None], shape), "decoder": ()}


def exactly(config: Config, game: Game) -> Game:
    """`game` whose noise is averaged exactly, so that nothing of its loss is left to chance."""
    noise = every_direction(config)
    return game._replace(draw=lambda key, batch: noise)


def batch_of(data: Data) -> Batch:
    """The examples as the game sees them."""
    return Batch(jnp.asarray(data.x, jnp.float32))


def keys(seeds: int, use: int) -> Array:
    """A key for each seed, the same whatever their number; each `use` of them has its own."""
    return jax.vmap(lambda i: jax.random.fold_in(jax.random.key(use), i))(jnp.arange(seeds))
