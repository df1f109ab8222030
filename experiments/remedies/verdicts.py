"""Which difficulties a remedy settles, and whether one settles them all: from figures alone."""

from collections.abc import Mapping
from typing import Any

from experiments.evidence import Verdict
from experiments.mode_collapse.verdicts import KEEPING, fate

ALIVE, MET = 0.1, 0.01  # the least share of the gradient that is left; the distance within which the players have met
PROBLEMS = ("modes", "gradient", "circling")
WORDS = {"modes": "lost modes", "gradient": "a vanishing gradient", "circling": "players that circle"}


def settled(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The difficulties that a remedy settles.

    >>> row = {"seeds_with_all_modes": 8, "seeds": 8, "gradient_left": [0.5, 0.09, 0.9], "distance_in_the_end": 0.0}
    >>> settled(row)
    ('modes', 'circling')
    """
    left, distance = row["gradient_left"], row["distance_in_the_end"]
    does = {
        "modes": fate(row) == KEEPING,
        "gradient": left is not None and left[1] is not None and left[1] > ALIVE,
        "circling": distance is not None and distance < MET,
    }
    return tuple(name for name in PROBLEMS if does[name])


def none_settles_all(figures: Mapping[str, Any]) -> Verdict:
    """Supported where no remedy settles all three, else not supported."""
    by = {name: settled(row) for name, row in figures["remedies"].items()}
    whole = [name for name, own in by.items() if len(own) == len(PROBLEMS)]
    parts = [f"all three: {_listed(whole)}"]
    for problem in PROBLEMS:
        parts.append(f"{WORDS[problem]}: {_listed([name for name, own in by.items() if problem in own])}")
    return Verdict("not supported" if whole else "supported", f"Settled are {'; '.join(parts)}.")


def practice(figures: Mapping[str, Any]) -> str:
    """The remedies that settle most, the one that takes the least arithmetic first."""
    rows = figures["remedies"]
    most = max(len(settled(row)) for row in rows.values())
    best = [name for name, row in rows.items() if len(settled(row)) == most]
    best.sort(key=lambda name: rows[name]["arithmetic_of_a_step"])
    each = [f"{name} ({rows[name]['arithmetic_of_a_step']:.2g} times the arithmetic of a step)" for name in best]
    return f"Most is settled, {most} of {len(PROBLEMS)}, by {', '.join(each)}: begin with the first."


def _listed(names: list[str]) -> str:
    return f"by {', '.join(names)}" if names else "by none"
