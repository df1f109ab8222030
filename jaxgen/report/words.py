"""What a report says in words: numbers with as many digits as they deserve, who stands best."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from jaxgen.metrics import intervals

DASH = "–"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def known(x: Any) -> TypeGuard[float]:
    """Whether `x` is a number that is finite.

    >>> known(0.5), known(None), known(float("nan"))
    (True, False, False)
    """
    return x is not None and math.isfinite(x)


def interval(cell: Mapping) -> tuple[float, float] | None:
    """The 95 % interval of a figure, or None where it has none."""
    ends = cell.get("ci95")
    if not ends or len(ends) != 2 or not all(map(known, ends)):
        return None
    return float(ends[0]), float(ends[1])


def places(cells: Iterable[Mapping]) -> int | None:
    """Decimal places for the figures of one table, as `intervals.places` says, or None: three digits each.

    >>> places([{"mean": 0.75, "ci95": [-18.0, 19.5]}, {"mean": 0.5, "ci95": [0.5, 0.5]}]), places([{"ci95": None}])
    (2, None)
    """
    spreads = []
    for cell in cells:
        mean, ends = cell.get("mean"), interval(cell) or (math.nan, math.nan)
        spreads.append(intervals.Interval(mean if known(mean) else math.nan, *ends, cell.get("n") or 0))
    return intervals.places(spreads)


def number(x: float | None, decimals: int | None = None) -> str:
    """`x` as a reader wants it: a dash where it is not known, a true minus, three digits where none are asked for.

    >>> number(0.94118, 3), number(-1234.5, 0), number(2.204), number(3.1e-7), number(float("nan"))
    ('0.941', '−1,234', '2.20', '3.10×10⁻⁷', '–')
    """
    if not known(x):
        return DASH
    x = float(x) + 0.0
    power = intervals.power(x) if x else 0
    if power < intervals.TINY or power > 8:
        digits = 2 if decimals is None else min(max(power + decimals, 1), 4)
        head, _, tail = f"{x:.{digits}e}".partition("e")
        return f"{head.replace('-', '−')}×10{str(int(tail)).translate(RAISED)}"
    text = f"{x:,.{max(0, 2 - power) if decimals is None else decimals}f}"
    return text.replace("-", "−") if any(digit in "123456789" for digit in text) else text.lstrip("-")


def bracket(cell: Mapping, decimals: int | None) -> str:
    """The interval of a figure as text, or why there is none."""
    ends = interval(cell)
    if ends and ends[0] < ends[1]:
        return "\u00a0to\u00a0".join(number(end, decimals) for end in ends)
    if not known(cell.get("mean")):
        return missing(cell)
    if cell.get("n") == 1:
        return "one run"
    return "alike for all seeds" if ends else "no interval"


def missing(cell: Mapping) -> str:
    """Why a figure is a dash.

    >>> missing({"mean": None, "n": 0, "failed": 5}), missing({"mean": None, "n": 0})
    ('all 5 seeds failed', 'not measured')
    """
    failed, n = cell.get("failed") or 0, cell.get("n") or 0
    if n == 0:
        return f"all {failed} seeds failed" if failed > 1 else "the seed failed" if failed else "not measured"
    return "not a finite number"


def duration(seconds: float | None) -> str:
    """Seconds in words.

    >>> duration(6), duration(161.2), duration(7322)
    ('6 s', '2 min 41 s', '2 h 2 min')
    """
    if not known(seconds):
        return DASH
    if seconds < 90:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def listing(names: Sequence[str], last: str = "and") -> str:
    """Names as a sentence lists them.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else ""


def some(n: int, what: str) -> str:
    """A count with its noun.

    >>> some(1, "seed"), some(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def spaced(name: str) -> str:
    """A name of the report as words."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """With a capital, but where it begins with the name of a file or with what else is no word.

    >>> sentence("known since 2014; see 'Mr. X'."), sentence("const.npz has no labels."), sentence("")
    ("Known since 2014; see 'Mr. X'.", 'const.npz has no labels.', '')
    """
    return text if re.match(r"\S*[._/\d]\w", text) else text[:1].upper() + text[1:]


def typeset(text: str) -> str:
    """The numbers of a sentence as a page writes them: a true minus, and no line ends before a per cent sign.

    >>> typeset("WGAN-GP -4.4, 95 % interval -6.10e-07 to 5 on run-3").replace("\u00a0", "~")
    'WGAN-GP −4.4, 95~% interval −6.10e−07 to 5 on run-3'
    """
    return re.sub(r"(?<![\w.-])-(?=\d)|(?<=\de)-(?=\d)", "−", text).replace(" %", "\u00a0%")


def plain(value: Any) -> str:
    """Any plain value on one line.

    >>> plain({"encoder": 90656, "rate": 2e-4}), plain([0, 1]), plain(None)
    ('encoder 90,656, rate 0.0002', '0, 1', '–')
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or DASH
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DASH if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if 1e-4 <= abs(value) < 1e6 else number(value)


def direction(higher_is_better: bool | None) -> str:
    """Which way is better, in words and as an arrow."""
    if higher_is_better is None:
        return "↔ neither end is better"
    return "↑ higher is better" if higher_is_better else "↓ lower is better"


class Standing(NamedTuple):
    """Words beside a figure, and whether it is the best by its interval."""

    words: str
    best: bool


def standing(cells: Mapping[str, Mapping]) -> dict[str, Standing]:
    """Who is best in one metric, read from the intervals.

    `best` where the interval overlaps no other; `among the best` for all that overlap the one of the best mean, unless
    that is everybody. A figure whose interval lies wholly beyond the ceiling is not better than the ceiling: it is
    called that, and then nobody is best. No direction, fewer than two figures or a best one without an interval:
    nothing is said.

    >>> a, b = {"mean": 1.0, "ci95": [0.9, 1.1]}, {"mean": 2.0, "ci95": [1.9, 2.1]}
    >>> standing({name: {**cell, "higher_is_better": True, "ceiling": None} for name, cell in dict(a=a, b=b).items()})
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
        if spans[name] and known(cell.get("ceiling")) and spans[name][0] > sign * cell["ceiling"]
    ]
    if beyond:
        return {name: Standing("beyond ceiling", False) for name in beyond}
    best = max(ranked, key=lambda name: sign * ranked[name]["mean"])
    if not spans[best]:
        return {}
    near = [name for name in ranked if name != best and (not spans[name] or spans[name][1] >= spans[best][0])]
    if not near:
        return {best: Standing("best", True)}
    if len(near) + 1 == len(ranked):
        return {}
    return {name: Standing("among the best", False) for name in ranked if name == best or name in near}
