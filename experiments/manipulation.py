"""Claim 3d, manipulation: does a step in a VAE's latent space change what is meant, and leave the rest as it was?"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments import answers, plots, settings
from experiments.evidence import Claim, Evidence, Picture
from experiments.extras import at
from experiments.settings import SIDES, Config, Found, Part
from jaxgen.tasks import MANIPULATE
from jaxgen.tasks.manipulate import COLUMNS, STRENGTHS

FULL = settings.FULL
QUICK = Config({"shapes": Part(2.0, ("manipulation",))}, seeds=2)  # the set whose factors are known
SETTING, TASK = "semantic manipulation", "manipulate"
COLOURS = {"VAE": plots.BLUE, "GAN": plots.ORANGE}
STRUCTURE = {  # figures of structure, where it is known what an image was made from
    "right_factor": "edits of one factor that change it alone",
    "disentanglement": "disentanglement (DCI)",
    "mutual_information_gap": "mutual information gap",
}

ABOUT = """Semantic manipulation edits what an image shows: make this 3 an 8, and leave the slant and the stroke as they
are. The textbook recommends a VAE, because its latent space has structure: encode the image, take a step along the
direction that leads from one class to the other, decode. That direction is the mean code of 20 labelled examples of the
target class minus that of the others; the GAN, which has no encoder, is edited through one that is trained afterwards
on its samples, inside its time.

An edit must do two things at once. *Changed* is the share of edits that a classifier takes for the target class and
that lie as near to real examples of it as others of that class do, so that a faint ghost of an 8 over a 3 does not
count. *Kept* is how surely an edit is told to be of its own original among others of the original's class: 1 always, 0
by chance. A stronger step changes more and keeps less, so that each model has a curve; its *area* is what decides: 0
for whoever changes nothing or keeps nothing. The same edits are made where the code is the image itself (*raw values*)
and where it is 16 principal components (*PCA*). {fair}

On shapes, every image was drawn from five factors (shape, size, angle, x, y), so that structure can be measured.
*Right factor*: the share of edits of one factor after which that factor has changed and no other has.
*Disentanglement*: whether each number of the code speaks of one factor only. *Mutual information gap*: how much more of
a factor its best number knows than the second best.

{data}"""

RULE_STRUCTURE = (
    "Right factor, disentanglement and mutual information gap, on the data sets whose factors are known. A data set "
    "agrees where the VAE is ahead of the GAN in all three by the whole 95 % interval of the difference, paired by "
    "seed; it contradicts where it is ahead in none and behind in at least one, and is open otherwise. Supported if "
    "every data set agrees, not supported if every one contradicts, else it depends."
)
PRACTICE = {
    "supported": "To edit images, encode, step and decode with a VAE, and keep the step as small as does the work.",
    "not supported": "Try the edit in principal components first: on images as simple as these it is hard to beat.",
    "depends": "Draw the curve on your own data, beside that of principal components, before you choose a model.",
}
PRACTICE_STRUCTURE = {
    "supported": "A VAE's code is the better place to look for factors, though not all of them stand alone in it.",
    "not supported": "Do not read single latent numbers as factors because a VAE made them: check on known ones.",
    "depends": "Structure is no free gift: measure it on data whose factors you know before you rely on it.",
}


def main(config: Config, home: Path | None = None) -> Evidence:
    """The comparisons, and what they say."""
    measured = settings.measured(config, ("manipulation",), home)
    chosen = {name: answers.row(results, SETTING) for name, results in measured.sets.items()}
    known = {name: structure(results) for name, results in measured.sets.items() if results.data.factors}
    curves = {name: by_strength(results) for name, results in measured.sets.items()}
    verdicts = (
        answers.verdict({name: answers.choice(row) for name, row in chosen.items()}),
        answers.verdict(
            {name: structured(rows) for name, rows in known.items()}, "No data set here has factors that are known."
        ),
    )
    limits = answers.limits(measured, (SETTING,)) + " One kind of edit, a step along a straight line."
    claims = (
        Claim(
            "3d, manipulation",
            "Choose a VAE for semantic manipulation.",
            verdicts[0],
            answers.RULE,
            limits,
            {"data": chosen, "best_strength": {name: at_best(results) for name, results in measured.sets.items()}},
            config.seeds,
            PRACTICE[verdicts[0].word],
        ),
        Claim(
            "3d, structure",
            "A VAE's latent space is structured and can be interpreted, more so than a GAN's.",
            verdicts[1],
            RULE_STRUCTURE,
            "A GAN's code is that of an encoder trained on its samples, which adds its own errors. A plain VAE and a "
            "plain GAN: those made for the purpose (beta-VAE, InfoGAN) are others. " + limits,
            {f"structure_of_{name}": rows for name, rows in known.items()},
            config.seeds,
            PRACTICE_STRUCTURE[verdicts[1].word],
        ),
    )
    pictures = {
        "curves.png": Picture(
            "What edits of rising strength change, against what they keep: up and to the right is better. Means over "
            "seeds; each line starts at the reconstruction, without an edit (ring). Grey: codes that no training made.",
            draw_curves(curves),
        ),
        "edits.png": Picture(
            "Edits of the first seed. In each row from the left: a test image, its reconstruction, and edits of rising "
            "strength towards the next class, of which the last image is a real example.",
            draw_edits(measured.sets),
        ),
    }
    about = ABOUT.format(fair=answers.FAIR, data=answers.about(measured, config, (SETTING,)))
    return Evidence("manipulation", about, claims, pictures, dataclasses.asdict(config), measured.seconds)


def at_best(results: Found) -> dict[str, Any]:
    """What both models change and keep at the strength that validation images choose."""
    return {
        f"{metric}_{side}": answers.shown(results, TASK, metric, model)
        for metric in ("changed", "kept")
        for side, model in SIDES.items()
    }


def structure(results: Found) -> dict[str, dict[str, Any]]:
    """Figures of structure by side, and the difference VAE minus GAN."""
    rows = {}
    for metric, title in STRUCTURE.items():
        vae, gan = (answers.values(results, TASK, metric, model) for model in SIDES.values())
        components = answers.values(results, TASK, metric, "PCA")
        rows[title] = {
            "vae": answers.spread(vae),
            "gan": answers.spread(gan),
            "PCA": answers.spread(components),
            "vae_minus_gan": answers.gap(vae, gan),
        }
    return rows


def structured(rows: Mapping[str, Mapping[str, Any]]) -> answers.State:
    """What the rows of `structure` say: by the rule of the claim."""
    ahead = [title for title, row in rows.items() if answers.above(row["vae_minus_gan"])]
    behind = [title for title, row in rows.items() if answers.below(row["vae_minus_gan"])]
    if len(ahead) == len(rows):
        return answers.AGREES, ""
    if behind and not ahead:
        return answers.AGAINST, f"behind in {', '.join(behind)}"
    clauses = [f"ahead in {', '.join(ahead)}"] * bool(ahead) + [f"behind in {', '.join(behind)}"] * bool(behind)
    return answers.OPEN, "; ".join(clauses)


def by_strength(results: Found) -> dict[str, list[tuple[float, float]]]:
    """The means over seeds of (kept, changed) at each strength, of both models and both simple codes."""
    curves = {}
    for who in (*COLOURS, *answers.baselines_of(results, TASK)):
        points = []
        for strength in STRENGTHS:
            both = [
                answers.values(results, TASK, at(what, strength), SIDES.get(who.lower(), who))
                for what in ("kept", "changed")
            ]
            if all(both):
                identity, changed = (float(np.mean(list(values.values()))) for values in both)
                points.append((identity, changed))
        if points:
            curves[who] = points
    return curves


def draw_curves(curves: Mapping[str, Mapping[str, list[tuple[float, float]]]]) -> bytes:
    """A panel for each data set, a line for each code."""
    picture, axes = plots.figure("What an edit changes, and what it keeps", 4.8, 1, max(1, len(curves)))
    for panel, (name, rows) in zip(axes[0], curves.items(), strict=False):
        for who, points in rows.items():
            colour, style = COLOURS.get(who, plots.FAINT), "--" if who == "raw values" else "-"
            identity, changed = np.array(points).T
            panel.plot(identity, changed, style, marker=".", markersize=7, color=colour, label=who)
            panel.plot(identity[0], changed[0], "o", color=colour, markersize=10, fillstyle="none", clip_on=False)
        panel.set_xlim(-0.02, 1.03)
        panel.set_ylim(bottom=-0.02)
        panel.set_xlabel("identity kept (1: all of it)")
        panel.set_title(name, fontweight="bold", loc="left")
    axes[0, 0].set_ylabel("turned into the other class")
    axes[0, 0].legend(frameon=False, fontsize=12, loc="upper right")
    return plots.png(picture)


def draw_edits(sets: Mapping[str, Found]) -> bytes:
    """A row of two panels for each data set: edits of the VAE, and of the GAN."""
    picture, axes = plots.figure("From one class to the next", 0.9 + 2.4 * len(sets), max(1, len(sets)), 2)
    for panels, (name, results) in zip(axes, sets.items(), strict=False):
        for panel, (side, model), colour in zip(panels, SIDES.items(), COLOURS.values(), strict=True):
            edits = next(iter(results.outcomes[model].values())).pictures.get("Edits")
            if edits is None:
                panel.axis("off")
                continue
            edits = np.asarray(edits)
            ends = _ends(results)[: len(edits) // COLUMNS]
            rows = np.concatenate([edits.reshape(-1, COLUMNS, *edits.shape[1:]), ends[:, None]], 1)
            plots.images(panel, rows.reshape(-1, *edits.shape[1:]), COLUMNS + 1, f"{name}: {side.upper()}", colour)
    return plots.png(picture)


def _ends(results: Found) -> np.ndarray:
    """A real example of the class that each row leads to."""
    real = MANIPULATE.pictures[0].real(results.data)
    return real.reshape(-1, COLUMNS, *real.shape[1:])[:, -1]
