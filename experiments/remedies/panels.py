"""The picture: remedies against difficulties."""

from collections.abc import Mapping
from typing import Any

from experiments import plots
from experiments.remedies.verdicts import settled

COLUMNS = {
    "modes": "modes kept\nseeds with all 8, overlap",
    "gradient": "gradient alive\nshare left far away",
    "circling": "players meet\ndistance in the end",
    "cost": "arithmetic\nof a step",
}


def table(rows: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A row for each remedy, a cell for each difficulty: filled where it is settled."""
    picture, axes = plots.figure("What each remedy settles", 1.5 + 0.42 * len(rows))
    panel = axes[0, 0]
    for y, (name, row) in enumerate(rows.items()):
        done = settled(row)
        plots.label(panel, -0.05, y, name, plots.INK, ha="right", fontsize=12)
        for x, (column, text) in enumerate(_cells(row).items()):
            good = column in done
            colour = plots.FAINT if column == "cost" else plots.BLUE if good else plots.ORANGE
            alpha = 0.12 if column == "cost" else 0.75 if good else 0.15
            panel.add_patch(plots.box(x + 0.02, y - 0.44, width=0.96, height=0.88, color=colour, alpha=alpha, lw=0))
            ink = "white" if good else plots.INK
            plots.label(panel, x + 0.5, y, text, ink, ha="center", fontsize=11)
    for x, heading in enumerate(COLUMNS.values()):
        plots.label(panel, x + 0.5, -1.05, heading, plots.INK, ha="center", fontsize=11)
    panel.set(xlim=(-1.25, len(COLUMNS)), ylim=(len(rows) - 0.4, -1.7))
    panel.axis("off")
    return plots.png(picture)


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    left, distance = row["gradient_left"], row["distance_in_the_end"]
    return {
        "modes": f"{row['seeds_with_all_modes']} of {row['seeds']}, {row['overlap_percent'][0]:.0f} %",
        "gradient": "none" if left is None else f"{left[0]:.2g}",
        "circling": "leaves" if distance is None else "under 1e-6" if distance < 1e-6 else f"{distance:.2g}",
        "cost": f"{row['arithmetic_of_a_step']:.2g}",
    }
