"""The Frechet distances that samples are judged by: which one is the headline, and how it is measured."""

from collections.abc import Sequence

import numpy as np

from jaxgen.data import Data
from jaxgen.metrics import natural
from jaxgen.metrics.frechet import halves_of, unbiased_frechet
from jaxgen.tasks.evaluation import most
from jaxgen.tasks.task import Reference

LEAST = 4  # images on either side that a distance needs
FEW = 100  # real images that are not divided any more
NATURAL = "frechet_effnet"  # of natural images without labels, where the weights of their feature space are installed


def headline_of(data: Data) -> str:
    """The name of the distance that is the headline of samples.

    "frechet_effnet", in the space of EfficientNet-Lite0, of natural images without labels
    (`jaxgen.metrics.natural.is_natural`) where its weights are installed; else "frechet", in the space of all figures.
    """
    return NATURAL if natural.serves(data) else "frechet"


def distance(reference: Reference, real: np.ndarray, fake: np.ndarray) -> float:
    """The unbiased Frechet distance of features of samples to those of test examples, by the reference's halves."""
    halves = None if reference.halves is None else (reference.halves, halves_of(len(fake)))
    return unbiased_frechet(real, fake, halves=halves)


def natural_distance(reference: Reference, samples) -> dict[str, float]:
    """The distance in the space of EfficientNet-Lite0, of the first 1,024 samples at most.

    {} without that space, and of fewer than four images on either side.
    """
    if reference.features.natural is None or min(len(samples), len(reference.data.test.x)) < LEAST:
        return {}
    fake = reference.features.natural(samples[: natural.IMAGES])
    return {NATURAL: distance(reference, reference.natural_test, fake)}


def natural_ceiling(reference: Reference, real: np.ndarray) -> dict[str, float]:
    """That distance of real images, the mean over two random halves of 1,024 at most each; {} as above."""
    if reference.features.natural is None or min(len(real), len(reference.data.test.x)) < LEAST:
        return {}
    order = np.random.default_rng(0).permutation(len(real))[: 2 * natural.IMAGES]
    parts = np.array_split(order, 2 if len(order) >= FEW else 1)
    distances = [natural_distance(reference, real[part])[NATURAL] for part in parts]
    return {NATURAL: float(np.mean(distances))}


def tested(data: Data) -> int:
    """How many test examples the headline is a figure of."""
    n = min(len(data.test.x), most(data.shape))
    return min(n, natural.IMAGES) if headline_of(data) == NATURAL else n


def notes(data: Data, seeds: Sequence[int]) -> tuple[str, ...]:
    """Of natural images without labels, which space their headline is of, or how to have a better one."""
    if not natural.is_natural(data):
        return ()
    if natural.installed():
        return (
            f"Image synthesis: the headline is the Frechet distance in the space of {natural.NAME}, of at most "
            f"{natural.IMAGES:,} images of either set. All other figures are of the feature space named above.",
        )
    return (
        "Image synthesis: distances are in a space of random filters, which tell natural images from each other less "
        f"well than a network that was trained on such images. To use one: {natural.INSTALL}",
    )
