"""The experiment `adaptive_weight`: its verdicts on made-up figures, and the figures that they rest on."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from experiments.adaptive_weight import figures, training, verdicts
from experiments.adaptive_weight.training import ADAPTIVE, CONSTANT, LATE, NORMS, Config, Trained
from jaxgen.data import load

BETAS = ("beta 0.01", "beta 1")


def case(exploded=0, told=(80.0, 75.0, 85.0)):
    return {
        "seeds_exploded": exploded,
        "seeds": 8,
        "median_weight": 2.0,
        "largest_weight": 20.0,
        "steps_at_limit_percent": 0.0,
        "told_apart_percent": None if told is None else list(told),
    }


def made_up(name, beta, config):
    """What `train` would return, of made-up numbers: compiling it takes seconds, and a slow test does."""
    rng, looks = np.random.default_rng(len(name)), (config.seeds, config.looks)
    images = [rng.random((config.seeds, n, 8, 8, 1), np.float32) for n in (len(load("digits").test.x), config.samples)]
    weights = rng.uniform(0.5, 20, (config.seeds, config.steps))
    shares, slopes, errors = rng.uniform(0.1, 1, (3, *looks))
    return Trained(weights, shares, slopes, errors, *images, np.zeros(config.seeds, int))


BLIND, SEES, BETWEEN = (51.0, 48.0, 54.0), (60.0, 56.0, 64.0), (56.0, 50.0, 62.0)


@pytest.mark.parametrize(
    ("exploded", "word"),
    [((8, 4), "supported"), ((8, 3), "depends"), ((0, 0), "not supported"), ((0, 1), "depends"), ((), "depends")],
)
def test_whether_the_weight_explodes(exploded, word):
    # Kills: one case for all; a mean over cases; constant weights counted; no cases as none that explodes.
    cases = {f"{ADAPTIVE}, {beta}": case(n) for beta, n in zip(BETAS, exploded, strict=False)}
    cases |= {f"{way}, {BETAS[0]}": case(8 if word == "not supported" else 0) for way in (CONSTANT, NORMS)}
    assert verdicts.explodes({"cases": cases}).word == word


def test_a_weight_that_is_not_finite_is_not_one_that_stays_small():
    # Kills: NaN as a weight below the limit, of which no seed explodes; a median or a largest weight of NaN as figures.
    runs = trained([[1.0, math.nan, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]], np.full((2, 4), 0.1))
    row = figures.row(ADAPTIVE, runs, {}, Config(steps=4))
    assert row["median_weight"] is None and row["largest_weight"] is None and row["seeds_exploded"] == 0
    verdict = verdicts.explodes({"cases": {f"{ADAPTIVE}, {BETAS[0]}": case(), f"{ADAPTIVE}, {BETAS[1]}": row}})
    assert verdict.word == "depends" and "largest not finite" in verdict.because


@pytest.mark.parametrize(
    ("adaptive", "constant", "word"),
    [
        ((BLIND, BLIND), (SEES, SEES), "supported"),
        ((BLIND, BLIND), (SEES, BLIND), "depends"),  # it is not the weight
        ((SEES, SEES), (BLIND, SEES), "not supported"),
        ((SEES, BETWEEN), (SEES, SEES), "depends"),
        ((BLIND, None), (SEES, SEES), "depends"),
    ],
)
def test_whether_the_critic_is_stuck(adaptive, constant, word):
    # Kills: a critic that is blind under both weights as the fault of one; a mean in place of the interval's end.
    cases = {}
    for beta, first, second in zip(BETAS, adaptive, constant, strict=True):
        cases |= {f"{ADAPTIVE}, {beta}": case(told=first), f"{CONSTANT}, {beta}": case(told=second)}
    assert verdicts.stuck({"cases": cases}).word == word


def gaps(*signs):
    """Differences of adaptive over constant: for each beta the signs of two figures, -1 for lower."""
    rows = {}
    for beta, own in zip(BETAS, signs, strict=True):
        for figure, sign in zip(("error", "Frechet, samples"), own, strict=True):
            row = {"difference": [sign, sign - 0.1, sign + 0.1], "p_corrected": 0.01 if sign else 0.05}
            rows[f"{ADAPTIVE} over {CONSTANT}: {beta}: {figure}"] = row
    rows[f"{NORMS} over {CONSTANT}: {BETAS[0]}: error"] = {"difference": [1, 0.9, 1.1], "p_corrected": 0.01}
    return {"differences": rows}


@pytest.mark.parametrize(
    ("signs", "word"),
    [
        (((-1, 0), (-1, -1)), "supported"),
        (((-1, 1), (-1, -1)), "depends"),
        (((-1, 1), (0, 0)), "not supported"),
        (((1, 1), (1, 0)), "not supported"),
    ],
)
def test_which_way_is_better(signs, word):
    # Kills: higher taken for better; a figure that is worse left out; p of .05 as sure; the rows of another pair.
    verdict = verdicts.beats(gaps(*signs), ADAPTIVE, CONSTANT)
    assert verdict.word == word
    if signs[0] == (-1, 1):
        assert f"{BETAS[0]}: {verdicts.MIXED} (error lower, Frechet, samples higher)" in verdict.because
    assert verdicts.beats(gaps(*signs), CONSTANT, NORMS).word == "depends"


@pytest.mark.parametrize(
    ("signs", "word", "state"),
    [
        (((-1, None), (-1, -1)), "depends", verdicts.OPEN),
        (((0, None), (0, 0)), "depends", verdicts.OPEN),
        (((None, None), (0, 0)), "depends", verdicts.OPEN),
        (((1, None), (0, 0)), "not supported", verdicts.WORSE),
    ],
)
def test_a_figure_that_is_missing_decides_nothing(signs, word, state):
    # Kills: a figure without a p value as one that does not differ, so that it speaks against a way or for it.
    found = gaps(*(tuple(sign or 0 for sign in own) for own in signs))
    for beta, own in zip(BETAS, signs, strict=True):
        for figure, sign in zip(("error", "Frechet, samples"), own, strict=True):
            if sign is None:
                found["differences"][f"{ADAPTIVE} over {CONSTANT}: {beta}: {figure}"] |= {"p_corrected": None}
    assert verdicts.beats(found, ADAPTIVE, CONSTANT).word == word
    assert verdicts.compared(found, ADAPTIVE, CONSTANT)[BETAS[0]] == state


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (([0.1, 0.05, 0.15], [0.2, 0.1, 0.3]), "supported"),
        (([0.1, 0.05, 0.15], [0.2, -0.1, 0.3]), "depends"),
        (([-0.1, -0.15, -0.05], [-0.2, -0.3, -0.1]), "not supported"),
        ((None, None), "depends"),
    ],
)
def test_whether_a_late_critic_ruins(changes, word):
    # Kills: the mean alone; one weight of the KL for both; a sign turned round.
    rest = dict.fromkeys(("error_before", "error_in_the_end", "largest_error_after"), [0.1, 0.1, 0.1])
    rows = {beta: {"change_to_the_end": change, **rest} for beta, change in zip(BETAS, changes, strict=True)}
    assert verdicts.ruins({"late": rows}).word == word


def trained(weights, errors, skipped=(0, 0)):
    """Two seeds of four looks."""
    wide = np.asarray(errors, np.float32)
    images = np.zeros((2, 3, 8, 8, 1), np.float32)
    return Trained(np.asarray(weights, np.float32), wide, 1 + wide, wide, images, images, np.asarray(skipped))


def test_figures_by_hand():
    # Kills: weights before the start counted; a limit without the weight; the first quarter of looks for the last; an
    # error before the start that is of the look after; a seed that diverged left out.
    runs = trained(
        [[1e4, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 200.0]],
        [[0.1, 0.2, 0.4, 0.3], [0.1, 0.2, 0.6, math.nan]],
        skipped=(1, 0),
    )
    config = Config(steps=4, weight=1.0)
    all_steps = figures.row(ADAPTIVE, runs, {}, config)
    assert all_steps["seeds_exploded"] == 2 and all_steps["steps_at_limit_percent"] == 12.5
    acting = figures.row(LATE, runs, {}, config)
    assert acting["seeds_exploded"] == 0 and acting["median_weight"] == 2.5 and acting["largest_weight"] == 200
    assert figures.exploded(np.array([[1.0, 1.0, 101.0]]), 1.0).all() and acting["diverged_seeds"] == 2
    assert figures.exploded(np.array([[4e3, 5e3, 5e3]]), 0.5).all()
    late = figures.late(runs)
    np.testing.assert_allclose([late["error_before"][0], late["largest_error_after"][0]], [0.2, 0.4], rtol=1e-6)
    np.testing.assert_allclose(
        [late["change_to_the_end"][0], figures.share_told_apart({"a": runs})["a"][0]], [0.1, 30.0], rtol=1e-6
    )
    # The interval of the seeds that are left would be one of those that did not diverge.
    assert late["change_to_the_end"][1:] == [None, None] and None not in late["error_before"]
    assert figures.by_seed(np.array([1.0, 2.0, np.nan])) == [1.5, None, None]


def test_differences_are_paired_and_corrected():
    # Kills: an unpaired test; the sign; p values of a figure alone; a seed without a figure paired with another; a test
    # of the seeds that did not diverge.
    table = {
        BETAS[0]: {
            "error": {ADAPTIVE: np.array([1.0, 3.0]), CONSTANT: np.array([4.0, 8.0])},
            "left": {ADAPTIVE: np.array([np.nan, 3.0, 2.0]), CONSTANT: np.array([9.0, 8.0, 7.2])},
        },
        BETAS[1]: {"error": {ADAPTIVE: np.array([1.0, 2.0, 3.0]), CONSTANT: np.array([1.0, 2.5, 2.5])}},
    }
    rows = figures.differences(table)
    left = rows.pop(f"{ADAPTIVE} over {CONSTANT}: {BETAS[0]}: left")
    assert left["difference"][0] == pytest.approx(-5.1) and left["p_corrected"] is None
    assert list(rows) == [f"{ADAPTIVE} over {CONSTANT}: {beta}: error" for beta in BETAS]
    first = rows[f"{ADAPTIVE} over {CONSTANT}: {BETAS[0]}: error"]
    assert first["difference"][0] == -4
    p = 2 * (1 - student.cdf(4, 1))  # -3 and -5: the mean is 4 standard errors from 0; the smaller p of two is doubled
    assert first["p_corrected"] == pytest.approx(2 * p)


@pytest.mark.slow
def test_all_seeds_at_once_are_each_seed_alone():
    # Kills: a key for all seeds; a look at a state that is played on; weights of another loss.
    config = Config(seeds=2, steps=6, batch=8, width=4, latent=2, looks=2, samples=5)
    pair = training.train(ADAPTIVE, 0.5, config)
    alone = training.train(ADAPTIVE, 0.5, training.dataclasses.replace(config, seeds=1))
    assert pair.weights.shape == (2, 6) and pair.errors.shape == (2, 2) and pair.samples.shape == (2, 5, 8, 8, 1)
    for name in ("weights", "told_apart", "slopes", "errors", "reconstructions", "samples"):
        np.testing.assert_allclose(getattr(pair, name)[0], getattr(alone, name)[0], rtol=2e-3, atol=1e-4)
    assert np.abs(pair.weights[0] - pair.weights[1]).max() > 1e-3 and np.all(pair.weights > 0)
