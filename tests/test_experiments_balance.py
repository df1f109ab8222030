"""The experiment `balance`: its verdicts on made-up figures, and the runs of all seeds at once that it rests on."""

import math

import flax.linen as nn
import numpy as np
import optax
import pytest
from scipy.stats import t as student

from experiments import balance, ring
from jaxgen.data import Modes, load
from jaxgen.games import gan
from jaxgen.metrics.modes import ModeCount
from jaxgen.training.program import Plan

CASES = [
    f"{budget}, {way}" for budget in (balance.GENERATOR, balance.ALL) for way in (balance.PLAIN, balance.PENALISED)
]


def row_of(low, high, p=None):
    """A row; p is .01 where the interval leaves zero out."""
    if low is None:
        return {"more_overlap": [0.0, None, None], "p_corrected": None}
    p = (0.01 if low * high > 0 else 0.5) if p is None else p
    return {"more_overlap": [(low + high) / 2, low, high], "p_corrected": p}


def gains(**ends):
    """Rows of all cases; `g2=(low, high)` is of 1:2, `c5` of 5:1, `g2_first` of the first case alone."""
    rows = {}
    for at, case in enumerate(CASES):
        for short, balance_name in (("c5", "5:1"), ("g2", "1:2"), ("g5", "1:5")):
            low, high = ends.get(f"{short}_first") if at == 0 and f"{short}_first" in ends else ends.get(short, (-1, 1))
            rows[f"{balance_name}, {case}"] = row_of(low, high)
    return {"against_even": rows}


@pytest.mark.parametrize(
    ("figures", "generator", "critic"),
    [
        (gains(g2=(0.1, 2)), "supported", "not supported"),
        (gains(g5=(0.1, 2), g2=(-3, -1)), "supported", "not supported"),
        (gains(g2_first=(0.1, 2)), "depends", "not supported"),
        (gains(g2=(0.0, 2), c5=(0.1, 2)), "not supported", "supported"),
        (gains(g2=(None, None), c5_first=(0.1, 2)), "not supported", "depends"),
    ],
)
def test_verdicts(figures, generator, critic):
    # Kills: the critic's balances counted for the generator; an interval that touches zero; one case for all.
    assert balance.more_generator(figures).word == generator
    assert balance.more_critic(figures).word == critic


def test_a_verdict_names_what_is_worse():
    # Kills: harm that is left out; an interval that leaves out zero for one of many comparisons.
    many = gains(g2=(0.1, 2))
    for row in many["against_even"].values():
        row["p_corrected"] = 0.05
    assert balance.more_generator(many).word == "not supported"
    said = balance.more_generator(gains(g2_first=(0.1, 2), g5=(-3, -1), g2=(-3, -1))).because
    assert f"at {CASES[0]}: 1:2 is better, 1:5 is worse" in said
    assert f"at {CASES[1]}: none is better, 1:2 and 1:5 are worse" in said


def look(*overlaps):
    n = len(overlaps)
    return ring.Look(None, np.zeros((n, 9, 2)), (ModeCount(3, 50.0, 0.1),) * n, np.array(overlaps), np.arange(n) > 0)


def test_gains_are_paired_by_seed():
    # Kills: the sign; an unpaired interval; the budget or the penalty of another row.
    none, some = {b: look(1.0, 3.0) for b in (balance.GENERATOR, balance.ALL)}, look(4.0, 8.0)
    found = {balance.PLAIN: {"1:1": none, "1:2": {balance.GENERATOR: some, balance.ALL: look(1.0, 3.0)}}}
    rows = balance.gain_rows(found)
    half = 12.706204736174698 * math.sqrt(2) / math.sqrt(2)  # t(0.975, 1) s / sqrt(n) of 3, 5
    np.testing.assert_allclose(
        rows[f"1:2, {balance.GENERATOR}, {balance.PLAIN}"]["more_overlap"], [4, 4 - half, 4 + half]
    )
    assert rows[f"1:2, {balance.ALL}, {balance.PLAIN}"]["more_overlap"][0] == 0 and len(rows) == 2
    p = 2 * (1 - student.cdf(4, 1))  # 4 is 4 standard errors; the smaller of two is doubled
    assert rows[f"1:2, {balance.GENERATOR}, {balance.PLAIN}"]["p_corrected"] == pytest.approx(2 * p)
    row = balance.case_rows(found)[f"1:2, {balance.GENERATOR}, {balance.PLAIN}"]
    assert row["overlap_percent"][0] == 6 and row["captured_modes"] == 3 and row["failed_seeds"] == 1


def test_budgets_cost_what_they_say():
    # Kills: the updates of one player for those of both; a balance turned round.
    for k_d, k_g in balance.FULL.balances:
        rounds = balance.budgets(k_d, k_g, 3000)
        assert rounds[balance.GENERATOR] * k_g == 3000 and rounds[balance.ALL] * (k_d + k_g) == 6000


def test_overlap_by_hand():
    # Kills: shares of high-quality samples only; a mode that counts more than its even share; std for 3 std.
    modes = Modes(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]), 0.1)
    samples = np.array([[0.0, 0.29]] * 5 + [[1.0, 0.0]] * 2 + [[2.0, 0.31]] + [[9.0, 9.0]] * 2)
    assert ring.overlap(samples, modes) == pytest.approx(25 + 20)


def plan(rate):
    game = gan(nn.Dense(2), nn.Sequential([nn.Dense(1), lambda y: y[:, 0]]), latent_dim=2)
    adam = {"critic": optax.sgd(rate), "generator": optax.sgd(rate)}
    return Plan(game, adam, (("critic",), ("generator",)), batch_size=4)


def test_all_seeds_at_once_are_each_seed_alone():
    # Kills: a key for all seeds, or one that depends on their number; a look at a state that is played on; rounds
    # that start again at noise 0 after each look; a look at another round.
    data = load("ring8")
    pair = ring.looks(plan(0.1), data, seeds=2, rounds=(2, 6))
    alone = ring.looks(plan(0.1), data, seeds=1, rounds=(6, 3))
    np.testing.assert_allclose(pair[6].samples[0], alone[6].samples[0], rtol=1e-4, atol=1e-5)
    assert np.abs(pair[6].samples[0] - pair[6].samples[1]).max() > 0.1
    assert np.abs(pair[6].samples[0] - pair[2].samples[0]).max() > 1e-3
    assert pair[2].state.context.step.tolist() == [2, 2] and pair[6].state.context.step.tolist() == [6, 6]
    assert pair[6].samples.shape == (2, ring.SAMPLES, 2) and not pair[6].failed.any()


def test_advice_follows_from_the_figures():
    # Kills: a balance that is better in one case and worse in another, as advice; an interval that holds zero.
    rows = {"2:1, a": [1, 0.5, 2], "2:1, b": [-1, -2, -0.5], "1:2, a": [1, 0.5, 2], "1:2, b": [0, -1, 1]}
    rows |= {"1:5, a": [-1, -2, -0.5], "1:5, b": [0, None, None], "5:1, a": [0, -1, 1], "5:1, b": [0, -1, 1]}
    figures = {"against_even": {name: row_of(*row[1:]) for name, row in rows.items()}}
    assert balance.practice(figures) == (
        "Start at 1:1. Worth a trial, for it is better in some case and worse in none: 1:2. "
        "Worse in some case and better in none: 1:5."
    )
    assert balance.practice({"against_even": {"5:1, a": row_of(-1, 1)}}) == "Start at 1:1."
