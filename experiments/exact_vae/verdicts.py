"""What the figures of the linear VAE say, as functions of the figures alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.evidence import Verdict
from experiments.exact_vae import training

EXACT = 1e-4  # nats, and parts of a gradient's largest entry: what counts as equal
REACHED = {training.EXACT: EXACT, training.DRAWN: 1e-3}  # nats that training may leave, by its way
GRADIENT_NOISE = 10.4  # standard deviations over drawn noise, summed over the gradient's entries at the optimum
NEAR = 0.05  # how nearly the gap of the importance bound has to meet its formula, from ENOUGH samples on
ENOUGH = 50
WIDE = 0.1  # nats that each bound of annealed importance sampling may be off, its interval included
AFTER = "elbo_lacks_after_training"


def tight(figures: Mapping[str, Any]) -> Verdict:
    """Supported where value, gradient and training all meet the closed forms, not supported where the value does not.

    Each way of training has a limit of its own, and both must hold; an ELBO above log p(x) is an error in either.

    >>> left = {f"elbo_lacks_after_training,_{way}": nats for way, nats in REACHED.items()}
    >>> tight({"seeds": {"seed 0": {"at_the_optimum": 1e-6, "gradient_error": 1e-6, **left}}}).word
    'supported'
    """
    rows = figures["seeds"].values()
    value, gradient = (max(row[name] for row in rows) for name in ("at_the_optimum", "gradient_error"))
    lacks = {way: [row[f"{AFTER},_{way}"] for row in rows] for way in REACHED}
    reached = all(-EXACT <= nats <= REACHED[way] for way, entry in lacks.items() for nats in entry)
    left = {way: max(entry, key=abs) for way, entry in lacks.items()}
    equal = [value <= EXACT, gradient <= EXACT, reached]
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
    text = f"{agree} of {units} units do what the rule says."
    return Verdict(word, text if not apart else f"{text} The others: {'; '.join(apart)}.")


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
    """Supported where both sides are surely right when chains are short, and close in on log p(x) with longer ones.

    A bound from below that is above log p(x), surely, or one that stays more than WIDE off, is against it.
    """
    rows = list(figures["chains"].items())
    (short, fewest), (long, most) = rows[0], rows[-1]
    ends = [most[side][1:] for side in ("forward", "reverse")]
    sure = fewest["forward"][2] < 0 < fewest["reverse"][1]
    crossed = fewest["forward"][1] > 0 or fewest["reverse"][2] < 0
    near = all(-WIDE < low and high < WIDE for low, high in ends)
    leaves = any(low < -WIDE or high > WIDE for low, high in ends)
    between = [row["reverse_minus_forward"][0] for _, row in rows]
    falls = len(rows) > 1 and all(a > b for a, b in zip(between, between[1:], strict=False))
    word = "not supported" if crossed or leaves else "supported" if sure and near and falls else "depends"
    means = "; ".join(f"{_spread(row['forward'])} and {_spread(row['reverse'])} with {name}" for name, row in rows)
    side = "surely on the wrong side" if crossed else "not surely on its side"
    first = f"With {short} {'both are surely on their sides' if sure else f'at least one is {side}'}"
    then = f"their difference {'falls' if falls else 'does not fall'} with each larger number"
    last = f"with {long} both are {'' if near else 'not '}within {WIDE:g} nats of log p(x), intervals included"
    return Verdict(word, f"Nats above log p(x), forward and reverse: {means}. {first}; {then}; {last}.")


def _spread(figure: Sequence[float]) -> str:
    mean, low, high = figure
    return f"{mean:.2g} ({low:.2g} to {high:.2g})"
