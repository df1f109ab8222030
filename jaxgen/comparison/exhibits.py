"""What the page shows beside its figures: pictures, training curves, and what each table measures."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.comparison.measures import DETECT, REPRESENT, SYNTHESISE, WAYS, metrics_of
from jaxgen.comparison.verdict import SETTINGS
from jaxgen.core import as_float
from jaxgen.data import Data
from jaxgen.report import Extras, Grid
from jaxgen.tasks import Metric, describe

ABOUT = {
    SYNTHESISE: "Samples of each model against test data, in the feature space named below.",
    DETECT: "Each model is trained again without one class, and asked how strange that class is. Of its ways to score "
    "that, the one is read that tells the class best on labelled validation data.",
    REPRESENT: "A linear probe on what each model has learned without labels.",
}

TITLES = {
    "frechet": "Frechet distance",
    "auroc": "AUROC",
    "accuracy_1": "accuracy with 1 label per class",
    "accuracy_5": "accuracy with 5 labels per class",
    "accuracy_20": "accuracy with 20 labels per class",
    "reverse_kl": "reverse KL divergence",
}


def titled(metric: str) -> str:
    """What a metric is called.

    >>> titled("auroc[elbo]"), titled("kernel_distance")
    ('AUROC (elbo)', 'kernel distance')
    """
    base, _, inner = metric.partition("[")
    title = TITLES.get(base) or base.replace("_", " ")
    return f"{title} ({inner[:-1].replace('_', ' ')})" if inner else title


def exhibits(data: Data, outcomes: Mapping, tasks: Sequence[str], values: Mapping) -> Extras:
    """Grids of the first seed, curves of all, and what the tables are called.

    Args:
      data: what was trained on.
      outcomes: by name and seed.
      tasks: those that were run.
      values: name -> task -> metric -> seed -> value, of the models and of the baselines.
    """
    first = {name: next(iter(by_seed.values())).pictures for name, by_seed in outcomes.items()}
    shown = {"image": 64, "table": 40, "points": 1000}[data.kind]
    real = as_float(data.test.x[:shown])
    grids = [Grid("Samples", "Of the first seed, not selected.", {"real data": real, **_picked(first, "samples")})]
    if again := _picked(first, "reconstructions"):
        about = "The first test examples, encoded and decoded."
        grids.append(Grid("Reconstructions", about, {"real data": real[:16], **again}, columns=8))
    if ways := _picked(first, "interpolations"):
        blank = [np.full_like(real[0], 0.5)] * 6  # grey: it glares in neither theme
        pairs = [(real[i], real[i + WAYS]) for i in range(min(WAYS, len(real) - WAYS))]
        ends = np.concatenate([np.stack([start, *blank, end]) for start, end in pairs])
        about = "From the code of one test example to that of another, in equal steps."
        grids.append(Grid("Interpolations", about, {"real data": ends, **ways}, columns=8))
    metrics = {}
    for task in tasks:
        names = dict.fromkeys(m for by_task in values.values() for m in by_task.get(task, {}))
        told = {name: described(task, name, data) for name in names}
        metrics[task] = {
            n: {"name": titled(n), "about": m.about, "unit": m.unit, "headline": m.headline, "bounds": m.bounds}
            for n, m in told.items()
        }
    return Extras(
        grids=tuple(grids),
        curves={n: [o.curve for o in by_seed.values() if o.curve] for n, by_seed in outcomes.items()},
        metrics=metrics,
        tasks={
            task: {"title": task.capitalize(), "about": ABOUT[task], "setting": setting}
            for setting, task in SETTINGS.items()
            if task is not None and task in tasks
        },
    )


def _picked(pictures: Mapping[str, Mapping[str, np.ndarray]], which: str) -> dict[str, np.ndarray]:
    return {name: found[which] for name, found in pictures.items() if which in found}


def described(task: str, name: str, data: Data) -> Metric:
    """What a task says about one of its metrics."""
    return describe(metrics_of(task, data), name)
