"""Claim 1c: the reparametrized gradient against closed forms, and beside the score function."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import plots
from experiments.evidence import Claim, Picture, Verdict
from jaxgen.objectives import GAUSSIAN, PATHWISE, SCORE, DiagGaussian, Estimator, expectation

MEAN, STD, SHIFT = 0.7, 1.3, -0.4
ERRORS, NEAR = 5.0, 0.05  # standard errors that a mean may lie off; share that a variance may
ESTIMATORS = {"reparametrized": PATHWISE, "score function": SCORE}
TRICK, RIVAL = ESTIMATORS


@dataclasses.dataclass(frozen=True)
class Config:
    """Draws, and the costs that are swept."""

    seeds: int = 10
    draws: int = 200_000  # gradients for each test of the mean
    pair: int = 2  # samples in each of them
    repeats: int = 20_000  # gradients for each variance of a sweep
    samples: int = 10  # samples in each of them, for both estimators
    dimensions: tuple[int, ...] = (1, 4, 16, 64)
    frequencies: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)


def square(z: jax.Array) -> jax.Array:
    """|z - k|^2."""
    return jnp.sum((z - SHIFT) ** 2, -1)


def wave(frequency: float, z: jax.Array) -> jax.Array:
    """cos(w z), of one dimension."""
    return jnp.cos(frequency * z[..., 0])


def leave_one_out(m11: float, m20: float, m02: float, m22: float, samples: int) -> float:
    """Variance of the score function with the mean of the other samples as baseline.

    It is the sample covariance of cost f and score s over K samples: (m22 - m11^2 (K - 2) / (K - 1) + m20 m02 / (K -
    1)) / K, in central moments m of (f, s).
    """
    k = samples
    return (m22 - m11**2 * (k - 2) / (k - 1) + m20 * m02 / (k - 1)) / k


def exact_square(dimensions: int, samples: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and variance of the gradients of E|z - k|^2 in the first mean and log_std, by estimator and parameter."""
    d, s = MEAN - SHIFT, STD
    one = 4 * d**2 * s**2 + 2 * s**4  # variance of the cost of one dimension; the others are noise to the first
    m20, others = dimensions * one, (dimensions - 1) * one
    mean = leave_one_out(2 * d, m20, s**-2, 12 * d**2 + 10 * s**2 + others / s**2, samples)
    log_std = leave_one_out(2 * s**2, m20, 2.0, 40 * d**2 * s**2 + 60 * s**4 + 2 * others, samples)
    return {
        TRICK: {"mean": (2 * d, 4 * s**2 / samples), "log std": (2 * s**2, (4 * s**2 * d**2 + 8 * s**4) / samples)},
        RIVAL: {"mean": (2 * d, mean), "log std": (2 * s**2, log_std)},
    }


def exact_wave(frequency: float, samples: int) -> dict[str, tuple[float, float]]:
    """Mean and variance of the gradient of E cos(w z) in the mean, by estimator."""
    w, s = frequency, STD

    def cosine(a):  # E cos(a z)
        return math.cos(a * MEAN) * math.exp(-((a * s) ** 2) / 2)

    def weighted(a):  # E cos(a z) eps^2
        return cosine(a) * (1 - (a * s) ** 2)

    slope = -w * math.sin(w * MEAN) * math.exp(-((w * s) ** 2) / 2)
    pathwise = w**2 * (1 - cosine(2 * w)) / 2 - slope**2
    spread = (1 + cosine(2 * w)) / 2 - cosine(w) ** 2
    m22 = ((1 + weighted(2 * w)) / 2 - 2 * cosine(w) * weighted(w) + cosine(w) ** 2) / s**2
    return {TRICK: (slope, pathwise / samples), RIVAL: (slope, leave_one_out(slope, spread, s**-2, m22, samples))}


def unbiased(figures: Mapping[str, Any]) -> Verdict:
    """Supported where no mean of the reparametrized gradient is off, and its variance is the one derived."""
    rows = {name: row for name, row in figures["gradients"].items() if name.startswith(TRICK)}
    off = [name for name, row in rows.items() if not row["largest_standard_errors_off"] < ERRORS]
    if off:
        return Verdict("not supported", f"The gradient is not the exact one: {'; '.join(off)}.")
    largest = max(row["largest_standard_errors_off"] for row in rows.values())
    wide = [name for name, row in rows.items() if not abs(row["variance"] / row["exact_variance"] - 1) < NEAR]
    text = f"The mean gradient lies within {largest:.1f} standard errors of the exact one for every seed and parameter"
    if wide:
        return Verdict("depends", f"{text}, but its variance is not the one derived: {'; '.join(wide)}.")
    return Verdict("supported", f"{text}, and its variance is the one derived.")


def quieter(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the reparametrized gradient varies less in every row, not supported where in none."""
    ratios = {name: row[f"variance_{RIVAL}"] / row[f"variance_{TRICK}"] for name, row in figures["costs"].items()}
    lower, higher = ([name for name, r in ratios.items() if (r > 1) is side] for side in (True, False))
    clauses = [f"less noisy by up to {max(ratios[n] for n in lower):.3g} times for {'; '.join(lower)}"] if lower else []
    clauses += (
        [f"noisier by up to {1 / min(ratios[n] for n in higher):.3g} times for {'; '.join(higher)}"] if higher else []
    )
    word = "supported" if not higher else "depends" if lower else "not supported"
    return Verdict(word, f"In variance at equal numbers of samples it is {', and '.join(clauses)}.")


def main(config: Config) -> tuple[list[Claim], dict[str, Picture]]:
    """Means and variances over draws, each beside its closed form."""
    tests = {"gradients": means(config)}
    costs = {"costs": sweep(config)}
    claims = [
        Claim(
            "1c",
            "With it, gradients flow and back propagation works.",
            unbiased(tests),
            f"{config.draws:,} gradients a seed of E (z - k)^2, z ~ N({MEAN}, {STD}^2), k = {SHIFT}. Supported if each "
            f"seed's mean is within {ERRORS:g} standard errors of the exact gradient and the variance within "
            f"{100 * NEAR:g} % of the exact one; if only the variance is not, it depends; else not supported.",
            "A cost with known answers. A cost that jumps, or a discrete z, has no path for the trick to use.",
            tests,
            config.seeds,
        ),
        Claim(
            "1c, noise",
            "The reparametrized gradient is less noisy than the score function's.",
            quieter(costs),
            f"Measured variances of the gradient in the mean, {config.samples} samples each, {config.repeats:,} "
            "gradients a seed. Supported if lower for every cost, not supported if for none, else it depends.",
            "Two families of costs, one Gaussian. The baseline of the score function is the mean of the other samples.",
            costs,
            config.seeds,
        ),
    ]
    caption = "Dots are measured, lines are the closed forms. Both estimators take the same number of samples."
    return claims, {"gradient.png": Picture(caption, draw(costs["costs"], config))}


def gradients(
    estimator: Estimator, cost: Callable[[jax.Array], jax.Array]
) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """noise [N, K, 1, D] -> gradients of the mean over K samples in the first mean and log_std, f32[N] each."""

    def loss(theta, noise):
        return jnp.mean(expectation(cost, theta, noise, estimator=estimator))

    @jax.jit
    def first(noise):
        theta = DiagGaussian(jnp.full(noise.shape[2:], MEAN), jnp.full(noise.shape[2:], math.log(STD)))
        results = jax.vmap(jax.grad(loss), (None, 0))(theta, noise)
        return results.mean[:, 0, 0], results.log_std[:, 0, 0]

    return first


def draw_noise(seed: int, *shape: int) -> jax.Array:
    """eps ~ N(0, I)."""
    return GAUSSIAN.draw(jax.random.key(seed), shape)


def means(config: Config) -> dict[str, dict[str, float]]:
    """Of each estimator and parameter: how far the mean is from the exact gradient, and the variance."""
    rows = {}
    for name, estimator in ESTIMATORS.items():
        first = gradients(estimator, square)
        seeds = [first(draw_noise(seed, config.draws, config.pair, 1, 1)) for seed in range(config.seeds)]
        for i, parameter in enumerate(("mean", "log std")):
            results = np.array([seed[i] for seed in seeds], np.float64)
            value, variance = exact_square(1, config.pair)[name][parameter]
            off = (results.mean(1) - value) / (results.std(1, ddof=1) / math.sqrt(config.draws))
            rows[f"{name}, in the {parameter}"] = {
                "exact_gradient": value,
                "mean_gradient": float(results.mean()),
                "largest_standard_errors_off": float(np.abs(off).max()),
                "variance": float(results.var(1, ddof=1).mean()),
                "exact_variance": variance,
            }
    return rows


def sweep(config: Config) -> dict[str, dict[str, float]]:
    """Variance and signal-to-noise of both estimators, cost by cost."""
    size = (config.repeats, config.samples, 1)
    rows = {}
    for n in config.dimensions:
        exact = {name: row["mean"] for name, row in exact_square(n, config.samples).items()}
        rows[f"square, {n} dimensions" if n > 1 else "square, 1 dimension"] = _row(
            square, (*size, n), exact, config.seeds
        )
    for w in config.frequencies:
        cost = functools.partial(wave, w)
        rows[f"wave of frequency {w:g}"] = _row(cost, (*size, 1), exact_wave(w, config.samples), config.seeds)
    return rows


def _row(
    cost: Callable, size: tuple[int, ...], exact: Mapping[str, tuple[float, float]], seeds: int
) -> dict[str, float]:
    row = {}
    for name, estimator in ESTIMATORS.items():
        first, (value, variance) = gradients(estimator, cost), exact[name]
        results = [float(np.var(np.asarray(first(draw_noise(s, *size))[0], np.float64), ddof=1)) for s in range(seeds)]
        row[f"variance_{name}"] = float(np.mean(results))
        row[f"exact_variance_{name}"] = variance
        row[f"signal_to_noise_{name}"] = abs(value) / math.sqrt(row[f"variance_{name}"])
    return row


def draw(costs: Mapping[str, Mapping[str, float]], config: Config) -> bytes:
    """Variance against the number of dimensions and against the frequency."""
    title = "How noisy is the gradient? Variance, from the same number of samples"
    picture, axes = plots.figure(title, 5.0, 1, 2)
    rows = list(costs.values())
    parts = (
        (config.dimensions, rows[: len(config.dimensions)], "dimensions of z", "A smooth cost: |z - k|²"),
        (config.frequencies, rows[len(config.dimensions) :], "frequency w", "A wavy cost: cos(w z)"),
    )
    for panel, (x, entry, name, title) in zip(axes[0], parts, strict=True):
        for estimator, colour in zip(ESTIMATORS, (plots.BLUE, plots.ORANGE), strict=True):
            panel.plot(x, [row[f"exact_variance_{estimator}"] for row in entry], color=colour, linewidth=1.5)
            panel.plot(x, [row[f"variance_{estimator}"] for row in entry], "o", color=colour, markersize=7)
            if entry:
                beside = {"xytext": (0, 14), "textcoords": "offset points", "ha": "right"}
                plots.label(panel, x[-1], entry[-1][f"variance_{estimator}"], estimator, colour, **beside)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_xticks(x, [f"{value:g}" for value in x])
        panel.minorticks_off()
        panel.margins(y=0.15)
        panel.set_title(title)
        panel.set(xlabel=name, ylabel="variance of the gradient" if panel is axes[0, 0] else "")
    return plots.png(picture)
