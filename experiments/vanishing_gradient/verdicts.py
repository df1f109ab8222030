"""Whose gradient vanishes, and is the trained one that of the formula: from figures alone."""

import math
from collections.abc import Mapping
from typing import Any

from experiments.evidence import Verdict

FADES, BLOWS_UP = 0.05, 100.0  # shares of the gradient that is left: below the first it vanishes, above the second ...
CLOSE = 0.1  # how nearly a trained gradient meets the formula, as a part of it
SATURATING, ALTERNATIVE = "saturating", "non-saturating"
FATES = ("Vanishes", "Stays", "Grows more than 100 times", "Not finite")


def fate(row: Mapping[str, Any]) -> str:
    """What became of a gradient.

    >>> [fate({"share_left": share}) for share in (0.049, 0.05, 101.0, None)]
    ['Vanishes', 'Stays', 'Grows more than 100 times', 'Not finite']
    """
    share = row["share_left"]
    if share is None or not math.isfinite(share):
        return FATES[3]
    return FATES[0 if share < FADES else 2 if share > BLOWS_UP else 1]


def vanishes(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the gradient vanishes in every case, not supported where in none, else it depends."""
    cases = figures["cases"]
    found = {case: fate(row) for case, row in cases.items()}
    gone = [case for case, said in found.items() if said == FATES[0]]
    word = "supported" if len(gone) == len(cases) else "depends" if gone else "not supported"
    return Verdict(word, " ".join(f"{said}: {told}." for said in FATES if (told := _where(found, said))))


def practice(figures: Mapping[str, Any]) -> str:
    """Which losses keep a gradient on all data, as advice."""
    fates: dict[str, list[str]] = {}
    for case, row in figures["cases"].items():
        fates.setdefault(case.partition(": ")[0], []).append(fate(row))
    keep = [loss for loss, own in fates.items() if set(own) == {FATES[1]}]
    if not keep:
        return "No loss that was tried here keeps its gradient on all data: do not train the critic to its optimum."
    return (
        "If the generator stops learning while its critic is sure, change the loss before you weaken the critic. Here "
        f"these keep a gradient on all data: {', '.join(keep)}."
    )


def _where(found: Mapping[str, str], said: str) -> str:
    """Losses of one fate, each with the data where it is not the same on all."""
    sets = {case.partition(": ")[2] for case in found}
    groups: dict[str, list[str]] = {}
    for case, own in found.items():
        if own == said:
            loss, _, data = case.partition(": ")
            groups.setdefault(loss, []).append(data)
    return "; ".join(loss if len(on) == len(sets) else f"{loss} ({', '.join(on)})" for loss, on in groups.items())


def rescues(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the saturating loss loses its gradient in every case and the alternative in none."""
    by = {name: {} for name in (SATURATING, ALTERNATIVE)}
    for case, row in figures["cases"].items():
        loss, _, data = case.partition(": ")
        by[loss][data] = row["share_left"], fate(row) == FATES[0]
    lost, kept = by.values()
    told = "; ".join(
        f"{data}: {SATURATING} {part(share)}, {ALTERNATIVE} {part(kept[data][0])}" for data, (share, _) in lost.items()
    )
    needed = [gone and not kept[data][1] for data, (_, gone) in lost.items()]
    word = "supported" if all(needed) else "depends" if any(needed) else "not supported"
    return Verdict(word, f"What is left of the gradient. {told[:1].upper()}{told[1:]}.")


def part(share: float | None) -> str:
    """A share in words.

    >>> part(0.0123), part(5.31), part(None)
    ('1.2 %', '5.3 times', 'not finite')
    """
    return "not finite" if share is None else f"{share:.2g} times" if share >= 1 else f"{100 * share:.2g} %"


def meets(figures: Mapping[str, Any]) -> Verdict:
    """Supported where every loss meets its formula at every distance asked for, not supported where none does."""
    rows = figures["losses"]
    far = {name: row["farthest_from_formula"] for name, row in rows.items()}
    apart = {name: miss for name, miss in far.items() if miss is None or not miss <= CLOSE}
    word = "supported" if not apart else "not supported" if len(apart) == len(rows) else "depends"
    there = [name for name in rows if name not in apart]
    said = [f"Within {100 * CLOSE:g} %: {'; '.join(there)}."] if there else []
    if apart:
        told = (f"{name} ({'not finite' if miss is None else f'{100 * miss:.0f} %'})" for name, miss in apart.items())
        said.append(f"Off: {'; '.join(told)}.")
    return Verdict(word, " ".join(said))
