"""Small charts as inline SVG. Colours are CSS variables of the page, so one drawing serves both themes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from jaxgen.report.axes import Scale, labelled, position, scale, tick_words, ticks
from jaxgen.report.cells import interval
from jaxgen.report.numbers import known, number

MARKS = {
    "circle": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "square": "M-4.5-4.5h9v9h-9z",
    "diamond": "M0-6L6 0L0 6L-6 0z",
    "triangle": "M0-5.5L5.5 4.5h-11z",
    "ring": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
}
POINTS = 2000  # the most points that a scatter plot draws
LEFT, TOP, WIDE, HIGH = 46, 10, 346, 180  # the frame of a curve in its 400 x 228
BINS = 75  # a long curve is divided into so many parts, and of each the smallest and the largest value are drawn


class Look(NamedTuple):
    """How a model looks everywhere on the page: a colour class of the style sheet and a shape."""

    colour: str
    mark: str


def mark(look: Look, x: str = "50%", y: str = "50%") -> Markup:
    """The shape of a model at the position (x, y) of an SVG."""
    return Markup('<svg x="{}" y="{}" class="mark {} {}"><path d="{}"/></svg>').format(
        x, y, look.colour, look.mark, MARKS[look.mark]
    )


def key(look: Look) -> Markup:
    """The shape of a model, drawn beside its name; screen readers skip it because the name follows."""
    return Markup('<svg class="key" width="14" height="14" aria-hidden="true">{}</svg>').format(mark(look))


def whisker(cell: Mapping, axis: Scale, look: Look) -> Markup:
    """A figure as a dot with its 95 % interval, and the reference as a dashed line. The table gives the numbers."""
    rule = Markup('<line class="{0}" x1="{1}" x2="{1}" y1="0" y2="100%"/>')
    parts = [rule.format("grid", _at(axis, t)) for t in ticks(axis)]
    if known(cell.get("reference")):
        parts.append(rule.format("reference", _at(axis, cell["reference"])))
    ends = interval(cell)
    if ends:
        low, high = (_at(axis, end) for end in ends)
        parts.append(Markup('<line class="span {}" x1="{}" x2="{}" y1="50%" y2="50%"/>').format(look.colour, low, high))
    if known(cell.get("mean")):
        parts.append(mark(look, _at(axis, cell["mean"])))
    return Markup('<svg class="whisker" aria-hidden="true">{}</svg>').format(Markup("").join(parts))


def gap(difference: Mapping, look: Look) -> Markup:
    """A difference as a dot with its 95 % interval, with a line at zero and a band of the margin around it."""
    mean, low, high, margin = (difference.get(name) for name in ("mean", "low", "high", "margin"))
    band = [-margin, margin] if known(margin) else []
    axis = scale([mean, low, high, 0.0, *band])
    parts = []
    if band:
        left, wide = _at(axis, band[0]), f"{100 * float(position(axis, band[1]) - position(axis, band[0])):.2f}%"
        parts.append(Markup('<rect class="band" x="{}" width="{}" y="0" height="100%"/>').format(left, wide))
    parts.append(Markup('<line class="zero" x1="{0}" x2="{0}" y1="0" y2="100%"/>').format(_at(axis, 0.0)))
    if known(low) and known(high):
        ends = _at(axis, low), _at(axis, high)
        parts.append(Markup('<line class="span {}" x1="{}" x2="{}" y1="50%" y2="50%"/>').format(look.colour, *ends))
    if known(mean):
        parts.append(mark(look, _at(axis, mean)))
    return Markup('<svg class="whisker" aria-hidden="true">{}</svg>').format(Markup("").join(parts))


def ruler(axis: Scale) -> Markup:
    """The tick labels below a column of whisker plots."""
    parts = [
        Markup('<text x="{}" y="12" text-anchor="middle">{}</text>').format(_at(axis, t), word)
        for t, word in labelled(axis)
    ]
    return Markup('<svg class="ruler" aria-hidden="true">{}</svg>').format(Markup("").join(parts))


def spark(values: Sequence[float | None], look: Look, title: str) -> Markup:
    """A few values in order as a small line."""
    width, height = 96, 28
    axis = scale(values, margin=0.15)._replace(log=False)
    spots = [
        (8 + i * (width - 16) / max(1, len(values) - 1), height * (1 - float(position(axis, v))))
        for i, v in enumerate(values)
        if known(v)
    ]
    dots = [mark(look, f"{x:.1f}", f"{y:.1f}") for x, y in spots[-1:]]
    return Markup(
        '<svg class="spark" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">'
        '<path class="line {3}" d="{4}"/>{5}</svg>'
    ).format(width, height, title, look.colour, _path(spots), Markup("").join(dots))


def lines(
    curves: Sequence[Mapping[str, Any]], name: str, look: Look, *, along: str, unit: str, highest: float | None = None
) -> Markup:
    """A chart of one loss of one model, with one line for each seed.

    Args:
      curves: for each seed `{"seed", along: [...], "losses": {name: [...]}}`; values that are not finite leave a gap.
      name: the loss, with its unit.
      look: of the model.
      along: "seconds" or "step", the horizontal axis.
      unit: the label of the horizontal axis.
      highest: the end of the horizontal axis, so that charts can share it; None: the last value.
    """
    runs = [(c["seed"], np.asarray(c[along], float), _floats(c["losses"][name])) for c in curves if name in c["losses"]]
    far = highest or max((float(x[-1]) for _, x, _ in runs if len(x)), default=1.0) or 1.0
    across, up = Scale(0.0, far, False), _range([(x, y) for _, x, y in runs])
    parts = [Markup('<path class="axis" d="M{0} {1}v{2}h{3}"/>').format(LEFT, TOP, HIGH, WIDE)]
    at = ticks(up)
    for t, word in zip(at, tick_words(up, at), strict=True):
        y = TOP + HIGH * (1 - float(position(up, t)))
        parts.append(
            Markup('<path class="grid" d="M{} {:.1f}h{}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
                LEFT, y, WIDE, LEFT - 6, y + 4, word
            )
        )
    at = ticks(across, 5)
    for t, word in zip(at, tick_words(across, at), strict=True):
        x = LEFT + float(position(across, t)) * WIDE
        parts.append(Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x, TOP + HIGH + 17, word))
    parts.append(Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(LEFT + WIDE, TOP + HIGH + 34, unit))
    inside = Markup("").join(_stroke(seed, *_thin(x, y), across, up, look) for seed, x, y in runs)
    parts.append(
        Markup('<svg class="clip" x="{}" y="{}" width="{}" height="{}">{}</svg>').format(LEFT, TOP, WIDE, HIGH, inside)
    )
    label = f"{name}, {len(runs)} {'seed' if len(runs) == 1 else 'seeds'}, against {unit}{', logarithmic' * up.log}"
    return Markup('<svg class="curve" viewBox="0 0 400 228" role="img" aria-label="{}">{}</svg>').format(
        label, Markup("").join(parts)
    )


def scatter(points, like, look: Look, label: str) -> Markup:
    """Points in a model's colour over real ones in grey, on axes of equal scale with a tenth of margin on each side."""
    points, like = (np.asarray(a, np.float64)[:POINTS] for a in (points, like))
    middle, reach = (like.min(0) + like.max(0)) / 2, max(float(np.ptp(like, axis=0).max()) * 0.6, 1e-6)
    parts, lost = [], 0
    for i, side in enumerate("xy"):
        axis = Scale(middle[i] - reach, middle[i] + reach, False)
        at = ticks(axis)
        for t, word in zip(at, tick_words(axis, at), strict=True):
            p = float(position(axis, t))
            where = (30 + 270 * p, 292, "middle") if side == "x" else (24, 274 - 270 * p, "end")
            parts.append(Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(*where, word))
    for cloud, style in ((like, "c-real below" if len(points) else "c-real"), (points, look.colour)):
        at = (cloud - middle) / reach
        inside = np.isfinite(at).all(1) & (np.abs(at) <= 1).all(1)
        spots, lost = (at[inside] * [1, -1] + 1) * 135 + [30, 0], int((~inside).sum())
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in spots)
        parts.append(Markup('<path class="dots {}" d="{}"/>').format(style, dots))
    label = f"{label}{f'; {lost} outside the frame' if lost else ''}"
    return Markup(
        '<svg class="scatter" viewBox="0 0 301 300" role="img" aria-label="{}">'
        '<path class="frame" d="M30 .5H300.5V270H30z"/>{}</svg>'
    ).format(label, Markup("").join(parts))


def _stroke(seed, x: np.ndarray, y: np.ndarray, across: Scale, up: Scale, look: Look) -> Markup:
    u, v = WIDE * position(across, x), HIGH * (1 - np.clip(position(up, y), -9, 9))
    pieces: list[list] = []
    piece: list = []
    for spot in zip(u, v, strict=True):
        if np.isfinite(spot[1]):
            piece.append(spot)
        else:
            pieces, piece = [*pieces, piece], []
    path = "".join(map(_path, [*pieces, piece]))
    last = y[np.isfinite(y)]
    end = "never finite" if not len(last) else f"ends at {number(last[-1])}" if known(y[-1]) else "ends not finite"
    return Markup('<path class="line {}" d="{}"><title>seed {}: {}</title></path>').format(look.colour, path, seed, end)


def _at(axis: Scale, x: float) -> str:
    return f"{100 * min(max(float(position(axis, x)), 0.0), 1.0):.2f}%"


def _path(spots: Sequence[tuple[float, float]]) -> str:
    text = "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(spots))
    return text + "h0" * (len(spots) == 1)  # a single point is drawn as a line of length 0 with round ends


def _floats(values: Sequence) -> np.ndarray:
    return np.array([v if known(v) else np.nan for v in values], float)


def _range(runs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Scale:
    # The first twentieth of a run may leave the frame if the rest would be too flat to read otherwise.
    late = [v for x, y in runs for v in y[np.searchsorted(x, 0.05 * x[-1]) if len(x) else 0 :] if np.isfinite(v)]
    every = [v for _, y in runs for v in y if np.isfinite(v)]
    whole, part = scale(every), scale(late)
    pressed = late and not whole.log and np.ptp(every) > 3 * np.ptp(late)
    return part if pressed else whole


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(x) <= 2 * BINS:
        return x, y
    keep = {0, len(x) - 1}
    for part in np.array_split(np.arange(len(x)), BINS):
        ok = part[np.isfinite(y[part])]
        keep |= {int(ok[np.argmin(y[ok])]), int(ok[np.argmax(y[ok])])} if len(ok) else {int(part[0])}
    at = np.array(sorted(keep))
    return x[at], y[at]
