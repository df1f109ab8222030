"""The experiment `high_quality`: its verdict on made-up figures, and its setting."""

import math

import numpy as np
import pytest
from test_experiments_mode_collapse import MODES, seed

from experiments import high_quality


def figures(good, lowest=96.0):
    return {"seeds_with_all_modes_and_quality": good, "seeds": 10, "lowest_percent": lowest}


@pytest.mark.parametrize(
    ("good", "word"), [((10, 10), "supported"), ((10, 9), "depends"), ((0, 1), "depends"), ((0, 0), "not supported")]
)
def test_verdict(good, word):
    # Kills: most seeds for all; one data set for both.
    found = high_quality.verdict({f"set {i}": figures(n) for i, n in enumerate(good)})
    assert found.word == word and f"set 1: {good[1]} of 10 seeds, lowest 96.0 %" in found.because


def test_seeds_become_figures():
    # Kills: quality without all modes, or modes without quality; the mean as the lowest.
    row = high_quality.row([seed(3, 95.0), seed(3, 94.9), seed(2, 99.0), seed(3, 98.0)], MODES)
    assert (row["seeds_with_all_modes_and_quality"], row["fewest_modes"], row["lowest_percent"]) == (2, 2, 94.9)


def test_the_rate_falls_to_0():
    # Kills: a rate that stays, or that falls over the burn-in; b2 of the end at the start; b1 of another recipe.
    config = high_quality.Config(steps=8, burn_in=2, rate=0.5)
    plan = high_quality.plan(config, 2)
    one, seen = np.ones(1, np.float32), []
    for player in ("critic", "generator"):
        state = plan.optimizers[player].init(one)
        for n in range(9):
            _, state = plan.optimizers[player].update(one, state)
            if n in (0, 1, 4, 8):
                seen.append([float(state.hyperparams[name]) for name in ("learning_rate", "b1", "b2")])
    half = 0.25 * (1 + math.cos(math.pi / 8))
    np.testing.assert_allclose(
        seen, [[0.5, 0, 0.9], [half, 0, 0.945], [0.25, 0, 0.99], [0, 0, 0.99]] * 2, rtol=1e-5, atol=1e-7
    )
