"""What the page shows in addition to the figures of report.json, and the titles of tasks and metrics."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxgen.report import sentences
from jaxgen.report.grids import Grid


class Extras(NamedTuple):
    """What the page shows in addition to the figures of `report.json`; every field may be empty.

    grids: groups of pictures to compare, samples first.
    curves: {model: [{"seed": 0, "step": [...], "seconds": [...], "losses": {"loss (nats)": [...]}}]}, one entry for
      each seed. All lists of an entry have one length; the name of a loss includes its unit.
    metrics: {task: {metric: {"name": its title, "about": sentence, "unit": str, "headline": bool, "bounds":
      (low, high) or None}}}, in the order of the page.
    tasks: {task: {"title": str, "about": sentence, "setting": the name of the setting that this task decides}}.
    steps: {kind of steps, a key in the protocol: words that follow the number of these steps}.
    """

    grids: tuple[Grid, ...] = ()
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]] = {}
    tasks: Mapping[str, Mapping[str, str]] = {}
    steps: Mapping[str, str] = {}


def task_names(models: Mapping, extras: Extras) -> list[str]:
    """The tasks that have figures: those of `extras` in its order, then the others."""
    measured = dict.fromkeys(task for tasks in models.values() for task, metrics in tasks.items() if metrics)
    return [t for t in extras.metrics if t in measured] + [t for t in measured if t not in extras.metrics]


def task_title(task: str, extras: Extras) -> str:
    """The title of a task."""
    return extras.tasks.get(task, {}).get("title") or sentences.spaced(task).capitalize()


def metric_title(metric: str, about: Mapping) -> str:
    """The title of a metric; `about` is its entry in `Extras.metrics`."""
    return about.get("name") or sentences.spaced(metric)
