"""Mode collapse on data with known modes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data import Modes


class ModeCount(NamedTuple):
    """What a set of samples found of the known modes."""

    captured: int  # modes with at least one high-quality sample
    high_quality_percent: float  # of all samples
    reverse_kl: float  # nats


def count_modes(samples, modes: Modes) -> ModeCount:
    """Captured modes, high-quality share and reverse KL of samples [N, D] against known modes.

    A sample is of high quality if its nearest mode is nearer than 3 std; it then belongs to that mode. With p the
    histogram of high-quality samples over the M modes, reverse KL = sum_m p_m log(M p_m) nats, from 0 (even) to log M
    (one mode). If no sample is of high quality it is log M, the worst value.

    In two dimensions 98.89 % of true samples are of high quality (1 - e^-4.5): more is under-dispersed, not better.
    Compare at 2,500 samples, as the published figures do.

    Lin et al. 2018 (PacGAN), arXiv 1712.04086, and its code.

    >>> two = Modes(np.array([[0.0, 0.0], [1.0, 0.0]]), 0.1)
    >>> count_modes(np.array([[0.0, 0.1], [0.2, 0.0], [0.5, 0.0], [0.0, 9.0]]), two)
    ModeCount(captured=1, high_quality_percent=50.0, reverse_kl=0.6931471805599453)
    """
    samples, means = np.asarray(samples, np.float64), np.asarray(modes.means, np.float64)
    distance = np.linalg.norm(samples[:, None] - means[None], axis=-1)
    nearest = distance.argmin(1)[distance.min(1) < 3 * modes.std]
    counts = np.bincount(nearest, minlength=len(means))
    share = counts[counts > 0] / max(len(nearest), 1)
    spread = float(np.sum(share * np.log(share * len(means)))) if len(nearest) else float(np.log(len(means)))
    return ModeCount(int(np.sum(counts > 0)), 100 * len(nearest) / len(samples), max(spread, 0.0))


class StackedCount(NamedTuple):
    """What a set of images whose channels are of known classes found of the combinations of these."""

    captured: int  # combinations that occur
    kl: float  # nats


def count_stacked(samples, classify: Callable[[np.ndarray], np.ndarray], classes: int = 10) -> StackedCount:
    """Captured modes of images [N, H, W, C] whose channels are images of `classes` classes each, and their KL.

    A mode is a combination of C classes, M = classes^C in all: 1,000 of `stacked_digits`. With p the histogram of the
    samples over the modes, KL = sum_m p_m log(M p_m) nats, from 0 (even) to log M (one mode). Samples of a perfect
    model have (M - 1) / 2N on average, and what errors of the classifier add: read nothing into less than that. Every
    sample counts as a mode, however it looks: noise finds modes too, so look at the samples as well.

    Args:
      samples: as examples of the data.
      classify: images [N, H, W, 1] -> the class of each, int [N] below `classes`.
      classes: of each channel.

    Raises:
      BadRequest: no samples, or not [N, H, W, C]; labels that are not one whole number from 0 on below `classes` for
        each image.

    The score of Metz et al. 2017, arXiv 1611.02163, as in PacGAN, arXiv 1712.04086, section 4.2, and R3GAN.

    >>> light = lambda x: (x.mean((1, 2, 3)) > 0.5).astype(int)
    >>> count_stacked(np.array([[[[0.1, 0.9]]], [[[0.9, 0.9]]]]), light, classes=2)
    StackedCount(captured=2, kl=0.6931471805599453)
    """
    if np.ndim(samples) != 4 or not len(samples):
        raise BadRequest(f"samples are images [N, H, W, C], at least one, not {np.shape(samples)}.")
    n, height, width, channels = np.shape(samples)
    single = np.moveaxis(np.asarray(samples), -1, 1).reshape(-1, height, width, 1)
    label = np.asarray(classify(single))
    whole = label.shape == (n * channels,) and np.issubdtype(label.dtype, np.integer)
    if not whole or label.min() < 0 or label.max() >= classes:
        raise BadRequest(f"classify gives each of the {n * channels} images a whole number from 0 to {classes - 1}.")
    label = label.reshape(n, channels)
    modes = classes**channels
    counts = np.bincount(label @ classes ** np.arange(channels)[::-1], minlength=modes)
    share = counts[counts > 0] / n
    return StackedCount(int(np.sum(counts > 0)), max(float(np.sum(share * np.log(share * modes))), 0.0))
