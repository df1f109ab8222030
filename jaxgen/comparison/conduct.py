"""The course of a comparison: from the data to the report, and what is left of it where it ends early."""

import contextlib
import dataclasses
import itertools
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxgen.comparison import ledger
from jaxgen.comparison.budget import fewest, full_time
from jaxgen.comparison.commands import commands
from jaxgen.comparison.console import LEFT_OUT, print_answer, say, say_data
from jaxgen.comparison.contender import Contender, Lengths, compiled_together
from jaxgen.comparison.course import BASELINES, COMPILE, MODEL, REPORT, SETTLE, SPLIT, Course
from jaxgen.comparison.document import assemble
from jaxgen.comparison.forecast import foresee, say_duration, settle_lengths
from jaxgen.comparison.outcome import Outcome, baselines, trainings
from jaxgen.comparison.place import claimed
from jaxgen.comparison.player import OnRecord
from jaxgen.comparison.result import Comparison
from jaxgen.comparison.schedule import play_all, whole
from jaxgen.comparison.settings import Settings
from jaxgen.comparison.verdict import foreseen
from jaxgen.core import BadRequest
from jaxgen.data import Data
from jaxgen.data.redivide import redivide
from jaxgen.metrics.features import feature_space
from jaxgen.recipes import Recipe, Spec, build, side, wanted
from jaxgen.report import write_report
from jaxgen.report.sentences import listing
from jaxgen.runs.keep import keep
from jaxgen.system import files
from jaxgen.system.bar import drawn
from jaxgen.system.signals import Stopped, stoppable
from jaxgen.tasks import SETTINGS, TASKS, Reference, Task
from jaxgen.tasks.task import headline
from jaxgen.training.step import State


class Asked(NamedTuple):
    """A comparison before it begins, or before it goes on."""

    settings: Settings
    data: Data
    recipes: Mapping[str, Recipe]
    out: Path
    recorded: ledger.Recorded | None = None  # the steps to play; None: the clock decides
    resumed: bool = False  # whether `out` holds seeds that are done
    on_record: OnRecord | None = None  # called after each chunk of steps of any training


class Ready(NamedTuple):
    """Compiled and timed, before the first training."""

    tasks: Sequence[Task]
    unserved: Mapping[str, str]
    contenders: Mapping[str, Contender]
    reference: Reference  # of the first seed
    lengths: Mapping[str, Lengths]
    preparing: float = 0.0  # seconds that it took, from the call on


class Reached(NamedTuple):
    """What was measured; both are added to while a comparison runs."""

    outcomes: dict[str, dict[int, Outcome]]  # by name and seed
    baselines: dict[int, Any]  # by seed


def conduct(asked: Asked, began: float) -> Comparison:
    """Trains, measures, writes and says it all; `began` is when the caller did.

    Raises:
      BadRequest: the data serve no task, or no network takes their shape.
      Stopped: by a signal; the report of the seeds that were measured to the end is there.
      Exception: of a training or a measurement; likewise.
    """
    course, settings = Course(began), asked.settings
    with drawn(course.rows):
        ready, reached = _prepared(asked, course)
        place = contextlib.nullcontext(asked.out) if asked.resumed else claimed(asked.out, settings.out is None)
        with stoppable() as signals, place as out:
            failure = _play(asked, ready, reached, out, signals, course)
            reached = _leading(Reached(*whole(*reached)), settings)
            done = len(reached.baselines)
            if not done and failure is not None:
                raise failure
            if not done and signals:
                raise Stopped(signals[0], "no seed was measured to the end, and nothing was written.")
            cause = "" if done == settings.seeds else "a signal" if failure is None else "an error"
            with course.at((REPORT,), "report"):
                report = _write(asked, ready, reached, out, cause, began)
    print_answer(report["advice"], asked.data.kind)
    part = f"the report of the {done} of {settings.seeds} seeds that were measured" if cause else "the whole report"
    again = f" Go on with: jaxgen compare --resume {shlex.quote(str(out))}" if cause else ""
    if failure is not None:
        say(f"{part} is {out / 'report.html'}.{again}")
        raise failure
    if signals:
        raise Stopped(signals[0], f"{part} is {out / 'report.html'}.{again}")
    for line in report["next"]:
        say(f"{line['what']}: {line['command']}")
    return Comparison(report, out)


def _prepared(asked: Asked, course: Course) -> tuple[Ready, Reached]:
    """What is compiled and timed, and what was measured before, with the baselines of the first seed."""
    settings = asked.settings
    ready = _ready(asked, course)
    reached = Reached({}, {})
    if asked.resumed:
        ledger.check_headlines(asked.out, _headlines(ready))
        reached = Reached(*ledger.load(asked.out))
    for name in ready.contenders:
        reached.outcomes.setdefault(name, {})
    if settings.seed not in reached.baselines:
        with course.at((BASELINES,), "baselines of the first seed"):
            reached.baselines[settings.seed] = baselines(ready.reference, settings.seed, ready.tasks)
    spent = course.spent()
    say_duration(settings, ready.tasks, len(ready.contenders), spent, course.left())
    return ready._replace(preparing=spent), reached


def _missing(asked: Asked) -> int:
    """How many seeds are to be played."""
    done = {int(path.stem) for path in (asked.out / "seeds").glob("*.json")} if asked.resumed else set()
    return sum(seed not in done for seed in range(asked.settings.seed, asked.settings.seed + asked.settings.seeds))


def _headlines(ready: Ready) -> dict[str, str]:
    """The figure that decides each task."""
    return {task.name: headline(task.metrics(ready.reference.data)) for task in ready.tasks}


def _leading(reached: Reached, settings: Settings) -> Reached:
    """The seeds up to the first that is missing: those after it, of a resumed comparison, wait for it on the disk."""
    seeds = range(settings.seed, settings.seed + settings.seeds)
    there = set(itertools.takewhile(lambda seed: seed in reached.baselines, seeds))
    outcomes = {n: {s: own for s, own in by.items() if s in there} for n, by in reached.outcomes.items()}
    return Reached(outcomes, {seed: own for seed, own in reached.baselines.items() if seed in there})


def _ready(asked: Asked, course: Course) -> Ready:
    tasks, unserved = _served(asked.data, asked.settings.settings)
    first = redivide(asked.data, asked.settings.seed)
    # Built first: a shape that no network takes is refused before anything is printed.
    for name, recipe in asked.recipes.items():
        if what := wanted(recipe, first.shape):
            raise BadRequest(
                f"{name} learns from {what}, which compare does not hand to its models: leave it out of the models."
            )
    sides = {name: side(build(recipe, Spec(first.shape), {})) for name, recipe in asked.recipes.items()}
    say_data(asked.data, unserved)
    for reason in foreseen(asked.settings.seeds, set(sides.values())):
        say(f"figures only, no answer. {reason}")
    course.add(foresee(asked.settings, sides, tasks, _missing(asked), course))
    with course.at((SPLIT,), "features of the data"):
        reference = Reference(first, feature_space(first))
    with course.at((COMPILE,), f"compiling {listing(list(asked.recipes))}"):
        contenders = compiled_together(asked.recipes, first, trainings(tasks), reference.formed)
    lengths: dict[str, Lengths] = {}
    for name, contender in contenders.items():
        with course.at((SETTLE, name), f"timing {name}"):
            own, measuring = settle_lengths(asked.settings, {name: contender}, reference, tasks, asked.recorded)
        for training in trainings(tasks):
            if training.name not in own[name]:
                course.skip((MODEL, name, training.name))
        for (_, training_name), seconds in measuring.items():
            course.guess((MODEL, name, training_name), seconds, "measure")
        lengths |= own
    contenders = {name: contender.bare() for name, contender in contenders.items()}
    return Ready(tasks, unserved, contenders, reference, lengths)


def _play(
    asked: Asked, ready: Ready, reached: Reached, out: Path, signals: list[int], course: Course
) -> Exception | None:
    """All seeds that are missing; returns what ended them early, if it is no signal."""
    settings, recorded, first = asked.settings, asked.recorded, ready.reference

    def reference_of(seed: int) -> Reference:
        own = redivide(asked.data, seed)
        return first if seed == settings.seed or own is first.data else Reference(own, feature_space(own))

    models: dict[str, tuple[State, Sequence[Mapping[str, Any]]]] = {}

    def on_seed(seed: int) -> None:
        for name, (state, records) in models.items():
            place, recipe, plan = out / "models" / name, asked.recipes[name], ready.contenders[name].plan
            read: dict[str, Any] = {"source": settings.data, "size": settings.size, "labels": settings.labels}
            keep(place, recipe, plan, state, records, **read, data=asked.data, seed=seed)
        models.clear()
        ledger.begin(out, settings, asked.data.digest, recorded, _headlines(ready))
        own = {name: by_seed[seed] for name, by_seed in reached.outcomes.items()}
        ledger.save(out, seed, own, reached.baselines[seed], pictures=seed == settings.seed)

    def on_trained(name: str, seed: int, state: State, records: Sequence[Mapping[str, Any]]) -> None:
        # Only the split of the data as they load: the models of another would be tested on what they saw.
        if seed == settings.seed and first.data is asked.data:
            models[name] = state, records

    try:
        play_all(
            range(settings.seed, settings.seed + settings.seeds),
            ready.contenders,
            reference_of,
            lambda name, seed: ready.lengths[name] if recorded is None else recorded[name, seed],
            ready.tasks,
            reached.baselines,
            signals,
            outcomes=reached.outcomes,
            seconds=full_time(settings.seconds_per_model, ready.tasks),
            course=course,
            on_seed=on_seed,
            on_trained=on_trained,
            on_record=asked.on_record,
        )
    except Exception as error:  # what was measured before is written all the same, and then it is raised
        return error
    return None


def _write(asked: Asked, ready: Ready, reached: Reached, out: Path, cause: str, began: float) -> dict[str, Any]:
    """The report of the seeds that were reached; `cause` says why there are not more."""
    done = len(reached.baselines)
    settings = dataclasses.replace(asked.settings, seeds=done)
    played = {name: fewest(by_seed) for name, by_seed in reached.outcomes.items()}
    report, extras = assemble(settings, ready.reference, ready.contenders, played, *reached, ready.unserved)
    if cause:
        report["notes"].insert(0, f"Stopped by {cause} after {done} of {asked.settings.seeds} seeds.")
    report["protocol"]["preparing_seconds"] = round(ready.preparing, 1)
    report["protocol"]["total_seconds"] = round(time.perf_counter() - began, 1)
    report["next"] = commands(out, ready.contenders, reached.outcomes, report["advice"])
    files.write_json(out / "report.json", report)
    write_report(out / "report.html", report, extras)
    return report


def _served(data: Data, asked: Sequence[str]) -> tuple[tuple[Task, ...], dict[str, str]]:
    """The tasks that were asked for, by the words of their settings, and that the data serve; why not the others."""
    names = {setting.name for setting in SETTINGS if not asked or setting.word in asked}
    wanted = [task for task in TASKS if task.setting in names]
    unserved = {task.name: why for task in wanted if (why := task.servable(data)) is not None}
    if len(unserved) == len(wanted):
        what = "none of the settings asked for" if asked else "nothing"
        reasons = " ".join(dict.fromkeys(unserved.values()))
        raise BadRequest(f"{what} can be measured on {data.name}; bring more examples. {reasons}".rstrip())
    served = tuple(task for task in wanted if task.name not in unserved)
    return served, {**unserved, **{task.name: LEFT_OUT for task in TASKS if task not in wanted}}
