"""Claim 3e: do comparisons on several data sets choose the side that the textbook recommends?"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments import answers, plots, settings
from experiments.answers import TEXTBOOK
from experiments.evidence import Claim, Evidence, Picture, Verdict
from experiments.settings import SIDES, WORDS, Config, Found, Measured

FULL, QUICK = settings.FULL, settings.QUICK
TRAININGS = {  # as a report names them
    "main": "main training",
    "encoder": "encoder of the GAN",
    "translate": "style transfer",
    "restore": "super-resolution",
    "detect": "anomaly detection",
    "detect_encoder": "encoder of that GAN",
}

ABOUT = """The textbook recommends GANs where realistic images count (synthesis, style transfer, super-resolution) and
VAEs where the latent space counts (anomaly detection, representation learning, semantic manipulation). `jaxgen compare`
asks the data instead, and this table is all of its answers on several of them; the experiments on each setting, further
down, show what stands behind them. {fair} Each then does every task that the data allow.

*Image synthesis* is the Frechet distance between samples and real test images. *Style transfer* is the error to the
true pairs, learned without any; the GAN is a CycleGAN. *Super-resolution* is the Frechet distance of pairs of a small
image and what is made of it; the VAE is conditional, and the GAN is an SRGAN with an L1 term. *Anomaly detection* is
how well a model that never saw one class tells it from the others (AUROC: 0.5 is guessing, 1 is perfect), by one score
that is fixed beforehand: a VAE's reconstruction probability, the score of f-AnoGAN for a GAN. *Representation learning*
is the accuracy of a linear classifier on a model's features, from 1, 5 and 20 labels a class. *Semantic manipulation*
is the area under the curve of what an edit changes over what it keeps.

Simple baselines do the same tasks without a generative model: bicubic interpolation, ridge regression, linear
transport, the distance to the nearest training images, PCA, an isolation forest, the pixels themselves. A side is
chosen where the difference is sure at the 5 % level, corrected for the number of settings on that data set; the sides
are equal where its 95 % interval lies within a margin stated beforehand, and undecided otherwise; where a baseline is
surely better than both, the answer is neither.

{data} Anomaly detection has 0.6 of that time, style transfer 1.3 and super-resolution 0.4 of it."""

PRACTICE = {
    "supported": "Follow the textbook, and let `jaxgen compare` confirm it on your own data.",
    "not supported": "Do not follow the textbook blindly: run `jaxgen compare` on your own data, with its baselines.",
    "depends": "No name is an answer: run `jaxgen compare` on your own data, and look whether a simple baseline wins.",
}


def main(config: Config, home: Path | None = None) -> Evidence:
    """The comparisons, and what their reports say of the claim."""
    return evidence_of(settings.measured(config, tuple(WORDS.values()), home), config)


def evidence_of(measured: Measured, config: Config) -> Evidence:
    """The evidence in the comparisons."""
    rows = {name: table(values) for name, values in measured.sets.items()}
    chosen = matrix(rows)
    states = {
        f"{setting} on {name}": answers.choice(row) for name, values in rows.items() for setting, row in values.items()
    }
    decision = verdict(states)
    figures: dict[str, Any] = {"chosen": chosen, **{f"figures_on_{name}": values for name, values in rows.items()}}
    figures["seconds"] = {name: seconds(values) for name, values in measured.sets.items()}
    figures["steps"] = {
        f"{name}, {what}": row for name, values in measured.sets.items() for what, row in steps(values).items()
    }
    claim = Claim(
        "3e",
        "In which setting to select one over the other: a GAN for image synthesis, style transfer and "
        "super-resolution; a VAE for anomaly detection, representation learning and semantic manipulation.",
        decision,
        "An answer, of one setting on one data set, agrees where the side that the textbook recommends is chosen, "
        "contradicts where the other side or neither is, or where both are equal, and is open where it stayed "
        "undecided. Supported if every answer agrees, not supported if every one contradicts, else it depends. What is "
        "not measured is not counted.",
        answers.limits(measured, tuple(TEXTBOOK)),
        figures,
        config.seeds,
        PRACTICE[decision.word],
    )
    caption = (
        "What `jaxgen compare` chose, by setting and data set, and below it the figures of the VAE and of the GAN. "
        "Blue: the VAE. Orange: the GAN. Grey: both are equal, undecided, or a baseline is better than both (neither). "
        "Empty: not measured on these data."
    )
    about = ABOUT.format(fair=answers.FAIR, data=answers.about(measured, config, tuple(TEXTBOOK)))
    pictures = {"settings.png": Picture(caption, draw(rows))}
    return Evidence("choose", about, (claim,), pictures, dataclasses.asdict(config), measured.seconds)


def verdict(states: Mapping[str, answers.State]) -> Verdict:
    """Supported where each answer is as the textbook recommends, not supported where each contradicts it."""
    return answers.verdict(states, "No setting was measured.")


def table(results: Found) -> dict[str, dict[str, Any]]:
    """A row for each setting that was measured."""
    requested = results.report["settings"]["settings"]
    return {setting: answers.row(results, setting) for setting, word in WORDS.items() if word in requested}


def matrix(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What was chosen, by setting and data set."""
    chosen = {}
    for setting, side in TEXTBOOK.items():
        each = {name: row.get(setting, {}).get("chosen") for name, row in rows.items()}
        if any(each.values()):
            chosen[setting] = {"textbook": answers.CALLED[side], **each}
    return chosen


def seconds(results: Found) -> dict[str, Any]:
    """Seconds of training by side, of all trainings of a seed, and of the whole comparison."""
    measured = results.report["protocol"]["seconds_measured"]
    by_side = {f"{side}_a_seed": measured[name] for side, name in SIDES.items()}
    return {**by_side, "whole_comparison": results.seconds}


def steps(results: Found) -> dict[str, dict[str, int]]:
    """Steps of each training that was played, by side, averaged over seeds."""
    by_seed = {side: list(results.report["protocol"]["steps"][name].values()) for side, name in SIDES.items()}
    return {
        what: {side: round(sum(entry.get(key, 0) for entry in seeds) / len(seeds)) for side, seeds in by_seed.items()}
        for key, what in TRAININGS.items()
        if any(entry.get(key) for seeds in by_seed.values() for entry in seeds)
    }


def draw(rows: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A cell for each setting and data set, coloured by the side that was chosen."""
    shown = [setting for setting in TEXTBOOK if any(setting in row for row in rows.values())]
    picture, axes = plots.figure("VAE or GAN?", 1.5 + 0.85 * len(shown))
    panel, columns = axes[0, 0], ["the textbook", *rows]
    for y, setting in enumerate(shown):
        for x, name in enumerate(columns):
            if x == 0:
                _cell(panel, x, y, {"chosen": answers.CALLED[TEXTBOOK[setting]]})
            elif setting in rows[name]:
                _cell(panel, x, y, rows[name][setting])
    panel.set(xlim=(-0.52, len(columns) - 0.48), ylim=(len(shown) - 0.45, -0.55))
    panel.set_xticks(range(len(columns)), columns, fontsize=14, fontweight="bold")
    panel.set_yticks(range(len(shown)), shown)
    panel.tick_params(length=0, labeltop=True, labelbottom=False)
    panel.spines[:].set_visible(False)
    return plots.png(picture)


def _cell(panel: Any, x: int, y: int, row: Mapping[str, Any]) -> None:
    colour = {"VAE": plots.BLUE, "GAN": plots.ORANGE}.get(row["chosen"])
    size = {"width": 0.94, "height": 0.86, "linewidth": 0}
    panel.add_patch(plots.box(x - 0.47, y - 0.43, facecolor=colour or "#e3e3e3", **size))
    ink = "white" if colour else plots.INK
    both = [cell[0] for side in SIDES if (cell := row.get(side))]
    text = len(both) == len(SIDES)
    plots.label(panel, x, y - 0.13 * text, row["chosen"], ink, ha="center", fontweight="bold", fontsize=15)
    if text:
        plots.label(panel, x, y + 0.22, f"{both[0]:.3g} and {both[1]:.3g}", ink, ha="center", fontsize=11)
