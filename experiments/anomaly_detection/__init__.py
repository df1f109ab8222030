"""Claim 3d, anomalies: does a VAE find them better than a GAN, and does either better than no network at all?"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments import plots
from experiments.anomaly_detection import tables
from experiments.evidence import Claim, Evidence, Picture, Verdict
from jaxgen import data as sources
from jaxgen.comparison.budget import allowed
from jaxgen.comparison.contender import compiled
from jaxgen.comparison.player import play
from jaxgen.comparison.statistics import interval
from jaxgen.data import Data
from jaxgen.recipes import find
from jaxgen.tasks import BASELINE, DETECT, Reference

MODELS = {"vae": plots.BLUE, "r3gan": plots.ORANGE}
Scores = Mapping[str, Mapping[int, float]]  # name -> seed -> AUROC


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Digits, each left out once; tumours; and tables of one's own."""

    seconds_per_model: float = 5.0  # of training, for one model and one seed
    digits: int = 10  # of the classes 0, 1, ... one after the other is left out
    seeds: int = 5  # of the tumours and of each table
    tables: str | None = None  # a folder of ADBench's .npz files


FULL = Config()
QUICK = Config(seconds_per_model=1.0, digits=3, seeds=3)

ABOUT = """An anomaly detector sees normal examples only, and says of a new one how strange it is. The textbook
recommends a VAE for that, and names medical data. Here a VAE and a GAN (R3GAN) are trained for the same time on digits
without one of them, then asked for that one, and on measurements of benign tumours, then asked for malignant ones. Each
is judged by one score that was fixed beforehand, as the literature has it: the VAE by how improbable its decoder finds
the example (reconstruction probability), the GAN by how far its own copy of the example is, in pixels and in the
critic's features (f-AnoGAN). AUROC is the probability that an anomaly is scored stranger than a normal example: 0.5 is
guessing, 1 is perfect.

Four baselines need no network: the distance from the mean in standard deviations, the distance to the fifth nearest
normal example, what 16 principal components miss, and an isolation forest. `--tables FOLDER` adds those tables of
ADBench that stand in FOLDER, under the protocol of their published figures: the first half of the normal rows is
trained on, the rest and all anomalies are tested."""


def main(config: Config) -> Evidence:
    """Every set, and what they say together."""
    published = {} if config.tables is None else tables.load(config.tables)
    scores = {"digits": measure(sources.load("digits"), config.seconds_per_model, config.digits)}
    scores |= {
        name: measure(data, config.seconds_per_model, config.seeds)
        for name, data in {"cancer": sources.load("cancer"), **published}.items()
    }
    figures: dict[str, Any] = {"sets": {name: row(entry) for name, entry in scores.items()}}
    digits = {name: by_seed for name, by_seed in scores["digits"].items()}
    figures["digits"] = {f"digit {i}": {name: entry[i] for name, entry in digits.items()} for i in range(config.digits)}
    if published:
        figures["published"] = {
            name: tables.beside(name, means(scores[name]), tables.shuffled(str(config.tables), name, config.seeds))
            for name in published
        }
    claim = Claim(
        "3d, anomalies",
        "A VAE is the one to choose for anomaly detection, as in medical data.",
        verdict(figures["sets"]),
        "One is ahead of another where the 95 % interval of the difference (Student's t, paired by seed) lies above "
        "zero. A set speaks for the VAE where it is ahead of the GAN, and the baseline with the highest mean is not "
        "ahead of both; supported if every set does, not supported if none does, else it depends.",
        f"One recipe a side, {config.seconds_per_model:g} s of training each, scores that were fixed and not chosen. "
        "The seeds of the digits are their classes, one split; those of the other sets train again on the same rows."
        + f" {PUBLISHED_LIMITS}"
        * bool(published),
        figures,
        config.seeds,
    )
    caption = "Mean AUROC by set, over seeds. Dots are the models, diamonds the baselines, which train no network."
    pictures = {"sets.png": Picture(caption, draw(figures["sets"]))}
    return Evidence("anomaly_detection", ABOUT, (claim,), pictures, dataclasses.asdict(config))


PUBLISHED_LIMITS = (
    "Published figures of tables below 1,000 rows leak: their rows were repeated before they were split, so copies of "
    "tested rows were trained on. They are of the rows in the order of the file, which some files sort; the column of "
    "shuffled rows is of random halves."
)


def measure(data: Data, seconds: float, seeds: int) -> Scores:
    """AUROC of the models' fixed scores and of the baselines, by seed; NaN where a training diverged."""
    reference, tasks = Reference(data, None), (DETECT,)  # type: ignore[arg-type]
    results: dict[str, dict[int, float]] = {}
    for name in MODELS:
        contender = compiled(find(name), data)
        lengths = allowed(contender, seconds, tasks)
        for seed in range(seeds):
            figures = play(contender, reference, lengths, seed, tasks=tasks).figures.get(DETECT.name, {})
            results.setdefault(name, {})[seed] = figures.get("auroc", math.nan)
    for seed in range(seeds):
        for name, figures in DETECT.baselines(reference, seed).items():
            results.setdefault(name.removeprefix(BASELINE), {})[seed] = figures["auroc"]
    return results


def means(scores: Scores) -> dict[str, float]:
    """Over seeds, by name."""
    return {name: float(np.mean(list(by_seed.values()))) for name, by_seed in scores.items()}


def difference(ours: Mapping[int, float], theirs: Mapping[int, float]) -> tuple[float, float, float]:
    """Mean of ours minus theirs over the seeds that both have, and its 95 % interval by Student's t.

    >>> tuple(round(value, 2) for value in difference({0: 1.0, 1: 3.0}, {0: 0.0, 1: 0.0}))
    (2.0, -10.71, 14.71)
    """
    gaps = (ours[seed] - theirs[seed] for seed in ours)
    mean, low, high, n = interval([gap for gap in gaps if math.isfinite(gap)])
    return (mean, low, high) if n > 1 else (math.nan, -math.inf, math.inf)


def row(scores: Scores) -> dict[str, float | str | None]:
    """Means, the difference VAE minus GAN with its interval, and who is ahead: a baseline only if of both.

    >>> own = row({"vae": {0: 0.9, 1: 0.81}, "r3gan": {0: 0.8, 1: 0.7}, "PCA": {0: 0.7, 1: 0.9}})
    >>> round(own["vae_minus_r3gan"], 3), own["ahead"]
    (0.105, 'vae')
    """
    vae, gan = (scores[name] for name in MODELS)
    mean, low, high = difference(vae, gan)
    ahead = "vae" if low > 0 else "r3gan" if high < 0 else "open"
    entry = means(scores)
    best = max((name for name in entry if name not in MODELS), key=entry.__getitem__)
    if all(difference(scores[best], model)[1] > 0 for model in (vae, gan)):
        ahead = best
    numbers = {**entry, "vae_minus_r3gan": mean, "low": low, "high": high}
    return {**{name: value if math.isfinite(value) else None for name, value in numbers.items()}, "ahead": ahead}


def verdict(sets: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """By the rule of the claim."""
    by_winner: dict[str, list[str]] = {}
    for name, entry in sets.items():
        by_winner.setdefault(entry["ahead"], []).append(name)
    text = {"vae": "The VAE is ahead on {}.", "r3gan": "The GAN is ahead on {}.", "open": "Neither is on {}."}
    because = " ".join(
        text.get(winner, f"A baseline, {winner}, is ahead of both on {{}}.").format(", ".join(names))
        for winner, names in by_winner.items()
    )
    word = "supported" if set(by_winner) == {"vae"} else "depends" if "vae" in by_winner else "not supported"
    return Verdict(word, because)


def draw(sets: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A line for each set."""
    picture, axes = plots.figure("Who finds the anomalies?", 1.6 + 0.6 * len(sets))
    panel = axes[0, 0]
    for at, values in enumerate(sets.values()):
        for what, value in values.items():
            if what in ("vae_minus_r3gan", "low", "high", "ahead") or value is None:
                continue
            model = what in MODELS
            panel.plot(
                value, at, "o" if model else "D", color=MODELS.get(what, plots.FAINT), markersize=9 if model else 6
            )
            if at == 0 and model:
                plots.label(panel, value, -0.45, what, MODELS[what], ha="center")
        panel.axhline(at, color=plots.FAINT, linewidth=0.4, zorder=0)
    panel.set_yticks(range(len(sets)), sets)
    panel.set_ylim(len(sets) - 0.5, -0.8)
    panel.set_xlabel("AUROC: 0.5 is guessing, 1 is perfect")
    return plots.png(picture)
