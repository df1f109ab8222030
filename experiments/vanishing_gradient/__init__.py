"""Claim 2b: what a critic that is too good leaves of the generator's gradient, for every loss."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.evidence import Claim, Evidence, Picture
from experiments.vanishing_gradient import digits, lines, panels
from experiments.vanishing_gradient.digits import Config as Digits
from experiments.vanishing_gradient.lines import Config as Lines
from experiments.vanishing_gradient.lines import Course
from experiments.vanishing_gradient.losses import WAYS, WEIGHT
from experiments.vanishing_gradient.verdicts import (
    ALTERNATIVE,
    CLOSE,
    FADES,
    FATES,
    SATURATING,
    fate,
    meets,
    practice,
    rescues,
    vanishes,
)


@dataclasses.dataclass(frozen=True)
class Config:
    """Losses, and how critics are trained on either data."""

    losses: tuple[str, ...] = tuple(WAYS)
    lines: Lines = Lines()
    digits: Digits = Digits()


FULL = Config()
QUICK = Config(
    ("saturating", "non-saturating", "least squares", "relativistic"),
    dataclasses.replace(FULL.lines, seeds=2, steps=300),
    dataclasses.replace(FULL.digits, seeds=2, steps=300, warm=300),
)
PRACTICE = {
    "supported": "Use the non-saturating loss wherever a text writes the minimax game.",
    "depends": "Use the non-saturating loss where the saturating one has lost its gradient.",
    "not supported": "The non-saturating loss is no remedy here: look at the critic first.",
}
OVERLAP = 2.0  # distances up to this one are compared with the formula: there a critic sees samples of both laws

ABOUT = f"""A generator learns from the slope of its critic. The textbook warns: once the critic tells real examples
from samples perfectly, that slope is zero, and the generator learns nothing. Whether it is so depends on the loss, and
can be computed. Let the data be N(0, 1) and the samples N(d, 1). Then the best critic of almost every loss is known,
and so is the gradient that it gives in d. At d = 1 the two overlap; at d = 8 they have next to nothing in common, and
the best critic is perfect.

Here the generator stands still and a small critic is trained against it, by the library's step, for twelve losses. The
*saturating* loss is that of the minimax game; the *non-saturating* one is the alternative from the same paper. *Least
squares* pulls the critic to targets, *hinge* leaves it alone past a margin, and *Wasserstein* has the gradient penalty
(weight {WEIGHT:g}). The *relativistic* loss compares pairs of a real example and a sample, and its *average* form
compares each with the mean of the others. The *f-GAN* losses each bound a divergence (two more of that family have the
gradient of the saturating loss). The same is then done on the embedded digits, 8 x 8 pixels: a generator is trained for
{FULL.digits.warm:,} steps and held, and a fresh critic learns to tell its images from real ones; gradients are taken at
test images and new samples."""


def main(config: Config) -> Evidence:
    """All losses on both data."""
    on_lines = {name: lines.course(name, config.lines) for name in config.losses}
    on_digits = digits.courses(config.losses, config.digits)
    results = claims(on_lines, on_digits, config)
    lost = {case: fate(row) == FATES[0] for case, row in results[0].figures["cases"].items()}
    pictures = {
        "distances.png": Picture(
            "Norm of the gradient by the distance of two Gaussians. Black: at the best critic, by formula (hinge "
            "and total variation: the limit of smooth critics). Dots: trained critics, one for each seed; hollow: they "
            "tell too few pairs apart to count; on an edge: beyond it. Orange: at the best critic less than "
            f"{100 * FADES:g} % of the gradient at distance 1 is left at the largest; relativistic average, which has "
            "no formula, is judged by its dots.",
            panels.distances(on_lines, config.lines.shifts, {name for name in on_lines if lost[f"{name}: Gaussians"]}),
        ),
        "digits.png": Picture(
            f"Mean, over those of {config.digits.seeds} seeds whose last critic counts, of the norm of the generator's "
            f"gradient, as a part of that against the untrained critic. Orange: below {100 * FADES:g} % in the end. "
            "Not drawn: losses with fewer than half of their seeds left.",
            panels.steps(on_digits),
        ),
    }
    return Evidence("vanishing_gradient", ABOUT, results, pictures, dataclasses.asdict(config))


def claims(on_lines: Mapping[str, Course], on_digits: Mapping[str, Course], config: Config) -> tuple[Claim, ...]:
    """What the courses say."""
    cases = {
        **{f"{name}: Gaussians": far(name, course, config.lines.shifts) for name, course in on_lines.items()},
        **{f"{name}: digits": late(course) for name, course in on_digits.items()},
    }
    two = {case: row for case, row in cases.items() if case.partition(": ")[0] in (SATURATING, ALTERNATIVE)}
    formula = {
        name: against(name, course, config.lines.shifts) for name, course in on_lines.items() if WAYS[name].optimum(1.0)
    }
    limits = _limits(config)
    seeds = min(config.lines.seeds, config.digits.seeds)
    return (
        Claim(
            "2b",
            "A perfect discriminator makes the generator's gradient vanish.",
            vanishes({"cases": cases}),
            f"{_RULE} Supported if it vanishes in every case, not supported if it is kept in every case, else it "
            "depends. The columns from trained_share on are of trained critics.",
            limits,
            {"cases": cases},
            seeds,
            practice({"cases": cases}),
        ),
        Claim(
            "2b, alternative",
            "The alternative to the saturating loss keeps the gradient that the saturating loss loses.",
            rescues({"cases": two}),
            f"{_RULE} Supported if that of the saturating loss vanishes in each case and that of the alternative in "
            "none, not supported if it is known that there is no such case, else it depends.",
            limits,
            {"cases": two},
            seeds,
            PRACTICE[rescues({"cases": two}).word],
        ),
        Claim(
            "2b, formula",
            "A trained critic gives the generator the gradient that the formula of the best critic says.",
            meets({"losses": formula}),
            f"At the distances up to {OVERLAP:g}. A loss meets its formula where the mean over seeds is off by at most "
            f"{100 * CLOSE:g} % of it at each. Supported if all do, not supported if all are off, else it depends. "
            f"{_COUNTED}",
            f"{limits} Farther off, some critics do not reach their best one: the picture shows by how much. "
            "On a line a slope can change its sign only by way of 0, where the gradient penalty is largest, so that "
            "some critics of the Wasserstein loss keep a slope of the wrong sign, in part or everywhere; in the plane "
            "a slope can turn.",
            {"losses": formula},
            config.lines.seeds,
            "Read a formula for the best critic as what training tends to where both laws have mass, and not beyond.",
        ),
    )


_COUNTED = (
    f"Of trained critics only those count that are finite and tell enough pairs apart: {100 * lines.PERFECT:g} % at "
    f"distance 8 and on digits, where the best critic tells nearly all, and {100 * lines.SOME:g} % at smaller "
    "distances, where guessing tells 50 %. The tables say how many seeds are left out; with fewer than half left, a "
    "case is not finite or not trained, and counts as neither."
)
_RULE = (
    "What is left of the gradient: for the Gaussians the norm at distance 8 in parts of that at distance 1, by the "
    "formula at the best critic, and by trained critics only for a loss without a formula; for the digits the mean "
    "norm in the end in parts of that against the untrained critic, over the same seeds. Below "
    f"{100 * FADES:g} % it vanishes. {_COUNTED}"
)


def _limits(config: Config) -> str:
    short = "Unfinished: few seeds, steps and losses. " if config.lines.steps < FULL.lines.steps else ""
    return (
        f"{short}One network and one rate of Adam for all losses. The generator stands still, so this is the gradient "
        "at a moment, not what training makes of it: one that grows a thousand times is no better. Settings were not "
        "tuned towards an outcome, but the rules were changed twice after a look at figures. After one trial of all "
        "losses, parts of the largest norm in training were given up, because they judged how untrained critics start, "
        f"and {100 * FADES:g} % took the place of 1 %. After a first full run the formula came to decide for the "
        "Gaussians, because trained critics of least squares and hinge are not perfect and keep a gradient that the "
        "perfect one loses; and critics that tell too few pairs apart were left out, because some of total variation "
        "were the wrong way round with no gradient at all, and had counted as perfect."
    )


def _mean(norms: np.ndarray, counted: np.ndarray) -> float | None:
    """The mean over the seeds that count; None where they are fewer than half."""
    return float(norms[counted].mean()) if 2 * counted.sum() >= len(counted) and counted.any() else None


def _part(first: float | None, last: float | None) -> float | None:
    return None if last is None or not first else last / first


def _row(start: np.ndarray, end: np.ndarray, told_apart: np.ndarray, counted: np.ndarray) -> dict[str, Any]:
    counted = counted & np.isfinite(start)
    first, last = _mean(start, counted), _mean(end, counted)
    return {
        "trained_share": _part(first, last),
        "gradient_before": first,
        "gradient_after": last,
        "told_apart_percent": 100 * float(told_apart.mean()),
        "seeds_left_out": int(np.sum(~counted)),
    }


def far(name: str, course: Course, shifts: tuple[float, ...]) -> dict[str, Any]:
    """The formula at the largest distance in parts of that at 1, and the same of trained critics.

    A seed counts if its critics at both distances do.
    """
    near, optimum = shifts.index(1.0), WAYS[name].optimum
    counted = course.counted(near, lines.least(1.0)) & course.counted(-1, lines.least(shifts[-1]))
    trained = _row(course.gradient[-1, near], course.gradient[-1, -1], course.told_apart[-1, -1], counted)
    exact = _part(optimum(1.0), optimum(shifts[-1]))
    return {"share_left": trained["trained_share"] if exact is None else exact, "formula_share": exact, **trained}


def late(course: Course) -> dict[str, Any]:
    """The trained critic beside the untrained one."""
    counted = course.counted(0, lines.PERFECT)
    trained = _row(course.gradient[0, 0], course.gradient[-1, 0], course.told_apart[-1, 0], counted)
    return {"share_left": trained["trained_share"], "formula_share": None, **trained}


def against(name: str, course: Course, shifts: tuple[float, ...]) -> dict[str, Any]:
    """Trained and exact gradients by distance, and the largest part by which they differ where laws overlap."""
    row: dict[str, Any] = {}
    misses: list[float | None] = []
    for place, shift in enumerate(shifts):
        counted = course.counted(place, lines.least(shift))
        exact, ours = WAYS[name].optimum(shift), _mean(course.gradient[-1, place], counted)
        row[f"at_{shift:g}"], row[f"formula_at_{shift:g}"] = ours, exact
        row[f"left_out_at_{shift:g}"] = int(np.sum(~counted))
        if shift <= OVERLAP:
            misses.append(None if ours is None else abs(ours / exact - 1))
    return {"farthest_from_formula": None if None in misses else max(misses), **row}
