"""The picture: remedies against difficulties."""

from collections.abc import Mapping
from typing import Any

from experiments import plots
from experiments.remedies.verdicts import settled

COLUMNS = {
    "modes": "modes kept\nseeds with all 8, overlap",
    "gradient": "gradient alive\nshare left far away",
    "circling": "players\ndistance in the end",
    "cost": "arithmetic\nof a step",
}


def table(rows: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A row for each remedy, a cell for each difficulty: dark where it is settled, grey where seeds do not tell."""
    picture, axes = plots.figure("What each remedy settles", 1.5 + 0.42 * len(rows))
    panel = axes[0, 0]
    shades = {
        True: (plots.BLUE, 0.75, "white"),
        False: (plots.ORANGE, 0.15, plots.INK),
        None: (plots.FAINT, 0.12, plots.INK),
    }
    for y, (name, row) in enumerate(rows.items()):
        done = settled(row)
        plots.label(panel, -0.05, y, name, plots.INK, ha="right", fontsize=12)
        for x, (column, text) in enumerate(_cells(row).items()):
            colour, alpha, words = shades[done.get(column)]
            panel.add_patch(plots.box(x + 0.02, y - 0.44, width=0.96, height=0.88, color=colour, alpha=alpha, lw=0))
            plots.label(panel, x + 0.5, y, text, words, ha="center", fontsize=11)
    for x, heading in enumerate(COLUMNS.values()):
        plots.label(panel, x + 0.5, -1.05, heading, plots.INK, ha="center", fontsize=11)
    panel.set(xlim=(-1.25, len(COLUMNS)), ylim=(len(rows) - 0.4, -1.7))
    panel.axis("off")
    return plots.png(picture)


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    left, distance, overlap = row["gradient_left"][0], row["distance_in_the_end"], row["overlap_percent"][0]
    end = "far" if distance is None else "under 1e-6" if distance < 1e-6 else f"{distance:.2g}"
    share = "" if overlap is None else f", {overlap:.0f} %"
    return {
        "modes": f"{row['seeds_with_all_modes']} of {row['seeds']}{share}",
        "gradient": "not finite" if left is None else f"{left:.2g}",
        "circling": f"{row['players']}, {end}",
        "cost": f"{row['arithmetic_of_a_step']:.2g}",
    }
