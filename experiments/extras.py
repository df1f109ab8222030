"""Figures that no comparison reports and the experiments show: how sharp samples are, and the course of edits."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from jaxgen.core import Model
from jaxgen.tasks import MANIPULATE, RESTORE, SYNTHESISE, Reading, Reference, Task
from jaxgen.tasks.edits import make_judge, plan_edits
from jaxgen.tasks.evaluation import drawn, looked_at
from jaxgen.tasks.manipulate import STRENGTHS, directions, follow, simple_models
from jaxgen.tasks.synthesise import sample_count
from jaxgen.tasks.task import no_baselines

MARK = "extra: "  # how the name of such a figure begins, which the report does not know
SHARPNESS = f"{MARK}sharpness"

Figures = Mapping[str, float]
Extra = Callable[[Model, Reference, int, jax.Array], Figures]


def extended(task: Task) -> Task:
    """The task with what is added to it here; its own figures stay as they are."""
    if task is SYNTHESISE:
        return _with(task, lambda model, reference, seed, key: sharpness(model, reference, key))
    if task is not MANIPULATE:
        return task

    def baselines(reference: Reference, seed: int) -> dict[str, Figures]:
        simple, values = simple_models(reference.data), task.baselines(reference, seed)
        return {name: {**figures, **course(simple[name], reference, seed)} for name, figures in values.items()}

    return _with(task, lambda model, reference, seed, key: course(model, reference, seed))._replace(baselines=baselines)


def models_alone(task: Task) -> Task:
    """The task without its baselines, where these are measured already."""
    assert task is RESTORE
    return task._replace(baselines=no_baselines)


def _with(task: Task, extra: Extra) -> Task:
    def measure(model: Model, reference: Reference, seed: int, key: jax.Array, stage: str | None) -> Reading:
        reading = task.measure(model, reference, seed, key, stage)
        if stage is not None or not reading.figures:
            return reading
        return reading._replace(figures={**reading.figures, **extra(model, reference, seed, key)})

    return task._replace(measure=measure)


def steepness(x: np.ndarray) -> float:
    """Root mean square of the differences between neighbouring pixels of images [N, H, W, C]: blur makes it smaller.

    >>> steepness(np.array([0.0, 1.0, 0.0, 0.0]).reshape(1, 2, 2, 1)).__round__(6)
    0.707107
    """
    x = np.asarray(x, np.float64)
    squares = [np.diff(x, axis=axis) ** 2 for axis in (1, 2)]
    return float(np.sqrt(np.concatenate([part.reshape(-1) for part in squares]).mean()))


def sharpness(model: Model, reference: Reference, key: jax.Array) -> Figures:
    """`steepness` of the samples that `synthesise` measures, over that of the real test images; {} of no images."""
    data = reference.data
    if data.kind != "image":
        return {}
    samples = np.clip(drawn(model, key, sample_count(data), data.shape), 0, 1)
    return {SHARPNESS: steepness(samples) / steepness(looked_at(data.test).x)}


def course(model: Model, reference: Reference, seed: int) -> dict[str, float]:
    """What edits change and keep at each strength, of the test images; {} where a model cannot edit.

    >>> at("kept", 0.5)
    'extra: kept at 0.5'
    """
    from threadpoolctl import threadpool_limits

    if model.encode is None or model.decode is None:
        return {}
    data = reference.data
    with threadpool_limits(1, user_api="blas"):  # as the task itself: products this small are slower on several
        way = directions(model, data, seed)
        results = follow(model, way, plan_edits(data, data.test, seed), make_judge(reference))
    if results is None:
        return {}
    return {
        at(what, strength): float(value)
        for what, curve in (("changed", results.changed), ("kept", results.kept))
        for strength, value in zip(STRENGTHS, curve, strict=True)
    }


def at(what: str, strength: float) -> str:
    """The name of a figure of `course`."""
    return f"{MARK}{what} at {strength:g}"
