"""The answers in words: each decision becomes an entry of `report["advice"]`, with its numbers as fields."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from jaxgen.comparison.contest import Contest, filled
from jaxgen.comparison.decision import Decision, decide
from jaxgen.comparison.statistics import beats, interval, within
from jaxgen.report.numbers import decimals, figure, number, probability, some
from jaxgen.report.sentences import listing
from jaxgen.tasks import BASELINE, SETTINGS, TASKS

ONE_SIDE = "An answer needs models of two sides: name a VAE and a GAN with --models."
ONE_SEED = "One seed gives no interval: run at least two seeds, better six."
WHY = {
    "one side": ONE_SIDE,
    "one side here": "Only models of one side can be trained for this; the section on limits says why.",
    "no figures": "No model was trained to the end on any seed.",
    "one seed": ONE_SEED,
    "hurried": "Too few passes through the training data by {hurried}.",
    "baseline": "The baseline {baseline} ({baseline_mean}) is better than every model (p {baseline_p}).",
    "better": "",
    "equal": "The interval of the difference lies within the margin of {margin}.",
    "overlap": "The interval of the difference contains zero{beyond}.",
    "several": "After correction for the number of models p {p}, which is not below 0.05.",
    "correction": "After correction for {count} settings p {p}, which is not below 0.05.",
    "barred": "{leader} leads, but {barred}.",
    "closing": "The lead of {leader} has halved in the second half of the time: more time may reverse it.",
}


def foreseen(seeds: int, sides: Collection[str]) -> list[str]:
    """The reasons, known before any training, why a comparison will have figures but no answer.

    >>> foreseen(1, {"vae", "gan"})
    ['One seed gives no interval: run at least two seeds, better six.']
    """
    return [ONE_SIDE] * (len(set(sides)) < 2) + [ONE_SEED] * (seeds == 1)


def advise(
    contests: Mapping[str, Contest], unserved: Mapping[str, str], kind: str = "image", name: str = ""
) -> list[dict[str, Any]]:
    """One answer per setting: {"setting", "choose", "because"}, and if it was measured also "task" and "difference".

    `choose` is decided by `decision.decide`; "lacks" names what an answer still needs. "difference" holds the deciding
    figures: "metric", "of" (the difference is that of the first model minus the second), "mean", "low",
    "high" (its 95 % interval), "n", "test", "p" (of this pair), "p_corrected" (by Holm, over the settings), "margin",
    "leader", "higher_is_better", "failed" (seeds by model), and "baseline" with its "p_corrected", or None.

    Args:
      contests: by the name of a task.
      unserved: the name of a task -> why these data cannot serve it.
      kind: of the data, "image", "table" or "points".
      name: of the data; a sentence that begins with it gets no capital letter.
    """
    answers: list[dict[str, Any]] = []
    decisions = decide(contests)
    tested = sum(not math.isnan(decision.p) for decision in decisions.values())
    task_of = {task.setting: task.name for task in TASKS}
    for setting in SETTINGS:
        task = task_of.get(setting.name)
        answer: dict[str, Any] = {"setting": setting.name, "choose": "not measured"}
        if setting.needs_images and kind != "image":
            answer["because"] = "It needs images."
        elif task is None:
            answer["because"] = "No task measures this yet."
        elif task in unserved:
            answer["because"] = _sentence(unserved[task], name)
        elif task not in contests:
            answer["because"] = "The task was not run."
        else:
            decision = decisions[task]
            answer |= {"choose": decision.choose, "because": because(contests[task], decision, tested)}
            answer |= {"lacks": decision.lacks} if decision.lacks else {}
            answer |= {"task": task, "difference": _fields(contests[task], decision)} if decision.gap else {}
        answers.append(answer)
    return answers


def because(contest: Contest, decision: Decision, count: int = 1) -> str:
    """The decision in sentences: the reason, the figures, and evidence against it. `count`: settings with a test."""
    if decision.gap is None:
        return f"{WHY[decision.why]} {_alone(contest) if decision.why == 'one seed' else ''}".rstrip()
    places, shown = _places(contest, decision), _shown(contest, decision)
    margin = "" if decision.margin is None else figure(decision.margin, max(places, _digits(decision.margin)))
    reason = WHY[decision.why].format(
        hurried=listing([name for name in contest.models if name in contest.hurried]),
        baseline=decision.baseline.removeprefix(BASELINE),
        baseline_mean=_mean(contest.baselines.get(decision.baseline, {}), places),
        baseline_p=probability(decision.baseline_p),
        margin=margin,
        beyond=f" and extends beyond the margin of {margin}" if margin and _beyond(decision) else "",
        count=count,
        p=probability(decision.p),
        leader=decision.leader,
        barred=contest.barred.get(decision.leader, ""),
    )
    gap, up = decision.gap, contest.higher_is_better
    ends = [figure(x, places) for x in shown]
    figures = filled(contest)
    both = ", ".join(f"{name} {_mean(figures[name], places)}" for name in (decision.subtrahend, decision.minuend))
    corrected = " after Holm's correction" if count > 1 else ""
    test = gap.test if math.isnan(decision.p) else f"{gap.test}, p {probability(decision.p)}{corrected}"
    measured = (
        f"{_sentence(contest.metric)}, {'higher' if up else 'lower'} is better: {both}; difference {ends[0]}, "
        f"95 % interval {ends[1]} to {ends[2]} over {some(gap.n, 'seed')} ({test})."
    )
    parts = [reason, measured, _likened(contest, decision)]
    parts += [_failures(contest, decision), _dissent(contest, decision), _caution(contest, decision)]
    return " ".join(part for part in parts if part)


def _alone(contest: Contest) -> str:
    """The figures of one seed."""
    figures = ", ".join(
        f"{name} {number(next(iter(values.values()), None))}" for name, values in filled(contest).items()
    )
    return f"{_sentence(contest.metric)}, {'higher' if contest.higher_is_better else 'lower'} is better: {figures}."


def _beyond(decision: Decision) -> bool:
    gap, margin = decision.gap, decision.margin
    return gap is not None and margin is not None and not (-margin <= gap.low and gap.high <= margin)


def _fields(contest: Contest, decision: Decision) -> dict[str, Any]:
    gap = decision.gap
    assert gap is not None
    numbers = {"mean": gap.mean, "low": gap.low, "high": gap.high, "p": gap.p, "p_corrected": decision.p}
    return {
        "metric": contest.metric,
        "higher_is_better": contest.higher_is_better,
        "of": [decision.minuend, decision.subtrahend],
        "leader": decision.leader,
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        "n": gap.n,
        "test": gap.test,
        "margin": decision.margin,
        "why": decision.why,
        "failed": contest.failed,
        "baseline": {"name": decision.baseline, "p_corrected": decision.baseline_p} if decision.baseline else None,
    }


def _sentence(text: str, name: str = "") -> str:
    return text if name and text.startswith(name) else text[:1].upper() + text[1:]


def _likened(contest: Contest, decision: Decision) -> str:
    """What the figures of the two models are comparable to, in the order of the difference."""
    if contest.words is None:
        return ""
    figures, clauses = filled(contest), []
    for name in (decision.subtrahend, decision.minuend):
        if likeness := contest.words(interval(list(figures[name].values())).mean):
            clauses.append(f"samples of {name} are {likeness}")
    return f"{_sentence('; '.join(clauses))}." if clauses else ""


def _failures(contest: Contest, decision: Decision) -> str:
    counts = {name: n for name, n in contest.failed.items() if name in (decision.leader, decision.rival)}
    if not counts:
        return ""
    lost = listing([f"{name} on {n} of {some(len(contest.played), 'seed')}" for name, n in counts.items()])
    return f"Failed trainings: {lost}. Each counts as the worst figure that was measured."


def _dissent(contest: Contest, decision: Decision) -> str:
    """Other metrics in which the two models differ, uncorrected: those against the choice, or all if there is none."""
    pair = (decision.leader, decision.rival)
    better_in: dict[str, list[str]] = {name: [] for name in pair}
    for metric, (up, models) in contest.others.items():
        for name, other in (pair, pair[::-1]):
            if beats(models.get(name, {}), models.get(other, {}), up, paired=contest.paired):
                better_in[name].append(metric)
    if decision.why == "better":
        better_in.pop(decision.leader)
    clauses = [f"{n} is better in {listing(metrics)}" for n, metrics in better_in.items() if metrics]
    return f"However, {', and '.join(clauses)}." if clauses and decision.why != "hurried" else ""


def _caution(contest: Contest, decision: Decision) -> str:
    growing = [name for name in contest.models if name in contest.unfinished]
    growing = [name for name in growing if name in (decision.leader, decision.rival)]
    if not growing or decision.lacks:
        return ""
    not_closing = "but the lead did not halve in the second half of it"
    end = not_closing if decision.why == "better" else "and more training time may change this answer"
    verb = "were" if len(growing) > 1 else "was"
    return f"{listing(growing)} {verb} still improving when the time ran out, {end}."


def _mean(values: Mapping[int, float], places: int) -> str:
    return figure(interval(list(values.values())).mean, places)


def _shown(contest: Contest, decision: Decision) -> tuple[float, float, float]:
    """The difference as it is printed, cut at the bounds of the figure; the decision uses the whole interval."""
    gap = decision.gap
    assert gap is not None
    least, most = contest.bounds or (-math.inf, math.inf)
    return gap.mean, max(gap.low, least - most), min(gap.high, most - least)


def _places(contest: Contest, decision: Decision) -> int:
    rows = (*filled(contest).values(), *contest.baselines.values())
    table = [within(interval(list(values.values())), contest.bounds)[:3] for values in rows]
    return decimals(table, _shown(contest, decision))


def _digits(value: float) -> int:
    """Decimal places that show the first digit of a number below 1."""
    return max(0, -math.floor(math.log10(value))) if value > 0 else 0
