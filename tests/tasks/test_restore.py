"""Restore: models that are written by hand get the figures that they deserve, and each end of the plane is seen."""

import jax
import numpy as np
import pytest
from PIL import Image
from specs import needs, says

from jaxgen.core import Model
from jaxgen.data import Split, load
from jaxgen.metrics.features import Features, flat
from jaxgen.recipes import RECIPES, Spec, build, find, side
from jaxgen.runs.conditions import condition_of
from jaxgen.tasks import RESTORE, Reference, evaluation, restore

KEY = jax.random.key(0)
SPACE = Features(lambda x: flat(x)[:, ::5], "every fifth pixel")
DETAIL = 0.05  # standard deviation of what the small images do not tell


def halved(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def doubled(x):
    return x.repeat(2, 1).repeat(2, 2)


def detailed(smooth, rng):
    """Images that shrink to `smooth`, whose details are drawn apart from it."""
    detail = rng.normal(size=(len(smooth), 8, 8, 1))
    detail -= doubled(halved(detail))
    return np.asarray(doubled(smooth) + DETAIL / np.sqrt(3 / 4) * detail, np.float32)


@pytest.fixture(scope="module")
def test():
    rng = np.random.default_rng(0)
    return restore.pairs(detailed(0.5 + 0.05 * rng.normal(size=(400, 4, 4, 1)), rng))


def by_hand(made):
    """A model of `made(rows, rng)`, the results of the test images of these rows; what it is given stays in `seen`."""
    seen = []

    def draw(key, n, condition):
        seen.append((np.asarray(jax.random.key_data(key)), np.asarray(condition)))
        return np.random.default_rng(np.asarray(jax.random.key_data(key)))

    return Model(draw=draw, sample=lambda noise, condition: made(condition, noise)), seen


def truth(test):
    known = {small.tobytes(): large for large, small in zip(*test, strict=True)}
    return by_hand(lambda small, rng: np.stack([known[np.asarray(s).tobytes()] for s in small]))[0]


def test_the_truth_is_perfect(test):
    # Kills: results beside the small images of others; a consistency that is no difference; a figure that is infinite.
    figures = restore.read(truth(test), SPACE, test, KEY).figures
    assert set(figures) == {*restore.METRICS} - {"psnr", "psnr_mean"}  # infinite: no figure of which there is a mean
    assert figures["ssim"] == pytest.approx(1, abs=1e-9)
    for name in ("joint_frechet", "frechet", "consistency", "spread"):
        assert figures[name] == pytest.approx(0, abs=1e-7)


def test_draws_given_the_small_image_lose_three_decibels(test):
    # Kills: the figures of the mean for those of one result; one draw eight times; K for K - 1; a spread that is a
    # variance, or a mean over images of roots; a mean of fewer than eight.
    figures = restore.read(by_hand(lambda small, rng: detailed(np.asarray(small), rng))[0], SPACE, test, KEY).figures
    numbers = 400 * 48  # independent ones: 3 of 4 pixels
    apart = 10 / np.log(10) * 5 * np.sqrt(2 / numbers)  # five standard errors of a ratio of two variances, in dB
    assert figures["psnr"] == pytest.approx(-10 * np.log10(2 * DETAIL**2), abs=apart)
    assert figures["psnr_mean"] == pytest.approx(-10 * np.log10((1 + 1 / 8) * DETAIL**2), abs=apart)
    assert figures["spread"] == pytest.approx(DETAIL, rel=5 * np.sqrt(1 / (2 * 7 * numbers)))
    assert figures["consistency"] == pytest.approx(0, abs=1e-6)
    blurred = restore.read(by_hand(lambda small, rng: doubled(np.asarray(small)))[0], SPACE, test, KEY).figures
    assert blurred["psnr"] - figures["psnr"] == pytest.approx(10 * np.log10(2), abs=apart)  # the bound: 3.01 dB
    assert blurred["psnr"] > figures["psnr"] and blurred["frechet"] > 2 * figures["frechet"]


def test_the_headline_counts_what_either_end_of_the_plane_misses(test):
    # Kills: a headline that results of other small images win, as they win realism; one that blur wins, as it wins
    # PSNR; a marginal distance under the name of the joint one.
    figures = {
        "draws": restore.read(
            by_hand(lambda small, rng: detailed(np.asarray(small), rng))[0], SPACE, test, KEY
        ).figures,
        "blurred": restore.measure(SPACE, test, doubled(test.small)),
        "shuffled": restore.measure(SPACE, test, np.random.default_rng(0).permutation(test.large)),
    }
    best = {name: min(figures, key=lambda who: figures[who][name]) for name in ("joint_frechet", "frechet")}
    assert best == {"joint_frechet": "draws", "frechet": "shuffled"}
    assert max(figures, key=lambda who: figures[who]["psnr"]) == "blurred"
    assert figures["shuffled"]["frechet"] == pytest.approx(0, abs=1e-9)
    worse = [figures[who]["joint_frechet"] / figures["draws"]["joint_frechet"] for who in ("blurred", "shuffled")]
    assert min(worse) > 2


def test_a_model_is_given_the_small_images_and_noise_of_its_own(test, monkeypatch):
    # Kills: small images that are not means of squares, in another order, or of another split; one noise for all
    # batches or for all eight results; a key that does not matter.
    monkeypatch.setattr(evaluation, "NUMBERS", 16 * 16 * 100)
    model, seen = by_hand(lambda small, rng: doubled(np.asarray(small)))
    restore.read(model, SPACE, test, KEY)
    batches = len(seen) // 8
    assert batches > 1 and len({key.tobytes() for key, _ in seen}) == len(seen)
    given = np.concatenate([condition for _, condition in seen[:batches]])[:400]
    np.testing.assert_allclose(given, halved(test.large), atol=1e-6)
    restore.read(model, SPACE, test, jax.random.key(1))
    assert len({key.tobytes() for key, _ in seen}) == len(seen)


def test_a_stage_reads_the_headline_alone(test):
    # Kills: all figures where only the headline is kept; another figure than that at the end.
    data = load("digits")._replace(test=Split((255 * test.large).astype(np.uint8), None))
    model, seen = by_hand(lambda small, rng: detailed(np.asarray(small), rng))
    stage, end = (RESTORE.measure(model, Reference(data, SPACE), 0, KEY, at).figures for at in ("25", None))
    assert len(seen) == 1 + 8 and stage == {"joint_frechet": end["joint_frechet"]}


def test_results_that_are_no_numbers(test):
    # Kills: a figure of the pixels that are left; a failure in place of none.
    model = by_hand(
        lambda small, rng: doubled(np.where(np.arange(len(small)) == 3, np.nan, 1)[:, None, None, None] * small)
    )
    assert restore.read(model[0], SPACE, test, KEY) == ({}, "")


def test_baselines():
    # Kills: figures of one baseline under the name of another; a ridge that sees the test split; figures of eight
    # results that are left out where there is one.
    data = load("digits")
    x, y = (data.train.x / 255.0, data.test.x / 255.0)
    found = RESTORE.baselines(Reference(data, SPACE), 0)
    assert list(found) == [f"baseline: {name}" for name in ("bicubic", "ridge regression", "nearest training example")]
    for figures in found.values():
        assert set(figures) == set(restore.METRICS)
        assert figures["psnr_mean"] == figures["psnr"] and figures["spread"] == 0
    cubic = [Image.fromarray(x[..., 0].astype(np.float32)).resize((8, 8), Image.Resampling.BICUBIC) for x in halved(y)]
    error = np.mean((np.clip(np.stack(cubic)[..., None], 0, 1) - y) ** 2)
    assert found["baseline: bicubic"]["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-3)
    near = np.sum((halved(x)[None] - halved(y)[:, None]) ** 2, axis=(2, 3, 4)).argmin(1)
    error = np.mean((x[near] - y) ** 2)
    assert found["baseline: nearest training example"]["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-3)
    linear = np.c_[halved(x).reshape(len(x), -1), np.ones(len(x))]
    weight = np.linalg.lstsq(linear, x.reshape(len(x), -1), rcond=None)[0]
    made = np.clip(np.c_[halved(y).reshape(len(y), -1), np.ones(len(y))] @ weight, 0, 1)
    error = np.mean((made - y.reshape(len(y), -1)) ** 2)
    assert found["baseline: ridge regression"]["psnr"] == pytest.approx(-10 * np.log10(error), abs=0.05)


@pytest.mark.parametrize(
    ("shape", "by"),
    [((8, 8, 1), 2), ((12, 12, 1), 3), ((16, 24, 3), 4), ((28, 28, 1), 4), ((18, 18, 3), 3), ((64, 64, 3), 4)],
)
def test_small_images_are_those_that_the_networks_are_given(shape, by):
    # Kills: a small image of one size in training and of another in measuring; a quarter that leaves 2 x 2 pixels.
    data = load("digits")._replace(train=Split(np.zeros((3, *shape), np.uint8), None))
    assert restore.factor(shape) == by
    _, text = RESTORE.training.form.configure("vae", find("vae"), data)
    assert condition_of(text, shape, 0).form == restore.pairs(np.zeros((1, *shape), np.float32)).small.shape[1:]
    assert (
        f"{shape[0] // by}x{shape[1] // by} pixels, each of which is the mean of {by}x{by}"
        in RESTORE.notes(data, [0])[0]
    )


def test_what_cannot_be_restored():
    # Kills: a comparison that fails in its middle on data without images, or of a size that does not shrink.
    assert RESTORE.servable(load("digits")) is None
    assert RESTORE.servable(load("ring8")) == "ring8 has no images."
    odd = load("digits")._replace(train=Split(np.zeros((3, 11, 8, 1), np.uint8), None))
    assert "11x8 do not shrink evenly" in RESTORE.servable(odd)
    one = load("digits")
    assert "1 test examples" in RESTORE.servable(one._replace(test=Split(one.test.x[:1], None)))


def test_who_is_trained():
    # Kills: a GAN that nobody tells the true image, a side that changes with the recipe, a VAE that is replaced.
    data, told = load("digits"), RESTORE.training.form.configure
    for name, recipe in RECIPES.items():
        if needs(name):  # more than images: it has no main training on these data
            continue
        own = side(build(recipe, Spec((8, 8, 1)), {}))
        trained, text = told(own, recipe, data)
        assert (
            text == "small:4" and (trained is find("sr_gan")) == (own == "gan") and trained in (recipe, find("sr_gan"))
        )
        if not says(name, "Takes no condition"):  # one that does is left out
            assert side(build(trained, Spec((8, 8, 1), (4, 4, 1)), {})) == own


def test_pictures():
    # Kills: training examples; small images that are not enlarged; one result twice; results of other images.
    data, (picture,) = load("digits"), RESTORE.pictures
    real, x = picture.real(data), data.test.x[:8] / 255.0
    np.testing.assert_allclose(real, np.concatenate([doubled(halved(x)), x]), atol=1e-6)
    made = picture.render(by_hand(lambda small, rng: detailed(np.asarray(small), rng))[0], data, KEY)
    assert made.shape == (16, 8, 8, 1) and picture.columns == 8
    np.testing.assert_allclose(halved(made), np.concatenate([halved(x)] * 2), atol=1e-6)
    assert np.abs(made[:8] - made[8:]).max() > DETAIL


def test_of_large_images_a_part_has_all_results(test, monkeypatch):
    # Kills: seven more results of each small image; a mean beside the truth of other images; a stage as long as the
    # end; the first images in place of random ones.
    monkeypatch.setattr(evaluation, "LOOKED", 64 * 256)
    monkeypatch.setattr(evaluation, "FEWEST", 16)
    data = load("digits")._replace(test=Split((255 * test.large).astype(np.uint8), None))
    model, seen = by_hand(lambda small, rng: detailed(np.asarray(small), rng))
    figures = RESTORE.measure(model, Reference(data, SPACE), 0, KEY, None).figures
    assert [len(given) for _, given in seen] == [256] + 7 * [32]
    first, rest = seen[0][1], seen[1][1]
    at = [int(np.flatnonzero((first == one).all((1, 2, 3)))[0]) for one in rest]
    assert at == sorted(at) and at[-1] > 200
    # One result has twice the squared error of the mean of very many, and of eight 9 / 8 of that.
    assert figures["psnr_mean"] - figures["psnr"] == pytest.approx(10 * np.log10(2 / (9 / 8)), abs=0.3)
    seen.clear()
    RESTORE.measure(model, Reference(data, SPACE), 0, KEY, "25")
    assert [len(given) for _, given in seen] == [64]
