"""The task "translate": translating images of one domain into another, learned from two sets without pairs."""

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

COMPONENTS = 256  # the most principal components on which the baseline and the reference are fitted
ALPHA = 0.1  # weight of the squared coefficients of the ridge regression
SHOWN = 8  # test images on the page

METRICS = {
    "error": Metric(
        False,
        True,
        "root mean square difference between translations and the true translations, as a share of the range of a "
        "pixel; the reference is ridge regression on pairs",
        "",
        SHARE,
        Margin(0.01),
    ),
    "error_back": Metric(False, False, "the same for translations from the style to the original", "", SHARE),
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
        "share of translations whose nearest training image in the style, in feature space, has the right label",
        "",
        SHARE,
    ),
}


def baselines(
    features: Features, data: Data, formed: Data | None = None, truth: Truth | None = None
) -> dict[str, dict[str, float]]:
    """Figures of the unchanged image, and of the linear optimal transport map between the sets, by `baseline:` name.

    The map is fitted on the training images of the models (`formed`, or computed here if None). It transports at most
    256 principal components of both sets together; the rest of an image does not change. Values are clipped to [0, 1].
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
    """Reference figures: those of methods that know pairs or, between two classes, of training images of the classes.

    Errors are those of ridge regression on true pairs of the training images, which is linear, so a network may do
    better. The Frechet distance is that of training images in the style, and content that of the true translations.
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
    """x plus the difference `wanted` - `given` predicted from its principal components."""
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
        if reference.halves is not None:  # a group of examples is left out, and all others are evaluated
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
            f"Style transfer: half of the training images are unchanged, the other half are {second}, and no image is "
            "in both halves."
        )
    return (
        f"{sets} Each model is trained on these in {UNPAIRED.in_words}.",
        f"For style transfer every GAN is replaced by {name_of(cyclegan)}, with the learning rate {RATE:g} in place of "
        f"2e-4 in its paper, and an identity loss of weight {IDENTITY:g} in place of 0 or 0.5. Each of these values is "
        "the best of three on validation images of the digits, and so is the learning rate of vae.",
        "For style transfer a VAE gets the domain as a label. Only shared weights and a shared prior make the codes of "
        "an image similar in both domains.",
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
    about="Images of one set are translated into the style of another, learned without pairs: by a cycle-consistent "
    "GAN, or by a VAE with one latent space for both sets. If the style is a built-in one, the true translation of a "
    "test image is known, and the error to it decides. Between two classes of the data, the Frechet distance to the "
    "second class decides.",
    training=UNPAIRED,
    servable=servable,
    metrics=lambda data: METRICS if pairs_known(data) else domains.METRICS,
    # Between classes, each class of a large set is evaluated on its own random part.
    grouped=lambda data: pairs_known(data) or len(data.test.x) <= most(data.shape, PART),
    measure=_read,
    baselines=_baselines,
    floor=_floor,
    notes=_notes,
    pictures=(
        Picture(
            "Translations",
            "Real data: test images of the first set, and below them images of the second. Each model: in the first "
            "row translations of the second set into the first, and below them translations of the first set into the "
            "second. If the style is a built-in one, each image should resemble the real image at the same place.",
            _shown,
            _pairs_shown,
            columns=SHOWN,
        ),
    ),
    titles={
        "error": "error to the true pair",
        "error_back": "error of the reverse translation",
        "frechet": "Frechet distance",
        "frechet_back": "Frechet distance of the reverse translation",
        "lost": "relations lost",
    },
)
