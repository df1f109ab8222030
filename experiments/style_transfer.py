"""Claim 3c, style transfer: does a GAN learn to translate images between two sets without pairs?"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments import answers, plots, settings
from experiments.evidence import Claim, Evidence, Picture
from experiments.settings import SIDES, Config, Found
from jaxgen.tasks import TRANSLATE
from jaxgen.tasks.unpaired import style_of

FULL, QUICK = settings.FULL, settings.QUICK
SETTING, TASK = "style transfer", TRANSLATE.name
COLOURS = {"VAE": plots.BLUE, "GAN": plots.ORANGE}
REACHED = 2.0  # times the distance of real images in the style

ABOUT = """Style transfer turns images of one kind into another kind, learned from two sets of images of which none
belongs to another: half of the training images stay as they are, the other half are shown in the style, and no image is
in both sets. Because the styles here are simple functions (*thick*: strokes grow by a pixel on each side; *coloured*:
brightness becomes a colour between dark blue and cream), the true translation of every test image is known, although no
model ever saw such a pair.

The GAN is a CycleGAN: two generators, two critics, and the rule that there and back again is the same image. That rule
does not make the translation the right one: any other pairing of the two sets that can be undone keeps it as well. The
VAE is told which set an image is from, encodes it, and decodes the code as if it were from the other set; that a code
means the same in both rests on the shared network and prior alone. *Error* is the root mean square difference to the
true pair, with pixels from 0 to 1. *Frechet distance* is how far translations as a set are from real images in the
style; real images have the figure in the column "real data", 0 is the same distribution. *Content* is the share of
translations whose nearest real image in the style has the same label.

Two ways need no network: *unchanged* leaves the image as it is, and *linear transport* moves the mean and covariance of
one set onto those of the other. Ridge regression on true pairs, which nobody else is given, shows what pairs would be
worth to a linear map.

{data} Style transfer has 1.3 times that."""

RULE_LOOK = (
    f"A data set agrees where the whole 95 % interval of the GAN's Frechet distance lies below {REACHED:g} times that "
    "of real images in the style, contradicts where it lies above, and is open otherwise. Supported if every data set "
    "agrees, not supported if every one contradicts, else it depends."
)
RULE_PAIRS = (
    "A data set agrees where the GAN's error to the true pairs is below that of the unchanged image and below that of "
    "linear transport, by the whole 95 % interval of the difference, paired by seed; it contradicts where it is surely "
    "above one of the two, and is open otherwise. Supported if every data set agrees, not supported if every one "
    "contradicts, else it depends."
)
PRACTICE = {
    "supported": "Without pairs take a cycle GAN, and check a few translations by hand.",
    "not supported": "Try linear transport of the colours or pixels first, and look for pairs: no network won here.",
    "depends": "Measure linear transport beside both models before you pay for a network; and look for some pairs.",
}
PRACTICE_LOOK = {
    "supported": "Judge a translation by its content as well: looking like the style is the easy part.",
    "not supported": "Train longer than here before you trust the look of a cycle GAN's translations.",
    "depends": "Compare the cycle GAN's distance with that of real images in the style: here it was not there yet.",
}
PRACTICE_PAIRS = {
    "supported": "The cycle finds the right partner here; with a style that can be undone in several ways, check it.",
    "not supported": "Do not expect a cycle to find the right partner: bring some pairs, or a simpler map.",
    "depends": "Test on a few known pairs whether the cycle found the right partner on your own data.",
}


def main(config: Config, home: Path | None = None) -> Evidence:
    """The comparisons, and what they say."""
    measured = settings.measured(config, ("style",), home)
    chosen = {
        f"{name}: {style_of(results.data)}": answers.row(results, SETTING) for name, results in measured.sets.items()
    }
    ways = {f"{name}: {style_of(results.data)}": by_way(results) for name, results in measured.sets.items()}
    looks = {f"{name}: {style_of(results.data)}": look(results) for name, results in measured.sets.items()}
    right = {f"{name}: {style_of(results.data)}": partners(results) for name, results in measured.sets.items()}
    verdicts = (
        answers.verdict({name: answers.choice(row) for name, row in chosen.items()}),
        answers.verdict({name: looks_so(row) for name, row in looks.items()}),
        answers.verdict({name: finds_them(row) for name, row in right.items()}),
    )
    limits = answers.limits(measured, (SETTING,)) + " Styles are functions of an image, so that the truth is known; a "
    limits += "style such as that of a painter is none."
    claims = (
        Claim(
            "3c, style",
            "Choose a GAN for style transfer.",
            verdicts[0],
            answers.RULE,
            limits,
            {"data": chosen},
            config.seeds,
            PRACTICE[verdicts[0].word],
        ),
        Claim(
            "3c, style, look",
            "A GAN's translations look like real images in the style.",
            verdicts[1],
            RULE_LOOK,
            limits,
            {"data": looks},
            config.seeds,
            PRACTICE_LOOK[verdicts[1].word],
        ),
        Claim(
            "3c, style, pairs",
            "Without ever seeing a pair, a GAN finds the right partner of an image.",
            verdicts[2],
            RULE_PAIRS,
            limits,
            {"data": right, **{f"ways_of_{name}": rows for name, rows in ways.items()}},
            config.seeds,
            PRACTICE_PAIRS[verdicts[2].word],
        ),
    )
    pictures = {
        "images.png": Picture(
            "The first test images. From the top: the original, the VAE's translation, the GAN's, and the truth.",
            draw_images(measured.sets),
        ),
        "plane.png": Picture(
            "Each way by how its translations look as a set (to the left is better) and how far each is from its true "
            "pair (down is better), means over seeds with 95 % intervals. Vertical line: real images in the style. "
            "Horizontal line: ridge regression on true pairs.",
            draw_planes(ways, looks, {name: row["real_data"] for name, row in chosen.items()}),
        ),
    }
    about = ABOUT.format(data=answers.about(measured, config, (SETTING,)))
    return Evidence("style_transfer", about, claims, pictures, dataclasses.asdict(config), measured.seconds)


def _name(who: str) -> str:
    return SIDES.get(who.lower(), who)


def by_way(results: Found) -> dict[str, dict[str, Any]]:
    """Figures of both models and both baselines."""
    metrics = {"error": "error", "frechet": "Frechet_distance", "content": "content"}
    return {
        who: {title: answers.shown(results, TASK, m, _name(who)) for m, title in metrics.items()}
        for who in (*COLOURS, *answers.baselines_of(results, TASK))
    }


def look(results: Found) -> dict[str, Any]:
    """Frechet distances to the style, and that of real images in it."""
    vae, gan = (answers.shown(results, TASK, "frechet", model) for model in SIDES.values())
    unchanged = answers.shown(results, TASK, "frechet", "unchanged")
    return {"vae": vae, "gan": gan, "unchanged": unchanged, "real_data": answers.floor(results, TASK, "frechet")}


def looks_so(row: Mapping[str, Any]) -> answers.State:
    """What a row of `look` says: by the rule of the claim."""
    if row["gan"] is None or row["real_data"] is None:
        return answers.OPEN, "not measured"
    limit = REACHED * row["real_data"]
    note = f"{row['gan'][0] / row['real_data']:.2g} times that of real images"
    if answers.below(row["gan"], limit):
        return answers.AGREES, note
    return (answers.AGAINST if answers.above(row["gan"], limit) else answers.OPEN), note


def partners(results: Found) -> dict[str, Any]:
    """The GAN's error to the true pairs, and how much lower it is than without a network."""
    gan = answers.values(results, TASK, "error", SIDES["gan"])
    cells: dict[str, Any] = {"gan": answers.spread(gan)}
    for name in ("unchanged", "linear transport"):
        cells[f"{name.replace(' ', '_')}_minus_gan"] = answers.gap(answers.values(results, TASK, "error", name), gan)
    return cells


def finds_them(row: Mapping[str, Any]) -> answers.State:
    """What a row of `partners` says: by the rule of the claim."""
    gaps = {name: row[f"{name.replace(' ', '_')}_minus_gan"] for name in ("unchanged", "linear transport")}
    better = [name for name, entry in gaps.items() if answers.below(entry)]
    if better:
        return answers.AGAINST, f"{' and '.join(better)} is nearer" if len(better) == 1 else "both are nearer"
    return (answers.AGREES, "") if all(map(answers.above, gaps.values())) else (answers.OPEN, "")


def draw_images(sets: Mapping[str, Found]) -> bytes:
    """A panel for each data set, and a row of images for each way."""
    picture, axes = plots.figure("Translated without pairs", 1.2 + 2.6 * len(sets), max(1, len(sets)), 1)
    for panel, (name, results) in zip(axes[:, 0], sets.items(), strict=False):
        original, true = np.split(TRANSLATE.pictures[0].real(results.data), 2)
        rows, labels = [original], {"original": plots.FAINT}
        for (side, model), colour in zip(SIDES.items(), COLOURS.values(), strict=True):
            translations = next(iter(results.outcomes[model].values())).pictures.get("Translations")
            if translations is not None:
                rows.append(np.split(np.asarray(translations), 2)[1])
                labels[side.upper()] = colour
        rows, labels = [*rows, true], {**labels, "truth": plots.INK}
        plots.images(panel, np.concatenate(rows), len(original), f"{name}: {style_of(results.data)}", plots.INK)
        for at, (who, colour) in enumerate(labels.items()):
            plots.label(panel, -2, 1 + (at + 0.5) * (original.shape[1] + 1), who, colour, ha="right")
    return plots.png(picture)


def draw_planes(
    ways: Mapping[str, Mapping[str, Any]], looks: Mapping[str, Any], on_pairs: Mapping[str, float | None]
) -> bytes:
    """A panel for each data set."""
    picture, axes = plots.figure("Like the style, or like the true pair?", 4.8, 1, max(1, len(ways)))
    for panel, (name, rows) in zip(axes[0], ways.items(), strict=False):
        shown = {who: (values["Frechet_distance"], values["error"]) for who, values in rows.items()}
        plots.marked(panel, {who: at for who, at in shown.items() if None not in at}, COLOURS)
        if looks[name]["real_data"]:
            panel.axvline(looks[name]["real_data"], color=plots.INK, linewidth=1.2, linestyle="--")
            beside = {"xycoords": ("data", "axes fraction"), "fontsize": 11}
            plots.label(panel, looks[name]["real_data"], 0.98, " real images", plots.INK, **beside)
        if on_pairs[name] is not None:
            panel.axhline(on_pairs[name], color=plots.INK, linewidth=1.2, linestyle=":")
            beside = {"xycoords": ("axes fraction", "data"), "fontsize": 11, "ha": "right", "va": "bottom"}
            plots.label(panel, 1.0, on_pairs[name], "linear, on true pairs", plots.INK, **beside)
        panel.set_xscale("log")
        panel.margins(x=0.2, y=0.15)
        panel.set_ylim(bottom=0)
        panel.set_xlabel("Frechet distance to the style")
        panel.set_title(name, fontweight="bold", loc="left")
    axes[0, 0].set_ylabel("error to the true pair")
    return plots.png(picture)
