"""The figures that decide one setting: headline figures of all models and baselines, and the side of each model."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from jaxgen.comparison.statistics import Difference, Sampling, better, difference, jackknife
from jaxgen.tasks.task import Margin

ByModel = Mapping[str, Mapping[int, float]]  # name -> seed -> value


class Contest(NamedTuple):
    """The headline metric of one task, with its finite values by name and seed."""

    metric: str  # its title
    higher_is_better: bool
    models: ByModel
    sides: Mapping[str, str]  # name -> "vae", "gan" or "hybrid"
    baselines: ByModel
    seeds: Sequence[int] = ()  # those requested; a model without a figure for one of them failed
    paired: bool = True  # whether figures of one seed depend on something drawn for it, such as a split
    margin: Margin | None = None  # a smaller difference does not matter
    bounds: tuple[float, float] | None = None  # the figure cannot lie outside them
    stages: Mapping[str, Mapping[str, Mapping[int, float]]] = {}  # model -> per cent of the time -> seed -> value
    unfinished: Sequence[str] = ()  # models that were still improving
    hurried: Sequence[str] = ()  # models trained for too few passes over the data to give an answer
    others: Mapping[str, tuple[bool, ByModel]] = {}  # metric -> (higher is better, models)
    barred: Mapping[str, str] = {}  # model -> why it must not be chosen
    words: Callable[[float], str] | None = None  # a mean of the figure -> what it is comparable to, or ""
    without: Mapping[str, Sequence[float]] = {}
    """Model -> its figures on one seed, of which the i-th is computed without the i-th group of test examples. Empty if
    each seed has its own test examples."""

    @property
    def played(self) -> list[int]:
        """The requested seeds or, if none are given, those that have figures."""
        return sorted(self.seeds or {seed for values in self.models.values() for seed in values})

    @property
    def failed(self) -> dict[str, int]:
        """Model -> the number of seeds on which it failed, of the models that failed on any."""
        lost = {name: len(set(self.played) - values.keys()) for name, values in self.models.items()}
        return {name: n for name, n in lost.items() if n}


def between(contest: Contest, figures: ByModel, minuend: str, subtrahend: str) -> Difference:
    """The difference of two models, or of a model and a baseline, from their `figures` on all seeds."""
    pair = figures[minuend], figures[subtrahend]
    return difference(*pair, paired=contest.paired, sampling=sampling(contest, minuend, subtrahend))


def surely(contest: Contest, figures: ByModel, first: str, second: str) -> float:
    """The one-sided p value of the hypothesis that `first` is no better than `second`."""
    pair, variation = (figures[first], figures[second]), sampling(contest, first, second)
    return better(*pair, contest.higher_is_better, paired=contest.paired, sampling=variation)


def sampling(contest: Contest, first: str, second: str) -> Sampling | None:
    """The variance of the difference of two figures due to the choice of test examples, if all seeds share them.

    It is the jackknife variance of the difference. A baseline, or a model that failed on that seed, is not measured
    again without each group; it is assumed to vary as much as the other of the two, and independently of it.

    >>> made = Contest("accuracy", True, {}, {}, {}, without={"vae": [0.5, 0.6, 0.7], "gan": [0.6, 0.7, 0.8]})
    >>> round(sampling(made, "vae", "gan").variance, 9), round(sampling(made, "vae", "PCA").variance, 9)
    (0.0, 0.026666667)
    """
    known = [contest.without[name] for name in (first, second) if contest.without.get(name)]
    if not known:
        return None
    if len(known) == 2:
        return jackknife([a - b for a, b in zip(*known, strict=True)])
    alone = jackknife(known[0])
    return alone._replace(variance=2 * alone.variance)


def by_side(contest: Contest) -> dict[str, list[str]]:
    """The models of each side."""
    sides: dict[str, list[str]] = {}
    for name in contest.models:
        sides.setdefault(contest.sides[name], []).append(name)
    return sides


def worst(contest: Contest) -> float | None:
    """The worst figure of any model or baseline on any seed, stages included; None if there is no figure."""
    sets = [*contest.models.values(), *contest.baselines.values()]
    sets += [values for stages in contest.stages.values() for values in stages.values()]
    values = [value for by_seed in sets for value in by_seed.values()]
    return (min if contest.higher_is_better else max)(values) if values else None


def filled(contest: Contest) -> dict[str, dict[int, float]]:
    """The figures of all models on all seeds. A failed seed gets the worst figure of any model or baseline.

    If failed seeds were left out, a model that diverges on its worst seeds would have an advantage.

    >>> made = Contest("accuracy", True, {"vae": {0: 0.5, 1: 0.6}, "gan": {0: 0.9}}, {"vae": "vae", "gan": "gan"}, {})
    >>> filled(made)["gan"]
    {0: 0.9, 1: 0.5}
    """
    lowest = worst(contest)
    if lowest is None:
        return {name: {} for name in contest.models}
    return {name: {seed: by.get(seed, lowest) for seed in contest.played} for name, by in contest.models.items()}


def closing(contest: Contest, leader: str, rival: str) -> bool:
    """Whether the lead at the end is at most half of the lead at half of the time, by the means over seeds.

    Such a lead may vanish or reverse with more time, so the answer would depend on the time and not on the models.
    """
    at = [_lead(contest, leader, rival, stage) for stage in ("50", "100")]
    return 0 < at[1] <= at[0] / 2  # False if one is NaN


def _lead(contest: Contest, leader: str, rival: str, stage: str) -> float:
    means = []
    for name in (leader, rival):
        values = contest.stages.get(name, {}).get(stage, {})
        means.append(math.fsum(values.values()) / len(values) if values else math.nan)
    return (means[0] - means[1]) * (1 if contest.higher_is_better else -1)
