"""The pictures: paths of two numbers, rates of all ways, and what two networks do."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments import plots
from experiments.gan_dynamics.networks import Trained
from experiments.gan_dynamics.verdicts import RATE, TURNS, behaviour

SHOWN = (
    "both at once",
    "in turn",
    "in turn, momentum 0.5",
    "in turn, momentum -0.5",
    "extragradient",
    "consensus",
    "unrolled, 5 steps",
    "both at once, R1",
)
STEPS, COLUMNS = 150, 4


def colour(rate: float) -> str:
    """One for each behaviour."""
    return {"diverges": plots.ORANGE, "circles": plots.INK, "converges": plots.BLUE}[behaviour(rate)]


def trajectories(paths: Mapping[str, np.ndarray], cases: Mapping[str, Any], game: str) -> bytes:
    """A panel for each way of a game of two numbers."""
    results = {name: paths[f"{name}: {game}"] for name in SHOWN if f"{name}: {game}" in paths}
    columns = min(COLUMNS, len(results))
    rows = -(-len(results) // columns)
    picture, axes = plots.figure(f"{game}: the path of the two players", 1.0 + 2.9 * rows, rows, columns)
    for panel in axes.ravel()[len(results) :]:
        panel.axis("off")
    for panel, (name, path) in zip(axes.ravel(), results.items(), strict=False):
        rate, start = cases[f"{name}: {game}"][RATE], path[: STEPS + 1]
        panel.plot(start[:, 1], start[:, 0], color=colour(rate), linewidth=1.2)
        panel.plot(start[0, 1], start[0, 0], "o", color=plots.INK, markersize=8, fillstyle="none", markeredgewidth=2)
        panel.plot(0, 0, "+", color=plots.INK, markersize=12, markeredgewidth=2)
        panel.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xticks=[-3, 0, 3], yticks=[-3, 0, 3])
        panel.set_title(f"{name}\n{behaviour(rate)}", fontsize=12, color=colour(rate))
    axes[-1, 0].set_xlabel("generator theta", fontsize=11)
    axes[-1, 0].set_ylabel("critic psi", fontsize=11)
    return plots.png(picture)


def rates(cases: Mapping[str, Mapping[str, Any]], ways: tuple[str, ...], games: tuple[str, ...]) -> bytes:
    """A line for each way and a panel for each game."""
    height = 1.9 + 0.33 * len(ways)
    title = "How fast each way of training nears or leaves the equilibrium"
    picture, axes = plots.figure(title, height, 1, len(games), sharey=True)
    for panel, game in zip(axes[0], games, strict=True):
        panel.axvline(0, color=plots.FAINT, linewidth=1)
        for line, name in enumerate(ways):
            row = cases[f"{name}: {game}"]
            panel.plot(row["closed_form_log_rate"], line, "|", color=plots.INK, markersize=17, markeredgewidth=1.5)
            ring = {"markersize": 11, "fillstyle": "none", "markeredgewidth": 1.8}
            panel.plot(row["predicted_log_rate"], line, "o", color=plots.ORANGE, **ring)
            panel.plot(row[RATE], line, "o", color=plots.BLUE, markersize=4.5)
        panel.set_xscale("symlog", linthresh=0.002)
        panel.set(xlim=(-0.5, 0.5), ylim=(len(ways) - 0.4, -1.6))
        panel.set_xticks([-0.1, 0, 0.1], ["-0.1", "0", "0.1"])
        panel.set_xlabel("log rate per step")
        panel.set_title(game)
        panel.grid(axis="y", color=plots.FAINT, alpha=0.25, linewidth=0.8)
        plots.label(panel, -0.022, -1.1, "converges", plots.FAINT, ha="center", fontsize=11)
        plots.label(panel, 0.022, -1.1, "diverges", plots.FAINT, ha="center", fontsize=11)
    axes[0, 0].set_yticks(range(len(ways)), ways)
    axes[0, 0].tick_params(axis="y", length=0)
    return plots.png(picture)


def networks(results: Mapping[str, Trained]) -> bytes:
    """A line for each way: modulus and rotation of the leading eigenvalue, and the swing; a dot for each seed."""
    picture, axes = plots.figure("ring8: the leading eigenvalue of a step, and the swing", 5.6, 1, 3, sharey=True)
    for line, entry in enumerate(results.values()):
        kinds = entry.moduli.mean(1), entry.rotations.mean(1), entry.swings
        for panel, values in zip(axes[0], kinds, strict=True):
            known = values[np.isfinite(values)]
            spread = 0.5 * ((np.arange(len(known)) + 0.5) / max(len(known), 1) - 0.5)  # so that seeds can be counted
            panel.plot(known, line + spread, "o", color=plots.BLUE, markersize=4, alpha=0.6)
            if len(known):
                panel.plot([known.mean()] * 2, [line - 0.36, line + 0.36], color=plots.BLUE, linewidth=3)
    axes[0, 0].set_yticks(range(len(results)), list(results))
    axes[0, 0].tick_params(axis="y", length=0)
    axes[0, 0].set(ylim=(len(results) - 0.5, -0.5))
    axes[0, 0].axvline(1, color=plots.FAINT, linewidth=1)
    axes[0, 1].axvline(TURNS, color=plots.FAINT, linewidth=1)
    axes[0, 1].set_xlim(-0.03, 1.03)
    axes[0, 2].set_xlim(left=0)
    for panel, words in zip(axes[0], ("modulus", "rotation", "swing, in radii"), strict=True):
        panel.set_xlabel(words)
    return plots.png(picture)
