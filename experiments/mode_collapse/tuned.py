"""R3GAN in a setting that was chosen for these data: are its samples as good as the data's own?"""

from collections.abc import Mapping, Sequence
from typing import Any

import optax

from experiments.answers import spread
from experiments.evidence import Claim, Verdict
from experiments.mode_collapse.runs import Config, Trained, play
from jaxgen.data import Modes
from jaxgen.objectives.schedules import cosine
from jaxgen.recipes import Spec
from jaxgen.recipes.gans import r3gan
from jaxgen.training.program import Plan

NAME = "R3GAN, tuned"
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


def measure(name: str, config: Config) -> list[Trained]:
    """All seeds on one data set."""
    return play(plan(config, config.latent_dims[name]), name, config.tuned.steps, config)


def plan(config: Config, latent_dim: int) -> Plan:
    """The recipe `r3gan` with its burn-in, and with a rate of Adam that falls to 0 along half a cosine."""
    own = config.tuned
    made = r3gan(Spec((2,)), gamma=own.gamma, burn_in=own.burn_in, latent_dim=latent_dim, ema=config.ema)
    rate, b2 = cosine(own.rate, 0.0, own.steps), cosine(0.9, 0.99, own.burn_in)
    adam = optax.inject_hyperparams(optax.adam)(rate, b1=0.0, b2=b2)
    return made._replace(optimizers=dict.fromkeys(made.optimizers, adam))


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


def claim(tuned: Mapping[str, Sequence[Trained]], modes: Mapping[str, Modes], config: Config) -> Claim:
    """What the runs say."""
    own = config.tuned
    rows = {name: row(seeds, modes[name]) for name, seeds in tuned.items()}
    return Claim(
        "2d, tuned",
        f"R3GAN in a setting chosen for such data keeps all modes, with {ENOUGH:g} % of its samples of high quality.",
        verdict(rows),
        f"Supported if every seed has all modes and at least {ENOUGH:g} % of its samples within 3 standard deviations "
        "of one, on each data set; not supported if none has on any; else it depends.",
        f"Tuned, where no other case here is. R3GAN with its burn-in: gamma falls from {own.gamma:g} to a tenth and b2 "
        f"of Adam rises from 0.9 to 0.99 over {own.burn_in:,} of {own.steps:,} steps; and, which is not the paper's, "
        f"the rate of Adam falls from {own.rate:g} to 0 along half a cosine. Trials on grid25, 2 seeds each, of 30,000 "
        f"steps with gamma 0.1 where nothing else is said: {'; '.join(TRIALS)}. Then the steps were set to 90,000. "
        "Without a falling rate six settings had 85 to 90 %.",
        {"tuned": rows},
        config.seeds,
        "If nearly all samples must be good, let the rate fall to 0, and train longer.",
    )
