"""Samples that take no model have the moments that they should have."""

import numpy as np
import pytest

from jaxgen.tasks import naive


def correlated(n=300, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 5).astype(np.float32)


def test_gaussian_has_the_moments_of_the_examples():
    # Kills: axes without their variances; standard deviations for variances; a mean of zero; one sample for all.
    x, n = correlated(), 40_000
    made = naive.fitted_gaussian(x, image=False)(0, n)
    mean, cov = x.mean(0), np.cov(x.T.astype(float))
    assert np.all(np.abs(made.mean(0) - mean) < 5 * np.sqrt(np.diag(cov) / n))
    error = np.sqrt((cov**2 + np.outer(np.diag(cov), np.diag(cov))) / n)  # of a covariance of Gaussian samples
    assert np.all(np.abs(np.cov(made.T) - cov) < 5 * error)
    skew = np.mean((made - made.mean(0)) ** 3, 0) / made.std(0) ** 3
    assert np.all(np.abs(skew) < 5 * np.sqrt(6 / n))


def test_gaussian_beyond_its_components(monkeypatch):
    # Kills: the variance of what is left out lost, or added to the axes as well.
    monkeypatch.setattr(naive, "COMPONENTS", 2)
    x, n = correlated(), 40_000
    made = naive.fitted_gaussian(x, image=False)(0, n)
    value, vector = np.linalg.eigh(np.cov(x.T.astype(float)))
    value[:4] = value[:4].mean()
    found = np.diag(vector.T @ np.cov(made.T) @ vector)
    np.testing.assert_allclose(found, value, rtol=5 * np.sqrt(2 / n))


@pytest.mark.parametrize("image", [False, True])
def test_blocks_and_seeds(image):
    # Kills: the last block left empty; images outside [0, 1]; a draw that does not depend on the seed.
    x = correlated().reshape(300, 2, 3, 1) / 10
    draw = naive.fitted_gaussian(x, image=image)
    made = draw(3, 700)
    assert made.shape == (700, 2, 3, 1) and made.dtype == np.float32
    assert np.all(made.std((1, 2, 3)) > 0) and len(np.unique(made.sum((1, 2, 3)))) == 700
    np.testing.assert_array_equal(made, draw(3, 700))
    assert not np.array_equal(made, draw(4, 700))
    assert (made.min() >= 0 and made.max() <= 1) == image


@pytest.mark.parametrize(("image", "n"), [(False, 100), (True, 100), (True, 500)])
def test_copies(image, n):
    # Kills: noise of another size; examples drawn twice while others are left; images outside [0, 1].
    x = np.random.default_rng(0).integers(64, 192, (300, 4, 4, 3), np.uint8)
    if not image:
        x = (x.reshape(300, -1) * 3.0).astype(np.float32)
    made = naive.copies(x, 0, n, image=image)
    real = (x / np.float32(255) if image else x).reshape(300, -1)
    nearest = np.linalg.norm(made.reshape(n, 1, -1) - real[None], axis=2).argmin(1)
    assert len(np.unique(nearest)) == n if n <= 300 else len(np.unique(nearest)) > 200
    noise = made.reshape(n, -1) - real[nearest]
    size = 0.02 * (1 if image else real.std())
    np.testing.assert_allclose(noise.std(), size, rtol=0.05)
    assert made.dtype == np.float32
    assert not np.array_equal(made, naive.copies(x, 1, n, image=image))
    edge = naive.copies(np.full((50, 4, 4, 1), 255, np.uint8), 0, 50, image=True)
    assert edge.max() == 1
