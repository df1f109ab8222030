"""`jaxgen compare`: trains the VAE and the GAN side for the same time, measures both, and answers.

Each training ends with the chunk of steps that is nearest to the end of its time, and its steps are recorded. All
figures are a function of (data, seeds, steps), so that `repeat` gives the same ones on the same machine.
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
from jaxgen.comparison.conduct import Asked, conduct
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
    """Trains models for the same time, measures them on every task that the data serve, and answers: VAE or GAN?

    Lines about its progress go to stderr, the answer to stdout, all of it to `report.html` and `report.json`.

    Args:
      data: a name, a path, a `Data`, an array [N, ...], or (x, label) of two. An array is divided into what is trained
        on, chosen by and measured on, as if it stood in a file; a table is standardised.
      models: names of recipes, or recipes by the name that the report gives them. All models of a side count:
        it leads if one of them is better than all models of the other sides.
      seconds: of the main training of one model on one seed. The other trainings take their shares of it each
        (`jaxgen.tasks.Training.share`), however many there are.
      seeds: how often each model is trained, each time on a split of its own; a split that the source or a `Data`
        brings along stays.
      seed: the first of them.
      anomaly: the class, or the classes, that anomaly detection must find; by default those that the data name, such as
        the classes that their own train split lacks, else each class in turn, by seed.
      domains: two classes to translate between in style transfer, or the name of one of `jaxgen.data.styles`; by
        default the style `thick`, or `coloured` if images have three channels.
      settings: those to measure, of "synthesis", "style", "super-resolution", "anomalies", "representation" and
        "manipulation"; by default all that the data serve.
      size: images become squares of that many pixels a side, 8 to 64, as by `jaxgen.data.load`. Without it a folder
        gets a shape of its own, and of an array images with a side above 64 the one that a folder of them would get.
      labels: a CSV file with the labels of the images of a folder (`jaxgen.data.label_file.of_images`).
      out: a new or empty folder; by default the next free `runs/compare-N`.
      on_data: called with the data once they are loaded, before anything is compiled.
      on_record: called after each chunk of steps of any training with a dict of its "model", "seed", "training", "part"
        ("model" or "encoder"), "step", "seconds" (of this training so far), "steps_per_s", "finite" and losses, such as
        {"critic/loss": ...}; None is a loss that is not finite. A logger of numbers takes `{k: v for k, v in
        line.items() if isinstance(v, int | float)}`. Its time is not counted as training. What it raises ends the
        comparison, as an error of a training does, with a note that says whose it is.

    Raises:
      BadRequest: whatever cannot be, before anything is computed or written.
      Stopped: by a signal; the report of the seeds that were measured to the end is there.
      Exception: whatever ends a training; likewise. `resume` goes on from both.
    """
    began = time.perf_counter()
    folder = fresh(None if out is None else os.fspath(out))
    recipes = recipes_of(models)
    asked = Settings(
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
    if asked.models is not None:  # what takes a recipe of the caller's own is unknown
        loaded, size = fitted(loaded, size)
    asked = dataclasses.replace(asked, size=None if size is None else int(size))
    loaded = pooled(_named(loaded, asked))
    if on_data is not None:
        on_data(loaded)
    return conduct(Asked(asked, loaded, recipes, folder, on_record=on_record), began)


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
        settings = _settings(old["settings"], out)
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
    new, data = fresh(out), _as_recorded(Path(folder), settings, digest)
    if on_data is not None:
        on_data(data)
    repeated = conduct(Asked(settings, data, recipes_of(_names(settings)), new, recorded), began)
    again = json.loads((repeated.out / "report.json").read_text(encoding="utf-8"))["models"]
    same = again == models
    print("all figures are the same." if same else f"largest relative difference: {_apart(models, again):.2g}")
    return repeated


def resume(folder: str | os.PathLike, *, on_data: Callable[[Data], object] | None = None) -> Comparison:
    """Goes on with the comparison in `folder` that was stopped, killed or ended by an error: its missing seeds.

    Raises:
      BadRequest: no comparison that measured a seed, one that is whole or that only Python can go on with, or its data
        have changed.
    """
    began, path = time.perf_counter(), Path(folder)
    asked, digest, recorded = ledger.read(path)
    settings = _settings(asked, str(path))
    done = [int(file.stem) for file in (path / "seeds").glob("*.json")]
    if len(done) >= settings.seeds and _reported(path) == settings.seeds:
        raise BadRequest(f"the comparison in {folder} is whole: open its report.html, or run it again by --repeat.")
    data = _as_recorded(path, settings, digest)
    if on_data is not None:
        on_data(data)
    print(f"{len(done)} of {settings.seeds} seeds are done", file=sys.stderr, flush=True)
    return conduct(Asked(settings, data, recipes_of(_names(settings)), path, recorded, resumed=True), began)


def _named(data: Data, settings: Settings) -> Data:
    data = with_anomalies(data, settings.anomaly) if settings.anomaly else data
    return with_domains(data, settings.domains) if settings.domains else data


def _reported(folder: Path) -> int | None:
    """How many seeds the report in `folder` holds; None if there is none that can be read."""
    try:
        seeds = json.loads((folder / "report.json").read_text(encoding="utf-8"))["settings"]["seeds"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return seeds if (folder / "report.html").exists() else None


def _settings(asked: Mapping[str, Any], out: str | None) -> Settings:
    """What was written down of a comparison, as settings: lists are tuples again."""
    values: dict[str, Any] = {name: tuple(own) if isinstance(own, list) else own for name, own in asked.items()}
    return Settings(**{**values, "out": out})


def _names(settings: Settings) -> tuple[str, ...]:
    assert settings.models is not None
    return settings.models


def _as_recorded(folder: Path, settings: Settings, digest: str) -> Data:
    """The data of a comparison that was written down, if they are still those."""
    if settings.data is None or settings.models is None:
        unknown = "data" if settings.data is None else "models"
        raise BadRequest(f"{folder} was made in Python with {unknown} of its own: call jaxgen.compare with them again.")
    data = pooled(_named(sources.load(settings.data, size=settings.size, labels=settings.labels), settings))
    if data.digest != digest:
        raise BadRequest(f"{settings.data} has changed since the recorded comparison: restore it, or compare anew.")
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
