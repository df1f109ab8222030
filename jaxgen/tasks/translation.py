"""Translations of test images, and their differences from the true translations."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data
from jaxgen.metrics.features import Features
from jaxgen.metrics.frechet import frechet
from jaxgen.tasks import domains
from jaxgen.tasks.evaluation import in_batches
from jaxgen.tasks.unpaired import domains_of, known_pairs, pairs_known, style_of

BLOCK = 512  # images whose differences are squared at once


def translated(model: Model, data: Data, x: np.ndarray, *, back: bool = False) -> np.ndarray | None:
    """Images f32[N, H, W, C] of the first set translated into the second, or with `back` in reverse; None if it cannot.

    The model's map of that name is used if it has one; otherwise decode(encode(x, source domain), target domain).
    """
    names = domains_of(data)[::-1] if back else domains_of(data)
    direct = model.maps.get("_to_".join(names))
    encode, decode = model.encode, model.decode
    if direct is not None:
        return in_batches(lambda i, x: direct(x), x)
    if encode is None or decode is None:
        return None

    def through(i, x):
        source, target = (jnp.full(len(x), label, jnp.int32) for label in ((1, 0) if back else (0, 1)))
        return decode(encode(x, source), target)

    return in_batches(through, x)


def error(images: np.ndarray, true: np.ndarray) -> float:
    """Root mean square difference over all numbers.

    >>> error(np.array([0.0, 0.5]), np.array([0.6, 1.3])).__round__(6)
    0.707107
    """
    blocks = (slice(i, i + BLOCK) for i in range(0, len(images), BLOCK))
    return float(np.sqrt(sum(np.sum((images[at].astype(np.float64) - true[at]) ** 2) for at in blocks) / images.size))


class Truth(NamedTuple):
    """What translations are compared to, and values derived from it and from the training images, computed once."""

    original: np.ndarray  # f32[N, H, W, C], the evaluated test images; between two classes, those of the first
    true: np.ndarray  # the same images in the style; between two classes, test images of the second
    label: np.ndarray | None
    embedded: np.ndarray  # features of `true`
    classify: Callable[[np.ndarray], np.ndarray] | None
    """Features -> the label of the nearest training image in the style."""


def truth_of(features: Features, data: Data) -> Truth:
    """The `Truth` of the test images."""
    from sklearn.neighbors import KNeighborsClassifier

    if not pairs_known(data):
        first, second = domains.tested(data.test, data)
        return Truth(first, second, None, features.embed(second), None)
    original, true, label = known_pairs(data.test, style_of(data))
    classify = None
    if label is not None:
        _, styled, known = known_pairs(data.train, style_of(data))
        classify = KNeighborsClassifier(1).fit(features.embed(styled), known).predict
    return Truth(original, true, label, features.embed(true), classify)


def figures(
    features: Features, data: Data, forward: np.ndarray, back: np.ndarray, truth: Truth | None = None
) -> dict[str, float]:
    """All figures of translations of the test images in both directions; {} if any of them is not finite.

    Between two classes of the data they are those of `domains.figures`.

    Args:
      features: the feature space of the comparison, which is the same for all styles. The reference of `content` shows
        how well it distinguishes labels of images in the style.
      data: all of the data.
      forward: the evaluated test images, translated into the style.
      back: the images in the style, translated into originals.
      truth: the result of `truth_of`, if it is already computed.
    """
    if not (np.all(np.isfinite(forward)) and np.all(np.isfinite(back))):
        return {}
    truth = truth or truth_of(features, data)
    if not pairs_known(data):
        return domains.figures(features, features.embed(truth.original), truth.embedded, forward, back)
    embedded = features.embed(forward)
    values = {
        "error": error(forward, truth.true),
        "error_back": error(back, truth.original),
        "frechet": frechet(truth.embedded, embedded),
    }
    return values | content(truth, embedded)


def content(truth: Truth, embedded: np.ndarray) -> dict[str, float]:
    """The share of translations with these features whose label is recognised; {} without labels."""
    return {} if truth.classify is None else {"content": float(np.mean(truth.classify(embedded) == truth.label))}
