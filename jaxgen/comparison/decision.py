"""The decision of each setting from its figures: the leader, the difference, and a p value corrected for all settings.

A decision holds numbers and codes; `verdict` turns them into sentences.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from jaxgen.comparison.contest import ByModel, Contest, between, by_side, closing, filled, surely
from jaxgen.comparison.statistics import LEVEL, Difference, holm


class Lead(NamedTuple):
    """The model that leads, and the model of another side that is hardest to beat, before any correction."""

    leader: str
    rival: str
    p: float  # two-sided p value of the lead


class Decision(NamedTuple):
    """The choice for one setting, and the reason for it."""

    choose: str  # "vae", "gan", "hybrid", "either", "neither", "undecided" or "not measured"
    why: str  # a key of `verdict.WHY`
    lacks: str = ""  # what an answer still needs: "models", "seeds" or "time"
    leader: str = ""
    rival: str = ""
    minuend: str = ""  # the difference is the figure of this model
    subtrahend: str = ""  # minus the figure of this model
    gap: Difference | None = None
    p: float = math.nan  # of the lead, corrected for all settings
    margin: float | None = None  # in the units of the figure
    baseline: str = ""  # the best of those that beat all models
    baseline_p: float = math.nan  # the smallest p value of a baseline that beats all models, corrected likewise


def decide(contests: Mapping[str, Contest]) -> dict[str, Decision]:
    """The decisions of all settings together, by task.

    Each setting has two tests: whether one side leads, and whether a baseline beats all models. Holm's correction is
    applied over the settings, separately for the two tests. The first of these rules that applies decides:

    - "not measured": there is only one side, or there are no figures.
    - "undecided": one of the two models went through its data too few times, or there is one seed.
    - "neither": a baseline is better than every model, corrected p < .05.
    - "either": the 95 % interval of the difference lies between minus and plus the margin, and no seed failed.
    - "undecided": corrected p >= .05, or the leader is barred because it copies the training data, or the lead has
      halved in the second half of the time (`contest.closing`).
    - the side of the leader.
    """
    figures = {task: filled(contest) for task, contest in contests.items()}
    early = {task: _early(contest, figures[task]) for task, contest in contests.items()}
    leads = {task: lead(contest, figures[task]) for task, contest in contests.items() if early[task] is None}
    beaten = {task: beaten_by(contests[task], figures[task]) for task in leads}
    p_lead = holm({task: best.p for task, best in leads.items()})
    p_beaten = holm({task: min(p.values(), default=math.nan) for task, p in beaten.items()})
    decisions = {}
    for task, contest in contests.items():
        known = early[task]
        if known is None:
            known = _decided(contest, figures[task], leads[task], p_lead[task], beaten[task], p_beaten[task])
        decisions[task] = known
    return decisions


def lead(contest: Contest, figures: ByModel) -> Lead:
    """The side that leads: one of its models is better than all models of the other sides.

    For each model, take the largest p value over its rivals. The p value of a side is the smallest of these over its
    models (a union of intersections), times the number of its models; that of the lead is the smallest over sides,
    times the number of sides. With one model on each of two sides, it is the two-sided p value of their difference.
    """
    sides, leads = by_side(contest), []
    for side, models in sides.items():
        rivals = [name for other, names in sides.items() if other != side for name in names]
        against = []
        for name in models:
            hardest = max(rivals, key=lambda rival: surely(contest, figures, name, rival))
            against.append(Lead(name, hardest, surely(contest, figures, name, hardest)))
        best = min(against, key=lambda one: one.p)
        leads.append(best._replace(p=min(1.0, best.p * len(models) * len(sides))))
    return min(leads, key=lambda one: one.p)


def beaten_by(contest: Contest, figures: ByModel) -> dict[str, float]:
    """Baseline -> two-sided p value of the hypothesis that it does not beat every model, times the number of baselines.

    Baselines have figures of all seeds, as the models have. Without baselines the result is empty.
    """
    count = sum(map(bool, contest.baselines.values()))  # a baseline may lack this figure
    both = {**contest.baselines, **figures}
    return {
        name: min(1.0, 2 * count * max(surely(contest, both, name, model) for model in figures))
        for name, values in contest.baselines.items()
        if values
    }


def _early(contest: Contest, figures: ByModel) -> Decision | None:
    """The decision if it needs no test, else None."""
    sides = by_side(contest)
    if len(sides) < 2:
        alone = len(set(contest.sides.values())) < 2
        return Decision("not measured", "one side", "models") if alone else Decision("not measured", "one side here")
    if not all(figures.values()) or not any(contest.models.values()):
        return Decision("not measured", "no figures")
    if len(contest.played) < 2:
        return Decision("undecided", "one seed", "seeds")
    first, second = _spokesmen(contest, figures)
    if {first, second} & set(contest.hurried):
        gap = between(contest, figures, second, first)
        return Decision("undecided", "hurried", "time", first, second, second, first, gap)
    return None


def _decided(
    contest: Contest, figures: ByModel, lead: Lead, p: float, beaten: Mapping[str, float], p_beaten: float
) -> Decision:
    order = list(contest.models)
    first, second = sorted((lead.leader, lead.rival), key=order.index)
    gap = between(contest, figures, second, first)
    margin = None if contest.margin is None else contest.margin.of(figures[first], figures[second])
    holds_zero = gap.low <= 0 <= gap.high
    why = "overlap" if holds_zero else "several"
    decision = Decision("undecided", why, "", lead.leader, lead.rival, second, first, gap, p, margin)
    if {lead.leader, lead.rival} & set(contest.hurried):
        return decision._replace(why="hurried", lacks="time")
    if p_beaten < LEVEL:
        return decision._replace(choose="neither", why="baseline", baseline=_best(contest, beaten), baseline_p=p_beaten)
    whole = not {lead.leader, lead.rival} & contest.failed.keys()
    if margin is not None and whole and _inside(gap, margin) and _inside(_gap_of_best(contest, figures), margin):
        return decision._replace(choose="either", why="equal")
    if not p < LEVEL:
        return decision._replace(why="correction") if lead.p < LEVEL else decision
    if lead.leader in contest.barred:
        return decision._replace(why="barred")
    if closing(contest, lead.leader, lead.rival):
        return decision._replace(why="closing", lacks="time")
    return decision._replace(choose=contest.sides[lead.leader], why="better")


def _inside(gap: Difference, margin: float) -> bool:
    return -margin <= gap.low and gap.high <= margin


def _gap_of_best(contest: Contest, figures: ByModel) -> Difference:
    first, second = _spokesmen(contest, figures)
    return between(contest, figures, second, first)


def _best(contest: Contest, beaten: Mapping[str, float]) -> str:
    """The baseline with the best mean among those that beat all models before the correction over settings."""
    sure = [name for name, p in beaten.items() if p < LEVEL]
    return (max if contest.higher_is_better else min)(sure, key=lambda name: _mean(contest.baselines[name]))


def _spokesmen(contest: Contest, figures: ByModel) -> tuple[str, str]:
    """The best models by mean of the two leading sides, in the requested order."""
    sign = 1 if contest.higher_is_better else -1
    best = [max(models, key=lambda name: sign * _mean(figures[name])) for models in by_side(contest).values()]
    first, second = sorted(best, key=lambda name: -sign * _mean(figures[name]))[:2]
    order = list(contest.models)
    return (first, second) if order.index(first) < order.index(second) else (second, first)


def _mean(values: Mapping[int, float]) -> float:
    return math.fsum(values.values()) / len(values)
