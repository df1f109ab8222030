"""Detect anomalies: a model that never saw a class should find that class strange."""

import math
from collections.abc import Sequence

import jax
import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data, as_float
from jaxgen.metrics import outliers
from jaxgen.metrics.outliers import auroc, average_precision
from jaxgen.tasks.evaluation import in_batches, most
from jaxgen.tasks.task import BASELINE, SHARE, Margin, Metric, Reading, Reference, Task, Training
from jaxgen.tasks.unseen import anomalous, anomaly_classes, choice_set, normal_indices, scored_set, servable, tested
from jaxgen.training.models import Scores

SAMPLES = 16  # posterior samples per example, for the scores that take them
AT_STAGE = 8  # the part of what evaluation looks at that is scored at a stage
FEWEST_SAMPLES = 4  # of them, where examples are large
SAMPLED = 1 << 15  # numbers in the samples of an example: from 2,048 on an example has fewer than 16

METRICS = {
    "auroc": Metric(
        True,
        True,
        "probability that an anomaly is scored stranger than a normal example, by one fixed score",
        "",
        SHARE,
        Margin(0.02),
    ),
    "average_precision": Metric(
        True, False, "precision averaged over the anomalies; guessing has their share of the examples", "", SHARE
    ),
    "auroc_chosen": Metric(
        True, False, "the same AUROC, of the score that labelled validation anomalies choose", "", SHARE
    ),
}


def read(model: Model, data: Data, anomalies: Sequence[int], key: jax.Array, *, fixed_only: bool = False) -> Reading:
    """AUROC and average precision of the model's fixed score, AUROC of each of its scores as `auroc[score]`.

    The fixed score is the first of `Model.scores`, whatever the data: the literature's own for a model of that kind.
    `auroc_chosen` is the AUROC, on the test set, of the score that has the highest AUROC on the validation split, where
    that holds 3 anomalies. Posterior noise comes from `key`: 16 samples an example, and down to 4 where it holds more
    than 2,048 numbers. A score that is not a number somewhere has no figures, and no other stands in for the fixed one.

    Args:
      model: trained on `normal_indices(data, anomalies)` alone.
      data: all of it.
      anomalies: positions in `data.classes`.
      key: typed key.
      fixed_only: whether to leave out all but the fixed score.
    """
    names = list(model.scores)[: 1 if fixed_only else None]
    test, choice = scored_set(data, anomalies), choice_set(data, anomalies)
    fewer = scored_set(data, anomalies, AT_STAGE) if fixed_only else test
    if len(fewer.x) < len(test.x):
        test, choice = fewer, None
    # Together, and at a stage too where examples are small: one shape to compile, and the same noise for an example.
    x = test.x if choice is None else np.concatenate([test.x, choice.x])
    figures, on_choice, n = {}, {}, len(test.x)
    for name, score in _scores(model, names, x, key).items():
        if np.any(np.isnan(score)):
            continue
        figures[f"auroc[{name}]"] = auroc(score[:n], test.anomalous)
        if name == names[0]:
            figures |= _figures(score[:n], test.anomalous)
        if choice is not None:
            on_choice[name] = auroc(score[n:], choice.anomalous)
    if fixed_only or not on_choice:
        return Reading(figures, "")
    chosen = max(on_choice, key=on_choice.__getitem__)
    return Reading({**figures, "auroc_chosen": figures[f"auroc[{chosen}]"]}, chosen)


def baselines(data: Data, anomalies: Sequence[int], seed: int) -> dict[str, dict[str, float]]:
    """AUROC and average precision on the test set of four scores that need no network, by `baseline:` name.

    Those of `jaxgen.metrics.outliers`, on at most 10,000 of the normal training examples (2,730 of 64x64x3), a fixed
    random part of them.
    Tables are standardised by these first. `seed` is that of the isolation forest.
    """
    at = normal_indices(data, anomalies)
    if len(at) > (most := outliers.rows(data.shape)):
        at = np.sort(np.random.default_rng(0).choice(at, most, replace=False))
    test = scored_set(data, anomalies)
    normal, x = (np.reshape(a, (len(a), -1)) for a in (as_float(data.train.x[at]), test.x))
    if data.kind == "table":
        normal, x = outliers.standardised(normal, x)
    scores = {
        "distance from the mean": outliers.distance_from_mean(normal, x),
        "nearest neighbours": outliers.neighbour_distance(normal, x),
        "PCA": outliers.reconstruction_error(normal, x),
        "isolation forest": outliers.isolation(normal, x, seed=seed),
    }
    return {f"{BASELINE}{name}": _figures(score, test.anomalous) for name, score in scores.items()}


def samples_of(shape: tuple[int, ...]) -> int:
    """Posterior samples of an example of this shape, for the scores that take them.

    >>> samples_of((28, 28, 1)), samples_of((64, 64, 3))
    (16, 4)
    """
    return int(np.clip(SAMPLED // math.prod(shape), FEWEST_SAMPLES, SAMPLES))


def _figures(score: np.ndarray, anomalous: np.ndarray) -> dict[str, float]:
    return {"auroc": auroc(score, anomalous), "average_precision": average_precision(score, anomalous)}


def _scores(model: Model, names: Sequence[str], x: np.ndarray, key: jax.Array) -> dict[str, np.ndarray]:
    if not names:
        return {}
    samples = samples_of(x.shape[1:])

    def score(i, x):
        noise = None if model.draw_posterior is None else model.draw_posterior(jax.random.fold_in(key, i), samples, x)
        scores = (
            model.scores.together(names, noise, x)
            if isinstance(model.scores, Scores)
            else {name: model.scores[name](noise, x) for name in names}
        )
        return np.stack([np.asarray(scores[name], np.float64) for name in names], -1)

    return dict(zip(names, in_batches(score, x, copies=samples).T, strict=True))


def _group(data: Data, seed: int) -> str:
    return ", ".join(data.classes[c] for c in anomaly_classes(data, seed))


def _read(model: Model, reference: Reference, seed: int, key: jax.Array, stage: str | None) -> Reading:
    anomalies = anomaly_classes(reference.data, seed)
    return read(model, reference.data, anomalies, key, fixed_only=stage is not None)


def _baselines(reference: Reference, seed: int) -> dict[str, dict[str, float]]:
    return baselines(reference.data, anomaly_classes(reference.data, seed), seed)


def _notes(data: Data, seeds: Sequence[int]) -> tuple[str, ...]:
    trained = f"Anomalies: each model is trained again without them, in {WITHOUT_ANOMALIES.in_words}."
    by_seed = ", ".join(f"{seed}: {_group(data, seed)}" for seed in seeds)
    what = f"The anomaly is {_group(data, seeds[0])}." if data.anomalies else f"Class left out, by seed: {by_seed}."
    counts = [tested(data, left) for left in {anomaly_classes(data, seed) for seed in seeds}]
    normal, anomalous = (_range(kind) for kind in zip(*counts, strict=True))
    return (
        trained,
        what,
        f"The score is read on {normal} normal examples and {anomalous} anomalies, all of them unseen.",
    )


def _range(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _keep(data: Data, seed: int) -> np.ndarray:
    return normal_indices(data, anomaly_classes(data, seed))


def _grouped(data: Data) -> bool:
    """Whether all of the test split is scored, and nothing else: groups of it hold no anomalies of other splits."""
    elsewhere = [split for split in (data.train, data.valid) if anomalous(split, data).any()]
    return bool(data.anomalies) and not elsewhere and len(data.test.x) <= most(data.shape, AT_STAGE)


WITHOUT_ANOMALIES = Training("detect", "without the anomalies", 0.6, (1, 3), keep=_keep)

DETECT = Task(
    name="detect anomalies",
    title="Detect anomalies",
    setting="anomaly detection",
    about="Each model is trained again without the anomalies, or without one class that stands for them, and asked how "
    "strange they are, by the one score that the literature reads of such a model: a VAE's reconstruction probability, "
    "the score of f-AnoGAN for a GAN. A score that labelled validation data choose stands beside it.",
    training=WITHOUT_ANOMALIES,
    grouped=_grouped,
    servable=servable,
    metrics=lambda data: METRICS,
    measure=_read,
    baselines=_baselines,
    notes=_notes,
    paired=lambda data: True,  # the class is that of the seed
    titles={"auroc": "AUROC", "auroc_chosen": "AUROC of the chosen score"},
    group=_group,
    encodes=True,
)
