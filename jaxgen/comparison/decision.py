"""From the figures of all settings to decisions: who leads, by a difference, with a p value corrected for all settings.

A decision holds numbers and codes; `verdict` makes sentences of them.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from jaxgen.comparison.contest import ByModel, Contest, between, by_side, closing, filled, surely
from jaxgen.comparison.statistics import LEVEL, Difference, holm


class Lead(NamedTuple):
    """The model that leads and the rival of another side that it is nearest to, before any correction."""

    leader: str
    rival: str
    p: float  # of two sides: that this side leads by chance


class Decision(NamedTuple):
    """What is to be chosen for one setting, and why."""

    choose: str  # "vae", "gan", "hybrid", "either", "neither", "undecided" or "not measured"
    why: str  # a key of `verdict.WHY`
    lacks: str = ""  # what an answer wants: "models", "seeds" or "time"
    leader: str = ""
    rival: str = ""
    minuend: str = ""  # the difference is this model's figure
    subtrahend: str = ""  # minus that of this one
    gap: Difference | None = None
    p: float = math.nan  # of the lead, corrected for all settings
    margin: float | None = None  # in the units of the figure
    baseline: str = ""  # the best of those that beat all models
    baseline_p: float = math.nan  # of the baseline that is surest to do so, corrected likewise


def decide(contests: Mapping[str, Contest]) -> dict[str, Decision]:
    """The decisions of all settings together, by task.

    Each setting has two tests: that one side leads, and that a baseline beats all models. Holm's correction goes over
    the settings, once for each of the two. In order, the first that holds:

    - "not measured": there is but one side, or no figure at all.
    - "undecided": a model of the two went through its data too few times, or there is one seed.
    - "neither": a baseline is better than every model, corrected p < .05.
    - "either": the 95 % interval of the difference lies within the margin on both sides, and no seed failed.
    - "undecided": corrected p >= .05, the leader is barred, as one that copies is, or the lead has halved in the second
      half of the time (`contest.closing`).
    - else the side of the leader.
    """
    figures = {task: filled(contest) for task, contest in contests.items()}
    early = {task: _early(contest, figures[task]) for task, contest in contests.items()}
    leads = {task: lead(contest, figures[task]) for task, contest in contests.items() if early[task] is None}
    beaten = {task: beaten_by(contests[task], figures[task]) for task in leads}
    p_lead = holm({task: found.p for task, found in leads.items()})
    p_beaten = holm({task: min(p.values(), default=math.nan) for task, p in beaten.items()})
    decisions = {}
    for task, contest in contests.items():
        known = early[task]
        if known is None:
            known = _decided(contest, figures[task], leads[task], p_lead[task], beaten[task], p_beaten[task])
        decisions[task] = known
    return decisions


def lead(contest: Contest, figures: ByModel) -> Lead:
    """Which side leads: of its models one is better than all models of the other sides.

    The p value of one side is the smallest over its models of the largest over their rivals (the union of
    intersections), times the number of its models; that of the lead is the smallest over sides times their number.
    With one model a side it is the p value of two sides of their difference.
    """
    sides, found = by_side(contest), []
    for side, own in sides.items():
        rivals = [name for other, names in sides.items() if other != side for name in names]
        against = []
        for name in own:
            hardest = max(rivals, key=lambda rival: surely(contest, figures, name, rival))
            against.append(Lead(name, hardest, surely(contest, figures, name, hardest)))
        best = min(against, key=lambda one: one.p)
        found.append(best._replace(p=min(1.0, best.p * len(own) * len(sides))))
    return min(found, key=lambda one: one.p)


def beaten_by(contest: Contest, figures: ByModel) -> dict[str, float]:
    """The p value that a baseline is no better than some model: of two sides, times the number of baselines.

    A baseline has figures of all seeds, as the models have. Without baselines there is none.
    """
    count = sum(map(bool, contest.baselines.values()))  # some have other figures alone
    both = {**contest.baselines, **figures}
    return {
        name: min(1.0, 2 * count * max(surely(contest, both, name, model) for model in figures))
        for name, values in contest.baselines.items()
        if values
    }


def _early(contest: Contest, figures: ByModel) -> Decision | None:
    """A decision that needs no test."""
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
    found = Decision("undecided", why, "", lead.leader, lead.rival, second, first, gap, p, margin)
    if {lead.leader, lead.rival} & set(contest.hurried):
        return found._replace(why="hurried", lacks="time")
    if p_beaten < LEVEL:
        return found._replace(choose="neither", why="baseline", baseline=_best(contest, beaten), baseline_p=p_beaten)
    whole = not {lead.leader, lead.rival} & contest.failed.keys()
    if margin is not None and whole and _inside(gap, margin) and _inside(_gap_of_best(contest, figures), margin):
        return found._replace(choose="either", why="equal")
    if not p < LEVEL:
        return found._replace(why="correction") if lead.p < LEVEL else found
    if lead.leader in contest.barred:
        return found._replace(why="barred")
    if closing(contest, lead.leader, lead.rival):
        return found._replace(why="closing", lacks="time")
    return found._replace(choose=contest.sides[lead.leader], why="better")


def _inside(gap: Difference, margin: float) -> bool:
    return -margin <= gap.low and gap.high <= margin


def _gap_of_best(contest: Contest, figures: ByModel) -> Difference:
    first, second = _spokesmen(contest, figures)
    return between(contest, figures, second, first)


def _best(contest: Contest, beaten: Mapping[str, float]) -> str:
    """Of the baselines that beat all models, before the correction for all settings, the one of the best mean."""
    sure = [name for name, p in beaten.items() if p < LEVEL]
    return (max if contest.higher_is_better else min)(sure, key=lambda name: _mean(contest.baselines[name]))


def _spokesmen(contest: Contest, figures: ByModel) -> tuple[str, str]:
    """The best by mean of the two sides whose best are best, in the order asked for."""
    sign = 1 if contest.higher_is_better else -1
    best = [max(own, key=lambda name: sign * _mean(figures[name])) for own in by_side(contest).values()]
    first, second = sorted(best, key=lambda name: -sign * _mean(figures[name]))[:2]
    order = list(contest.models)
    return (first, second) if order.index(first) < order.index(second) else (second, first)


def _mean(values: Mapping[int, float]) -> float:
    return math.fsum(values.values()) / len(values)
