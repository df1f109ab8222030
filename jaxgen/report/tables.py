"""The tables of a task: a row for each model, with a drawn interval, and the headline figure by group of seeds."""

from collections.abc import Mapping

from jaxgen.report import axes, cells, charts, numbers, sentences
from jaxgen.report.charts import Look
from jaxgen.report.extras import Extras, metric_title, task_title
from jaxgen.tasks import BASELINE


def task_section(i: int, name: str, models: Mapping, extras: Extras, looks: Mapping[str, Look]) -> dict:
    """The section of task number `i`: its title and texts, and a table for each metric, the headline metric first."""
    about, texts = extras.metrics.get(name, {}), extras.tasks.get(name, {})
    measured = dict.fromkeys(metric for tasks in models.values() for metric in tasks.get(name, {}))
    order = [m for m in about if m in measured] + [m for m in measured if m not in about]
    order.sort(key=lambda metric: not about.get(metric, {}).get("headline", False))
    return {
        "id": f"task-{i + 1}",
        "title": task_title(name, extras),
        "about": texts.get("about", ""),
        "setting": texts.get("setting"),
        "tables": [_table(name, metric, about.get(metric, {}), models, looks) for metric in order],
    }


def by_group(
    task: str, groups: Mapping[str, str], models: Mapping, extras: Extras, looks: Mapping[str, Look]
) -> dict | None:
    """The headline figure by group of seeds, such as by the class left out; None if there is only one group."""
    about = extras.metrics.get(task, {})
    metric = next((name for name, entry in about.items() if entry.get("headline")), None)
    if metric is None or len(set(groups.values())) < 2:
        return None
    cells = {name: tasks[task][metric] for name, tasks in models.items() if metric in tasks.get(task, {})}
    rows = []
    for group in dict.fromkeys(groups.values()):
        seeds = [seed for seed, its in groups.items() if its == group]
        values = [[cell.get("values", {}).get(seed) for seed in seeds] for cell in cells.values()]
        finite = [[x for x in row if numbers.known(x)] for row in values]
        shown = [numbers.number(sum(row) / len(row), 3) if row else numbers.DASH for row in finite]
        rows.append({"group": group, "values": shown})
    names = [{"name": name, "look": looks[name]} for name in cells]
    return {"metric": metric_title(metric, about[metric]), "names": names, "rows": rows}


def _table(task: str, metric: str, about: Mapping, models: Mapping, looks: Mapping[str, Look]) -> dict:
    by_name = {name: tasks[task][metric] for name, tasks in models.items() if metric in tasks.get(task, {})}
    by_name = dict(sorted(by_name.items(), key=lambda item: item[0].startswith(BASELINE)))
    references = [cell["reference"] for cell in by_name.values() if numbers.known(cell.get("reference"))]
    ends = [end for cell in by_name.values() for end in (*(cells.interval(cell) or ()), cell.get("mean"))]
    axis = axes.scale([*ends, *references], bounds=about.get("bounds"))
    places, standing = cells.places(by_name.values()), cells.standing(by_name)
    rows = [
        {
            "name": name,
            "look": looks[name],
            "mean": numbers.number(cell.get("mean"), places),
            "range": cells.bracket(cell, places),
            "plot": charts.whisker(cell, axis, looks[name]),
            "n": cell.get("n") or 0,
            "failed": cell.get("failed") or 0,
            "standing": standing.get(name),
        }
        for name, cell in by_name.items()
    ]
    absent = [n for n, tasks in models.items() if task in tasks and n not in by_name and not n.startswith(BASELINE)]
    return {
        "metric": metric_title(metric, about),
        "about": about.get("about", ""),
        "unit": about.get("unit", ""),
        "headline": about.get("headline", False),
        "direction": sentences.direction(next(iter(by_name.values())).get("higher_is_better")),
        "reference": numbers.number(references[0], places) if references else None,
        "rows": rows,
        "log": axis.log,
        "ruler": charts.ruler(axis),
        "absent": absent,
    }
