"""The panels of the pictures: samples over the modes, and modes by seed."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments import plots
from experiments.mode_collapse.runs import Runs, median_seed
from experiments.mode_collapse.verdicts import LEAST_QUALITY
from jaxgen.data import Modes

SHOWN = 600  # samples


def samples(runs: Runs, modes: Mapping[str, Modes]) -> bytes:
    """A panel for each data set and loss."""
    columns = len(next(iter(runs.values())))
    picture, axes = plots.figure("Where GAN losses put their samples", 1.1 + 2.55 * len(runs), len(runs), columns)
    for panels, (data, losses) in zip(axes, runs.items(), strict=True):
        for panel, (loss, seeds) in zip(panels, losses.items(), strict=True):
            trained, means = seeds[median_seed(seeds)], np.asarray(modes[data].means)
            scatter(panel, trained.samples[:SHOWN], means)
            count = trained.count
            panel.set_title(loss, fontsize=14, fontweight="bold")
            panel.set_xlabel(f"{count.captured} of {len(means)} modes,\n{count.high_quality_percent:.0f} % within one")
        panels[0].set_ylabel(data, fontsize=14, fontweight="bold")
    return plots.png(picture)


def scatter(panel: Any, drawn: np.ndarray, means: np.ndarray) -> None:
    """Points over the modes."""
    panel.plot(*drawn.T, "o", color=plots.BLUE, markersize=2, alpha=0.35, markeredgewidth=0)
    panel.plot(*means.T, "o", color=plots.ORANGE, markersize=8, fillstyle="none", markeredgewidth=1.2)
    reach = 1.35 * float(np.abs(means).max())
    panel.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    panel.spines[["top", "right"]].set_visible(True)


def captured(runs: Runs, modes: Mapping[str, Modes]) -> bytes:
    """A panel for each data set, a line for each loss, a dot for each seed."""
    picture, axes = plots.figure("Modes captured, seed by seed", 4.6, 1, len(runs), sharey=True)
    for panel, (data, losses) in zip(axes[0], runs.items(), strict=True):
        everything = len(modes[data].means)
        panel.axvline(everything, color=plots.INK, linewidth=1)
        for line, seeds in enumerate(losses.values()):
            for i, seed in enumerate(seeds):
                at = line + 0.5 * ((i + 0.5) / len(seeds) - 0.5)  # apart, so that equal seeds can be counted
                full = seed.count.high_quality_percent >= LEAST_QUALITY
                panel.plot(
                    seed.count.captured,
                    at,
                    "o",
                    color=plots.BLUE,
                    markersize=6,
                    fillstyle="full" if full else "none",
                    clip_on=False,
                )
        panel.set_yticks(range(len(losses)), losses)
        panel.tick_params(axis="y", length=0)
        panel.set(xlim=(-0.04 * everything, 1.03 * everything), ylim=(len(losses) - 0.5, -0.5))
        panel.set_xlabel(f"modes captured, of {everything}")
        panel.set_title(data)
        panel.locator_params(axis="x", integer=True)
    return plots.png(picture)
