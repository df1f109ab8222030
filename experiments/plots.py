"""The look of the pictures: one place for size, type and colours. A picture says in its title what one sees."""

import importlib.util
import io
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.core import BadRequest

# Okabe and Ito's colours, which the colour-blind tell apart; black is for what is known exactly.
BLUE, ORANGE, GREEN, PURPLE, INK, FAINT = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#1a1a1a", "#8c8c8c"
STYLE: dict[str, Any] = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.labelsize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.titlelocation": "left",
    "lines.linewidth": 2,
    "text.color": INK,
}
WIDTH, DPI = 10.0, 160  # inches and dots: 1600 pixels, of which a page shows 800


def require() -> None:
    """Refuses before anything is computed where pictures cannot be made.

    Raises:
      BadRequest: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise BadRequest("the pictures want matplotlib: pip install 'jaxgen[experiments]'.")


def figure(title: str, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure with `title`, and its axes as an array [rows, columns]; `height` in inches."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        picture = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        axes = picture.subplots(rows, columns, squeeze=False, **options)
        picture.suptitle(title, x=0.01, ha="left", fontsize=17, fontweight="bold")
    return picture, axes


def png(picture: Any) -> bytes:
    """The figure as a PNG that does not depend on the version of what drew it."""
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        picture.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def label(axes: Any, x: float, y: float, text: str, colour: str, **options: Any) -> None:
    """Words beside what they name, in its colour: no legend to look up."""
    axes.annotate(
        text, (x, y), **{"color": colour, "fontsize": 13, "va": "center", "annotation_clip": False, **options}
    )


def tiled(x: Any, columns: int) -> Any:
    """Images [N, H, W, C] in [0, 1] side by side, with a light line between them: [H', W', 3].

    >>> import numpy as np
    >>> tiled(np.zeros((3, 8, 8, 1)), 2).shape  # two rows, the last place is empty
    (19, 19, 3)
    """
    import numpy as np

    x = np.clip(np.asarray(x, np.float32), 0, 1)
    n, h, w, c = x.shape
    rows = -(-n // columns)
    whole = np.full((rows * (h + 1) + 1, columns * (w + 1) + 1, 3), 0.75, np.float32)
    for i, image in enumerate(x):
        top, left = 1 + (i // columns) * (h + 1), 1 + (i % columns) * (w + 1)
        whole[top : top + h, left : left + w] = image if c == 3 else image[..., :1]
    return whole


def images(axes: Any, x: Any, columns: int, title: str, colour: str, size: int = 13) -> None:
    """Images as a panel, with a title in the colour of who made them."""
    axes.imshow(tiled(x, columns), interpolation="nearest")
    axes.set_title(title, fontsize=size, fontweight="bold", color=colour, loc="left")
    axes.axis("off")


def box(x: float, y: float, **options: Any) -> Any:
    """A rectangle whose corner is at (x, y)."""
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), **options)


def marked(axes: Any, places: Mapping[str, tuple[Sequence, Sequence]], colours: Mapping[str, str]) -> None:
    """Ways in a plane, each with its name above or below it by turns, so that neighbours do not cover each other.

    Args:
      axes: of the panel.
      places: by name ([mean, low, high], [mean, low, high]) of x and y; ends may be None.
      colours: by name, of those that have one and a dot; the others are grey diamonds.
    """
    for turn, who in enumerate(sorted(places, key=lambda who: places[who][0][0])):
        (x, *xs), (y, *ys) = places[who]
        colour, mark = colours.get(who, FAINT), "o" if who in colours else "D"
        if None not in (*xs, *ys):
            axes.plot([max(xs[0], x / 10), xs[1]], [y, y], color=colour, linewidth=1.5)
            axes.plot([x, x], [max(ys[0], y / 10), ys[1]], color=colour, linewidth=1.5)  # y may be on a log scale
        axes.plot(x, y, mark, color=colour, markersize=9 if mark == "o" else 6)
        away = {"xytext": (0, -15 if turn % 2 else 13), "textcoords": "offset points", "ha": "center", "fontsize": 11}
        label(axes, x, y, who, colour, **away)


def plain(axis: Any) -> None:
    """Numbers in place of powers on a logarithmic axis; those between the powers only where it spans few of them."""
    from matplotlib.ticker import LogFormatter

    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))
