"""The steps of a comparison, from the data to the report, which is also written if the comparison ends early."""

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


class Request(NamedTuple):
    """What a comparison is started or resumed with."""

    settings: Settings
    data: Data
    recipes: Mapping[str, Recipe]
    out: Path
    recorded: ledger.Recorded | None = None  # the steps of each training; None: the clock decides
    resumed: bool = False  # whether `out` holds finished seeds
    on_record: OnRecord | None = None  # called after each chunk of steps of any training


class Ready(NamedTuple):
    """What is known before the first training: compiled models, and times."""

    tasks: Sequence[Task]
    unserved: Mapping[str, str]
    contenders: Mapping[str, Contender]
    reference: Reference  # of the first seed
    lengths: Mapping[str, Lengths]
    preparing: float = 0.0  # seconds from the call to the first training


class Reached(NamedTuple):
    """The results so far; a comparison adds to both dicts while it runs."""

    outcomes: dict[str, dict[int, Outcome]]  # by name and seed
    baselines: dict[int, Any]  # by seed


def conduct(request: Request, began: float) -> Comparison:
    """Trains and measures all models, writes the report and prints the answer.

    Args:
      request: the comparison.
      began: `time.perf_counter()` at the start of the caller.

    Raises:
      BadRequest: if the data can serve no task, or no network takes their shape.
      Stopped: if a signal ended it, after the report of the finished seeds was written.
      Exception: any other error of a training or measurement, after the same.
    """
    course, settings = Course(began), request.settings
    with drawn(course.rows):
        ready, reached = _prepared(request, course)
        place = contextlib.nullcontext(request.out) if request.resumed else claimed(request.out, settings.out is None)
        with stoppable() as signals, place as out:
            failure = _play(request, ready, reached, out, signals, course)
            reached = _leading(Reached(*whole(*reached)), settings)
            done = len(reached.baselines)
            if not done and failure is not None:
                raise failure
            if not done and signals:
                raise Stopped(signals[0], "no seed was finished, and nothing was written.")
            cause = "" if done == settings.seeds else "a signal" if failure is None else "an error"
            with course.at((REPORT,), "report"):
                report = _write(request, ready, reached, out, cause, began)
    print_answer(report["advice"], request.data.kind)
    part = f"the report of the {done} of {settings.seeds} seeds that were finished" if cause else "the whole report"
    again = f" Continue with: jaxgen compare --resume {shlex.quote(str(out))}" if cause else ""
    if failure is not None:
        say(f"{part} is {out / 'report.html'}.{again}")
        raise failure
    if signals:
        raise Stopped(signals[0], f"{part} is {out / 'report.html'}.{again}")
    for line in report["next"]:
        say(f"{line['what']}: {line['command']}")
    return Comparison(report, out)


def _prepared(request: Request, course: Course) -> tuple[Ready, Reached]:
    """What is compiled and timed, and what was measured before, with the baselines of the first seed."""
    settings = request.settings
    ready = _ready(request, course)
    reached = Reached({}, {})
    if request.resumed:
        ledger.check_headlines(request.out, _headlines(ready))
        reached = Reached(*ledger.load(request.out))
    for name in ready.contenders:
        reached.outcomes.setdefault(name, {})
    if settings.seed not in reached.baselines:
        with course.at((BASELINES,), "baselines of the first seed"):
            reached.baselines[settings.seed] = baselines(ready.reference, settings.seed, ready.tasks)
    spent = course.spent()
    say_duration(settings, ready.tasks, len(ready.contenders), spent, course.left())
    return ready._replace(preparing=spent), reached


def _missing(request: Request) -> int:
    """How many seeds are to be played."""
    done = {int(path.stem) for path in (request.out / "seeds").glob("*.json")} if request.resumed else set()
    return sum(
        seed not in done for seed in range(request.settings.seed, request.settings.seed + request.settings.seeds)
    )


def _headlines(ready: Ready) -> dict[str, str]:
    """Task -> the metric that decides it."""
    return {task.name: headline(task.metrics(ready.reference.data)) for task in ready.tasks}


def _leading(reached: Reached, settings: Settings) -> Reached:
    """The results of the seeds before the first missing one; later seeds of a resumed comparison stay on the disk."""
    seeds = range(settings.seed, settings.seed + settings.seeds)
    leading = set(itertools.takewhile(lambda seed: seed in reached.baselines, seeds))
    outcomes = {n: {s: result for s, result in by.items() if s in leading} for n, by in reached.outcomes.items()}
    return Reached(outcomes, {seed: result for seed, result in reached.baselines.items() if seed in leading})


def _ready(request: Request, course: Course) -> Ready:
    tasks, unserved = _served(request.data, request.settings.settings)
    first = redivide(request.data, request.settings.seed)
    # Built first: a shape that no network takes is refused before anything is printed.
    for name, recipe in request.recipes.items():
        if what := wanted(recipe, first.shape):
            raise BadRequest(
                f"{name} learns from {what}, which compare does not give to its models: leave it out of the models."
            )
    sides = {name: side(build(recipe, Spec(first.shape), {})) for name, recipe in request.recipes.items()}
    say_data(request.data, unserved)
    for reason in foreseen(request.settings.seeds, set(sides.values())):
        say(f"there will be figures but no answer. {reason}")
    course.add(foresee(request.settings, sides, tasks, _missing(request), course))
    with course.at((SPLIT,), "features of the data"):
        reference = Reference(first, feature_space(first))
    with course.at((COMPILE,), f"compiling {listing(list(request.recipes))}"):
        contenders = compiled_together(request.recipes, first, trainings(tasks), reference.formed)
    lengths: dict[str, Lengths] = {}
    for name, contender in contenders.items():
        with course.at((SETTLE, name), f"timing {name}"):
            own, measuring = settle_lengths(request.settings, {name: contender}, reference, tasks, request.recorded)
        for training in trainings(tasks):
            if training.name not in own[name]:
                course.skip((MODEL, name, training.name))
        for (_, training_name), seconds in measuring.items():
            course.guess((MODEL, name, training_name), seconds, "measure")
        lengths |= own
    contenders = {name: contender.bare() for name, contender in contenders.items()}
    return Ready(tasks, unserved, contenders, reference, lengths)


def _play(
    request: Request, ready: Ready, reached: Reached, out: Path, signals: list[int], course: Course
) -> Exception | None:
    """All seeds that are missing; returns what ended them early, if it is no signal."""
    settings, recorded, first = request.settings, request.recorded, ready.reference

    def reference_of(seed: int) -> Reference:
        data = redivide(request.data, seed)
        return first if seed == settings.seed or data is first.data else Reference(data, feature_space(data))

    models: dict[str, tuple[State, Sequence[Mapping[str, Any]]]] = {}

    def on_seed(seed: int) -> None:
        for name, (state, records) in models.items():
            place, recipe, plan = out / "models" / name, request.recipes[name], ready.contenders[name].plan
            read: dict[str, Any] = {"source": settings.data, "size": settings.size, "labels": settings.labels}
            keep(place, recipe, plan, state, records, **read, data=request.data, seed=seed)
        models.clear()
        ledger.begin(out, settings, request.data.digest, recorded, _headlines(ready))
        outcomes = {name: by_seed[seed] for name, by_seed in reached.outcomes.items()}
        ledger.save(out, seed, outcomes, reached.baselines[seed], pictures=seed == settings.seed)

    def on_trained(name: str, seed: int, state: State, records: Sequence[Mapping[str, Any]]) -> None:
        # A saved run loads the data's own split; models of another split would be tested on their training examples.
        if seed == settings.seed and first.data is request.data:
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
            on_record=request.on_record,
        )
    except Exception as error:  # the caller raises it after it has written the report of the finished seeds
        return error
    return None


def _write(request: Request, ready: Ready, reached: Reached, out: Path, cause: str, began: float) -> dict[str, Any]:
    """Writes the report of the finished seeds; `cause` says why there are not more, or is ""."""
    done = len(reached.baselines)
    settings = dataclasses.replace(request.settings, seeds=done)
    played = {name: fewest(by_seed) for name, by_seed in reached.outcomes.items()}
    report, extras = assemble(settings, ready.reference, ready.contenders, played, *reached, ready.unserved)
    if cause:
        report["notes"].insert(0, f"Stopped by {cause} after {done} of {request.settings.seeds} seeds.")
    report["protocol"]["preparing_seconds"] = round(ready.preparing, 1)
    report["protocol"]["total_seconds"] = round(time.perf_counter() - began, 1)
    report["next"] = commands(out, ready.contenders, reached.outcomes, report["advice"])
    files.write_json(out / "report.json", report)
    write_report(out / "report.html", report, extras)
    return report


def _served(data: Data, words: Sequence[str]) -> tuple[tuple[Task, ...], dict[str, str]]:
    """(the requested tasks that the data can serve, task -> why each other task is not measured)."""
    names = {setting.name for setting in SETTINGS if not words or setting.word in words}
    wanted = [task for task in TASKS if task.setting in names]
    unserved = {task.name: why for task in wanted if (why := task.servable(data)) is not None}
    if len(unserved) == len(wanted):
        what = "none of the requested settings" if words else "nothing"
        reasons = " ".join(dict.fromkeys(unserved.values()))
        raise BadRequest(f"{what} can be measured on {data.name}; bring more examples. {reasons}".rstrip())
    served = tuple(task for task in wanted if task.name not in unserved)
    return served, {**unserved, **{task.name: LEFT_OUT for task in TASKS if task not in wanted}}
