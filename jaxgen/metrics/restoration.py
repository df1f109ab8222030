"""Large images of small ones: how near they are to the true ones, and what does it without a network."""

import math
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.metrics.frechet import frechet

WINDOW = 7  # pixels a side; scikit-image's default, and it fits into images of 8
C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, section III-B, for pixels in [0, 1]
BLOCK = 1 << 20  # numbers that are filtered at once
ALPHAS = (0.01, 0.1, 1.0, 10.0, 100.0)  # weights of the penalty of ridge regression
TARGETS = 256  # pixels that its weight is chosen by, at most


class Pairs(NamedTuple):
    """Images and the small ones that are made of them."""

    large: np.ndarray  # float32 [N, H, W, C]
    small: np.ndarray  # float32 [N, h, w, C]


def psnr(truth, image) -> float:
    """Peak signal-to-noise ratio in dB, -10 log10 of the mean squared error of all pixels of all images in [0, 1].

    The mean is taken before the logarithm, so that one set has one error; a mean of each image's own ratio would be
    infinite with one perfect image. Infinite for two equal sets.

    >>> round(psnr(np.zeros((2, 8, 8, 1)), np.full((2, 8, 8, 1), 0.1)), 6)
    20.0
    """
    error = root_mean_square(np.asarray(image) - np.asarray(truth))
    return float(-20 * np.log10(error)) if error > 0 else float("inf")


def root_mean_square(x) -> float:
    """sqrt(mean x^2).

    >>> root_mean_square(np.array([1.0, 7.0]))
    5.0
    """
    return float(np.sqrt(np.mean(np.square(x), dtype=np.float64)))


def ssim(truth, image) -> float:
    """Mean structural similarity of images [N, H, W, C] in [0, 1], over windows of 7 x 7 pixels: 1 for a copy.

      (2 m_a m_b + C1) (2 c_ab + C2) / ((m_a^2 + m_b^2 + C1) (v_a + v_b + C2)),  C1 = .01^2, C2 = .03^2

    in each window that lies wholly inside the image and in each channel; means m, variances v and covariance c are
    those of the 49 pixels, v and c with 48 as their divisor. Wang et al. 2004 (IEEE TIP 13, 600), eq. 13, with uniform
    windows in place of Gaussian ones of 11 x 11, which do not fit into small images: what scikit-image's
    `structural_similarity` computes at its defaults.

    >>> image = np.linspace(0, 1, 64).reshape(1, 8, 8, 1)
    >>> round(ssim(image, image), 6), round(ssim(image, np.full_like(image, 0.5)), 2)
    (1.0, 0.01)
    """
    truth, image = np.asarray(truth), np.asarray(image)
    size = max(1, BLOCK // truth[0].size)
    parts = (slice(i, i + size) for i in range(0, len(truth), size))
    return float(np.sum([_ssim(truth[rows], image[rows]) for rows in parts]) / len(truth))


def _ssim(truth: np.ndarray, image: np.ndarray) -> float:
    """Summed over images."""
    from scipy.ndimage import uniform_filter

    edge = slice(WINDOW // 2, -(WINDOW // 2))

    def mean(x: np.ndarray) -> np.ndarray:
        return uniform_filter(x, WINDOW, axes=(1, 2))[:, edge, edge]

    a, b = truth.astype(np.float64), image.astype(np.float64)
    m_a, m_b, sample = mean(a), mean(b), WINDOW**2 / (WINDOW**2 - 1)
    variances = sample * (mean(a * a) - m_a**2 + mean(b * b) - m_b**2)
    covariance = sample * (mean(a * b) - m_a * m_b)
    likeness = (2 * m_a * m_b + C1) * (2 * covariance + C2) / ((m_a**2 + m_b**2 + C1) * (variances + C2))
    return float(np.sum(np.mean(likeness, axis=(1, 2, 3))))


def joint_frechet(real, fake, given) -> float:
    """Frechet distance of pairs (made, given) to pairs (real, given): of samples of which each was made from its own.

    It is near 0 if `made` and `real` have the same distribution given `given`. DeVries et al. 2019, arXiv 1907.08175;
    `given` is weighted here so that it has as much variance as `real`, summed over dimensions. It is biased upwards for
    small sets, equally for all methods that are compared on the same sets.

    Args:
      real: [N, F] features of real examples.
      made: [N, F] features of samples.
      given: [N, G] of what row i of both belongs to.

    >>> x = np.array([[0.0], [2.0], [4.0]])
    >>> [round(distance, 6) for distance in (joint_frechet(x, x, x), frechet(x, x[::-1]), joint_frechet(x, x[::-1], x))]
    [0.0, 0.0, 16.0]
    """
    real, given = np.asarray(real, np.float64), np.asarray(given, np.float64)
    varies = np.sum(np.var(given, axis=0))
    given = given * np.sqrt(np.sum(np.var(real, axis=0)) / varies) if varies > 0 else given
    return frechet(np.hstack([real, given]), np.hstack([fake, given]))


def bicubic(small: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Images [N, *shape] by cubic convolution with a = -1/2 (Keys 1981), cut to [0, 1]."""
    size = max(1, BLOCK // math.prod(shape))
    parts = (small[i : i + size] for i in range(0, len(small), size))
    return np.concatenate([np.clip(jax.image.resize(x, (len(x), *shape), "cubic"), 0, 1) for x in parts])


def ridge(train: Pairs, valid: Pairs, small: np.ndarray) -> np.ndarray:
    """Linear regression of all pixels on those of the small image, cut to [0, 1]: it minimises the squared error.

    Of five weights of the penalty the one with the least squared error on `valid` is taken: of every pixel, or of every
    second, third ... where there are many, because a fit of all pixels of large images takes seconds.
    """
    from sklearn.linear_model import Ridge

    of, targets, wanted = _rows(train.small), _rows(train.large), _rows(valid.large)
    some = slice(None, None, -(-targets.shape[1] // TARGETS))

    def error(alpha: float) -> float:
        fit = Ridge(alpha).fit(of, targets[:, some])
        return root_mean_square(np.clip(fit.predict(_rows(valid.small)), 0, 1) - wanted[:, some])

    fit = Ridge(min(ALPHAS, key=error)).fit(of, targets)
    return np.clip(fit.predict(_rows(small)), 0, 1).reshape(-1, *train.large.shape[1:])


def nearest(train: Pairs, small: np.ndarray) -> np.ndarray:
    """The training image whose small image is nearest: real by definition, and of something else."""
    from sklearn.neighbors import NearestNeighbors

    indices = NearestNeighbors(n_neighbors=1).fit(_rows(train.small)).kneighbors(_rows(small), return_distance=False)
    return train.large[indices[:, 0]]


def _rows(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)
