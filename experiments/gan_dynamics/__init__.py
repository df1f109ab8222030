"""Claim 2a on games of two and four numbers, and on two networks: do two players that chase each other ever meet?"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from experiments.evidence import Claim, Evidence, Picture
from experiments.gan_dynamics import networks, panels, toys, verdicts
from experiments.gan_dynamics.networks import Trained
from experiments.gan_dynamics.ways import AGAINST, BASE, PLAINLY, PUSHED, Config
from jaxgen.comparison.statistics import difference, holm, interval

FULL = Config()
QUICK = dataclasses.replace(
    FULL,
    ways=(*("both at once", "in turn", "in turn, momentum 0.5", "in turn, momentum -0.5"), "optimistic", "consensus"),
    starts=3,
    networks=(BASE, "R1"),
    seeds=2,
    updates=400,
    looks=2,
)

ABOUT = f"""A GAN has two players with opposite aims, and training looks for the point where neither can improve alone:
the Nash equilibrium. The smallest GANs have one or two numbers a player, so that everything about them is known. In the
*Dirac-GAN* the generator puts all its samples at theta, the data lie at 0, the critic is the line D(x) = psi x, and the
two play for the classic GAN loss; in the *bilinear game* for theta psi itself. In the *LQ-GAN* samples are a z + b and
the critic is w2 x^2 + w1 x, played for the Wasserstein loss: near its equilibrium it is the bilinear game at two
speeds, here 1.618 and 0.618.

What a run does near the equilibrium follows from one matrix, the derivative of a whole step of training: its largest
eigenvalue is the factor by which the distance from the equilibrium changes in each step. An optimiser with memory adds
this memory to the matrix. So the rate can be predicted, and then be measured in a run of the same step. Its natural
logarithm, per step, is the log rate: above zero the players drift apart, at zero they circle for ever, below zero they
meet. *Rotation* is |arg mu| / |log mu| of that eigenvalue mu: 0 where it only grows or shrinks, 1 where it only turns,
and what changes sides at every step turns. All that holds near the equilibrium; from theta = psi = 1, or all four
numbers 1, a run may end elsewhere.

*Both at once* and *in turn* (the generator first) are the usual ways to train, *k : l* k moves of the critic for l of
the generator, *two time scales* a rate of {2 * FULL.rate:g} for the critic and {FULL.rate / 2:g} for the generator;
else it is {FULL.rate:g}. *Momentum* adds a share of the last move to the next, a negative one takes it away.
*Optimistic* descent counts the newest gradient twice and the one before it back. *Extragradient* moves by the gradients
where a trial move would lead. *Consensus* descends on the size of both gradients too; *symplectic adjustment* adds
the rotating part of that alone. An *unrolled* generator sees the critic some steps ahead. *R1* is a penalty of weight
{FULL.gamma:g} on the slope of the critic at the data.

On *ring8*, eight narrow Gaussians on a circle of radius 1, two small networks play by Adam for the non-saturating loss.
Along training Arnoldi's method takes the leading eigenvalue of their step, Adam's memory included. The *swing* is how
far samples of the same z move about in the later half of the run, as a root of mean squares."""

FORECAST = ("closed_form_log_rate", "predicted_log_rate", verdicts.RATE, "largest_difference")
RUN = (verdicts.RATE, "rotation", "distance_in_the_end")


def main(config: Config) -> Evidence:
    """Every game of numbers in every way, then two networks in those that fit them."""
    played = {f"{name}: {game}": toys.measure(name, game, config) for name in config.ways for game in config.games}
    cases = {case: entry.figures for case, entry in played.items()}
    trained = {name: networks.measure(name, config) for name in config.networks}
    paths, first = {case: entry.far for case, entry in played.items()}, config.games[0]
    pictures = {
        "trajectories.png": Picture(
            f"The path of the two numbers from theta = psi = 1 (ring) for {panels.STEPS} steps; the cross is the "
            "equilibrium, and what leaves the panel is cut.",
            panels.trajectories(paths, cases, first),
        ),
        "rates.png": Picture(
            "Strokes are closed forms, rings predictions from the derivative of one step, dots simulated runs. Near "
            "zero the axis is linear, beyond 0.002 logarithmic.",
            panels.rates(cases, config.ways, config.games),
        ),
        "networks.png": Picture(
            f"A dot for each of {config.seeds} seeds, the mean over its looks along training; a bar at the mean.",
            panels.networks(trained),
        ),
    }
    results = claims(cases, network_figures(trained), config)
    return Evidence("gan_dynamics", ABOUT, results, pictures, dataclasses.asdict(config))


def momentum_rows(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each case with momentum beside the same without it."""
    rows = {}
    for case, row in cases.items():
        way, _, game = case.rpartition(": ")
        if way in PUSHED and f"{PUSHED[way]}: {game}" in cases:
            rows[case] = {
                verdicts.RATE: row[verdicts.RATE],
                "without_momentum": cases[f"{PUSHED[way]}: {game}"][verdicts.RATE],
            }
    return rows


def network_figures(results: Mapping[str, Trained]) -> dict[str, dict[str, Any]]:
    """Tables of eigenvalues and swings; differences are paired by seed, and p values corrected over the ways (Holm)."""
    ways, against, p = {}, {}, {}
    for name, entry in results.items():
        ways[name] = {
            "leading_modulus": _over_seeds(entry.moduli.mean(1)),
            "rotation": _over_seeds(entry.rotations.mean(1)),
            "complex_of_the_leading_percent": _over_seeds(entry.turning.mean(1)),
            "swing": _over_seeds(entry.swings),
            "overlap_percent": _over_seeds(entry.overlaps),
            "looks_without_eigenvalue": int(np.isnan(entry.moduli).sum()),
            "failed_seeds": entry.skipped,
        }
        base = results.get(AGAINST.get(name, BASE))
        if name != BASE and base is not None:
            more = difference(*(dict(enumerate(np.log(each.swings))) for each in (entry, base)))
            ends = [None if math.isnan(end) else math.exp(end) for end in (more.mean, more.low, more.high)]
            learned = float(min(entry.overlaps.mean(), base.overlaps.mean()))
            row = {"held_against": AGAINST.get(name, BASE), "swing_as_a_factor": ends}
            against[name], p[name] = {**row, "least_overlap_percent": learned}, more.p
    for name, value in holm(p).items():
        against[name]["p_swing"] = None if math.isnan(value) else value
    moduli, swings = np.array([(entry.moduli.mean(1), entry.swings) for entry in results.values()]).swapaxes(0, 1)
    ranks = [spearmanr(a, b).statistic for a, b in zip(moduli.T, swings.T, strict=True)] if len(results) > 2 else []
    correlation = {"modulus and swing": {"rank_correlation": _over_seeds(np.array(ranks))}}
    return {"ways": ways, "against": against, "over_ways": correlation}


def _over_seeds(values: np.ndarray) -> list[float | None]:
    known = [float(value) for value in values if math.isfinite(value)]
    ends = interval(known)[:3] if known else (math.nan,) * 3
    return [None if math.isnan(end) else float(end) for end in ends]


def claims(cases: Mapping[str, Any], nets: Mapping[str, Any], config: Config) -> tuple[Claim, ...]:
    """What the figures say."""

    def columns(names):
        return {"cases": {case: {name: row[name] for name in names} for case, row in cases.items()}}

    runs, forecast, pushed = columns(RUN)["cases"], columns(FORECAST), {"momentum": momentum_rows(cases)}
    plain = {case: row for case, row in runs.items() if case.rpartition(": ")[0] in PLAINLY}
    pushing = {case for case in runs if "momentum 0.5" in case}  # what has a claim of its own
    mended = {case: row for case, row in runs.items() if case not in plain and case not in pushing}
    on_numbers = (
        "One or two numbers a player and SGD, starts near the equilibrium; far from it the rate may be another. One "
        "rate, one weight of each remedy: others may be faster or too large."
    )
    on_ring = (
        f"Two dimensions, the small networks of `jaxgen fit`, {config.updates:,} updates each by Adam of rate "
        f"{config.adam_rate:g} with a first momentum of 0.5 but where another is named; samples are of the networks as "
        f"they are, not of a moving average. Weights were not tuned (R1 {config.ring_gamma:g}, consensus "
        f"{config.ring_weight:g}). In a first full run smaller networks had not learned one mode: networks, momentum "
        "and updates were changed for that, and what did not learn now counts as such."
    )
    looks = f"at {config.looks} looks along training, on one batch of {networks.SEEN} and one noise"
    table, table_against, over = ({name: nets[name]} for name in ("ways", "against", "over_ways"))
    return (
        Claim(
            "2a",
            "Two competing objectives oscillate or diverge instead of reaching a Nash equilibrium.",
            verdicts.oscillates({"cases": plain}),
            f"By the simulated log rate per step: above {verdicts.STILL:g} diverges, within it circles, below "
            "converges. Counted are the ways without a remedy. Supported if no case converges, not supported if all "
            "do, else it depends.",
            on_numbers,
            {"cases": plain},
            config.starts,
        ),
        Claim(
            "2a, remedies",
            "Optimism, extragradient, consensus, symplectic adjustment, an unrolled generator, a negative momentum and "
            "R1 each make the players meet.",
            verdicts.meet({"cases": mended}),
            "By the same log rate. Supported if every case converges, not supported if none does, else it depends.",
            on_numbers,
            {"cases": mended},
            config.starts,
        ),
        Claim(
            "2a, prediction",
            "The largest eigenvalue of one step's derivative tells how fast a run nears or leaves the equilibrium.",
            verdicts.predicts(forecast),
            f"Each case agrees where the farthest start and the closed form are off the prediction by at most "
            f"{100 * verdicts.CLOSE:g} % of it, or by {verdicts.STILL:g} where it is zero. Supported if all cases "
            "agree, not supported if none, else it depends.",
            on_numbers,
            forecast,
            config.starts,
        ),
        Claim(
            "2a, momentum",
            "Momentum, which speeds up the training of one network, helps two players to meet as well.",
            verdicts.pushes(pushed),
            f"Momentum helps where the simulated log rate is lower with it, by more than {verdicts.STILL:g}. Supported "
            "if momentum 0.5 helps in every case, not supported if in none, else it depends.",
            on_numbers,
            pushed,
            config.starts,
        ),
        Claim(
            "2a, networks",
            "In two networks, too, the largest eigenvalue of a step turns.",
            verdicts.turning(table),
            f"By the rotation of the eigenvalue of largest modulus, {looks}: mostly turning where its 95 % interval "
            f"over seeds lies above {verdicts.TURNS:g}. Supported if it does in every way, not supported if the "
            "interval lies below in every way, else it depends.",
            f"{on_ring} The share of complex eigenvalues among the leading {config.eigenvalues} was added after that "
            "run and decides nothing.",
            table,
            config.seeds,
        ),
        Claim(
            "2a, swing",
            "What makes two numbers meet makes two networks swing less.",
            verdicts.steadies(table_against),
            f"Against the same moves without the remedy, as a factor, at the {100 * verdicts.LEVEL:g} % level by "
            "Student's test of the logarithms by seed, after Holm's correction over the ways. Counted are "
            f"{', '.join(name for name in config.networks if name in verdicts.DAMPING)}, if they and what they are "
            f"held against have an overlap above {verdicts.LEARNED:g} %, that of one mode. Supported if all of these "
            "swing less, not supported if none does, else it depends.",
            on_ring + " Samples also move while a generator still learns.",
            table_against,
            config.seeds,
        ),
        Claim(
            "2a, eigenvalues",
            "The larger the leading eigenvalue of a step, the more two networks swing.",
            verdicts.tells(over),
            f"Spearman's correlation over the ways of modulus ({looks}, their mean) and swing, for each seed. "
            "Supported if the 95 % interval of its mean lies above zero, else not supported.",
            on_ring,
            over,
            config.seeds,
        ),
    )
