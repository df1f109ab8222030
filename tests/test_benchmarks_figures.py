"""The arithmetic and the table of the benchmarks, on made-up times."""

import doctest
import math

import pytest

from benchmarks import figures
from benchmarks.figures import Ratio, Target


def test_ratio_pairs_rounds():
    # Kills: a ratio of medians (2.5 here); a mean (4.67); peer over ours; a spread of all against all.
    # A machine that slows down by ten for a round slows both sides, and the pairs do not see it.
    slow_round = figures.ratio([20.0, 2.0, 60.0], [10.0, 1.0, 6.0])
    assert slow_round == Ratio(2.0, 2.0, 10.0)
    with pytest.raises(ValueError, match="zip"):
        figures.ratio([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("low", "high", "resolved"), [(1.01, 1.4, True), (0.5, 0.99, True), (0.98, 1.4, False), (1.0, 1.4, False)]
)
def test_resolved(low, high, resolved):
    # Kills: a difference that is called one where the pairs fall on both sides of 1; `or` for `and` between the sides.
    assert Ratio(1.2, low, high).resolved is resolved


def test_not_resolved_is_printed():
    # Kills: a ratio within the spread printed as a result; the words printed beside one that is resolved.
    made = figures.row("r", "t", "images/s", {"ours": [3.0, 1.0], "a": [2.0, 2.0], "b": [0.5, 0.5]})
    lines = {line.split()[0]: line for line in figures.table(made).splitlines()}
    assert made["resolved"] == {"a": False, "b": True}
    assert "not resolved" in lines["a"] and "not resolved" not in lines["b"]


def test_row():
    # Kills: ours among the peers; best and worst swapped where seconds are better small; a median of ratios for ours.
    made = figures.row(
        "r", "t", "s", {"ours": [3.0, 1.0, 2.0], "jax": [4.0, 4.0, 1.0]}, compile_s={"ours": 0.5, "jax": 0.25}
    )
    assert (made["ours"], made["peers"], made["ratio"]) == (2.0, {"jax": 4.0}, {"jax": 0.75})
    assert (made["compile_s"], made["peers_compile_s"], made["rounds"]) == (0.5, {"jax": 0.25}, 3)
    mine = next(line.split() for line in figures.table(made).splitlines() if line.startswith("  ours"))
    assert mine == ["ours", "2", "1", "3", "0.5"]
    assert figures.table({**made, "peak_mib": {"ours": 300.0}}).splitlines()[2].split()[-1] == "300"
    mine = figures.table({**made, "unit": "images/s"}).splitlines()[2].split()
    assert mine == ["ours", "2", "3", "1", "0.5"]


def test_target_wants_every_peer():
    # Kills: `any` for `all`, which compares with the weakest peer; at most for at least; a verdict without a peer.
    weak, strong = Ratio(2.0, 1.9, 2.1), Ratio(1.2, 1.1, 1.3)
    assert figures.met(Target(1.5, least=True), {"weak": weak}) is True
    assert figures.met(Target(1.5, least=True), {"weak": weak, "strong": strong}) is False
    assert figures.met(Target(1.5, least=False), {"strong": strong}) is True
    assert figures.met(Target(1.5, least=True), {}) is None
    made = figures.row("r", "t", "images/s", {"ours": [2.0], "a": [1.0], "b": [3.0]}, target=Target(1.5, least=True))
    assert (
        made["target"]["met"] is False and figures.verdict(made["target"]) == "target: at least 1.5 of a and b: MISSED"
    )


def test_peers_beside_the_target():
    # Kills: a verdict over peers that stand beside; a peer beside that is not shown; a verdict that does not say whose.
    figures_of = {"ours": [2.0], "a": [1.0], "b": [3.0]}
    made = figures.row("r", "t", "images/s", figures_of, target=Target(1.5, least=True), beside=("b",))
    assert made["target"]["met"] is True and set(made["ratio"]) == {"a", "b"}
    assert figures.verdict(made["target"]) == "target: at least 1.5 of a: met"
    assert figures.row("r", "t", "s", {"ours": [2.0], "b": [3.0]}, target=Target(1, least=True), beside=("b",))[
        "target"
    ] == {"bound": 1, "least": True, "peers": [], "met": None}


def test_agreement():
    # Kills: a NaN that `max` passes over; an absolute difference, or one relative to next to nothing; a mean.
    assert figures.agreement([100.0, 2.0], [101.0, 2.0]) == pytest.approx(0.01)
    assert figures.agreement([0.01, -3.0], [0.02, -3.0]) == pytest.approx(0.01)  # a loss that passes through zero
    assert figures.agreement([1.0, 1.0], [math.nan, 1.0]) == math.inf


def test_table_fits():
    # Kills: a long reason that is not wrapped; a column that runs over.
    spread = {"ours": [123456.7, 123.4567], "torch compile": [0.001234567, 98765.4321]}
    peak = {"ours": 12345.6}
    made = figures.row(
        "r", "t", "images/s", spread, peak_mib=peak, skipped={"torch eager": "long words " * 30}, notes=["word " * 60]
    )
    assert max(map(len, figures.table(made).splitlines())) <= 100


def test_examples():
    # Kills: an example in a docstring that is no longer true; benchmarks/ is outside what pytest collects.
    found = doctest.testmod(figures)
    assert found.attempted >= 4 and not found.failed
