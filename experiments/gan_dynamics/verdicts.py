"""What two players do: functions of the figures alone."""

from collections.abc import Mapping
from typing import Any

from experiments.evidence import Verdict

STILL, CLOSE = 2e-5, 0.01  # a log rate that counts as none; how nearly a rate has to be met
TURNS = 0.5  # the rotation from which on an eigenvalue is mostly turning
LEVEL = 0.05  # chance that some way seems to swing less or more although none does
DAMPING = ("momentum -0.5", "extragradient", "consensus", "R1")
"""What makes the players of all games of numbers meet, in turns at least, and is played on networks too."""
LEARNED = 12.5  # % of overlap: one of eight modes, made perfectly
BEHAVIOURS = ("diverges", "circles", "converges")
RATE = "simulated_log_rate"


def behaviour(rate: float) -> str:
    """What a log rate per step means.

    >>> behaviour(0.005), behaviour(1e-7), behaviour(-0.02)
    ('diverges', 'circles', 'converges')
    """
    return BEHAVIOURS[1] if abs(rate) <= STILL else BEHAVIOURS[0 if rate > 0 else 2]


def oscillates(figures: Mapping[str, Any]) -> Verdict:
    """Supported where no simulated case converges, not supported where all do, and else it depends."""
    kinds: dict[str, list[str]] = {name: [] for name in BEHAVIOURS}
    for case, row in figures["cases"].items():
        kinds[behaviour(row[RATE])].append(case)
    whole = {_game(case) for case in figures["cases"]}
    sentences = [f"{name.capitalize()}: {_by_way(cases, whole)}." for name, cases in kinds.items() if cases]
    word = "supported" if not kinds["converges"] else "depends" if len(sentences) > 1 else "not supported"
    return Verdict(word, " ".join(sentences))


def predicts(figures: Mapping[str, Any]) -> Verdict:
    """Supported where closed form, spectrum and simulation are one in every case, not supported where in none."""
    apart, worst = [], 0.0
    for case, row in figures["cases"].items():
        predicted = row["predicted_log_rate"]
        gaps = row["largest_difference"], abs(row["closed_form_log_rate"] - predicted)
        worst = max(worst, *gaps)
        apart += [] if all(gap <= _allowed(predicted) for gap in gaps) else [case]
    n = len(figures["cases"])
    if not apart:
        return Verdict(
            "supported",
            f"Closed form, prediction and simulation agree in all {n} cases; they differ by {worst:.1g} at most.",
        )
    word = "not supported" if len(apart) == n else "depends"
    return Verdict(
        word, f"Closed form, prediction or simulation disagree in {len(apart)} of {n} cases: {_list(apart)}."
    )


def _allowed(predicted: float) -> float:
    return STILL if abs(predicted) <= STILL else CLOSE * abs(predicted)


def pushes(figures: Mapping[str, Any]) -> Verdict:
    """Supported where momentum 0.5 lowers the rate in every case, not supported where in none, and else it depends."""
    sentences, good = [], []
    whole = {_game(case) for case in figures["momentum"]}
    for beta in ("0.5", "-0.5"):
        rows = {case: row for case, row in figures["momentum"].items() if _way(case).endswith(f"momentum {beta}")}
        lowered = [case for case, row in rows.items() if row[RATE] < row["without_momentum"] - STILL]
        meets = [case for case, row in rows.items() if behaviour(row[RATE]) == "converges"]
        if rows:
            ending = f"; converges: {_by_way(meets, whole)}" if meets else " and never converges"
            sentences.append(f"Momentum {beta} lowers the rate in {len(lowered)} of {len(rows)} cases{ending}.")
        good += [case in lowered for case in rows] if beta == "0.5" else []
    word = "depends" if any(good) and not all(good) else "supported" if any(good) else "not supported"
    return Verdict(word, " ".join(sentences) or "Nothing was played with momentum.")


def turning(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the leading eigenvalue surely mostly turns in every way, not supported where surely in none."""
    rows = {name: row["rotation"] for name, row in figures["ways"].items()}
    kinds = {
        "Mostly turns": [name for name, (_, low, _) in rows.items() if low is not None and low > TURNS],
        "Mostly does not": [name for name, (_, _, high) in rows.items() if high is not None and high < TURNS],
    }
    kinds["Undecided"] = [name for name in rows if name not in kinds["Mostly turns"] + kinds["Mostly does not"]]
    whole = {name for name, results in kinds.items() if len(results) == len(rows)}
    word = {"Mostly turns": "supported", "Mostly does not": "not supported"}.get(*whole) if len(whole) == 1 else None
    return Verdict(word or "depends", _grouped(kinds))


def meet(figures: Mapping[str, Any]) -> Verdict:
    """Supported where every simulated case converges, not supported where none does, and else it depends."""
    results = oscillates(figures)
    return results._replace(
        word={"supported": "not supported", "not supported": "supported"}.get(results.word, results.word)
    )


def steadies(figures: Mapping[str, Any]) -> Verdict:
    """Supported where each way that converges on numbers surely swings less, not supported where none does.

    A way that did not learn, or whose like without the remedy did not, is neither.
    """
    kinds: dict[str, list[str]] = {"Swings less": [], "Swings more": [], "Undecided": [], "Did not learn": []}
    for name, row in figures["against"].items():
        factor, sure = row["swing_as_a_factor"][0], row["p_swing"] is not None and row["p_swing"] < LEVEL
        kind = "Undecided" if not sure else "Swings less" if factor < 1 else "Swings more"
        kinds[kind if row["least_overlap_percent"] > LEARNED else "Did not learn"].append(name)
    learned = [name for name in figures["against"] if name in DAMPING and name not in kinds["Did not learn"]]
    less = [name in kinds["Swings less"] for name in learned]
    word = "depends" if not less or (any(less) and not all(less)) else "supported" if all(less) else "not supported"
    return Verdict(word, _grouped(kinds))


def tells(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the mean rank correlation of eigenvalue and swing is surely above zero, else not."""
    mean, low, high = figures["over_ways"]["modulus and swing"]["rank_correlation"]
    if low is None:
        return Verdict("not supported", "Too few seeds or ways to tell.")
    word = "supported" if low > 0 else "not supported"
    return Verdict(
        word, f"The rank correlation over the ways is {mean:.2f} ({low:.2f} to {high:.2f}), mean over seeds."
    )


def _way(case: str) -> str:
    return case.rpartition(": ")[0]


def _game(case: str) -> str:
    return case.rpartition(": ")[2]


def _by_way(cases: list[str], games: set[str]) -> str:
    """Each way once, with the games where these are not all."""
    ways: dict[str, list[str]] = {}
    for case in cases:
        ways.setdefault(_way(case), []).append(_game(case))
    return _list([way if len(values) == len(games) else f"{way} ({', '.join(values)})" for way, values in ways.items()])


def _list(names: list[str]) -> str:
    return "; ".join(names)


def _grouped(kinds: Mapping[str, list[str]]) -> str:
    return " ".join(f"{kind}: {_list(names)}." for kind, names in kinds.items() if names) or "Nothing to compare."
