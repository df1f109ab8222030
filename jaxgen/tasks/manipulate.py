"""The task "manipulate": does a step in latent space change the intended attribute, and nothing else of an example?"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data, as_float, subset
from jaxgen.metrics.features import Axes, coordinates, flat, principal_axes
from jaxgen.tasks import factors
from jaxgen.tasks.edits import (
    LABELS,
    LEAST,
    POOL,
    Edits,
    Judge,
    area,
    classes_of,
    encoded,
    identity_kept,
    judged,
    make_judge,
    pixels_of,
    plan_edits,
)
from jaxgen.tasks.evaluation import unlabelled
from jaxgen.tasks.probe import labelled
from jaxgen.tasks.task import BASELINE, COMPONENTS, MAIN, SHARE, Margin, Metric, Picture, Reading, Reference, Task

STRENGTHS = np.array([0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 6], np.float32)  # in multiples of the direction's length
DECODED = 1024  # about how many edits are decoded at once
ROWS, COLUMNS = 4, 8  # edits that are shown, and the images of each

METRICS = {
    "area": Metric(
        True,
        True,
        "area under the curve of the share changed over the identity kept, for rising strengths of the edit",
        "",
        SHARE,
        Margin(0.02),
    ),
    "changed": Metric(True, False, "share of edits that become typical examples of the target class", "", SHARE),
    "kept": Metric(
        True,
        False,
        "how well the original of an edit is recognised among others of its class; 0 by chance, 1 always",
        "",
        SHARE,
    ),
    "effectiveness": Metric(
        True, False, "share of edits that a classifier assigns to the target class, typical or not", "", SHARE
    ),
    "composition": Metric(True, False, "identity kept by encoding and decoding without an edit", "", SHARE),
}


class Curve(NamedTuple):
    """The figures of edits at each strength, float64 [S], under the names of METRICS.

    The first strength is that of the unedited reconstruction.
    """

    changed: np.ndarray
    kept: np.ndarray
    effectiveness: np.ndarray


def servable(data: Data) -> str | None:
    """None, or why this data cannot be edited: images of at least two classes are needed."""
    if data.kind != "image":
        return f"edits are of images, and {data.name} holds none."
    reason = unlabelled(data)
    if reason is None and len(classes_of(data)) < 2:
        return (
            f"an edit leads from class to class, and fewer than two of {data.name} have {LEAST} examples in each split."
        )
    return reason


def directions(model: Model, data: Data, seed: int) -> np.ndarray:
    """The direction of each class: the mean code of 20 of its training examples minus that of 20 of each other class.

    The result is [C, ...], with zeros for a class that is left out. The labelled examples depend on the seed and are
    the same for all models. InterFaceGAN (Shen et al. 2020, arXiv 2005.09635) moves along the normal of a linear
    separator; a difference of means has no hyperparameter, and its length defines a strength of 1.
    """
    assert model.encode is not None
    known = subset(data.train, labelled(data.train.label, LABELS, seed=seed, draw=0))
    known = subset(known, np.isin(known.label, classes_of(data)))
    codes = encoded(model, as_float(known.x))
    vectors = np.zeros((len(data.classes), *codes.shape[1:]), np.float32)
    for c in np.unique(known.label):
        vectors[c] = codes[known.label == c].mean(0) - codes[known.label != c].mean(0)
    return vectors


def follow(model: Model, way: np.ndarray, edits: Edits, judge: Judge) -> Curve | None:
    """The `Curve` of the edits z + s d for each strength s, d the direction of the target; None if a value is infinite.

    If the unedited reconstruction is already typical of the target class, the edit counts as unchanged, because this is
    an error of the model or of the classifier.
    """
    codes, judgements, identity = encoded(model, edits.x)[edits.source], [], []
    at_once = max(1, DECODED // len(codes))  # few edits of all strengths fill one batch
    for some in np.split(STRENGTHS, range(at_once, len(STRENGTHS), at_once)):
        moved = codes[None] + some.reshape(-1, *[1] * codes.ndim) * way[edits.target][None]
        images = pixels_of(model, moved.reshape(-1, *codes.shape[1:]), edits.x.shape[1:])
        if not np.all(np.isfinite(images)):
            return None
        for x in images.reshape(len(some), len(codes), *images.shape[1:]):
            judgements.append(judged(judge, x, edits.target))
            identity.append(identity_kept(x, edits))
    taken, typical = np.moveaxis(np.array(judgements), 1, 0)
    return Curve((typical & ~typical[0]).mean(1), np.array(identity), taken.mean(1))


def measure(model: Model, reference: Reference, seed: int, *, only_headline: bool = False) -> Reading:
    """The area under the curve of test examples, and the other figures at the best strength on validation examples.

    The best strength has the largest product of changed and kept. Effectiveness and composition are defined by Melistas
    et al. 2024 (arXiv 2403.20287): whether a classifier recognises the edit, and how much of the identity remains
    without an edit. Losses of identity in reconstruction lower all figures. There are no figures of a model without
    `encode` or `decode`, or with integer codes, such as those of a codebook.
    """
    from threadpoolctl import threadpool_limits

    if model.encode is None or model.decode is None or not _continuous(model, reference.data):
        return Reading({}, "")
    with threadpool_limits(1, user_api="blas"):  # such small products are up to ten times slower on several threads
        return _measured(model, reference, seed, only_headline)


def _measured(model: Model, reference: Reference, seed: int, only_headline: bool) -> Reading:
    data, judge = reference.data, reference.once(make_judge)
    way = directions(model, data, seed)
    curve = follow(model, way, plan_edits(data, data.test, seed, few=only_headline), judge)
    if curve is None:
        return Reading({}, "")
    figures = {"area": area(curve.kept, curve.changed)}
    if only_headline:
        return Reading(figures, "")
    before = follow(model, way, plan_edits(data, data.valid, seed, few=True), judge)
    at = 0 if before is None else int(np.argmax(before.changed * before.kept))
    figures |= {name: float(values[at]) for name, values in curve._asdict().items()}
    figures["composition"] = float(curve.kept[0])
    return Reading(figures | factors.measure(model, data, seed, STRENGTHS), f"strength {STRENGTHS[at]:g}")


def baselines(reference: Reference, seed: int) -> dict[str, dict[str, float]]:
    """The same edits with the image itself as the code, and with 16 principal components as the code."""
    models = simple_models(reference.data, reference.axes)
    return {name: measure(model, reference, seed).figures for name, model in models.items()}


def simple_models(data: Data, axes: Axes | None = None) -> dict[str, Model]:
    """The baseline models by name; `axes` are the principal axes of the training examples, if already computed."""
    fitted = axes or principal_axes(data.train.x, COMPONENTS)

    def same(x):
        return np.asarray(x)

    def components(x):
        return coordinates(fitted, x).astype(np.float32)

    def image(z):
        return (np.asarray(z) @ fitted.axes + fitted.mean).reshape(-1, *data.shape)

    return {
        f"{BASELINE}raw values": Model(encode=same, decode=same),
        f"{BASELINE}PCA": Model(encode=components, decode=image),
    }


def nearest_examples(reference: Reference) -> dict[str, float]:
    """Reference figures: in place of an edit, the training example of the target class that is nearest in pixels."""
    data, judge = reference.data, reference.once(make_judge)
    edits = plan_edits(data, data.test, 0)
    train = subset(data.train, labelled(data.train.label, POOL, seed=0, draw=0))
    x, rows = edits.x[edits.source].copy(), flat(train.x)
    for i, (original, target) in enumerate(zip(flat(x), edits.target, strict=True)):
        members = np.flatnonzero(train.label == target)
        x[i] = as_float(train.x[members[np.argmin(np.sum((rows[members] - original) ** 2, 1))]])
    typical = [judged(judge, images, edits.target) for images in (edits.x[edits.source], x)]
    changed, identity = float(np.mean(typical[1][1] & ~typical[0][1])), identity_kept(x, edits)
    return {
        "area": area([identity], [changed]),
        "changed": changed,
        "kept": identity,
        "effectiveness": float(np.mean(typical[1][0])),
    }


def _continuous(model: Model, data: Data) -> bool:
    codes = encoded(model, as_float(data.train.x[:2]))
    return np.issubdtype(codes.dtype, np.floating) and bool(np.all(np.isfinite(codes)))


def _read(model: Model, reference: Reference, seed: int, key: jax.Array, stage: str | None) -> Reading:
    return measure(model, reference, seed, only_headline=stage is not None)


def _notes(data: Data, seeds: Sequence[int]) -> tuple[str, ...]:
    left_out = [name for c, name in enumerate(data.classes) if c not in classes_of(data)]
    return (f"Classes with too few examples to be edited: {', '.join(left_out)}.",) if left_out else ()


def _shown(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """The first test examples of the first classes, and the class after each, to which it is edited."""
    classes = classes_of(data)[:ROWS]
    first = np.array([np.flatnonzero(data.test.label == c)[0] for c in classes])
    return as_float(data.test.x[first]), np.roll(classes, -1)


def _edits(model: Model, data: Data, key: jax.Array) -> np.ndarray | None:
    if servable(data) or model.encode is None or model.decode is None or not _continuous(model, data):
        return None
    x, target = _shown(data)
    codes, way = encoded(model, x), directions(model, data, 0)[target]
    rows = [x, *(pixels_of(model, codes + strength * way, data.shape) for strength in STRENGTHS[: COLUMNS - 1])]
    return np.stack(rows, 1).reshape(-1, *data.shape)


def _ends(data: Data) -> np.ndarray:
    x, target = _shown(data)
    blank = [np.full_like(x, 0.5)] * (COLUMNS - 2)  # grey, which suits the light and the dark theme
    last = np.stack([as_float(data.test.x[np.flatnonzero(data.test.label == c)[0]]) for c in target])
    return np.stack([x, *blank, last], 1).reshape(-1, *data.shape)


MANIPULATE = Task(
    name="manipulate",
    title="Manipulate",
    setting="semantic manipulation",
    grouped=lambda data: False,  # it edits images that are drawn from the test split
    about=(
        f"Images are edited from class to class, along a direction in latent space that is computed from {LABELS} "
        "labels per class. Losses by encoding and decoding count against a model. The reference is the nearest "
        "training example of the target class."
    ),
    training=MAIN,
    servable=servable,
    metrics=lambda data: {**METRICS, **(factors.METRICS if data.factors else {})},
    measure=_read,
    baselines=baselines,
    floor=nearest_examples,
    notes=_notes,
    pictures=(
        Picture(
            "Edits",
            "A test example, its reconstruction, and edits of rising strength towards another class. The row of real "
            "data ends with an example of that class.",
            _edits,
            _ends,
            columns=COLUMNS,
        ),
    ),
    titles={"area": "area of change over identity"},
    encodes=True,
)
