"""What the figures say of the adaptive weight and of what is done instead: from figures alone."""

from collections.abc import Mapping
from typing import Any

from experiments.adaptive_weight.training import ADAPTIVE, ADAPTIVE_R1, CONSTANT, CONSTANT_R1, LATE, NONE, NORMS, WARM
from experiments.answers import above, below
from experiments.evidence import Verdict

LEVEL = 0.05  # chance that some comparison seems to differ although none does
BLIND = 55.0  # per cent of pairs; 50 is chance
EXPLODES = 100.0  # times its median
BETTER, WORSE, MIXED, SAME = "better", "worse", "better in one figure and worse in another", "no sure difference"
OPEN = "open: a figure is missing"
WEIGHED = (ADAPTIVE, ADAPTIVE_R1, LATE, WARM)
PAIRS = (  # what is compared with what
    (ADAPTIVE, NONE),
    (ADAPTIVE, CONSTANT),
    (NORMS, CONSTANT),
    (NORMS, ADAPTIVE),
    (CONSTANT_R1, CONSTANT),
    (ADAPTIVE_R1, ADAPTIVE),
    (ADAPTIVE_R1, CONSTANT_R1),
    (LATE, ADAPTIVE),
    (WARM, LATE),
)


def parted(case: str) -> tuple[str, str]:
    """A case as (way, its weight of the KL).

    >>> parted("adaptive, R1, beta 0.01")
    ('adaptive, R1', 'beta 0.01')
    """
    way, _, beta = case.rpartition(", ")
    return way, beta


def explodes(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the weight explodes in half of the seeds of each case, not supported where in none of any.

    A weight that was not finite is no weight that did not explode.
    """
    cases = {case: row for case, row in figures["cases"].items() if parted(case)[0] in WEIGHED}
    shares = [row["seeds_exploded"] / row["seeds"] for row in cases.values()]
    word = "depends"
    if shares and min(shares) >= 0.5:
        word = "supported"
    elif shares and max(shares) == 0 and all(row["largest_weight"] is not None for row in cases.values()):
        word = "not supported"
    clauses = [
        f"{case} {row['seeds_exploded']} of {row['seeds']} (median {_short(row['median_weight'])}, largest "
        f"{_short(row['largest_weight'])}, {row['steps_at_limit_percent']:.2g} % of steps at the limit)"
        for case, row in cases.items()
    ]
    return Verdict(word, f"Seeds whose weight explodes: {'; '.join(clauses) or 'none was measured'}.")


def _short(number: float | None) -> str:
    return "not finite" if number is None else f"{number:.3g}"


def sight(row: Mapping[str, Any]) -> str:
    """What a critic tells apart in the end: "blind", "sees", or "unclear" where the interval holds the border.

    >>> sight({"told_apart_percent": [51.0, 49.0, 53.0]}), sight({"told_apart_percent": [60.0, None, None]})
    ('blind', 'unclear')
    """
    told_apart = row["told_apart_percent"]
    return "blind" if below(told_apart, BLIND) else "sees" if above(told_apart, BLIND) else "unclear"


def stuck(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the critic ends blind under the adaptive weight and not under a constant one, in every case."""
    results = {case: sight(row) for case, row in figures["cases"].items() if parted(case)[0] in (ADAPTIVE, CONSTANT)}
    betas = list(dict.fromkeys(parted(case)[1] for case in results))
    pairs = [tuple(results.get(f"{way}, {beta}", "unclear") for way in (ADAPTIVE, CONSTANT)) for beta in betas]
    word = "depends"
    if pairs and all(pair == ("blind", "sees") for pair in pairs):
        word = "supported"
    elif pairs and all(adaptive == "sees" for adaptive, _ in pairs):
        word = "not supported"
    rows = figures["cases"]
    clauses = [f"{case} {state} ({_percent(rows[case]['told_apart_percent'])})" for case, state in results.items()]
    return Verdict(word, f"Pairs that the critic tells apart in the end: {'; '.join(clauses) or 'none was measured'}.")


def _percent(ends: Any) -> str:
    return "not finite" if ends is None else f"{ends[0]:.0f} %"


def sign(row: Mapping[str, Any]) -> int:
    """1 where the first of a pair is surely better, lower, in a figure, -1 where it is surely worse, else 0.

    >>> sign({"difference": [-1.0, -2.0, 0.0], "p_corrected": 0.01}), sign({"difference": None, "p_corrected": None})
    (1, 0)
    """
    if row["p_corrected"] is None or row["p_corrected"] >= LEVEL:
        return 0
    return 1 if row["difference"][0] < 0 else -1


def compared(figures: Mapping[str, Any], first: str, second: str) -> dict[str, str]:
    """By the weight of the KL what becomes of the first way beside the second: BETTER, WORSE, MIXED, SAME or OPEN.

    A figure that was not tested may be better or worse: where nothing is surely worse without it, that is OPEN.
    """
    signs: dict[str, list[int]] = {}
    missing = set()
    for name, row in figures["differences"].items():
        pair, beta, _ = name.rsplit(": ", 2)
        if pair == f"{first} over {second}":
            signs.setdefault(beta, []).append(sign(row))
            if row["p_corrected"] is None:
                missing.add(beta)
    words = {(True, False): BETTER, (False, True): WORSE, (True, True): MIXED, (False, False): SAME}
    results = {beta: words[max(values) > 0, min(values) < 0] for beta, values in signs.items()}
    return {beta: OPEN if beta in missing and state in (BETTER, SAME) else state for beta, state in results.items()}


def beats(figures: Mapping[str, Any], first: str, second: str) -> Verdict:
    """Supported where the first way is better at every weight of the KL, not supported where surely at none."""
    states = compared(figures, first, second)
    results, word = set(states.values()), "depends"
    if results == {BETTER}:
        word = "supported"
    elif results and not results & {BETTER, OPEN}:
        word = "not supported"
    clauses = []
    for beta, state in states.items():
        start = f"{first} over {second}: {beta}: "
        values = {
            name.removeprefix(start): row for name, row in figures["differences"].items() if name.startswith(start)
        }
        sure = [f"{figure} {'lower' if sign(row) > 0 else 'higher'}" for figure, row in values.items() if sign(row)]
        clauses.append(f"{beta}: {state}" + (f" ({', '.join(sure)})" if sure else ""))
    return Verdict(word, f"{first} beside {second}, {'; '.join(clauses) or 'not measured'}.")


def ruins(figures: Mapping[str, Any]) -> Verdict:
    """Supported where errors end higher than before a late critic came, at every weight of the KL; lower: not so."""
    rows = figures["late"]
    ends = [row["change_to_the_end"] for row in rows.values()]
    word = "depends"
    if ends and all(above(one) for one in ends):
        word = "supported"
    elif ends and all(below(one) for one in ends):
        word = "not supported"
    clauses = [
        f"{case} from {row['error_before'][0]:.3f} to {row['error_in_the_end'][0]:.3f}, at worst "
        f"{row['largest_error_after'][0]:.3f}"
        for case, row in rows.items()
        if all(row[name] for name in ("error_before", "error_in_the_end", "largest_error_after"))
    ]
    return Verdict(word, f"The error of reconstructions goes {'; '.join(clauses) or 'nowhere: it was not measured'}.")
