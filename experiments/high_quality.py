"""Claim 2d beyond modes: a GAN in a setting that was chosen for these data, whose samples are as good as the data."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import plots
from experiments.answers import spread
from experiments.evidence import Claim, Evidence, Picture, Verdict
from experiments.mode_collapse import panels
from experiments.mode_collapse.runs import Trained, play
from jaxgen.core import Array, Network
from jaxgen.data import Modes, load
from jaxgen.games import gan
from jaxgen.objectives import RELATIVISTIC, add, r1, r2
from jaxgen.objectives.schedules import cosine
from jaxgen.recipes import Spec
from jaxgen.recipes.gans import r3gan
from jaxgen.training.program import Plan

ENOUGH = 95.0  # % of high quality; real data have 98.9
TRIALS = (  # on grid25 but where ring8 stands, two seeds each: what was set, and what came of it
    "rate 2e-3: 90.4 and 87.3 %",
    "rate 2e-3, gamma 0.01: 86.8 and 88.0 %",
    "rate 2e-3, gamma 0.01, 8 numbers of noise: 74.3 and 80.5 % in 21 and 20 modes",
    "rate 2e-3, gamma 0.01, layers of 128: 92.4 and 89.4 % in 22 and 23 modes",
    "rate 5e-3: 91.0 and 93.8 %",
    "rate 1e-2: 83.2 and 90.2 %",
    "rate 5e-3, 60,000 steps: 95.4 and 97.2 %",
    "rate 5e-3, on ring8: 96.7 and 96.8 %",
)
CODED_TRIALS = (  # the same of networks with a code and waves
    "64 codes, no waves, gamma falling, rate 5e-3, 10,000 steps: 76.2 and 69.5 % in 23 and 21 modes",
    "64 codes, gamma falling, rate 5e-3, given up after 6,000 of 10,000 steps: 97.2 and 95.4 % in 15 and 18 modes",
    "64 codes, rate 5e-3, 6,000 steps: 96.7 and 99.5 % in 24 and 25 modes",
    "256 codes, rate 3e-3, 8,000 steps: 99.4 and 99.3 %",
    "256 codes, rate 3e-3, 8,000 steps, on ring8: 100.0 and 98.2 %",
)

FORMER = (
    "97.9 % and a reverse KL of 0.0023 nats on ring8; 95.8 % and 0.0111 nats on grid25, where 6 of 10 seeds had 95 % "
    "or more, and the lowest 92.6"
)


@dataclasses.dataclass(frozen=True)
class Config:
    """The setting, for both data sets but for the numbers of noise."""

    latent_dims: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"ring8": 1, "grid25": 2})
    seeds: int = 10
    first_seed: int = 10  # no trial used 10 to 19
    steps: int = 8000
    burn_in: int = 1600  # steps over which b2 of Adam rises from 0.9 to 0.99
    rate: float = 3e-3  # of Adam at the start; it falls to 0 over all steps
    gamma: float = 0.1  # of R1 and of R2
    codes: int = 256  # values of the discrete part of the noise
    octaves: int = 5  # the critic sees sines and cosines of x, 2 x, ... 16 x
    batch: int = 128
    ema: float = 0.001  # rate a step of the moving average of the generator, whose samples are counted
    samples: int = 2500


FULL = Config()
QUICK = dataclasses.replace(FULL, seeds=2, steps=2000, burn_in=400)

ABOUT = """On the page of *mode_collapse* one setting serves every loss. R3GAN keeps all modes there, and yet some of
its samples lie between them. Of real data 98.9 % lie within 3 standard deviations of a mode. Here R3GAN is trained on
the same *ring8* and *grid25* in a setting that was *chosen for these data*: is there one in which it loses no mode, and
makes next to no sample between them? The widths and depths of the networks are those of *mode_collapse*, with two
additions. A part of the noise is a *code*, one of many equally likely labels, so that the generator need not be
continuous; and the critic sees *waves*, the sines and cosines of its input, so that it tells near from very near."""


def main(config: Config) -> Evidence:
    """All seeds on every data set."""
    modes = {data: load(data).modes for data in config.latent_dims}
    runs = {
        data: play(
            plan(config, dim),
            data,
            config.steps,
            batch=config.batch,
            seeds=config.seeds,
            samples=config.samples,
            first=config.first_seed,
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
    """The turns and the average of the recipe `r3gan`, its losses of other networks, a rate of Adam that falls to 0."""
    penalty = add(r1(config.gamma), r2(config.gamma))
    generator = coded(Spec((2,), condition=config.codes).generator(), config.codes)
    critic = in_waves(Spec((2 + 4 * config.octaves,)).critic(), config.octaves)
    game = gan(generator, critic, latent_dim=1 + latent_dim, loss=RELATIVISTIC, penalty=penalty)
    rate, b2 = cosine(config.rate, 0.0, config.steps), cosine(0.9, 0.99, config.burn_in)
    adam = optax.inject_hyperparams(optax.adam)(rate, b1=0.0, b2=b2)
    base = r3gan(Spec((2,)), ema=config.ema)
    return base._replace(game=game, optimizers=dict.fromkeys(base.optimizers, adam))


def coded(generator: Network, codes: int) -> Network:
    """A network of z [B, 1 + D] that makes a label of its first number, which `generator` is given beside the others.

    The label floor(codes Phi(z_0)), with Phi the distribution function of N(0, 1), is each of 0 ... codes - 1 equally
    often. So the map from z to x may jump from mode to mode, which a continuous one cannot. Noise of a discrete and a
    normal part: Mukherjee et al. 2019, arXiv 1809.03627.
    """

    def split(z: Array) -> tuple[Array, Array]:
        label = jnp.floor(codes * jax.scipy.special.ndtr(z[:, 0])).astype(jnp.int32)
        return z[:, 1:], jnp.minimum(label, codes - 1)  # Phi rounds to 1 above 5

    def init(key, z):
        return generator.init(key, *split(z))

    def apply(params, state, noise, z):
        return generator.apply(params, state, noise, *split(z))

    return Network(init, apply)


def in_waves(critic: Network, octaves: int) -> Network:
    """A network of x [B, D] that shows `critic` x, and the sines and cosines of x, 2 x, 4 x ... beside it.

    A dense network alone learns slowly what changes fast. Fourier features: Tancik et al. 2020, arXiv 2006.10739.
    """

    def seen(x: Array) -> Array:
        angle = jnp.concatenate([2.0**octave * x for octave in range(octaves)], -1)
        return jnp.concatenate([x, jnp.sin(angle), jnp.cos(angle)], -1)

    def init(key, x):
        return critic.init(key, seen(x))

    def apply(params, state, noise, x):
        return critic.apply(params, state, noise, seen(x))

    return Network(init, apply)


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


def width(x: np.ndarray, modes: Modes) -> float:
    """Standard deviation, of one coordinate, of what is of high quality around the mean of such in its own mode."""
    x, means = np.asarray(x, np.float64), np.asarray(modes.means, np.float64)
    distance = np.linalg.norm(x[:, None] - means[None], axis=-1)
    nearest, good = distance.argmin(1), distance.min(1) < 3 * modes.std
    own = [x[good & (nearest == mode)] for mode in range(len(means))]
    apart = [group - group.mean(0) for group in own if len(group)]
    return float(np.sqrt(np.mean(np.concatenate(apart) ** 2))) if apart else 0.0


def row(seeds: Sequence[Trained], modes: Modes, real: np.ndarray) -> dict[str, Any]:
    """Figures on one data set, of which `real` are examples; a seed that diverged counts as one without modes."""
    counts, everything = [seed.count for seed in seeds], len(modes.means)
    quality = [count.high_quality_percent for count in counts]
    widths = [width(seed.samples, modes) / width(real, modes) for seed in seeds]
    good = [count.captured == everything and count.high_quality_percent >= ENOUGH for count in counts]
    return {
        "modes": everything,
        "fewest_modes": min(count.captured for count in counts),
        "high_quality_percent": spread(dict(enumerate(quality))),
        "lowest_percent": min(quality),
        "reverse_kl_nats": spread({i: count.reverse_kl for i, count in enumerate(counts)}),
        "width_percent_of_real": spread({i: 100 * share for i, share in enumerate(widths)}),
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
    text = "; ".join(
        f"{name}: {good} of {seeds} seeds, lowest {rows[name]['lowest_percent']:.1f} %"
        for name, (good, seeds) in shares.items()
    )
    return Verdict(word, f"All modes and {ENOUGH:g} % of high quality: {text}.")


def claim(runs: Mapping[str, Sequence[Trained]], modes: Mapping[str, Modes], config: Config) -> Claim:
    """What the runs say."""
    rows = {name: row(seeds, modes[name], load(name).test.x[:]) for name, seeds in runs.items()}
    return Claim(
        "2d, high quality",
        f"R3GAN in a setting chosen for such data keeps all modes, with {ENOUGH:g} % of its samples of high quality.",
        verdict(rows),
        f"Supported if every seed has all modes and at least {ENOUGH:g} % of its samples within 3 standard deviations "
        "of one, on each data set; not supported if none has on any; else it depends.",
        "Tuned on these data, as the losses of mode_collapse are not: one setting for all seeds and both data sets, "
        "but for the numbers of noise. The loss and the penalties are R3GAN's, with gamma "
        f"{config.gamma:g} throughout; b2 of Adam rises from 0.9 to 0.99 over {config.burn_in:,} of {config.steps:,} "
        f"steps. What is not the paper's: the rate of Adam falls from {config.rate:g} to 0 along half a cosine; beside "
        f"the normal numbers the generator is given one of {config.codes} equally likely codes, more than there are "
        f"modes; the critic sees the sines and cosines of {config.octaves} multiples of x, from x to "
        f"{2 ** (config.octaves - 1)} x. Trials, 2 seeds each, without codes and waves, of 30,000 steps with gamma "
        f"falling from 0.1 to a tenth where nothing else is said: {'; '.join(TRIALS)}; without a falling rate six "
        "settings had 85 to 90 %. The last but one of these settings, with 90,000 steps, was measured in full: "
        f"{FORMER}. Trials with codes and waves, with gamma 0.1 where nothing else is said: "
        f"{'; '.join(CODED_TRIALS)}. Waves without codes, and other waves, were not tried. No trial used the seeds of "
        "the figures above. The share counts nearness alone: width tells how wide the samples of a mode lie, in % of "
        "real examples, and narrower modes have higher shares. The waves run along the axes, as the grid does. The "
        "networks are small and the data have two dimensions, in which few waves cover all directions.",
        {"cases": rows},
        config.seeds,
        "If the data fall into separate groups and nearly all samples must be good, give the generator a code beside "
        "its normal noise and the critic sines and cosines of its input, and let the rate fall to 0.",
    )
