"""What is said of a figure of report.json."""

import pytest

from jaxgen.report.cells import Standing, bracket, missing, places, standing
from jaxgen.report.numbers import number
from jaxgen.report.sentences import direction


def cell(mean, low, high, *, up=True, reference=None):
    return {"mean": mean, "ci95": [low, high], "higher_is_better": up, "reference": reference, "n": 5, "failed": 0}


@pytest.mark.parametrize(
    "intervals, expected",
    [([(0.973, 0.981)], 3), ([(0.92, 0.96)], 2), ([(2.0, 2.4)], 1), ([(100.0, 180.0)], 0), ([(1, 1)], None)],
)
def test_places_follow_the_interval(intervals, expected):
    # Kills: places of the mean instead of the interval's; negative places; log of zero.
    assert places([{"ci95": list(ends)} for ends in intervals]) == expected


def test_places_of_a_narrow_beside_a_wide_interval():
    # Kills: the narrowest deciding alone (5 decimals behind an interval of .4).
    assert places([{"ci95": [0.5, 0.50004]}, {"ci95": [0.2, 0.6]}, {"ci95": None}, {"ci95": [None, 1]}]) == 2


def test_no_mean_is_rounded_away_beside_a_wide_interval():
    # Kills: an AUROC of .5 printed as 0 and one of .75 as 1, beside an interval of 30; a lost 5 % of .015.
    wide = [cell(0.75, -14.0, 15.5), cell(0.5, 0.5, 0.5), cell(0.0149, -30, 30)]
    assert places(wide[:2]) == 2 and places(wide) == 3
    for means in ([0.75, 0.5], [0.0149, 3.0], [7.0, 130.0], [0.00052, 8e-5], [4.0, None]):
        cells = [{"mean": mean, "ci95": [-519.0, 788.0]} for mean in means]
        for mean in filter(None, means):
            printed = float(number(mean, places(cells)))
            assert abs(printed - mean) <= 0.05 * mean, (means, printed)
    assert places([{"mean": 4.0, "ci95": [-519.0, 788.0]}]) == 2
    assert places([{"mean": 140.0, "ci95": [-519.0, 788.0]}]) == 0
    assert number(1.49e-7, 2) == "1.5×10⁻⁷"


def test_best_only_where_the_interval_is_clear():
    # Kills: the best mean called best in spite of overlap; direction ignored.
    clear = {"a": cell(0.9, 0.89, 0.91), "b": cell(0.8, 0.78, 0.82), "c": cell(0.7, 0.6, 0.8)}
    assert standing(clear) == {"a": Standing("best", True)}
    down = {name: {**c, "higher_is_better": False} for name, c in clear.items()}
    assert set(standing(down)) == {"b", "c"} and not any(s.best for s in standing(down).values())
    touching = {"a": cell(0.9, 0.85, 0.95), "b": cell(0.86, 0.82, 0.90), "c": cell(0.7, 0.6, 0.8)}
    assert standing(touching) == {name: Standing("among the best", False) for name in "ab"}


def test_beyond_the_reference_nobody_is_best():
    # Kills: a density of 1.77 above a reference of 1.03 called best; a reference read upside down for distances.
    density = {"vae": cell(1.77, 1.72, 1.82, reference=1.03), "gan": cell(0.68, 0.64, 0.73, reference=1.03)}
    assert standing(density) == {"vae": Standing("beyond reference", False)}
    distance = {"a": cell(0.2, 0.1, 0.3, up=False, reference=0.38), "b": cell(0.6, 0.5, 0.7, up=False, reference=0.38)}
    assert standing(distance) == {"a": Standing("beyond reference", False)}
    above = {name: {**c, "reference": 0.05} for name, c in distance.items()}
    assert standing(above) == {"a": Standing("best", True)}


def test_nothing_is_said_without_grounds():
    # Kills: a best one among one; a best one where no direction is better, or without an interval.
    one = {"a": cell(0.9, 0.89, 0.91)}
    assert standing(one) == {}
    assert standing({**one, "b": {"mean": None, "ci95": None, "higher_is_better": True, "n": 0}}) == {}
    assert standing({name: cell(x, x - 0.1, x + 0.1, up=None) for name, x in (("a", 1), ("b", 2))}) == {}
    assert standing({**one, "b": {**cell(2.0, 0, 0), "ci95": None}}) == {}
    unsure = {**one, "b": {**cell(0.5, 0, 0), "ci95": None}}
    assert standing({**unsure, "c": cell(0.1, 0, 0.2)}) == {name: Standing("among the best", False) for name in "ab"}


def test_among_the_best_is_not_said_of_all():
    # Kills: words beside every figure, which tell none from another.
    alike = {name: cell(x, x - 0.1, x + 0.1) for name, x in (("a", 0.9), ("b", 0.85), ("c", 0.8))}
    assert standing(alike) == {} and standing({**alike, "d": cell(0.1, 0, 0.2)}).keys() == set("abc")


def test_reasons():
    # Kills: one reason for all.
    assert (
        missing({"n": 0, "failed": 5}) == "all 5 seeds failed" and missing({"n": 0, "failed": 1}) == "the seed failed"
    )
    assert missing({"mean": None}) == "not measured" and missing({"n": 3}) == "not a finite number"
    assert bracket({"mean": 1.0, "ci95": None, "n": 1}, 2) == "one run"
    assert bracket({"mean": 1.0, "ci95": [1.0, 1.0], "n": 5}, 2) == "the same for all seeds"
    assert bracket({"mean": 1.0, "ci95": [-0.5, 2.5], "n": 5}, 1).split() == ["−0.5", "to", "2.5"]
    assert len({direction(way) for way in (True, False, None)}) == 3
    assert "higher" in direction(True) and "lower" in direction(False)
