"""The experiment `stacked_digits`: its verdicts on made-up figures, what each way plays, and what is counted."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import stacked_digits
from experiments.stacked_digits import BOTH, PLAIN, PUBLISHED, WAYS, Trained
from jaxgen.core import Batch, Context
from jaxgen.metrics import StackedCount
from jaxgen.training.loop import Diverged

SMALL = stacked_digits.Config(seeds=2, steps=4, batch=8, latent_dim=4, samples=30)


def cases(**own):
    """Rows by way: those of R3GAN's table are as published, but for what `own` says, (seeds with all modes, failed)."""
    names = {"plain": f"{PLAIN}, no penalty", "r1": f"{PLAIN}, R1", "both": f"{PLAIN}, {BOTH}"}
    names |= {"rel_r1": "relativistic, R1", "rel_both": f"relativistic, {BOTH}"}
    found = {"plain": (0, 0), "r1": (0, 10), "both": (0, 0), "rel_r1": (0, 10), "rel_both": (10, 0)} | own
    keys = ("seeds_with_all_modes", "failed_seeds", "seeds")
    return {names[name]: dict(zip(keys, (*pair, 10), strict=True)) for name, pair in found.items()}


@pytest.mark.parametrize(("kept", "word"), [(0, "supported"), (4, "supported"), (5, "depends"), (9, "not supported")])
def test_collapse(kept, word):
    # Kills: the verdict of a way with a penalty; kept for lost.
    found = stacked_digits.collapses(cases(plain=(kept, 0)))
    assert (found.word, found.because) == (word, f"It keeps all 1,000 modes on {kept} of 10 seeds.")


@pytest.mark.parametrize(
    ("own", "word", "otherwise"),
    [
        ({}, "supported", ""),
        ({"r1": (0, 9)}, "depends", f"{PLAIN}, R1 (all modes on 0 of 10 seeds, 9 diverged)."),
        ({"both": (10, 0)}, "depends", f"{PLAIN}, {BOTH} (all modes on 10 of 10 seeds)."),
        ({"both": (5, 0)}, "depends", f"{PLAIN}, {BOTH} (all modes on 5 of 10 seeds)."),
        ({"rel_both": (8, 0)}, "depends", f"relativistic, {BOTH} (all modes on 8 of 10 seeds)."),
        ({"r1": (10, 0), "both": (10, 0), "rel_r1": (10, 0), "rel_both": (0, 0)}, "not supported", PLAIN),
    ],
)
def test_the_four_cells_of_the_paper(own, word, otherwise):
    # Kills: a cell that loses modes where it should diverge, counted as published; one cell for all; an unsteady cell
    # that counts as one that loses.
    found = stacked_digits.as_published(cases(**own))
    assert found.word == word and f"Otherwise: {otherwise}" in found.because + "Otherwise: "


def test_each_way_plays_its_own_game():
    # Kills: a penalty that is left out, doubled, or of another weight; packs of one; a loss under another's name.
    x = jax.random.uniform(jax.random.key(0), (8, 8, 8, 3))
    losses = {}
    for way in WAYS:
        game = stacked_digits.plan_of(way, SMALL).game
        params, state = game.init(jax.random.key(1), Batch(x))
        noise = game.draw(jax.random.key(2), Batch(x))
        plans = {gamma: stacked_digits.plan_of(way, dataclasses.replace(SMALL, gamma=gamma)) for gamma in (0.5, 1.0)}
        losses[way] = {gamma: _critic_loss(plan.game, params, noise, x, state) for gamma, plan in plans.items()}
    for loss in (PLAIN, "relativistic"):
        r1, both = (losses[f"{loss}, {name}"] for name in ("R1", BOTH))
        first = r1[1.0] - r1[0.5]  # half of the weight times the squared slope at real examples
        assert 0 < first < both[1.0] - both[0.5]
        np.testing.assert_allclose(r1[0.5] - first, both[0.5] - (both[1.0] - both[0.5]), rtol=1e-5)
    bare = losses[f"{PLAIN}, no penalty"]
    assert (
        bare[0.5] == bare[1.0] == pytest.approx(2 * losses[f"{PLAIN}, R1"][0.5] - losses[f"{PLAIN}, R1"][1.0], rel=1e-5)
    )
    assert set(PUBLISHED) < set(WAYS)


def _critic_loss(game, params, noise, x, state):
    loss, _ = game.losses["critic"](params, noise, Batch(x), Context(jnp.int32(0), state))
    return float(loss)


def test_seeds_that_diverge_have_no_modes(monkeypatch):
    # Kills: a seed that diverged and is left out; another's samples; the fewest that is the mean.
    made = Trained(StackedCount(1000, 0.1), np.zeros((3, 8, 8, 3)))
    lost = Trained(StackedCount(0, float(np.log(1000))), np.zeros((0, 8, 8, 3)))
    row = stacked_digits.row([made, lost])
    assert row["captured_modes"][0] == 500 and row["fewest"] == 0 and row["failed_seeds"] == 1
    assert row["largest_kl_nats"] == pytest.approx(np.log(1000))
    assert row["seeds_with_all_modes"] == 1 and row["kl_nats"][0] == pytest.approx((0.1 + np.log(1000)) / 2)

    def train(*args, **more):
        raise Diverged("at once")

    monkeypatch.setattr(stacked_digits, "train", train)
    data = stacked_digits.load("stacked_digits")
    found = stacked_digits.measure(f"{PLAIN}, no penalty", data, lambda x: None, SMALL)
    assert [one.count for one in found] == [lost.count] * 2


def test_real_images_have_all_modes_and_little_else():
    # Kills: images of training digits; a classifier of whole images.
    classify, accuracy = stacked_digits._classifier()
    real = stacked_digits.count_stacked(stacked_digits.data_like(25_600), classify)
    assert accuracy > 0.95 and real.captured == 1000 and 999 / 51_200 * 0.8 < real.kl < 0.04
