"""The report, from the outcomes of all seeds: figures with intervals, contests, advice, and extras for the page."""

import dataclasses
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxgen.comparison.budget import alike, flat, hurried, mean_seconds
from jaxgen.comparison.caveats import limits
from jaxgen.comparison.contender import Contender, Counts
from jaxgen.comparison.contest import Contest
from jaxgen.comparison.exhibits import exhibits
from jaxgen.comparison.outcome import STAGES, Outcome
from jaxgen.comparison.settings import Settings
from jaxgen.comparison.statistics import interval, still_improving, within
from jaxgen.comparison.verdict import advise
from jaxgen.data import Data
from jaxgen.report import Extras
from jaxgen.report.numbers import number
from jaxgen.system.machine import device_name, versions
from jaxgen.tasks import TASKS, Metric, Reference, Task, describe, titled
from jaxgen.tasks.task import headline


def assemble(
    settings: Settings,
    reference: Reference,
    contenders: Mapping[str, Contender],
    lengths: Mapping[str, Counts],
    outcomes: Mapping[str, Mapping[int, Outcome]],
    by_baselines: Mapping[int, Any],
    unserved: Mapping[str, str],
) -> tuple[dict[str, Any], Extras]:
    """The dict of `report.json`, and what `report.html` shows in addition.

    Args:
      settings: of the comparison.
      reference: the data, and the feature space in which samples were compared.
      contenders: by name, in the requested order.
      lengths: by name, the steps on the seed that had the fewest.
      outcomes: by name and seed.
      by_baselines: figures of the baselines by seed, for the same seeds.
      unserved: name of a task -> why the data cannot serve it.
    """
    data = reference.data
    tasks = tuple(task for task in TASKS if task.name not in unserved)
    seeds = range(settings.seed, settings.seed + settings.seeds)
    values = _values(outcomes, by_baselines, tasks)
    floors = {task.name: task.floor(reference) for task in tasks}
    rows = {task.name: task for task in tasks}

    def cells(task, by_metric):
        return {
            metric: _cell(describe(rows[task].metrics(data), metric), by, seeds, floors[task].get(metric))
            for metric, by in by_metric.items()
        }

    budget: dict[str, dict[str, Any]] = {name: {} for name in outcomes}
    contests = {}
    for task in tasks:
        metric, up = _headline(task, data)
        short = hurried(contenders, lengths, data, task.training, seeds)
        stages = {name: _stages(by_seed, task.name) for name, by_seed in outcomes.items()}
        growing = [name for name, at in stages.items() if still_improving(at["50"], at["100"], up) and not alike(data)]
        for name, at in stages.items():
            if not contenders[name].plays(task.training):
                continue
            means = {stage: _strict(interval(list(figures.values())).mean) for stage, figures in at.items()}
            budget[name][task.name] = {
                "metric": metric,
                "at": means,
                "still_improving": name in growing,
                "hurried": name in short,
                "without_encoder": task.encodes and contenders[name].of(task.training).inverter is not None,
            }
        contest = _contest(task, data, values, contenders)
        without = {name: parts for name, by_seed in outcomes.items() if (parts := _without(by_seed, task.name))}
        words = None if task.words is None else task.words(reference)
        contests[task.name] = contest._replace(
            seeds=seeds,
            unfinished=growing,
            hurried=short,
            stages=stages,
            words=words,
            without=without,
            barred=_barred(task, data, values, contenders, floors[task.name]),
        )
    real = {metric: figure for figures in floors.values() for metric, figure in figures.items()}
    report = {
        "data": _about_data(data),
        "models": {name: {task: cells(task, by) for task, by in tasks.items()} for name, tasks in values.items()},
        "advice": advise(contests, unserved, data.kind, data.name),
        "groups": _groups(tasks, data, seeds),
        "budget": budget,
        "protocol": _protocol(settings, reference, contenders, outcomes),
        "notes": limits(settings, data, contenders, lengths, outcomes, tasks, real),
        "settings": {name: value for name, value in dataclasses.asdict(settings).items() if name != "out"},
    }
    return report, exhibits(data, outcomes, tasks, values)


def _groups(tasks: Sequence[Task], data: Data, seeds: Sequence[int]) -> dict[str, dict[str, str]]:
    """Task -> seed -> what that seed was measured on, for the tasks in which seeds are measured on different things."""
    return {task.name: {str(seed): task.group(data, seed) for seed in seeds} for task in tasks if task.group}


def _contest(task: Task, data: Data, values: Mapping, contenders: Mapping[str, Contender]) -> Contest:
    def plays(model: str) -> bool:
        return contenders[model].plays(task.training)

    name, up = _headline(task, data)
    metrics = task.metrics(data)
    baselines = _finite(values, task.name, name)
    return Contest(
        metric=titled(task, name),
        higher_is_better=up,
        models={model: figures for model in contenders if (figures := baselines.pop(model, {})) or plays(model)},
        sides={model: contender.side for model, contender in contenders.items()},
        baselines=baselines,
        paired=task.paired(data),
        margin=metrics[name].margin,
        others={
            titled(task, metric): (about.higher_is_better, _finite(values, task.name, metric))
            for metric, about in metrics.items()
            if about.higher_is_better is not None and metric != name
        },
        bounds=metrics[name].bounds,
    )


def _barred(
    task: Task, data: Data, values: Mapping, contenders: Iterable[str], floor: Mapping[str, float]
) -> dict[str, str]:
    """Model -> why it must not be chosen: the whole interval of a vetoing figure is above twice that of real data."""
    barred = {}
    for metric, about in task.metrics(data).items():
        for name, by_seed in _finite(values, task.name, metric).items():
            spread = interval(list(by_seed.values()))
            real_data = max(floor.get(metric, 0.0), about.usual)
            if about.veto and name in contenders and spread.low > 2 * real_data:
                mean, limit = number(spread.mean, 2), f"real data have {number(real_data, 2)}"
                if metric not in floor:
                    limit = f"at most {number(2 * real_data, 2)} is allowed"
                barred[name] = f"{about.veto} ({titled(task, metric)} {mean}, {limit})"
    return barred


def _without(by_seed: Mapping[int, Outcome], task: str) -> Sequence[float]:
    """The headline figures without each group of test examples, from the first seed that has them."""
    return next((outcome.without[task] for outcome in by_seed.values() if task in outcome.without), ())


def _about_data(data: Data) -> dict[str, Any]:
    sizes = {name: len(split.x) for name, split in data.splits.items()}
    about = {"name": data.name, "kind": data.kind, "shape": list(data.shape), "splits": sizes}
    return {**about, "classes": list(data.classes), "notes": list(data.notes), "digest": data.digest}


def _headline(task: Task, data: Data) -> tuple[str, bool]:
    metrics = task.metrics(data)
    name = headline(metrics)
    return name, bool(metrics[name].higher_is_better)


def _values(outcomes: Mapping, by_baselines: Mapping[int, Any], tasks: Sequence[Task]) -> dict:
    """Name of a model or baseline -> task -> metric -> seed -> value."""
    values: dict[str, dict[str, dict[str, dict[int, float]]]] = {
        name: {task.name: {} for task in tasks} for name in outcomes
    }

    def add(name: str, seed: int, by_task: Mapping[str, Mapping[str, float]]):
        for task, figures in by_task.items():
            by_metric = values.setdefault(name, {}).setdefault(task, {})
            for metric, value in figures.items():
                by_metric.setdefault(metric, {})[seed] = float(value)

    for name, by_seed in outcomes.items():
        for seed, outcome in by_seed.items():
            add(name, seed, outcome.figures)
    for seed, by_name in by_baselines.items():
        for name, by_task in by_name.items():
            add(name, seed, by_task)
    return values


def _finite(values: Mapping, task: str, metric: str) -> dict[str, dict[int, float]]:
    """Finite values of one metric, by name and seed."""
    return {
        name: {seed: value for seed, value in by_task[task].get(metric, {}).items() if math.isfinite(value)}
        for name, by_task in values.items()
        if task in by_task
    }


def _cell(metric: Metric, by_seed: Mapping[int, float], seeds: Sequence[int], floor: float | None) -> dict[str, Any]:
    spread = within(interval([value for value in by_seed.values() if math.isfinite(value)]), metric.bounds)
    return {
        "mean": _strict(spread.mean),
        "ci95": [_strict(spread.low), _strict(spread.high)],
        "n": spread.n,
        "failed": len(seeds) - spread.n,
        "reference": None if floor is None else _strict(floor),
        "higher_is_better": metric.higher_is_better,
        "values": {str(seed): _strict(value) for seed, value in by_seed.items()},
    }


def _stages(by_seed: Mapping[int, Outcome], task: str) -> dict[str, dict[int, float]]:
    by_stage: dict[str, dict[int, float]] = {stage: {} for stage in STAGES}
    for seed, outcome in by_seed.items():
        for stage, value in outcome.stages.get(task, {}).items():
            if math.isfinite(value) and task in outcome.figures:
                by_stage[stage][seed] = value
    return by_stage


def _protocol(
    settings: Settings,
    reference: Reference,
    contenders: Mapping[str, Contender],
    outcomes: Mapping[str, Mapping[int, Outcome]],
) -> dict[str, Any]:
    return {
        "seconds_per_model": settings.seconds_per_model,
        "seconds_measured": {name: round(mean_seconds(by_seed), 2) for name, by_seed in outcomes.items()},
        "steps": {
            name: {str(seed): flat(o.steps) for seed, o in by_seed.items()} for name, by_seed in outcomes.items()
        },
        "stages": {name: {str(seed): _read_at(o) for seed, o in by_seed.items()} for name, by_seed in outcomes.items()},
        "seeds": settings.seeds,
        "batch_size": {name: contender.program.shape[1] for name, contender in contenders.items()},
        "parameters": {name: contender.parameters for name, contender in contenders.items()},
        "feature_space": reference.features.name,
        "device": device_name(),
        "versions": versions(),
        "sides": {name: contender.side for name, contender in contenders.items()},
        "command": _command(settings),
    }


def _read_at(outcome: Outcome) -> dict[str, list[int]]:
    """By training, the steps at which the stages before the last were measured."""
    return {name: list(steps.stages) for name, steps in outcome.steps.items()}


def _command(settings: Settings) -> str:
    read = {name: value for name, value in (("size", settings.size), ("labels", settings.labels)) if value is not None}
    if settings.data is None or settings.models is None:
        data = "..." if settings.data is None else repr(settings.data)
        models = "..." if settings.models is None else repr(settings.models)
        options = f"seconds={settings.seconds_per_model:g}, seeds={settings.seeds}, seed={settings.seed}"
        options += f", anomaly={settings.anomaly!r}" if settings.anomaly else ""
        options += f", domains={settings.domains!r}" if settings.domains else ""
        options += f", settings={settings.settings!r}" if settings.settings else ""
        options += "".join(f", {name}={value!r}" for name, value in read.items())
        return f"jaxgen.compare({data}, models={models}, {options})  # in Python"
    flags: dict[str, Any] = {"data": settings.data, **read, "models": ",".join(settings.models)}
    lists = {"anomaly": settings.anomaly, "domains": settings.domains, "settings": settings.settings}
    flags |= {flag: ",".join(names) for flag, names in lists.items() if names}
    flags |= {"seconds-per-model": f"{settings.seconds_per_model:g}", "seeds": settings.seeds, "seed": settings.seed}
    return "jaxgen compare " + " ".join(f"--{flag} {shlex.quote(str(value))}" for flag, value in flags.items())


def _strict(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
