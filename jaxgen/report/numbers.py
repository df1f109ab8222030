"""Numbers as a reader wants them: with as many digits as they deserve."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

DASH = "–"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
TINY = -5  # the power of ten below which a number is written with its power
HUGE = 9  # the power of ten from which it is


def known(x: Any) -> TypeGuard[float]:
    """Whether `x` is a number that is finite.

    >>> known(0.5), known(None), known(float("nan"))
    (True, False, False)
    """
    return x is not None and math.isfinite(x)


def number(x: float | None, decimals: int | None = None) -> str:
    """`x` as a reader wants it: a dash where it is not known, a true minus, three digits where none are asked for.

    >>> number(0.94118, 3), number(-1234.5, 0), number(2.204), number(3.1e-7), number(float("nan"))
    ('0.941', '−1,234', '2.20', '3.10×10⁻⁷', '–')
    """
    if not known(x):
        return DASH
    x = float(x) + 0.0
    tens = power(x) if x else 0
    if tens < TINY or tens > 8:
        digits = 2 if decimals is None else min(max(tens + decimals, 1), 4)
        head, _, tail = f"{x:.{digits}e}".partition("e")
        return f"{head.replace('-', '−')}×10{str(int(tail)).translate(RAISED)}"
    text = f"{x:,.{max(0, 2 - tens) if decimals is None else decimals}f}"
    return text.replace("-", "−") if any(digit in "123456789" for digit in text) else text.lstrip("-")


def figure(value: float, decimals: int) -> str:
    """`value` in plain characters, for report.json: with its power of ten where so many decimals would hide it.

    >>> figure(0.9412, 2), figure(-3.2e-7, 3), figure(-0.0, 1)
    ('0.94', '-3.20e-07', '0.0')
    """
    if value and not 0.5 * 10.0**-decimals <= abs(value) < 10.0**HUGE:
        return f"{value:.2e}"
    return f"{value + 0.0:,.{decimals}f}"


def probability(p: float) -> str:
    """A p value behind the letter.

    >>> probability(0.03127), probability(2e-5), probability(0.2), probability(float("nan"))
    ('= 0.031', '< 0.001', '= 0.2', 'unknown')
    """
    return "unknown" if not known(p) else "< 0.001" if p < 0.001 else f"= {p:.2g}"


def duration(seconds: float | None) -> str:
    """Seconds in words.

    >>> duration(6), duration(161.2), duration(7322)
    ('6 s', '2 min 41 s', '2 h 2 min')
    """
    if not known(seconds):
        return DASH
    if seconds < 90:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def some(n: int, what: str) -> str:
    """A count with its noun.

    >>> some(1, "seed"), some(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def plain(value: Any) -> str:
    """Any plain value on one line.

    >>> plain({"encoder": 90656, "rate": 2e-4}), plain([0, 1]), plain(None)
    ('encoder 90,656, rate 0.0002', '0, 1', '–')
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or DASH
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DASH if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if 1e-4 <= abs(value) < 1e6 else number(value)


def places(spreads: Iterable[tuple[float, float, float]]) -> int | None:
    """Decimal places for figures (mean, low, high) of one table: the narrowest interval has a width of 3 to 29 steps.

    At most one place more than the widest interval deserves; but no mean loses more than 5 % of itself, and where all
    are below 10 there are two. None where no interval has a width.

    >>> places([(0.94, 0.92, 0.96), (0.5, 0.5, 0.5)]), places([(0.5, math.nan, math.nan)])
    (2, None)
    """
    spreads = list(spreads)
    widths = [high - low for _, low, high in spreads if high > low]
    if not widths:
        return None
    means = [abs(mean) for mean, _, _ in spreads if math.isfinite(mean)]
    needed = [1 - power(mean) for mean in means if mean and power(mean) >= TINY]
    fine, coarse = steps(min(widths)), steps(max(widths))
    return max(0, min(fine, coarse + 1), *needed, 2 if means and max(means) < 10 else 0)


def steps(width: float) -> int:
    """The decimal places by which a width is 3 to 29 steps long."""
    return -math.floor(math.log10(width / 3))


def power(x: float) -> int:
    """The power of ten of the first digit of a number that is not 0."""
    return math.floor(math.log10(abs(x)))


def decimals(table: Iterable[tuple[float, float, float]], gap: tuple[float, float, float]) -> int:
    """For all figures of a sentence about a difference, so that they agree with each other and with the table.

    Those of the table, or more: two digits of the difference, and one of each end, to tell its side of zero.

    Args:
      table: (mean, low, high) of the figures that stand in the table.
      gap: (mean, low, high) of the difference.
    """
    mean, low, high = gap
    wanted = [digits - power(x) for x, digits in ((mean, 1), (low, 0), (high, 0)) if x and power(x) >= TINY]
    if high != low and power(high - low) >= TINY:  # what is less may be a residue of rounding
        wanted.append(steps(high - low))
    common = places(table)
    return max(3 if common is None else common, *wanted, 0)
