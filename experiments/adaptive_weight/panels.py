"""The pictures: the course of the weight and of the critic, where every way ends, and what it makes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments import plots
from experiments.adaptive_weight.training import (
    ADAPTIVE,
    ADAPTIVE_R1,
    LATE,
    LIMIT,
    NONE,
    WARM,
    Trained,
)

COLOURS = {
    ADAPTIVE: plots.BLUE,
    ADAPTIVE_R1: plots.GREEN,
    LATE: plots.ORANGE,
    WARM: plots.PURPLE,
    NONE: plots.FAINT,
}
SHOWN = 10
Found = Mapping[str, Mapping[str, Trained]]  # "beta 0.01" -> way -> all seeds


def course(results: Found) -> bytes:
    """Two panels for each weight of the KL: the weight of the adversarial loss, and what the critic tells apart."""
    picture, axes = plots.figure(
        "The adaptive weight, and what the critic still sees", 7.0, 2, len(results), sharex=True
    )
    for place, (beta, ways) in enumerate(results.items()):
        values = {way: runs for way, runs in ways.items() if way in COLOURS and way != NONE}
        weight, told_apart = axes[:, place]
        for way, runs in values.items():
            steps = runs.weights.shape[1]
            windows = np.array_split(np.arange(steps), min(100, steps))
            middle = np.stack([np.median(runs.weights[:, window], 1) for window in windows], 1)
            high = np.stack([runs.weights[:, window].max(1) for window in windows], 1)
            ends = [window[-1] + 1 for window in windows]
            weight.plot(ends, np.maximum(np.median(middle, 0), 1e-3), color=COLOURS[way])
            weight.fill_between(
                ends, np.maximum(middle.min(0), 1e-3), high.max(0), color=COLOURS[way], alpha=0.15, lw=0
            )
            looks = steps * (1 + np.arange(runs.told_apart.shape[1])) / runs.told_apart.shape[1]
            told_apart.plot(looks, 100 * runs.told_apart.mean(0), color=COLOURS[way])
        weight.axhline(LIMIT, color=plots.INK, linewidth=1)
        weight.set(yscale="log", title=f"{beta}", ylim=(0.05, 3 * LIMIT))
        told_apart.axhline(50, color=plots.INK, linewidth=1)
        told_apart.set(ylim=(0, 103), xlabel="steps")
        plots.label(weight, 0, 0.55 * LIMIT, "limit", plots.INK)
        plots.label(told_apart, 0, 45, "chance", plots.INK)
    axes[0, 0].set_ylabel("weight of the adversarial loss")
    axes[1, 0].set_ylabel("pairs told apart, %")
    first = next(iter(results.values()))
    for line, way in enumerate(way for way in COLOURS if way in first and way != NONE):
        axes[0, 0].text(0.97, 0.84 - 0.09 * line, way, color=COLOURS[way], transform=axes[0, 0].transAxes, ha="right")
    return plots.png(picture)


def ends(table: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]) -> bytes:
    """A row of panels for each weight of the KL, a panel for each figure, a line for each way, a dot for each seed.

    Args:
      table: "beta 0.01" -> figure -> way -> [S].
    """
    columns = max(len(figures) for figures in table.values())
    ways = len(next(iter(next(iter(table.values())).values())))
    height = 1.0 + len(table) * (0.9 + 0.32 * ways)
    picture, axes = plots.figure(
        "Where each way ends: errors and distances are better to the left", height, len(table), columns, sharey="row"
    )
    for row, (beta, figures) in enumerate(table.items()):
        for panel, (figure, by_way) in zip(axes[row], figures.items(), strict=True):
            for line, (way, values) in enumerate(by_way.items()):
                colour = COLOURS.get(way, plots.INK)
                apart = line + 0.4 * ((np.arange(len(values)) + 0.5) / len(values) - 0.5)
                panel.plot(values, apart, "o", color=colour, markersize=4, alpha=0.7, clip_on=False)
                panel.plot([np.mean(values)] * 2, [line - 0.35, line + 0.35], color=colour, linewidth=2.5)
            panel.set_title(figure, fontsize=11)
            panel.tick_params(axis="y", length=0)
        axes[row, 0].set_yticks(range(ways), list(by_way), fontsize=11)
        axes[row, 0].set(ylim=(ways - 0.5, -0.5))
        axes[row, 0].set_ylabel(beta)
    return plots.png(picture)


def images(results: Found, real: Any) -> bytes:
    """Reconstructions under the first weight of the KL, samples under the last; of the first seed."""
    (_, near), (_, far) = list(results.items())[0], list(results.items())[-1]
    names = list(results)
    rows = 1 + len(near)
    picture, axes = plots.figure(f"Reconstructions ({names[0]}) and samples ({names[-1]})", 0.8 + 0.72 * rows, rows, 2)
    plots.images(axes[0, 0], real[:SHOWN], SHOWN, "test images", plots.INK, 11)
    plots.images(axes[0, 1], real[SHOWN : 2 * SHOWN], SHOWN, "test images", plots.INK, 11)
    for line, way in enumerate(near, 1):
        colour = COLOURS.get(way, plots.INK)
        plots.images(axes[line, 0], near[way].reconstructions[0, :SHOWN], SHOWN, way, colour, 11)
        plots.images(axes[line, 1], far[way].samples[0, :SHOWN], SHOWN, way, colour, 11)
    return plots.png(picture)
