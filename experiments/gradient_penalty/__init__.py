"""Claim 2f: what a gradient penalty does for a GAN, and what it does not, beside clipping and spectral norm."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from experiments.evidence import Claim, Evidence, Picture
from experiments.gradient_penalty import panels, rings, toys, verdicts
from experiments.gradient_penalty.ways import NONE, SLOPES, Config

FULL = Config()
QUICK = dataclasses.replace(FULL, ways=(NONE, "R1", "WGAN-GP"), starts=3, seeds=2, updates=300)

ABOUT = """A *gradient penalty* adds to the critic's loss how steep the critic is, |grad D|. There are two kinds.
Zero-centred ones ask for no slope: R1 at the data, R2 at the samples, or both, and 0-GP on the lines between them.
One-centred ones ask for a slope of 1: WGAN-GP on the lines between data and samples, DRAGAN around the data. Beside
them stand remedies that are often named with them: LeCam holds the critic's outputs, clipping holds its weights, and
spectral norm divides each layer by its largest stretch.

On *games of two numbers* everything is known: the generator puts all samples at theta, the data lie at 0, and the
critic is the line psi x. In the Dirac-GAN they play for the classic loss, in the bilinear game for theta psi itself.
Without a penalty the two drift apart, at a rate that a formula gives, and it gives that of the zero-centred penalties
too. Runs start near the equilibrium, for the rate, and at a distance of 1.41, for where they end.

On *ring8*, eight narrow Gaussians on a circle, two small networks play for the non-saturating loss, one update each by
turns. The *overlap* is the share of the samples within 3 standard deviations of a mode, where a mode counts up to its
even share; real data have about 98 %. Samples are those of a moving average of the generator. The *steepest slope* is
the largest |grad D| on a grid around the data. The *arithmetic of a step* is that of the compiled program against the
one without a penalty."""


def main(config: Config) -> Evidence:
    """Every remedy on both games of two numbers and on ring8."""
    cases: dict[str, dict[str, Any]] = {}
    paths: dict[str, dict[str, Any]] = {game: {} for game in toys.GAMES}
    for name in config.ways:
        for game in toys.GAMES:
            cases[f"{name}: {game}"], path = toys.measure(name, game, config)
            paths[game][name] = path
    trained = {name: rings.measure(name, config) for name in config.ways}
    toy, plane = {"cases": cases}, {"ways": rings.ring_rows(trained), "against_none": rings.gain_rows(trained)}
    shown = list(toys.GAMES)[0]
    ends = {name: cases[f"{name}: {shown}"]["generator_from_the_data"] for name in config.ways}
    pictures = {
        "paths.png": Picture(
            "Blue penalties ask for no slope, orange ones for a slope of 1, purple is what else is done to a critic. "
            f"The ring is the start, the cross the equilibrium; {panels.STEPS} steps.",
            panels.paths(paths[shown], ends, shown),
        ),
        "ring8.png": Picture(
            f"A dot for each of {config.seeds} seeds, a bar at the mean (right: the geometric one).",
            panels.rings(trained),
        ),
    }
    return Evidence("gradient_penalty", ABOUT, claims(toy, plane, config), pictures, dataclasses.asdict(config))


def claims(toy: Mapping[str, Any], plane: Mapping[str, Any], config: Config) -> tuple[Claim, ...]:
    """What the figures say of the remedy."""
    among = ", ".join(name for name in config.ways if name in SLOPES)
    on_toys = (
        f"Two numbers a player, SGD of rate {config.toy_rate:g}, both at once; R1 of weight {config.toy_gamma:g}, a "
        f"weight of 0.7 for slope 1, clipping at {config.toy_limit:g}. A critic that is a line has the same slope "
        "everywhere, so that R1, R2 and 0-GP are one, and WGAN-GP and DRAGAN are one; under spectral norm the line "
        "keeps a slope of 1 for ever."
    )
    on_ring = (
        f"Two dimensions, small networks, {config.updates:,} updates each, Adam of rate {config.rate:g}, one loss for "
        f"all. R1 and R2 have the weight {config.gamma:g}, chosen in short trials of this and of 1; the others are not "
        f"tuned: those for slope 1 and LeCam ({config.lecam:g}) have the weights of their papers, though these combine "
        f"WGAN-GP and clipping (here at {config.limit:g}) with the Wasserstein loss and more updates of the critic. "
        "The correction for the number of remedies was added after a first full run, in which one remedy of nine was "
        "ahead by an interval that was not corrected."
    )
    paired = (
        f"at the {100 * verdicts.LEVEL:g} % level, by Student's test of the differences from no penalty by seed, after "
        "Holm's correction over the remedies (the intervals in the table are not corrected)"
    )
    counted = f"Counted are the gradient penalties ({among})."
    return (
        Claim(
            "2f",
            "Remedy: a gradient penalty on the discriminator's loss makes the two players meet.",
            verdicts.meets(toy),
            f"A remedy converges where the generator's distance from the data, over the last {toys.TAIL} of "
            f"{config.toy_steps:,} steps, is below {verdicts.MEETS:g} from every start, in both games. {counted} "
            "Supported if all of them converge in both, not supported if none in any, else it depends.",
            on_toys,
            toy,
            config.starts,
            verdicts.where_to_meet(toy),
        ),
        Claim(
            "2f, prediction",
            "How fast the players approach or leave the equilibrium follows from the weight of the penalty.",
            verdicts.predicts(toy),
            "The formula is log |1 + h (-g/2 ± sqrt(g²/4 - w²))|, h the step size, g the weight of R1 (R1 + R2: of "
            "both; none: 0) and w the turning of the game, 1/2 for the Dirac-GAN and 1 for the bilinear game. A rate "
            f"agrees where the farthest start is off it by at most {100 * verdicts.CLOSE:g} %. Supported if all agree, "
            "not supported if none, else it depends. LeCam and clipping do nothing so near the equilibrium, and have "
            "g = 0.",
            f"One weight; of the rates only six are distinct. {on_toys}",
            toy,
            config.starts,
        ),
        Claim(
            "2f, samples",
            "A gradient penalty makes a GAN's samples meet more of the data.",
            verdicts.overlaps(plane),
            f"More or less overlap {paired}. {counted} Supported if all have more, not supported if none has, else it "
            "depends.",
            on_ring,
            plane,
            config.seeds,
            verdicts.what_to_take(plane),
        ),
        Claim(
            "2f, slopes",
            "A gradient penalty keeps the critic from growing steep.",
            verdicts.flattens(plane),
            f"Flatter or steeper at the steepest point, as a factor, {paired}. {counted} Supported if all are flatter, "
            "not supported if none is, else it depends.",
            on_ring + " The steepest point of a grid is a lower bound of the Lipschitz constant.",
            {"against_none": plane["against_none"]},
            config.seeds,
            "Look at the critic's slope at data and samples while training: it is what the generator learns by.",
        ),
    )
