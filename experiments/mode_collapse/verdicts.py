"""Which loss keeps the modes, and which is better than the saturating one: from figures alone."""

from collections.abc import Mapping
from typing import Any

from experiments.evidence import Verdict

SATURATING = "saturating"
ORIGINAL = (SATURATING, "non-saturating")  # the two losses of the first GAN
KEEPS, LOSES = 0.9, 0.5  # shares of seeds with all modes: from here on it keeps them, below that it loses some
LEAST_QUALITY = 10.0  # %; noise over the whole plane puts up to 2 % of its samples into modes, and so finds all
KEEPING, LOSING = "keeps all modes", "loses modes"


def fate(row: Mapping[str, float]) -> str:
    """What became of the modes.

    >>> [fate({"seeds_with_all_modes": n, "seeds": 10}) for n in (4, 5, 8, 9)]
    ['loses modes', 'is unsteady', 'is unsteady', 'keeps all modes']
    """
    share = row["seeds_with_all_modes"] / row["seeds"]
    return KEEPING if share >= KEEPS else LOSING if share < LOSES else "is unsteady"


def collapses(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the original GAN loses modes in every case, not supported where it keeps all in every one."""
    results = {
        case: (fate(row), f"{row['seeds_with_all_modes']:g} of {row['seeds']:g} seeds keep all{_unlearned(row)}")
        for case, row in figures["cases"].items()
        if case.partition(": ")[0] in ORIGINAL
    }
    fates = {state for state, _ in results.values()}
    word = "supported" if fates == {LOSING} else "not supported" if fates == {KEEPING} else "depends"
    text = "; ".join(f"{case.replace(': ', ' on ')} {state} ({seeds})" for case, (state, seeds) in results.items())
    return Verdict(word, f"{text[:1].upper()}{text[1:]}.")


def _unlearned(row: Mapping[str, float]) -> str:
    low = row["high_quality_percent"] < LEAST_QUALITY
    return f"; {row['high_quality_percent']:.2g} % of high quality, so it did not learn at all" if low else ""


def remedies(figures: Mapping[str, Any]) -> Verdict:
    """Supported where each loss is a remedy, not supported where none beats the saturating one, else it depends."""
    groups: dict[str, dict[str, list[str]]] = {"Remedy": {}, "Better, but loses modes": {}, "No better": {}}
    cure, better, idle = groups.values()
    sets = {case.partition(": ")[2] for case in figures["cases"]}
    for case, row in figures["cases"].items():
        loss, _, data = case.partition(": ")
        gains = row["more_modes_low"] is not None and row["more_modes_low"] > 0
        group = idle if not gains else cure if fate(row) == KEEPING else better
        group.setdefault(loss, []).append(data)
    sentences = []
    for name, losses in groups.items():
        where = [
            loss if len(values) == len(sets) else f"{loss} ({', '.join(values)})" for loss, values in losses.items()
        ]
        sentences += [f"{name}: {'; '.join(where)}."] if where else []
    word = "supported" if not better and not idle else "not supported" if not cure and not better else "depends"
    return Verdict(word, " ".join(sentences))
