"""The pictures: which units stay, and how bounds close in on log p(x)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments import plots
from experiments.exact_vae.model import Config
from experiments.exact_vae.sampling import Bracket, by_formula
from experiments.exact_vae.training import DRAWN, EXACT, Trained

COLOURS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.PURPLE, plots.FAINT)


def units(config: Config, results: Mapping[str, Mapping[float, Trained]]) -> bytes:
    """A panel for each way of training: the weight of each unit against its eigenvalue, a colour for each beta."""
    picture, axes = plots.figure("A unit stays where its eigenvalue is above beta s²", 4.9, 1, 2, sharey=True)
    values = np.asarray(config.eigenvalues[: config.units])
    line = np.linspace(0, 1.08 * values.max(), 400)
    for panel, way in zip(axes[0], (EXACT, DRAWN), strict=True):
        for beta, colour in zip(config.betas, COLOURS, strict=False):
            threshold = beta * config.variance
            panel.plot(line, np.maximum(0, line - threshold), color=colour, linewidth=1)
            weights = results[way][beta].weights
            panel.plot(np.tile(values, len(weights)), weights.ravel(), "o", color=colour, markersize=5, clip_on=False)
            end = line[-1], max(0.0, line[-1] - threshold)
            plots.label(panel, *end, f" beta {beta:g}", colour, fontsize=12)
        panel.set(xlim=(0, line[-1]), ylim=(-0.1, 1.02 * line[-1]), title=way)
        panel.set_xlabel("variance of the data along the unit, lambda")
    axes[0, 0].set_ylabel("squared weight of the unit, |w|²")
    axes[0, 0].annotate("a dot for each unit and seed,\nlines: the rule", (0.2, 5.6), color=plots.INK, va="top")
    return plots.png(picture)


def bounds(config: Config, gaps: Mapping[int, np.ndarray], brackets: Mapping[int, Bracket]) -> bytes:
    """Left the gap of the importance bound by K, right both sides of annealed importance sampling."""
    picture, axes = plots.figure("Bounds close in on log p(x), which is known here", 4.9, 1, 2)
    _gaps(axes[0, 0], config, gaps)
    _brackets(axes[0, 1], brackets)
    return plots.png(picture)


def _gaps(panel: Any, config: Config, gaps: Mapping[int, np.ndarray]) -> None:
    counts = np.array(list(gaps))
    smooth = np.geomspace(counts[0], counts[-1], 50)
    panel.plot(smooth, [by_formula(config, 1) / k for k in smooth], color=plots.ORANGE)
    panel.axhline(config.offset / 2, color=plots.INK, linewidth=1)
    panel.plot(counts, [values.mean() for values in gaps.values()], "o", color=plots.BLUE, markersize=8)
    panel.set(xscale="log", yscale="log", title="importance bound, an encoder that is off")
    panel.set_xlabel("posterior samples K")
    panel.set_ylabel("nats below log p(x)")
    for axis in (panel.xaxis, panel.yaxis):
        plots.plain(axis)
    plots.label(panel, counts[-1], 0.74 * config.offset / 2, "the ELBO", plots.INK, ha="right")
    middle = float(np.sqrt(counts[0] * counts[-1]))
    above = 1.5 * by_formula(config, 1) / middle
    plots.label(panel, 1.1 * middle, above, "line: the formula ~ 1 / K", plots.ORANGE)
    plots.label(panel, counts[0], 1.3 * by_formula(config, 1) / counts[-1], "dots: measured", plots.BLUE)


def _brackets(panel: Any, brackets: Mapping[int, Bracket]) -> None:
    steps = np.array(list(brackets), float)
    for name, colour, words in (
        ("reverse", plots.ORANGE, "back from the posterior: above"),
        ("forward", plots.BLUE, "from the prior: below"),
    ):
        values = np.stack([getattr(b, name).mean(1) for b in brackets.values()])  # [T, S]
        panel.plot(steps, values.mean(1), color=colour)
        panel.plot(np.repeat(steps, values.shape[1]), values.ravel(), "o", color=colour, markersize=4, alpha=0.6)
        top = float(np.abs(values).max())
        plots.label(panel, steps[-1], (0.8 if name == "reverse" else -0.8) * top, words, colour, ha="right")
    panel.axhline(0, color=plots.INK, linewidth=1)
    panel.set(xscale="log", title="annealed importance sampling")
    panel.set_xlabel("temperatures of a chain")
    panel.set_ylabel("nats above log p(x)")
    plots.plain(panel.xaxis)
