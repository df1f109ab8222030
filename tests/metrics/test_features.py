"""The feature space is what its name says."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import Data, Split, as_float, load
from jaxgen.metrics import feature_space, features, principal_axes


def table(x, label=None, kind="table"):
    split = Split(np.asarray(x, np.float32), label)
    classes = () if label is None else tuple(map(str, range(label.max() + 1)))
    return Data("toy", kind, split, split, split, classes, None, None, "", ())


def test_digits():
    # Kills: accuracy on training data; a classifier that sees what is held out; labels that change the space of images,
    # so that two people with the same images and other labels read other figures.
    data = load("digits")
    space = feature_space(data)
    right = np.mean(space.classify(data.test.x) == data.test.label)
    assert space.accuracy == right > 0.95
    assert space.name == "random filters on whitened patches, their means over quadrants (128 features)"
    bare = feature_space(data._replace(train=data.train._replace(label=None)))
    assert bare.classify is None and bare.name == space.name
    seen = space.embed(data.test.x)
    assert seen.shape == (len(data.test.x), 128) and seen.dtype == np.float64
    np.testing.assert_array_equal(bare.embed(data.test.x), seen)
    np.testing.assert_allclose(space.embed(jnp.asarray(as_float(data.test.x))), seen, atol=1e-5)


def test_labelled_tables(monkeypatch):
    # Kills: features from another layer; a second fit that differs.
    monkeypatch.setattr(features, "UPDATES", 300)
    rng = np.random.default_rng(0)
    label = (np.arange(500) % 3).astype(np.int32)
    data = table(rng.normal(size=(500, 5)) + 3 * np.eye(3, 5)[label], label)
    space = feature_space(data)
    assert space.name == f"hidden layer of a classifier ({100 * space.accuracy:.0f} % right on test)"
    seen = space.embed(data.test.x)
    assert seen.shape == (500, 128) and seen.min() == 0 < seen.max()
    # The classes are linear in these features: they are the layer below the decision.
    weights = np.linalg.lstsq(np.c_[seen, np.ones(500)], np.eye(3)[label], rcond=None)[0]
    assert np.mean((np.c_[seen, np.ones(500)] @ weights).argmax(1) == label) > 0.9
    # A product over 5 rows need not round as one over 500 does, so the second fit is compared to rounding of float64.
    np.testing.assert_allclose(feature_space(data).embed(data.test.x[:5]), seen[:5], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["labels", "components", "images"])
def test_nothing_is_fitted_on_what_is_held_out(monkeypatch, kind):
    # Kills: a reference of real data that the feature space knows already.
    monkeypatch.setattr(features, "UPDATES", 20)
    rng = np.random.default_rng(0)
    label = (np.arange(300) % 2).astype(np.int32) if kind == "labels" else None
    x = rng.normal(size=(300, 4))
    data = table(x, label)
    if kind == "images":
        x = rng.integers(0, 256, (300, 8, 8, 1), np.uint8)
        split = Split(x, None)
        data = data._replace(kind="image", train=split, valid=split, test=split)
    held = features.held_out(300)
    assert len(held) == 60 and len(features.held_out(20_000)) == 2000
    changed = np.array(data.train.x)
    changed[held] = changed[held][::-1] // 2
    other = data._replace(train=data.train._replace(x=changed))
    np.testing.assert_array_equal(feature_space(data).embed(data.test.x), feature_space(other).embed(data.test.x))
    changed[np.setdiff1d(np.arange(300), held)[:50]] = 0
    assert not np.allclose(feature_space(data).embed(data.test.x), feature_space(other).embed(data.test.x))


def test_two_classes(monkeypatch):
    # Kills: positions of classes that are present in place of positions in `classes`.
    monkeypatch.setattr(features, "UPDATES", 300)
    x = np.random.default_rng(0).normal(size=(60, 3))
    label = np.where(x[:, 0] > 0, 2, 0).astype(np.int32)
    assert set(feature_space(table(x, label)).classify(x.astype(np.float32))) == {0, 2}


def test_long_examples(monkeypatch):
    # Kills: a classifier that is shown other numbers than its features are made of; a name that hides the reduction.
    monkeypatch.setattr(features, "UPDATES", 300)
    rng = np.random.default_rng(0)
    label = (np.arange(600) % 3).astype(np.int32)
    x = rng.normal(size=(600, features.DIRECT + 1)) + 3 * np.eye(3, features.DIRECT + 1)[label]
    space = feature_space(table(x, label))
    seen = space.embed(x.astype(np.float32))
    assert space.name.startswith("hidden layer of a classifier on 256 principal components (")
    assert seen.shape == (600, 128) and seen.min() == 0 < seen.max()
    right = np.mean(space.classify(x.astype(np.float32)) == label)
    assert space.accuracy == right > 0.9
    weights = np.linalg.lstsq(np.c_[seen, np.ones(600)], np.eye(3)[label], rcond=None)[0]
    assert np.mean((np.c_[seen, np.ones(600)] @ weights).argmax(1) == label) > 0.9


def test_principal_components_without_labels():
    # Kills: whitening; no centring; an isometry lost although all components are there.
    x = np.random.default_rng(0).normal(size=(50, 4)) * [5, 3, 1, 0.1] + 7
    for data in (table(x), table(x, np.zeros(50, np.int32)), table(x, np.arange(50, dtype=np.int32) % 2, "points")):
        space = feature_space(data)
        assert space.name == "first 4 principal components (100 % of the variance)"
        assert space.classify is None and space.accuracy is None
        seen = space.embed(data.test.x)
        fitted = np.setdiff1d(np.arange(50), features.held_out(50))
        np.testing.assert_allclose(seen[fitted].mean(0), 0, atol=1e-5)
        apart = np.linalg.norm(x[:1] - x[1:], axis=1)
        np.testing.assert_allclose(np.linalg.norm(seen[:1] - seen[1:], axis=1), apart, rtol=1e-5)


def test_principal_axes():
    # Kills: axes in ascending order; a share of standard deviations; more axes than there can be.
    x = (np.random.default_rng(0).normal(size=(400, 6)) * [6, 5, 4, 3, 2, 1]).astype(np.float32)
    found = principal_axes(x, 2)
    value, vector = np.linalg.eigh(np.cov(x.T.astype(np.float64)))
    np.testing.assert_allclose(np.abs(found.axes @ vector[:, ::-1][:, :2]), np.eye(2), atol=1e-6)
    np.testing.assert_allclose(found.share, value[-2:].sum() / value.sum(), rtol=1e-6)
    assert principal_axes(x[:3], 9).axes.shape == (3, 6)
    assert principal_axes(x[:3] * 0, 2).share == 1.0


def test_principal_axes_of_large_data():
    # Kills: a randomised factorisation without its seed, or in other units than the exact one.
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(600, 3)) @ rng.normal(size=(3, 520)) + 0.01 * rng.normal(size=(600, 520))).astype(np.float32)
    found = principal_axes(x, 3)
    exact = np.linalg.svd((x - x.mean(0)).astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(np.abs(np.sum(found.axes * exact[2][:3], 1)), 1, rtol=1e-6)
    np.testing.assert_allclose(found.share, np.sum(exact[1][:3] ** 2) / np.sum(exact[1] ** 2), rtol=1e-6)
    np.testing.assert_array_equal(principal_axes(x, 3).axes, found.axes)


def test_axes_of_large_examples(monkeypatch):
    # Kills: axes of another scale, order or sign of variance; a mean that is left in; axes that hold nothing kept.
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(520, 20)) * np.geomspace(30, 1, 20) @ rng.normal(size=(20, 1100)) + 50).astype(np.float32)
    found = principal_axes(x, 8)
    assert found.axes.dtype == np.float32 and features.DIRECT < 1100
    centred = x.astype(np.float64) - x.mean(0, dtype=np.float64)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(8), atol=1e-4)  # float32 products of 1,100 numbers
    np.testing.assert_allclose(np.abs(np.sum(found.axes * axes[:8], 1)), 1, atol=1e-4)
    assert found.share == pytest.approx(np.sum(size[:8] ** 2) / np.sum(size**2), rel=1e-4)
    assert len(principal_axes(x, 300).axes) == 20  # there are no more
    alike = principal_axes(np.ones((600, 1100), np.float32), 4)
    assert np.all(np.isfinite(alike.axes)) and alike.share == 1
