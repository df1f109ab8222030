"""Translation between two classes of the data, of which no pair is known. Models are made by hand."""

import jax
import numpy as np
import pytest

from jaxgen.core import Model, as_float
from jaxgen.data import Data, Split
from jaxgen.metrics.features import Features, flat
from jaxgen.metrics.frechet import unbiased_frechet
from jaxgen.tasks import TRANSLATE, Reference, domains, translate
from jaxgen.tasks.unpaired import domains_of, unpaired

RAW = Features(flat, "pixels")
CLASSES = ("dark", "middle", "light")


def make_split(seed, n):
    """Class c is of brightness 60 c, and has two bright pixels in places of its own."""
    rng, label = np.random.default_rng(seed), (np.arange(n) % 3).astype(np.int32)
    x = np.broadcast_to(60 * label[:, None, None, None], (n, 8, 8, 1)).astype(np.uint8)
    for _ in range(2):
        x[np.arange(n), rng.integers(0, 8, n), rng.integers(0, 8, n)] += 50
    return Split(x, label)


@pytest.fixture
def data():
    splits = make_split(0, 90), make_split(1, 30), make_split(2, 60)
    return Data("toy", "image", *splits, CLASSES, None, None, "", (), domains=("light", "dark"), official=())


def read(data, there, back=lambda x: x, stage=None):
    model = Model(maps={"light_to_dark": there, "dark_to_light": back})
    return TRANSLATE.measure(model, Reference(data, RAW), 0, jax.random.key(0), stage).figures


def of(split, label):
    return as_float(split.x[split.label == label])


def test_the_two_sets_are_the_classes_in_the_order_of_their_names(data):
    # Kills: sets in the order of the classes; images of a third class; half of the images of a class in the other set.
    seen = unpaired(data)
    assert seen.classes == domains_of(data) == ("light", "dark") and seen.anomalies == ()
    for place, label in ((0, 2), (1, 0)):
        np.testing.assert_array_equal(seen.train.x[seen.train.label == place], data.train.x[data.train.label == label])
    assert seen.test is data.test


def test_passes_are_counted_over_the_images_of_the_two_classes(data):
    # Kills: `Training.examples` of all training images, by which a run that is long enough is called too short.
    for given, n in ((data, 60), (data._replace(domains=()), 90), (data._replace(domains=("inverted",)), 90)):
        assert translate.UNPAIRED.examples(given, 0) == len(unpaired(given).train.x) == n


def test_figures_are_of_the_class_that_images_come_into(data):
    # Kills: a distance to the class that images come from, or to training images; the two ways exchanged; figures of a
    # style; a biased distance, by which few test images look farther away.
    light, dark = of(data.test, 2), of(data.test, 0)
    darker, lighter = (lambda x: x - np.float32(120 / 255)), (lambda x: x + np.float32(110 / 255))
    found = read(data, darker, lighter)
    assert set(found) == set(domains.METRICS)
    np.testing.assert_allclose(found["frechet"], unbiased_frechet(flat(dark), flat(darker(light))), rtol=1e-4)
    np.testing.assert_allclose(found["frechet_back"], unbiased_frechet(flat(light), flat(lighter(dark))), rtol=1e-4)
    assert abs(found["lost"]) < 1e-6
    assert read(data, darker, stage="50") == {"frechet": found["frechet"]}
    assert read(data, lambda x: x * np.nan) == read(data, lambda x: x * np.nan, stage="50") == {}
    assert read(data, darker, lambda x: x * np.inf) == {}


def test_a_translation_that_ignores_the_image_has_lost_what_it_shows(data):
    # Kills: distances after translation alone; a figure that rewards images of the second class, whatever they show.
    dark = of(data.train, 0)
    ignoring = read(data, lambda x: dark[: len(x)])
    assert ignoring["lost"] > 0.7 and read(data, lambda x: 1 - x)["lost"] < 1e-6
    assert ignoring["frechet"] < 0.2 * read(data, lambda x: x)["frechet"]
    assert domains.METRICS["lost"].veto and domains.METRICS["frechet"].headline


def test_baselines_and_real_images(data):
    # Kills: a ceiling of pairs, of which there are none; a transport from the second class to the first; training
    # images of all classes as the real ones.
    found = translate.baselines(RAW, data)
    unchanged, moved = (found[f"baseline: {name}"] for name in ("unchanged", "linear transport"))
    assert set(unchanged) == set(domains.METRICS) and unchanged["lost"] < 1e-9
    assert moved["frechet"] < 0.1 * unchanged["frechet"] and moved["frechet_back"] < 0.1 * unchanged["frechet_back"]
    real = translate.ceiling(RAW, data)
    assert set(real) == {"frechet", "frechet_back"} and abs(real["frechet"]) < 0.1 * unchanged["frechet"]


def test_which_classes_can_be_translated(data):
    # Kills: a distance of a handful of images; a set of one, or of none, to train on.
    assert TRANSLATE.servable(data) is None
    few = data._replace(test=Split(data.test.x, np.where(data.test.label == 0, 1, data.test.label)))
    assert TRANSLATE.servable(few) == "the test split of toy has 0 images of 'dark', and 10 are needed."
    seen = np.where(np.arange(90) % 30 < 3, 0, 1)
    few = data._replace(train=Split(data.train.x, np.where(seen == 0, 0, 2)))
    assert TRANSLATE.servable(few) == "the training split of toy has 9 images of 'dark', and 10 are needed."


def test_what_the_page_shows_and_says(data):
    # Kills: rows of one class; a model that is shown on other images than the real ones; the note of a known style.
    (picture,) = TRANSLATE.pictures
    rows = picture.real(data)
    np.testing.assert_array_equal(rows[:8], of(data.test, 2)[:8])
    np.testing.assert_array_equal(rows[8:], of(data.test, 0)[:8])
    model = Model(maps={"light_to_dark": lambda x: x * 0, "dark_to_light": lambda x: x})
    shown = picture.render(model, data, None)
    np.testing.assert_array_equal(shown, np.concatenate([rows[8:], 0 * rows[:8]]))
    note = TRANSLATE.notes(data, (0,))[0]
    assert "training images of 'light' and of 'dark'. No pair is known." in note
