"""Detect anomalies: a model that never saw a class should find that class strange."""

from collections.abc import Sequence

import jax
import numpy as np

from jaxgen.core import BadRequest, Model
from jaxgen.data import Data
from jaxgen.metrics.features import flat, principal_axes
from jaxgen.metrics.quality import nearest_distance
from jaxgen.tasks.evaluation import LIMIT, in_batches, looked_at, positions, unlabelled
from jaxgen.tasks.task import BASELINE, SHARE, Margin, Metric, Reading, Reference, Task, Training

SAMPLES = 16  # posterior samples per example, for the scores that take them
COMPONENTS = 16
LEAST = (20, 3, 5)  # examples of either kind in train, valid and test: to learn from, to choose a score by, to test on

METRICS = {
    "auroc": Metric(
        True, True, "probability that an example of the unseen class is scored stranger", "", SHARE, Margin(0.02)
    )
}


def servable(data: Data) -> str | None:
    """None, or why no class of this data can be left out and found again.

    Without the class at least 20 training examples remain; of it and of the others at least 3 stand in the validation
    split, where a score is chosen, and 5 in the test split, of 5,000 examples that are looked at where there are more.
    Below that an AUROC is the rank of one example or two.
    """
    reason = unlabelled(data)
    if reason is None and not _classes(data):
        train, valid, test = LEAST
        cut = max(len(data.valid.x), len(data.test.x)) > LIMIT
        looked = f" among the {LIMIT:,} that are looked at" if cut else ""
        return (
            f"no class of {data.name} can be left out: {train} training examples of other classes must remain, and the "
            f"validation and the test split need {valid} and {test} examples of the class and of the others"
            f"{looked}."
        )
    return reason


def anomaly_class(data: Data, seed: int) -> int:
    """The class to leave out: `malignant` where there is one, else the seed goes round the classes.

    Only classes count of which there is enough, and beside which enough remains, as `servable` says.

    Raises:
      BadRequest: where `servable` names a reason.
    """
    reason = servable(data)
    if reason is not None:
        raise BadRequest(reason)
    possible = _classes(data)
    malignant = [c for c in possible if data.classes[c] == "malignant"]
    return malignant[0] if malignant else possible[seed % len(possible)]


def normal_indices(data: Data, anomaly_class: int) -> np.ndarray:
    """Positions in the training split that may be trained on: all but the anomalies."""
    return np.flatnonzero(data.train.label != anomaly_class)


def auroc(scores, anomalous) -> float:
    """Probability that an anomaly scores higher than a normal example, ties counting one half.

      (sum of the ranks of anomalies - n_1 (n_1 + 1) / 2) / (n_0 n_1), ranks of ties averaged (Mann and Whitney 1947)

    Args:
      scores: [N], higher is stranger.
      anomalous: bool [N], with both kinds present.

    >>> auroc([0.1, 0.4, 0.4, 0.9], [False, False, True, True])
    0.875
    """
    from scipy.stats import rankdata

    anomalous = np.asarray(anomalous, bool)
    n_1 = int(anomalous.sum())
    ranks = rankdata(np.asarray(scores, np.float64))
    return float((ranks[anomalous].sum() - n_1 * (n_1 + 1) / 2) / (n_1 * (len(ranks) - n_1)))


def read(model: Model, data: Data, anomaly_class: int, key: jax.Array) -> Reading:
    """Test AUROC of the model's best score, and of each of its scores as `auroc[score]`.

    Which score is best is decided by AUROC on the validation split, the same for each kind of model. Posterior noise,
    16 samples an example, comes from `key`. A score that is not a number somewhere is left out; with none left there
    are no figures.

    Args:
      model: trained on `normal_indices(data, anomaly_class)` alone.
      data: all of it.
      anomaly_class: position in `data.classes`.
      key: typed key.
    """
    valid, test = looked_at(data.valid), looked_at(data.test)
    scores = _scores(model, np.concatenate([valid.x, test.x]), key)
    on_valid, on_test, n = {}, {}, len(valid.x)
    for name, score in scores.items():
        if not np.any(np.isnan(score)):
            on_valid[name] = auroc(score[:n], valid.label == anomaly_class)
            on_test[name] = auroc(score[n:], test.label == anomaly_class)
    if not on_valid:
        return Reading({}, "")
    chosen = max(on_valid, key=on_valid.__getitem__)
    return Reading({"auroc": on_test[chosen], **{f"auroc[{name}]": v for name, v in on_test.items()}}, chosen)


def baselines(data: Data, anomaly_class: int) -> dict[str, dict[str, float]]:
    """Test AUROC of two scores that need no network, by `baseline:` name.

    Distance to the nearest normal training example, and squared error of the reconstruction from the first principal
    components of the normal training examples: 16, or half of the numbers in an example where that is fewer.
    """
    normal, test = data.train.x[normal_indices(data, anomaly_class)], looked_at(data.test)
    x, anomalous = flat(test.x), test.label == anomaly_class
    components = principal_axes(normal, max(1, min(COMPONENTS, x.shape[1] // 2)))
    centred = x - components.mean
    missed = np.sum(centred**2, 1) - np.sum((centred @ components.axes.T) ** 2, 1)
    return {
        f"{BASELINE}nearest neighbour": {"auroc": auroc(nearest_distance(x, flat(normal)), anomalous)},
        f"{BASELINE}PCA": {"auroc": auroc(missed, anomalous)},
    }


def _classes(data: Data) -> list[int]:
    return [c for c in range(len(data.classes)) if _separable(data, c)]


def _separable(data: Data, c: int) -> bool:
    seen = [data.train.label, *(split.label[positions(len(split.label))] for split in (data.valid, data.test))]
    anomalies = [int(np.sum(label == c)) for label in seen]
    normal = [len(label) - n for label, n in zip(seen, anomalies, strict=True)]
    return all(map(int.__ge__, normal, LEAST)) and all(map(int.__ge__, anomalies[1:], LEAST[1:]))


def _scores(model: Model, x: np.ndarray, key: jax.Array) -> dict[str, np.ndarray]:
    if not model.scores:
        return {}

    def score(i, x):
        noise = None if model.draw_posterior is None else model.draw_posterior(jax.random.fold_in(key, i), SAMPLES, x)
        return np.stack([np.asarray(one(noise, x), np.float64) for one in model.scores.values()], -1)

    return dict(zip(model.scores, in_batches(score, x, copies=SAMPLES).T, strict=True))


def _read(model: Model, reference: Reference, seed: int, key: jax.Array, stage: str | None) -> Reading:
    return read(model, reference.data, anomaly_class(reference.data, seed), key)


def _baselines(reference: Reference, seed: int) -> dict[str, dict[str, float]]:
    return baselines(reference.data, anomaly_class(reference.data, seed))


def _notes(data: Data, seeds: Sequence[int]) -> tuple[str, ...]:
    classes = ", ".join(f"{seed}: {data.classes[anomaly_class(data, seed)]}" for seed in seeds)
    return (
        "Anomalies: each model is trained again without one class, in two thirds of the time of the main training.",
        f"Class left out, by seed: {classes}.",
    )


def _keep(data: Data, seed: int) -> np.ndarray:
    return normal_indices(data, anomaly_class(data, seed))


WITHOUT_A_CLASS = Training("detect", "without a class", 2 / 3, (1, 3), keep=_keep)

DETECT = Task(
    name="detect anomalies",
    title="Detect anomalies",
    setting="anomaly detection",
    about="Each model is trained again without one class, and asked how strange that class is. Of its ways to score "
    "that, the one is read that tells the class best on labelled validation data.",
    training=WITHOUT_A_CLASS,
    servable=servable,
    metrics=lambda data: METRICS,
    measure=_read,
    baselines=_baselines,
    notes=_notes,
    paired=lambda data: True,  # the class is that of the seed
    titles={"auroc": "AUROC"},
    encodes=True,
)
