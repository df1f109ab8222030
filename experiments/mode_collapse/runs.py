"""The runs: every seed of a loss on a data set, and what they came to."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.mode_collapse.verdicts import LEAST_QUALITY
from experiments.seeds import each_seed
from jaxgen.comparison.statistics import difference
from jaxgen.data import Modes, load
from jaxgen.metrics.modes import ModeCount, count_modes
from jaxgen.recipes import Spec, find
from jaxgen.training.loop import Diverged, train
from jaxgen.training.models import compile_model
from jaxgen.training.program import Plan, compile_loop, run_keys
from jaxgen.training.sources import arrays
from jaxgen.training.step import evaluation_params

LOSSES = {  # in the textbook's words -> recipe
    "saturating": "gan_minimax",
    "non-saturating": "gan",
    "least squares": "lsgan",
    "Wasserstein": "wgan_gp",
    "relativistic": "r3gan",
}
MOMENTA = {  # b1 and b2 of Adam, as the recipes have them
    "saturating": (0.5, 0.999),
    "non-saturating": (0.5, 0.999),
    "least squares": (0.5, 0.999),
    "Wasserstein": (0.0, 0.9),
    "relativistic": (0.0, 0.99),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """One setting for all losses; the numbers of noise by data set, and how much is trained."""

    latent_dims: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"ring8": 1, "grid25": 2})
    losses: tuple[str, ...] = tuple(LOSSES)
    seeds: int = 10
    steps: int = 30_000
    batch: int = 128
    rate: float = 2e-3  # of Adam, both players
    ema: float = 0.001  # rate a step of the moving average of the generator, whose samples are counted
    samples: int = 2500


class Trained(NamedTuple):
    """What one seed came to."""

    count: ModeCount
    samples: np.ndarray  # f32[N, 2]; none where training diverged

    @property
    def kept(self) -> int:
        """Captured modes, where enough samples are of high quality for that to mean something."""
        return self.count.captured if self.count.high_quality_percent >= LEAST_QUALITY else 0


Runs = Mapping[str, Mapping[str, Sequence[Trained]]]  # data -> loss -> seeds


def measure(loss: str, name: str, config: Config) -> list[Trained]:
    """All seeds of one loss on one data set."""
    options = {"latent_dim": config.latent_dims[name], "learning_rate": config.rate, "ema": config.ema}
    plan = find(LOSSES[loss])(Spec((2,)), **options)
    return play(plan, name, config.steps, batch=config.batch, seeds=config.seeds, samples=config.samples)


def play(plan: Plan, name: str, steps: int, *, batch: int, seeds: int, samples: int, first: int = 0) -> list[Trained]:
    """The seeds from `first` on of a plan on one data set; compiled once."""
    data = load(name)
    program = compile_loop(plan, arrays(data.train.x), batch_size=batch, chunk=min(500, steps))
    bind = compile_model(plan.game)

    def run(seed, stopped):
        keys = run_keys(seed)
        state = program.init(keys.init)
        try:
            for chunk in train(program, state, keys, steps=steps):
                state = chunk.state
                if stopped.is_set():
                    break
        except Diverged:
            return Trained(ModeCount(0, 0.0, math.log(len(data.modes.means))), np.zeros((0, 2), np.float32))
        model = bind(evaluation_params(state), state.context.state)
        drawn = np.asarray(model.sample(model.draw(keys.evaluation, samples)))
        return Trained(count_modes(drawn, data.modes), drawn)

    return each_seed(lambda i, stopped: run(first + i, stopped), seeds)


def row(seeds: Sequence[Trained], modes: Modes) -> dict[str, float]:
    """Figures of one loss on one data set, means over seeds; a seed that diverged counts as one without modes."""
    everything = len(modes.means)
    return {
        "modes": everything,
        "captured_modes": float(np.mean([seed.count.captured for seed in seeds])),
        "seeds_with_all_modes": sum(seed.kept == everything for seed in seeds),
        "seeds": len(seeds),
        "high_quality_percent": float(np.mean([seed.count.high_quality_percent for seed in seeds])),
        "reverse_kl_nats": float(np.mean([seed.count.reverse_kl for seed in seeds])),
        "failed_seeds": sum(not len(seed.samples) for seed in seeds),
    }


def against(seeds: Sequence[Trained], saturating: Sequence[Trained]) -> dict[str, float | None]:
    """How many modes more than the saturating loss, with the 95 % interval, paired by seed."""
    ours, theirs = ({i: float(seed.kept) for i, seed in enumerate(side)} for side in (seeds, saturating))
    gap = difference(ours, theirs)
    low, high = (None if math.isnan(end) else end for end in (gap.low, gap.high))
    return {"more_modes": gap.mean, "more_modes_low": low, "more_modes_high": high}


def median_seed(seeds: Sequence[Trained]) -> int:
    """The seed in the middle by modes (the lower one of two), the first of equals."""
    order = sorted(range(len(seeds)), key=lambda i: (seeds[i].kept, seeds[i].count.captured))
    middle = seeds[order[(len(order) - 1) // 2]]
    return next(i for i, s in enumerate(seeds) if (s.kept, s.count.captured) == (middle.kept, middle.count.captured))
