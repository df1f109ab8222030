"""The pictures: gradient against the distance of two Gaussians, and against the critic's steps on digits."""

from collections.abc import Mapping

import numpy as np

from experiments import plots
from experiments.vanishing_gradient.lines import PERFECT, Course, least
from experiments.vanishing_gradient.losses import WAYS
from experiments.vanishing_gradient.verdicts import FADES

DISTANCES = np.geomspace(0.4, 9, 40)
LIMITS = (5e-5, 5e3)  # of the gradients that are shown; dots beyond lie on the edge


def distances(results: Mapping[str, Course], shifts, lost: set[str]) -> bytes:
    """A panel for each loss: the formula, and trained critics."""
    columns = 4
    lines = -(-len(results) // columns)
    picture, axes = plots.figure(
        "Far from the data, some losses leave the generator no gradient",
        1.2 + 2.3 * lines,
        lines,
        columns,
        sharex=True,
        sharey=True,
    )
    for panel, (name, course) in zip(axes.flat, results.items(), strict=False):
        exact = [WAYS[name].optimum(float(d)) for d in DISTANCES]
        if None not in exact:
            panel.plot(DISTANCES, np.asarray(exact, float), color=plots.INK, linewidth=2)
        for place, (shift, seeds) in enumerate(zip(shifts, course.gradient[-1], strict=True)):
            counted = course.counted(place, least(shift))
            for these, style in ((counted, "full"), (np.isfinite(seeds) & ~counted, "none")):
                # A gradient of exactly 0 has no place on this axis, and lies on its lower edge.
                heights = np.clip(seeds[these], *LIMITS)
                at = np.full(len(heights), shift)
                panel.plot(at, heights, "o", color=plots.BLUE, markersize=4, alpha=0.6, fillstyle=style, clip_on=False)
        panel.set(xscale="log", yscale="log", ylim=LIMITS, xlim=(0.4, 10), xticks=[0.5, 1, 2, 4, 8])
        panel.set_yticks([1e-4, 1e-2, 1, 1e2])
        panel.axhline(1, color=plots.FAINT, linewidth=0.6)
        plots.plain(panel.xaxis)
        panel.minorticks_off()
        panel.set_title(name, fontsize=13, color=plots.ORANGE if name in lost else plots.INK)
    for panel in axes.flat[len(results) :]:
        panel.axis("off")
    first = axes[0, 0]
    plots.label(first, 0.5, 4e2, "formula", plots.INK, fontsize=12)
    plots.label(first, 0.5, 4e1, "trained", plots.BLUE, fontsize=12)
    for row in axes:
        row[0].set_ylabel("gradient")
    for panel in axes[-1]:
        panel.set_xlabel("distance of means", fontsize=12)
    return plots.png(picture)


def steps(results: Mapping[str, Course]) -> bytes:
    """Digits: what is left of the gradient as the critic learns, a line for each loss."""
    picture, axes = plots.figure("Digits: what is left of the generator's gradient as the critic learns", 6.2)
    panel, ends = axes[0, 0], {}
    for name, course in results.items():
        counted = course.counted(0, PERFECT)
        if 2 * counted.sum() < len(counted):
            continue
        norms = course.gradient[:, 0, counted].mean(-1)
        left = norms / norms[0]
        colour = plots.ORANGE if left[-1] < FADES else plots.BLUE
        panel.plot(np.maximum(course.stops, 0.7), left, color=colour, linewidth=1.8)
        ends[name] = left[-1], colour
    panel.axhline(1, color=plots.FAINT, linewidth=1)
    top = 1e3
    panel.set(xscale="log", yscale="log", ylim=(3e-3, top), xlim=(0.7, course.stops[-1]))
    panel.set(xlabel="steps of the critic", ylabel="norm, in parts of that against an untrained critic")
    plots.plain(panel.xaxis)
    plots.plain(panel.yaxis)
    place = np.inf
    for name, (left, colour) in sorted(ends.items(), key=lambda item: -item[1][0]):
        place = min(float(np.clip(left, 4e-3, 0.8 * top)), place / 1.75)
        plots.label(panel, 1.06 * course.stops[-1], place, name, colour, fontsize=12)
    return plots.png(picture)
