"""ring8 under every remedy: how much of the data is met, and how steep the critic is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.gradient_penalty.ways import NONE, Config, planar
from experiments.ring import Look, looks
from jaxgen.comparison.statistics import difference, holm, interval
from jaxgen.data import load
from jaxgen.games import gan
from jaxgen.objectives import NON_SATURATING
from jaxgen.objectives.penalties import squared_slope
from jaxgen.recipes import Spec
from jaxgen.training.program import Plan
from jaxgen.training.step import Ema, ema_rate

REACH, SIDE = 1.5, 61  # the square in which the critic's largest slope is looked for, and points along its side


class Ring(NamedTuple):
    """All seeds of one remedy."""

    look: Look
    largest: np.ndarray  # f64[S], |grad D| at the steepest of the points of a grid
    at_data: np.ndarray  # f64[S], mean |grad D|
    at_samples: np.ndarray  # f64[S]


def measure(name: str, config: Config) -> Ring:
    """Trains every seed and takes the critic's slopes."""
    entry, spec, data = planar(name, config), Spec((2,)), load("ring8")
    critic = entry.critic(spec.critic())
    game = gan(spec.generator(), critic, latent_dim=config.latent, loss=NON_SATURATING, penalty=entry.penalty)
    adam = optax.adam(config.rate, b1=0.5, b2=0.99)
    optimizers = {"critic": entry.optimizer(adam), "generator": adam}
    average = Ema(ema_rate(0.001), ("generator",))
    plan = Plan(game, optimizers, (("critic",), ("generator",)), average, batch_size=config.batch)
    look = looks(plan, data, seeds=config.seeds, rounds=(config.updates,))[config.updates]

    def slopes(params, state, x):
        return jnp.sqrt(squared_slope(lambda x: critic.apply(params, state, None, x)[0], x))

    line = np.linspace(-REACH, REACH, SIDE)
    grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    judge = look.state.params["critic"], look.state.context.state["critic"]
    everywhere = jax.jit(jax.vmap(slopes, (0, 0, None)))
    largest = everywhere(*judge, jnp.asarray(grid, jnp.float32)).max(1)
    at_data = everywhere(*judge, jnp.asarray(data.train.x[:500])).mean(1)
    at_samples = jax.jit(jax.vmap(slopes))(*judge, jnp.asarray(look.samples[:, :500])).mean(1)
    return Ring(look, *(np.asarray(a, np.float64) for a in (largest, at_data, at_samples)))


def ring_rows(results: Mapping[str, Ring]) -> dict[str, dict[str, Any]]:
    """A row for each remedy, and its difference from none, paired by seed."""
    rows, none = {}, results[NONE]
    for name, entry in results.items():
        rows[name] = {
            "overlap_percent": _ends(interval(entry.look.overlaps.tolist())),
            "captured_modes": float(np.mean([count.captured for count in entry.look.counts])),
            "largest_slope": _ends(interval(entry.largest.tolist())),
            "slope_at_data": float(entry.at_data.mean()),
            "slope_at_samples": float(entry.at_samples.mean()),
            "arithmetic_of_a_step": entry.look.flops / none.look.flops,
            "failed_seeds": int(entry.look.failed.sum()),
        }
    return rows


def gain_rows(results: Mapping[str, Ring]) -> dict[str, dict[str, Any]]:
    """By how much the overlap grows and by what factor the largest slope falls, against no penalty, paired by seed.

    P values are corrected over the remedies (Holm).
    """
    rows, none = {}, results[NONE]
    p: dict[str, dict[str, float]] = {"p_overlap": {}, "p_slope": {}}
    for name, entry in results.items():
        if name != NONE:
            more = difference(dict(enumerate(entry.look.overlaps)), dict(enumerate(none.look.overlaps)))
            steeper = difference(dict(enumerate(np.log(entry.largest))), dict(enumerate(np.log(none.largest))))
            rows[name] = {
                "more_overlap": _ends(more),
                "slope_as_a_factor": [None if end is None else float(np.exp(end)) for end in _ends(steeper)],
            }
            p["p_overlap"][name], p["p_slope"][name] = more.p, steeper.p
    for column, values in p.items():
        for name, value in holm(values).items():
            rows[name][column] = None if np.isnan(value) else value
    return rows


def _ends(results: Any) -> list[float | None]:
    return [None if np.isnan(end) else float(end) for end in (results.mean, results.low, results.high)]
