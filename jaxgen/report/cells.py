"""Text for the figures of report.json: an interval, why a figure is missing, and which model is best."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jaxgen.report import numbers
from jaxgen.report.numbers import known, number


def interval(cell: Mapping) -> tuple[float, float] | None:
    """The 95 % interval of a figure, or None if it has none."""
    ends = cell.get("ci95")
    if not ends or len(ends) != 2 or not all(map(known, ends)):
        return None
    return float(ends[0]), float(ends[1])


def places(cells: Iterable[Mapping]) -> int | None:
    """Decimal places for the figures of one table, by `numbers.places`; None means three significant digits each.

    >>> places([{"mean": 0.75, "ci95": [-18.0, 19.5]}, {"mean": 0.5, "ci95": [0.5, 0.5]}]), places([{"ci95": None}])
    (2, None)
    """
    spreads = []
    for cell in cells:
        mean, ends = cell.get("mean"), interval(cell) or (math.nan, math.nan)
        spreads.append((mean if known(mean) else math.nan, *ends))
    return numbers.places(spreads)


def bracket(cell: Mapping, decimals: int | None) -> str:
    """The interval of a figure as text, or why there is none."""
    ends = interval(cell)
    if ends and ends[0] < ends[1]:
        return "\u00a0to\u00a0".join(number(end, decimals) for end in ends)
    if not known(cell.get("mean")):
        return missing(cell)
    if cell.get("n") == 1:
        return "one run"
    return "the same for all seeds" if ends else "no interval"


def missing(cell: Mapping) -> str:
    """Why there is a dash in place of a figure.

    >>> missing({"mean": None, "n": 0, "failed": 5}), missing({"mean": None, "n": 0})
    ('all 5 seeds failed', 'not measured')
    """
    failed, n = cell.get("failed") or 0, cell.get("n") or 0
    if n == 0:
        return f"all {failed} seeds failed" if failed > 1 else "the seed failed" if failed else "not measured"
    return "not a finite number"


class Standing(NamedTuple):
    """Words beside a figure, and whether it is the best by its interval."""

    words: str
    best: bool


def standing(cells: Mapping[str, Mapping]) -> dict[str, Standing]:
    """The models that are best in one metric, judged by their intervals.

    The model of the best mean is "best" if its interval overlaps no other. Otherwise it and all models whose intervals
    overlap its own are "among the best", unless these are all models. A figure whose whole interval lies beyond the
    reference is not better than the reference: it is called "beyond reference", and no model is called best. The
    result is empty if the metric has no direction, if there are fewer than two figures, or if the best has no interval.

    >>> a, b = {"mean": 1.0, "ci95": [0.9, 1.1]}, {"mean": 2.0, "ci95": [1.9, 2.1]}
    >>> standing({name: {**cell, "higher_is_better": True, "reference": None} for name, cell in dict(a=a, b=b).items()})
    {'b': Standing(words='best', best=True)}
    """
    ranked = {name: cell for name, cell in cells.items() if known(cell.get("mean"))}
    ways = {cell.get("higher_is_better") for cell in ranked.values()}
    if len(ranked) < 2 or len(ways) != 1 or None in ways:
        return {}
    sign = 1 if ways.pop() else -1
    spans: dict[str, Any] = {}
    for name, cell in ranked.items():
        ends = interval(cell)
        spans[name] = ends and tuple(sorted(sign * end for end in ends))
    beyond = [
        name
        for name, cell in ranked.items()
        if spans[name] and known(cell.get("reference")) and spans[name][0] > sign * cell["reference"]
    ]
    if beyond:
        return {name: Standing("beyond reference", False) for name in beyond}
    best = max(ranked, key=lambda name: sign * ranked[name]["mean"])
    if not spans[best]:
        return {}
    near = [name for name in ranked if name != best and (not spans[name] or spans[name][1] >= spans[best][0])]
    if not near:
        return {best: Standing("best", True)}
    if len(near) + 1 == len(ranked):
        return {}
    return {name: Standing("among the best", False) for name in ranked if name == best or name in near}
