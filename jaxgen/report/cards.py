"""The cards at the top of the page: what was decided for each setting, why, and by how much."""

from collections.abc import Mapping, Sequence

from jaxgen.report import answer, charts, numbers, sentences
from jaxgen.report.charts import Look
from jaxgen.report.looks import COLOURS


def cards(
    advice: Sequence[Mapping], tasks: Sequence[Mapping], sides: Mapping[str, str], kind: str, looks: Mapping[str, Look]
) -> list[dict]:
    """A card for each setting: decided settings come first, then undecided ones, then those not measured."""
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
    """What the card shows of the deciding difference, drawn in the colour of the model that leads."""
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
