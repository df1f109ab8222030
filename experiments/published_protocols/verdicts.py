"""Whether the remedies keep more modes, and whether the GANs without them lose some: from figures alone."""

from collections.abc import Mapping
from typing import Any

from experiments.evidence import Verdict
from experiments.mode_collapse.verdicts import KEEPING, LEAST_QUALITY, LOSING, fate

LEVEL = 0.05  # chance that some remedy seems to change the modes although none does
MORE, FEWER, OPEN = "More modes", "Fewer", "Not told apart"
POOR = f"More modes, but under {LEAST_QUALITY:g} % of the samples are of high quality"


def sign(row: Mapping[str, Any]) -> str:
    """What the seeds tell of a way against that without the remedy.

    >>> good = {"more_modes": [2.0, 1.0, 3.0], "p_corrected": 0.01, "high_quality_percent": 60.0}
    >>> sign(good), sign({**good, "p_corrected": None}), sign({**good, "high_quality_percent": 1.0}) == POOR
    ('More modes', 'Not told apart', True)
    """
    if row["p_corrected"] is None or row["p_corrected"] >= LEVEL:
        return OPEN
    if row["more_modes"][0] < 0:
        return FEWER
    return MORE if _learned(row) else POOR


def helps(gains: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Supported where on each data set some way has more modes, not supported where all have learned and none has any.

    Else it depends: also where the samples of a way are still too poor to count modes in.
    """
    groups: dict[str, list[str]] = {state: [] for state in (MORE, POOR, FEWER, OPEN)}
    results: dict[str, set[str]] = {}
    for name, row in gains.items():
        way, _, data = name.partition(": ")
        groups[sign(row)].append(f"{way} on {data} ({_told(row)})")
        results.setdefault(data, set()).add(sign(row))
    open_ = any(MORE in entry for entry in results.values()) or not all(map(_learned, gains.values()))
    word = "supported" if all(MORE in entry for entry in results.values()) else "depends" if open_ else "not supported"
    return Verdict(word, " ".join(f"{state}: {'; '.join(ways)}." for state, ways in groups.items() if ways))


def _learned(row: Mapping[str, Any]) -> bool:
    return row["high_quality_percent"] >= LEAST_QUALITY


def _told(row: Mapping[str, Any]) -> str:
    mean, low, high = row["more_modes"]
    ends = "" if low is None else f", {low:.2g} to {high:.2g}"
    chance = "" if row["p_corrected"] is None else f", corrected p {row['p_corrected']:.2g}"
    poor = "" if _learned(row) else f"; {row['high_quality_percent']:.2g} % of high quality"
    return f"{mean:+.2g} modes{ends}{chance}{poor}"


def collapses(rows: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Of the ways without a remedy: supported where all lose modes, not supported where all keep them.

    One whose samples are too poor to count modes in has done neither.
    """
    fates = {
        name: fate(row) if row["high_quality_percent"][0] >= LEAST_QUALITY else "has not learned"
        for name, row in rows.items()
    }
    results = set(fates.values())
    word = "supported" if results == {LOSING} else "not supported" if results == {KEEPING} else "depends"
    text = "; ".join(
        f"{name.replace(': ', ' on ')} {fates[name]} ({row['seeds_with_all_modes']} of {row['seeds']} seeds keep all, "
        f"{row['captured_modes'][0]:.2g} modes and {row['high_quality_percent'][0]:.2g} % of high quality on average)"
        for name, row in rows.items()
    )
    return Verdict(word, f"{text[:1].upper()}{text[1:]}.")
