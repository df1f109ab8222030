"""The task "represent": the accuracy of a linear classifier of few labels on features learned without labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data, Split, as_float, subset
from jaxgen.metrics.features import Axes, Features, coordinates, flat, principal_axes, working
from jaxgen.metrics.latent import active_units, path_ratio
from jaxgen.tasks.evaluation import STAGED, decoded, in_batches, large, looked_at, most, unlabelled
from jaxgen.tasks.probe import COUNTS, DRAWS, accuracies, labelled
from jaxgen.tasks.task import BASELINE, COMPONENTS, MAIN, SHARE, SIZE, Margin, Metric, Picture, Reading, Reference, Task
from jaxgen.training.models import Layers

POOL = 200  # the most training examples per class from which labels are drawn and features standardised
WIDTH = 256  # width of the random network, as of the library's networks
PAIRS, FEW = 64, 16  # pairs of test examples to interpolate between; the same for large examples
RECONSTRUCTED = 16  # test examples whose reconstructions are shown
WAYS, STEPS = 4, 8  # interpolations that are shown, and the images of each

METRICS = {
    "accuracy": Metric(
        True,
        True,
        f"balanced accuracy of a linear classifier, mean over {', '.join(map(str, COUNTS[:-1]))} and {COUNTS[-1]} "
        "labels per class",
        "",
        SHARE,
        Margin(0.02),
    ),
    **{
        f"accuracy_{n}": Metric(True, False, f"the same with {n} label{'s' * (n > 1)} per class", "", SHARE)
        for n in COUNTS
    },
    "neighbour_accuracy": Metric(
        True, False, f"balanced accuracy of the nearest neighbour among {POOL} labels per class", "", SHARE
    ),
    "active_latents": Metric(None, False, "latent dimensions whose code varies over test data", "latents", SIZE),
    "path_ratio": Metric(
        False, False, "decoded interpolation: length of its path over that of a straight line", "", (1.0, float("inf"))
    ),
}


def servable(data: Data) -> str | None:
    """None, or why no probe can be trained on this data."""
    return unlabelled(data)


def notes(data: Data) -> tuple[str, ...]:
    """A note on classes that have fewer training examples than the largest number of labels."""
    have = np.bincount(data.train.label, minlength=len(data.classes))
    few = [f"{name} ({n})" for name, n in zip(data.classes, have, strict=True) if n < COUNTS[-1]]
    return (f"Classes with fewer than {COUNTS[-1]} training examples, all used: {', '.join(few)}.",) if few else ()


def probe(features: Features, model: Model, data: Data, seed: int, *, draws: int = DRAWS) -> Reading:
    """Test accuracy of a linear probe on the model's best layer, active latents and smoothness of interpolation.

    Accuracy is balanced: the mean over classes of the share of their examples that is classified correctly, so that all
    classes have equal weight. The headline is its mean over the numbers of labels. Layers are the latent
    (`model.encode`) and each of `model.features`; the one with the best mean accuracy on the validation split is used.
    `accuracy[layer]` is the figure of each layer. A layer with a value that is not finite is left out.

    Args:
      features: the space in which the length of interpolations is measured.
      model: a model trained without labels.
      data: all of the data.
      seed: decides which labels are used.
      draws: how often labels are drawn. With fewer than 5, as at a stage, the nearest neighbour is left out, and only a
        part of large examples is used.
    """
    pool, valid, test = _splits(data, STAGED if draws < DRAWS else 1)
    x, ends = np.concatenate([pool.x, valid.x, test.x]), np.cumsum([len(pool.x), len(valid.x)])
    by_layer = {name: np.split(h, ends) for name, h in _layers(model, x).items() if np.all(np.isfinite(h))}
    figures, chosen = _best(by_layer, (pool.label, valid.label, test.label), seed, draws)
    if "latent" in by_layer:
        codes = by_layer["latent"][2]
        figures["active_latents"] = float(active_units(codes))
        figures |= _smoothness(features, model, codes, data.shape)
    return Reading(figures, chosen)


def baselines(data: Data, seed: int, axes: Axes | None = None) -> dict[str, dict[str, float]]:
    """The same probe on the raw values, on 16 principal components and on a random network, by `baseline:` name.

    `majority class` is the accuracy of always predicting one class, 1 / classes. The random network is untrained, with
    two hidden layers of 256 ReLU units, drawn from the seed; its second hidden layer is used. `axes` are the principal
    axes of the training examples, if they are already computed.
    """
    splits = _splits(data)
    raw = [flat(split.x, working(data.shape)) for split in splits]
    components = axes or principal_axes(data.train.x, COMPONENTS)
    rng = np.random.default_rng(seed)
    n = raw[0].shape[1]
    first, second = ((rng.normal(size=(a, WIDTH)) * np.sqrt(2 / a)).astype(raw[0].dtype) for a in (n, WIDTH))
    reads = {
        f"{BASELINE}raw values": raw,
        f"{BASELINE}PCA": [coordinates(components, split.x) for split in splits],
        f"{BASELINE}random network": [np.maximum(np.maximum(x @ first, 0) @ second, 0) for x in raw],
    }
    labels = tuple(split.label for split in splits)
    always = 1 / len(np.unique(labels[2]))
    return {
        **{name: accuracies(read, labels, seed)[1] for name, read in reads.items()},
        f"{BASELINE}majority class": {name: always for name in METRICS if "accuracy" in name},
    }


def _splits(data: Data, part: int = 1) -> tuple[Split, Split, Split]:
    # As many of each class, and never fewer than the largest number of labels, even if there are many classes.
    each = min(POOL, max(COUNTS[-1], most(data.shape) // len(data.classes)))
    train = subset(data.train, np.sort(labelled(data.train.label, each, seed=0, draw=0)))
    return train._replace(x=as_float(train.x)), looked_at(data.valid, part), looked_at(data.test, part)


def _layers(model: Model, x: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of the layers of a model for x, by name, as rows."""

    def layers(i: int, x) -> dict[str, Any]:
        if isinstance(model.features, Layers):
            code, features = model.features.with_code(x)
        else:
            code = None if model.encode is None else model.encode(x)
            features = {name: layer(x) for name, layer in model.features.items()}
        return features if code is None else {"latent": code, **features}

    # jax.tree sorts names, so the order is restored here: of equally good layers the first is chosen.
    features = in_batches(layers, x)
    names = [name for name in ("latent", *model.features) if name in features]
    return {name: _rows(features[name]) for name in names}


def _rows(x: np.ndarray) -> np.ndarray:
    x = x.reshape(len(x), -1)
    return np.asarray(x, working(x.shape[1:]))


def _best(features: Mapping, labels: tuple, seed: int, draws: int) -> tuple[dict[str, float], str]:
    results = {name: accuracies(read, labels, seed, draws) for name, read in features.items()}
    if not results:
        return {}, ""
    chosen = max(results, key=lambda name: results[name][0]["accuracy"])
    each = {f"accuracy[{name}]": on_test["accuracy"] for name, (_, on_test) in results.items()}
    return {**results[chosen][1], **each}, chosen


def _smoothness(features: Features, model: Model, codes: np.ndarray, shape: tuple[int, ...]) -> dict[str, float]:
    if model.decode is None or len(codes) < 2:
        return {}
    order = np.random.default_rng(0).permutation(len(codes))
    pairs = min(FEW if large(shape) else PAIRS, len(codes) // 2)
    start, end = codes[order[:pairs]], codes[order[pairs : 2 * pairs]]
    ratio = path_ratio(lambda z: decoded(model, z, shape), features.embed, start, end)
    return {} if ratio is None or not np.isfinite(ratio) else {"path_ratio": ratio}


def _read(model: Model, reference: Reference, seed: int, key: jax.Array, stage: str | None) -> Reading:
    return probe(reference.features, model, reference.data, seed, draws=1 if stage else DRAWS)


def _baselines(reference: Reference, seed: int) -> dict[str, dict[str, float]]:
    return baselines(reference.data, seed, reference.axes)


def _notes(data: Data, seeds: Sequence[int]) -> tuple[str, ...]:
    return notes(data)


def _codes(model: Model, data: Data) -> np.ndarray | None:
    """Codes of the first test images, or None if the model cannot encode and decode."""
    if data.kind != "image" or model.encode is None or model.decode is None:
        return None
    encode = model.encode
    return in_batches(lambda i, x: encode(x), as_float(data.test.x[:RECONSTRUCTED]))


def _reconstructions(model: Model, data: Data, key: jax.Array) -> np.ndarray | None:
    codes = _codes(model, data)
    return None if codes is None else decoded(model, codes, data.shape)


def _interpolations(model: Model, data: Data, key: jax.Array) -> np.ndarray | None:
    codes = _codes(model, data)
    pairs = 0 if codes is None else min(WAYS, len(codes) - WAYS)
    if codes is None or pairs < 1:
        return None
    way = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    lines = [(1 - way) * codes[i] + way * codes[i + WAYS] for i in range(pairs)]
    return decoded(model, np.concatenate(lines), data.shape)


def _ends(data: Data) -> np.ndarray:
    real = as_float(data.test.x[:RECONSTRUCTED])
    blank = [np.full_like(real[0], 0.5)] * (STEPS - 2)  # grey, which suits the light and the dark theme
    return np.concatenate([np.stack([real[i], *blank, real[i + WAYS]]) for i in range(min(WAYS, len(real) - WAYS))])


REPRESENT = Task(
    name="represent",
    title="Represent",
    setting="representation learning",
    about="A linear classifier is trained with few labels on the features that each model has learned without labels.",
    training=MAIN,
    servable=servable,
    metrics=lambda data: METRICS,
    measure=_read,
    baselines=_baselines,
    notes=_notes,
    pictures=(
        Picture(
            "Reconstructions",
            "The first test examples, encoded and decoded.",
            _reconstructions,
            lambda data: as_float(data.test.x[:RECONSTRUCTED]),
            columns=STEPS,
        ),
        Picture(
            "Interpolations",
            "From the code of one test example to that of another, in equal steps.",
            _interpolations,
            _ends,
            columns=STEPS,
        ),
    ),
    paired=lambda data: True,  # the labels are those of the seed
    titles={f"accuracy_{n}": f"accuracy with {n} label{'s' * (n > 1)} per class" for n in COUNTS},
    encodes=True,
)
