"""The objective at its optimum, its gradient, and what training makes of the units: against closed forms."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.exact_vae.model import (
    BOUND,
    Config,
    Data,
    batch_of,
    best_columns,
    build,
    draw_data,
    every_direction,
    exactly,
    keys,
    log_p,
    optimum,
)
from jaxgen.core import Batch, Context
from jaxgen.objectives import GAUSSIAN, closed_form, diag_gaussian, standard
from jaxgen.training.step import make_step

STATE: dict[str, Any] = {"encoder": {}, "latent": (), "decoder": {}}  # these networks have none
ACTIVE = 0.01  # nats, mean KL of a unit over the examples: below that it is collapsed
EXACT, DRAWN = "noise averaged exactly", "noise as drawn"


class Trained(NamedTuple):
    """Seeds after training; units in falling order of their weight."""

    weights: np.ndarray  # f64[S, M], squared length of each column of the decoder
    kl: np.ndarray  # f64[S, M] nats, mean over the examples
    elbo: np.ndarray  # f64[S] nats, mean over the examples, at beta = 1


def weigher(config: Config) -> Callable[..., jax.Array]:
    """(params, key, x) -> log-weights f32[K, N] of K posterior samples, compiled once for all seeds."""

    def weigh(count, params, key, x):
        model = build(config).model(params, STATE)
        assert model.log_weight is not None and model.draw_posterior is not None
        return model.log_weight(model.draw_posterior(key, count, x), x)

    return jax.jit(weigh, static_argnums=0)


def at_the_optimum(config: Config, weigh: Callable, data: Data, key: jax.Array) -> float:
    """The largest difference of the log-weight of a posterior sample from log p(x): all of them are equal there."""
    results = np.asarray(weigh(8, optimum(config, data), key, batch_of(data).x), np.float64)
    exact = log_p(config, best_columns(config, data), data.mean, data.x)
    return float(np.max(np.abs(results - exact[None])))


def differentiator(config: Config) -> Callable[..., Any]:
    """(key, batch, beta) -> (params of a random start, the gradient of the loss there), compiled once."""

    def slope(key, batch, beta):
        game = exactly(config, build(config, beta, samples=2 * config.units))
        params, state = game.init(key, batch)
        context = Context(jnp.zeros(()), state)
        grad = jax.grad(lambda p: game.losses["vae"](p, every_direction(config), batch, context)[0])(params)
        return params["vae"], grad["vae"]

    return jax.jit(slope)


def gradient_error(config: Config, slope: Callable, data: Data, key: jax.Array, beta: float) -> float:
    """The largest error of the gradient, in parts of the largest entry of its array."""
    params, results = slope(key, batch_of(data), beta)
    exact = gradient_by_hand(config, params, data.x, beta)
    errors = [
        np.max(np.abs(np.asarray(results[net][leaf], np.float64) - exact[net][leaf])) / np.max(np.abs(exact[net][leaf]))
        for net in exact
        for leaf in exact[net]
    ]
    return float(max(errors))


def gradient_by_hand(config: Config, params: Any, x: np.ndarray, beta: float) -> dict[str, dict[str, np.ndarray]]:
    """The gradient of mean_n [|x - W mu - b|^2 + sum_i s_i^2 |w_i|^2] / 2 s^2 + beta KL in closed form, in float64."""
    wide = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    columns, noise, m = wide["decoder"]["kernel"], config.variance, config.units
    h = x @ wide["encoder"]["kernel"] + wide["encoder"]["bias"]
    mean, squash = h[:, :m], np.tanh(h[:, m:] / BOUND)
    spread = np.exp(2 * BOUND * squash)  # of the posterior, its variances
    miss = x - mean @ columns - wide["decoder"]["bias"]
    by_mean = -miss @ columns.T / noise + beta * mean
    by_log_std = spread * (columns**2).sum(1) / noise + beta * (spread - 1)
    by_h = np.concatenate([by_mean, by_log_std * (1 - squash**2)], 1) / len(x)
    return {
        "encoder": {"kernel": x.T @ by_h, "bias": by_h.sum(0)},
        "decoder": {
            "kernel": (-mean.T @ miss / len(x) + spread.mean(0)[:, None] * columns) / noise,
            "bias": -miss.mean(0) / noise,
        },
    }


def train(config: Config, way: str) -> dict[float, Trained]:
    """Every seed at every beta, in one program: the library's loss and step, and all examples in each batch."""
    x = jnp.stack([batch_of(draw_data(config, seed)).x for seed in range(config.seeds)])
    one = partial(_train, config, way)
    every = jax.jit(jax.vmap(jax.vmap(one, (0, 0, None)), (None, None, 0)))
    weights, divergences, bounds = every(keys(config.seeds, 0), x, jnp.asarray(config.betas))
    order = np.argsort(-np.asarray(weights), -1)

    def sorted_units(a):
        return np.take_along_axis(np.asarray(a, np.float64), order, -1)

    results = zip(sorted_units(weights), sorted_units(divergences), np.asarray(bounds, np.float64), strict=True)
    return {beta: Trained(*row) for beta, row in zip(config.betas, results, strict=True)}


def _train(config: Config, way: str, key, x, beta):
    samples = 2 * config.units if way == EXACT else config.samples
    game = build(config, beta, samples=samples)
    game = exactly(config, game) if way == EXACT else game
    rate = optax.cosine_decay_schedule(config.rate, config.steps)
    step = make_step(game, {"vae": optax.adam(rate)}, turns=(("vae",),))
    k_init, k_noise = jax.random.split(key)

    def body(state, _):
        return step.update(state, k_noise, Batch(x[None]))[0], None

    state, _ = jax.lax.scan(body, step.init(k_init, Batch(x)), length=config.steps)
    params = state.params["vae"]
    q = diag_gaussian(*jnp.split(x @ params["encoder"]["kernel"] + params["encoder"]["bias"][None], 2, -1))
    divergence = closed_form(GAUSSIAN, GAUSSIAN)
    assert divergence is not None
    judged = exactly(config, build(config, samples=2 * config.units))
    loss, _ = judged.losses["vae"](state.params, every_direction(config), Batch(x), Context(jnp.zeros(()), STATE))
    return jnp.sum(params["decoder"]["kernel"] ** 2, -1), jnp.mean(divergence(q, standard(q.mean)), 0), -loss


def best_elbo(config: Config, seed: int) -> float:
    """The largest mean log p(x) of a model of this kind, nats: that of probabilistic PCA."""
    data = draw_data(config, seed)
    return float(np.mean(log_p(config, best_columns(config, data), data.mean, data.x)))


def unit_rows(config: Config, results: dict[str, dict[float, Trained]]) -> dict[str, dict[str, float]]:
    """A row for each beta and way of training: how many units of all seeds do what the rule says."""
    rows = {}
    for way, by_beta in results.items():
        for beta, trained in by_beta.items():
            weights = np.broadcast_to(best_weights(config, beta), trained.weights.shape)
            active, state = trained.kl >= ACTIVE, weights > 0
            rows[f"beta {beta:g}, {way}"] = {
                "units_active_by_the_rule": int(state[0].sum()),
                "fewest_active": int(active.sum(-1).min()),
                "most_active": int(active.sum(-1).max()),
                "units_as_the_rule_says": int(np.sum(active == state)),
                "units": active.size,
                "largest_kl_of_a_collapsed_unit": float(np.max(np.where(state, 0.0, trained.kl))),
                "largest_error_of_w2": float(np.max(np.abs(trained.weights - weights))),
            }
    return rows


def best_weights(config: Config, beta: float) -> np.ndarray:
    """|w_i|^2 = max(0, lambda_i - beta s^2), f64[M]."""
    return np.maximum(0.0, np.asarray(config.eigenvalues[: config.units]) - beta * config.variance)


def tight_rows(config: Config, results: dict[str, dict[float, Trained]]) -> dict[str, dict[str, float]]:
    """A row for each seed: how far the objective and its gradient are from their closed forms."""
    rows, weigh, slope = {}, weigher(config), differentiator(config)
    for seed, key in enumerate(keys(config.seeds, 1)):
        data = draw_data(config, seed)
        best = best_elbo(config, seed)
        rows[f"seed {seed}"] = {
            "log_p_of_x": best,
            "at_the_optimum": at_the_optimum(config, weigh, data, key),
            "gradient_error": max(gradient_error(config, slope, data, key, beta) for beta in config.betas),
            **{
                f"elbo_lacks_after_training,_{way}": best - float(entry[1.0].elbo[seed])
                for way, entry in results.items()
            },
        }
    return rows
