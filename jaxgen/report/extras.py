"""What the page is told beside the figures, and what it calls tasks and metrics by it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxgen.report import sentences
from jaxgen.report.grids import Grid


class Extras(NamedTuple):
    """What the page shows beside the figures of `report.json`; every part may be left empty.

    grids: pictures to look at together, samples first.
    curves: {model: [{"seed": 0, "step": [...], "seconds": [...], "losses": {"loss (nats)": [...]}}]}, an entry a seed,
      lists of one length; names of losses carry their unit.
    metrics: {task: {metric: {"name": as it is called, "about": sentence, "unit": str, "headline": bool, "bounds":
      (low, high) or None}}}, in the order of the page.
    tasks: {task: {"title": str, "about": sentence, "setting": the setting of the advice that it decides}}.
    steps: {key of the steps of a model in the protocol: what it counts, as words behind the number}.
    """

    grids: tuple[Grid, ...] = ()
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]] = {}
    tasks: Mapping[str, Mapping[str, str]] = {}
    steps: Mapping[str, str] = {}


def task_names(models: Mapping, extras: Extras) -> list[str]:
    """The tasks that have figures: those of `extras` in its order, then the others."""
    there = dict.fromkeys(task for tasks in models.values() for task, metrics in tasks.items() if metrics)
    return [t for t in extras.metrics if t in there] + [t for t in there if t not in extras.metrics]


def task_title(task: str, extras: Extras) -> str:
    """What a task is called."""
    return extras.tasks.get(task, {}).get("title") or sentences.spaced(task).capitalize()


def metric_title(metric: str, about: Mapping) -> str:
    """What a metric is called; `about` is its entry in `Extras.metrics`."""
    return about.get("name") or sentences.spaced(metric)
