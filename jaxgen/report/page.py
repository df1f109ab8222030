"""`report.html`: the results of a comparison, the answer first, as one file that loads nothing from a network."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from jaxgen.report import answer, charts, facts, numbers, sentences
from jaxgen.report.cards import cards
from jaxgen.report.charts import Look
from jaxgen.report.courses import budget_groups, training, without_encoder
from jaxgen.report.extras import Extras, task_names
from jaxgen.report.grids import Grid, figures
from jaxgen.report.looks import looks_of
from jaxgen.report.tables import by_group, task_section
from jaxgen.system.files import write
from jaxgen.tasks import BASELINE

PICTURES = 3_000_000  # bytes of all pictures together before they are encoded: the page stays under 5 MB


def write_report(path: Path, report: Mapping[str, Any], extras: Extras) -> None:
    """Writes the page of `report`, the dict of `report.json`, to `path`.

    It reads name, kind, shape, splits ({name: examples}), classes, notes and digest of `report["data"]`, and the keys
    of `facts.PROTOCOL`, `command` and `sides` ({model: "vae" | "gan" | "hybrid"}, for the colours) of
    `report["protocol"]`, whose other keys appear under their own names. Only `models` and `advice` are required.
    Figures that are None or not finite become dashes, with the reason. The same input gives the same bytes.
    """
    write(Path(path), render(report, extras).encode())


def render(report: Mapping[str, Any], extras: Extras) -> str:
    """The page of `write_report` as text."""
    models, protocol, data = report["models"], report.get("protocol", {}), report.get("data", {})
    looks, kind = looks_of(models, protocol.get("sides", {})), data.get("kind", "image")
    trained = [name for name in models if not name.startswith(BASELINE)]
    groups = report.get("groups", {})
    tasks = [
        {
            **task_section(i, name, models, extras, looks),
            "groups": by_group(name, groups.get(name, {}), models, extras, looks),
        }
        for i, name in enumerate(task_names(models, extras))
    ]
    budget = budget_groups(report.get("budget", {}), models, extras, looks)
    page = _template().render(
        headline=answer.headline(report["advice"], kind),
        data=data,
        about_data=facts.about(data),
        trained=trained,
        baselines=[name for name in models if name.startswith(BASELINE)],
        protocol=protocol,
        cards=cards(report["advice"], tasks, protocol.get("sides", {}), kind, looks),
        tasks=tasks,
        grids=_grids(extras.grids, kind, looks),
        training=training(extras.curves, looks),
        budget=budget,
        bare=without_encoder(report.get("budget", {}), extras),
        unfinished=[row["sentence"] for group in budget for row in group["rows"] if row["improving"]],
        measured=facts.measured(protocol, extras.steps),
        density=any("density" in metric for tasks in models.values() for task in tasks.values() for metric in task),
        notes=report.get("notes", ()),
        next=report.get("next", ()),
    )
    # Titles of metrics are ASCII, because a terminal prints them too.
    return page.rstrip().replace("Frechet", "Fréchet") + "\n"


def _template() -> jinja2.Template:
    house = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    house.filters |= {"duration": numbers.duration, "listing": sentences.listing, "bare": _bare, "some": numbers.some}
    house.filters |= {"sentence": sentences.sentence}
    house.globals |= {"key": charts.key}
    return house.from_string(files("jaxgen.report").joinpath("page.html").read_text(encoding="utf-8"))


def _grids(grids: Sequence[Grid], kind: str, looks: Mapping[str, Look]) -> list[dict]:
    grids = [grid for grid in grids if len(grid.pictures)]
    most = PICTURES // max(1, sum(len(grid.pictures) for grid in grids))
    return [{"title": g.title, "about": g.about, "figures": figures(g, kind, looks, most=most)} for g in grids]


def _bare(name: str) -> str:
    return name.removeprefix(BASELINE)
