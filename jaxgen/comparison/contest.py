"""What one setting is decided on: the headline figures of all models and baselines, and who speaks for a side."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from jaxgen.comparison.statistics import Difference, Sampling, better, difference, jackknife
from jaxgen.tasks.task import Margin

ByModel = Mapping[str, Mapping[int, float]]  # name -> seed -> value


class Contest(NamedTuple):
    """The headline metric of one task: finite values by name and seed."""

    metric: str  # in words
    higher_is_better: bool
    models: ByModel
    sides: Mapping[str, str]  # name -> "vae", "gan" or "hybrid"
    baselines: ByModel
    seeds: Sequence[int] = ()  # asked for; a model without a figure of one of them failed
    paired: bool = True  # whether figures of one seed rest on something drawn for it, such as a split
    margin: Margin | None = None  # below which a difference does not matter
    bounds: tuple[float, float] | None = None  # beyond which the figure cannot lie
    stages: Mapping[str, Mapping[str, Mapping[int, float]]] = {}  # model -> per cent of the time -> seed -> value
    unfinished: Sequence[str] = ()  # models that were still improving
    hurried: Sequence[str] = ()  # models that trained too little for any answer
    others: Mapping[str, tuple[bool, ByModel]] = {}  # metric -> (higher is better, models)
    barred: Mapping[str, str] = {}  # models that are not chosen, and why
    words: Callable[[float], str] | None = None  # what a mean of the figure compares to, or ""
    without: Mapping[str, Sequence[float]] = {}
    """Model -> its figure on one seed, of the test examples without the i-th group of them. Empty if each seed has test
    examples of its own."""

    @property
    def played(self) -> list[int]:
        """The seeds that were asked for, or else those of which there are figures."""
        return sorted(self.seeds or {seed for values in self.models.values() for seed in values})

    @property
    def failed(self) -> dict[str, int]:
        """The models that failed, and on how many seeds."""
        lost = {name: len(set(self.played) - values.keys()) for name, values in self.models.items()}
        return {name: n for name, n in lost.items() if n}


def between(contest: Contest, figures: ByModel, minuend: str, subtrahend: str) -> Difference:
    """The difference of two models, or of a model and a baseline, by `figures` of both on all seeds."""
    own = figures[minuend], figures[subtrahend]
    return difference(*own, paired=contest.paired, sampling=sampling(contest, minuend, subtrahend))


def surely(contest: Contest, figures: ByModel, first: str, second: str) -> float:
    """The p value, of one side, that `first` is no better than `second`."""
    own, drawn = (figures[first], figures[second]), sampling(contest, first, second)
    return better(*own, contest.higher_is_better, paired=contest.paired, sampling=drawn)


def sampling(contest: Contest, first: str, second: str) -> Sampling | None:
    """What the choice of test examples does to the difference of two, if all seeds have the same.

    By the jackknife of the difference. A baseline, and a model that failed on that seed, is not measured again without
    each group: it is taken to vary as much as the other of the two, and independently of it.

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
    """The worst figure of any model or baseline on any seed, also at a stage; None if there is none at all."""
    sets = [*contest.models.values(), *contest.baselines.values()]
    sets += [values for stages in contest.stages.values() for values in stages.values()]
    values = [value for by_seed in sets for value in by_seed.values()]
    return (min if contest.higher_is_better else max)(values) if values else None


def filled(contest: Contest) -> dict[str, dict[int, float]]:
    """The figures of all models on all seeds. A seed that failed counts as the worst figure there is.

    A comparison of the seeds that survived would reward a model for diverging where it is bad.

    >>> made = Contest("accuracy", True, {"vae": {0: 0.5, 1: 0.6}, "gan": {0: 0.9}}, {"vae": "vae", "gan": "gan"}, {})
    >>> filled(made)["gan"]
    {0: 0.9, 1: 0.5}
    """
    lowest = worst(contest)
    if lowest is None:
        return {name: {} for name in contest.models}
    return {name: {seed: by.get(seed, lowest) for seed in contest.played} for name, by in contest.models.items()}


def closing(contest: Contest, leader: str, rival: str) -> bool:
    """Whether the lead at the end is at most half of what it was at half of the time, by the means over seeds.

    If it went on so, it would be gone before long, and the answer would be the time's and not the models'.
    """
    at = [_lead(contest, leader, rival, stage) for stage in ("50", "100")]
    return 0 < at[1] <= at[0] / 2  # False where one is NaN


def _lead(contest: Contest, leader: str, rival: str, stage: str) -> float:
    means = []
    for name in (leader, rival):
        values = contest.stages.get(name, {}).get(stage, {})
        means.append(math.fsum(values.values()) / len(values) if values else math.nan)
    return (means[0] - means[1]) * (1 if contest.higher_is_better else -1)
