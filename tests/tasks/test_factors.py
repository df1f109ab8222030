"""Factors: an edit that moves the right one and no other, on images whose factors one can read."""

import itertools

import numpy as np
import pytest

from jaxgen.core import Model, as_float
from jaxgen.data import Data, Split
from jaxgen.metrics import Features, dci, mutual_information_gap
from jaxgen.tasks import MANIPULATE, Reference, factors

STRENGTHS = np.linspace(0, 3, 9, dtype=np.float32)
VALUES = (4, 3, 2)


def images(values):
    """Images [N, 4, 3, 1]: each column is as bright as the value of its factor, float in [0, 1]."""
    shade = np.clip(np.asarray(values) / (np.array(VALUES) - 1), 0, 1)
    return np.repeat(shade[:, None, :, None], 4, axis=1).astype(np.float32)


def split(seed, n):
    rng = np.random.default_rng(seed)
    values = np.array(list(itertools.product(*map(range, VALUES))))
    values = values[np.concatenate([np.arange(24), rng.integers(24, size=n - 24)])].astype(np.int32)
    noise = rng.uniform(-0.05, 0.05, (n, 4, 3, 1))
    return Split(np.rint(255 * np.clip(images(values) + noise, 0, 1)).astype(np.uint8), values[:, 1], values)


@pytest.fixture(scope="module")
def data():
    names = ("shade", "label", "bit")
    splits = split(0, 300), split(1, 100), split(2, 150)
    return Data("columns", "image", *splits, ("a", "b", "c"), None, None, "", (), factors=names)


def shades(x):
    return np.asarray(as_float(x)).reshape(len(x), 4, 3).mean(1) * (np.array(VALUES, np.float32) - 1)


MIXED = np.array([[1.0, 0.9, 0.8], [0.0, 1.0, 0.9], [0.0, 0.0, 1.0]], np.float32)  # images of a code move together
GOOD = Model(encode=shades, decode=images)
ENTANGLED = Model(encode=shades, decode=lambda z: images(np.asarray(z) @ MIXED))
CONSTANT = Model(encode=shades, decode=lambda z: images(0 * np.asarray(z)))


def test_the_right_factor_and_no_other(data):
    # Kills: the other factors left out; the edited one left out; the share that unedited images have for nothing.
    good, entangled, constant = (factors.right_factor(m, data, 0, STRENGTHS) for m in (GOOD, ENTANGLED, CONSTANT))
    assert good > 0.9 and entangled < 0.6 and constant == 0
    assert factors.right_factor(GOOD, data, 0, STRENGTHS[:1]) == 0  # an edit that does nothing


def test_halves(data):
    # Kills: the middle value of three in the upper half; a half by the mean of the data.
    values = np.array([[0, 0, 0], [1, 1, 1], [2, 2, 1], [3, 2, 1]])
    expected = [[False, False, False], [False, False, True], [True, True, True], [True, True, True]]
    assert factors.halves(values, data).tolist() == expected


def test_an_edit_goes_either_way(data):
    # Kills: edits towards the upper half only, of which half would be no edits at all.
    up = Model(encode=shades, decode=lambda z: images(np.maximum(np.asarray(z), 0.7 * np.array([3, 2, 1]))))
    assert factors.right_factor(up, data, 0, STRENGTHS) < 0.3 < 0.9 < factors.right_factor(GOOD, data, 1, STRENGTHS)


def test_the_strength_is_chosen_on_validation(data, monkeypatch):
    # Kills: the best strength on test; the first or the last strength.
    def made_up(model, data, name, seed, way, strengths, reader):
        return list({"valid": -abs(strengths - 1.5), "test": strengths}[name])

    monkeypatch.setattr(factors, "_shares", made_up)
    assert factors.right_factor(GOOD, data, 0, STRENGTHS) == 1.5


def test_codes_are_measured_on_training_and_test_examples(data):
    # Kills: codes of one split with factors of another; trees read on what they were grown on.
    found = factors.measure(GOOD, data, 0, STRENGTHS)
    codes, seen = shades(data.train.x), shades(data.test.x)
    expected = dci(codes, data.train.factors, seen, data.test.factors)
    assert [found[name] for name in expected._fields] == pytest.approx(list(expected))
    assert found["mutual_information_gap"] == pytest.approx(mutual_information_gap(codes, data.train.factors))
    assert min(found.values()) > 0.85
    assert set(MANIPULATE.metrics(data)) - set(found) == {"area", "changed", "kept", "effectiveness", "composition"}


def test_baselines_have_these_figures_too(data):
    # Kills: a decoder of float64, as that of principal components, that ends the comparison.
    features = Features(
        lambda x: np.asarray(shades(x), np.float64), "shades", lambda x: shades(x)[:, 1].round().astype(int)
    )
    found = MANIPULATE.baselines(Reference(data, features), 0)
    assert all(set(figures) == set(MANIPULATE.metrics(data)) for figures in found.values())


def test_what_cannot_be_measured_is_absent(data):
    # Kills: trees on thousands of numbers; figures of factors where none are known.
    assert factors.measure(GOOD, data._replace(factors=()), 0, STRENGTHS) == {}
    wide = Model(encode=lambda x: np.tile(shades(x), 22), decode=lambda z: images(np.asarray(z)[:, :3]))
    assert set(factors.measure(wide, data, 0, STRENGTHS)) == {"right_factor"}
    assert not set(factors.METRICS) & set(MANIPULATE.metrics(data._replace(factors=())))
