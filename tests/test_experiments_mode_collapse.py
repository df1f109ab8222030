"""The experiment `mode_collapse`: its verdicts on made-up figures, and how seeds become figures."""

import dataclasses
import math
import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import optax
import pytest

from experiments import mode_collapse
from experiments.mode_collapse import runs, verdicts
from experiments.mode_collapse.runs import Trained
from jaxgen.data import Modes
from jaxgen.metrics.modes import ModeCount
from jaxgen.training.loop import Diverged


def shares(seeds=10, quality=50.0, **whole):
    rows = {
        name.replace("_", ": "): {"seeds_with_all_modes": n, "seeds": seeds, "high_quality_percent": quality}
        for name, n in whole.items()
    }
    return {"cases": rows}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (
            shares(saturating_x=0, relativistic_x=10),
            "supported",
            "Saturating on x loses modes (0 of 10 seeds keep all).",
        ),
        (shares(saturating_x=4, saturating_y=0), "supported", "; saturating on y loses modes"),
        (shares(saturating_x=9, relativistic_x=0), "not supported", "keeps all modes (9 of 10"),
        (
            shares(saturating_x=0, saturating_y=10),
            "depends",
            "on x loses modes (0 of 10 seeds keep all); saturating on",
        ),
        (shares(quality=10.0, saturating_x=0), "supported", "(0 of 10 seeds keep all)."),
        (
            shares(quality=9.9, saturating_x=0),
            "supported",
            "keep all; 9.9 % of high quality, so it did not learn at all).",
        ),
        (shares(saturating_x=5), "depends", "Saturating on x is unsteady (5 of 10 seeds keep all)."),
        (shares(saturating_x=8), "depends", "is unsteady"),
        (shares(2, saturating_x=1), "depends", "is unsteady"),
        (
            {"cases": {**shares(saturating_x=0)["cases"], "non-saturating: x": shares(a=9)["cases"]["a"]}},
            "depends",
            "; non",
        ),
    ],
)
def test_collapses(figures, word, says):
    # Kills: a remedy held for or against the claim; an unsteady loss called one that loses or keeps; a share of seeds
    # taken for a number; a loss that never learned called one that loses modes, and no more said.
    found = verdicts.collapses(figures)
    assert found.word == word and says in found.because


def gains(**rows):
    return {
        "cases": {
            name.replace("_", ": "): {"more_modes_low": low, "seeds_with_all_modes": whole, "seeds": 10}
            for name, (low, whole) in rows.items()
        }
    }


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (gains(a_x=(0.1, 9), a_y=(8.0, 10)), "supported", "Remedy: a."),
        (gains(a_x=(0.1, 8), b_x=(1.0, 10)), "depends", "Remedy: b. Better, but loses modes: a."),
        (gains(a_x=(0.0, 10), b_x=(1.0, 10)), "depends", "Remedy: b. No better: a."),
        (gains(a_x=(1.0, 10), a_y=(-1.0, 10)), "depends", "Remedy: a (x). No better: a (y)."),
        (gains(a_x=(1.0, 0)), "depends", "Better, but loses modes: a."),
        (gains(a_x=(0.0, 0), b_x=(None, 10)), "not supported", "No better: a; b."),
    ],
)
def test_remedies(figures, word, says):
    # Kills: "better" without its interval, or with an interval that touches zero; a remedy that loses modes.
    assert verdicts.remedies(figures) == (word, says)


MODES = Modes(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), 0.1)


def seed(captured, quality=50.0, samples=1):
    return Trained(ModeCount(captured, quality, 0.5), np.zeros((samples, 2), np.float32))


def test_seeds_become_figures():
    # Kills: all modes among noise counted as kept; a diverged seed left out of a mean, or not counted.
    found = runs.row([seed(3), seed(3, 9.9), seed(2), seed(0, 0.0, samples=0)], MODES)
    assert found == {
        "modes": 3,
        "captured_modes": 2.0,
        "seeds_with_all_modes": 1,
        "seeds": 4,
        "high_quality_percent": (50 + 9.9 + 50) / 4,
        "reverse_kl_nats": 0.5,
        "failed_seeds": 1,
    }


def test_the_gain_is_paired():
    # Kills: the sign; an unpaired interval; modes among noise that count for the loss that makes it.
    found = runs.against([seed(3), seed(2), seed(3)], [seed(3, 9.0), seed(0), seed(0)])
    half = 4.302652729911275 * math.sqrt(1 / 3) / math.sqrt(3)  # t(0.975, 2) s / sqrt(n) of 3, 2, 3
    np.testing.assert_allclose(list(found.values()), [8 / 3, 8 / 3 - half, 8 / 3 + half], rtol=1e-9)
    assert runs.against([seed(3)], [seed(0)]) == {"more_modes": 3.0, "more_modes_low": None, "more_modes_high": None}


def test_median_seed():
    # Kills: the best seed shown; noise that ranks above a seed with fewer modes.
    assert runs.median_seed([seed(3), seed(1), seed(2)]) == 2
    assert runs.median_seed([seed(3, 1.0), seed(1), seed(2)]) == 1
    assert runs.median_seed([seed(3), seed(1), seed(2), seed(3)]) == 2


def stand_in(monkeypatch, train):
    monkeypatch.setattr(runs, "compile_loop", lambda *args, **options: SimpleNamespace(init=lambda key: None))
    monkeypatch.setattr(runs, "train", train)
    return runs.measure("saturating", "ring8", mode_collapse.Config(seeds=2))


def test_a_seed_that_diverges(monkeypatch):
    # Kills: a seed that takes the experiment with it.
    def train(*args, **options):
        raise Diverged("ten steps")

    count = ModeCount(0, 0.0, math.log(8))
    assert [(s.count, s.samples.shape) for s in stand_in(monkeypatch, train)] == 2 * [(count, (0, 2))]


def test_a_signal_ends_the_seeds_that_run(monkeypatch):
    # Kills: a signal that waits for their end.
    until, ended = time.monotonic() + 5, []

    def train(*args, **options):
        os.kill(os.getpid(), signal.SIGINT)
        while time.monotonic() < until:
            time.sleep(0.01)
            yield SimpleNamespace(state=None)
        ended.append(True)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
    try:
        with pytest.raises(KeyboardInterrupt):
            stand_in(monkeypatch, train)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not ended


def test_limits_of_unfinished_runs():
    # Kills: a quick run that does not say so; a full one that does.
    made = {"ring8": {"saturating": [seed(3), seed(3)]}}
    quick, full = (mode_collapse.claims(made, {"ring8": MODES}, c) for c in (mode_collapse.QUICK, mode_collapse.FULL))
    assert all(claim.limits.startswith("Unfinished runs of few seeds, 4,000 steps of 30,000.") for claim in quick)
    assert not any("Unfinished" in claim.limits for claim in full)


def test_the_setting_is_the_recipes(monkeypatch):
    # Kills: momenta that the page names and no recipe has; an option that does not reach it, such as a moving average
    # for some of the losses only.
    adams, plans = [], {}
    monkeypatch.setattr(optax, "adam", lambda rate, b1, b2: adams.append((rate, (b1, b2))))

    def note(plan, *args, **options):
        plans[loss] = plan
        return SimpleNamespace(init=lambda key: None)

    monkeypatch.setattr(runs, "compile_loop", note)
    for loss in runs.LOSSES:
        with pytest.raises(AttributeError):  # the stand-in has nothing more
            runs.measure(loss, "ring8", mode_collapse.Config(seeds=1, rate=0.5, ema=0.125))
        assert adams == [(0.5, runs.MOMENTA[loss])] * 2
        adams.clear()
        average = plans[loss].ema
        assert average.players == ("generator",) and float(average.rate(10**6)) == 0.125


@pytest.mark.slow
def test_every_loss_on_every_data_set():
    # Kills: a loss without its recipe; threads whose seeds mix: each figure is the same from one seed alone.
    config = mode_collapse.Config(seeds=2, steps=60, samples=500)
    found = mode_collapse.main(config)
    cases = found.claims[0].figures["cases"]
    assert len(cases) == 10 and all(row["failed_seeds"] == 0 for row in cases.values())
    assert all(len(picture.png) < 300_000 for picture in found.pictures.values())
    pair = runs.measure("relativistic", "ring8", config)
    alone = runs.measure("relativistic", "ring8", dataclasses.replace(config, seeds=1))
    assert np.array_equal(pair[0].samples, alone[0].samples)
    assert not np.array_equal(pair[0].samples, pair[1].samples)
