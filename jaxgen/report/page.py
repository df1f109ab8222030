"""`report.html`: what a comparison found, the answer first, as one file that needs no network."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from jaxgen.report import answer, axes, cells, charts, facts, numbers, sentences
from jaxgen.report.charts import Look
from jaxgen.report.grids import Grid, figures
from jaxgen.system.files import write
from jaxgen.tasks import BASELINE

PICTURES = 3_000_000  # bytes of all pictures together before they are encoded: the page stays under 5 MB
COLOURS = {"vae": (0, 4, 6), "gan": (1, 5, 7), "hybrid": (2, 3)}  # by side, classes c0 to c7 of the style sheet
SHAPES = ("circle", "square", "diamond", "triangle")


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


def write_report(path: Path, report: Mapping[str, Any], extras: Extras) -> None:
    """Writes the page of `report`, the dict of `report.json`, to `path`.

    Of `report["data"]` it reads name, kind, shape, splits ({name: examples}), classes, notes and digest; of
    `report["protocol"]` the keys of `facts.PROTOCOL`, `command` and `sides` ({model: "vae" | "gan" | "hybrid"}, for the
    colours), and shows any other key under its own name. Every entry may be missing but `models` and `advice`. Figures
    that are None or not finite are dashes, with the reason. The same input gives the same bytes.
    """
    write(Path(path), render(report, extras).encode())


def render(report: Mapping[str, Any], extras: Extras) -> str:
    """The page of `write_report` as text."""
    models, protocol, data = report["models"], report.get("protocol", {}), report.get("data", {})
    looks, kind = _looks(models, protocol.get("sides", {})), data.get("kind", "image")
    trained = [name for name in models if not name.startswith(BASELINE)]
    groups = report.get("groups", {})
    tasks = [
        {
            **_task(i, name, models, extras, looks),
            "groups": _by_group(name, groups.get(name, {}), models, extras, looks),
        }
        for i, name in enumerate(_task_names(models, extras))
    ]
    budget = _budget(report.get("budget", {}), models, extras, looks)
    page = _template().render(
        headline=answer.headline(report["advice"], kind),
        data=data,
        about_data=facts.about(data),
        trained=trained,
        baselines=[name for name in models if name.startswith(BASELINE)],
        protocol=protocol,
        cards=_cards(report["advice"], tasks, protocol.get("sides", {}), kind, looks),
        tasks=tasks,
        grids=_grids(extras.grids, kind, looks),
        training=_training(extras.curves, looks),
        budget=budget,
        bare=_without_encoder(report.get("budget", {}), extras),
        unfinished=[row["sentence"] for group in budget for row in group["rows"] if row["improving"]],
        measured=facts.measured(protocol, extras.steps),
        density=any("density" in metric for tasks in models.values() for task in tasks.values() for metric in task),
        notes=report.get("notes", ()),
        next=report.get("next", ()),
    )
    return page.rstrip() + "\n"


def _template() -> jinja2.Template:
    house = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    house.filters |= {"duration": numbers.duration, "listing": sentences.listing, "bare": _bare, "some": numbers.some}
    house.filters |= {"sentence": sentences.sentence}
    house.globals |= {"key": charts.key}
    return house.from_string(files("jaxgen.report").joinpath("page.html").read_text(encoding="utf-8"))


def _looks(models: Mapping, sides: Mapping[str, str]) -> dict[str, Look]:
    looks, free = {}, list(range(8))
    for name in models:
        if name.startswith(BASELINE):
            looks[name] = Look("c-base", "ring")
            continue
        wanted = [c for c in COLOURS.get(sides.get(name, ""), ()) if c in free] or free or [len(looks) % 8]
        free = [c for c in free if c != wanted[0]]
        looks[name] = Look(f"c{wanted[0]}", SHAPES[len(looks) % len(SHAPES)])
    return looks


def _task_names(models: Mapping, extras: Extras) -> list[str]:
    there = dict.fromkeys(task for tasks in models.values() for task, metrics in tasks.items() if metrics)
    return [t for t in extras.metrics if t in there] + [t for t in there if t not in extras.metrics]


def _task(i: int, name: str, models: Mapping, extras: Extras, looks: Mapping[str, Look]) -> dict:
    about, texts = extras.metrics.get(name, {}), extras.tasks.get(name, {})
    there = dict.fromkeys(metric for tasks in models.values() for metric in tasks.get(name, {}))
    order = [m for m in about if m in there] + [m for m in there if m not in about]
    order.sort(key=lambda metric: not about.get(metric, {}).get("headline", False))
    return {
        "id": f"task-{i + 1}",
        "title": _called(name, extras),
        "about": texts.get("about", ""),
        "setting": texts.get("setting"),
        "tables": [_table(name, metric, about.get(metric, {}), models, looks) for metric in order],
    }


def _by_group(
    task: str, groups: Mapping[str, str], models: Mapping, extras: Extras, looks: Mapping[str, Look]
) -> dict | None:
    """The headline for each group of seeds, such as the class that was left out; None if all seeds are of one."""
    about = extras.metrics.get(task, {})
    metric = next((name for name, entry in about.items() if entry.get("headline")), None)
    if metric is None or len(set(groups.values())) < 2:
        return None
    cells = {name: tasks[task][metric] for name, tasks in models.items() if metric in tasks.get(task, {})}
    rows = []
    for group in dict.fromkeys(groups.values()):
        seeds = [seed for seed, its in groups.items() if its == group]
        values = [[cell.get("values", {}).get(seed) for seed in seeds] for cell in cells.values()]
        means = [[x for x in own if numbers.known(x)] for own in values]
        shown = [numbers.number(sum(own) / len(own), 3) if own else numbers.DASH for own in means]
        rows.append({"group": group, "values": shown})
    names = [{"name": name, "look": looks[name]} for name in cells]
    return {"metric": _title(metric, about[metric]), "names": names, "rows": rows}


def _table(task: str, metric: str, about: Mapping, models: Mapping, looks: Mapping[str, Look]) -> dict:
    by_name = {name: tasks[task][metric] for name, tasks in models.items() if metric in tasks.get(task, {})}
    by_name = dict(sorted(by_name.items(), key=lambda item: item[0].startswith(BASELINE)))
    ceilings = [cell["ceiling"] for cell in by_name.values() if numbers.known(cell.get("ceiling"))]
    ends = [end for cell in by_name.values() for end in (*(cells.interval(cell) or ()), cell.get("mean"))]
    axis = axes.scale([*ends, *ceilings], bounds=about.get("bounds"))
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
        "metric": _title(metric, about),
        "about": about.get("about", ""),
        "unit": about.get("unit", ""),
        "headline": about.get("headline", False),
        "direction": sentences.direction(next(iter(by_name.values())).get("higher_is_better")),
        "ceiling": numbers.number(ceilings[0], places) if ceilings else None,
        "rows": rows,
        "log": axis.log,
        "ruler": charts.ruler(axis),
        "absent": absent,
    }


def _cards(
    advice: Sequence[Mapping], tasks: Sequence[Mapping], sides: Mapping[str, str], kind: str, looks: Mapping[str, Look]
) -> list[dict]:
    """What was decided comes first, then what stayed open."""
    order = ("vae", "gan", "hybrid", "neither", "either", "undecided")
    ranked = sorted(advice, key=lambda entry: (*order, entry["choose"]).index(entry["choose"]))
    return [_card(entry, tasks, sides, kind, looks) for entry in ranked]


def _card(
    entry: Mapping, tasks: Sequence[Mapping], sides: Mapping[str, str], kind: str, looks: Mapping[str, Look]
) -> dict:
    task = next((t for t in tasks if t["setting"] == entry["setting"]), None)
    table = task["tables"][0] if task and task["tables"][0]["headline"] else None
    colour = f"c{COLOURS[entry['choose']][0]}" if entry["choose"] in sides.values() else ""
    return {
        **entry,
        "called": answer.called(entry["setting"], kind),
        "verdict": answer.verdict(entry),
        "because": sentences.typeset(entry["because"]),
        "task": task,
        "table": table,
        "colour": colour,
        "gap": _gap(entry.get("difference"), looks),
    }


def _gap(difference: Mapping | None, looks: Mapping[str, Look]) -> dict | None:
    """The deciding difference as it is drawn: in the colour of the model that leads."""
    if difference is None or not set(difference["of"]) <= looks.keys():
        return None
    first, second = difference["of"]
    margin = difference.get("margin")
    return {
        "name": f"{first} − {second}",
        "plot": charts.gap(difference, looks[difference.get("leader") or first]),
        "mean": numbers.number(difference["mean"]),
        "margin": numbers.number(margin, max(2, -numbers.power(margin))) if numbers.known(margin) and margin else None,
    }


def _grids(grids: Sequence[Grid], kind: str, looks: Mapping[str, Look]) -> list[dict]:
    grids = [grid for grid in grids if len(grid.pictures)]
    most = PICTURES // max(1, sum(len(grid.pictures) for grid in grids))
    return [{"title": g.title, "about": g.about, "figures": figures(g, kind, looks, most=most)} for g in grids]


def _training(curves: Mapping[str, Sequence[Mapping]], looks: Mapping[str, Look]) -> list[dict]:
    runs = [run for seeds in curves.values() for run in seeds]
    timed = bool(runs) and all(len(run.get("seconds", ())) == len(run["step"]) for run in runs)
    along, unit = ("seconds", "training time (s)") if timed else ("step", "steps")
    far = max((run[along][-1] for run in runs if len(run[along])), default=None)
    out = []
    for model, seeds in curves.items():
        drawn = []
        for name in dict.fromkeys(name for run in seeds for name in run["losses"]):
            ends = [run["losses"][name][-1] for run in seeds if run["losses"].get(name)]
            finite = [end for end in ends if numbers.known(end)]
            drawn.append(
                {
                    "name": name,
                    "chart": charts.lines(seeds, name, looks[model], along=along, unit=unit, highest=far),
                    "low": numbers.number(min(finite, default=None)),
                    "high": numbers.number(max(finite, default=None)),
                    "lost": len(ends) - len(finite),
                }
            )
        if drawn:
            out.append({"model": model, "look": looks[model], "seeds": len(seeds), "charts": drawn})
    return out


def _budget(budget: Mapping, models: Mapping, extras: Extras, looks: Mapping[str, Look]) -> list[dict]:
    groups = []
    for task in _task_names(models, extras):
        title = _called(task, extras)
        there = {model: tasks[task] for model, tasks in budget.items() if task in tasks}
        for metric in dict.fromkeys(entry["metric"] for entry in there.values()):
            entries = {model: entry for model, entry in there.items() if entry["metric"] == metric}
            called = _title(metric, extras.metrics.get(task, {}).get(metric, {}))
            rows = [_course(model, entry, title, called, looks[model]) for model, entry in entries.items()]
            groups.append({"title": title, "metric": called, "rows": rows})
    return groups


def _without_encoder(budget: Mapping, extras: Extras) -> list[str]:
    by = {
        name: [task for task, entry in tasks.items() if entry.get("without_encoder")] for name, tasks in budget.items()
    }
    return [
        f"{name} is read here without the encoder that is trained for it afterwards; its figures above, on "
        f"{sentences.listing([f'“{_called(task, extras)}”' for task in tasks])}, are read with it."
        for name, tasks in by.items()
        if tasks
    ]


def _called(task: str, extras: Extras) -> str:
    return extras.tasks.get(task, {}).get("title") or sentences.spaced(task).capitalize()


def _course(model: str, entry: Mapping, title: str, metric: str, look: Look) -> dict:
    at = [entry["at"].get(share) for share in ("25", "50", "100")]
    texts = [numbers.number(value) for value in at]
    improving, hurried = bool(entry["still_improving"]), bool(entry.get("hurried"))
    return {
        "model": model,
        "look": look,
        "at": texts,
        "end": "still improving" if improving else "too short to tell" if hurried else "no clear gain",
        "improving": improving,
        "spark": charts.spark(at, look, f"{model}, {metric}: {', '.join(texts)}"),
        "sentence": f"{model} was still improving on “{title}” when its time ran out "
        f"({metric} {texts[0]}, {texts[1]}, {texts[2]} at 25, 50 and 100 % of it).",
    }


def _title(metric: str, about: Mapping) -> str:
    return about.get("name") or sentences.spaced(metric)


def _bare(name: str) -> str:
    return name.removeprefix(BASELINE)
