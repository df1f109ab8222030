"""The pictures: paths of two players under every remedy, and what remedies do on ring8."""

from collections.abc import Mapping

import numpy as np

from experiments import plots
from experiments.gradient_penalty.rings import Ring
from experiments.gradient_penalty.verdicts import MEETS
from experiments.gradient_penalty.ways import NONE, ONE_CENTRED, SLOPES

STEPS = 1000


def colour(name: str) -> str:
    """One for each kind of remedy."""
    if name == NONE:
        return plots.INK
    return plots.PURPLE if name not in SLOPES else plots.ORANGE if name in ONE_CENTRED else plots.BLUE


REACH = 4.0  # of a panel, in both directions


def paths(results: Mapping[str, np.ndarray], ends: Mapping[str, float], game: str) -> bytes:
    """A panel for each remedy: critic and generator of one game from the same start."""
    columns = min(5, len(results))
    rows = -(-len(results) // columns)
    picture, axes = plots.figure(f"{game}: which remedies make the two players meet", 0.8 + 2.7 * rows, rows, columns)
    for panel in axes.ravel()[len(results) :]:
        panel.axis("off")
    for panel, (name, path) in zip(axes.ravel(), results.items(), strict=False):
        start = path[: STEPS + 1]
        panel.plot(start[:, 1], start[:, 0], color=colour(name), linewidth=1)
        panel.plot(start[0, 1], start[0, 0], "o", color=plots.INK, markersize=8, fillstyle="none", markeredgewidth=2)
        panel.plot(0, 0, "+", color=plots.INK, markersize=13, markeredgewidth=2)
        reach = REACH  # one for all, so that the same start looks the same; what leaves the panel is cut
        panel.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
        panel.set_title(f"{name}\n{'meets' if ends[name] < MEETS else 'does not'}", fontsize=13, color=colour(name))
    axes[-1, 0].set_xlabel("generator theta", fontsize=11)
    axes[-1, 0].set_ylabel("critic psi", fontsize=11)
    return plots.png(picture)


def rings(results: Mapping[str, Ring]) -> bytes:
    """Left overlap, right the steepest slope of the critic; a line for each remedy, a dot for each seed."""
    picture, axes = plots.figure("ring8: what a remedy does to samples and to the critic", 5.4, 1, 2, sharey=True)
    for line, (name, entry) in enumerate(results.items()):
        for panel, values in zip(axes[0], (entry.look.overlaps, entry.largest), strict=True):
            at = line + 0.5 * (
                (np.arange(len(values)) + 0.5) / len(values) - 0.5
            )  # apart, so that seeds can be counted
            panel.plot(values, at, "o", color=colour(name), markersize=4, alpha=0.6)
            middle = np.exp(np.log(values).mean()) if panel is axes[0, 1] else values.mean()
            panel.plot([middle, middle], [line - 0.36, line + 0.36], color=colour(name), linewidth=3)
    axes[0, 0].set_yticks(range(len(results)), list(results))
    axes[0, 0].tick_params(axis="y", length=0)
    axes[0, 0].set(ylim=(len(results) - 0.5, -0.5), xlim=(0, 100))
    axes[0, 0].set_xlabel("overlap with the data, %")
    axes[0, 1].set_xscale("log")
    axes[0, 1].set_xlabel("steepest slope of the critic, |grad D|")
    plots.plain(axes[0, 1].xaxis)
    return plots.png(picture)
