"""`jaxgen compare`: trains the VAE and the GAN side for the same time, measures both, and answers.

Each training ends with the chunk of steps that is nearest to the end of its time, and its steps are recorded. All
figures are a function of (data, seeds, steps), so that `repeat` gives the same ones on the same machine.
"""

import contextlib
import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxgen import data as sources
from jaxgen.comparison.budget import allowed, evaluation_seconds, expected, fewest, passes, too_short, unflat
from jaxgen.comparison.console import count, print_answer, say, say_data
from jaxgen.comparison.contender import Contender, Counts, Lengths, compiled
from jaxgen.comparison.document import assemble
from jaxgen.comparison.outcome import baselines, trainings
from jaxgen.comparison.result import Comparison
from jaxgen.comparison.schedule import play_all, whole
from jaxgen.comparison.settings import SECONDS, Settings, known, recipes_of
from jaxgen.comparison.verdict import foreseen
from jaxgen.core import BadRequest
from jaxgen.data import Data, with_anomalies
from jaxgen.metrics.features import feature_space
from jaxgen.recipes import Recipe, Spec, build, side
from jaxgen.report import write_report
from jaxgen.report.numbers import duration, some
from jaxgen.runs.inputs import divided, source_of
from jaxgen.system import files
from jaxgen.system.lock import check_new
from jaxgen.system.signals import Stopped, stoppable
from jaxgen.tasks import MAIN, TASKS, Reference, Task


def compare(
    data: str | os.PathLike | Data | np.ndarray | tuple[np.ndarray, np.ndarray] = "digits",
    *,
    models: Sequence[str] | Mapping[str, Recipe | str] = ("vae", "r3gan"),
    seconds: float = SECONDS,
    seeds: int = 5,
    seed: int = 0,
    anomaly: str | int | Sequence[str | int] = (),
    out: str | os.PathLike | None = None,
    on_data: Callable[[Data], object] | None = None,
) -> Comparison:
    """Trains models for the same time, measures them on every task that the data serve, and answers: VAE or GAN?

    Lines about its progress go to stderr, the answer to stdout, all of it to `report.html` and `report.json`.

    Args:
      data: a name, a path, a `Data`, an array [N, ...], or (x, label) of two. An array is divided into what is trained
        on, chosen by and measured on, as if it stood in a file; a table is standardised.
      models: names of recipes, or recipes by the name that the report gives them. For each side, "vae" and "gan", the
        first one decides the answer.
      seconds: of training, for one model and one seed.
      seeds: how often each model is trained.
      seed: the first of them.
      anomaly: the class, or the classes, that anomaly detection must find; by default those that the data name, such as
        the classes that their own train split lacks, else each class in turn, by seed.
      out: a new or empty folder; by default the next free `runs/compare-N`.
      on_data: called with the data once they are loaded, before anything is compiled.

    Raises:
      BadRequest: whatever cannot be, before anything is computed or written.
      Stopped: by a signal; the report of the seeds that were measured to the end is there.
    """
    began = time.perf_counter()
    folder = _fresh(None if out is None else os.fspath(out))
    recipes = recipes_of(models)
    settings = Settings(
        data=source_of(data) if isinstance(data, str | os.PathLike) else None,
        models=known(recipes),
        out=None if out is None else str(folder),
        seconds_per_model=seconds,
        seeds=seeds,
        seed=seed,
        anomaly=tuple(map(str, np.atleast_1d(anomaly))),
    )
    loaded = _named(divided(data), settings)
    if on_data is not None:
        on_data(loaded)
    return _run(settings, loaded, recipes, folder, None, began)


def repeat(
    folder: str | os.PathLike, *, out: str | None = None, on_data: Callable[[Data], object] | None = None
) -> Comparison:
    """Runs the comparison in `folder` again with the steps recorded there, into a new folder, and says what differs.

    Raises:
      BadRequest: no comparison there, one that only Python can repeat, or its data have changed.
    """
    began = time.perf_counter()
    path = Path(folder) / "report.json"
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
        names = old["settings"]["models"]
        anomaly = tuple(old["settings"].get("anomaly", ()))
        settings = Settings(**{**old["settings"], "models": names and tuple(names), "anomaly": anomaly, "out": out})
        protocol = old["protocol"]
        if "stages" not in protocol:
            raise BadRequest(f"{path} is of an earlier jaxgen, which did not record each seed's steps: compare anew.")
        recorded = {
            (name, int(seed)): unflat(lengths, protocol["stages"][name][seed])
            for name, by_seed in protocol["steps"].items()
            for seed, lengths in by_seed.items()
        }
        digest, models = old["data"]["digest"], old["models"]
    except BadRequest:
        raise  # its message names what is wrong with the settings
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(f"{folder} is no comparison that can be repeated: {path} is missing or damaged.") from error
    if settings.data is None or settings.models is None:
        unknown = "data" if settings.data is None else "models"
        raise BadRequest(f"{folder} was made in Python with {unknown} of its own: call jaxgen.compare with them again.")
    fresh, data = _fresh(out), _named(sources.load(settings.data), settings)
    if data.digest != digest:
        raise BadRequest(f"{settings.data} has changed since the recorded comparison: restore it, or compare anew.")
    if on_data is not None:
        on_data(data)
    repeated = _run(settings, data, recipes_of(settings.models), fresh, recorded, began)
    again = json.loads((repeated.out / "report.json").read_text(encoding="utf-8"))["models"]
    same = again == models
    print("all figures are the same." if same else f"largest relative difference: {_apart(models, again):.2g}")
    return repeated


def _named(data: Data, settings: Settings) -> Data:
    return with_anomalies(data, settings.anomaly) if settings.anomaly else data


def _run(
    settings: Settings,
    data: Data,
    recipes: Mapping[str, Recipe],
    out: Path,
    recorded: Mapping[tuple[str, int], Counts] | None,
    began: float,
) -> Comparison:
    tasks, unserved = _served(data)
    # Built first: a shape that no network takes is refused before anything is printed.
    sides = {side(build(recipe, Spec(data.shape), {})) for recipe in recipes.values()}
    say_data(data, unserved)
    for reason in foreseen(settings.seeds, sides):
        say(f"figures only, no answer. {reason}")
    contenders = {name: compiled(recipe, data) for name, recipe in recipes.items()}
    reference = Reference(data, feature_space(data))
    lengths, measuring = _settle_lengths(settings, contenders, reference, tasks, recorded)

    def play_for(name: str, seed: int) -> Lengths:
        return lengths[name] if recorded is None else recorded[name, seed]

    start = time.perf_counter()
    by_baselines = {settings.seed: baselines(reference, settings.seed, tasks)}
    measuring += time.perf_counter() - start
    _say_duration(settings, len(contenders), time.perf_counter() - began, measuring)
    seeds = range(settings.seed, settings.seed + settings.seeds)
    with stoppable() as signals, _claimed(out, settings.out is None) as out:
        outcomes = play_all(seeds, contenders, reference, play_for, tasks, by_baselines, signals)
        outcomes, by_baselines = whole(outcomes, by_baselines)
        done = len(by_baselines)
        if signals and not done:
            raise Stopped(signals[0], "no seed was measured to the end, and nothing was written.")
        measured = dataclasses.replace(settings, seeds=done)
        played = {name: fewest(by_seed) for name, by_seed in outcomes.items()}
        report, extras = assemble(measured, reference, contenders, played, outcomes, by_baselines, unserved)
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
    return Comparison(report, out)


def _served(data: Data) -> tuple[tuple[Task, ...], dict[str, str]]:
    """The tasks that the data can serve, and the reasons of the others by name."""
    unserved = {task.name: reason for task in TASKS if (reason := task.servable(data)) is not None}
    if len(unserved) == len(TASKS):
        reasons = " ".join(dict.fromkeys(unserved.values()))
        raise BadRequest(f"nothing can be measured on {data.name}; bring more examples. {reasons}")
    return tuple(task for task in TASKS if task.name not in unserved), unserved


def _settle_lengths(
    settings: Settings,
    contenders: Mapping[str, Contender],
    reference: Reference,
    tasks: Sequence[Task],
    recorded: Mapping[tuple[str, int], Counts] | None,
) -> tuple[dict[str, Lengths], float]:
    """The time of every training, and the seconds that measuring one seed of all models takes."""
    lengths: dict[str, Lengths] = {}
    measuring, data = 0.0, reference.data
    seeds = range(settings.seed, settings.seed + settings.seeds)
    for name, contender in contenders.items():
        own = allowed(contender, settings.seconds_per_model, tasks)
        steps = expected(contender, own) if recorded is None else recorded[name, settings.seed]
        lengths[name] = own
        measuring += evaluation_seconds(contender, reference, tasks)
        through = passes(contender, steps[MAIN.name].model, len(data.train.x))
        about, compiling = "about " * (recorded is None), f"compiled in {contender.compile_s:.0f} s"
        say(f"{name}: {about}{count(steps)}, {through:,.0f} passes through the data; {compiling}")
        if (longer := too_short(contender, steps, data, trainings(tasks), seeds)) > 1:
            enough = math.ceil(longer * settings.seconds_per_model)
            say(f"{name}: too few for a settled answer; --seconds-per-model {enough} or more would do.")
    return lengths, measuring


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
