"""Claim 3c, super-resolution: a GAN for results that look real, squared error for results that are near the truth?"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments import answers, plots, settings
from experiments.evidence import Claim, Evidence, Picture
from experiments.regression import NAME as SQUARED
from experiments.regression import regressions
from experiments.settings import SIDES, Config, Found
from jaxgen.data import as_float
from jaxgen.metrics.restoration import bicubic
from jaxgen.tasks import restore

FULL, QUICK = settings.FULL, settings.QUICK
SETTING, TASK = "super-resolution", "restore"
BOUND = 3.01  # dB: 10 log10 2, for perfect realism costs at most twice the least squared error
BASELINES = {"bicubic": "bicubic", "ridge regression": "ridge", "nearest training example": "nearest"}
COLOURS = {"VAE": plots.BLUE, "GAN": plots.ORANGE, SQUARED: plots.GREEN}
SHOWN = 8  # test images

ABOUT = """Super-resolution makes a large image of a small one, here of half the pixels a side. Many
large images have the same small one, and two aims part there. The average of all of them has the least squared error
and the highest *PSNR* (the squared error in decibels, higher is nearer to the true image), but it is blurred and looks
like none of them. One of them looks real, and is a little off. Blau and Michaeli (2018) proved that nobody can have
both in full, and that realism is not dear: results that look perfectly real cost at most 3.01 dB of the best possible
PSNR. A GAN that loses more, or looks less real, is short of that limit: the fault is its own and not the bound's.

Four ways are compared, in the same time on the same images: the GAN (an SRGAN: a critic, and an L1 term that tells it
the truth), a conditional VAE, the GAN's generator trained on the *squared error* alone, and no network at all (bicubic
interpolation, ridge regression, the nearest training image). *Realism* is the Frechet distance of the results as a set
to real test images, whatever they were made from (0 is best). What decides between VAE and GAN is the *Frechet distance
of pairs*, of a small image and its result to pairs of that image and the true one: a result must look real, and belong
to its small image.

{data} Super-resolution has 0.4 of that time."""

RULE = (
    "A data set agrees where the GAN's realism is better than that of the squared error, the PSNR of the squared "
    f"error is higher than the GAN's, and the GAN is at most {BOUND} dB below the best PSNR that any way reached (the "
    "mean of several results of a model counts as one), each by the whole 95 % interval of the difference, paired by "
    "seed; for the bound the mean must lie within it. It contradicts where one of the three is surely the other way "
    "round, and is open otherwise. Supported if every data set agrees, not supported if every one contradicts, else "
    "it depends."
)
PRACTICE = {
    "supported": "Train a GAN where a person looks at the results, and a VAE where its samples or bounds are wanted.",
    "not supported": "Measure both on your own images, with simple ways beside them: here the GAN was not chosen.",
    "depends": "Between a GAN and a conditional VAE the data decide: run `jaxgen compare --settings super-resolution`.",
}
PRACTICE_PLANE = {
    "supported": "Use a critic if results are looked at, squared error if they are measured; PSNR alone misleads.",
    "not supported": "In this little time the critic was no gain: look at realism and PSNR beside squared error.",
    "depends": "Draw the plane for your own data: a GAN right of its bound is worth it, one far left of it is not.",
}


def main(config: Config, home: Path | None = None) -> Evidence:
    """The comparisons, the regression beside them, and what they say."""
    measured = settings.measured(config, ("super-resolution",), home)
    regressed = regressions(measured.sets, config, home)
    chosen = {name: answers.row(results, SETTING) for name, results in measured.sets.items()}
    planes = {name: plane(results, regressed[name]) for name, results in measured.sets.items()}
    against = {name: beside(results, regressed[name]) for name, results in measured.sets.items()}
    verdicts = (
        answers.verdict({name: answers.choice(row) for name, row in chosen.items()}),
        answers.verdict({name: trade(row) for name, row in against.items()}),
    )
    limits = answers.limits(measured, (SETTING,))
    claims = (
        Claim(
            "3c, super-resolution",
            "Choose a GAN, not a VAE, for super-resolution.",
            verdicts[0],
            answers.RULE,
            limits,
            {"data": chosen},
            config.seeds,
            PRACTICE[verdicts[0].word],
        ),
        Claim(
            "3c, looks or truth",
            "A GAN's results look real, those of squared error are nearer to the truth; that costs 3.01 dB at most.",
            verdicts[1],
            RULE,
            "Realism is measured in one feature space, of random filters; another may order the ways otherwise. The "
            "best PSNR that was reached stands for the best possible one, which nobody knows. " + limits,
            {"data": against, **{f"plane_of_{name}": rows for name, rows in planes.items()}},
            config.seeds,
            PRACTICE_PLANE[verdicts[1].word],
        ),
    )
    pictures = {
        "plane.png": Picture(
            "Each way by how near it is to the truth (to the right is better) and how real it looks (down is better), "
            "means over seeds with 95 % intervals. Whoever looks perfectly real can stand right of the dashed line, "
            "3.01 dB below the best PSNR reached.",
            draw_planes(planes),
        ),
        "images.png": Picture(
            "The first test images of each data set. From the top: what is given, bicubic interpolation, squared "
            "error, the VAE, the GAN, and the truth.",
            draw_images(measured.sets, regressed),
        ),
    }
    about = ABOUT.format(data=answers.about(measured, config, (SETTING,)))
    seconds = measured.seconds + sum(results.seconds for results in regressed.values())
    return Evidence("super_resolution", about, claims, pictures, dataclasses.asdict(config), seconds)


def figure(results: Found, regressed: Found, metric: str, who: str) -> dict[int, float]:
    """A figure by seed of a way, by what the page calls it."""
    if who == SQUARED:
        return answers.values(regressed, TASK, metric, SQUARED)
    return answers.values(results, TASK, metric, SIDES.get(who.lower(), who))


def ways(results: Found) -> list[str]:
    """All that stand in the plane."""
    return [*COLOURS, *answers.baselines_of(results, TASK)]


def plane(results: Found, regressed: Found) -> dict[str, dict[str, Any]]:
    """Figures of each way."""
    metrics = {"psnr": "PSNR", "frechet": "realism", "joint_frechet": "Frechet_distance_of_pairs", "ssim": "SSIM"}
    return {
        who: {title: answers.spread(figure(results, regressed, metric, who)) for metric, title in metrics.items()}
        for who in ways(results)
    }


def best(results: Found, regressed: Found) -> tuple[str, dict[int, float]]:
    """The way with the highest mean PSNR, of one result or of the mean of several, and that figure by seed."""
    found_by = {who: figure(results, regressed, "psnr", who) for who in ways(results)}
    for side in SIDES:  # the others make one result of a small image
        found_by[f"{side.upper()} (mean of several)"] = figure(results, regressed, "psnr_mean", side.upper())
    found_by = {who: entry for who, entry in found_by.items() if entry}
    name = max(found_by, key=lambda who: np.mean(list(found_by[who].values())))
    return name, found_by[name]


def beside(results: Found, regressed: Found) -> dict[str, Any]:
    """The GAN beside the squared error and the bound; differences paired by seed."""
    name, top = best(results, regressed)
    row = {metric: figure(results, regressed, metric, "GAN") for metric in ("frechet", "psnr")}
    other = {metric: figure(results, regressed, metric, SQUARED) for metric in ("frechet", "psnr")}
    return {
        "realism_gan": answers.spread(row["frechet"]),
        "realism_squared_error": answers.spread(other["frechet"]),
        "squared_error_minus_gan_in_realism": answers.gap(other["frechet"], row["frechet"]),
        "psnr_squared_error_minus_gan": answers.gap(other["psnr"], row["psnr"]),
        "best_psnr": name,
        "db_below_the_best": answers.gap(top, row["psnr"]),
    }


def trade(row: Mapping[str, Any]) -> answers.State:
    """What a row of `beside` says: by the rule of the claim."""
    real, near = row["squared_error_minus_gan_in_realism"], row["psnr_squared_error_minus_gan"]
    lost = row["db_below_the_best"]
    against = {
        "the squared error looks more real": answers.below(real),
        "the GAN is nearer to the truth": answers.below(near),
        f"the GAN is more than {BOUND} dB below the best": answers.above(lost, BOUND),
    }
    if any(against.values()):
        return answers.AGAINST, " and ".join(note for note, holds in against.items() if holds)
    inside = lost is not None and lost[0] <= BOUND
    return (answers.AGREES, "") if answers.above(real) and answers.above(near) and inside else (answers.OPEN, "")


def draw_planes(planes: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A panel for each data set."""
    picture, axes = plots.figure("Near the truth, or like a real image?", 5.0, 1, max(1, len(planes)))
    for panel, (name, rows) in zip(axes[0], planes.items(), strict=False):
        shown = {
            who: values for who, values in rows.items() if values["PSNR"] is not None and values["realism"] is not None
        }
        places = {BASELINES.get(who, who): (values["PSNR"], values["realism"]) for who, values in shown.items()}
        plots.marked(panel, places, COLOURS)
        if shown:
            top = max(values["PSNR"][0] for values in shown.values())
            panel.axvline(top - BOUND, color=plots.INK, linewidth=1.2, linestyle="--")
            beside = {"xycoords": ("data", "axes fraction"), "fontsize": 11, "ha": "right"}
            plots.label(panel, top - BOUND, 0.98, f"best - {BOUND} dB ", plots.INK, **beside)
        panel.set_yscale("log")
        plots.plain(panel.yaxis)
        panel.margins(x=0.18, y=0.12)
        panel.set_xlabel("PSNR in dB")
        panel.set_title(name, fontweight="bold", loc="left")
    axes[0, 0].set_ylabel("realism: Frechet distance, 0 is real")
    return plots.png(picture)


def draw_images(sets: Mapping[str, Found], regressed: Mapping[str, Found]) -> bytes:
    """A panel for each data set, and a row of images for each way."""
    picture, axes = plots.figure("From the small image to the large one", 5.2, 1, max(1, len(sets)))
    for panel, (name, results) in zip(axes[0], sets.items(), strict=False):
        x = as_float(results.data.test.x[:SHOWN])
        small = restore.pairs(x).small
        by = x.shape[1] // small.shape[1]
        of_models = [next(iter(results.outcomes[model].values())).pictures for model in SIDES.values()]
        plain = next(iter(regressed[name].outcomes[SQUARED].values())).pictures
        drawn = [row["Super-resolution"][:SHOWN] for row in (plain, *of_models) if "Super-resolution" in row]
        rows = [small.repeat(by, 1).repeat(by, 2), bicubic(small, x.shape[1:]), *drawn, x]
        plots.images(panel, np.concatenate(rows), len(x), name, plots.INK)
        if panel is axes[0, 0] and len(rows) == 6:
            for at, (who, colour) in enumerate(
                {"given": plots.FAINT, "bicubic": plots.FAINT, SQUARED: plots.GREEN, "VAE": plots.BLUE,
                 "GAN": plots.ORANGE, "truth": plots.INK}.items()
            ):  # fmt: skip
                plots.label(panel, -2, 1 + (at + 0.5) * (x.shape[1] + 1), who, colour, ha="right")
    return plots.png(picture)
