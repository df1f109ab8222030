"""`jaxgen compare`: trains the VAE and the GAN side for the same time, measures both, and answers.

Time is turned into rounds once, before the first seed; from there on everything is a function of (data, seeds, rounds),
so that `repeat` gives the same figures on the same machine.
"""

import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgen import data as sources
from jaxgen.contender import Contender, Rounds, calibrate, contender, evaluation_seconds, play
from jaxgen.core import BadRequest
from jaxgen.data import Data
from jaxgen.findings import FEWEST_PASSES, assemble, passes, splits
from jaxgen.job import source_of
from jaxgen.measures import DETECT, TASKS, Outcome, baselines
from jaxgen.metrics.features import Features, feature_space
from jaxgen.nets import DENSE_LIMIT, keep_freed_memory
from jaxgen.recipes import find
from jaxgen.report import headline, write_report
from jaxgen.report.words import duration
from jaxgen.training import files
from jaxgen.training.process import Interrupted, Stopped, check_new, interruptible

SECONDS = 8.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """A comparison that a command line can ask for.

    Raises:
      BadRequest: an unknown recipe, one named twice, a number that cannot be.
    """

    data: str = "digits"
    models: tuple[str, ...] = ("vae", "r3gan")
    out: str | None = None  # None: a fresh runs/compare-N
    seconds_per_model: float = SECONDS  # of training, for one model and one seed
    seeds: int = 5
    seed: int = 0  # the first of them

    def __post_init__(self):
        """Refuses what cannot be, before anything is loaded."""
        if not self.models:
            raise BadRequest("models: name at least one recipe, for instance vae,r3gan.")
        for name in self.models:
            find(name)
            if self.models.count(name) > 1:
                raise BadRequest(f"models: {name} is named twice; seeds, not names, repeat a training.")
        if not (math.isfinite(self.seconds_per_model) and self.seconds_per_model > 0):
            raise BadRequest(f"seconds_per_model={self.seconds_per_model!r}: it must be a number above 0.")
        for name, least in (("seeds", 1), ("seed", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise BadRequest(f"{name}={getattr(self, name)!r}: it must be a whole number of at least {least}.")
        if self.seed + self.seeds > 2**31:
            raise BadRequest(f"seed={self.seed!r}: it must be below 2147483648, with all {self.seeds} seeds.")


def compare(settings: Settings = Settings()) -> Path:
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
        recorded = {name: Rounds(**old["protocol"]["rounds"][name]) for name in settings.models}
        digest, models = old["data"]["digest"], old["models"]
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
    unserved = {task: reason for task, room in TASKS.items() if (reason := room.servable(data)) is not None}
    tasks = tuple(task for task in TASKS if task not in unserved)
    entrants = {name: contender(find(name), data) for name in settings.models}
    _say_data(data, unserved)
    features = feature_space(data)
    rounds, measuring = _settle_rounds(settings, entrants, data, features, tasks, recorded)
    start = time.perf_counter()
    simple = {settings.seed: baselines(data, settings.seed, tasks)}
    measuring += time.perf_counter() - start
    spent, training = time.perf_counter() - began, settings.seconds_per_model * len(entrants)
    total = duration(round(spent + settings.seeds * (training + measuring)))
    _say(
        f"expected to take {total}: {spent:.0f} s to prepare, then {settings.seeds} seeds "
        f"of {training:g} s training and {measuring:.0f} s measuring"
    )
    out = _claim(out, settings.out is None)
    try:
        outcomes, signum = _play_all(settings, entrants, data, features, rounds, tasks, simple)
        done = min(len(simple), *map(len, outcomes.values()))
        if not done and signum is not None:
            raise Stopped(signum, "no seed was measured to the end, and nothing was written.")
    except BaseException:
        out.rmdir()
        raise
    asked, settings = settings.seeds, dataclasses.replace(settings, seeds=done)
    outcomes = {name: dict(list(by_seed.items())[:done]) for name, by_seed in outcomes.items()}
    simple = dict(list(simple.items())[:done])
    report, extras = assemble(settings, data, features, entrants, rounds, outcomes, simple, unserved)
    if done < asked:
        report["notes"].insert(0, f"Stopped by a signal after {done} of {asked} seeds.")
    report["protocol"]["total_seconds"] = round(time.perf_counter() - began, 1)
    files.write_json(out / "report.json", report)
    write_report(out / "report.html", report, extras)
    print(headline(report["advice"]))
    for answer in report["advice"]:
        if answer["choose"] != "not measured":
            print(f"  {answer['setting']}: {answer['choose']}. {answer['because']}")
    if signum is not None:
        raise Stopped(signum, f"the report of the {done} of {asked} seeds that were measured is {out / 'report.html'}.")
    return out


def _settle_rounds(
    settings: Settings,
    entrants: Mapping[str, Contender],
    data: Data,
    features: Features,
    tasks: tuple[str, ...],
    recorded: Mapping[str, Rounds] | None,
) -> tuple[dict[str, Rounds], float]:
    """The rounds of every training, and the seconds that measuring one seed of all takes."""
    rounds, measuring = {}, 0.0
    for name, entrant in entrants.items():
        seconds = settings.seconds_per_model
        rounds[name] = recorded[name] if recorded else calibrate(entrant, seconds, detects=DETECT in tasks)
        measuring += evaluation_seconds(entrant, data, features, tasks=tasks)
        through = passes(entrant, rounds[name], data)
        _say(f"{name}: {_count(rounds[name])}, {through:.0f} times the data; compiled in {entrant.compile_s:.0f} s")
        if through < FEWEST_PASSES:
            _say(f"{name}: too few for a settled answer; raise --seconds-per-model.")
    return rounds, measuring


def _play_all(
    settings: Settings,
    entrants: Mapping[str, Contender],
    data: Data,
    features: Features,
    rounds: Mapping[str, Rounds],
    tasks: tuple[str, ...],
    simple: dict[int, Any],
) -> tuple[dict[str, dict[int, Outcome]], int | None]:
    """Outcomes by name and seed, and the number of the signal that cut them short; fills in the baselines by seed."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    outcomes: dict[str, dict[int, Outcome]] = {name: {} for name in entrants}
    seeds = range(settings.seed, settings.seed + settings.seeds)
    words = TextColumn("{task.description}")
    columns = (words, BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())

    def one(seed: int, name: str, bar: Progress, task: TaskID) -> None:
        bar.update(task, description=f"{name}, seed {seed}")
        outcome = play(entrants[name], data, features, rounds[name], seed, tasks=tasks)
        outcomes[name][seed] = outcome
        bar.advance(task)
        if not sys.stderr.isatty():
            _say(f"{name}, seed {seed}: trained {outcome.seconds:.1f} s")
        if outcome.failed:
            _say(f"{name}, seed {seed} failed: {outcome.failed}")

    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=len(seeds) * len(entrants))
        try:
            with interruptible():
                for seed in seeds:
                    for name in entrants:
                        one(seed, name, bar, task)
                    if seed not in simple:
                        bar.update(task, description=f"baselines, seed {seed}")
                        simple[seed] = baselines(data, seed, tasks)
        except Interrupted as struck:
            return outcomes, struck.signal
    return outcomes, None


def _claim(out: Path, numbered: bool) -> Path:
    """Makes the folder, so that a comparison beside this one takes another."""
    while True:
        try:
            out.mkdir(parents=True, exist_ok=not numbered)
            return out
        except FileExistsError:
            out = _fresh(None)


def _fresh(out: str | None) -> Path:
    if out is None:
        n = 1
        while Path(f"runs/compare-{n}").exists():
            n += 1
        out = f"runs/compare-{n}"
    check_new(Path(out))
    return Path(out)


def _say_data(data: Data, unserved: Mapping[str, str]) -> None:
    sizes = ", ".join(f"{len(split.x):,} {name}" for name, split in splits(data).items())
    _say(f"{data.name}: {data.kind} {' x '.join(map(str, data.shape))}; {sizes}")
    for note in data.notes:
        _say(f"{data.name}: {note}")
    for task, reason in unserved.items():
        _say(f"not measured: {task}. {reason}")


def _count(rounds: Rounds) -> str:
    said = (
        f"{rounds.main:,} rounds a seed",
        f"{rounds.detect:,} without a class",
        f"{rounds.encoder + rounds.detect_encoder:,} of encoders",
    )
    return ", ".join(words for words in said if not words.startswith("0 "))


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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
