"""Claim 2d beyond modes: a GAN in a setting that was chosen for these data, whose samples are as good as the data."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optax

from experiments import plots
from experiments.answers import spread
from experiments.evidence import Claim, Evidence, Picture, Verdict
from experiments.mode_collapse import panels
from experiments.mode_collapse.runs import Trained, play
from jaxgen.data import Modes, load
from jaxgen.objectives.schedules import cosine
from jaxgen.recipes import Spec
from jaxgen.recipes.gans import r3gan
from jaxgen.training.program import Plan

ENOUGH = 95.0  # % of high quality; real data have 98.9
TRIALS = (  # on grid25 but for the last one, two seeds each: what was set, and what came of it
    "rate 2e-3: 90.4 and 87.3 %",
    "rate 2e-3, gamma 0.01: 86.8 and 88.0 %",
    "rate 2e-3, gamma 0.01, 8 numbers of noise: 74.3 and 80.5 % in 21 and 20 modes",
    "rate 2e-3, gamma 0.01, layers of 128: 92.4 and 89.4 % in 22 and 23 modes",
    "rate 5e-3: 91.0 and 93.8 %",
    "rate 1e-2: 83.2 and 90.2 %",
    "rate 5e-3, 60,000 steps: 95.4 and 97.2 %",
    "rate 5e-3, on ring8: 96.7 and 96.8 %",
)


@dataclasses.dataclass(frozen=True)
class Config:
    """The setting, for both data sets but for the numbers of noise."""

    latent_dims: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"ring8": 1, "grid25": 2})
    seeds: int = 10
    steps: int = 90_000
    burn_in: int = 18_000  # steps over which gamma falls to a tenth, and b2 of Adam rises from 0.9 to 0.99
    rate: float = 5e-3  # of Adam at the start; it falls to 0 over all steps
    gamma: float = 0.1  # of R1 and of R2 at the start
    batch: int = 128
    ema: float = 0.001  # rate a step of the moving average of the generator, whose samples are counted
    samples: int = 2500


FULL = Config()
QUICK = dataclasses.replace(FULL, seeds=2, steps=4000, burn_in=800)

ABOUT = """On the page of *mode_collapse* one setting serves every loss. R3GAN keeps all modes there, and yet some of
its samples lie between them. Of real data 98.9 % lie within 3 standard deviations of a mode. Here R3GAN is trained on
the same *ring8* and *grid25*, by the same networks, in a setting that was *chosen for these data*: is there one in
which it loses no mode, and makes next to no sample between them?"""


def main(config: Config) -> Evidence:
    """All seeds on every data set."""
    modes = {data: load(data).modes for data in config.latent_dims}
    runs = {
        data: play(
            plan(config, dim), data, config.steps, batch=config.batch, seeds=config.seeds, samples=config.samples
        )
        for data, dim in config.latent_dims.items()
    }
    caption = (
        f"Rings are the modes. Dots are {panels.SHOWN} real examples, and as many samples after {config.steps:,} steps "
        "of the seed with the lowest share of high quality."
    )
    picture = Picture(caption, shown(runs, modes))
    return Evidence(
        "high_quality", ABOUT, (claim(runs, modes, config),), {"samples.png": picture}, dataclasses.asdict(config)
    )


def plan(config: Config, latent_dim: int) -> Plan:
    """The recipe `r3gan` with its burn-in, and with a rate of Adam that falls to 0 along half a cosine."""
    made = r3gan(Spec((2,)), gamma=config.gamma, burn_in=config.burn_in, latent_dim=latent_dim, ema=config.ema)
    rate, b2 = cosine(config.rate, 0.0, config.steps), cosine(0.9, 0.99, config.burn_in)
    adam = optax.inject_hyperparams(optax.adam)(rate, b1=0.0, b2=b2)
    return made._replace(optimizers=dict.fromkeys(made.optimizers, adam))


def shown(runs: Mapping[str, Sequence[Trained]], modes: Mapping[str, Modes]) -> bytes:
    """Real examples beside samples, on each data set."""
    picture, axes = plots.figure("Real data, and R3GAN tuned on such data", 3.6, 1, 2 * len(runs))
    for i, (data, seeds) in enumerate(runs.items()):
        worst = min(seeds, key=lambda seed: seed.count.high_quality_percent)
        means, (left, right) = np.asarray(modes[data].means), axes[0][2 * i : 2 * i + 2]
        panels.scatter(left, load(data).train.x[: panels.SHOWN], means)
        left.set_title(f"{data}, real", fontsize=14, fontweight="bold")
        left.set_xlabel("98.9 % within a mode")
        panels.scatter(right, worst.samples[: panels.SHOWN], means)
        right.set_title(f"{data}, R3GAN", fontsize=14, fontweight="bold")
        right.set_xlabel(f"{worst.count.high_quality_percent:.1f} % within one of {worst.count.captured}")
    return plots.png(picture)


def row(seeds: Sequence[Trained], modes: Modes) -> dict[str, Any]:
    """Figures on one data set; a seed that diverged counts as one without modes."""
    counts, everything = [seed.count for seed in seeds], len(modes.means)
    quality = [count.high_quality_percent for count in counts]
    good = [count.captured == everything and count.high_quality_percent >= ENOUGH for count in counts]
    return {
        "modes": everything,
        "fewest_modes": min(count.captured for count in counts),
        "high_quality_percent": spread(dict(enumerate(quality))),
        "lowest_percent": min(quality),
        "reverse_kl_nats": spread({i: count.reverse_kl for i, count in enumerate(counts)}),
        "seeds_with_all_modes_and_quality": sum(good),
        "seeds": len(seeds),
    }


def verdict(rows: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Supported where every seed has all modes and quality on each data set, not supported where none has on any."""
    shares = {name: (row["seeds_with_all_modes_and_quality"], row["seeds"]) for name, row in rows.items()}
    word = (
        "supported"
        if all(good == seeds for good, seeds in shares.values())
        else "depends"
        if any(good for good, _ in shares.values())
        else "not supported"
    )
    told = "; ".join(
        f"{name}: {good} of {seeds} seeds, lowest {rows[name]['lowest_percent']:.1f} %"
        for name, (good, seeds) in shares.items()
    )
    return Verdict(word, f"All modes and {ENOUGH:g} % of high quality: {told}.")


def claim(runs: Mapping[str, Sequence[Trained]], modes: Mapping[str, Modes], config: Config) -> Claim:
    """What the runs say."""
    rows = {name: row(seeds, modes[name]) for name, seeds in runs.items()}
    return Claim(
        "2d, high quality",
        f"R3GAN in a setting chosen for such data keeps all modes, with {ENOUGH:g} % of its samples of high quality.",
        verdict(rows),
        f"Supported if every seed has all modes and at least {ENOUGH:g} % of its samples within 3 standard deviations "
        "of one, on each data set; not supported if none has on any; else it depends.",
        "Tuned on these data, as the losses of mode_collapse are not. R3GAN with its burn-in: gamma falls from "
        f"{config.gamma:g} to a tenth and b2 of Adam rises from 0.9 to 0.99 over {config.burn_in:,} of "
        f"{config.steps:,} steps; and, which is not the paper's, the rate of Adam falls from {config.rate:g} to 0 "
        "along half a cosine. Trials on grid25, 2 seeds each, of 30,000 steps with gamma 0.1 where nothing else is "
        f"said: {'; '.join(TRIALS)}. Then the steps were set to 90,000. Without a falling rate six settings had 85 to "
        "90 %. The networks are small and the data have two dimensions.",
        {"cases": rows},
        config.seeds,
        "If nearly all samples must be good, let the rate fall to 0, and train longer.",
    )
