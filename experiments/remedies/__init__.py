"""Rows 2b to 2g together: each remedy against each difficulty of training a GAN, and what a step of it takes."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.evidence import Claim, Evidence, Picture
from experiments.mode_collapse.verdicts import KEEPS, LEAST_QUALITY
from experiments.remedies import panels, verdicts
from experiments.remedies.measures import RING, Found, measure
from experiments.remedies.ways import BASE, LINE, MINIMAX, PLANE, TOY, WAYS, Config
from jaxgen.comparison.statistics import difference, holm, interval
from jaxgen.data import load

FULL = Config()
QUICK = dataclasses.replace(
    FULL,
    ways=(MINIMAX, BASE, "relativistic, R1 + R2", "R1", "extragradient"),
    seeds=2,
    updates=300,
    critic_steps=300,
)

ABOUT = f"""Training a GAN has three difficulties. The generator may *lose modes*, kinds of the data that it no longer
makes. If the critic tells real from fake too well, the *gradient* that it gives the generator *vanishes*. And two
players with opposite aims may *circle* their equilibrium and never meet. Textbooks offer a remedy for each. Here every
remedy meets every difficulty, one change at a time to the same training: the *non-saturating loss* without a penalty,
one update of each player in turn.

*Modes*: ring8, eight narrow Gaussians on a circle, as often as in how many of {FULL.seeds} seeds all eight are made
after {FULL.updates:,} updates of the generator; the *overlap* with the data is about 98 % for real data. *Gradient*:
two Gaussians on a line, whose critic is trained alone for {FULL.critic_steps:,} steps. What is left is the generator's
gradient where the two are {FULL.shifts[1]:g} standard deviations apart, over that where they are {FULL.shifts[0]:g}
apart. *Circling*: the Dirac-GAN of two numbers, from {FULL.starts} directions at a distance of 1.41, and how far from
the data the generator is in the last of {FULL.toy_steps:,} steps, in the worst case; near the equilibrium the log rate
per step is known wherever a step has a derivative there. *Arithmetic* counts the multiplications in products of
matrices of a step on ring8, which are nearly all of it, in which the generator moves once."""


def main(config: Config) -> Evidence:
    """Every remedy against every difficulty."""
    found = {name: measure(WAYS[name], config) for name in config.ways}
    figures = {"remedies": rows(found, config), "against_the_non_saturating_loss": gains(found)}
    pictures = {
        "table.png": Picture(
            "A cell is filled where the remedy settles the difficulty. What moves the players alone has the gradient of "
            "the loss that they play: the non-saturating one, and the minimax loss where the generator is unrolled.",
            panels.table(figures["remedies"]),
        )
    }
    claim = Claim(
        "2, together",
        "No single remedy settles all three difficulties: lost modes, a vanishing gradient, players that circle.",
        verdicts.none_settles_all(figures),
        f"Modes are kept where all eight are captured, and {LEAST_QUALITY:g} % of the samples are of high quality, in "
        f"{100 * KEEPS:g} % of the seeds. The gradient is alive where the 95 % interval of what is left lies above "
        f"{verdicts.ALIVE:g}. Players meet where every start ends within {verdicts.MET:g}. Supported if no remedy "
        "does all three, not supported if one does.",
        f"One strength of each remedy: on ring8 Adam of rate {PLANE.rate:g}, R1 and R2 {PLANE.gamma:g}, WGAN-GP and "
        f"DRAGAN {PLANE.weight:g}, clipping {PLANE.limit:g}, consensus {PLANE.consensus:g}; on two numbers descent of "
        f"rate {TOY.rate:g} and {TOY.gamma:g}, {TOY.weight:g}, {TOY.limit:g}, {TOY.consensus:g}; on the line "
        f"{LINE.gamma:g}, {LINE.weight:g}, {LINE.limit:g}. They are those of gradient_penalty and gan_dynamics, and "
        "were not chosen for this table. Two dimensions and two numbers: images may need other strengths. Two "
        "remedies at once are not tried, but where a paper brings them together. The distance within which players "
        "count as met was set after a quick run of five remedies.",
        figures,
        config.seeds,
        verdicts.practice(figures),
    )
    return Evidence("remedies", ABOUT, (claim,), pictures, dataclasses.asdict(config))


def rows(found: Mapping[str, Found], config: Config) -> dict[str, dict[str, Any]]:
    """A row for each remedy. What moves the players alone has the gradient of the loss that they play."""
    base, everything = found[BASE], len(load(RING).modes.means)
    table = {}
    for name, own in found.items():
        kept = [c.captured == everything and c.high_quality_percent >= LEAST_QUALITY for c in own.ring.counts]
        left = found[WAYS[name].gradient_of or name].left
        far = float(own.distances.max())
        table[name] = {
            "seeds_with_all_modes": sum(ok and not bad for ok, bad in zip(kept, own.ring.failed, strict=True)),
            "seeds": config.seeds,
            "overlap_percent": ends(own.ring.overlaps),
            "gradient_left": None if left is None else ends(left),
            "distance_in_the_end": far if math.isfinite(far) else None,
            "log_rate": own.log_rate,
            "arithmetic_of_a_step": own.products / base.products,
            "failed_seeds": int(own.ring.failed.sum()),
        }
    return table


def gains(found: Mapping[str, Found]) -> dict[str, dict[str, Any]]:
    """The overlap on ring8 against the non-saturating loss, paired by seed; p values corrected over the ways (Holm)."""
    table, p = {}, {}
    for name, own in found.items():
        if name != BASE:
            more = difference(dict(enumerate(own.ring.overlaps)), dict(enumerate(found[BASE].ring.overlaps)))
            table[name] = {"more_overlap": [None if math.isnan(end) else end for end in more[:3]]}
            p[name] = more.p
    for name, value in holm(p).items():
        table[name]["p_corrected"] = None if math.isnan(value) else value
    return table


def ends(values: np.ndarray) -> list[float | None]:
    """[mean, low, high] over seeds; a seed that is not finite leaves no interval.

    >>> ends(np.array([1.0, 1.0])), ends(np.array([1.0, np.nan]))
    ([1.0, 1.0, 1.0], [None, None, None])
    """
    return [float(end) if math.isfinite(end) else None for end in interval(np.asarray(values).tolist())[:3]]
