"""The pictures: the critic that smoothing makes, and what training with it comes to."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import norm

from experiments import plots
from experiments.label_smoothing.learned import LABELS, NEAR, SHOWN, Learned, exact_gradient, optimum
from experiments.label_smoothing.training import LEAST_QUALITY, MODES, Trained
from jaxgen.data import load

COLOURS = dict(zip(LABELS, (plots.INK, plots.BLUE, plots.ORANGE, plots.PURPLE), strict=True))
DISTANCES = np.geomspace(0.8, 9, 40)


def critics(results: Mapping[str, Learned], shifts: tuple[float, ...]) -> bytes:
    """Left: the critics at one distance. Right: the gradient that they give, by distance."""
    picture, axes = plots.figure("A label above 0 for samples costs the generator its gradient far away", 5.2, 1, 2)
    panel, other = axes[0]
    panel.fill_between(SHOWN, norm.pdf(SHOWN), color=plots.FAINT, alpha=0.2, linewidth=0)
    panel.fill_between(SHOWN, norm.pdf(SHOWN, NEAR), color=plots.FAINT, alpha=0.2, linewidth=0)
    plots.label(panel, 0, 0.2, "data", plots.FAINT, ha="center")
    plots.label(panel, NEAR, 0.2, "samples", plots.FAINT, ha="center")
    for name, entry in results.items():
        a, b = LABELS[name]
        panel.plot(SHOWN, optimum(a, b, NEAR, SHOWN), color=COLOURS[name], linewidth=3, alpha=0.35)
        panel.plot(SHOWN, entry.shown.T, color=COLOURS[name], linewidth=0.8)
        other.plot(
            DISTANCES, [exact_gradient(a, b, d) for d in DISTANCES], color=COLOURS[name], linewidth=3, alpha=0.35
        )
        for shift, seeds in zip(shifts, entry.gradient, strict=True):
            other.plot(np.full(len(seeds), shift), seeds, "o", color=COLOURS[name], markersize=4, alpha=0.6)
    panel.set(xlim=(-3, 5), ylim=(0, 1.03), yticks=[0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0], xlabel="x")
    panel.set_title("probability of being real", fontsize=13)
    other.set(xscale="log", yscale="log", ylim=(1e-4, 20), xticks=list(shifts), xlabel="distance of the means")
    other.set_title("gradient of the non-saturating generator", fontsize=13)
    plots.plain(other.xaxis)
    other.minorticks_off()
    for line, (name, colour) in enumerate(COLOURS.items()):
        plots.label(other, 0.85, 4e-3 / 3.0**line, name, colour, fontsize=12)
    return plots.png(picture)


def training(results: Mapping[str, list[Trained]]) -> bytes:
    """Above: samples of the seed in the middle. Below: modes kept, a dot for each seed."""
    picture, axes = plots.figure("ring8: smoothing against none", 5.6, 2, len(results), height_ratios=[3, 2])
    means = np.asarray(load("ring8").modes.means)
    for (name, seeds), above, below in zip(results.items(), *axes, strict=True):
        middle = sorted(seeds, key=lambda seed: (seed.kept, seed.count.high_quality_percent))[(len(seeds) - 1) // 2]
        above.plot(*middle.samples[:600].T, "o", color=plots.BLUE, markersize=2, alpha=0.35, markeredgewidth=0)
        above.plot(*means.T, "o", color=plots.ORANGE, markersize=8, fillstyle="none", markeredgewidth=1.2)
        above.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal", xticks=[], yticks=[])
        above.set_title(name, fontsize=13)
        heights = np.linspace(-0.3, 0.3, len(seeds))
        for seed, height in zip(seeds, heights, strict=True):
            full = seed.count.high_quality_percent >= LEAST_QUALITY
            style = "full" if full else "none"
            below.plot(seed.count.captured, height, "o", color=plots.BLUE, markersize=6, fillstyle=style, clip_on=False)
        below.axvline(MODES, color=plots.INK, linewidth=1)
        below.set(xlim=(-0.3, MODES + 0.3), ylim=(-0.5, 0.5), yticks=[], xlabel="modes captured, of 8")
        below.locator_params(axis="x", integer=True)
    return plots.png(picture)
