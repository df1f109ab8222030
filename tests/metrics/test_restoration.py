"""Restored images against the true ones: each figure by arithmetic of its own, and the methods without a network."""

import numpy as np
import pytest
from PIL import Image
from scipy.linalg import sqrtm

from jaxgen.metrics import restoration
from jaxgen.metrics.restoration import Pairs, bicubic, joint_frechet, nearest, psnr, ridge, ssim


def images(seed, n, side=8, channels=1):
    return np.random.default_rng(seed).uniform(size=(n, side, side, channels)).astype(np.float32)


def halved(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def test_psnr():
    # Kills: the mean of each image's own decibels; a factor of 10 for 20 on a root; a range of 255.
    a = np.zeros((2, 8, 8, 1))
    b = a.copy()
    b[0], b[1] = 0.1, 0.7
    assert psnr(a, b) == pytest.approx(10 * np.log10(1 / ((0.01 + 0.49) / 2)), rel=1e-12)
    assert psnr(a, a) == np.inf


@pytest.mark.parametrize(("side", "channels", "block"), [(8, 1, 1 << 20), (11, 3, 800)])
def test_ssim(side, channels, block, monkeypatch):
    # Kills: windows over the edge; 49 for 48 as the divisor; one set of windows for all channels; constants that are
    # not squared; blocks of images that are weighted alike, or left out.
    monkeypatch.setattr(restoration, "BLOCK", block)
    a = images(0, 5, side, channels)
    b = np.clip(a + np.random.default_rng(1).normal(scale=0.2, size=a.shape), 0, 1).astype(np.float32)
    values = []
    for x, y in zip(a.astype(float), b.astype(float), strict=True):
        for c in range(channels):
            for i in range(side - 6):
                for j in range(side - 6):
                    u, v = (image[i : i + 7, j : j + 7, c].ravel() for image in (x, y))
                    cov = np.cov(u, v)
                    top = (2 * u.mean() * v.mean() + 1e-4) * (2 * cov[0, 1] + 9e-4)
                    values.append(top / ((u.mean() ** 2 + v.mean() ** 2 + 1e-4) * (cov[0, 0] + cov[1, 1] + 9e-4)))
    assert ssim(a, b) == pytest.approx(np.mean(values), rel=1e-9) and ssim(a, a) == pytest.approx(1, rel=1e-9)


def test_joint_frechet():
    # Kills: the distance of samples alone; what they were made from unweighted; a weight by the samples' own variance.
    rng = np.random.default_rng(0)
    given = 5 * rng.normal(size=(200, 2))
    real = given @ rng.normal(size=(2, 3)) + rng.normal(size=(200, 3))
    made = 0.4 * real + 0.3 * given @ rng.normal(size=(2, 3)) + 0.2 * rng.normal(size=(200, 3)) + 0.3
    weight = np.sqrt(real.var(0).sum() / given.var(0).sum())
    a, b = (np.hstack([x, weight * given]) for x in (real, made))
    c_a, c_b = np.cov(a.T), np.cov(b.T)
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(c_a + c_b - 2 * sqrtm(c_a @ c_b).real)
    assert joint_frechet(real, made, given) == pytest.approx(expected, rel=1e-5)
    assert joint_frechet(real, real, given) == pytest.approx(0, abs=1e-9)
    assert joint_frechet(real, rng.permutation(real), given) > 10
    assert np.isfinite(joint_frechet(real, made, np.ones((200, 2))))


def test_bicubic():
    # Kills: linear interpolation; an overshoot beyond white; channels that mix; pixels off by a half.
    small = np.zeros((3, 4, 4, 2), np.float32)
    small[:, 1:3, 1:3] = 1
    small[1] = images(0, 1, 4, 2)[0]
    found = bicubic(small, (16, 16, 2))
    assert found.shape == (3, 16, 16, 2) and found.min() == 0 and found.max() == 1
    for image, large in zip(small, found, strict=True):
        for c in range(2):
            resized = np.asarray(Image.fromarray(image[..., c]).resize((16, 16), Image.Resampling.BICUBIC))
            np.testing.assert_allclose(large[..., c], np.clip(resized, 0, 1), atol=1e-5)


@pytest.mark.parametrize("targets", [256, 10])
def test_ridge(targets, monkeypatch):
    # Kills: a penalty of the intercept; a weight chosen on what is trained on, or the first; values beyond white.
    monkeypatch.setattr(restoration, "TARGETS", targets)
    # Noise in the small images and few examples: the training split would choose the smallest weight.
    drawn = [images(i, n) for i, n in enumerate((40, 60, 20))]
    train, valid, test = (Pairs(x, halved(x) + images(9 + i, len(x), 4) / 4) for i, x in enumerate(drawn))
    test.small[0], test.small[1] = 3, -3  # of which a line makes more than white and less than black
    found = ridge(train, valid, test.small)

    def by_hand(alpha, small):
        x, y = (part.reshape(len(part), -1).astype(float) for part in (train.small, train.large))
        gram = (x - x.mean(0)).T @ (x - x.mean(0)) + alpha * np.eye(x.shape[1])
        weight = np.linalg.solve(gram, (x - x.mean(0)).T @ (y - y.mean(0)))
        made = (small.reshape(len(small), -1) - x.mean(0)) @ weight + y.mean(0)
        return np.clip(made, 0, 1).reshape(-1, 8, 8, 1)

    errors = {alpha: np.mean((by_hand(alpha, valid.small) - valid.large) ** 2) for alpha in restoration.ALPHAS}
    best = min(errors, key=errors.get)
    assert best not in (restoration.ALPHAS[0], restoration.ALPHAS[-1])
    np.testing.assert_allclose(found, by_hand(best, test.small), atol=1e-4)
    assert found.min() == 0 and found.max() == 1


def test_nearest():
    # Kills: the nearest large image; the small image in place of the large one; the farthest.
    x, small = images(0, 30), halved(images(1, 5))
    distance = np.sum((halved(x)[None] - small[:, None]) ** 2, axis=(2, 3, 4))
    np.testing.assert_array_equal(nearest(Pairs(x, halved(x)), small), x[distance.argmin(1)])
