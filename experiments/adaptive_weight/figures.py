"""The figures of what was trained: where each way ends, its weights, and differences between ways."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.adaptive_weight.training import DATA, LIMIT, WAYS, Config, Trained
from experiments.adaptive_weight.verdicts import EXPLODES, PAIRS
from experiments.answers import spread
from jaxgen.comparison.statistics import difference, holm
from jaxgen.core import as_float
from jaxgen.data import load
from jaxgen.metrics import frechet, unbiased_frechet
from jaxgen.metrics.features import Features

ERROR, AGAIN, DRAWN = "error", "Frechet, reconstructions", "Frechet, samples"


def ended(ways: Mapping[str, Trained], real: np.ndarray, space: Features) -> dict[str, dict[str, np.ndarray]]:
    """Figure -> way -> f64[S], all of them lower for the better; NaN where images are not finite."""
    known = space.embed(real)

    def distance(of, images):
        return of(known, space.embed(images)) if np.isfinite(images).all() else float("nan")

    def each(of, images):
        return np.array([distance(of, entry) for entry in images])

    return {
        ERROR: {way: np.asarray(runs.errors[:, -1], np.float64) for way, runs in ways.items()},
        AGAIN: {way: each(frechet, runs.reconstructions) for way, runs in ways.items()},
        DRAWN: {way: each(unbiased_frechet, runs.samples) for way, runs in ways.items()},
    }


def share_told_apart(ways: Mapping[str, Trained]) -> dict[str, np.ndarray]:
    """Way -> per cent of pairs that the critic tells apart, a mean over the last quarter of the looks, f64[S]."""
    quarter = {way: max(1, runs.told_apart.shape[1] // 4) for way, runs in ways.items()}
    return {way: 100 * runs.told_apart[:, -quarter[way] :].mean(1, dtype=np.float64) for way, runs in ways.items()}


def row(way: str, runs: Trained, entries: Mapping[str, np.ndarray], config: Config) -> dict[str, Any]:
    """Figures of one case. Weights are those of the steps in which they act."""
    acting = runs.weights[:, round(WAYS[way].start * config.steps) :]
    return {
        "median_weight": finite(np.median(acting)),
        "largest_weight": finite(acting.max()),
        "steps_at_limit_percent": 100 * float(np.mean(acting >= 0.999 * LIMIT * config.weight)),
        "seeds_exploded": int(exploded(acting, config.weight).sum()),
        "told_apart_percent": by_seed(share_told_apart({way: runs})[way]),
        "slope_of_critic_left": float(runs.slopes[:, -1].mean() / max(runs.slopes[:, 0].mean(), 1e-12)),
        **{name.lower().replace(", ", "_of_"): by_seed(values) for name, values in entries.items()},
        "diverged_seeds": int(diverged(runs).sum()),
        "seeds": len(acting),
    }


def exploded(weights: np.ndarray, weight: float) -> np.ndarray:
    """Whether the weights f32[S, T] of a seed reach the limit, or more than EXPLODES times their median: bool[S]."""
    most = weights.max(1)
    return (most >= 0.999 * LIMIT * weight) | (most > EXPLODES * np.median(weights, 1))


def diverged(runs: Trained) -> np.ndarray:
    """Whether a step was not finite, or reconstructions are worse than the mean image for all of them: bool[S]."""
    data = load(DATA)
    real = np.asarray(as_float(data.test.x))
    flat = np.sqrt(np.mean((real - np.asarray(as_float(data.train.x)).mean(0)) ** 2))
    return (runs.skipped > 0) | ~(runs.errors[:, -1] <= flat)


def late(runs: Trained) -> dict[str, Any]:
    """The error of reconstructions before a late critic starts, the largest look after, in the end, and the change."""
    half = runs.errors.shape[1] // 2
    errors = np.asarray(runs.errors, np.float64)
    before, end = errors[:, half - 1], errors[:, -1]
    return {
        "error_before": by_seed(before),
        "largest_error_after": by_seed(errors[:, half:].max(1)),
        "error_in_the_end": by_seed(end),
        "change_to_the_end": by_seed(end - before),
    }


def finite(number: Any) -> float | None:
    """A number, or None where it is not finite."""
    return float(number) if np.isfinite(number) else None


def by_seed(values: np.ndarray) -> list[float | None] | None:
    """[mean, low, high] over the seeds whose figure is finite.

    There is no interval where a seed has no figure: those that are left are a selection, and no verdict rests on them.
    """
    results = spread({seed: float(value) for seed, value in enumerate(values) if np.isfinite(value)})
    return results if results is None or np.isfinite(values).all() else [results[0], None, None]


def differences(table: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]) -> dict[str, dict[str, Any]]:
    """Each pair, paired by seed; p values are corrected over all pairs, figures and weights of the KL (Holm).

    There is no p value where a seed has no figure, for the seeds that are left are a selection.
    """
    rows, p = {}, {}
    for first, second in PAIRS:
        for beta, figures in table.items():
            for figure, ways in figures.items():
                if not {first, second} <= ways.keys():
                    continue
                a, b = ({s: float(v) for s, v in enumerate(ways[way]) if np.isfinite(v)} for way in (first, second))
                gap, whole = difference(a, b), len(a) == len(b) == len(ways[first])
                name = f"{first} over {second}: {beta}: {figure}"
                ends = [float(end) if np.isfinite(end) else None for end in gap[:3]]
                rows[name] = {"difference": ends if gap.n else None}
                p[name] = gap.p if whole else float("nan")
    corrected = holm(p)
    return {
        name: {**entry, "p_corrected": float(corrected[name]) if np.isfinite(corrected[name]) else None}
        for name, entry in rows.items()
    }
