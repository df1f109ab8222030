"""From what was reached on each seed to the report: cells with intervals, contests, advice, and what the page shows."""

import dataclasses
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.comparison.caveats import alike, hurried, limits, mean_seconds
from jaxgen.comparison.contender import Contender, Rounds
from jaxgen.comparison.exhibits import described, exhibits, titled
from jaxgen.comparison.measures import ENCODED, STAGES, SYNTHESISE, TASKS, Outcome, headline_of, metrics_of
from jaxgen.comparison.statistics import interval, still_improving, within
from jaxgen.comparison.verdict import Contest, advise
from jaxgen.data import Data
from jaxgen.metrics.features import Features
from jaxgen.report import Extras
from jaxgen.system.machine import device_name, versions
from jaxgen.tasks import Metric, synthesise


def assemble(
    settings: Any,
    data: Data,
    features: Features,
    entrants: Mapping[str, Contender],
    rounds: Mapping[str, Rounds],
    outcomes: Mapping[str, Mapping[int, Outcome]],
    simple: Mapping[int, Any],
    unserved: Mapping[str, str],
) -> tuple[dict[str, Any], Extras]:
    """The dict of `report.json`, and what `report.html` shows beside it.

    Args:
      settings: of the comparison, a dataclass.
      data: what was trained on.
      features: the space in which samples were compared.
      entrants: by name, in the order asked for.
      rounds: by name.
      outcomes: by name and seed.
      simple: figures of the baselines by seed, for the same seeds.
      unserved: task -> why the data cannot serve it.
    """
    tasks = tuple(task for task in TASKS if task not in unserved)
    seeds = range(settings.seed, settings.seed + settings.seeds)
    values = _values(outcomes, simple, tasks)
    ceilings = {SYNTHESISE: synthesise.ceiling(features, data)} if SYNTHESISE in tasks else {}

    def cells(task, by_metric):
        limits = ceilings.get(task, {})
        return {
            metric: _cell(described(task, metric, data), by, seeds, limits.get(metric))
            for metric, by in by_metric.items()
        }

    budget: dict[str, dict[str, Any]] = {name: {} for name in outcomes}
    contests = {}
    for task in tasks:
        headline, up = _headline(task, data)
        short = hurried(entrants, rounds, data, task, seeds)
        stages = {name: _stages(by_seed, task) for name, by_seed in outcomes.items()}
        growing = [name for name, at in stages.items() if still_improving(at["50"], at["100"], up) and not alike(data)]
        for name, at in stages.items():
            means = {stage: _strict(interval(list(found.values())).mean) for stage, found in at.items()}
            budget[name][task] = {
                "metric": headline,
                "at": means,
                "still_improving": name in growing,
                "hurried": name in short,
                "without_encoder": task in ENCODED and entrants[name].inverter is not None,
            }
        unfinished = [name for name in outcomes if name in growing or name in short]
        contests[task] = _contest(task, data, values, entrants, len(seeds), unfinished)._replace(hurried=short)
    report = {
        "data": _about_data(data),
        "models": {name: {task: cells(task, by) for task, by in tasks.items()} for name, tasks in values.items()},
        "advice": advise(contests, unserved, data.kind, data.name),
        "budget": budget,
        "protocol": _protocol(settings, features, entrants, rounds, outcomes),
        "notes": limits(settings, data, entrants, rounds, outcomes, tasks, ceilings.get(SYNTHESISE, {})),
        "settings": {name: value for name, value in dataclasses.asdict(settings).items() if name != "out"},
    }
    return report, exhibits(data, outcomes, tasks, values)


def _contest(
    task: str, data: Data, values: Mapping, entrants: Mapping[str, Contender], seeds: int, unfinished: list[str]
) -> Contest:
    headline, up = _headline(task, data)
    read = _read(values, task, headline)
    return Contest(
        metric=titled(headline),
        higher_is_better=up,
        models={name: read.pop(name, {}) for name in entrants},
        sides={name: entrant.recipe.side for name, entrant in entrants.items()},
        baselines=read,
        seeds=seeds,
        others={
            titled(metric): (about.higher_is_better, _read(values, task, metric))
            for metric, about in metrics_of(task, data).items()
            if about.higher_is_better is not None and metric != headline
        },
        unfinished=unfinished,
        bounds=metrics_of(task, data)[headline].bounds,
    )


def _about_data(data: Data) -> dict[str, Any]:
    sizes = {name: len(split.x) for name, split in data.splits.items()}
    about = {"name": data.name, "kind": data.kind, "shape": list(data.shape), "splits": sizes}
    return {**about, "classes": list(data.classes), "notes": list(data.notes), "digest": data.digest}


def _headline(task: str, data: Data) -> tuple[str, bool]:
    name = headline_of(task, data)
    return name, bool(metrics_of(task, data)[name].higher_is_better)


def _values(outcomes: Mapping, simple: Mapping[int, Any], tasks: Sequence[str]) -> dict:
    """name -> task -> metric -> seed -> value, of the models and of the baselines."""
    values: dict[str, dict[str, dict[str, dict[int, float]]]] = {
        name: {task: {} for task in tasks} for name in outcomes
    }

    def add(name: str, seed: int, by_task: Mapping[str, Mapping[str, float]]):
        for task, figures in by_task.items():
            by_metric = values.setdefault(name, {}).setdefault(task, {})
            for metric, value in figures.items():
                by_metric.setdefault(metric, {})[seed] = float(value)

    for name, by_seed in outcomes.items():
        for seed, outcome in by_seed.items():
            add(name, seed, outcome.figures)
    for seed, found in simple.items():
        for name, by_task in found.items():
            add(name, seed, by_task)
    return values


def _read(values: Mapping, task: str, metric: str) -> dict[str, dict[int, float]]:
    """Finite values of one metric, by name and seed."""
    return {
        name: {seed: value for seed, value in by_task[task].get(metric, {}).items() if math.isfinite(value)}
        for name, by_task in values.items()
        if task in by_task
    }


def _cell(metric: Metric, by_seed: Mapping[int, float], seeds: Sequence[int], ceiling: float | None) -> dict[str, Any]:
    spread = within(interval([value for value in by_seed.values() if math.isfinite(value)]), metric.bounds)
    return {
        "mean": _strict(spread.mean),
        "ci95": [_strict(spread.low), _strict(spread.high)],
        "n": spread.n,
        "failed": len(seeds) - spread.n,
        "ceiling": None if ceiling is None else _strict(ceiling),
        "higher_is_better": metric.higher_is_better,
        "values": {str(seed): _strict(value) for seed, value in by_seed.items()},
    }


def _stages(by_seed: Mapping[int, Outcome], task: str) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {stage: {} for stage in STAGES}
    for seed, outcome in by_seed.items():
        for stage, value in outcome.stages.get(task, {}).items():
            if math.isfinite(value) and task in outcome.figures:
                found[stage][seed] = value
    return found


def _protocol(settings, features: Features, entrants: Mapping[str, Contender], rounds, outcomes) -> dict[str, Any]:
    flags = {"data": settings.data, "models": ",".join(settings.models)}
    flags |= {"seconds-per-model": f"{settings.seconds_per_model:g}", "seeds": settings.seeds, "seed": settings.seed}
    return {
        "seconds_per_model": settings.seconds_per_model,
        "seconds_measured": {name: round(mean_seconds(by_seed), 2) for name, by_seed in outcomes.items()},
        "rounds": {name: count._asdict() for name, count in rounds.items()},
        "seeds": settings.seeds,
        "batch_size": {name: entrant.program.shape[1] for name, entrant in entrants.items()},
        "parameters": {name: entrant.parameters for name, entrant in entrants.items()},
        "feature_space": features.name,
        "device": device_name(),
        "versions": versions(),
        "sides": {name: entrant.recipe.side for name, entrant in entrants.items()},
        "command": "jaxgen compare " + " ".join(f"--{flag} {shlex.quote(str(value))}" for flag, value in flags.items()),
    }


def _strict(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
