"""`jaxgen compare`: trains the VAE and the GAN side for the same time, measures both, and answers.

Time is turned into rounds once, before the first seed; from there on everything is a function of (data, seeds, rounds),
so that `repeat` gives the same figures on the same machine.
"""

import contextlib
import dataclasses
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jaxgen import data as sources
from jaxgen.comparison.budget import calibrate, evaluation_seconds, hurried, passes, unflat
from jaxgen.comparison.console import count, print_answer, say, say_data
from jaxgen.comparison.contender import Contender, Rounds, compiled
from jaxgen.comparison.document import assemble
from jaxgen.comparison.outcome import baselines, trainings
from jaxgen.comparison.schedule import play_all, whole
from jaxgen.comparison.settings import Settings
from jaxgen.comparison.verdict import foreseen
from jaxgen.core import BadRequest
from jaxgen.data import Data
from jaxgen.metrics.features import feature_space
from jaxgen.nets import DENSE_LIMIT, keep_freed_memory
from jaxgen.recipes import find
from jaxgen.report import write_report
from jaxgen.report.numbers import duration, some
from jaxgen.runs.inputs import source_of
from jaxgen.system import files
from jaxgen.system.lock import check_new
from jaxgen.system.signals import Stopped, stoppable
from jaxgen.tasks import MAIN, TASKS, Reference, Task


def compare(settings: Settings) -> Path:
    """Runs the comparison and writes `report.html` and `report.json`; returns their folder.

    Raises:
      BadRequest: whatever cannot be, before anything is computed or written.
    """
    return _run(_settled(settings), _fresh(settings.out), None)


def _settled(settings: Settings) -> Settings:
    """With a path to the data that holds from everywhere."""
    return dataclasses.replace(settings, data=source_of(settings.data))


def repeat(folder: str | os.PathLike, *, out: str | None = None) -> Path:
    """Runs the comparison in `folder` again with the rounds recorded there, into a new folder, and says what differs.

    Raises:
      BadRequest: no comparison there, or its data have changed.
    """
    path = Path(folder) / "report.json"
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
        settings = Settings(**{**old["settings"], "models": tuple(old["settings"]["models"]), "out": out})
        recorded = {name: unflat(old["protocol"]["rounds"][name]) for name in settings.models}
        digest, models = old["data"]["digest"], old["models"]
    except BadRequest:
        raise  # what is wrong with the settings is said there
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(f"{folder} is no comparison that can be repeated: {path} is missing or damaged.") from error
    made = _run(settings, _fresh(out), recorded, digest)
    again = json.loads((made / "report.json").read_text(encoding="utf-8"))["models"]
    same = again == models
    print("all figures are the same." if same else f"largest relative difference: {_apart(models, again):.2g}")
    return made


def _run(settings: Settings, out: Path, recorded: Mapping[str, Rounds] | None, digest: str | None = None) -> Path:
    began = time.perf_counter()
    data = sources.load(settings.data)
    if digest not in (None, data.digest):
        raise BadRequest(f"{settings.data} has changed since the recorded comparison: restore it, or compare anew.")
    if math.prod(data.shape) > DENSE_LIMIT:  # the networks convolve
        keep_freed_memory()
    tasks, unserved = _served(data)
    for name in settings.models:
        find(name).plan(data.shape)  # refuses a shape that no network takes, before anything else is said
    say_data(data, unserved)
    for reason in foreseen(settings.seeds, {find(name).side for name in settings.models}):
        say(f"figures only, no answer. {reason}")
    contenders = {name: compiled(find(name), data) for name in settings.models}
    reference = Reference(data, feature_space(data))
    rounds, measuring = _settle_rounds(settings, contenders, reference, tasks, recorded)
    start = time.perf_counter()
    by_baselines = {settings.seed: baselines(reference, settings.seed, tasks)}
    measuring += time.perf_counter() - start
    _say_duration(settings, len(contenders), time.perf_counter() - began, measuring)
    seeds = range(settings.seed, settings.seed + settings.seeds)
    with stoppable() as signals, _claimed(out, settings.out is None) as out:
        outcomes = play_all(seeds, contenders, reference, rounds, tasks, by_baselines, signals)
        outcomes, by_baselines = whole(outcomes, by_baselines)
        done = len(by_baselines)
        if signals and not done:
            raise Stopped(signals[0], "no seed was measured to the end, and nothing was written.")
        measured = dataclasses.replace(settings, seeds=done)
        report, extras = assemble(measured, reference, contenders, rounds, outcomes, by_baselines, unserved)
        if done < settings.seeds:
            report["notes"].insert(0, f"Stopped by a signal after {done} of {settings.seeds} seeds.")
        report["protocol"]["total_seconds"] = round(time.perf_counter() - began, 1)
        files.write_json(out / "report.json", report)
        write_report(out / "report.html", report, extras)
    print_answer(report["advice"], data.kind)
    if signals:
        part = f"the report of the {done} of {settings.seeds} seeds that were measured"
        kept = part if done < settings.seeds else "the whole report"
        raise Stopped(signals[0], f"{kept} is {out / 'report.html'}.")
    return out


def _served(data: Data) -> tuple[tuple[Task, ...], dict[str, str]]:
    """The tasks that the data can serve, and the reasons of the others by name."""
    unserved = {task.name: reason for task in TASKS if (reason := task.servable(data)) is not None}
    if len(unserved) == len(TASKS):
        reasons = " ".join(dict.fromkeys(unserved.values()))
        raise BadRequest(f"nothing can be measured on {data.name}; bring more examples. {reasons}")
    return tuple(task for task in TASKS if task.name not in unserved), unserved


def _settle_rounds(
    settings: Settings,
    contenders: Mapping[str, Contender],
    reference: Reference,
    tasks: Sequence[Task],
    recorded: Mapping[str, Rounds] | None,
) -> tuple[dict[str, Rounds], float]:
    """The rounds of every training, and the seconds that measuring one seed of all models takes."""
    rounds, measuring, data = {}, 0.0, reference.data
    seeds = range(settings.seed, settings.seed + settings.seeds)
    for name, contender in contenders.items():
        rounds[name] = recorded[name] if recorded else calibrate(contender, settings.seconds_per_model, tasks)
        measuring += evaluation_seconds(contender, reference, tasks)
        through = passes(contender, rounds[name][MAIN.name].model, len(data.train.x))
        say(f"{name}: {count(rounds[name])}, {through:,.0f} times the data; compiled in {contender.compile_s:.0f} s")
        if any(hurried({name: contender}, rounds, data, training, seeds) for training in trainings(tasks)):
            say(f"{name}: too few for a settled answer; raise --seconds-per-model.")
    return rounds, measuring


def _say_duration(settings: Settings, models: int, spent: float, measuring: float) -> None:
    training = settings.seconds_per_model * models
    total = duration(round(spent + settings.seeds * (training + measuring)))
    say(
        f"expected to take {total}: {spent:.0f} s to prepare, then {some(settings.seeds, 'seed')} "
        f"of {training:g} s training and {measuring:.0f} s measuring"
    )


@contextlib.contextmanager
def _claimed(out: Path, numbered: bool) -> Iterator[Path]:
    """Makes the folder, so that a comparison beside this one takes another; if nothing comes of it, it goes again."""
    made = True
    while True:
        try:
            out.mkdir(parents=True)
            break
        except FileExistsError:
            if not numbered:
                made = False  # whoever made it may want it
                break
            out = _fresh(None)
    try:
        yield out
    except BaseException:
        if made and not any(out.iterdir()):
            out.rmdir()
        raise


def _fresh(out: str | None) -> Path:
    if out is None:
        n = 1
        while Path(f"runs/compare-{n}").exists():
            n += 1
        out = f"runs/compare-{n}"
    check_new(Path(out))
    return Path(out)


def _apart(a: Mapping, b: Mapping) -> float:
    worst = 0.0
    for name, tasks in a.items():
        for task, metrics in tasks.items():
            for metric, cell in metrics.items():
                x, y = cell["mean"], b.get(name, {}).get(task, {}).get(metric, {}).get("mean")
                if x is None or y is None:
                    worst = worst if x is y else math.inf
                else:
                    worst = max(worst, abs(x - y) / max(abs(x), abs(y), 1e-12))
    return worst
