"""The look of the pictures: one place for size, type and colours. A picture says in its title what one sees."""

import importlib.util
import io
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
        made = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        axes = made.subplots(rows, columns, squeeze=False, **options)
        made.suptitle(title, x=0.01, ha="left", fontsize=17, fontweight="bold")
    return made, axes


def png(made: Any) -> bytes:
    """The figure as a PNG that does not depend on the version of what drew it."""
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        made.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def label(axes: Any, x: float, y: float, text: str, colour: str, **options: Any) -> None:
    """Words beside what they name, in its colour: no legend to look up."""
    axes.annotate(
        text, (x, y), **{"color": colour, "fontsize": 13, "va": "center", "annotation_clip": False, **options}
    )
