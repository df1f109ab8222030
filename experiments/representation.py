"""Claim 3d, representation: once a few labels come, is what a VAE learned without them worth more than a GAN's?"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments import answers, plots, settings
from experiments.evidence import Claim, Evidence, Picture
from experiments.settings import SIDES, Config, Found
from jaxgen.tasks.represent import COUNTS

FULL, QUICK = settings.FULL, settings.QUICK
SETTING, TASK = "representation learning", "represent"
COLOURS = {"VAE": plots.BLUE, "GAN": plots.ORANGE}
NAIVE = ("raw values", "PCA", "random network")  # features that no training made; a majority class is none

ABOUT = """A good representation says in few numbers what an example is. The textbook recommends a VAE for it, because
its encoder is trained to code what the decoder needs. Here both models learn from examples without labels; then a
linear classifier is given their features and 1, 5 or 20 labels a class. Features are the code of the VAE's encoder or
the layer below it; of the GAN, which has no encoder, the last layer of the critic, or the code of an encoder that is
trained afterwards on its samples, inside its time. Which layer is read, validation data choose. *Accuracy* is balanced:
the mean over classes of the share of each that is told right on test examples. What decides is its mean over 1, 5 and
20 labels.

Three baselines learn nothing: the *raw values* themselves, their first 16 principal components (*PCA*), and the hidden
layer of a *random network* that was never trained. Whoever trains a model for its features should beat them. {fair}

{data}"""

RULE_WORTH = (
    "A data set agrees where the VAE's accuracy is above that of the best of raw values, PCA and a random network "
    "(best by its mean), by the whole 95 % interval of the difference, paired by seed; it contradicts where it is "
    "surely below, and is open otherwise. Supported if every data set agrees, not supported if every one contradicts, "
    "else it depends."
)
PRACTICE = {
    "supported": "For features without labels train a VAE, and let a few labels choose the layer.",
    "not supported": "Do not choose by the name: read the critic's features and the encoder's, keep the better ones.",
    "depends": "Read the features of both, and of the raw values, with the few labels that you have; then choose.",
}
PRACTICE_WORTH = {
    "supported": "With few labels a trained code is worth its training.",
    "not supported": "Try the raw values or PCA first: on data as small as these nothing learned is better.",
    "depends": "Measure raw values and PCA beside every learned code: on some data they are as good.",
}


def main(config: Config, home: Path | None = None) -> Evidence:
    """The comparisons, and what they say."""
    measured = settings.measured(config, ("representation",), home)
    chosen = {name: answers.row(results, SETTING) for name, results in measured.sets.items()}
    worth = {name: beyond(results) for name, results in measured.sets.items()}
    counts = {name: by_count(results) for name, results in measured.sets.items()}
    verdicts = (
        answers.verdict({name: answers.choice(row) for name, row in chosen.items()}),
        answers.verdict({name: pays(row) for name, row in worth.items()}),
    )
    limits = (
        answers.limits(measured, (SETTING,)) + " A linear classifier reads what is laid out in straight lines only."
    )
    claims = (
        Claim(
            "3d, representation",
            "Choose a VAE for representation learning.",
            verdicts[0],
            answers.RULE,
            limits,
            {"data": chosen},
            config.seeds,
            PRACTICE[verdicts[0].word],
        ),
        Claim(
            "3d, worth of a code",
            "What a VAE learns is worth more than the values themselves.",
            verdicts[1],
            RULE_WORTH,
            limits,
            {"data": worth, **{f"accuracy_on_{name}": rows for name, rows in counts.items()}},
            config.seeds,
            PRACTICE_WORTH[verdicts[1].word],
        ),
    )
    caption = (
        "Balanced accuracy on test examples against the number of labels a class, means over seeds with 95 % "
        "intervals. Grey: features that no training made."
    )
    about = ABOUT.format(fair=answers.FAIR, data=answers.about(measured, config, (SETTING,)))
    pictures = {"labels.png": Picture(caption, draw(counts))}
    return Evidence("representation", about, claims, pictures, dataclasses.asdict(config), measured.seconds)


def _name(who: str) -> str:
    return SIDES.get(who.lower(), who)


def beyond(results: Found) -> dict[str, Any]:
    """The VAE beside the best of what learns nothing."""
    vae = answers.values(results, TASK, "accuracy", SIDES["vae"])
    naive = {name: entry for name in NAIVE if (entry := answers.values(results, TASK, "accuracy", name))}
    best = max(naive, key=lambda name: sum(naive[name].values()) / len(naive[name]))
    return {
        "vae": answers.spread(vae),
        "best_baseline": best,
        "of_that_baseline": answers.spread(naive[best]),
        "vae_minus_baseline": answers.gap(vae, naive[best]),
    }


def pays(row: Mapping[str, Any]) -> answers.State:
    """What a row of `beyond` says: by the rule of the claim."""
    if answers.above(row["vae_minus_baseline"]):
        return answers.AGREES, ""
    if answers.below(row["vae_minus_baseline"]):
        return answers.AGAINST, f"{row['best_baseline']} is better"
    return answers.OPEN, ""


def by_count(results: Found) -> dict[str, dict[str, Any]]:
    """Accuracy of everyone by the number of labels."""
    return {
        who: {f"{n}_label{'s' * (n > 1)}": answers.shown(results, TASK, f"accuracy_{n}", _name(who)) for n in COUNTS}
        for who in (*COLOURS, *NAIVE)
    }


def draw(counts: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A panel for each data set, a line for each that is read."""
    picture, axes = plots.figure("What a few labels are worth", 4.8, 1, max(1, len(counts)))
    for panel, (name, rows) in zip(axes[0], counts.items(), strict=False):
        for at, (who, values) in enumerate(rows.items()):
            cells = list(values.values())
            if None in cells:
                continue
            colour = COLOURS.get(who, plots.FAINT)
            style = {"VAE": "-", "GAN": "-", "raw values": "--", "PCA": ":", "random network": "-."}[who]
            places = [n * (1 + 0.03 * (at - 2)) for n in COUNTS]  # apart, so that intervals can be told
            panel.plot(places, [cell[0] for cell in cells], style, color=colour, label=who)
            for x, (_, low, high) in zip(places, cells, strict=True):
                if low is not None:
                    panel.plot([x, x], [max(low, 0), min(high, 1)], color=colour, linewidth=1.5)
        panel.set_xscale("log")
        panel.set_xticks(COUNTS, [str(n) for n in COUNTS])
        panel.minorticks_off()
        panel.set_xlabel("labels a class")
        panel.set_title(name, fontweight="bold", loc="left")
    axes[0, 0].set_ylabel("balanced accuracy")
    axes[0, -1].legend(frameon=False, fontsize=12, loc="best", handlelength=2.4)
    return plots.png(picture)
