"""The task "detect anomalies": a model trained without a class should give examples of that class high scores."""

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
AT_STAGE = 8  # at a stage, one AT_STAGE-th of the evaluated numbers is scored
FEWEST_SAMPLES = 4  # posterior samples per example if examples are large
SAMPLED = 1 << 15  # the most numbers in all samples of an example, which limits SAMPLES beyond 2,048 numbers each

METRICS = {
    "auroc": Metric(
        True,
        True,
        "probability that an anomaly has a higher score than a normal example, by one fixed anomaly score",
        "",
        SHARE,
        Margin(0.02),
    ),
    "average_precision": Metric(
        True, False, "precision averaged over the anomalies; guessing reaches their share of the examples", "", SHARE
    ),
    "auroc_chosen": Metric(
        True, False, "AUROC of the score that is best on labelled anomalies of the validation data", "", SHARE
    ),
}


def read(model: Model, data: Data, anomalies: Sequence[int], key: jax.Array, *, fixed_only: bool = False) -> Reading:
    """AUROC and average precision of the model's fixed score, and AUROC of each of its scores as `auroc[score]`.

    The fixed score is the first of `Model.scores`, the one that the literature uses for this kind of model, for all
    data. `auroc_chosen` is the test AUROC of the score with the highest AUROC on the validation split, if that has at
    least 3 examples of either kind. Posterior noise is drawn with `key`: 16 samples for each example, and down to 4 if
    an example has more than 2,048 numbers. A score that is NaN somewhere has no figures; the fixed score is never
    replaced by another.

    Args:
      model: a model trained on `normal_indices(data, anomalies)` only.
      data: all of the data.
      anomalies: positions in `data.classes`.
      key: typed key.
      fixed_only: whether to leave out all but the fixed score.
    """
    names = list(model.scores)[: 1 if fixed_only else None]
    test, choice = scored_set(data, anomalies), choice_set(data, anomalies)
    fewer = scored_set(data, anomalies, AT_STAGE) if fixed_only else test
    if len(fewer.x) < len(test.x):
        test, choice = fewer, None
    # Both sets are scored in one call, also at a stage if examples are small: so there is one shape to compile, and an
    # example always gets the same noise.
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

    They are those of `jaxgen.metrics.outliers`, fitted on a fixed random part of the normal training examples, at most
    10,000 (2,730 of 64x64x3). Tables are first standardised by these. `seed` is the seed of the isolation forest.
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
    what = f"Anomalies are: {_group(data, seeds[0])}." if data.anomalies else f"Class left out, by seed: {by_seed}."
    counts = [tested(data, left) for left in {anomaly_classes(data, seed) for seed in seeds}]
    normal, anomalous = (_range(kind) for kind in zip(*counts, strict=True))
    return (
        trained,
        what,
        f"Scores are evaluated on {normal} normal examples and {anomalous} anomalies that no model was trained on.",
    )


def _range(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _keep(data: Data, seed: int) -> np.ndarray:
    return normal_indices(data, anomaly_classes(data, seed))


def _grouped(data: Data) -> bool:
    """Whether exactly the test split is scored, because no anomalies come from other splits."""
    elsewhere = [split for split in (data.train, data.valid) if anomalous(split, data).any()]
    return bool(data.anomalies) and not elsewhere and len(data.test.x) <= most(data.shape, AT_STAGE)


WITHOUT_ANOMALIES = Training("detect", "without the anomalies", 0.6, (1, 3), keep=_keep)

DETECT = Task(
    name="detect anomalies",
    title="Detect anomalies",
    setting="anomaly detection",
    about="Each model is trained again without the anomalies, or without one class that plays their role, and then "
    "scores test examples by the anomaly score that the literature uses for such a model: the reconstruction "
    "probability of a VAE, or the score of f-AnoGAN for a GAN. Further figures use the score that is best on labelled "
    "validation data.",
    training=WITHOUT_ANOMALIES,
    grouped=_grouped,
    servable=servable,
    metrics=lambda data: METRICS,
    measure=_read,
    baselines=_baselines,
    notes=_notes,
    paired=lambda data: True,  # the class left out depends on the seed
    titles={"auroc": "AUROC", "auroc_chosen": "AUROC of the chosen score"},
    group=_group,
    encodes=True,
)
