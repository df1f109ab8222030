"""`jaxgen compare`: trains the VAE and the GAN side for the same time, measures both, and answers.

Each training ends with the chunk of steps whose end is nearest to the end of its time, and its number of steps is
recorded. All figures are a function of (data, seeds, steps), so that `repeat` gives the same figures on the same
machine.
"""

import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen import data as sources
from jaxgen.comparison import ledger
from jaxgen.comparison.budget import unflat
from jaxgen.comparison.conduct import Request, conduct
from jaxgen.comparison.place import fresh
from jaxgen.comparison.result import Comparison
from jaxgen.comparison.settings import SECONDS, Settings, known, recipes_of
from jaxgen.comparison.statistics import FEWEST_SEEDS
from jaxgen.core import BadRequest
from jaxgen.data import Data, with_anomalies, with_domains
from jaxgen.data.redivide import pooled
from jaxgen.recipes import Recipe
from jaxgen.runs.inputs import divided, fitted, place_of, source_of


def compare(
    data: str | os.PathLike | Data | np.ndarray | tuple[np.ndarray, np.ndarray] = "digits",
    *,
    models: Sequence[str] | Mapping[str, Recipe | str] = ("vae", "r3gan"),
    seconds: float = SECONDS,
    seeds: int = FEWEST_SEEDS,
    seed: int = 0,
    anomaly: str | int | Sequence[str | int] = (),
    domains: str | Sequence[str | int] = (),
    settings: Sequence[str] = (),
    size: int | None = None,
    labels: str | os.PathLike | None = None,
    out: str | os.PathLike | None = None,
    on_data: Callable[[Data], object] | None = None,
    on_record: Callable[[dict[str, Any]], object] | None = None,
) -> Comparison:
    """Trains models for the same time, measures them on every task that the data can serve, and answers: VAE or GAN?

    Progress is printed to stderr and the answer to stdout; `report.html` and `report.json` hold all results.

    Args:
      data: a name, a path, a `Data`, an array [N, ...], or a pair (x, label) of arrays. Arrays are divided into
        training, validation and test examples, as those of a file are; a table is standardised.
      models: names of recipes, or a dict from names for the report to recipes. A side leads if one of its models is
        better than all models of the other sides.
      seconds: the time of the main training of one model on one seed. Each other training takes its share of that
        (`jaxgen.tasks.Training.share`), whatever the number of trainings.
      seeds: how often each model is trained, each time on its own split, unless the source or the `Data` has a split.
      seed: the first of them.
      anomaly: the class or classes that anomaly detection must find. By default these are the classes that the data
        name, such as those missing from their train split, or otherwise each class in turn, by seed.
      domains: two classes to translate between in style transfer, or the name of one of `jaxgen.data.styles`; by
        default the style `thick`, or `coloured` if images have three channels.
      settings: those to measure, of "synthesis", "style", "super-resolution", "anomalies", "representation" and
        "manipulation"; by default all that the data can serve.
      size: images become squares with sides of this many pixels, 8 to 64, as in `jaxgen.data.load`. Without it, the
        shape of images of a folder is chosen from the folder, and images of an array whose sides exceed 64 get the
        shape that they would get in a folder.
      labels: a CSV file with the labels of the images of a folder (`jaxgen.data.label_file.of_images`).
      out: a new or empty folder; by default the next free `runs/compare-N`.
      on_data: called with the data once they are loaded, before anything is compiled.
      on_record: called after each chunk of steps of any training with a dict of its "model", "seed", "training", "part"
        ("model" or "encoder"), "step", "seconds" (of this training so far), "steps_per_s", "finite" and losses, such as
        {"critic/loss": ...}; None is a loss that is not finite. A logger of numbers takes `{k: v for k, v in
        line.items() if isinstance(v, int | float)}`. Its time is not counted as training. What it raises ends the
        comparison, as an error of a training does, with a note that says whose it is.

    Raises:
      BadRequest: if an argument is invalid, before anything is computed or written.
      Stopped: if a signal ended it, after the report of the finished seeds was written.
      Exception: any error of a training, after the same. `resume` continues in both cases.
    """
    began = time.perf_counter()
    folder = fresh(None if out is None else os.fspath(out))
    recipes = recipes_of(models)
    request = Settings(
        data=source_of(data) if isinstance(data, str | os.PathLike) else None,
        models=known(recipes),
        out=None if out is None else str(folder),
        seconds_per_model=seconds,
        seeds=seeds,
        seed=seed,
        anomaly=tuple(map(str, np.atleast_1d(anomaly))),
        domains=tuple(map(str, np.atleast_1d(domains))),
        settings=(settings,) if isinstance(settings, str) else tuple(settings),
        size=size,
        labels=None if labels is None else place_of(labels),
    )
    loaded = divided(data, size=size, labels=labels)
    if request.models is not None:  # which shapes the caller's own recipe takes is unknown
        loaded, size = fitted(loaded, size)
    request = dataclasses.replace(request, size=None if size is None else int(size))
    loaded = pooled(_named(loaded, request))
    if on_data is not None:
        on_data(loaded)
    return conduct(Request(request, loaded, recipes, folder, on_record=on_record), began)


def repeat(
    folder: str | os.PathLike, *, out: str | None = None, on_data: Callable[[Data], object] | None = None
) -> Comparison:
    """Runs the comparison in `folder` again with the steps recorded there, into a new folder, and says what differs.

    Raises:
      BadRequest: if there is no comparison, only Python can repeat it, or its data have changed.
    """
    began = time.perf_counter()
    path = Path(folder) / "report.json"
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
        settings = _settings(old["settings"], out)
        protocol = old["protocol"]
        if "stages" not in protocol:
            raise BadRequest(
                f"{path} is of an earlier jaxgen, which did not record each seed's steps: start a new comparison."
            )
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
    new, data = fresh(out), _as_recorded(Path(folder), settings, digest)
    if on_data is not None:
        on_data(data)
    repeated = conduct(Request(settings, data, recipes_of(_names(settings)), new, recorded), began)
    again = json.loads((repeated.out / "report.json").read_text(encoding="utf-8"))["models"]
    same = again == models
    print("all figures are the same." if same else f"largest relative difference: {_apart(models, again):.2g}")
    return repeated


def resume(folder: str | os.PathLike, *, on_data: Callable[[Data], object] | None = None) -> Comparison:
    """Continues the comparison in `folder`, which was stopped, killed or ended by an error, with its missing seeds.

    Raises:
      BadRequest: if there is no comparison that finished a seed, if it is complete, if only Python can continue it, or
        if its data have changed.
    """
    began, path = time.perf_counter(), Path(folder)
    values, digest, recorded = ledger.read(path)
    settings = _settings(values, str(path))
    done = [int(file.stem) for file in (path / "seeds").glob("*.json")]
    if len(done) >= settings.seeds and _reported(path) == settings.seeds:
        raise BadRequest(f"the comparison in {folder} is complete: open its report.html, or repeat it with --repeat.")
    data = _as_recorded(path, settings, digest)
    if on_data is not None:
        on_data(data)
    print(f"{len(done)} of {settings.seeds} seeds are done", file=sys.stderr, flush=True)
    return conduct(Request(settings, data, recipes_of(_names(settings)), path, recorded, resumed=True), began)


def _named(data: Data, settings: Settings) -> Data:
    data = with_anomalies(data, settings.anomaly) if settings.anomaly else data
    return with_domains(data, settings.domains) if settings.domains else data


def _reported(folder: Path) -> int | None:
    """The number of seeds in the report in `folder`; None if there is no readable report."""
    try:
        seeds = json.loads((folder / "report.json").read_text(encoding="utf-8"))["settings"]["seeds"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return seeds if (folder / "report.html").exists() else None


def _settings(recorded: Mapping[str, Any], out: str | None) -> Settings:
    """Settings from the JSON of a comparison, with its lists as tuples."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in recorded.items()
    }
    return Settings(**{**values, "out": out})


def _names(settings: Settings) -> tuple[str, ...]:
    assert settings.models is not None
    return settings.models


def _as_recorded(folder: Path, settings: Settings, digest: str) -> Data:
    """The data of a recorded comparison, after a check that they have not changed."""
    if settings.data is None or settings.models is None:
        unknown = "data" if settings.data is None else "models"
        raise BadRequest(f"{folder} was started in Python with its own {unknown}: call jaxgen.compare with them again.")
    data = pooled(_named(sources.load(settings.data, size=settings.size, labels=settings.labels), settings))
    if data.digest != digest:
        raise BadRequest(
            f"{settings.data} has changed since the recorded comparison: restore it, or start a new comparison."
        )
    return data


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
