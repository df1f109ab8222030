"""The pictures: modes during training beside what the papers report, and samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments import plots
from experiments.mode_collapse.verdicts import LEAST_QUALITY
from experiments.published_protocols.runs import Case, Runs, kept, marks
from experiments.published_protocols.ways import PROTOCOLS, Config
from jaxgen.data import load

SHOWN = 600  # samples
COLOURS = (plots.ORANGE, plots.BLUE, plots.GREEN)  # without the remedy first


def course(runs: Runs, config: Config) -> bytes:
    """A panel for each protocol and data set, a line for each way: the mean over seeds, and all of them as a band."""
    picture, axes = plots.figure("Modes captured during training, and where the papers end", 4.9, 1, len(runs))
    for panel, (case, ways) in zip(axes[0], runs.items(), strict=True):
        _course(panel, case, ways, config)
    axes[0, 0].set_ylabel("modes captured")
    return plots.png(picture)


def _course(panel: Any, case: Case, ways: Mapping[int, Any], config: Config) -> None:
    protocol, part = PROTOCOLS[case.protocol], config.part(case.protocol)
    at, everything = marks(part.updates, config.looks), len(load(case.data).modes.means)  # type: ignore[union-attr]
    end, names = at[-1], {}
    for colour, (way, seeds) in zip(COLOURS, ways.items(), strict=False):
        modes = np.array([[count.captured for count in seed.counts] for seed in seeds])
        quality = np.mean([[count.high_quality_percent for count in seed.counts] for seed in seeds], axis=0)
        panel.fill_between(at, modes.min(0), modes.max(0), color=colour, alpha=0.12, linewidth=0)
        panel.plot(at, modes.mean(0), color=colour)
        for x, y, full in zip(at, modes.mean(0), quality >= LEAST_QUALITY, strict=True):
            panel.plot(
                x, y, "o", color=colour, markersize=6, markerfacecolor=colour if full else "white", clip_on=False
            )
        names[way] = (modes.mean(0)[-1], colour)
        if published := protocol.published.get(case.data, {}).get(way):
            panel.plot(1.3 * end, published.modes, "D", color=colour, markersize=9, clip_on=False)
    panel.axhline(everything, color=plots.INK, linewidth=1)
    panel.axvline(1.12 * end, color=plots.FAINT, linewidth=1, linestyle=":")
    for line, (way, (_, colour)) in enumerate(sorted(names.items(), key=lambda one: -one[1][0])):
        plots.label(panel, 0.02 * end, everything * (1.24 - 0.07 * line), protocol.named(way), colour, fontsize=12)
    plots.label(
        panel, 1.3 * end, 1.2 * everything, f"paper,\n{protocol.updates:,}", plots.INK, ha="center", fontsize=11
    )
    panel.set_xticks([at[0], end], [f"{at[0]:,}", f"{end:,}"])
    panel.set(xlim=(0, 1.45 * end), ylim=(-0.03 * everything, 1.3 * everything), yticks=[0, everything])
    panel.set_title(f"{case.protocol} on {case.data}")
    panel.set_xlabel("updates of each player")


def samples(runs: Runs) -> bytes:
    """A row for each protocol and data set, a panel for each way, of the seed with the median number of modes."""
    columns = max(map(len, runs.values()))
    picture, axes = plots.figure("What the generators make in the end", 1.0 + 3.3 * len(runs), len(runs), columns)
    for panels, (case, ways) in zip(axes, runs.items(), strict=True):
        means = np.asarray(load(case.data).modes.means)  # type: ignore[union-attr]
        for panel in panels[len(ways) :]:
            panel.axis("off")
        for panel, (way, seeds) in zip(panels, ways.items(), strict=False):
            order = sorted(seeds, key=lambda seed: (kept(seed.counts[-1]), seed.counts[-1].captured))
            seed = order[(len(order) - 1) // 2]
            panel.plot(*seed.samples[:SHOWN].T, "o", color=plots.BLUE, markersize=2, alpha=0.4, markeredgewidth=0)
            panel.plot(*means.T, "o", color=plots.ORANGE, markersize=9, fillstyle="none", markeredgewidth=1.2)
            reach = 1.35 * float(np.abs(means).max())
            panel.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
            panel.set_title(f"{case.data}, {PROTOCOLS[case.protocol].named(way)}")
            count = seed.counts[-1]
            panel.set_xlabel(f"{count.captured} of {len(means)} modes, {count.high_quality_percent:.0f} % within one")
            panel.spines[["top", "right"]].set_visible(True)
    return plots.png(picture)
