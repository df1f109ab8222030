"""Numbers as text: with as many digits as their intervals justify."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

DASH = "–"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
TINY = -5  # a number below 10^TINY is written with a power of ten
HUGE = 9  # and so is one from 10^HUGE on


def known(x: Any) -> TypeGuard[float]:
    """Whether `x` is a number that is finite.

    >>> known(0.5), known(None), known(float("nan"))
    (True, False, False)
    """
    return x is not None and math.isfinite(x)


def number(x: float | None, decimals: int | None = None) -> str:
    """`x` as text for the page, with a true minus sign: a dash if it is not known, three digits if `decimals` is None.

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
    """`value` in ASCII, for report.json: with a power of ten if `decimals` places would show nothing but zeros.

    >>> figure(0.9412, 2), figure(-3.2e-7, 3), figure(-0.0, 1)
    ('0.94', '-3.20e-07', '0.0')
    """
    if value and not 0.5 * 10.0**-decimals <= abs(value) < 10.0**HUGE:
        return f"{value:.2e}"
    return f"{value + 0.0:,.{decimals}f}"


def probability(p: float) -> str:
    """A p value as it is written after "p".

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
    """A JSON value on one line.

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
    """Decimal places for figures (mean, low, high) of one table, so that the narrowest interval is 3 to 29 units wide.

    A unit is one in the last place. The widest interval, by the same rule, limits this: at most one more place than it
    needs. There are more places if rounding would change a mean by more than 5 %, and at least two if all means are
    below 10. None if no interval has a width.

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
    """The number of decimal places with which a width is 3 to 29 units in the last place."""
    return -math.floor(math.log10(width / 3))


def power(x: float) -> int:
    """The power of ten of the first significant digit of a number that is not 0."""
    return math.floor(math.log10(abs(x)))


def decimals(table: Iterable[tuple[float, float, float]], gap: tuple[float, float, float]) -> int:
    """Decimal places for a sentence about a difference, so that its figures agree with each other and the table.

    They are those of the table, or more if needed to show two digits of the difference and one of each end of its
    interval, so that the sign of each end is visible.

    Args:
      table: (mean, low, high) of the figures in the table.
      gap: (mean, low, high) of the difference.
    """
    mean, low, high = gap
    wanted = [digits - power(x) for x, digits in ((mean, 1), (low, 0), (high, 0)) if x and power(x) >= TINY]
    if high != low and power(high - low) >= TINY:  # a smaller width may be a rounding error
        wanted.append(steps(high - low))
    common = places(table)
    return max(3 if common is None else common, *wanted, 0)
