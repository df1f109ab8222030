"""The experiment `remedies`: its verdict on made-up figures, and what it measures of single remedies."""

import math

import numpy as np
import pytest

from experiments.remedies import measures, verdicts
from experiments.remedies.ways import BASE, MINIMAX, WAYS, Config

SMALL = Config(seeds=2, updates=2, batch=8, toy_steps=400, starts=2, critic_steps=400)


def row(modes=8, low=0.5, distance=0.0, cost=1.0):
    left = None if low is None else [2 * low, low, 3 * low]
    seeds = {"seeds_with_all_modes": modes, "seeds": 8}
    return {**seeds, "gradient_left": left, "distance_in_the_end": distance, "arithmetic_of_a_step": cost}


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ({"a": row(), "b": row(modes=0)}, "not supported"),
        ({"a": row(modes=7)}, "supported"),
        ({"a": row(low=0.1)}, "supported"),
        ({"a": row(low=None)}, "supported"),
        ({"a": row(distance=0.01), "b": row(distance=None), "c": row(modes=0)}, "supported"),
    ],
)
def test_verdict(rows, word):
    # Kills: two of three counted as all; a mean in place of the end of an interval; a figure that is missing as a good
    # one; one remedy's modes and another's gradient.
    assert verdicts.none_settles_all({"remedies": rows}).word == word


def test_advice_names_what_settles_most_and_the_cheapest_first():
    # Kills: the first row; the dearest first; a remedy that settles less.
    rows = {"dear": row(cost=3.0), "cheap": row(cost=1.5), "poor": row(modes=0, cost=0.5)}
    assert verdicts.practice({"remedies": rows}).startswith("Most is settled, 3 of 3, by cheap (1.5 times")
    assert "poor" not in verdicts.practice({"remedies": rows})


def test_players_of_two_numbers():
    # Kills: both at once for in turn; a penalty that is left out; the distance of the critic; a start at the rest.
    for name, rate in ((BASE, 0.0), ("R1", math.log(0.96954))):  # 1 - h gamma is the square of the factor of R1 in turn
        paths, found = measures.two_numbers(WAYS[name], SMALL)
        assert found == pytest.approx(rate, abs=1e-5)
        np.testing.assert_allclose(np.linalg.norm(paths[:, 0], axis=1), math.sqrt(2), rtol=1e-6)
        far = np.abs(paths[:, -100:, 1]).max()
        assert far < 1e-3 if name == "R1" else far > 0.1
    assert measures.two_numbers(WAYS["packs of 2"], SMALL)[0].shape == (2, 401, 2)


def test_the_saturating_gradient_vanishes_and_the_other_does_not():
    # Kills: the two distances exchanged; one loss for both; a critic that is not trained.
    saturating, other = (measures.left(WAYS[name], SMALL) for name in (MINIMAX, BASE))
    assert saturating.shape == (2,) and np.all(saturating < 0.1) and np.all(other > 0.5)
