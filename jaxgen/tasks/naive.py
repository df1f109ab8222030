"""Samples that take no training of a model: what any model should beat, or should not do."""

from collections.abc import Callable

import numpy as np

from jaxgen.data import as_float

ROWS = 10_000  # training examples that the Gaussian is fitted on, at most
NUMBERS = 1 << 25  # in those examples, at most: 128 MiB
COMPONENTS = 256  # axes along which its variances differ, at most
BLOCK = 512  # samples that are made at a time
NOISE = 0.02  # of the range of an image, or of the standard deviation of other data, added to a copy


def fitted_gaussian(x, *, image: bool) -> Callable[[int, int], np.ndarray]:
    """A function (seed, n) -> float32 [n, ...]: n samples of the Gaussian of training examples x [N, ...].

      mean + V diag(sqrt(l - r)) z + sqrt(r) e,      z, e ~ N(0, I)

    `l` are the largest 256 variances and V their axes (principal components); `r` is the mean of all others, along each
    axis (Tipping and Bishop 1999, probabilistic principal components). With 256 numbers in an example or fewer, mean
    and covariance are those of the examples. Images are cut to [0, 1].

    >>> draw = fitted_gaussian(np.random.default_rng(0).normal(3, 1, (50, 2)).astype(np.float32), image=False)
    >>> draw(0, 4).shape
    (4, 2)
    """
    from sklearn.decomposition import PCA

    shape = x.shape[1:]
    count = min(ROWS, max(2, NUMBERS // max(1, int(np.prod(shape)))))
    x = x[np.sort(np.random.default_rng(0).choice(len(x), count, replace=False))] if len(x) > count else x[:]
    rows = np.asarray(as_float(x)).reshape(len(x), -1)
    fit = PCA(min(COMPONENTS, *rows.shape), random_state=0, iterated_power=2).fit(rows)
    rest = np.float32(max(fit.noise_variance_, 0))
    axes = (np.sqrt(np.maximum(fit.explained_variance_ - rest, 0))[:, None] * fit.components_).astype(np.float32)

    def sample(seed: int, n: int) -> np.ndarray:
        rng, samples = np.random.default_rng(seed), np.empty((n, rows.shape[1]), np.float32)
        for i in range(0, n, BLOCK):
            part = samples[i : i + BLOCK]
            part[:] = fit.mean_ + rng.standard_normal((len(part), len(axes)), np.float32) @ axes
            if rest > 0:
                part += np.sqrt(rest) * rng.standard_normal(part.shape, np.float32)
        if image:
            np.clip(samples, 0, 1, out=samples)
        return samples.reshape(n, *shape)

    return sample


def copies(x, seed: int, n: int, *, image: bool) -> np.ndarray:
    """What a model that copies would make: n training examples of x [N, ...] with Gaussian noise, float32 [n, ...].

    The noise has a standard deviation of 0.02 for images, about 5 of 255 levels, and of 0.02 of the standard deviation
    of all numbers for other data. Images are cut to [0, 1].
    """
    rng = np.random.default_rng(seed)
    chosen = np.asarray(as_float(x[np.sort(rng.choice(len(x), n, replace=n > len(x)))]))
    noise = NOISE * (1.0 if image else float(np.std(chosen)))
    noisy = chosen + np.float32(noise) * rng.standard_normal(chosen.shape, np.float32)
    return np.clip(noisy, 0, 1, out=noisy) if image else noisy
