"""From figures to advice: intervals over seeds, and what they allow one to say. Pure functions."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from jaxgen.comparison.statistics import beats, difference, interval, within
from jaxgen.report.numbers import decimals, figure
from jaxgen.tasks import BASELINE, SETTINGS, TASKS

ONE_SIDE = "It takes a model of each side: name a VAE and a GAN with --models."
ONE_SEED = "One seed gives no interval: run at least two, better five."


class Contest(NamedTuple):
    """The headline metric of one task: finite values by name and seed, on one set of seeds."""

    metric: str  # in words
    higher_is_better: bool
    models: Mapping[str, Mapping[int, float]]  # name -> seed -> value
    sides: Mapping[str, str]  # name -> "vae", "gan" or "hybrid"
    baselines: Mapping[str, Mapping[int, float]]
    unfinished: Sequence[str] = ()  # models that more training might change
    hurried: Sequence[str] = ()  # models that trained too little for any answer
    seeds: int | None = None  # how many were asked for; None: as many as there are values
    others: Mapping[str, tuple[bool, Mapping[str, Mapping[int, float]]]] = {}  # metric -> (higher is better, models)
    bounds: tuple[float, float] | None = None  # beyond which the figure cannot lie


def champion(contest: Contest, side: str) -> str | None:
    """Who speaks for a side: its first model, in the order in which they were asked for."""
    return next((name for name in contest.models if contest.sides[name] == side), None)


def foreseen(seeds: int, sides: Collection[str]) -> list[str]:
    """Why figures will come and no answer, as far as it is known before anything is trained.

    >>> foreseen(1, {"vae", "gan"})
    ['One seed gives no interval: run at least two, better five.']
    """
    return [ONE_SIDE] * (not {"vae", "gan"} <= set(sides)) + [ONE_SEED] * (seeds == 1)


def lacking(contest: Contest) -> str:
    """What an answer wants beside figures: "models" of both sides, "seeds" for an interval, "time", or nothing ("")."""
    vae, gan = champion(contest, "vae"), champion(contest, "gan")
    if vae is None or gan is None:
        return "models"
    paired = difference(contest.models[gan], contest.models[vae]).n
    return "seeds" if paired == 1 else "time" if paired and {vae, gan} & set(contest.hurried) else ""


def advise(
    contests: Mapping[str, Contest], unserved: Mapping[str, str], kind: str = "image", name: str = ""
) -> list[dict[str, str]]:
    """One answer per setting: {"setting", "choose", "because"}, and "lacks" where `lacking` names something.

    "neither" where a simple baseline beats both sides, "either" where the interval of their paired difference holds
    zero, "not measured" where there is no task, no data for it, or where models, seeds or time lack for an answer.

    Args:
      contests: by the name of a task.
      unserved: the name of a task -> why these data cannot serve it.
      kind: of the data, "image", "table" or "points".
      name: of the data, which no sentence spells with a capital.
    """
    answers = []
    task_of = {task.setting: task.name for task in TASKS}
    for setting in SETTINGS:
        task = task_of.get(setting.name)
        if setting.needs_images and kind != "image":
            choose, because = "not measured", "It needs images."
        elif task is None:
            choose, because = "not measured", "No task measures this yet."
        elif task in unserved:
            choose, because = "not measured", _sentence(unserved[task], name)
        elif task not in contests:
            choose, because = "not measured", "The task was not run."
        else:
            choose, because = judge(contests[task])
        answers.append({"setting": setting.name, "choose": choose, "because": because})
        if task is not None and task in contests and (lacks := lacking(contests[task])):
            answers[-1]["lacks"] = lacks
    return answers


def judge(contest: Contest) -> tuple[str, str]:
    """(choose, because) of one task."""
    vae, gan = champion(contest, "vae"), champion(contest, "gan")
    if vae is None or gan is None:
        return "not measured", ONE_SIDE
    ours, theirs, up = contest.models[vae], contest.models[gan], contest.higher_is_better
    gap = difference(theirs, ours)
    if not gap.n:
        return "not measured", f"No seed trained both {vae} and {gan} to the end."
    if gap.n == 1:
        return "not measured", ONE_SEED
    least, most = contest.bounds or (-math.inf, math.inf)
    shown = within(gap, (least - most, most - least))  # to be read; what is chosen rests on the whole interval
    places = decimals(_table(contest), shown[:3])
    mean, low, high = (figure(x, places) for x in shown[:3])
    what = f"{_sentence(contest.metric)}, {'higher' if up else 'lower'} is better"
    both = f"{vae} {_mean(ours, places)}, {gan} {_mean(theirs, places)}"
    measured = f"{what}: {both}; paired difference {mean}, 95 % interval {low} to {high} over {gap.n} seeds."
    if hurried := [name for name in (vae, gan) if name in contest.hurried]:
        few = f"Too few passes through the training data: {' and '.join(hurried)}."
        return "not measured", f"{few} {measured}{_failures(contest, (vae, gan))}"
    caution = _failures(contest, (vae, gan)) + _caution([name for name in (vae, gan) if name in contest.unfinished])
    better = {
        name: difference(values, ours)
        for name, values in contest.baselines.items()
        if beats(values, ours, up) and beats(values, theirs, up)
    }
    if better:
        name = (max if up else min)(better, key=lambda name: better[name].mean)
        plain = name.removeprefix(BASELINE)
        beaten = f"The baseline {plain} ({_mean(contest.baselines[name], places)}) beats both."
        return "neither", f"{beaten} {measured}{caution}"
    if gap.low <= 0 <= gap.high:
        return "either", f"The interval of the difference holds zero. {measured}{caution}"
    better_side, worse = ("gan", vae) if (gap.mean > 0) == up else ("vae", gan)
    return better_side, f"{measured}{_dissent(contest, gan if worse == vae else vae, worse)}{caution}"


def _sentence(text: str, name: str = "") -> str:
    return text if name and text.startswith(name) else text[:1].upper() + text[1:]


def _dissent(contest: Contest, winner: str, loser: str) -> str:
    against = [
        metric
        for metric, (up, models) in contest.others.items()
        if beats(models.get(loser, {}), models.get(winner, {}), up)
    ]
    if not against:
        return ""
    *most, last = against
    listed = f"{', '.join(most)} and {last}" if most else last
    return f" But {listed} {'speak' if most else 'speaks'} for {loser}."


def _failures(contest: Contest, names: Sequence[str]) -> str:
    seeds = contest.seeds or 0
    lost = {name: seeds - len(contest.models[name]) for name in names}
    failed = ", ".join(f"{name} on {n} of {seeds} seeds" for name, n in lost.items() if n > 0)
    return f" Failed: {failed}; only the seeds that both finished are compared." if failed else ""


def _caution(unfinished: Sequence[str]) -> str:
    if not unfinished:
        return ""
    return f" {' and '.join(unfinished)} had not finished when time ran out: more seconds may change this."


def _mean(values: Mapping[int, float], places: int) -> str:
    return figure(interval(list(values.values())).mean, places)


def _table(contest: Contest) -> list[tuple[float, float, float]]:
    rows = (*contest.models.values(), *contest.baselines.values())
    return [within(interval(list(values.values())), contest.bounds)[:3] for values in rows]
