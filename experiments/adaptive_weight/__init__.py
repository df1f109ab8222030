"""Beyond the textbook: the adaptive weight of VQGAN and latent diffusion, against what else is done."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.adaptive_weight import panels, training, verdicts
from experiments.adaptive_weight.figures import differences, ended, late, row, share_told_apart
from experiments.adaptive_weight.training import (
    ADAPTIVE,
    ADAPTIVE_R1,
    CONSTANT,
    CONSTANT_R1,
    DATA,
    LATE,
    LIMIT,
    NORMS,
    WARM,
    Config,
)
from experiments.adaptive_weight.verdicts import BLIND, EXPLODES
from experiments.evidence import Claim, Evidence, Picture
from jaxgen.core import as_float
from jaxgen.data import load
from jaxgen.metrics import feature_space

FULL = Config()
QUICK = dataclasses.replace(FULL, ways=(CONSTANT, ADAPTIVE), betas=(0.01,), seeds=2, steps=200, looks=10, samples=500)

ABOUT = f"""The autoencoders of latent diffusion and of VQGAN are VAEs (or have codes) whose reconstructions a *critic*
judges: it learns to tell them from images, and the decoder learns to pass. How much that counts beside the
reconstruction loss is set by an **adaptive weight**: the norm of the gradient of the reconstruction loss in the
decoder's last layer over that of the adversarial loss, at most {LIMIT:g}. So both pull that layer equally hard. Users
of these codes report that the weight grows without bound and that the critic is stuck: its loss stays where it was
(CompVis/taming-transformers #44, #73, #93), or that reconstructions get worse once the critic is let in, for it starts
late there (songweige/TATS #28, CompVis/latent-diffusion #350).

Here it is measured on the embedded digits, 8 x 8 pixels, with the hinge loss and one setting for all: *constant* weighs
the adversarial loss by {FULL.weight:g}; *adaptive* by the adaptive weight; *norms* gives either loss a gradient of norm
1 in what the decoder gives (as cloneofsimo/vqgan-training does); *R1* adds a penalty on the critic's slope; *late*
lets critic and adversarial loss start after half of the steps, as the code of both papers does; in *critic first* the
critic learns from the first step and the VAE listens from the half. Each is trained with two weights of the KL:
{FULL.betas[0]:g}, where reconstructions are nearly exact, as in latent diffusion, and {FULL.betas[1]:g}, where draws of
the prior decode to digits.

*Pairs told apart*: of all pairs of a test image and a reconstructed one, those where the critic gives the image the
higher logit; 50 % is chance. *Error*: root mean square, in pixels of [0, 1]. *Frechet*: the distance of reconstructed
test images from the test images, and of draws of the prior from them, in features of random filters (not FID)."""


def main(config: Config) -> Evidence:
    """Every way at every weight of the KL."""
    results = {
        f"beta {beta:g}": {way: training.train(way, beta, config) for way in config.ways} for beta in config.betas
    }
    real, space = np.asarray(as_float(load(DATA).test.x)), feature_space(load(DATA))
    table = {beta: ended(ways, real, space) for beta, ways in results.items()}
    figures = {
        "cases": {
            f"{way}, {beta}": row(way, runs, {name: by_way[way] for name, by_way in table[beta].items()}, config)
            for beta, ways in results.items()
            for way, runs in ways.items()
        },
        "differences": differences(table),
        "late": {f"{way}, {beta}": late(ways[way]) for beta, ways in results.items() for way in (LATE,) if way in ways},
    }
    shown = {
        beta: {**figures_of, "pairs told apart": share_told_apart(results[beta])} for beta, figures_of in table.items()
    }
    pictures = {
        "course.png": Picture(
            "Above: the weight of the adversarial loss, the median over seeds of medians of windows, and the range up "
            "to the largest of any step and seed; before half of the steps that of the late ways does not act. Below: "
            "what the critic tells apart, the mean over seeds. Left and right: two weights of the KL, beta.",
            panels.course(results),
        ),
        "ends.png": Picture(
            "A dot for each seed, a bar at the mean; beta is the weight of the KL. Critics that tell fewer pairs apart "
            "may be weaker, or have better reconstructions before them.",
            panels.ends(shown),
        ),
        "images.png": Picture("Of the first seed, not chosen.", panels.images(results, real)),
    }
    return Evidence("adaptive_weight", ABOUT, claims(figures, config), pictures, dataclasses.asdict(config))


def claims(figures: Mapping[str, Any], config: Config) -> tuple[Claim, ...]:
    """What the figures say of what users report, and of what is done instead."""
    rows = (
        (
            "The adaptive weight explodes.",
            verdicts.explodes(figures),
            f"A seed's weight explodes if it reaches the limit of {LIMIT:g}, or more than {EXPLODES:g} times its own "
            "median, in a step in which it acts. Supported if it does in half of the seeds of every adaptive case, not "
            "supported if in no seed of any and every weight is finite, else it depends.",
            ("cases",),
            {
                "supported": "Log the weight and lower its limit: 1e4 bounds nothing here.",
                "depends": "Log the weight from the first step; it is the first figure to look at if a run goes wrong.",
                "not supported": "Log the weight; on data and networks like these its limit need not be touched.",
            },
        ),
        (
            "The adaptive weight leaves the critic stuck: in the end it cannot tell reconstructions from images.",
            verdicts.stuck(figures),
            f"A critic is blind where the 95 % interval of the pairs that it tells apart, over the last quarter of "
            f"training, lies below {BLIND:g} %. Supported if at every weight of the KL it is blind under the adaptive "
            "weight and sees under the constant one, not supported if it sees under the adaptive one everywhere. A "
            "case with a seed that has no figure is neither.",
            ("cases",),
            {
                "supported": "If the critic is blind, try a constant weight first.",
                "depends": "Watch what the critic tells apart, not its loss, before you blame the weight.",
                "not supported": "A critic that is stuck here would have another cause than the weight.",
            },
        ),
        (
            "The adaptive weight beats a constant one.",
            verdicts.beats(figures, ADAPTIVE, CONSTANT),
            _BEATS,
            ("differences",),
            {
                "supported": "Take the adaptive weight.",
                "depends": "Try both: neither is better everywhere.",
                "not supported": "No gain over a constant weight was sure here; the adaptive one saves its search.",
            },
        ),
        (
            "A gradient of norm 1 for either loss beats the adaptive weight.",
            verdicts.beats(figures, NORMS, ADAPTIVE),
            _BEATS,
            ("differences",),
            {
                "supported": "Normalise the gradients at the decoder's output; it needs no last layer.",
                "depends": "Try norms, and adapt the weight of the KL: it counts otherwise beside them.",
                "not supported": "Keep the adaptive weight.",
            },
        ),
        (
            "R1 on the critic makes the adaptive weight better.",
            verdicts.beats(figures, ADAPTIVE_R1, ADAPTIVE),
            _BEATS,
            ("differences",),
            {
                "supported": "Add R1 to the critic; the adaptive weight makes up for the smaller slope by itself.",
                "depends": "Add R1 where it helped here.",
                "not supported": "No gain by R1 beside the adaptive weight was sure here.",
            },
        ),
        (
            "Beside R1 the adaptive weight beats the constant one.",
            verdicts.beats(figures, ADAPTIVE_R1, CONSTANT_R1),
            _BEATS,
            ("differences",),
            {
                "supported": "Take the adaptive weight where a penalty changes the slope of the critic: it follows.",
                "depends": "If you add a penalty, choose a constant weight anew, or let it adapt.",
                "not supported": "No gain over the same constant weight was sure beside R1 here.",
            },
        ),
        (
            "A critic that starts late ruins the reconstructions.",
            verdicts.ruins(figures),
            "The error on test images just before critic and adversarial loss start, and in the end. Supported if the "
            "95 % interval of the change lies above 0 at every weight of the KL, not supported if below at every one. "
            "There is no interval where a seed has no figure.",
            ("late",),
            {
                "supported": "Expect the error to rise when a critic starts, and judge by more than the error.",
                "depends": "Compare the error before and after the start of the critic on your own data.",
                "not supported": "In the end the error was lower than before a late start here.",
            },
        ),
        (
            "Against that helps a critic that is trained from the first step.",
            verdicts.beats(figures, WARM, LATE),
            _BEATS,
            ("differences",),
            {
                "supported": "Train the critic from the first step, also where the VAE listens to it later only.",
                "depends": "Train the critic earlier where it helped here.",
                "not supported": "No gain by training the critic before the VAE listens was sure here.",
            },
        ),
    )
    return tuple(
        Claim(
            f"-, {number}",
            statement,
            verdict,
            rule,
            _limits(config),
            {name: figures[name] for name in names},
            config.seeds,
            practice[verdict.word],
        )
        for number, (statement, verdict, rule, names, practice) in enumerate(rows, 1)
    )


_BEATS = (
    "A figure (error, Frechet of reconstructions, Frechet of samples; lower is better) differs where Student's test of "
    f"the differences by seed decides at the {100 * verdicts.LEVEL:g} % level after Holm's correction over all pairs, "
    "figures and weights of the KL (the intervals in the table are not corrected). Supported if the first way is "
    "better in some figure and worse in none at every weight of the KL, not supported if at none, else it depends: not "
    "supported does not say that both are equal. A figure that some seed lacks is not tested and decides nothing."
)


def _limits(config: Config) -> str:
    return (
        f"Digits of 8 x 8 pixels, small dense networks, a critic of whole images, no perceptual loss, {config.steps:,} "
        "steps of Adam with the papers' momenta: large images, patch critics and long training may do otherwise, and "
        "what does not happen here may happen there. One strength of each way: the constant weight is "
        f"{config.weight:g}, the default of both codes, R1 {config.gamma:g}, the rate {config.rate:g}. The two weights "
        "of the KL were chosen after trials of four seeds and 1,000 to 2,000 steps at both, whose figures were seen "
        "before the rules were written; a run of four seeds and 800 steps then added the claim on both weights beside "
        "R1, and changed no rule. A gradient of norm 1 lets the reconstruction loss count several times as much "
        "beside the KL, which is a part of what norms do where the KL counts more. Frechet distances of samples under "
        "the small weight of the KL are large for all, for no draw of the prior is a code there."
    )
