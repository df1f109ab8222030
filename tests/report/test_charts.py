import re
from itertools import pairwise

import numpy as np
import pytest

from jaxgen.report.axes import Scale, labelled, position, scale, tick_words, ticks
from jaxgen.report.charts import Look, gap, lines, scatter, spark, whisker
from jaxgen.report.grids import layout

LOOK = Look("c0", "circle")


def spots(path: str) -> np.ndarray:
    return np.array([[float(x) for x in p.split()] for p in re.findall(r"[ML](-?[\d.]+ -?[\d.]+)", path)])


def strokes(svg: str) -> list[str]:
    return re.findall(r'<path class="line c0" d="([^"]*)"', svg)


@pytest.mark.parametrize(
    "low, high", [(0, 1), (-3.2, 4.1), (1e-6, 3e-6), (0.1, 7e5), (99.9, 100.1), (0.03, 2), (5, 9e9)]
)
def test_ticks_are_few_round_and_inside(low, high):
    # Kills: ticks outside the axis; 0.30000000000000004; two labels alike.
    axis = scale([low, high])
    at = ticks(axis)
    assert 1 <= len(at) <= 4 and all(axis.low <= t <= axis.high for t in at)
    words = tick_words(axis, at)
    assert len(set(words)) == len(at) and all(len(word) <= 12 for word in words)
    np.testing.assert_allclose([float(f"{t:.3g}") for t in at], at, rtol=1e-3 if high - low > 1 else 1e-2)


@pytest.mark.parametrize("low, high", [(-7e-5, 7e-5), (-0.06, 0.01), (0, 1), (1e3, 2.3e4), (-0.07, 0.02), (1, 9e5)])
def test_labels_below_a_narrow_chart_do_not_touch(low, high):
    # Kills: "−0.050−0.025 0.000"; one label where two fit; labels dropped where all fit.
    for axis in (Scale(low, high, False), Scale(low, high, True)):
        if axis.low <= 0 and axis.log:
            continue
        spots = [(175 * float(position(axis, t)), 7 * len(word)) for t, word in labelled(axis)]  # digits of 7 in 175 px
        assert all(x + n / 2 < y - m / 2 for (x, n), (y, m) in pairwise(spots))
        assert len(spots) == len(ticks(axis)) or len(spots) >= 2
    assert len(labelled(Scale(0, 1, False))) == len(ticks(Scale(0, 1, False))) == 3


def test_scale_and_position():
    # Kills: base 10 for one end and e for the other; a logarithm of what is not positive; NaN in an axis.
    assert not scale([-1, 1000]).log and not scale([0, 1000]).log and scale([1, 31]).log and not scale([1, 29]).log
    assert scale([]) == scale([0, 1]) == scale([np.nan, 0, 1, None])
    np.testing.assert_allclose(position(Scale(1, 100, True), [1, 10, 100]), [0, 0.5, 1], atol=1e-12)
    np.testing.assert_allclose(position(Scale(-1, 3, False), [-1, 1, 3, 5]), [0, 0.5, 1, 1.5])
    same = scale([0.983, 0.983])
    assert same.low < 0.983 < same.high


def test_a_bounded_figure_stays_on_its_axis():
    # Kills: an accuracy on a logarithmic axis, or a distance on none; an axis, or a bar, that goes beyond what a figure
    # can be; a bar that is cut where it need not be; an axis of no width where all figures stand at a bound.
    axis = scale([0.01, 0.97, -5.6, 6.4], bounds=(0.0, 1.0))
    assert axis == Scale(0.0, 1.0, False) and scale([0.01, 0.97]).log
    assert not scale([0.01, 0.97], bounds=(0.0, 1.0)).log
    svg = str(whisker({"mean": 0.4, "ci95": [-5.6, 6.4], "reference": None}, axis, LOOK))
    assert re.search(r'class="span c0" x1="0.00%" x2="100.00%"', svg) and re.search(r'<svg x="40.00%"', svg)
    assert scale([0.01, 0.97], bounds=(0.0, np.inf)).log and scale([1.0, 40.0], bounds=(1.0, np.inf)).low == 1
    assert scale([-5.6, 6.4], bounds=(0.0, np.inf)).low == 0 and scale([0.0, 0.0], bounds=(0.0, np.inf)).high > 0
    assert scale([0.4, 0.6], bounds=(0.0, 1.0)) == scale([0.4, 0.6])
    for edge in (0.0, 1.0):
        axis = scale([edge, edge], bounds=(0.0, 1.0))
        assert 0 <= axis.low < axis.high <= 1 and ticks(axis)


def test_whisker_stands_where_its_numbers_are():
    # Kills: low and high exchanged with the mean; the reference at the mean; a dot for a figure that is not known.
    cell = {"mean": 2.0, "ci95": [1.0, 4.0], "reference": 5.0}
    svg = str(whisker(cell, Scale(0, 10, False), LOOK))
    assert re.search(r'class="span c0" x1="10.00%" x2="40.00%"', svg)
    assert re.search(r'class="reference" x1="50.00%"', svg) and re.search(r'<svg x="20.00%"', svg)
    empty = str(whisker({"mean": None, "ci95": None, "reference": None}, Scale(0, 10, False), LOOK))
    assert "mark" not in empty and "span" not in empty and "reference" not in empty


def curve(seed, values):
    n = len(values)
    return {
        "seed": seed,
        "step": list(range(1, n + 1)),
        "seconds": list(np.arange(1, n + 1) / n),
        "losses": {"a": values},
    }


def test_a_line_a_seed_with_gaps():
    # Kills: lines of two seeds joined; a bridge over what is not finite; y turned down.
    svg = lines([curve(0, [1.0, 2, 3]), curve(7, [3.0, float("nan"), 1])], "a", LOOK, along="step", unit="steps")
    first, second = strokes(svg)
    assert first.count("M") == 1 and second.count("M") == 2
    seen = spots(first)
    assert (np.diff(seen[:, 0]) > 0).all() and (np.diff(seen[:, 1]) < 0).all()
    np.testing.assert_allclose(seen[:, 0], 346 * np.array([1, 2, 3]) / 3, atol=0.06)
    assert "seed 7: ends at 1.00" in svg and ">steps<" in svg and 'aria-label="a, 2 seeds, against steps"' in svg


def test_thinning_keeps_the_peaks():
    # Kills: every k-th point (a spike of one round vanishes); a thinned line that loses its ends.
    values = np.sin(np.arange(5000) / 300)
    values[2718] = 4.0
    svg = lines([curve(0, values.tolist())], "a", LOOK, along="seconds", unit="s")
    seen = spots(strokes(svg)[0])
    assert len(seen) <= 160
    peak = seen[np.argmin(seen[:, 1])]
    np.testing.assert_allclose(peak[0], 346 * 2719 / 5000, atol=0.06)
    np.testing.assert_allclose(seen[[0, -1], 0], [346 / 5000, 346], atol=0.06)


def test_a_wild_start_leaves_the_frame_and_nothing_else_does():
    # Kills: the range of the first steps for the whole picture; a clipped line that looks like a plateau.
    wild = [500.0, 90.0] + [20 + np.sin(i) for i in range(198)]
    seen = spots(strokes(lines([curve(0, wild)], "a", LOOK, along="step", unit="steps"))[0])
    assert seen[0, 1] < 0 and (seen[30:, 1] >= 0).all() and (seen[30:, 1] <= 180).all()
    assert np.ptp(seen[30:, 1]) > 100
    tame = [30.0, 25.0] + [20 + 8 * np.sin(i) for i in range(198)]
    seen = spots(strokes(lines([curve(0, tame)], "a", LOOK, along="step", unit="steps"))[0])
    assert (seen[:, 1] >= 0).all()


def test_curves_that_hold_nothing():
    # Kills: a maximum over nothing.
    for values in ([], [float("nan")] * 3, [1.0]):
        svg = lines([curve(0, values)], "a", LOOK, along="step", unit="steps")
        assert "nan" not in svg.replace("finite", "")
    assert "nan" not in spark([None, None, None], LOOK, "none")


def test_scatter_is_equal_on_both_axes_and_says_what_it_lost():
    # Kills: axes stretched apart; y turned down; points outside drawn at the edge.
    like = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.5]])
    svg = str(scatter(np.array([[0.0, 0.25], [0.6, 0.85], [9.0, 9.0], [np.inf, 0]]), like, LOOK, "a"))
    (made,) = re.findall(r'class="dots c0" d="([^"]*)"', svg)
    seen = spots(made.replace("h0", " "))
    np.testing.assert_allclose(seen[0], [165, 135], atol=0.06)
    np.testing.assert_allclose(seen[1] - seen[0], [135 * 0.6 / 1.2, -135 * 0.6 / 1.2], atol=0.11)
    assert len(seen) == 2 and "2 outside the frame" in svg


@pytest.mark.parametrize("shape", [(8, 8), (10, 7), (16, 16), (28, 28), (32, 32), (64, 64), (64, 8), (8, 64)])
def test_pictures_fit_a_phone_at_a_whole_zoom(shape):
    # Kills: a picture wider than 320; rows and columns exchanged.
    zoom, columns, rows = layout(shape)
    gap = max(1, max(shape) // 16)
    height, width = ((n * (side + gap) - gap) * zoom for n, side in ((rows, shape[0]), (columns, shape[1])))
    assert width <= 320 and height <= 320 and columns >= 4 and rows >= 4 and zoom >= 1


def test_the_deciding_difference_stands_beside_zero_and_its_margin():
    # Kills: the band to one side of zero; zero at the end of the axis; a band where no margin is stated.
    difference = {"mean": 3.0, "low": 2.0, "high": 4.0, "margin": 1.0}
    svg = str(gap(difference, LOOK))
    axis = scale([-1.0, 4.0])
    at = [f"{100 * float(position(axis, x)):.2f}%" for x in (-1.0, 0.0, 2.0, 3.0, 4.0)]
    assert f'class="zero" x1="{at[1]}"' in svg and f'class="span c0" x1="{at[2]}" x2="{at[4]}"' in svg
    wide = f"{100 * float(position(axis, 1.0) - position(axis, -1.0)):.2f}%"
    assert f'class="band" x="{at[0]}" width="{wide}"' in svg and f'<svg x="{at[3]}"' in svg
    bare = str(gap({"mean": 3.0, "low": None, "high": None, "margin": None}, LOOK))
    assert "band" not in bare and "span" not in bare and "zero" in bare
