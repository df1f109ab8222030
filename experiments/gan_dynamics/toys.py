"""Games of two and four numbers, played in every way: predicted, simulated and by the closed form."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from experiments.gan_dynamics.ways import Config, Way, way
from jaxgen.core import Batch, Game
from jaxgen.games import bilinear, dirac, lq
from jaxgen.objectives import r1
from jaxgen.training.dynamics import fitted_log_rate, log_rate, rotation, spectrum
from jaxgen.training.step import State, Step, make_step

GOLDEN = (1 + math.sqrt(5)) / 2
NEAR, NEARER = 1e-4, 1e-11  # distances of the starts where distances shrink or stay, and where they grow
LARGEST, FOLDS = 1e-3, 26  # from where on squares count; a run that grows ends after that many e-folds
REPEATS = 10**6  # updates that Adam and optimistic descent are told they have made: none is at its start


class Toy(NamedTuple):
    """A game, its data, and what is known of it."""

    build: Callable[..., Game]
    examples: tuple[float, ...]
    rest: tuple[float, ...]  # the equilibrium, as one vector
    other: tuple[float, ...]  # where else the players may meet
    turning: tuple[float, ...]  # the speeds w at which it turns
    squared: bool = False  # whether R1 of weight gamma damps by gamma w^2 in place of gamma
    least: float = 1e-150  # the smallest distance that float64 tells from none


TOYS = {
    "Dirac-GAN": Toy(dirac, (0.0,), (0.0, 0.0), (0.0, 0.0), (0.5,)),
    "bilinear game": Toy(bilinear, (0.0,), (0.0, 0.0), (0.0, 0.0), (1.0,)),
    # Examples 0 and 1, z -1 and 1: mean and standard deviation are 1/2, the speeds the golden ratio and its inverse.
    "LQ-GAN": Toy(
        *(lq, (0.0, 1.0), (0.0, 0.0, 0.5, 0.5), (0.0, 0.0, -0.5, 0.5), (GOLDEN, 1 / GOLDEN)), squared=True, least=1e-12
    ),
}


class Played(NamedTuple):
    """One game, played in one way."""

    figures: dict[str, float | None]
    far: np.ndarray  # f64[far_steps + 1, N], the path from where all numbers are 1


def measure(name: str, game: str, config: Config) -> Played:
    """Figures of one case. In float64, so that a run can stay where its step is its linear part."""
    entry, toy = way(name, config), TOYS[game]
    damping = [entry.gamma * (w**2 if toy.squared else 1) for w in toy.turning]
    exact = np.concatenate([entry.factors(w, g) for w, g in zip(toy.turning, damping, strict=True)])
    with jax.enable_x64(True):
        step, at, batches = _set(entry, toy)
        eigenvalues = spectrum(step, at(np.asarray(toy.rest)), jax.random.key(0), batches)
        predicted = log_rate(eigenvalues)
        grows = predicted > 1e-6
        steps = int(min(config.steps, FOLDS / max(predicted, 1e-6)))
        starts = np.asarray(toy.rest) + (NEARER if grows else NEAR) * _directions(config.starts, len(toy.rest))
        paths, far = _play(step, at, batches, starts, steps, config.far_steps)
    rates = [_rate(path - np.asarray(toy.rest), eigenvalues, toy.least) for path in paths]
    end = min(float(np.linalg.norm(far[-1] - np.asarray(place))) for place in (toy.rest, toy.other))
    figures = {
        "closed_form_log_rate": log_rate(exact),
        "predicted_log_rate": predicted,
        "simulated_log_rate": float(np.mean(rates)),
        "largest_difference": float(np.max(np.abs(np.subtract(rates, predicted)))),
        "rotation": rotation(eigenvalues),
        "distance_in_the_end": end if math.isfinite(end) else None,
    }
    return Played(figures, far)


def _set(entry: Way, toy: Toy) -> tuple[Step, Callable[[Any], State], Batch]:
    """(the step, (params as a vector) -> a state that is not at its start, the batches)."""
    game = entry.form(toy.build(penalty=r1(entry.gamma) if entry.gamma else None))
    z = jnp.array([[-1.0], [1.0]])[: len(toy.examples)]
    even = game._replace(draw=lambda key, batch: {**game.draw(key, batch), "z": z})
    step = make_step(even, {"critic": entry.critic, "generator": entry.generator}, entry.turns, rule=entry.rule)
    batches = Batch(jnp.array([[[x] for x in toy.examples]] * len(entry.turns)))
    state = step.init(jax.random.key(0), jax.tree.map(lambda a: a[0], batches))
    restore = ravel_pytree(state.params)[1]
    opts = jax.tree.map(lambda a: a & False if a.dtype == bool else a, state.opts)  # the first step is behind
    opts = jax.tree.map(lambda a: a + REPEATS if jnp.issubdtype(a.dtype, jnp.integer) else a, opts)
    return step, lambda params: state._replace(params=restore(jnp.asarray(params)), opts=opts), batches


def _play(step, at, batches, starts: np.ndarray, steps: int, far_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The paths f64[S, steps + 1, N] from `starts`, and that from ones, [far_steps + 1, N]."""
    key = jax.random.key(0)

    def run(start):
        def body(state, _):
            state, _ = step.update(state, key, batches)
            return state, ravel_pytree(state.params)[0]

        _, path = jax.lax.scan(body, at(start), length=max(steps, far_steps))
        return jnp.concatenate([start[None], path])

    paths = np.asarray(jax.jit(jax.vmap(run))(jnp.asarray(np.concatenate([starts, np.ones_like(starts[:1])]))))
    return paths[:-1, : steps + 1], paths[-1, : far_steps + 1]


def _rate(path: np.ndarray, eigenvalues: np.ndarray, least: float) -> float:
    """The rate of the later two thirds of a path, where it is neither too far out nor lost in rounding."""
    distances = np.linalg.norm(path, axis=1)
    distances = distances[(distances < LARGEST) & (distances > least)]
    return fitted_log_rate(distances[len(distances) // 3 :], eigenvalues)


def _directions(starts: int, size: int) -> np.ndarray:
    """f64[starts, size], of length 1; start i is the same whatever their number."""
    results = np.asarray(draw_directions(starts, size), np.float64)
    return results / np.linalg.norm(results, axis=1, keepdims=True)


def draw_directions(starts: int, size: int) -> jax.Array:
    """Normal numbers [starts, size]."""
    keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(0)))(jnp.arange(starts))
    return jax.vmap(lambda key: jax.random.normal(key, (size,), jnp.float32))(keys)
