"""What a gradient penalty does: functions of the figures alone."""

from collections.abc import Callable, Mapping
from typing import Any

from experiments.evidence import Verdict
from experiments.gradient_penalty.ways import SLOPES

MEETS = 0.01  # how near to the data the generator ends, on games of two numbers
STILL, CLOSE = 2e-5, 0.01  # a log rate that counts as none; how nearly a formula has to be met


def meets(figures: Mapping[str, Any]) -> Verdict:
    """Supported where each gradient penalty makes both games converge, not supported where none makes any."""
    games: dict[str, list[bool]] = {}
    for case, row in figures["cases"].items():
        games.setdefault(case.partition(": ")[0], []).append(row["generator_from_the_data"] < MEETS)
    said = {
        "Converges": [name for name, own in games.items() if all(own)],
        "Converges in some games": [name for name, own in games.items() if any(own) and not all(own)],
        "Does not": [name for name, own in games.items() if not any(own)],
    }
    asked = [all(own) for name, own in games.items() if name in SLOPES]
    some = any(any(own) for name, own in games.items() if name in SLOPES)
    word = "supported" if all(asked) else "depends" if some else "not supported"
    return Verdict(word, " ".join(f"{what}: {', '.join(names)}." for what, names in said.items() if names))


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
    return _each(figures, "more_overlap", lambda low, high: low > 0, lambda low, high: high < 0, ("More", "Less"))


def flattens(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the steepest slope is lower than without a penalty under each, not supported under none."""
    wanted, other = lambda low, high: high < 1, lambda low, high: low > 1
    return _each(figures, "slope_as_a_factor", wanted, other, ("Flatter", "Steeper"))


def _each(figures: Mapping[str, Any], name: str, wanted: Callable, other: Callable, words: tuple[str, str]) -> Verdict:
    groups: dict[str, list[str]] = {words[0]: [], words[1]: [], "Undecided": []}
    good = []
    for way, row in figures["against_none"].items():
        _, low, high = row[name]
        known = low is not None and high is not None
        found = words[0] if known and wanted(low, high) else words[1] if known and other(low, high) else "Undecided"
        groups[found].append(way)
        good += [found == words[0]] if way in SLOPES else []
    word = "supported" if all(good) else "depends" if any(good) else "not supported"
    return Verdict(word, " ".join(f"{what}: {', '.join(ways)}." for what, ways in groups.items() if ways))
