"""Translation without pairs: what is trained on, what is measured, and of which domain. Models are made by hand."""

import jax
import numpy as np
import pytest

from jaxgen.core import BadRequest, Model
from jaxgen.data import Data, Split, as_float
from jaxgen.data.styles import coloured, thick
from jaxgen.metrics.features import Features, flat
from jaxgen.metrics.frechet import frechet
from jaxgen.recipes import RECIPES, Spec, build
from jaxgen.tasks import TRANSLATE, Reference, translate

KEY = jax.random.key(0)
RAW = Features(flat, "pixels")


def make_split(seed, n, channels=1):
    """Class 0 is bright on the left, class 1 on the right; some pixels are brighter."""
    rng, label = np.random.default_rng(seed), (np.arange(n) % 2).astype(np.int32)
    x = rng.integers(0, 30, (n, 8, 8, channels), np.uint8)
    for kind, columns in ((0, slice(0, 2)), (1, slice(6, 8))):
        x[label == kind, :, columns] += 130
    x[np.arange(n), rng.integers(0, 8, n), rng.integers(0, 8, n)] += 60
    return Split(x, label)


@pytest.fixture
def data():
    splits = make_split(0, 121), make_split(1, 20), make_split(2, 40)
    return Data("toy", "image", *splits, ("left", "right"), None, None, "", (), anomalies=("left",))


def pairs(data):
    return as_float(data.test.x), as_float(thick(data.test.x))


def lookup(here, there, also=lambda y: y):
    """A map that knows the pair of each image, and does something to it as well."""
    known = {x.tobytes(): also(y) for x, y in zip(here, there, strict=True)}
    return lambda x: np.stack([known[np.asarray(row).tobytes()] for row in x])


def perfect(data, also=lambda y: y):
    x, y = pairs(data)
    return Model(maps={"original_to_thick": lookup(x, y, also), "thick_to_original": lookup(y, x)})


def read(model, data, stage=None):
    return TRANSLATE.measure(model, Reference(data, RAW), 0, KEY, stage).figures


def test_no_image_is_in_both_sets(data):
    # Kills: pairs among the training images, in one order or another; a set that lacks images; the style on both sets
    # or on the first; labels exchanged; the anomalies of the data, whose classes are gone; sets by the order of a
    # folder, which is that of its classes.
    x = np.zeros((121, 8, 8, 1), np.uint8)
    x[:, 2, 3, 0] = np.arange(1, 122)  # the brightest pixel tells an image, thick or not
    seen = translate.unpaired(data._replace(train=Split(x, np.repeat([0, 1], [60, 61]))))
    assert seen.classes == ("original", "thick") and seen.anomalies == ()
    one, other = (seen.train.x[seen.train.label == domain] for domain in (0, 1))
    assert len(one) == 60 and sorted([*one.max((1, 2, 3)), *other.max((1, 2, 3))]) == list(range(1, 122))
    assert set(np.count_nonzero(one, (1, 2, 3))) == {1} and set(np.count_nonzero(other, (1, 2, 3))) == {5}
    assert 15 < np.sum(one.max((1, 2, 3)) <= 60) < 45
    np.testing.assert_array_equal(seen.train.x, translate.unpaired(data._replace(train=Split(x, None))).train.x)


def test_every_gan_is_a_cycle_gan_and_every_vae_is_given_the_domain(data):
    # Kills: a GAN that draws images for one that translates them; a condition for the cycle GAN, which takes none; a
    # VAE without the domain, or a GAN's recipe for it; a refusal that stops the comparison.
    seen = translate.unpaired(data)
    recipe, condition = translate.configure("gan", RECIPES["r3gan"], data)
    plan = build(recipe, Spec(seen.shape, domains=seen.classes), {})
    assert condition is None and plan.domains == ("original", "thick")
    assert recipe.keywords == {"learning_rate": 2e-3, "identity": 0.1}  # as the notes say
    for name in ("vae", "aae"):
        assert translate.configure("hybrid" if name == "aae" else "vae", RECIPES[name], data) == (
            RECIPES[name],
            "label",
        )
        assert build(RECIPES[name], Spec(seen.shape, 2, domains=seen.classes), {}).game
    with pytest.raises(BadRequest, match="vamp_vae"):
        build(translate.configure("vae", RECIPES["vamp_vae"], data)[0], Spec(seen.shape, 2), {})


def test_figures_of_the_truth_and_of_a_known_error(data):
    # Kills: an error to the original, or to the test images of another order; the mean of squares without its root;
    # a Frechet distance to originals; the way back read from the way there; labels of the training images.
    exact = read(perfect(data), data)
    assert exact["error"] == exact["error_back"] == 0 and exact["content"] == 1 and exact["frechet"] < 1e-9
    x, y = pairs(data)
    noise = np.where(np.arange(64).reshape(8, 8, 1) % 2, np.float32(0.03), np.float32(-0.01))
    found = read(perfect(data, also=lambda y: y + noise), data)
    np.testing.assert_allclose(found["error"], np.sqrt((0.03**2 + 0.01**2) / 2), rtol=1e-5)
    assert found["error_back"] == 0
    np.testing.assert_allclose(found["frechet"], frechet(flat(y), flat(y + noise)), rtol=1e-5)
    unchanged = read(Model(maps=dict.fromkeys(("original_to_thick", "thick_to_original"), lambda x: x)), data)
    np.testing.assert_allclose(unchanged["error"], np.sqrt(np.mean((x - y).astype(float) ** 2)), rtol=1e-6)
    assert unchanged["error"] == unchanged["error_back"]
    assert set(exact) == set(translate.METRICS)


def test_content_is_that_of_the_test_image(data, monkeypatch):
    # Kills: a share of what is like any training image; neighbours among the originals; figures of labels without any.
    mirrored = perfect(data, also=lambda y: y[:, ::-1])
    assert read(mirrored, data)["content"] == 0
    half = data._replace(
        test=data.test._replace(label=np.where(np.arange(40) < 10, 1 - data.test.label, data.test.label))
    )
    assert read(perfect(data), half)["content"] == 0.75
    bare = data._replace(**{name: split._replace(label=None) for name, split in data.splits.items()}, classes=())
    assert set(read(perfect(bare), bare)) == {"error", "error_back", "frechet"}
    assert "content" not in translate.ceiling(RAW, bare)
    monkeypatch.setitem(translate.STYLES, "thick", lambda x: x[:, :, ::-1])  # which looks like the other class
    turned = dict.fromkeys(("original_to_thick", "thick_to_original"), lambda x: x[:, :, ::-1])
    assert read(Model(maps=turned), data)["content"] == 1


def test_an_autoencoder_decodes_as_the_other_domain(data):
    # Kills: a code of the wrong domain; an image decoded as the domain that it is of; the way back with the labels of
    # the way there.
    asked = []

    def encode(x, label):
        asked.append(("encode", set(np.asarray(label).tolist()), label.dtype, len(label) == len(x)))
        return x

    def decode(z, label):
        asked.append(("decode", set(np.asarray(label).tolist()), label.dtype, len(label) == len(z)))
        return z

    model = Model(encode=encode, decode=decode, maps={"reconstruct": lambda x, condition: 1 / 0})
    assert read(model, data)["error"] > 0
    order = [("encode", {0}), ("decode", {1}), ("encode", {1}), ("decode", {0})]
    assert asked == [(name, label, np.int32, True) for name, label in order]


def test_what_cannot_translate_has_no_figures(data):
    # Kills: an error of NaN; the figures of one direction where the other is not finite; an original for a
    # translation where a model has none; a stage that measures more than the headline, or none of it.
    broken = perfect(data, also=lambda y: y * np.nan)
    assert read(broken, data) == read(broken, data, "25") == read(Model(), data) == read(Model(), data, "50") == {}
    there = perfect(data).maps["original_to_thick"]
    one_way = Model(maps={"original_to_thick": there, "thick_to_original": lambda x: x * np.inf})
    assert read(one_way, data) == {} and read(one_way, data, "100") == {"error": 0}


def test_baselines(data, monkeypatch):
    # Kills: a transport fitted on pairs, on test images or from the style to the original; what its components leave
    # of an image dropped; values beyond 1.
    found = translate.baselines(RAW, data)
    x, y = pairs(data)
    unchanged = found["baseline: unchanged"]
    np.testing.assert_allclose(unchanged["error"], np.sqrt(np.mean((x - y).astype(float) ** 2)), rtol=1e-6)
    assert set(found) == {"baseline: unchanged", "baseline: linear transport"}
    assert all(set(figures) == set(translate.METRICS) for figures in found.values())
    monkeypatch.setitem(translate.STYLES, "thick", lambda x: (x // 2 + 90).astype(np.uint8))
    many = data._replace(train=make_split(3, 2000))
    moved = translate.baselines(RAW, many)["baseline: linear transport"]
    assert moved["error"] < 0.03 and moved["error_back"] < 0.06 and moved["content"] == 1
    monkeypatch.setattr(translate, "COMPONENTS", 1)
    monkeypatch.setitem(translate.STYLES, "thick", lambda x: x + 3)
    assert translate.baselines(RAW, many)["baseline: linear transport"]["error"] < 0.03
    monkeypatch.setitem(translate.STYLES, "thick", lambda x: np.where(x > 100, 255, 0).astype(np.uint8))
    monkeypatch.setattr(translate, "figures", lambda features, data, there, back, truth: (there.min(), there.max()))
    assert translate.baselines(RAW, data)["baseline: linear transport"] == (0, 1)  # cut there


def test_the_ceiling_is_learned_from_pairs(data, monkeypatch):
    # Kills: a regression from the style to the original; one on the test images, or on the two sets; the content of
    # the originals; the Frechet distance of test images to themselves.
    found = translate.ceiling(RAW, data)
    assert set(found) == set(translate.METRICS) and found["content"] == 1
    y = as_float(thick(data.train.x))
    np.testing.assert_allclose(found["frechet"], frechet(flat(pairs(data)[1]), flat(y)), rtol=1e-9)
    assert 0 < found["error"] < 0.5 * translate.baselines(RAW, data)["baseline: unchanged"]["error"]
    monkeypatch.setitem(translate.STYLES, "thick", lambda x: 255 - x)
    exact = translate.ceiling(RAW, data._replace(train=make_split(3, 2000)))
    assert exact["error"] < 0.01 and exact["error_back"] < 0.01
    monkeypatch.setitem(translate.STYLES, "thick", lambda x: x[:, :, ::-1])
    assert translate.ceiling(RAW, data)["content"] == 1  # of the originals it would be 0


def test_which_data_are_served(data, table):
    # Kills: two domains of a table; a style that changes nothing, so that every model is perfect; an empty set;
    # colours for grey images.
    assert TRANSLATE.servable(data) is None and "needs images" in TRANSLATE.servable(table)
    assert "too few" in TRANSLATE.servable(data._replace(train=Split(data.train.x[:1], None)))
    blank = data._replace(test=Split(np.full((40, 8, 8, 1), 7, np.uint8), None))
    assert "'thick' changes nothing in the images of toy" in TRANSLATE.servable(blank)
    colour = data._replace(train=make_split(0, 40, 3), test=make_split(2, 10, 3))
    assert TRANSLATE.servable(colour) is None and translate.style_of(colour) == "coloured"
    seen = translate.unpaired(colour).train
    bright = {coloured(x[None]).tobytes() for x in colour.train.x}
    assert [x.tobytes() in bright for x in seen.x] == [False] * 20 + [True] * 20


def test_pictures_stand_in_the_places_of_the_real_ones(data):
    # Kills: rows exchanged, so that a perfect model looks wrong; images of another split; a picture of half a model.
    (picture,) = TRANSLATE.pictures
    real = picture.real(data)
    x, y = pairs(data)
    np.testing.assert_array_equal(real, np.concatenate([x[:8], y[:8]]))
    np.testing.assert_array_equal(picture.render(perfect(data), data, KEY), real)
    assert picture.columns == 8 and picture.render(Model(), data, KEY) is None


def test_notes_name_the_style_and_the_recipe(data):
    # Kills: a GAN that is named and not trained, without a word; the rate of the paper for ours.
    notes = " ".join(TRANSLATE.notes(data, (0, 1)))
    assert "thick" in notes and "cyclegan" in notes and "0.002" in notes and "0.1 " in notes and "label" in notes
