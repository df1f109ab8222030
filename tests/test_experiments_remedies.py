"""The experiment `remedies`: its verdict on made-up figures, the figures of made-up runs, and what each way plays."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from experiments import remedies
from experiments.remedies import measures, panels, verdicts
from experiments.remedies.measures import Found, fate
from experiments.remedies.ways import BASE, MINIMAX, TOGETHER, WAYS, Config
from experiments.strengths import PLANE, TOY
from jaxgen.metrics.modes import ModeCount

SMALL = Config(seeds=2, updates=2, batch=8, toy_steps=400, starts=2, critic_steps=400)


def row(modes=8, left=(1.0, 0.5, 1.5), players="meet", cost=1.0):
    return {
        "seeds_with_all_modes": modes,
        "seeds": 8,
        "gradient_left": list(left),
        "players": players,
        "arithmetic_of_a_step": cost,
    }


DEAD, OPEN, MISSING = (0.05, 0.01, 0.09), (1.0, -0.2, 2.0), (None, None, None)


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ({"a": row(), "b": row(modes=0)}, "not supported"),
        ({"a": row(modes=7)}, "supported"),
        ({"a": row(left=DEAD), "b": row(players="circle"), "c": row(modes=0)}, "supported"),
        ({"a": row(left=OPEN)}, "depends"),
        ({"a": row(left=MISSING)}, "depends"),
        ({"a": row(left=OPEN, modes=0), "b": row(left=MISSING, players="stop")}, "supported"),
        ({}, "depends"),
    ],
)
def test_verdict(rows, word):
    # Kills: two of three counted as all; a mean in place of an interval; a figure that is missing as a good one or as a
    # bad one; one remedy's modes and another's gradient; nothing measured as support.
    assert verdicts.none_settles_all({"remedies": rows}).word == word


def test_advice_names_what_settles_most_and_the_cheapest_first():
    # Kills: the first row; the dearest first; a remedy that settles less; advice where nothing helps.
    made = {"dear": row(cost=3.0), "cheap": row(cost=1.5), "poor": row(modes=0, cost=0.5)}
    assert verdicts.practice({"remedies": made}).startswith("Most is settled, 3 of 3, by cheap (1.5 times")
    assert "poor" not in verdicts.practice({"remedies": made})
    assert verdicts.practice({"remedies": {"a": row(0, DEAD, "leave")}}).startswith("None of these settles any")


def run(theta):
    theta = np.asarray(theta, float)
    return np.stack([np.zeros_like(theta), theta], -1)[None]


STEPS = np.arange(401)


@pytest.mark.parametrize(
    ("paths", "rate", "word"),
    [
        (run(np.cos(STEPS / 9)), -0.1, "meet"),
        (run(np.cos(STEPS / 9)), -1e-5, "circle"),
        (run(0.009 * np.cos(STEPS / 9)), None, "meet"),
        (run(0.009 * np.cos(STEPS / 9)), 0.0, "circle"),
        (run(np.full(401, 0.9)), None, "stop"),
        (run(STEPS / 50), None, "leave"),
        (run(np.where(STEPS < 300, 1.0, np.nan)), -0.1, "leave"),
        (np.concatenate([run(np.zeros(401)), run(np.cos(STEPS / 9))]), None, "circle"),
    ],
)
def test_fate(paths, rate, word):
    # Kills: the distance where a rate is known; a rate within rounding; a player that stands still as one that circles;
    # the best start for the worst; a path that is not finite as a good one.
    assert fate(paths, rate, 2e-5) == word


def found(overlaps, captured, *, failed=(False, False, False), quality=50.0, left=(1.0, 2.0, 3.0), flops=10.0):
    counts = tuple(ModeCount(n, quality, 0.0) for n in captured)
    ring = SimpleNamespace(overlaps=np.array(overlaps), counts=counts, failed=np.array(failed))
    return Found(ring, None if left is None else np.array(left), run(np.zeros(401)), -0.1, flops)


def test_rows_and_gains():
    # Kills: a seed that failed, one of low quality or one without a mode counted as whole; the gradient of another way;
    # arithmetic of the other quotient; a gain of the other sign, not paired or not corrected.
    made = {
        BASE: found([10.0, 20.0, 30.0], (8, 8, 7)),
        "R1": found([13.0, 22.0, 34.0], (8, 8, 8), failed=(True, False, False), flops=15.0),
        "critic 5 : 1": found([10.0, 21.0, 35.0], (8, 8, 8), quality=9.0, left=None),
    }
    table = remedies.rows(made, dataclasses.replace(SMALL, seeds=3))
    assert [table[name]["seeds_with_all_modes"] for name in made] == [2, 2, 0]
    assert table["critic 5 : 1"]["gradient_left"][0] == table[BASE]["gradient_left"][0] == pytest.approx(2.0)
    assert table["R1"]["arithmetic_of_a_step"] == 1.5 and table["R1"]["failed_seeds"] == 1
    gains, p = remedies.gains(made), ttest_rel([13, 22, 34], [10, 20, 30]).pvalue
    assert gains["R1"]["more_overlap"][0] == pytest.approx(3.0) and BASE not in gains
    assert gains["R1"]["p_corrected"] == pytest.approx(2 * p, rel=1e-6)  # the smaller of two
    panels.table(table | {"broken": table["R1"] | {"gradient_left": [None] * 3, "overlap_percent": [None] * 3}})


def test_every_way_is_its_own():
    # Kills: a way that is played as another.
    for name, way in WAYS.items():
        assert (way.turns == TOGETHER) == (name in ("both at once", "extragradient", "consensus"))
        assert way.clips == (name == "Wasserstein, clipping")
    assert {name for name, way in WAYS.items() if way.penalty} == {
        *("Wasserstein, WGAN-GP", "relativistic, R1 + R2", "R1", "DRAGAN")
    }
    rules = {name: way.rule(TOY).__qualname__.partition(".")[0] for name, way in WAYS.items()}
    assert {name for name, rule in rules.items() if rule == "descend"} == WAYS.keys() - {"extragradient", "consensus"}
    assert rules["extragradient"] == "extragradient" and rules["consensus"] != "extragradient"
    assert WAYS["two time scales"].rates(0.2) == (0.4, 0.1) and WAYS[BASE].rates(0.2) == (0.2, 0.2)
    assert len(WAYS["critic 5 : 1"].turns) == 6 and PLANE.rate < TOY.rate


def test_players_of_two_numbers():
    # Kills: both at once for in turn; a penalty that is left out, or one of two; a start at the rest.
    factor = {BASE: 1.0, "R1": 0.96954, "relativistic, R1 + R2": 0.93808}  # 1 - h gamma is the square of the factor
    for name, size in factor.items():
        paths, rate = measures.numbers(WAYS[name], SMALL)
        assert rate == pytest.approx(math.log(size), abs=2e-5)
        np.testing.assert_allclose(np.linalg.norm(paths[:, 0], axis=1), math.sqrt(2), rtol=1e-6)
        assert measures.distance(paths) < 1e-2 if size < 1 else measures.distance(paths) > 0.1
    assert measures.numbers(WAYS["packs of 2"], SMALL)[0].shape == (2, 401, 2)


def test_the_saturating_gradient_vanishes_and_the_other_does_not():
    # Kills: the two distances exchanged; one loss for both; a critic that is not trained.
    saturating, other = (measures.left(WAYS[name], SMALL) for name in (MINIMAX, BASE))
    assert saturating.shape == (2,) and np.all(saturating < 0.1) and np.all(other > 0.5)
