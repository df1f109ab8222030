"""Claim 1b: samples that are pushed from standard noise have the wanted distribution."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from experiments import plots
from experiments.evidence import Claim, Picture, Verdict
from jaxgen.comparison import statistics
from jaxgen.objectives import BERNOULLI, GAUSSIAN, LAPLACE, DiagGaussian, DiagLaplace, Family

LEVEL = 0.01  # chance of one false alarm or more over all tests of all families


class Case(NamedTuple):
    """A family at some parameters, and the law that its samples should have."""

    family: Family
    theta: Any
    test: Callable[[np.ndarray], float]  # samples -> p-value of goodness of fit
    stream: int  # cases do not share their noise: an affine map of the same noise has the same p-value


def _one(value: float) -> jax.Array:
    return jnp.full((1,), value)


def _ks(law: Any) -> Callable[[np.ndarray], float]:
    return lambda z: float(stats.kstest(z, law.cdf).pvalue)


def _chi_square(p: float) -> Callable[[np.ndarray], float]:
    return lambda z: float(stats.chisquare([np.sum(z == 0), np.sum(z == 1)], len(z) * np.array([1 - p, p])).pvalue)


PLACES = ((0.0, 1.0), (0.7, 1.3), (-20.0, 0.05), (3.0, 40.0))  # mean; standard deviation, or scale of a Laplace
CHANCES = (0.02, 0.3, 0.5, 0.9)
CASES: dict[str, list[Case]] = {
    "Gaussian": [
        Case(GAUSSIAN, DiagGaussian(_one(m), _one(np.log(s))), _ks(stats.norm(m, s)), i)
        for i, (m, s) in enumerate(PLACES)
    ],
    "Laplace": [
        Case(LAPLACE, DiagLaplace(_one(m), _one(np.log(b))), _ks(stats.laplace(m, b)), 10 + i)
        for i, (m, b) in enumerate(PLACES)
    ],
    "Bernoulli": [Case(BERNOULLI, _one(np.log(p / (1 - p))), _chi_square(p), 20 + i) for i, p in enumerate(CHANCES)],
}
WRONG = [Case(GAUSSIAN, DiagGaussian(_one(0.7), _one(0.5 * np.log(1.3))), _ks(stats.norm(0.7, 1.3)), 30)]


@dataclasses.dataclass(frozen=True)
class Config:
    """Samples for each test, and seeds for each family and parameter."""

    seeds: int = 100
    samples: int = 10_000


def verdict(figures: Mapping[str, Any]) -> Verdict:
    """By Holm's method over all p-values of all families: does any family fail?"""
    families = figures["families"]
    failed = [name for name, row in families.items() if row["rejected"] > 0]
    detected, of = figures["planted_error_found"], figures["planted_error_tests"]
    if detected < of:
        return Verdict(
            "not supported", f"The test is too weak to tell: it finds a planted error in {detected:g} of {of:g} runs."
        )
    tests = sum(row["tests"] for row in families.values())
    if not failed:
        return Verdict(
            "supported",
            f"None of {tests:g} tests rejects a family; the same test finds a planted error, the root of sigma in its "
            f"place, in all of {of:g} runs.",
        )
    word = "not supported" if len(failed) == len(families) else "depends"
    where = ", ".join(f"{name} in {families[name]['rejected']:g} tests" for name in failed)
    return Verdict(word, f"Rejected: {where}.")


def holm(p_values: np.ndarray) -> np.ndarray:
    """Which of the p-values [N] Holm's method rejects at LEVEL, bool[N].

    >>> holm(np.array([0.004, 0.5, 0.006])).tolist(), holm(np.array([0.003, 0.5, 0.006])).tolist()
    ([False, False, False], [True, False, False])
    """
    corrected = statistics.holm({str(i): float(p) for i, p in enumerate(p_values)})
    return np.array(list(corrected.values())) <= LEVEL


def main(config: Config) -> tuple[list[Claim], dict[str, Picture]]:
    """p-values of every family at every parameter and seed."""
    results = {name: np.concatenate([p_values(case, config) for case in cases]) for name, cases in CASES.items()}
    rejected = np.split(
        holm(np.concatenate(list(results.values()))), np.cumsum([len(p) for p in results.values()])[:-1]
    )
    wrong = np.concatenate([p_values(case, config) for case in WRONG])
    figures = {
        "families": {
            name: {
                "tests": len(p),
                "rejected": int(no.sum()),
                "least_p_value": float(p.min()),
                "mean_p_value": float(p.mean()),
            }
            for (name, p), no in zip(results.items(), rejected, strict=True)
        },
        "planted_error_tests": len(wrong),
        "planted_error_found": int(holm(wrong).sum()),
    }
    claim = Claim(
        "1b",
        "z = mu + sigma eps with eps ~ N(0, I) has the wanted distribution (mean mu, standard deviation sigma).",
        verdict(figures),
        f"Kolmogorov-Smirnov tests (chi-square for the Bernoulli) of {config.samples:,} samples. Holm's "
        f"method over all of them allows {100 * LEVEL:g} % for one false alarm or more. Supported if it rejects no "
        "test, not supported if it rejects in every family or the planted error is not always found; else it depends.",
        "Each number of a sample on its own, in float32; that the numbers of one sample are independent is not tested.",
        figures,
        config.seeds,
    )
    caption = (
        "Left: samples of one seed (steps) and the density that they should have (line). Right: where the samples "
        "are right, p-values are spread evenly, along the diagonal; the planted error stands at zero."
    )
    return [claim], {"fit.png": Picture(caption, draw(results, wrong, config))}


def p_values(case: Case, config: Config) -> np.ndarray:
    """One for each seed, f64[seeds]."""
    return np.array([case.test(draw_samples(case, seed, config.samples)) for seed in range(config.seeds)])


def draw_samples(case: Case, seed: int, n: int) -> np.ndarray:
    """Standard noise pushed through the parameters, f64[n]."""
    noise = case.family.draw(jax.random.fold_in(jax.random.key(seed), case.stream), (n, 1))
    return np.asarray(case.family.push(case.theta, noise), np.float64).ravel()


def draw(results: Mapping[str, np.ndarray], wrong: np.ndarray, config: Config) -> bytes:
    """Samples over their densities, and all p-values."""
    picture, axes = plots.figure("Samples pushed from standard noise, and the law they should have", 4.6, 1, 3)
    z = np.linspace(-5, 6.4, 300)
    for panel, name, law in zip(axes[0], ("Gaussian", "Laplace"), (stats.norm, stats.laplace), strict=False):
        samples = draw_samples(CASES[name][1], 0, config.samples)
        panel.hist(samples, 60, range=(-5, 6.4), density=True, histtype="step", color=plots.BLUE, linewidth=1.2)
        panel.plot(z, law(0.7, 1.3).pdf(z), color=plots.ORANGE, linewidth=1.5)
        scale = "standard deviation" if name == "Gaussian" else "scale"
        panel.set_title(f"{name}: mean 0.7,\n{scale} 1.3", fontsize=13)
        panel.set(xlabel="z", ylabel="density" if name == "Gaussian" else "")
    panel = axes[0, 2]
    panel.plot([0, 1], [0, 1], color=plots.FAINT, linewidth=1)
    looks = zip(
        (*results.items(), ("planted error", wrong)), (plots.BLUE, plots.GREEN, plots.PURPLE, plots.ORANGE), strict=True
    )
    for i, ((name, p), colour) in enumerate(looks):
        panel.step(np.concatenate([[0], np.sort(p), [1]]), np.linspace(0, 1, len(p) + 2), color=colour, linewidth=1.5)
        plots.label(panel, 0.45, 0.34 - 0.1 * i, name, colour)
    panel.set_title("all tests: share of p-values\nbelow p", fontsize=13)
    panel.set(xlabel="p", xlim=(-0.02, 1), ylim=(0, 1.02))
    return plots.png(picture)
