"""Which difficulties a remedy settles, and whether one settles them all: from figures alone."""

from collections.abc import Mapping
from typing import Any

from experiments.evidence import Verdict
from experiments.mode_collapse.verdicts import KEEPING, fate

ALIVE = 0.1  # the least share of the gradient that is left
WORDS = {"modes": "lost modes", "gradient": "a vanishing gradient", "circling": "players that do not meet"}


def settled(row: Mapping[str, Any]) -> dict[str, bool | None]:
    """For each difficulty whether a remedy settles it; None where the seeds do not tell.

    >>> row = {"seeds_with_all_modes": 8, "seeds": 8, "gradient_left": [0.5, 0.09, 0.9], "players": "circle"}
    >>> settled(row)
    {'modes': True, 'gradient': None, 'circling': False}
    """
    low, high = row["gradient_left"][1:]
    alive = None if low is None or low <= ALIVE <= high else low > ALIVE
    return {"modes": fate(row) == KEEPING, "gradient": alive, "circling": row["players"] == "meet"}


def none_settles_all(figures: Mapping[str, Any]) -> Verdict:
    """Supported where each remedy surely fails at one, not supported where one settles all three, else it depends."""
    by = {name: settled(row) for name, row in figures["remedies"].items()}
    whole = [name for name, values in by.items() if all(values.values())]
    maybe = [name for name, values in by.items() if name not in whole and False not in values.values()]
    word = "not supported" if whole else "depends" if maybe or not by else "supported"
    parts = [f"all three: {_listed(whole)}"]
    parts += [
        f"{words}: {_listed([n for n, values in by.items() if values[problem]])}" for problem, words in WORDS.items()
    ]
    undecided = f" Undecided: {', '.join(maybe)}." if maybe else ""
    return Verdict(word, f"Settled are {'; '.join(parts)}.{undecided}")


def practice(figures: Mapping[str, Any]) -> str:
    """The remedies that settle most, the one that takes the least arithmetic first."""
    rows = figures["remedies"]
    count = {name: sum(map(bool, settled(row).values())) for name, row in rows.items()}
    most = max(count.values(), default=0)
    if not most:
        return "None of these settles any of the three here: train longer, or try other strengths."
    best = sorted((name for name in rows if count[name] == most), key=lambda n: rows[n]["arithmetic_of_a_step"])
    each = [f"{name} ({rows[name]['arithmetic_of_a_step']:.2g} times the arithmetic of a step)" for name in best]
    return f"Most is settled, {most} of {len(WORDS)}, by {', '.join(each)}: begin with the first."


def _listed(names: list[str]) -> str:
    return f"by {', '.join(names)}" if names else "by none"
