"""Importance bounds of an encoder that is off, and annealed importance sampling, where log p(x) is known."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.exact_vae.model import Config, batch_of, best_columns, build, draw_data, keys, log_p, optimum
from experiments.exact_vae.training import STATE, weigher
from jaxgen.comparison.statistics import interval
from jaxgen.core import merge, repeat, split
from jaxgen.metrics import annealed
from jaxgen.nets import network
from jaxgen.objectives import GAUSSIAN, fixed_gaussian, importance, standard


class Bracket(NamedTuple):
    """Nats above log p(x), one number for each seed and example, f64[S, N]."""

    forward: np.ndarray
    reverse: np.ndarray
    accepted: float  # share of moves that were taken


def gaps(config: Config) -> dict[int, np.ndarray]:
    """log p(x) minus the importance bound of K samples, by K: the mean over examples and draws of each seed, f64[S].

    With u the mean of w / p(x) over the K samples, the gap is E[u - 1 - log u]: E u = 1 exactly, and taking u - 1 along
    removes most of the noise.
    """
    results: dict[int, list[float]] = {count: [] for count in config.counts}
    weigh = weigher(config)
    for seed, key in enumerate(keys(config.seeds, 2)):
        data = draw_data(config, seed)
        x, exact = batch_of(data).x, log_p(config, best_columns(config, data), data.mean, data.x)
        log_w = weigh(config.draws, optimum(config, data, config.offset), key, x)
        log_w = log_w - jnp.asarray(exact, jnp.float32)[None]  # [draws, N]
        for count in config.counts:
            groups = log_w[: config.draws // count * count].reshape(-1, count, len(x)).swapaxes(0, 1)
            log_u = importance(groups.reshape(count, -1))
            results[count].append(float(np.mean(np.asarray(jnp.expm1(log_u) - log_u, np.float64))))
    return {count: np.array(values) for count, values in results.items()}


def brackets(config: Config) -> dict[int, Bracket]:
    """Annealed importance sampling of examples that each seed's model made, by number of temperatures."""
    draws = [_simulated(config, seed, key) for seed, key in enumerate(keys(config.seeds, 3))]
    given, z, exact = jax.tree.map(lambda *a: np.stack(a), *draws)
    return {steps: _bracket(config, steps, given, z, np.asarray(exact, np.float64)) for steps in config.temperatures}


def _simulated(config: Config, seed: int, key) -> tuple[dict[str, Any], Any, Any]:
    """(what the densities read, z f32[N, M], log p(x) f64[N]) of examples of the model itself."""
    data, params = draw_data(config, seed), optimum(config, draw_data(config, seed))
    model = build(config).model(params, STATE)
    assert model.draw is not None and model.sample is not None
    noise = model.draw(key, config.examples)
    x = model.sample(noise)
    exact = log_p(config, best_columns(config, data), data.mean, np.asarray(x, np.float64))
    return {"x": x, "decoder": params["vae"]["decoder"]}, noise["z"], exact


def target(config: Config) -> annealed.Target:
    """The densities of the library's decoder and observation, for the examples and the params that are handed in."""
    decoder, observation = network(nn.Dense(len(config.eigenvalues))), fixed_gaussian(math.sqrt(config.variance))

    def log_likelihood(z, given):
        y, _ = decoder.apply(given["decoder"], {}, None, merge(z))
        return split(observation.log_prob((), y, repeat(given["x"], len(z))), len(z))

    return annealed.Target(lambda z, given: GAUSSIAN.log_prob(standard(z), z), log_likelihood)


def _bracket(config: Config, steps: int, given: Any, z: Any, exact: np.ndarray) -> Bracket:
    densities, betas = target(config), annealed.schedule(steps)
    shape = (config.chains, config.examples, config.units)

    @jax.vmap
    def both(key, given, z):
        start, *noise = draw_chains(key, shape, betas)
        rates = annealed.tune(densities, start, given, noise[0], betas, 0.3, leapfrog=config.leapfrog)
        up = annealed.forward(densities, start, given, noise[1], betas, rates, leapfrog=config.leapfrog)
        back = jnp.broadcast_to(z[None], shape)  # each z is one exact sample of its posterior
        down = annealed.reverse(densities, back, given, noise[2], betas, rates, leapfrog=config.leapfrog)
        return annealed.lower(up.log_w), annealed.upper(down.log_w), jnp.mean(up.accepted)

    low, high, accepted = jax.jit(both)(keys(config.seeds, 4), given, z)
    return Bracket(np.asarray(low, np.float64) - exact, np.asarray(high, np.float64) - exact, float(accepted.mean()))


def draw_chains(key, shape: tuple[int, int, int], betas) -> tuple[Any, ...]:
    """(samples of the prior f32[K, B, D], noise to tune with, noise forward, noise back)."""
    k_start, *others = jax.random.split(key, 4)
    return (jax.random.normal(k_start, shape), *(annealed.draw(k, shape, betas) for k in others))


def bracket_rows(results: Mapping[int, Bracket]) -> dict[str, dict[str, Any]]:
    """A row for each number of temperatures: means over seeds, with 95 % intervals, of nats above the true log p(x).

    A seed's figure is the mean over its examples. The difference of the two sides is taken within each seed.
    """
    rows = {}
    for steps, bracket in sorted(results.items()):
        forward, reverse = bracket.forward.mean(1), bracket.reverse.mean(1)
        rows[f"{steps} temperatures"] = {
            "forward": list(interval(forward.tolist())[:3]),
            "reverse": list(interval(reverse.tolist())[:3]),
            "reverse_minus_forward": list(interval((reverse - forward).tolist())[:3]),
            "moves_taken": bracket.accepted,
        }
    return rows


def by_formula(config: Config, count: int) -> float:
    """(e^(|d|^2/s_q^2) - 1) / (2 K): the gap at large K."""
    return float(np.expm1(config.offset)) / (2 * count)


def count_rows(config: Config, results: Mapping[int, np.ndarray]) -> dict[str, dict[str, Any]]:
    """A row for each K."""
    rows = {}
    for count, values in results.items():
        mean, low, high, _ = interval(values.tolist())
        rows[f"K = {count}"] = {
            "gap_nats": [mean, low, high],
            "formula_nats": by_formula(config, count),
            "gap_over_formula": mean / by_formula(config, count),
        }
    return rows
