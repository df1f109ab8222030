"""What the page shows in addition to its figures: pictures, training curves, and the titles of tables."""

from collections.abc import Mapping, Sequence

from jaxgen.comparison.budget import lengths_in_words
from jaxgen.comparison.outcome import Outcome
from jaxgen.data import Data
from jaxgen.report import Extras, Grid
from jaxgen.tasks import TASKS, Task, describe, titled


def exhibits(
    data: Data, outcomes: Mapping[str, Mapping[int, Outcome]], tasks: Sequence[Task], values: Mapping
) -> Extras:
    """Pictures of the first seed, training curves of all seeds, and the titles of tables.

    Args:
      data: what was trained on.
      outcomes: by name and seed.
      tasks: those that were measured.
      values: name -> task -> metric -> seed -> value, of the models and of the baselines.
    """
    metrics = {}
    for task in tasks:
        names = dict.fromkeys(metric for by_task in values.values() for metric in by_task.get(task.name, {}))
        about = {name: describe(task.metrics(data), name) for name in names}
        metrics[task.name] = {
            name: {
                "name": titled(task, name),
                "about": metric.about,
                "unit": metric.unit,
                "headline": metric.headline,
                "bounds": metric.bounds,
            }
            for name, metric in about.items()
        }
    return Extras(
        grids=tuple(_grids(data, outcomes)),
        curves={
            name: [outcome.curve for outcome in by_seed.values() if outcome.curve] for name, by_seed in outcomes.items()
        },
        metrics=metrics,
        tasks={task.name: {"title": task.title, "about": task.about, "setting": task.setting} for task in tasks},
        steps=lengths_in_words(),
    )


def _grids(data: Data, outcomes: Mapping[str, Mapping[int, Outcome]]) -> list[Grid]:
    first = {name: next(iter(by_seed.values())).pictures for name, by_seed in outcomes.items()}
    grids = []
    for picture in (picture for task in TASKS for picture in task.pictures):
        by_model = {name: pictures[picture.title] for name, pictures in first.items() if picture.title in pictures}
        if by_model:
            both = {"real data": picture.real(data), **by_model}
            grids.append(Grid(picture.title, picture.about, both, columns=picture.columns))
    return grids
