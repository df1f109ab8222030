"""The experiment `published_protocols`: its verdicts on made-up figures, its figures, and the papers' settings."""

import dataclasses
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import published_protocols
from experiments.published_protocols import panels, runs, verdicts
from experiments.published_protocols.runs import Case, Trained
from experiments.published_protocols.ways import PACKING, PROTOCOLS, UNROLLING, Config, Part
from jaxgen.core import Batch
from jaxgen.metrics.modes import ModeCount
from jaxgen.training.loop import Diverged


def gains(quality=50.0, **rows):
    """Name with an underscore before the data set -> (mean, corrected p)."""
    return {
        name.replace("_", ": "): {
            "more_modes": [mean, mean - 1, mean + 1],
            "p_corrected": p,
            "high_quality_percent": quality,
        }
        for name, (mean, p) in rows.items()
    }


@pytest.mark.parametrize(
    ("rows", "word", "says"),
    [
        (gains(a_x=(2.0, 0.049)), "supported", "More modes: a on x (+2 modes, 1 to 3, corrected p 0.049)."),
        (gains(a_x=(2.0, 0.05)), "not supported", "Not told apart: a on x"),
        (gains(a_x=(-2.0, 0.01)), "not supported", "Fewer: a on x (-2 modes"),
        (gains(a_x=(2.0, 0.01), b_x=(-2.0, 0.01)), "supported", "Fewer: b on x"),
        (gains(a_x=(2.0, 0.01), a_y=(2.0, 0.2)), "depends", "Not told apart: a on y"),
        (gains(a_x=(2.0, 0.01), b_y=(1.0, 0.01)), "supported", "a on x"),
        (gains(10.0, a_x=(2.0, 0.01)), "supported", "More modes: a on x"),
        (gains(9.9, a_x=(2.0, 0.01)), "depends", "under 10 % of the samples are of high quality: a on x"),
        (gains(9.9, a_x=(-2.0, 0.01)), "depends", "Fewer: a on x (-2 modes, -3 to -1, corrected p 0.01; 9.9 % of"),
        ({**gains(a_x=(2.0, 0.5)), **gains(9.9, b_x=(2.0, 0.5))}, "depends", "Not told apart: a on x"),
        (
            {"a: x": {"more_modes": [1.0, None, None], "p_corrected": None, "high_quality_percent": 50.0}},
            "not supported",
            "Not told apart: a on x (+1 modes).",
        ),
    ],
)
def test_helps(rows, word, says):
    # Kills: a limit that is met at 5 %; a loss of modes held for a gain; one data set for all; one seed that is sure;
    # modes that noise captures too as a remedy.
    found = verdicts.helps(rows)
    assert found.word == word and says in found.because


def case_row(whole, quality=50.0):
    spread = {"captured_modes": [5.0, 4.0, 6.0], "high_quality_percent": [quality, 0.0, 99.0]}
    return {"seeds_with_all_modes": whole, "seeds": 10, **spread}


@pytest.mark.parametrize(
    ("whole", "word"), [((0, 4), "supported"), ((9, 10), "not supported"), ((0, 9), "depends"), ((5,), "depends")]
)
def test_collapses(whole, word):
    # Kills: an unsteady way called one that loses or keeps; one protocol for both.
    found = verdicts.collapses({f"way {i}: x": case_row(n) for i, n in enumerate(whole)})
    assert found.word == word and found.because.startswith("Way 0 on x ") and f"{whole[0]} of 10" in found.because
    poor = verdicts.collapses({"way 0: x": case_row(0), "way 1: x": case_row(0, 9.9)})
    assert poor.word == "depends" and "way 1 on x has not learned (0 of 10" in poor.because


def seed(captured, quality=50.0, samples=1):
    counts = ModeCount(0, 0.0, math.log(8)), ModeCount(captured, quality, 0.5)
    return Trained(counts, np.zeros((samples, 2), np.float32))


def test_seeds_become_figures():
    # Kills: the first look in place of the last; modes among noise that count; a published figure of another way.
    row = runs.row(Case(PACKING, "ring8"), 2, [seed(8), seed(8, 9.9), seed(5), seed(0, 0.0, samples=0)])
    assert row["captured_modes"][0] == 5.25 and row["seeds_with_all_modes"] == 1 and row["failed_seeds"] == 1
    assert row["published_modes"] == 7.9 and row["published_percent"] == 95.6 and row["published_nats"] == 0.07
    assert row["high_quality_percent"][0] == pytest.approx((50 + 9.9 + 50) / 4) and row["reverse_kl_nats"][0] == 0.5
    assert runs.row(Case(UNROLLING, "ring8"), 3, [seed(8)])["published_modes"] is None


def test_gains_are_paired_and_corrected_together():
    # Kills: the sign; an unpaired test; a correction within each protocol alone; the quality of the way without.
    with_none, with_some = [seed(3), seed(2), seed(4)], [seed(6), seed(6), seed(7)]
    noise = [seed(3, 9.0), seed(4, 9.0), seed(3, 6.0)]
    found = runs.gains(
        {
            Case(UNROLLING, "ring8"): {0: with_none, 5: with_some},
            Case(PACKING, "ring8"): {1: with_none, 4: noise},
        }
    )
    half = 4.302652729911275 / 3  # t(0.975, 2) s / sqrt(n) of the differences 3, 4, 3
    one, other = found["unrolled, 5 steps: ring8"], found["packs of 4: ring8"]
    np.testing.assert_allclose(one["more_modes"], [10 / 3, 10 / 3 - half, 10 / 3 + half], rtol=1e-9)
    p = 1 - 10 / math.sqrt(2 + 100)  # Student's law of 2 degrees at t = (10 / 3) / (1 / 3), both sides
    assert one["p_corrected"] == pytest.approx(2 * p, rel=1e-6) and one["high_quality_percent"] == 50
    assert other["more_modes"][0] == pytest.approx(1 / 3) and other["high_quality_percent"] == 8


def test_a_seed_that_diverges_has_lost_all(monkeypatch):
    # Kills: a seed that takes the experiment with it; the modes of an earlier look as the last ones.
    def train(*args, **options):
        raise Diverged("ten steps")

    monkeypatch.setattr(runs, "compile_loop", lambda *args, **options: SimpleNamespace(init=lambda key: None))
    monkeypatch.setattr(runs, "train", train)
    (found,) = runs.measure(Case(UNROLLING, "ring8"), 0, Config(seeds=1, looks=3))
    assert found.counts == (ModeCount(0, 0.0, math.log(8)),) * 3 and found.samples.shape == (0, 2)
    assert panels.samples({Case(UNROLLING, "ring8"): {0: [found]}})  # and can be drawn


@pytest.mark.parametrize(
    ("protocol", "way", "batch", "inputs", "rates", "b1"),
    [(UNROLLING, 0, 512, 2, (1e-4, 1e-3), 0.5), (PACKING, 4, 400, 8, (1e-4, 1e-4), 0.8)],
)
def test_the_settings_are_the_papers(protocol, way, batch, inputs, rates, b1):
    # Kills: another gain, deviation, batch, rate, b1 or pack; a bias before batch norm; turns one after the other.
    plan = PROTOCOLS[protocol].plan(way, Config(narrower=1, batch=512))
    assert plan.batch_size == batch and plan.turns == (("critic", "generator"),)
    params = jax.jit(plan.game.init)(jax.random.key(0), Batch(jnp.zeros((4 * plan.unit, 2))))[0]
    critic, generator = params["critic"], params["generator"]
    assert critic["Dense_0"]["kernel"].shape[0] == inputs
    if protocol == UNROLLING:
        kernel = np.asarray(generator["Dense_1"]["kernel"], np.float64)
        np.testing.assert_allclose(kernel.T @ kernel, 1.96 * np.eye(128), atol=1e-5)
        assert generator["Dense_0"]["kernel"].shape == (256, 128) and len(generator) == len(critic) == 3
    else:
        assert critic["Dense_1"]["kernel"].shape == (200, 1000) and generator["Dense_1"]["kernel"].shape == (400, 400)
        for kernel in (critic["Dense_1"]["kernel"], generator["Dense_1"]["kernel"]):
            assert float(kernel.std()) == pytest.approx(0.02, rel=5 / math.sqrt(2 * kernel.size))
        assert "bias" not in generator["Dense_3"] and "bias" in generator["Dense_4"]
    for player, rate in zip(("critic", "generator"), rates, strict=True):
        # Adam's first step is -rate, its next at a gradient of 0 -rate b1 / (1 + b1) / sqrt(b2 / (1 + b2)).
        tx, one = plan.optimizers[player], jnp.ones(1)
        first, opt = tx.update(one, tx.init(one))
        second, _ = tx.update(0 * one, opt)
        assert float(first[0]) == pytest.approx(-rate, rel=1e-4)
        assert float(second[0]) == pytest.approx(-rate * b1 / (1 + b1) / math.sqrt(0.999 / 1.999), rel=1e-3)


def test_narrower_networks_keep_the_size_of_their_signals():
    # Kills: a width that stays; a deviation that does not grow by the root.
    plan = PROTOCOLS[PACKING].plan(2, Config(narrower=4))
    params = jax.jit(plan.game.init)(jax.random.key(0), Batch(jnp.zeros((8, 2))))[0]
    for kernel, shape in (
        (params["critic"]["Dense_1"]["kernel"], (50, 250)),
        (params["generator"]["Dense_1"]["kernel"], (100, 100)),
    ):
        assert kernel.shape == shape
        assert float(kernel.std()) == pytest.approx(0.04, rel=5 / math.sqrt(2 * kernel.size))


def test_maxout_and_the_unrolled_game():
    # Kills: a maxout over the wrong axis; unrolling that is left out.
    from experiments.published_protocols.ways import Maxout

    net, x = Maxout(width=3, pieces=2), jax.random.normal(jax.random.key(1), (5, 2))
    params = net.init(jax.random.key(0), x)
    h = np.asarray(x, np.float64)
    for i in range(3):
        y = h @ np.asarray(params["params"][f"Dense_{i}"]["kernel"], np.float64)
        h = np.maximum(y[:, 0::2], y[:, 1::2])
    last = params["params"]["Dense_3"]["kernel"]
    np.testing.assert_allclose(net.apply(params, x), (h @ np.asarray(last, np.float64))[:, 0], rtol=1e-4, atol=1e-9)
    plain, foreseen = (PROTOCOLS[UNROLLING].plan(steps, Config()).game.losses["generator"] for steps in (0, 1))
    assert plain.func.__name__ == "_loss" and foreseen.func.__name__ == "_foreseen"


def test_the_page_says_how_much_smaller():
    # Kills: a shortening that the page does not tell.
    config = Config(unrolling=Part(("ring8",), (0, 5), 2500), packing=Part(("grid25",), (1, 4), 4000))
    said = published_protocols.smaller(config)
    assert "2,500 of 25,000 updates (1/10) in batches of 128 for 512;" in said
    assert "4,000 of 400,000 updates (1/100), layers 4 times narrower" in said and "kernels 2 times larger" in said
    small = dataclasses.replace(config, seeds=3)
    case = Case(UNROLLING, "ring8"), Case(PACKING, "grid25")
    made = {case[0]: {0: [seed(1)] * 3, 5: [seed(8)] * 3}, case[1]: {1: [seed(5)] * 3, 4: [seed(25)] * 3}}
    claims = published_protocols.claims(made, small)
    assert [claim.id for claim in claims] == [
        "2c, published protocols",
        "2d, unrolling as published",
        "2d, packing as published",
    ]
    assert all("(1/10)" in claim.limits for claim in claims)
    assert list(claims[2].figures["against_none"]) == ["packs of 4: grid25"]


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "way"), [(UNROLLING, 2), (PACKING, 2)])
def test_the_ways_with_a_remedy_are_trained(protocol, way):
    # Kills: samples under the statistics of the start, which batch norm would pass on; a look that is left out.
    parts = Part(("ring8",), (0, 2), 6), Part(("ring8",), (1, 2), 6)
    config = Config(*parts, seeds=2, looks=3, narrower=20, samples=50)
    found = runs.measure(Case(protocol, "ring8"), way, config)
    assert [(len(seed.counts), seed.samples.shape) for seed in found] == 2 * [(3, (50, 2))]
    assert all(np.isfinite(seed.samples).all() and np.ptp(seed.samples) > 1e-3 for seed in found)
