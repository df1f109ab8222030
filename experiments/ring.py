"""Small GANs on Gaussians in the plane: every seed of a plan in one program, looked at wherever one wants to."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Array, Batch
from jaxgen.data import Data, Modes
from jaxgen.metrics.modes import ModeCount, count_modes
from jaxgen.training.program import Plan
from jaxgen.training.step import State

SAMPLES = 2500  # of a seed, as published figures count them


class Look(NamedTuple):
    """All seeds of a plan after some rounds."""

    state: State  # leaves [S, ...]
    samples: np.ndarray  # f32[S, SAMPLES, 2], of the moving average of the generator, where the plan keeps one
    counts: tuple[ModeCount, ...]
    overlaps: np.ndarray  # f64[S] %, see `overlap`
    failed: np.ndarray  # bool[S], whether a round was not finite
    flops: float = math.nan  # of the program that plays the rounds, by the compiler's count: for ratios of plans


def looks(plan: Plan, data: Data, *, seeds: int, rounds: Sequence[int]) -> dict[int, Look]:
    """Plays the plan for every seed at once, in one compiled program, and looks after each of `rounds`.

    Seeds differ in their start, their batches and their noise; seed i is the same whatever their number.
    """
    assert data.modes is not None
    modes = data.modes
    step, x, marks = plan.step(), jnp.asarray(data.train.x), sorted(set(rounds))
    chunk, size = math.gcd(*marks), (len(plan.turns), plan.batch_size)
    k_init, k_noise, k_data, k_look = (_keys(use, seeds) for use in range(4))
    states = jax.jit(jax.vmap(lambda key: step.init(key, Batch(x[: plan.batch_size]))))(k_init)

    def play(state, key, data_key, first):
        def body(state, n):
            return step.update(state, key, draw_batches(jax.random.fold_in(data_key, n), x, size))[0], None

        return jax.lax.scan(body, state, first + jnp.arange(chunk))[0]

    def sample(state, key):
        model = step.model(state)
        assert model.sample is not None and model.draw is not None
        return model.sample(model.draw(key, SAMPLES))

    played = jax.jit(jax.vmap(play, (0, 0, 0, None)), donate_argnums=0)
    advance = played.lower(states, k_noise, k_data, jnp.int32(0)).compile()
    flops = float(dict(advance.cost_analysis() or {}).get("flops", math.nan))
    sampled, results = jax.jit(jax.vmap(sample)), {}
    for first in range(0, marks[-1], chunk):
        states = advance(states, k_noise, k_data, jnp.int32(first))
        if (at := first + chunk) in marks:
            samples = np.asarray(sampled(states, k_look))
            saved = jax.tree.map(np.array, states)  # the next round consumes them
            counts = tuple(count_modes(one, modes) for one in samples)
            overlaps = np.array([overlap(one, modes) for one in samples])
            results[at] = Look(saved, samples, counts, overlaps, saved.skipped > 0, flops)
    return results


def overlap(samples: np.ndarray, modes: Modes) -> float:
    """100 sum_m min(p_m, 1 / M), p_m the share of all samples [N, 2] that are within 3 std of mode m, of M modes.

    How much of the samples is where the data are, and as evenly: real data have about 98, samples of one of eight
    modes 12.5, whatever their quality, and samples between the modes 0.

    >>> two = Modes(np.array([[0.0, 0.0], [1.0, 0.0]]), 0.1)
    >>> overlap(np.array([[0.0, 0.1], [0.0, 0.0], [0.1, 0.0], [1.0, 0.0]]), two)
    75.0
    """
    distance = np.linalg.norm(np.asarray(samples, np.float64)[:, None] - np.asarray(modes.means)[None], axis=-1)
    nearest = distance.argmin(1)[distance.min(1) < 3 * modes.std]
    shares = np.bincount(nearest, minlength=len(modes.means)) / len(samples)
    return float(100 * np.minimum(shares, 1 / len(modes.means)).sum())


def draw_batches(key: Array, x: Array, size: tuple[int, int]) -> Batch:
    """A batch for each turn of a round, drawn with replacement."""
    return Batch(x[jax.random.randint(key, size, 0, len(x))])


def _keys(use: int, seeds: int) -> Array:
    return jax.vmap(lambda i: jax.random.fold_in(jax.random.key(use), i))(jnp.arange(seeds))
