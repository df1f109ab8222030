"""The label-free features of images, against loops of the plainest kind."""

import numpy as np
import pytest

from jaxgen.metrics import patch_features, patches


def images(n=60, h=8, w=8, c=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, h, w, c), np.uint8)


def plain(x, fitted_on, factor, side, stride, mean, filters):
    """Raw features of one layer, one patch at a time, in float64."""
    rows = []
    for image in x.astype(np.float64) / 255:
        h, w = image.shape[0] // factor, image.shape[1] // factor
        small = np.array(
            [
                [image[i * factor : (i + 1) * factor, j * factor : (j + 1) * factor].mean((0, 1)) for j in range(w)]
                for i in range(h)
            ]
        )
        at = [list(range(0, length - side + 1, stride)) for length in (h, w)]
        seen = np.array(
            [
                [
                    np.maximum((small[i : i + side, j : j + side].transpose(2, 0, 1).ravel() - mean) @ filters, 0)
                    for j in at[1]
                ]
                for i in at[0]
            ]
        )
        top, left = -(-len(at[0]) // 2), -(-len(at[1]) // 2)
        quarters = [seen[:top, :left], seen[:top, left:], seen[top:, :left], seen[top:, left:]]
        rows.append(np.concatenate([quarter.mean((0, 1)) for quarter in quarters]))
    return np.array(rows)


@pytest.mark.parametrize(
    ("h", "w", "c", "layers"),
    [
        (8, 8, 1, [(1, 3, 1)]),  # (factor, side of a patch, stride)
        (9, 12, 3, [(1, 3, 1)]),
        (28, 30, 1, [(1, 6, 2), (3, 3, 1)]),
    ],
)
def test_values(monkeypatch, h, w, c, layers):
    # Kills: no rectifier; a maximum for a mean; quadrants exchanged; the reduced copy left out, or by another factor; a
    # stride of one; features that are not standard; a block that forgets the ones before it.
    kept = []
    layer = patches._layer
    monkeypatch.setattr(patches, "_layer", lambda *args: kept.append(layer(*args)) or kept[-1])
    monkeypatch.setattr(patches, "BLOCK", 20_000)
    x, new = images(40, h, w, c), images(5, h, w, c, seed=1)
    found = patch_features(x, features=16)(new)
    assert [(one.factor, one.side) for one in kept] == [(factor, side) for factor, side, _ in layers]

    def raw(z):
        parts = [
            plain(z, x, *form, one.mean.astype(float), one.filters.astype(float))
            for form, one in zip(layers, kept, strict=True)
        ]
        return np.concatenate(parts, 1)

    mean, std = raw(x).mean(0), raw(x).std(0)
    np.testing.assert_allclose(found, (raw(new) - mean) / np.maximum(std, 0.1 * std.max()), atol=2e-4)
    assert found.shape == (5, 16) and found.dtype == np.float64


def test_whitening():
    # Kills: a whitening by the variance in place of its root; no part of the mean variance added, so that the faintest
    # direction is blown up as if it were signal; directions that are not of unit length.
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(500, 3, 3, 1)) * np.array([1.0, 1e-4, 3.0])[None, :, None, None]).astype(np.float32)
    layer = patches._layer(x, 1, 4000, np.random.default_rng(1))
    flat = x.reshape(500, 9).astype(np.float64)
    value, vector = np.linalg.eigh(np.cov(flat.T, bias=True))
    exact = np.cov(flat.T, bias=True)
    # Over many random unit vectors d, filters W d have the second moment W W / 9, and W W = (covariance + mean)^-1.
    expected = np.linalg.inv(exact + patches.EPSILON * value.mean() * np.eye(9)) / 9
    found = layer.filters.astype(float) @ layer.filters.T / 4000
    np.testing.assert_allclose(found, expected, atol=5 * expected.max() * np.sqrt(2 / 4000))
    assert layer.filters.shape == (9, 4000) and vector.shape == (9, 9)


def test_the_same_for_everybody():
    # Kills: filters of another draw each time; examples as floats treated otherwise than as bytes.
    x = images(2500, 8, 8, 3)
    first, second = patch_features(x), patch_features(x)
    np.testing.assert_array_equal(first(x[:9]), second(x[:9]))
    np.testing.assert_allclose(first(x[:9].astype(np.float32) / np.float32(255)), first(x[:9]), atol=1e-5)
    np.testing.assert_allclose(first(x[:3]), first(x[:9])[:3], atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 1), (3, 3, 3), (16, 3, 1)])
def test_images_of_any_size(shape):
    # Kills: a patch that is wider than the image; the mean of no position, which is NaN.
    found = patch_features(images(30, *shape))(images(4, *shape, seed=1))
    assert found.shape == (4, 128) and np.all(np.isfinite(found))


def test_constant_images():
    # Kills: a division by a variance of zero.
    flat = np.full((20, 8, 8, 1), 255, np.uint8)
    assert np.all(patch_features(flat)(flat) == 0)
    assert np.all(np.isfinite(patch_features(flat)(images(3))))
