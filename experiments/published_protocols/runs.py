"""The runs: every seed of a way on a data set, looked at during training, and what they came to."""

import math
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, NamedTuple

import numpy as np

from experiments.answers import Spread, spread
from experiments.mode_collapse.verdicts import LEAST_QUALITY
from experiments.published_protocols.ways import PROTOCOLS, Config
from experiments.seeds import each_seed
from jaxgen.comparison.statistics import difference, holm
from jaxgen.data import load
from jaxgen.metrics.modes import ModeCount, count_modes
from jaxgen.training.loop import Diverged, train
from jaxgen.training.models import compile_model
from jaxgen.training.program import compile_loop, run_keys
from jaxgen.training.sources import arrays
from jaxgen.training.step import evaluation_params


class Trained(NamedTuple):
    """What one seed came to."""

    counts: tuple[ModeCount, ...]  # one for each look, in the order of time
    samples: np.ndarray  # f32[N, 2], of the last look; none where training diverged


class Case(NamedTuple):
    """A protocol on a data set."""

    protocol: str
    data: str

    def of(self, way: int) -> str:
        """The name of a row."""
        return f"{PROTOCOLS[self.protocol].named(way)}: {self.data}"


Runs = Mapping[Case, Mapping[int, Sequence[Trained]]]  # case -> way -> seeds


def kept(count: ModeCount) -> int:
    """Captured modes, where enough samples are of high quality for that to mean something."""
    return count.captured if count.high_quality_percent >= LEAST_QUALITY else 0


def marks(updates: int, looks: int) -> tuple[int, ...]:
    """After how many updates one looks.

    >>> marks(5000, 5), marks(5, 2)
    ((1000, 2000, 3000, 4000, 5000), (2, 5))
    """
    return tuple(updates * (i + 1) // looks for i in range(looks))


def cases(config: Config) -> tuple[Case, ...]:
    """All of them, in the order of the page."""
    return tuple(Case(protocol, data) for protocol in PROTOCOLS for data in config.part(protocol).data)


def measure(case: Case, way: int, config: Config) -> list[Trained]:
    """All seeds of one way; compiled once."""
    data, part = load(case.data), config.part(case.protocol)
    assert data.modes is not None
    modes, plan = data.modes, PROTOCOLS[case.protocol].plan(way, config)
    at = marks(part.updates, config.looks)
    program = compile_loop(plan, arrays(data.train.x), chunk=math.gcd(*at, 100))
    bind = compile_model(plan.game)
    nothing = ModeCount(0, 0.0, math.log(len(modes.means)))

    def run(seed: int, stopped: Event) -> Trained:
        keys, counts, samples = run_keys(seed), [], np.zeros((0, 2), np.float32)
        try:
            for chunk in train(program, program.init(keys.init), keys, steps=part.updates):
                if stopped.is_set():
                    break
                if int(chunk.state.context.step) in at:
                    model = bind(evaluation_params(chunk.state), chunk.state.context.state)
                    samples = np.asarray(model.sample(model.draw(keys.evaluation, config.samples)))
                    counts.append(count_modes(samples, modes))
        except Diverged:
            samples = samples[:0]
        return Trained((*counts, *[nothing] * (len(at) - len(counts))), samples)

    return each_seed(run, config.seeds)


def row(case: Case, way: int, seeds: Sequence[Trained]) -> dict[str, Any]:
    """Figures of a way after the last update, beside the published ones."""
    everything, last = len(load(case.data).modes.means), [seed.counts[-1] for seed in seeds]  # type: ignore[union-attr]
    published = PROTOCOLS[case.protocol].published.get(case.data, {}).get(way)

    def over(values: Sequence[float]) -> Spread | None:
        return spread(dict(enumerate(values)))

    return {
        "captured_modes": over([float(count.captured) for count in last]),
        "published_modes": published.modes if published else None,
        "high_quality_percent": over([count.high_quality_percent for count in last]),
        "published_percent": published.quality if published else None,
        "reverse_kl_nats": over([count.reverse_kl for count in last]),
        "published_nats": published.nats if published else None,
        "seeds_with_all_modes": sum(kept(count) == everything for count in last),
        "seeds": len(seeds),
        "failed_seeds": sum(not len(seed.samples) for seed in seeds),
    }


def gains(runs: Runs) -> dict[str, dict[str, Any]]:
    """How many modes more each way captures than that without the remedy, paired by seed; p values corrected (Holm)."""
    table, p = {}, {}
    for case, ways in runs.items():
        base, *others = ways
        for way in others:
            ours, theirs = (
                {i: float(seed.counts[-1].captured) for i, seed in enumerate(side)} for side in (ways[way], ways[base])
            )
            quality = float(np.mean([seed.counts[-1].high_quality_percent for seed in ways[way]]))
            gap = difference(ours, theirs)
            ends = [None if math.isnan(end) else end for end in (gap.mean, gap.low, gap.high)]
            table[case.of(way)], p[case.of(way)] = {"more_modes": ends, "high_quality_percent": quality}, gap.p
    corrected = {name: None if math.isnan(value) else value for name, value in holm(p).items()}
    return {name: {**entry, "p_corrected": corrected[name]} for name, entry in table.items()}
