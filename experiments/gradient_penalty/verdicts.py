"""What a gradient penalty does: functions of the figures alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.evidence import Verdict
from experiments.gradient_penalty.ways import SLOPES

LEVEL = 0.05  # chance that some remedy seems to differ from none although none does
MEETS = 0.01  # how near to the data the generator ends, on games of two numbers
STILL, CLOSE = 2e-5, 0.01  # a log rate that counts as none; how nearly a formula has to be met


def meets(figures: Mapping[str, Any]) -> Verdict:
    """Supported where each gradient penalty makes both games converge, not supported where none makes any."""
    games = _met(figures)
    sentences = {
        "Converges": [name for name, values in games.items() if all(values)],
        "Converges in some games": [name for name, values in games.items() if any(values) and not all(values)],
        "Does not": [name for name, values in games.items() if not any(values)],
    }
    relevant = [all(values) for name, values in games.items() if name in SLOPES]
    some = any(any(values) for name, values in games.items() if name in SLOPES)
    word = "supported" if all(relevant) else "depends" if some else "not supported"
    return Verdict(word, " ".join(f"{what}: {', '.join(names)}." for what, names in sentences.items() if names))


def _met(figures: Mapping[str, Any]) -> dict[str, list[bool]]:
    """Whether the players meet, by remedy, for each game."""
    games: dict[str, list[bool]] = {}
    for case, row in figures["cases"].items():
        games.setdefault(case.partition(": ")[0], []).append(row["generator_from_the_data"] < MEETS)
    return games


def where_to_meet(figures: Mapping[str, Any]) -> str:
    """Which remedies make both games converge, as advice."""
    good = [name for name, values in _met(figures).items() if all(values)]
    return f"Where training circles, take {_or(good)}." if good else "Nothing that was tried here stops the circling."


def what_to_take(figures: Mapping[str, Any]) -> str:
    """Which remedies have more overlap than none and which have less, with what they cost, as advice."""
    more, less = (
        [
            name
            for name, row in figures["against_none"].items()
            if _sure(row["p_overlap"]) and holds(row["more_overlap"])
        ]
        for holds in (lambda ends: ends[0] > 0, lambda ends: ends[0] < 0)
    )
    cost = {name: figures["ways"][name]["arithmetic_of_a_step"] for name in more}
    clauses = [f"{name} ({cost[name]:.2g} times the arithmetic of a step)" for name in more]
    text = f"Beside this loss, try {_or(clauses)}." if more else "Beside this loss none surely gains overlap."
    return f"{text} Surely worse: {', '.join(less)}." if less else text


def _or(names: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def predicts(figures: Mapping[str, Any]) -> Verdict:
    """Supported where every rate that a formula gives is met, not supported where none is."""
    rows = {case: row for case, row in figures["cases"].items() if row["log_rate_by_the_formula"] is not None}
    apart = [case for case, row in rows.items() if not row["largest_difference"] <= _allowed(row)]
    if not apart:
        worst = max(row["largest_difference"] for row in rows.values())
        return Verdict("supported", f"All {len(rows)} rates meet their formula; they are off by {worst:.1g} at most.")
    word = "not supported" if len(apart) == len(rows) else "depends"
    return Verdict(word, f"{len(apart)} of {len(rows)} rates are off: {'; '.join(apart)}.")


def _allowed(row: Mapping[str, float]) -> float:
    predicted = row["log_rate_by_the_formula"]
    return STILL if abs(predicted) <= STILL else CLOSE * abs(predicted)


def overlaps(figures: Mapping[str, Any]) -> Verdict:
    """Supported where each gradient penalty has more overlap than none, not supported where no one has."""
    return _each(figures, "more_overlap", "p_overlap", lambda mean: mean > 0, ("More", "Less"))


def flattens(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the steepest slope is lower than without a penalty under each, not supported under none."""
    return _each(figures, "slope_as_a_factor", "p_slope", lambda factor: factor < 1, ("Flatter", "Steeper"))


def _sure(p: float | None) -> bool:
    return p is not None and p < LEVEL


def _each(figures: Mapping[str, Any], name: str, p: str, wanted: Callable, words: tuple[str, str]) -> Verdict:
    groups: dict[str, list[str]] = {words[0]: [], words[1]: [], "Undecided": []}
    good = []
    for way, row in figures["against_none"].items():
        results = words[0 if wanted(row[name][0]) else 1] if _sure(row[p]) else "Undecided"
        groups[results].append(way)
        good += [results == words[0]] if way in SLOPES else []
    word = "supported" if all(good) else "depends" if any(good) else "not supported"
    return Verdict(word, " ".join(f"{what}: {', '.join(ways)}." for what, ways in groups.items() if ways))
