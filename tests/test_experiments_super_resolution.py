"""The experiment `super_resolution`: verdicts on made-up figures, the bound, and the network of squared error."""

import comparisons
import jax
import numpy as np
import pytest

from experiments import answers, regression, settings, super_resolution
from jaxgen.core import Batch
from jaxgen.recipes import Spec, side
from jaxgen.tasks import RESTORE


def row(real, near, lost):
    keys = ("squared_error_minus_gan_in_realism", "psnr_squared_error_minus_gan", "db_below_the_best")
    return dict(zip(keys, (real, near, lost), strict=True))


@pytest.mark.parametrize(
    ("row", "state", "note"),
    [
        (row([5, 4, 6], [1, 0.5, 1.5], [2, 1.5, 2.5]), answers.AGREES, ""),
        (row([5, 4, 6], [1, 0.5, 1.5], [3.0, 2.5, 3.5]), answers.AGREES, ""),
        (row([5, 4, 6], [1, 0.5, 1.5], [3.1, 2.5, 3.7]), answers.OPEN, ""),
        (row([5, -4, 14], [1, 0.5, 1.5], [2, 1.5, 2.5]), answers.OPEN, ""),
        (row([5, 4, 6], [1, -0.5, 2.5], [2, 1.5, 2.5]), answers.OPEN, ""),
        (row([5, 4, 6], [4, 3.5, 4.5], [4, 3.5, 4.5]), answers.AGAINST, "3.01 dB below the best"),
        (row([-5, -6, -4], [1, 0.5, 1.5], [2, 1.5, 2.5]), answers.AGAINST, "the squared error looks more real"),
        (row([5, 4, 6], [-1, -1.5, -0.5], [0, -0.1, 0.1]), answers.AGAINST, "the GAN is nearer to the truth"),
        (row(None, None, None), answers.OPEN, ""),
    ],
)
def test_trade(row, state, note):
    # Kills: one of the three conditions left out; a sign; a bound of another size.
    found = super_resolution.trade(row)
    assert found[0] == state and note in found[1]
    assert pytest.approx(10 * np.log10(2), abs=1e-3) == super_resolution.BOUND


def test_what_is_read_from_comparisons(monkeypatch):
    # Kills: the GAN beside another way than the squared error; the worst PSNR as the best; other seeds.
    monkeypatch.setattr(settings, "measured", comparisons.measured)
    monkeypatch.setattr(super_resolution, "regressions", comparisons.regressions)
    chosen, traded = super_resolution.main(comparisons.TINY).claims
    own = traded.figures["data"]["digits"]
    squared, gan = (
        np.mean([comparisons.figures(who, seed) for seed in range(3)]) for who in ("squared error", "r3gan")
    )
    assert own["squared_error_minus_gan_in_realism"][0] == pytest.approx(squared - gan)
    assert own["psnr_squared_error_minus_gan"][0] == pytest.approx(squared - gan)
    assert own["best_psnr"].startswith("GAN") and own["db_below_the_best"][0] == 0
    sets = {"digits": comparisons.found(value=lambda who, seed: float(who == "bicubic"))}
    worse = comparisons.regressions(sets, comparisons.TINY)["digits"]
    assert super_resolution.best(sets["digits"], worse)[0] == "bicubic"
    assert traded.verdict.word == "not supported" and "the GAN is nearer" in traded.verdict.because
    plane = traded.figures["plane_of_digits"]
    assert list(plane)[:3] == ["VAE", "GAN", "squared error"] and "bicubic" in plane
    assert chosen.figures["data"]["digits"]["best_baseline"] and chosen.verdict.word == "supported"


def test_the_network_is_that_of_the_gan_and_its_loss_is_the_squared_error():
    # Kills: another network than the GAN's generator; noise in its place; absolute error; a side that speaks for a GAN.
    spec = Spec((8, 8, 1), (4, 4, 1))
    plan = regression.squared_error(spec)
    rng = np.random.default_rng(0)
    large, small = rng.random((3, 8, 8, 1), np.float32), rng.random((3, 4, 4, 1), np.float32)
    batch = Batch(large, small)
    params, state = plan.game.init(jax.random.key(0), batch)
    gan = super_resolution_gan(spec)
    generator = gan.game.init(jax.random.key(0), batch)[0]["generator"]
    assert jax.tree.map(np.shape, params["network"]) == jax.tree.map(np.shape, generator)
    model = plan.game.model(params, state)
    made = model.sample(model.draw(jax.random.key(1), 3, small), small)
    np.testing.assert_array_equal(made, model.sample(model.draw(jax.random.key(2), 3, small), small))
    noise = plan.game.draw(jax.random.key(3), batch)
    value, _ = plan.game.losses["network"](params, noise, batch, context_of(state))
    np.testing.assert_allclose(value, np.mean((np.asarray(made) - large) ** 2), rtol=1e-5)  # sums in another order
    assert side(plan) == "hybrid"


def super_resolution_gan(spec):
    recipe, _ = RESTORE.training.form.configure("gan", None, comparisons.loaded("digits"))
    return recipe(spec)


def context_of(state):
    from jaxgen.core import Context

    return Context(np.int32(0), state)


@pytest.mark.slow
def test_the_regression_learns(tmp_path):
    # Kills: a training of other splits or seeds; one that is made twice.
    config = settings.Config({"digits": settings.Part(1.0, ("super-resolution",))}, seeds=2)
    sets = {"digits": comparisons.found("digits", ("super-resolution",))}
    own = regression.regressions(sets, config, tmp_path)["digits"].outcomes[regression.NAME]
    assert sorted(own) == [0, 1] and all(outcome.figures["restore"]["psnr"] > 15 for outcome in own.values())
    assert own[0].figures != own[1].figures
    again = regression.regressions(sets, config, tmp_path)["digits"].outcomes[regression.NAME]
    assert again[0].figures == own[0].figures and again[0].seconds == own[0].seconds
