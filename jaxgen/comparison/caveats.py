"""What a reader must know before leaning on the figures of a comparison: sentences for the page and the report."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.comparison.contender import MAIN_SHARE, Contender, Rounds
from jaxgen.comparison.measures import DETECT, REPRESENT, Outcome
from jaxgen.core import player
from jaxgen.data import Data
from jaxgen.report.numbers import duration, number, some
from jaxgen.report.sentences import listing
from jaxgen.tasks import anomalies, represent

FEWEST_PASSES = 10
FEWEST_TESTED = 100  # test examples; with fewer each of them moves a figure
FEW_SEEDS = (2, 3)  # that give intervals, and wide ones
UNEQUAL = 1.25  # the longest training over the shortest: a planned one comes within a tenth or so of its time
OVERTIME = 1.5  # the longest training over the time that was meant
LEAST_REAL = 0.1  # precision and coverage of real data as samples; below it features tell nothing


def limits(
    settings: Any,
    data: Data,
    entrants: Mapping[str, Contender],
    rounds: Mapping[str, Rounds],
    outcomes: Mapping[str, Mapping[int, Outcome]],
    tasks: Sequence[str],
    ceiling: Mapping[str, float],
) -> list[str]:
    """All of them, what may change the answer first.

    Args:
      settings: of the comparison.
      data: what was trained on.
      entrants: by name.
      rounds: by name.
      outcomes: by name and seed.
      tasks: those that were run.
      ceiling: figures of real data as samples, by metric.
    """
    return [
        *_empty(data),
        *_unreal(ceiling),
        *_hurry(entrants, rounds, data, tasks, range(settings.seed, settings.seed + settings.seeds)),
        *_times(settings.seconds_per_model, outcomes),
        *_sizes(len(data.test.x), settings.seeds),
        *_encoders(entrants),
        *_anomalies(data, outcomes, tasks),
        *_choices(outcomes, tasks),
        *(
            f"Seed {seed} of {name} failed: {outcome.failed}"
            for name, by_seed in outcomes.items()
            for seed, outcome in by_seed.items()
            if outcome.failed
        ),
        *(represent.notes(data) if REPRESENT in tasks else ()),
    ]


def passes(entrant: Contender, rounds: Rounds, data: Data, left_out: int | None = None) -> float:
    """How often a training goes through its data: the main one, or the one without the class `left_out`.

    Counted is what the player with the most turns in a round is shown. With fewer than 10 no verdict counts as settled.
    """
    turns = max(Counter(player(name) for turn in entrant.recipe.turns for name in turn).values())
    played, seen = rounds.main, len(data.train.x)
    if left_out is not None:
        played, seen = rounds.detect, len(anomalies.normal_indices(data, left_out))
    return played * turns * entrant.program.shape[1] / seen


def hurried(
    entrants: Mapping[str, Contender], rounds: Mapping[str, Rounds], data: Data, task: str, seeds: Sequence[int]
) -> list[str]:
    """The models that went through the data fewer than 10 times in the training that a task looks at, with any seed.

    None where all examples are alike: more time would teach them nothing.
    """
    if alike(data):
        return []
    left = {anomalies.anomaly_class(data, seed) for seed in seeds} if task == DETECT else {None}
    return [
        name
        for name, entrant in entrants.items()
        if min(passes(entrant, rounds[name], data, c) for c in left) < FEWEST_PASSES
    ]


def alike(data: Data) -> bool:
    """Whether all training examples are one and the same."""
    return all(np.array_equal(x, data.train.x[0]) for x in data.train.x)  # ends at the first that differs


def mean_seconds(by_seed: Mapping[int, Outcome]) -> float:
    """Of training, over seeds."""
    return sum(outcome.seconds for outcome in by_seed.values()) / len(by_seed)


def _empty(data: Data) -> list[str]:
    said = "All training examples are alike: there is nothing to learn, and neither figures nor answers mean anything."
    return [said] if alike(data) else []


def _unreal(ceiling: Mapping[str, float]) -> list[str]:
    low = {name: ceiling[name] for name in ("precision", "coverage") if ceiling.get(name, 1.0) < LEAST_REAL}
    if not low:
        return []
    told = listing([f"{name} {number(value, 2)}" for name, value in low.items()])
    return [
        f"In this feature space training examples do not pass for test examples ({told}, where 1 is best): precision, "
        "recall, coverage and the distances say little of how real samples are."
    ]


def _hurry(entrants: Mapping, rounds: Mapping, data: Data, tasks: Sequence[str], seeds: Sequence[int]) -> list[str]:
    main = {name: ("anything", name) for name in hurried(entrants, rounds, data, "", seeds)}
    detect = hurried(entrants, rounds, data, DETECT, seeds) if DETECT in tasks else ()
    said = {name: ("anomaly detection", f"{name}, trained without a class,") for name in detect} | main
    return [
        f"Too short to settle {what}: {who} went through the training data fewer than {FEWEST_PASSES} times. Give it "
        "more --seconds-per-model."
        for what, who in said.values()
    ]


def _times(seconds: float, outcomes: Mapping[str, Mapping[int, Outcome]]) -> list[str]:
    spent = {name: mean_seconds(by_seed) for name, by_seed in outcomes.items()}
    shortest, longest = min(spent.values()), max(spent.values())
    unequal = longest > UNEQUAL * shortest
    if not unequal and longest <= OVERTIME * seconds:
        return []
    what = "equal" if unequal else "those that were meant"
    told = ", ".join(f"{name} trained {duration(mean)}" for name, mean in spent.items())
    return [f"The times are not {what}: {told} a seed where {duration(seconds)} were meant."]


def _sizes(tested: int, seeds: int) -> list[str]:
    from scipy.stats import t

    said = []
    if tested < FEWEST_TESTED:
        said.append(
            f"The test split holds {tested} examples: each of them moves the figures, and only large differences show."
        )
    if seeds in FEW_SEEDS:
        here, usual = (float(t.ppf(0.975, n - 1)) / math.sqrt(n) for n in (seeds, 5))
        said.append(
            f"Intervals of {seeds} seeds are wide, {here:.1f} standard deviations to each side where 5 seeds give "
            f"{usual:.1f}, and are cut where a figure must end."
        )
    return said


def _encoders(entrants: Mapping[str, Contender]) -> list[str]:
    return [
        f"No encoder of its own: {name}. One is trained afterwards on (G(z), z), inside its time. "
        "Its stages are read without it."
        for name, entrant in entrants.items()
        if entrant.inverter is not None
    ]


def _anomalies(data: Data, outcomes: Mapping[str, Mapping[int, Outcome]], tasks: Sequence[str]) -> list[str]:
    if DETECT not in tasks:
        return []
    share = f"{1 - MAIN_SHARE:.0%}".replace("%", " %")
    left = {seed: data.classes[anomalies.anomaly_class(data, seed)] for seed in next(iter(outcomes.values()))}
    return [
        f"Anomalies: each model is trained again without one class, in {share} of the same time.",
        f"Class left out, by seed: {', '.join(f'{seed}: {name}' for seed, name in left.items())}.",
    ]


def _choices(outcomes: Mapping[str, Mapping[int, Outcome]], tasks: Sequence[str]) -> list[str]:
    said = []
    for name, by_seed in outcomes.items():
        for task in tasks:
            chosen = [outcome.chosen[task] for outcome in by_seed.values() if outcome.chosen.get(task)]
            if chosen:
                told = ", ".join(
                    f"{c} ({chosen.count(c)} of {some(len(chosen), 'seed')})" for c in dict.fromkeys(chosen)
                )
                said.append(f"What “{task}” reads of {name}, chosen on validation data: {told}.")
    return said
