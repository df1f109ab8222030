"""What a comparison measures: the tasks by name, a model's figures on one seed, those of the baselines, pictures."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data
from jaxgen.metrics.features import Features
from jaxgen.tasks import Metric, anomalies, represent, synthesise
from jaxgen.training.program import run_keys

SYNTHESISE, DETECT, REPRESENT = "synthesise", "detect anomalies", "represent"
TASKS = {SYNTHESISE: synthesise, DETECT: anomalies, REPRESENT: represent}
ENCODED = (DETECT, REPRESENT)  # tasks whose figures an encoder may change
STAGES = ("25", "50", "100")  # per cent of the rounds at which headlines are read
PICTURED = 64
WAYS = 4  # interpolations shown


class Outcome(NamedTuple):
    """What one model reached on one seed. A task without figures has failed."""

    figures: dict[str, dict[str, float]]  # task -> metric -> value
    stages: dict[str, dict[str, float]]  # task -> stage -> headline
    chosen: dict[str, str]  # task -> the score or layer that validation data chose
    curve: dict[str, Any]
    pictures: dict[str, np.ndarray]
    seconds: float  # of training
    failed: str  # why, where a training diverged


def measure(
    outcome: Outcome, model: Model, stage: str, data: Data, features: Features, seed: int, tasks: tuple[str, ...]
) -> None:
    """Adds what a model of the main training reaches: headlines at a stage, all figures where `stage` is ""."""
    key, _ = _evaluation_keys(seed)
    if SYNTHESISE in tasks:
        samples = np.asarray(model.sample(model.draw(key, synthesise.sample_count(data))))
        figures = (synthesise.headline if stage else synthesise.measure)(features, data, samples)
        _record(outcome, SYNTHESISE, data, figures, stage)
    if REPRESENT in tasks:
        counts = represent.COUNTS[-1:] if stage else represent.COUNTS
        reading = represent.probe(features, model, data, seed, counts=counts)
        _record(outcome, REPRESENT, data, reading.figures, stage, reading.chosen)


def detect(outcome: Outcome, model: Model, stage: str, data: Data, seed: int) -> None:
    """The same for a model that was trained without the anomalous class."""
    _, key = _evaluation_keys(seed)
    reading = anomalies.detect(model, data, anomalies.anomaly_class(data, seed), key)
    _record(outcome, DETECT, data, reading.figures, stage, reading.chosen)


def _record(outcome: Outcome, task: str, data: Data, figures: dict[str, float], stage: str, chosen: str = "") -> None:
    """A stage keeps the headline alone; without a stage the figures are final."""
    headline = headline_of(task, data)
    if not stage:
        outcome.figures[task], outcome.chosen[task] = figures, chosen
    elif headline in figures:
        outcome.stages.setdefault(task, {})[stage] = figures[headline]


def metrics_of(task: str, data: Data) -> Mapping[str, Metric]:
    """What a task measures on these data, and which metric its verdict rests on."""
    return synthesise.metrics(data) if task == SYNTHESISE else TASKS[task].METRICS


def headline_of(task: str, data: Data) -> str:
    """The name of the metric that a task's verdict rests on."""
    return next(name for name, metric in metrics_of(task, data).items() if metric.headline)


def baselines(data: Data, seed: int, tasks: tuple[str, ...]) -> dict[str, dict[str, dict[str, float]]]:
    """Name -> task -> figures of what trains no model, on one seed."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    if DETECT in tasks:
        for name, figures in anomalies.baselines(data, anomalies.anomaly_class(data, seed)).items():
            found.setdefault(name, {})[DETECT] = figures
    if REPRESENT in tasks:
        for name, figures in represent.baselines(data, seed).items():
            found.setdefault(name, {})[REPRESENT] = figures
    return found


def pictures(model: Model, data: Data, seed: int) -> dict[str, np.ndarray]:
    """What the report shows of a model, by name."""
    key, _ = _evaluation_keys(seed)
    shown = {"samples": np.asarray(model.sample(model.draw(key, PICTURED if data.kind != "points" else 1000)))}
    if data.kind == "image" and model.encode is not None and model.decode is not None:
        x = data.test.x[:16].astype(np.float32) / 255
        codes = np.asarray(model.encode(x))
        shown["reconstructions"] = np.asarray(model.decode(codes))
        way = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
        lines = [(1 - way) * codes[i] + way * codes[i + WAYS] for i in range(min(WAYS, len(codes) - WAYS))]
        if lines:
            shown["interpolations"] = np.asarray(model.decode(np.concatenate(lines)))
    return shown


def _evaluation_keys(seed: int) -> tuple[Any, Any]:
    k_sample, k_detect = jax.random.split(run_keys(seed).evaluation)
    return k_sample, k_detect
