"""The experiment `gradient_penalty`: verdicts on made-up figures, closed forms, and the games that it plays."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from experiments.gradient_penalty import rings, toys, verdicts, ways
from experiments.gradient_penalty.rings import Ring
from experiments.gradient_penalty.ways import NONE, Config
from experiments.ring import Look
from jaxgen.metrics.modes import ModeCount

TOY = Config(toy_steps=1000, starts=2)


def ends(**distances):
    return {"cases": {name.replace("_", ": "): {"generator_from_the_data": d} for name, d in distances.items()}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (ends(R1_a=0.0, R1_b=0.009, clipping_a=9.0), "supported", "Converges: R1. Does not: clipping."),
        (ends(R1_a=0.0, R1_b=0.011), "depends", "Converges in some games: R1."),
        (ends(R1_a=0.0, R2_a=1.0), "depends", "Converges: R1. Does not: R2."),
        (ends(R1_a=1.0, R2_a=math.nan, LeCam_a=0.0), "not supported", "Converges: LeCam. Does not: R1, R2."),
    ],
)
def test_meets(figures, word, says):
    # Kills: remedies that are no gradient penalties held for or against the claim; one game for both; a NaN that meets.
    assert verdicts.meets(figures) == (word, says)


def rates(*pairs):
    keys = ("log_rate_by_the_formula", "largest_difference")
    return {"cases": {str(i): dict(zip(keys, pair, strict=True)) for i, pair in enumerate(pairs)}}


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        (rates((-0.1, 0.0009), (0.0, 1.9e-5), (None, None)), "supported"),
        (rates((-0.1, 0.0011), (0.0, 0.0)), "depends"),
        (rates((0.1, 0.0011), (0.0, math.nan)), "not supported"),
    ],
)
def test_predicts(figures, word):
    # Kills: a case without a formula that counts; a relative allowance where the rate is zero; a NaN that passes.
    assert verdicts.predicts(figures).word == word


def gains(**rows):
    """Rows by remedy; p is .01 where the interval leaves out what says nothing: 0 of a difference, 1 of a factor."""

    def p(row, nothing):
        mean, low, high = row
        return None if low is None else 0.5 if low <= nothing <= high else 0.01

    return {
        "against_none": {
            name: {"more_overlap": row, "slope_as_a_factor": row, "p_overlap": p(row, 0), "p_slope": p(row, 1)}
            for name, row in rows.items()
        }
    }


@pytest.mark.parametrize(
    ("figures", "overlap", "slope"),
    [
        (gains(R1=[2, 1.1, 3], clipping=[0, -1, 0.5]), "supported", "not supported"),
        (gains(R1=[2, 1.1, 3], R2=[0.5, -0.2, 0.9]), "depends", "depends"),
        (gains(R1=[0.5, -0.2, 0.9], R2=[0, None, None]), "not supported", "depends"),
        (gains(R1=[1, 0.0, 1.0]), "not supported", "not supported"),
        (gains(R1=[0.5, 0.3, 0.9]), "supported", "supported"),
    ],
)
def test_samples_and_slopes(figures, overlap, slope):
    # Kills: a factor judged against zero, a difference against one; an interval that touches; a remedy that is no
    # gradient penalty counted.
    assert verdicts.overlaps(figures).word == overlap
    assert verdicts.flattens(figures).word == slope


def test_harm_is_named():
    # Kills: a penalty that does harm called undecided.
    assert verdicts.overlaps(gains(R1=[-2, -3, -1], R2=[0, -1, 1])).because == "Less: R1. Undecided: R2."
    assert verdicts.flattens(gains(R1=[2, 1.5, 3])).because == "Steeper: R1."


def test_closed_rate_is_an_eigenvalue():
    # Kills: damping on the generator too; a sign; the smaller eigenvalue where both are real.
    for turning, damping in ((0.5, 0.3), (1.0, 0.0), (0.5, 2.0), (1.0, 0.6)):
        field = np.array([[-damping, -turning], [turning, 0.0]])  # (psi, theta)
        largest = np.abs(np.linalg.eigvals(np.eye(2) + 0.2 * field)).max()
        assert abs(toys.closed_rate(turning, damping, 0.2)) == pytest.approx(largest, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "game", "least", "most"),
    [("R1 + R2", "bilinear game", 0.0, 1e-3), ("WGAN-GP", "Dirac-GAN", 0.1, 9.0), ("clipping", "Dirac-GAN", 0.1, 9.0)],
)
def test_games_of_two_numbers(name, game, least, most):
    # Kills: a remedy that does not reach the game; psi and theta exchanged; a clip of the generator; R1 + R2 as R1.
    row, path = toys.measure(name, game, TOY)
    assert least <= row["generator_from_the_data"] <= most
    if row["log_rate_by_the_formula"] is not None:
        assert row["largest_difference"] < 0.01 * abs(row["log_rate_by_the_formula"])
    assert path.shape == (1001, 2) and np.linalg.norm(path[0]) == pytest.approx(toys.FAR, rel=1e-6)
    if name == "clipping":
        assert np.abs(path[1:, 0]).max() <= 1 + 1e-6 < np.abs(path[50:, 1]).max()


def test_every_way_is_of_its_own():
    # Kills: a name that stands for another remedy; an option of the config that reaches none.
    names = Config().ways
    assert set(ways.SLOPES) | set(ways.OTHERS) | {NONE} == set(names) and len(set(names)) == 10
    made = {name: ways.planar(name, Config()) for name in names}
    assert [name for name, own in made.items() if own.penalty is None] == [NONE, "clipping", "spectral norm"]
    assert [name for name, own in made.items() if own.divided] == ["spectral norm"]
    assert [name for name, own in made.items() if own.limit is not None] == ["clipping"]


def ring(overlap, largest, flops):
    overlap, largest = np.array(overlap), np.array(largest)
    look = Look(None, None, (ModeCount(3, 50.0, 0.1),) * 2, overlap, np.array([True, False]), flops)
    return Ring(look, largest, largest / 2, largest / 4)


def test_figures_are_paired_and_relative():
    # Kills: a difference of slopes for a factor; the sign; the share of arithmetic upside down; an unpaired interval.
    found = {NONE: ring([10.0, 20.0], [4.0, 8.0], 50.0), "R1": ring([11.0, 23.0], [1.0, 2.0], 100.0)}
    gain, rows = rings.gain_rows(found), rings.ring_rows(found)
    half = 12.706204736174698 * math.sqrt(2) / math.sqrt(2)  # t(0.975, 1) s / sqrt(n) of 1, 3
    np.testing.assert_allclose(gain["R1"]["more_overlap"], [2, 2 - half, 2 + half])
    np.testing.assert_allclose(gain["R1"]["slope_as_a_factor"], [0.25] * 3)
    assert gain["R1"]["p_overlap"] == pytest.approx(2 * (1 - student.cdf(2, 1))) and gain["R1"]["p_slope"] == 0.5
    assert list(gain) == ["R1"] and rows["R1"]["arithmetic_of_a_step"] == 2 and rows["R1"]["failed_seeds"] == 1
    assert rows["R1"]["slope_at_data"] == 0.75 and rows["R1"]["slope_at_samples"] == 0.375


@pytest.mark.slow
def test_slopes_are_those_of_the_trained_critic():
    # Kills: slopes of the start; a spectral critic whose kernels are not divided; one seed for all.
    found = rings.measure("spectral norm", Config(seeds=2, updates=20, batch=16))
    assert (
        np.all(found.largest <= 1.3) and np.all(found.at_data <= found.largest) and found.largest[0] != found.largest[1]
    )


def test_advice_follows_from_the_figures():
    # Kills: a remedy that meets in one game alone; an interval that holds zero; the cost of another remedy.
    plane = gains(R1=[2.0, -1, 5], R2=[3.0, 1, 5], LeCam=[-3.0, -5, -1], clipping=[1.0, None, None])
    plane["ways"] = {name: {"arithmetic_of_a_step": 1.25 + i} for i, name in enumerate(("R1", "R2", "LeCam"))}
    assert verdicts.what_to_take(plane) == (
        "Beside this loss, try R2 (2.2 times the arithmetic of a step). Surely worse: LeCam."
    )
    assert verdicts.what_to_take(gains(R1=[0.0, -1, 1])) == "Beside this loss none surely gains overlap."
    names = {"R1: a": 0.001, "R1: b": 0.002, "R2: a": 0.001, "R2: b": 0.5, "0-GP: a": 0.0, "0-GP: b": 0.0}
    cases = {"cases": {name: {"generator_from_the_data": far} for name, far in names.items()}}
    assert verdicts.where_to_meet(cases) == "Where training circles, take R1 or 0-GP."
    assert verdicts.where_to_meet({"cases": {"R1: a": {"generator_from_the_data": 1.0}}}).startswith("Nothing")
