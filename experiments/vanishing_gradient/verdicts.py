"""Whose gradient vanishes, and is the trained one that of the formula: from figures alone."""

import math
from collections.abc import Mapping
from typing import Any

from experiments.evidence import Verdict

FADES, BLOWS_UP = 0.05, 100.0  # shares of the gradient that is left: below the first it vanishes, above the second ...
CLOSE = 0.1  # how nearly a trained gradient meets the formula, as a part of it
FORMULAS = "Gaussians"  # the data on which best critics are known
SATURATING, ALTERNATIVE = "saturating", "non-saturating"
FATES = ("Vanishes", "Stays", "Grows more than 100 times", "Not finite or not trained")


def fate(row: Mapping[str, Any]) -> str:
    """What became of a gradient.

    >>> [fate({"share_left": share}) for share in (0.049, 0.05, 101.0, None)]
    ['Vanishes', 'Stays', 'Grows more than 100 times', 'Not finite or not trained']
    """
    share = row["share_left"]
    if share is None or not math.isfinite(share):
        return FATES[3]
    return FATES[0 if share < FADES else 2 if share > BLOWS_UP else 1]


def vanishes(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the gradient vanishes in every case, not supported where it is kept in every one, or it depends.

    A case that is not finite or not trained is neither.
    """
    cases = figures["cases"]
    results = {case: fate(row) for case, row in cases.items()}
    states = set(results.values())
    word = "supported" if states == {FATES[0]} else "not supported" if states <= {FATES[1], FATES[2]} else "depends"
    text = " ".join(f"{state}: {where}." for state in FATES if (where := _where(results, state)))
    trained = [case.partition(": ")[0] for case, row in cases.items() if _on_formulas(case) and not _exact(row)]
    return Verdict(word, text + (f" By trained critics, for want of a formula: {', '.join(trained)}." * bool(trained)))


def practice(figures: Mapping[str, Any]) -> str:
    """Which losses keep a gradient on all data, by the formula and by trained critics, as advice."""
    fates: dict[str, list[str]] = {}
    for case, row in figures["cases"].items():
        values = fates.setdefault(case.partition(": ")[0], [])
        values.append(fate({"share_left": row["trained_share"]}))
        if _on_formulas(case):  # a loss without a formula cannot meet this, and is not advised
            values.append(fate({"share_left": row["formula_share"]}))
    keep = [loss for loss, values in fates.items() if set(values) == {FATES[1]}]
    if not keep:
        return "No loss that was tried here keeps its gradient on all data: do not train the critic to its optimum."
    return (
        "If the generator stops learning while its critic is sure, change the loss before you weaken the critic. Here "
        f"these keep a gradient on all data, by the formula and with trained critics: {', '.join(keep)}."
    )


def _on_formulas(case: str) -> bool:
    return case.partition(": ")[2] == FORMULAS


def _exact(row: Mapping[str, Any]) -> bool:
    return row["formula_share"] is not None


def _where(results: Mapping[str, str], state: str) -> str:
    """Losses of one fate, each with the data where it is not the same on all."""
    sets = {case.partition(": ")[2] for case in results}
    groups: dict[str, list[str]] = {}
    for case, entry in results.items():
        if entry == state:
            loss, _, data = case.partition(": ")
            groups.setdefault(loss, []).append(data)
    return "; ".join(loss if len(on) == len(sets) else f"{loss} ({', '.join(on)})" for loss, on in groups.items())


def rescues(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the saturating loss loses its gradient on all data and the alternative keeps it there.

    Not supported where it is known that it never is so, else it depends.
    """
    by = {name: {} for name in (SATURATING, ALTERNATIVE)}
    for case, row in figures["cases"].items():
        loss, _, data = case.partition(": ")
        by[loss][data] = row["share_left"], fate(row)
    lost, rescued = by.values()
    text = "; ".join(
        f"{data}: {SATURATING} {part(share)}, {ALTERNATIVE} {part(rescued[data][0])}"
        for data, (share, _) in lost.items()
    )
    fates = [(entry, rescued[data][1]) for data, (_, entry) in lost.items()]
    needed = [entry == FATES[0] and other in FATES[1:3] for entry, other in fates]
    unknown = any(FATES[3] in pair for pair in fates)
    word = "supported" if all(needed) else "depends" if any(needed) or unknown else "not supported"
    return Verdict(word, f"What is left of the gradient. {text[:1].upper()}{text[1:]}.")


def part(share: float | None) -> str:
    """A share in words.

    >>> part(0.0123), part(5.31), part(None)
    ('1.2 %', '5.3 times', 'not finite or not trained')
    """
    return (
        "not finite or not trained" if share is None else f"{share:.2g} times" if share >= 1 else f"{100 * share:.2g} %"
    )


def meets(figures: Mapping[str, Any]) -> Verdict:
    """Supported where every loss meets its formula at every distance asked for, not supported where each is off it.

    A loss that is not finite or not trained is neither.
    """
    far = {name: row["farthest_from_formula"] for name, row in figures["losses"].items()}
    unknown = [name for name, miss in far.items() if miss is None or not math.isfinite(miss)]
    close = [name for name, miss in far.items() if name not in unknown and miss <= CLOSE]
    off = [f"{name} ({100 * miss:.0f} %)" for name, miss in far.items() if name not in (*unknown, *close)]
    word = "supported" if len(close) == len(far) else "not supported" if len(off) == len(far) else "depends"
    groups = {f"Within {100 * CLOSE:g} %": close, "Off": off, FATES[3]: unknown}
    return Verdict(word, " ".join(f"{state}: {'; '.join(names)}." for state, names in groups.items() if names))
