"""Claim 3c, image synthesis: are a GAN's samples nearer to real images, and sharper, than a VAE's?"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments import answers, plots, settings
from experiments.evidence import Claim, Evidence, Picture
from experiments.extras import SHARPNESS
from experiments.settings import SIDES, Config, Found
from jaxgen.data import as_float

FULL, QUICK = settings.FULL, settings.QUICK
SETTING, TASK = "image synthesis", "synthesise"
ROWS, COLUMNS = 4, 8  # of the samples that are shown

ABOUT = """The textbook recommends a GAN where images shall look real, and says that a VAE's are blurred: its decoder is
paid for being right on average, and the average of several sharp images is a blurred one, while a critic tells a
blurred image from a real one at once. {fair}

*Frechet distance*: how far the samples as a set are from real test images, in 128 features that random filters read
from small patches; 0 is the same distribution, and real images that no model has seen have the figure in the column
"real data" (it may be a little below 0, because the distance is extrapolated to unlimited sets). *Sharpness*: the root
mean square difference between neighbouring pixels of the samples over that of real images; 1 is as sharp as real,
below 1 blurred, above 1 harsher or noisy. *Precision* is the share of samples that lie among the real images, *recall*
the share of real images that lie among the samples. The baseline is a Gaussian with the mean and covariance of the
training images.

{data}"""

RULE_SHARP = (
    "A data set agrees where the VAE's sharpness is below 1 and the GAN's is above the VAE's, both by the whole 95 % "
    "interval over seeds (of the difference: paired by seed). It contradicts where the VAE's is surely not below 1, or "
    "surely above the GAN's, and is open otherwise. Supported if every data set agrees, not supported if every one "
    "contradicts, else it depends."
)
NOISE = "the GAN's are harsher than real images, for noise counts as sharp"
PRACTICE = {
    "supported": "For samples that are looked at, train a GAN; for a model of how probable an image is, a VAE.",
    "not supported": "Do not choose a GAN for its name: on data of this size compare both on your own images.",
    "depends": "Which is nearer depends on the data: run `jaxgen compare` on your own images, and look at the samples.",
}
PRACTICE_SHARP = {
    "supported": "Expect soft samples of a plain VAE; where edges count, use a GAN or another likelihood.",
    "not supported": "Measure before you call a VAE blurred: here it is not, or not more than the GAN.",
    "depends": "Compare the sharpness of samples with that of your own images before you call a model blurred.",
}


def main(config: Config, home: Path | None = None) -> Evidence:
    """The comparisons, and what they say."""
    measured = settings.measured(config, ("synthesis",), home)
    chosen = {name: answers.row(results, SETTING) for name, results in measured.sets.items()}
    sharp = {name: sharpness(results) for name, results in measured.sets.items()}
    limits = answers.limits(measured, (SETTING,))
    verdicts = (
        answers.verdict({name: answers.choice(row) for name, row in chosen.items()}),
        answers.verdict({name: blurred(row) for name, row in sharp.items()}),
    )
    claims = (
        Claim(
            "3c, synthesis",
            "Choose a GAN for image synthesis: its samples are nearer to real images.",
            verdicts[0],
            answers.RULE,
            limits,
            {"data": chosen, "further": {name: further(results) for name, results in measured.sets.items()}},
            config.seeds,
            PRACTICE[verdicts[0].word],
        ),
        Claim(
            "3c, sharpness",
            "A VAE's samples are blurred, and a GAN's are sharper.",
            verdicts[1],
            RULE_SHARP,
            "Sharpness is one number: it tells blur from edges, and not right edges from wrong ones or from noise. "
            "Samples of the VAE are the means of its decoder, as usual; noise of its likelihood would be no sharpness.",
            {"data": sharp},
            config.seeds,
            PRACTICE_SHARP[verdicts[1].word],
        ),
    )
    caption = (
        "Real test images and samples of the first seed, not selected. Distance: Frechet distance to real images, "
        "0 is best. Sharpness: 1 is as sharp as real images. Both are means over all seeds."
    )
    pictures = {"samples.png": Picture(caption, draw(measured.sets, chosen, sharp))}
    about = ABOUT.format(fair=answers.FAIR, data=answers.about(measured, config, (SETTING,)))
    run_config = dataclasses.asdict(config)
    return Evidence("image_synthesis", about, claims, pictures, run_config, measured.seconds)


def sharpness(results: Found) -> dict[str, Any]:
    """Sharpness by side, and the difference GAN minus VAE."""
    vae, gan = (answers.values(results, TASK, SHARPNESS, model) for model in SIDES.values())
    return {"vae": answers.spread(vae), "gan": answers.spread(gan), "gan_minus_vae": answers.gap(gan, vae)}


def blurred(row: Mapping[str, Any]) -> answers.State:
    """What a row of `sharpness` says: by the rule of the claim."""
    if answers.below(row["vae"], 1.0) and answers.above(row["gan_minus_vae"]):
        return answers.AGREES, NOISE if answers.above(row["gan"], 1.0) else ""
    if row["vae"] is not None and row["vae"][1] is not None and row["vae"][1] >= 1:
        return answers.AGAINST, "the VAE's are not blurred"
    if answers.below(row["gan_minus_vae"]):
        return answers.AGAINST, "the GAN's are less sharp"
    return answers.OPEN, ""


def further(results: Found) -> dict[str, Any]:
    """Precision and recall by side, and the distance of the Gaussian."""
    cells: dict[str, Any] = {}
    for metric in ("precision", "recall"):
        for side, model in SIDES.items():
            cells[f"{metric}_{side}"] = answers.shown(results, TASK, metric, model)
    gaussian = answers.values(results, TASK, "frechet", "Gaussian of the pixels")
    return {**cells, "frechet_of_the_gaussian": answers.spread(gaussian)}


def draw(sets: Mapping[str, Found], chosen: Mapping[str, Any], sharp: Mapping[str, Any]) -> bytes:
    """A row of panels for each data set: real images, the VAE's samples, the GAN's."""
    picture, axes = plots.figure("Real images, and what a VAE and a GAN make", 0.8 + 2.5 * len(sets), len(sets), 3)
    for panels, (name, results) in zip(axes, sets.items(), strict=True):
        real = as_float(results.data.test.x[: ROWS * COLUMNS])
        plots.images(panels[0], real, COLUMNS, f"{name}\nreal images", plots.INK)
        for panel, (side, model), colour in zip(panels[1:], SIDES.items(), (plots.BLUE, plots.ORANGE), strict=True):
            samples = next(iter(results.outcomes[model].values())).pictures.get("Samples")
            if samples is None or chosen[name][side] is None:
                panel.axis("off")
                continue
            figures = f"distance {chosen[name][side][0]:.3g}"
            if sharp[name][side] is not None:
                figures += f", sharpness {sharp[name][side][0]:.2f}"
            plots.images(panel, np.asarray(samples)[: ROWS * COLUMNS], COLUMNS, f"{side.upper()}\n{figures}", colour)
    return plots.png(picture)
