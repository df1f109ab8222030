"""What the figures of the linear VAE say, as functions of the figures alone."""

from collections.abc import Mapping
from typing import Any

from experiments.evidence import Verdict

EXACT = 1e-4  # nats, and parts of a gradient's largest entry: what counts as equal
NEAR = 0.05  # how nearly the gap of the importance bound has to meet its formula, from ENOUGH samples on
ENOUGH = 50
WIDE = 0.1  # nats between the two bounds of annealed importance sampling
AFTER = "elbo_lacks_after_training"


def tight(figures: Mapping[str, Any]) -> Verdict:
    """Supported where value, gradient and training all meet the closed forms, not supported where the value does not.

    >>> row = {"at_the_optimum": 1e-6, "gradient_error": 1e-6, "elbo_lacks_after_training,_x": 2e-5}
    >>> tight({"seeds": {"seed 0": row}}).word
    'supported'
    """
    rows = figures["seeds"].values()
    value, gradient = (max(row[name] for row in rows) for name in ("at_the_optimum", "gradient_error"))
    ways = [name for name in next(iter(rows)) if name.startswith(AFTER)]
    left = {name.partition(",_")[2]: max(abs(row[name]) for row in rows) for name in ways}
    reached = min(left.values())
    equal = [value <= EXACT, gradient <= EXACT, reached <= EXACT]
    word = "supported" if all(equal) else "not supported" if not equal[0] else "depends"
    trained = "; ".join(f"{nats:.1g} nats with {way}" for way, nats in left.items())
    return Verdict(
        word,
        f"At the optimum they differ by {value:.1g} nats at most, and the gradient is off by {gradient:.1g} of its "
        f"largest entry. After training the ELBO lacks at most {trained}.",
    )


def collapses(figures: Mapping[str, Any]) -> Verdict:
    """Supported where every unit of every seed does what the rule says, not supported where most do not."""
    rows = figures["cases"]
    agree, units = (sum(row[name] for row in rows.values()) for name in ("units_as_the_rule_says", "units"))
    apart = [case for case, row in rows.items() if row["units_as_the_rule_says"] < row["units"]]
    word = "supported" if not apart else "depends" if 2 * agree > units else "not supported"
    said = f"{agree} of {units} units do what the rule says."
    return Verdict(word, said if not apart else f"{said} The others: {'; '.join(apart)}.")


def importance(figures: Mapping[str, Any]) -> Verdict:
    """Supported where bounds rise with K, stay below log p(x) and meet the formula; not supported where none does."""
    rows = list(figures["counts"].items())
    gaps = [row["gap_nats"] for _, row in rows]
    ordered = all(low > 0 for _, low, _ in gaps) and all(a[1] > b[2] for a, b in zip(gaps, gaps[1:], strict=False))
    many = [(name, row) for name, row in rows if int(name.split()[-1]) >= ENOUGH]
    close = [abs(row["gap_over_formula"] - 1) <= NEAR for _, row in many]
    word = "supported" if ordered and close and all(close) else "depends" if ordered or any(close) else "not supported"
    order = "Every bound is above the one of fewer samples and below log p(x)." if ordered else "They are out of order."
    shares = ", ".join(f"{row['gap_over_formula']:.3g} ({name})" for name, row in rows)
    return Verdict(word, f"{order} The gap in parts of the formula: {shares}.")


def brackets(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the longest chains bracket log p(x) narrowly in every seed, not supported where in none."""
    name, row = list(figures["chains"].items())[-1]
    inside, seeds, width = row["seeds_bracketed"], row["seeds"], row["width"]
    narrow = 0 <= width <= WIDE
    word = "supported" if inside == seeds and narrow else "not supported" if not inside or not narrow else "depends"
    return Verdict(
        word, f"With {name} the truth is inside in {inside} of {seeds} seeds, and {width:.2g} nats are open."
    )
