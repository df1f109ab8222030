"""The experiment `gan_dynamics`: verdicts on made-up figures, and the figures that it makes of runs."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.stats import t as student

from experiments import gan_dynamics
from experiments.evidence import Verdict
from experiments.gan_dynamics import networks, toys, verdicts
from experiments.gan_dynamics.networks import Trained
from experiments.gan_dynamics.ways import ON_NETWORKS, ON_NUMBERS, PUSHED, Config, way


def rates(**simulated):
    return {"cases": {name.replace("_", ": "): {"simulated_log_rate": rate} for name, rate in simulated.items()}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (rates(a_x=0.1, a_y=0.0), "supported", "Diverges: a (x). Circles: a (y)."),
        (rates(a_x=-0.1, a_y=-0.1), "not supported", "Converges: a."),
        (rates(a_x=-0.1, b_x=1.9e-5), "depends", "Circles: b. Converges: a."),
        (rates(a_x=2.1e-5), "supported", "Diverges: a."),
        (rates(a_x=-2.1e-5), "not supported", "Converges: a."),
    ],
)
def test_oscillates(figures, word, says):
    # Kills: a sign; circling counted as converging; a way that is called whole where one of its games differs.
    assert verdicts.oscillates(figures) == Verdict(word, says)


def test_meet():
    # Kills: one case that converges counted for all; one that does not, for none.
    assert verdicts.meet(rates(a_x=-0.1, b_x=-0.2)).word == "supported"
    assert verdicts.meet(rates(a_x=0.1, b_x=0.0)).word == "not supported"
    assert verdicts.meet(rates(a_x=-0.1, b_x=0.0)) == Verdict("depends", "Circles: b. Converges: a.")


def test_a_way_with_a_colon_in_its_name():
    # Kills: a case that is split at its first colon.
    assert verdicts.oscillates({"cases": {"5 : 1: x": {"simulated_log_rate": 0.0}}}).because == "Circles: 5 : 1."


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([(-0.1, 0.0009, -0.1), (0.0, 1.9e-5, 0.0)], "supported"),
        ([(-0.1, 0.0011, -0.1), (0.0, 0.0, 0.0)], "depends"),
        ([(-0.1, 0.0, -0.1011), (0.0, 0.0, 0.0)], "depends"),
        ([(0.1, 0.0, 0.1), (1e-9, 2.1e-5, 0.0)], "depends"),
        ([(0.1, 0.0011, 0.1), (0.0, math.nan, 0.0)], "not supported"),
    ],
)
def test_predicts(rows, word):
    # Kills: the allowance of one case given to another; a relative one where the rate is zero; a NaN that passes; a
    # closed form that is not looked at.
    keys = ("predicted_log_rate", "largest_difference", "closed_form_log_rate")
    figures = {"cases": {str(i): dict(zip(keys, row, strict=True)) for i, row in enumerate(rows)}}
    assert verdicts.predicts(figures).word == word


def pushed(*rows):
    keys = ("simulated_log_rate", "without_momentum")
    return {
        "momentum": {
            f"in turn, momentum {beta}: {game}": dict(zip(keys, own, strict=True)) for beta, game, *own in rows
        }
    }


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (
            pushed(("0.5", "x", 0.1, 0.2), ("0.5", "y", -0.2, -0.1)),
            "supported",
            "2 of 2 cases; converges: in turn, momentum 0.5 (y).",
        ),
        (
            pushed(("0.5", "x", 0.3, 0.2), ("-0.5", "x", -0.2, 0.2)),
            "not supported",
            "0 of 1 cases and never converges.",
        ),
        (pushed(("0.5", "x", 0.3, 0.2), ("0.5", "y", 0.1, 0.2)), "depends", "1 of 2"),
        (pushed(("0.5", "x", 0.2 - 1.9e-5, 0.2)), "not supported", "0 of 1"),
        (pushed(("-0.5", "x", -0.2, 0.2)), "not supported", "Momentum -0.5 lowers the rate in 1 of 1"),
        ({"momentum": {}}, "not supported", "Nothing"),
    ],
)
def test_pushes(figures, word, says):
    # Kills: negative momentum counted for the claim; a rate that rises counted; a difference within rounding.
    found = verdicts.pushes(figures)
    assert found.word == word and says in found.because


def turned(**rows):
    return {"ways": {name: {"rotation": row} for name, row in rows.items()}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (turned(a=[0.8, 0.6, 1.0], b=[0.9, 0.51, 1.0]), "supported", "Mostly turns: a; b."),
        (turned(a=[0.2, 0.1, 0.49]), "not supported", "Mostly does not: a."),
        (turned(a=[0.8, 0.6, 1.0], b=[0.2, 0.1, 0.3]), "depends", "Mostly turns: a. Mostly does not: b."),
        (turned(a=[0.8, 0.49, 1.0]), "depends", "Undecided: a."),
        (turned(a=[0.8, None, None]), "depends", "Undecided: a."),
    ],
)
def test_turning(figures, word, says):
    # Kills: the mean in place of its interval; the wrong end of it; a seed alone that decides.
    assert verdicts.turning(figures) == Verdict(word, says)


def swings(**rows):
    return {
        "against": {
            name: {"swing_as_a_factor": [f, None, None], "p_swing": p, "least_overlap_percent": (*rest, 20.0)[0]}
            for name, (f, p, *rest) in rows.items()
        }
    }


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (
            swings(R1=(0.5, 0.01), consensus=(0.6, 0.04), other=(2.0, 0.01)),
            "supported",
            "Swings less: R1; consensus. Swings more: other.",
        ),
        (swings(R1=(0.5, 0.01), consensus=(0.6, 0.06)), "depends", "Swings less: R1. Undecided: consensus."),
        (swings(R1=(1.5, 0.01), other=(0.5, 0.01)), "not supported", "Swings less: other. Swings more: R1."),
        (swings(R1=(0.5, None)), "not supported", "Undecided: R1."),
        (swings(R1=(0.5, 0.01, 12.5)), "depends", "Did not learn: R1."),
        (swings(R1=(0.5, 0.01), consensus=(1.5, 0.01, 5.0)), "supported", "Swings less: R1. Did not learn: consensus."),
        ({"against": {}}, "depends", "Nothing to compare."),
    ],
)
def test_steadies(figures, word, says):
    # Kills: a way that does not converge on numbers counted; a factor above 1 taken for less; no p value as a
    # small one; a way that did not learn counted on either side.
    assert verdicts.steadies(figures) == Verdict(word, says)


@pytest.mark.parametrize(
    ("ends", "word"),
    [
        ([0.5, 0.1, 0.9], "supported"),
        ([0.5, -0.1, 1.0], "not supported"),
        ([-0.5, -0.9, -0.1], "not supported"),
        ([0.5, None, None], "not supported"),
    ],
)
def test_tells(ends, word):
    # Kills: the mean in place of the lower end; another sign.
    assert verdicts.tells({"over_ways": {"modulus and swing": {"rank_correlation": ends}}}).word == word


# --- figures


def trained(modulus, swing, rotation=0.5):
    """Two looks at each of three seeds."""
    modulus, swing = np.asarray(modulus, float), np.asarray(swing, float)
    looks = np.stack([modulus - 0.1, modulus + 0.1], 1)
    return Trained(
        looks,
        np.full((3, 2), rotation),
        np.full((3, 2), 50.0),
        swing,
        np.array([1.0, 2.0, 3.0]),
        np.zeros((4, 1, 2)),
        1,
    )


def test_network_figures():
    # Kills: looks counted as seeds; a difference of swings that is not of their logarithms, not paired, or of the other
    # sign; no correction for the number of ways; a correlation over seeds in place of ways.
    found = {
        "in turn": trained([1.0, 1.1, 1.2], [0.1, 0.2, 0.3]),
        "R1": trained([0.9, 1.2, 1.1], [0.05, 0.12, 0.14], 1.0),
        "momentum -0.5": trained([1.3, 1.3, 1.3], [0.2, 0.5, 0.4]),
    }
    tables = gan_dynamics.network_figures(found)
    assert tables["ways"]["R1"]["rotation"] == [1.0, 1.0, 1.0] and tables["ways"]["R1"]["failed_seeds"] == 1
    half = student.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    np.testing.assert_allclose(tables["ways"]["in turn"]["leading_modulus"], [1.1, 1.1 - half, 1.1 + half], rtol=1e-6)
    logs = {name: np.log(own.swings) - np.log(found["in turn"].swings) for name, own in found.items()}
    p = {
        n: 2 * student.sf(abs(d.mean() / (d.std(ddof=1) / math.sqrt(3))), 2) for n, d in logs.items() if n != "in turn"
    }
    first, second = sorted(p, key=p.get)
    assert (
        list(tables["against"]) == ["R1", "momentum -0.5"] and tables["against"]["R1"]["least_overlap_percent"] == 2.0
    )
    np.testing.assert_allclose(tables["against"][first]["p_swing"], 2 * p[first], rtol=1e-6)
    np.testing.assert_allclose(tables["against"][second]["p_swing"], max(2 * p[first], p[second]), rtol=1e-6)
    np.testing.assert_allclose(tables["against"]["R1"]["swing_as_a_factor"][0], np.exp(logs["R1"].mean()))
    # Ranks over the ways: of seed 1 (2 1 3) and (2 1 3), of seed 2 (1 2 3) and (2 1 3), of seed 3 (2 1 3) and (2 1 3).
    correlation = tables["over_ways"]["modulus and swing"]["rank_correlation"]
    np.testing.assert_allclose(correlation[0], (1 + 0.5 + 1) / 3, rtol=1e-6)
    both = {"both at once": found["in turn"], "consensus": found["R1"]}
    assert gan_dynamics.network_figures(both)["against"]["consensus"]["held_against"] == "both at once"


def test_an_eigenvalue_that_was_not_found():
    # Kills: a NaN in the evidence, which is no JSON; one that is not counted.
    own = trained([1.0, 1.1, 1.2], [0.1, 0.2, 0.3])
    own.moduli[0, 0] = math.nan
    row = gan_dynamics.network_figures({"in turn": own})["ways"]["in turn"]
    assert row["looks_without_eigenvalue"] == 1 and row["leading_modulus"][0] == pytest.approx(1.15)


def test_momentum_rows():
    # Kills: a row held against another game, or against the other turns.
    cases = {
        f"{name}: {game}": {"simulated_log_rate": len(name) + n}
        for name in (*ON_NUMBERS,)
        for n, game in enumerate("xy")
    }
    rows = gan_dynamics.momentum_rows(cases)
    assert rows.keys() == {f"{name}: {game}" for name in PUSHED for game in "xy"}
    assert rows["in turn, momentum 0.5: y"] == {"simulated_log_rate": 22, "without_momentum": 8}
    assert gan_dynamics.momentum_rows({"in turn, momentum 0.5: x": {"simulated_log_rate": 0.0}}) == {}


# --- what is played


def test_every_way_is_one():
    # Kills: a name that is played as another; R1 left out of the ways that are named for it, or put on others.
    config = Config()
    for name in ON_NUMBERS:
        assert way(name, config).gamma == (0.3 if name.endswith("R1") else 0.0)
    assert way("5 : 1", config).turns == (("generator",), *(("critic",),) * 5)
    assert way("1 : 5, R1", config).turns == (*(("generator",),) * 5, ("critic",))
    assert {name: len(networks.plan(name, config).turns) for name in ON_NETWORKS} == {
        **dict.fromkeys(ON_NETWORKS, 2),
        "both at once": 1,
        "extragradient": 1,
        "consensus": 1,
    }
    assert "critic:penalty" in networks.plan("R1", config).game.losses
    assert "critic:penalty" not in networks.plan("in turn", config).game.losses


def test_a_game_of_four_numbers():
    # Kills: a run on other data than the closed form is of; a start that grows out of the linear part, or one lost in
    # rounding; R1 that damps both speeds alike.
    config = dataclasses.replace(Config(), starts=2, far_steps=50)
    for name in ("both at once, R1", "in turn, momentum 0.5"):
        row = toys.measure(name, "LQ-GAN", config).figures
        assert verdicts.predicts({"cases": {"one": row}}).word == "supported"
        assert 0 < row["rotation"] <= 1


@pytest.mark.slow
def test_two_networks():
    # Kills: eigenvalues of one seed for all; a look that uses the state up, so that training cannot go on; samples that
    # are not followed.
    config = dataclasses.replace(Config(), seeds=2, updates=40, looks=2, eigenvalues=3, batch=8)
    found = networks.measure("in turn", config)
    assert found.moduli.shape == found.rotations.shape == found.turning.shape == (2, 2)
    assert np.all(np.isfinite(found.moduli)) and np.all(found.moduli > 0.5) and len(np.unique(found.moduli)) == 4
    assert np.all((found.rotations >= 0) & (found.rotations <= 1)) and found.skipped == 0
    assert found.path.shape == (4, networks.PROBES, 2) and np.all(found.path.std(0).sum(-1) > 0)
    assert np.all(found.swings > 0) and np.all((found.overlaps >= 0) & (found.overlaps <= 100))


def test_swing():
    # Kills: the first half of a run; the spread over z in place of that over time.
    path = np.zeros((10, 2, 2))
    path[:5] = 9.0
    path[:, 1] += 5.0
    assert networks.swing(path) == 0
    path[5:, 0, 0] = [1, -1, 1, -1, 0]
    assert networks.swing(path) == pytest.approx(math.sqrt(4 / 10))
