"""Claims 2c and 2d where the modes are known: how many does a GAN lose, and does another loss keep them?"""

import dataclasses
from collections.abc import Mapping

from experiments.evidence import Claim, Evidence, Picture
from experiments.mode_collapse import panels
from experiments.mode_collapse.runs import MOMENTA, Config, Runs, against, measure, row
from experiments.mode_collapse.verdicts import KEEPS, LEAST_QUALITY, LOSES, SATURATING, collapses, remedies
from jaxgen.data import Modes, load

FULL = Config()
QUICK = dataclasses.replace(FULL, seeds=2, steps=4000)

ABOUT = """Data come in kinds, and a generator that makes a few of them very well fools its critic too: it has lost
modes. Here the kinds are known. *ring8* has eight narrow Gaussians on a circle (standard deviation 0.01, radius 1),
*grid25* has 25 on a 5 x 5 grid (standard deviation 0.05, spacing 2). After training, 2,500 samples are drawn. A sample
is of *high quality* within 3 standard deviations of a mode, and a mode is *captured* with one such sample. *Reverse
KL* tells how unevenly the samples fall on the modes: 0 nats is even, ln 8 = 2.08 or ln 25 = 3.22 is a single mode.
Real data score 98.9 % and 0 nats.

Five losses train the same two small networks from the same starts, with the same step size, batch size and number of
steps; Adam's momenta are those of each loss's own recipe. *Saturating* is the minimax loss of the first GAN, and *non-
saturating* is the alternative that came with it. *Least squares* pulls the critic's outputs to targets. *Wasserstein*
has a gradient penalty and five critic turns a step, so it sees three times the data, and *relativistic* compares each
sample with a real example and penalises the critic's slope at both (R3GAN). For every loss the samples are those of a
moving average of the generator's parameters, which of these papers only the last one keeps. The setting was chosen
after five trials on grid25, of the relativistic and the non-saturating loss."""


def main(config: Config) -> Evidence:
    """Every loss on every data set."""
    modes = {data: load(data).modes for data in config.latent_dims}
    runs = {data: {loss: measure(loss, data, config) for loss in config.losses} for data in modes}
    caption = (
        f"Rings are the modes of the data, dots samples after {config.steps:,} steps, of the seed with the median "
        "number of modes. Where no dot is seen, they lie outside."
    )
    dots = (
        f"A dot for each of {config.seeds} seeds. It is hollow, and counts as no mode, where under "
        f"{LEAST_QUALITY:g} % of the samples are of high quality."
    )
    shown = {
        "samples.png": Picture(caption, panels.samples(runs, modes)),
        "modes.png": Picture(dots, panels.captured(runs, modes)),
    }
    return Evidence("mode_collapse", ABOUT, claims(runs, modes, config), shown, dataclasses.asdict(config))


def claims(runs: Runs, modes: Mapping[str, Modes], config: Config) -> tuple[Claim, ...]:
    """What the runs say of the two claims."""
    cases, gains, by_seed = {}, {}, {}
    for data, losses in runs.items():
        for loss, seeds in losses.items():
            case = f"{loss}: {data}"
            cases[case] = row(seeds, modes[data])
            by_seed[case] = {f"seed_{i}": seed.count.captured for i, seed in enumerate(seeds)}
            if loss != SATURATING:
                share = {name: cases[case][name] for name in ("seeds_with_all_modes", "seeds")}
                gains[case] = {**against(seeds, losses[SATURATING]), **share}
    losing, curing = {"cases": cases, "captured_modes_by_seed": by_seed}, {"cases": gains}
    return (
        Claim(
            "2c",
            "Mode collapse: a GAN loses modes of its data.",
            collapses(losing),
            f"{_KEEPING} Supported if the two losses of the first GAN, saturating and non-saturating, lose modes on "
            "each data set, not supported if they keep all on each, else it depends. The other losses stand beside.",
            f"{_setting(config)} Two dimensions: in images, modes are not known so well.",
            losing,
            config.seeds,
        ),
        Claim(
            "2d",
            "Remedy: better losses (an alternative to the saturating loss; Wasserstein) keep the modes.",
            remedies(curing),
            f"{_KEEPING} A loss is better than the saturating one where the 95 % interval of the difference in modes, "
            "paired by seed, lies above zero; it is a remedy where it also keeps all modes. Supported if every loss "
            "is one on each data set, not supported if none is even better on any, else it depends.",
            f"{_setting(config)} Wasserstein and relativistic bring the penalties of their papers, and their Adam "
            "without momentum: what the loss does and what these do is not told apart. Equal steps are not equal "
            "times.",
            curing,
            config.seeds,
        ),
    )


_KEEPING = (
    f"A seed keeps all modes where it captures each, and at least {LEAST_QUALITY:g} % of its samples are of high "
    f"quality; one that diverges keeps none. A loss keeps all modes where {100 * KEEPS:g} % of its seeds do or more, "
    f"and loses modes where fewer than {100 * LOSES:g} % do."
)


def _momenta(config: Config) -> str:
    by_pair: dict[tuple[float, float], list[str]] = {}
    for loss in config.losses:
        by_pair.setdefault(MOMENTA[loss], []).append(loss)
    return "; ".join(f"{b1:g} and {b2:g}: {', '.join(losses)}" for (b1, b2), losses in by_pair.items())


def _setting(config: Config) -> str:
    dims = ", ".join(f"{n} for {data}" for data, n in config.latent_dims.items())
    short = (
        f"Unfinished runs of few seeds, {config.steps:,} steps of {FULL.steps:,}. " if config.steps < FULL.steps else ""
    )
    return (
        f"{short}One setting for all losses but for Adam's momenta ({_momenta(config)}): step size {config.rate:g}, "
        f"batches of {config.batch}, numbers of noise {dims}, {config.steps:,} steps, samples of the moving average of "
        f"the generator (rate {config.ema:g} a step). "
        f"It, and the {LEAST_QUALITY:g} % of high quality, were chosen after five trials, 2 seeds each, of the "
        "relativistic and the non-saturating loss on grid25, and may favour them; another setting may rescue a loss "
        "that fails in this one."
    )
