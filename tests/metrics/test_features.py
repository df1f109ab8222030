"""The feature space is what its name says."""

import jax.numpy as jnp
import numpy as np

from jaxgen.data import Data, Split, as_float, load
from jaxgen.metrics import feature_space, features, principal_axes


def table(x, label=None, kind="table"):
    split = Split(np.asarray(x, np.float32), label)
    classes = () if label is None else tuple(map(str, range(label.max() + 1)))
    return Data("toy", kind, split, split, split, classes, None, None, "", ())


def test_digits():
    # Kills: accuracy on training data; bytes in place of pixels in [0, 1]; features from another layer; a second fit
    # that differs.
    data = load("digits")
    space = feature_space(data)
    right = np.mean(space.classify(data.test.x) == data.test.label)
    assert space.accuracy == right > 0.95
    assert space.name == f"hidden layer of a classifier ({right:.0%} right on test)".replace("%", " %")
    seen = space.embed(data.test.x)
    assert seen.shape == (len(data.test.x), 128) and seen.dtype == np.float64
    assert seen.min() == 0 < seen.max()
    np.testing.assert_array_equal(space.embed(jnp.asarray(as_float(data.test.x))), seen)
    # The classes are linear in these features: they are the layer below the decision.
    weights = np.linalg.lstsq(np.c_[seen, np.ones(len(seen))], np.eye(10)[data.test.label], rcond=None)[0]
    assert np.mean((np.c_[seen, np.ones(len(seen))] @ weights).argmax(1) == data.test.label) > 0.95
    # A product over 5 rows need not round as one over 359 does, so the second fit is compared to rounding of float64.
    np.testing.assert_allclose(feature_space(data).embed(data.test.x[:5]), seen[:5], rtol=1e-9, atol=1e-9)


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
        np.testing.assert_allclose(seen.mean(0), 0, atol=1e-5)
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
