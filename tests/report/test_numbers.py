"""Numbers as a reader wants them."""

import math

import pytest

from jaxgen.report.numbers import duration, number


@pytest.mark.parametrize(
    "x, decimals, text",
    [
        (0.94118, 3, "0.941"),
        (0.94118, None, "0.941"),
        (1234.5, None, "1,234"),
        (-0.0004, 2, "0.00"),
        (-3.14159, 2, "−3.14"),
        (0, None, "0.00"),
        (3.1e-7, None, "3.10×10⁻⁷"),
        (-2.5e12, None, "−2.50×10¹²"),
        (None, 2, "–"),
        (math.inf, None, "–"),
        (math.nan, 1, "–"),
    ],
)
def test_number(x, decimals, text):
    # Kills: a hyphen for a minus; minus zero; NaN as text; digits by decimals alone for large and tiny numbers.
    assert number(x, decimals) == text


def test_duration():
    # Kills: minutes without their seconds; 90 s as 1 min.
    assert [duration(s) for s in (0.25, 6.0, 89, 90, 161.4, 7200, None)] == [
        "0.25 s", "6 s", "89 s", "1 min 30 s", "2 min 41 s", "2 h 0 min", "–",
    ]  # fmt: skip
