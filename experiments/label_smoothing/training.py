"""ring8, trained with and without smoothed labels: modes, confidence of the critic, seed by seed."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.critics import approach
from experiments.evidence import Verdict
from experiments.label_smoothing.learned import PLAIN
from jaxgen.comparison.statistics import difference, holm
from jaxgen.data import load
from jaxgen.games import gan
from jaxgen.metrics.modes import ModeCount, count_modes
from jaxgen.objectives import NON_SATURATING, smooth
from jaxgen.recipes import Spec

LEAST_QUALITY = 10.0  # %, as in mode_collapse: below it no mode counts
LATENT, MODES = 1, 8
LEVEL = 0.05  # chance that some smoothing seems to change the modes although none does


@dataclasses.dataclass(frozen=True)
class Config:
    """The networks of `jaxgen fit`, the non-saturating loss, a turn of each player, DCGAN's momenta of Adam."""

    seeds: int = 20
    steps: int = 4000
    batch: int = 64
    rate: float = 2e-3
    samples: int = 2500


class Trained(NamedTuple):
    """What a seed came to."""

    count: ModeCount
    samples: np.ndarray  # f32[N, 2]
    confidence: float  # mean probability that the last critic gives to real examples

    @property
    def kept(self) -> float:
        """Captured modes, where enough samples are of high quality for that to mean something."""
        return float(self.count.captured) if self.count.high_quality_percent >= LEAST_QUALITY else 0.0


def train(a: float, b: float, config: Config) -> list[Trained]:
    """All seeds of one smoothing, in one program; seed i starts from the same networks and data in each."""
    data, spec = load("ring8"), Spec((2,))
    points = jnp.asarray(data.train.x)
    game = gan(spec.generator(), spec.critic(), latent_dim=LATENT, loss=smooth(NON_SATURATING, real=a, fake=b))

    def draw(key):
        return points[jax.random.randint(key, (config.batch,), 0, len(points))]

    turns = (("critic",), ("generator",))
    adam = optax.adam(config.rate, b1=0.5)
    (state,) = approach(game, adam, draw, runs=config.seeds, stops=[config.steps], turns=turns)
    z, real = draw_codes(config.samples), jnp.asarray(data.test.x)

    @jax.jit
    @jax.vmap
    def look(state):
        model = game.model(state.params, state.context.state)
        return model.decode(z), jnp.mean(jax.nn.sigmoid(-model.scores["critic"](None, real)))

    samples, confidence = (np.asarray(a) for a in look(state))
    counts = [count_modes(np.nan_to_num(entry, nan=math.inf, posinf=1e9, neginf=-1e9), data.modes) for entry in samples]
    return [Trained(*entry) for entry in zip(counts, samples, map(float, confidence), strict=True)]


def draw_codes(n: int) -> jax.Array:
    """The codes of the samples that are counted; the same for all."""
    return jax.random.normal(jax.random.key(3), (n, LATENT))


def row(seeds: list[Trained], plain: list[Trained]) -> dict[str, Any]:
    """Figures of one smoothing, and its gain over the same seeds without; `p` is not corrected yet."""
    ours, theirs = ({i: seed.kept for i, seed in enumerate(side)} for side in (seeds, plain))
    gap = difference(ours, theirs)
    low, high, p = (None if math.isnan(number) else number for number in (gap.low, gap.high, gap.p))
    return {
        "kept_modes": float(np.mean([seed.kept for seed in seeds])),
        "seeds_with_all_modes": sum(seed.kept == MODES for seed in seeds),
        "high_quality_percent": float(np.mean([seed.count.high_quality_percent for seed in seeds])),
        "reverse_kl_nats": float(np.mean([seed.count.reverse_kl for seed in seeds])),
        "confidence_on_data": float(np.mean([seed.confidence for seed in seeds])),
        "more_modes": [gap.mean, low, high],
        "p": p,
    }


def table(runs: Mapping[str, list[Trained]]) -> dict[str, dict[str, Any]]:
    """A row for each smoothing, with the p values corrected over those that are compared with none (Holm)."""
    rows = {name: row(entry, runs[PLAIN]) for name, entry in runs.items()}
    results = {name: entry.pop("p") for name, entry in rows.items()}
    del results[PLAIN]  # it is compared with nothing
    corrected = holm({name: math.nan if p is None else p for name, p in results.items()})
    rows[PLAIN]["p_corrected"] = None
    for name, p in corrected.items():
        rows[name]["p_corrected"] = None if math.isnan(p) else p
    return rows


def helps(figures: Mapping[str, Any]) -> Verdict:
    """Supported where each smoothing surely gains modes, not supported where none does, else it depends."""
    rows = {name: entry for name, entry in figures["labels"].items() if name != PLAIN}
    sure = [n for n, entry in rows.items() if entry["p_corrected"] is not None and entry["p_corrected"] < LEVEL]
    better = [name for name in sure if rows[name]["more_modes"][0] > 0]
    worse = [name for name in sure if name not in better]
    word = "supported" if len(better) == len(rows) else "depends" if better else "not supported"
    unsure = [name for name in rows if name not in (*better, *worse)]
    groups = {"Surely more modes": better, "Surely fewer": worse, "No sure difference": unsure}
    text = " ".join(f"{state}: {'; '.join(names)}." for state, names in groups.items() if names)
    plain = figures["labels"][PLAIN]
    return Verdict(word, f"{text} Without smoothing {plain['kept_modes']:.2g} of {MODES} modes are kept.")
