"""One comparison on each of several data sets, of which every experiment on the choice reads its own settings.

It is what `jaxgen compare` does, by the same code, seed by seed, with the figures of `extras` and the pictures of all
seeds kept besides. What a folder holds already is read and not trained again, so that several experiments, and a
picture that is drawn anew, cost one training.
"""

import contextlib
import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments import patches
from experiments.extras import MARK, extended
from jaxgen import data as sources
from jaxgen.comparison import ledger
from jaxgen.comparison.budget import allowed, expected, fewest, full_time
from jaxgen.comparison.contender import Contender, compiled_together
from jaxgen.comparison.document import assemble
from jaxgen.comparison.outcome import Outcome, trainings
from jaxgen.comparison.schedule import play_all
from jaxgen.comparison.settings import Settings
from jaxgen.core import BadRequest
from jaxgen.data import Data
from jaxgen.data.redivide import redivide
from jaxgen.metrics.features import feature_space
from jaxgen.recipes import Recipe, find
from jaxgen.system import files
from jaxgen.system.signals import Stopped, stoppable
from jaxgen.tasks import SETTINGS, TASKS, Reference, Task

SIDES = {"vae": "vae", "gan": "r3gan"}  # who speaks for a side
WORDS = {setting.name: setting.word for setting in SETTINGS}
FASHION = "fashion_mnist"


class Part(NamedTuple):
    """What is measured on one data set."""

    seconds: float  # of the main training of one model on one seed; other trainings take their share
    words: tuple[str, ...]  # the settings, as `jaxgen compare --settings` names them


@dataclasses.dataclass(frozen=True)
class Config:
    """The data sets, and how often each model is trained on each."""

    sets: Mapping[str, Part]
    seeds: int = 6


# The convolutions of 16 x 16 pixels are slow on two cores: shapes have more time, and the settings that need their
# factors or share the main training. A cycle GAN would go through them fewer than ten times.
FULL = Config(
    {
        "digits": Part(10.0, tuple(WORDS.values())),
        "shapes": Part(40.0, ("synthesis", "representation", "manipulation")),
        "patches": Part(10.0, ("synthesis", "style", "super-resolution")),
        FASHION: Part(20.0, tuple(WORDS.values())),
        "cancer": Part(10.0, ("anomalies", "representation")),
    }
)
QUICK = Config({"digits": Part(1.5, tuple(WORDS.values()))}, seeds=2)
TOLD = {  # what a data set is, on the page
    "digits": "*digits*: 1,797 handwritten digits of 8 x 8 pixels",
    "shapes": "*shapes*: 4,000 drawn ellipses, squares and hearts of 16 x 16 pixels",
    "patches": "*patches*: patches of 8 x 8 pixels of four colour photographs of scikit-image",
    FASHION: "*fashion_mnist*: 70,000 pictures of clothes of 28 x 28 pixels",
    "cancer": "*cancer*: 30 measurements of each of 569 tumours, benign or malignant",
}


class Found(NamedTuple):
    """What a comparison on one data set found."""

    data: Data
    report: Mapping[str, Any]  # as in the report.json of `jaxgen compare`
    outcomes: Mapping[str, Mapping[int, Outcome]]  # of the models, by name and seed, with all figures and pictures
    baselines: Mapping[int, Mapping[str, Mapping[str, Mapping[str, float]]]]  # seed -> name -> task -> figures
    seconds: float  # that it took


class Measured(NamedTuple):
    """Comparisons by data set, and a sentence on each set that is not here."""

    sets: Mapping[str, Found]
    skipped: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """That all of them took."""
        return sum(found.seconds for found in self.sets.values())


def measured(config: Config, words: Sequence[str], home: Path | None = None) -> Measured:
    """The comparisons on those data sets of the config that measure one of the settings `words`, of these settings.

    Args:
      config: data sets and seeds.
      words: settings, as `jaxgen compare --settings` names them.
      home: the folder of comparisons, which are read if they are there, and written; None: nothing is kept.

    Raises:
      BadRequest: a comparison in `home` of other data.
      Stopped: by a signal; the seeds that were measured are kept.
    """
    requested = {name: tuple(word for word in part.words if word in words) for name, part in config.sets.items()}
    wanted = {name: config.sets[name]._replace(words=entry) for name, entry in requested.items() if entry}
    results, skipped = {}, []
    with kept(home) as folder:
        for name, part in wanted.items():
            data = load(name)
            if isinstance(data, str):
                skipped.append(data)
                continue
            whole = config.sets[name]
            if (place(folder, name, whole, config.seeds) / "report.json").is_file():
                part = whole
            results[name] = compared(data, part, config.seeds, place(folder, name, part, config.seeds))
    return Measured(results, tuple(skipped))


@contextlib.contextmanager
def kept(home: Path | None) -> Iterator[Path]:
    """`home`, or a folder that is removed afterwards."""
    if home is not None:
        yield home
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def place(folder: Path, name: str, part: Part, seeds: int) -> Path:
    """Where a comparison is kept: no other has that name.

    >>> place(Path("x"), "digits", Part(1.5, ("style", "anomalies")), 2).name
    'digits-1.5s-2-seeds-style-anomalies'
    """
    return folder / f"{name}-{part.seconds:g}s-{seeds}-seeds-{'-'.join(part.words)}"


def load(name: str) -> Data | str:
    """The data set of that name, or a sentence on why it is not here."""
    if name == "patches":
        return patches.load() if patches.installed() else "patches: left out, for scikit-image is not installed."
    if name == FASHION and name not in sources.names():
        return f"{FASHION}: left out, for TensorFlow Datasets has not prepared it here."
    return sources.load(name)


def compared(data: Data, part: Part, seeds: int, out: Path) -> Found:
    """The comparison that is kept in `out`, or else it is made and kept there."""
    check(out, data)
    report = out / "report.json"
    if not report.is_file():
        recipes = {name: find(name) for name in SIDES.values()}
        tasks = tuple(task for task in TASKS if WORDS[task.setting] in part.words)
        began = time.perf_counter()
        contenders, reference = played(data, recipes, tuple(map(extended, tasks)), part.seconds, seeds, out)
        outcomes, baselines = ledger.load(out)
        spent = time.perf_counter() - began
        values, simple = _reported(outcomes, baselines)
        request = _request(data, tuple(recipes), part.seconds, seeds, part.words)
        lengths = {name: fewest(by_seed) for name, by_seed in values.items()}
        unserved = {task.name: "It was not asked for." for task in TASKS if task not in tasks}
        content, _ = assemble(request, reference, contenders, lengths, values, simple, unserved)
        content["protocol"]["total_seconds"] = round(spent, 1)
        files.write_json(report, content)
    read = files.read_json(report.read_bytes())
    return Found(data, read, *ledger.load(out), read["protocol"]["total_seconds"])


def check(out: Path, data: Data) -> None:
    """Refuses what is kept in `out` of other data, be it whole or not.

    Raises:
      BadRequest: it is.
    """
    if (out / "comparison.json").is_file() and ledger.read(out)[1] != data.digest:
        raise BadRequest(f"{out} holds a comparison of other data: remove it, or name another folder with --out.")


def played(
    data: Data, recipes: Mapping[str, Recipe], tasks: Sequence[Task], seconds: float, seeds: int, out: Path
) -> tuple[Mapping[str, Contender], Reference]:
    """Trains and measures what is missing in `out`, seed by seed; returns the compiled models, and the first reference.

    Raises:
      Stopped: by a signal.
    """
    print(f"  {out.name} ...", file=sys.stderr, flush=True)
    out.mkdir(parents=True, exist_ok=True)
    outcomes, baselines = ledger.load(out)
    contenders = compiled_together(recipes, data, trainings(tasks))
    lengths = {name: allowed(contender, seconds, tasks) for name, contender in contenders.items()}
    for name, contender in contenders.items():
        expected(contender, lengths[name], tasks)  # warms every program up, before any time counts
        outcomes.setdefault(name, {})
    first = Reference(data, feature_space(data))

    def reference_of(seed: int) -> Reference:
        entry = redivide(data, seed)
        return first if entry is data else Reference(entry, feature_space(entry))

    def on_seed(seed: int) -> None:
        ledger.begin(out, _request(data, tuple(recipes), seconds, seeds, ()), data.digest, None)
        ledger.save(out, seed, {name: by[seed] for name, by in outcomes.items()}, baselines[seed], pictures=True)

    with stoppable() as signals:
        play_all(
            range(seeds),
            contenders,
            reference_of,
            lambda name, seed: lengths[name],
            tasks,
            baselines,
            signals,
            outcomes=outcomes,
            seconds=full_time(seconds, tasks),
            on_seed=on_seed,
            on_trained=lambda *_: None,
        )
    if signals:
        raise Stopped(signals[0], f"the seeds that were measured are in {out}.")
    return contenders, first


def _request(data: Data, models: tuple[str, ...], seconds: float, seeds: int, words: tuple[str, ...]) -> Settings:
    known = data.name if data.name in sources.names() else None
    names = models if all(name in SIDES.values() for name in models) else None
    return Settings(data=known, models=names, seconds_per_model=seconds, seeds=seeds, settings=words)


def _reported(outcomes: Mapping[str, Mapping[int, Outcome]], baselines: Mapping[int, Any]) -> tuple[dict, dict]:
    """The same without the figures that a report does not know."""

    def known(by_task: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
        return {
            task: {name: value for name, value in values.items() if not name.startswith(MARK)}
            for task, values in by_task.items()
        }

    models = {
        name: {seed: outcome._replace(figures=known(outcome.figures)) for seed, outcome in by_seed.items()}
        for name, by_seed in outcomes.items()
    }
    return models, {seed: {name: known(values) for name, values in by.items()} for seed, by in baselines.items()}
