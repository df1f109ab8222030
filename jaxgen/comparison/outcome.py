"""The results of one model on one seed, task by task, and those of the baselines."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.core import Model
from jaxgen.tasks import TASKS, Reference, Task, Training
from jaxgen.tasks.groups import Groups
from jaxgen.tasks.task import headline
from jaxgen.training.program import run_keys

STAGES = ("25", "50", "100")  # per cent of the steps, at which headline figures are measured


class Outcome(NamedTuple):
    """The results of one model on one seed. A task without figures has failed."""

    figures: dict[str, dict[str, float]]  # task -> metric -> value
    stages: dict[str, dict[str, float]]  # task -> stage -> headline
    chosen: dict[str, str]  # task -> the score or layer that validation data chose
    curve: dict[str, Any]
    pictures: dict[str, np.ndarray]  # by title
    seconds: float  # of training
    failed: str  # the reason if a training diverged, else ""
    steps: dict[str, Any] = {}  # by training: the `Steps` that were done
    without: dict[str, list[float]] = {}  # task -> headline without each group of test examples, if it is measured so


def empty() -> Outcome:
    """The outcome before any training."""
    return Outcome({}, {}, {}, {}, {}, 0.0, "", {}, {})


def trainings(tasks: Sequence[Task]) -> tuple[Training, ...]:
    """The different trainings that these tasks need on each seed."""
    return tuple(dict.fromkeys(task.training for task in tasks))


def measure(
    outcome: Outcome,
    model: Model,
    training: Training,
    reference: Reference,
    seed: int,
    tasks: Sequence[Task],
    stage: str | None,
) -> None:
    """Adds the figures of a model of `training` on its tasks: all of them, or at a stage the headlines only."""
    for task in tasks:
        if task.training != training:
            continue
        reading = task.measure(model, reference, seed, evaluation_key(seed, training), stage)
        name = headline(task.metrics(reference.data))
        if stage is None:
            outcome.figures[task.name], outcome.chosen[task.name] = dict(reading.figures), reading.chosen
        elif name in reading.figures:
            outcome.stages.setdefault(task.name, {})[stage] = reading.figures[name]


def measure_without(
    outcome: Outcome, model: Model, training: Training, groups: Groups, seed: int, tasks: Sequence[Task]
) -> None:
    """Adds the headline figures of a model without each group of test examples, for tasks that can be measured so."""
    parts, key = groups.without, evaluation_key(seed, training)
    for task in tasks:
        served = task.grouped(groups.whole) and not any(task.servable(part.data) for part in parts)
        if task.training != training or not served:
            continue
        name = headline(task.metrics(parts[0].data))
        values = [task.measure(model, part, seed, key, STAGES[-1]).figures.get(name, math.nan) for part in parts]
        if all(map(math.isfinite, values)):
            outcome.without[task.name] = groups.of_all(values, task.tested(groups.whole))


def draw_pictures(outcome: Outcome, model: Model, training: Training, reference: Reference, seed: int) -> None:
    """Adds the pictures that the page shows of a model of `training`."""
    for picture in (picture for task in TASKS if task.training == training for picture in task.pictures):
        examples = picture.render(model, reference.data, evaluation_key(seed, training))
        if examples is not None:
            outcome.pictures[picture.title] = examples


def baselines(reference: Reference, seed: int, tasks: Sequence[Task]) -> dict[str, dict[str, Mapping[str, float]]]:
    """Name of a baseline -> task -> figures, on one seed."""
    by_name: dict[str, dict[str, Mapping[str, float]]] = {}
    for task in tasks:
        for name, figures in task.baselines(reference, seed).items():
            by_name.setdefault(name, {})[task.name] = figures
    return by_name


def evaluation_key(seed: int, training: Training) -> jax.Array:
    """The random key with which the models of a training are measured, the same for all models."""
    return jax.random.fold_in(run_keys(seed).evaluation, training.streams[0])
