"""Translate: images of one domain into another, learned from two sets of images without pairs."""

from collections.abc import Sequence

import jax
import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data, as_float
from jaxgen.data.styles import STYLES
from jaxgen.metrics.features import Features, coordinates, flat, principal_axes, working
from jaxgen.metrics.frechet import frechet, unbiased_frechet
from jaxgen.metrics.transport import linear_transport
from jaxgen.recipes import cyclegan, name_of
from jaxgen.tasks import domains
from jaxgen.tasks.evaluation import STAGED, most
from jaxgen.tasks.groups import PART
from jaxgen.tasks.task import (
    BASELINE,
    SHARE,
    SIZE,
    Form,
    Margin,
    Metric,
    Picture,
    Reading,
    Reference,
    Task,
    Training,
)
from jaxgen.tasks.translation import Truth, content, error, figures, translated, truth_of
from jaxgen.tasks.unpaired import (
    IDENTITY,
    RATE,
    configure,
    domains_of,
    known_pairs,
    pairs_known,
    servable,
    size,
    some,
    style_of,
    unpaired,
)

COMPONENTS = 256  # principal components on which the baseline and the reference are fitted, at most
ALPHA = 0.1  # weight of the squared coefficients of the ridge regression
SHOWN = 8  # test images on the page

METRICS = {
    "error": Metric(
        False,
        True,
        "root mean square difference of translations to the true pairs, in shares of the range of a pixel; the "
        "reference is ridge regression on pairs",
        "",
        SHARE,
        Margin(0.01),
    ),
    "error_back": Metric(False, False, "the same of the way back, from the style to the original", "", SHARE),
    "frechet": Metric(
        False,
        False,
        "Frechet distance of the features of translations to those of test images in the style",
        "squared",
        SIZE,
    ),
    "content": Metric(
        True,
        False,
        "share of translations whose nearest training image in the style, by the features, has their label",
        "",
        SHARE,
    ),
}


def baselines(
    features: Features, data: Data, formed: Data | None = None, truth: Truth | None = None
) -> dict[str, dict[str, float]]:
    """Figures of the image as it is, and of the linear optimal transport map between the two sets, by `baseline:` name.

    The map is fitted on the training images that models see (`seen`, else made here), and carries at most 256
    principal components of both sets together; what these do not hold of an image stays as it is. Values are cut to
    [0, 1].
    """
    truth = truth or truth_of(features, data)
    original, true = truth.original, truth.true
    train = (unpaired(data) if formed is None else formed).train
    sets = [np.flatnonzero(train.label == domain) for domain in (0, 1)]
    axes = principal_axes(train.x, COMPONENTS)
    codes = [coordinates(axes, some(train.x, at)) for at in sets]

    def carried(x: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        z = coordinates(axes, x)
        return _moved(x, (linear_transport(a, b)(z) - z).astype(axes.axes.dtype) @ axes.axes)

    return {
        f"{BASELINE}unchanged": figures(features, data, original, true, truth),
        f"{BASELINE}linear transport": figures(
            features, data, carried(original, *codes), carried(true, *codes[::-1]), truth
        ),
    }


def ceiling(features: Features, data: Data, truth: Truth | None = None) -> dict[str, float]:
    """What pairs would give, and between two classes what training images of these have.

    Errors: ridge regression on true pairs of the training images, linear, so that a network may do better. Frechet
    distance: of training images in the style. Content: of the true pairs.
    """
    if not pairs_known(data):
        return domains.real(features, data)
    truth = truth or truth_of(features, data)
    original, true = truth.original, truth.true
    train_original, train_true, _ = known_pairs(data.train, style_of(data))
    values = {
        "error": error(_regressed(train_original, train_true, original), true),
        "error_back": error(_regressed(train_true, train_original, true), original),
        "frechet": frechet(truth.embedded, features.embed(train_true)),
    }
    return values | content(truth, truth.embedded)


def _regressed(given: np.ndarray, wanted: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x, and the difference `wanted` - `given` that its principal components predict."""
    from sklearn.linear_model import Ridge

    axes = principal_axes(given, COMPONENTS)
    precision = working(x.shape[1:])
    ridge = Ridge(ALPHA).fit(coordinates(axes, given), flat(wanted, precision) - flat(given, precision))
    return _moved(x, ridge.predict(coordinates(axes, x)))


def _moved(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.clip(x + by.reshape(x.shape), 0, 1).astype(np.float32)


def _read(model: Model, reference: Reference, seed: int, key: jax.Array, stage: str | None) -> Reading:
    data = reference.data
    if stage is not None and not pairs_known(data):
        first, second = domains.tested(data.test, data, STAGED)
        forward = translated(model, data, first)
        if forward is None or not np.all(np.isfinite(forward)):
            return Reading({}, "")
        halves = None
        if reference.halves is not None:  # the examples lack a group, and all of the others are looked at
            left, right = domains.places(data)
            halves = reference.halves[:, data.test.label == right], reference.halves[:, data.test.label == left]
        return Reading(
            {"frechet": unbiased_frechet(*map(reference.features.embed, (second, forward)), halves=halves)}, ""
        )
    if stage is not None:
        original, true, _ = reference.once(_staged_pairs)
        forward = translated(model, data, original)
        return Reading(
            {} if forward is None or not np.all(np.isfinite(forward)) else {"error": error(forward, true)}, ""
        )
    truth = reference.once(_truth)
    forward = translated(model, data, truth.original)
    back = None if forward is None else translated(model, data, truth.true, back=True)
    if forward is None or back is None:
        return Reading({}, "")
    return Reading(figures(reference.features, data, forward, back, truth), "")


def _truth(reference: Reference) -> Truth:
    return truth_of(reference.features, reference.data)


def _staged_pairs(reference: Reference) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    return known_pairs(reference.data.test, style_of(reference.data), STAGED)


def _notes(data: Data, seeds: Sequence[int]) -> tuple[str, ...]:
    first, second = domains_of(data)
    sets = f"Style transfer: the two sets are the training images of {first!r} and of {second!r}. No pair is known."
    if pairs_known(data):
        sets = (
            f"Style transfer: half of the training images stay as they are, the other half are {second}, and no image "
            "is in both."
        )
    return (
        f"{sets} Each model is trained on these in {UNPAIRED.in_words}.",
        f"For style transfer every GAN is {name_of(cyclegan)}, with the learning rate {RATE:g} where its paper has "
        f"2e-4 and an identity loss of weight {IDENTITY:g} where it has 0 or 0.5. Each is the best of three on "
        "validation images of the digits, as the learning rate of vae is.",
        "For style transfer a VAE is given the domain as a label, and nothing but shared weights and a shared prior "
        "makes its code of an image the same in both domains.",
    )


def _pairs_shown(data: Data) -> np.ndarray:
    if not pairs_known(data):
        return np.concatenate([x[np.arange(SHOWN) % len(x)] for x in domains.tested(data.test, data)])
    x = data.test.x[:SHOWN]
    return as_float(np.concatenate([x, STYLES[style_of(data)](x)]))


def _shown(model: Model, data: Data, key: jax.Array) -> np.ndarray | None:
    original, true = np.split(_pairs_shown(data), 2)
    forward, back = translated(model, data, original), translated(model, data, true, back=True)
    return None if forward is None or back is None else np.concatenate([back, forward])


def _baselines(reference: Reference, seed: int) -> dict[str, dict[str, float]]:
    return baselines(reference.features, reference.data, reference.formed(UNPAIRED.form), reference.once(_truth))


def _floor(reference: Reference) -> dict[str, float]:
    return ceiling(reference.features, reference.data, reference.once(_truth))


UNPAIRED = Training(
    "translate",
    "on two sets of images without pairs",
    1.3,
    (6, 7),
    form=Form("unpaired", unpaired, configure, size),
)

TRANSLATE = Task(
    name="translate",
    title="Translate",
    setting="style transfer",
    about="Images of one set into the style of another, learned without pairs: a cycle-consistent GAN against a VAE "
    "whose latent both sets share. If the style is one of ours, the true translation of a test image is known, and the "
    "error to it decides; between two classes of the data it is the Frechet distance to the second.",
    training=UNPAIRED,
    servable=servable,
    metrics=lambda data: METRICS if pairs_known(data) else domains.METRICS,
    # Between classes each of them has a part of its own, of large sets of images.
    grouped=lambda data: pairs_known(data) or len(data.test.x) <= most(data.shape, PART),
    measure=_read,
    baselines=_baselines,
    floor=_floor,
    notes=_notes,
    pictures=(
        Picture(
            "Translations",
            "Real data: test images of the first set, and under them images of the second. Each model: the second row "
            "translated back, and under it the first row translated. If the style is one of ours, the rows are pairs, "
            "and each image should be like the real one in its place.",
            _shown,
            _pairs_shown,
            columns=SHOWN,
        ),
    ),
    titles={
        "error": "error to the true pair",
        "error_back": "error of the way back",
        "frechet": "Frechet distance",
        "frechet_back": "Frechet distance of the way back",
        "lost": "relations lost",
    },
)
