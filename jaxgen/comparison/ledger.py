"""The results of each seed, saved on disk, so that no measurement is lost if the process ends.

`comparison.json` holds the settings, `seeds/I.json` the results of all models and baselines on seed I, and
`seeds/I.npz` the pictures of the first seed.
"""

import dataclasses
import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.comparison.contender import Steps
from jaxgen.comparison.outcome import Outcome
from jaxgen.comparison.settings import Settings
from jaxgen.core import BadRequest
from jaxgen.system import files
from jaxgen.tasks.distances import NATURAL

FORMAT = 1
Recorded = Mapping[tuple[str, int], Mapping[str, Steps]]  # (model, seed) -> the steps of each training


def begin(
    out: Path,
    settings: Settings,
    digest: str,
    recorded: Recorded | None = None,
    headlines: Mapping[str, str] | None = None,
) -> None:
    """Writes `comparison.json`, unless it exists.

    Args:
      out: the folder.
      settings: of the comparison.
      digest: of the data.
      recorded: the steps of each training if a comparison is repeated; None if the clock decides.
      headlines: task -> the metric that decides it, to be checked when the comparison is resumed.
    """
    path = out / "comparison.json"
    if path.exists():
        return
    steps = None
    if recorded is not None:
        steps = [[name, seed, _steps(by_training)] for (name, seed), by_training in recorded.items()]
    request = {name: value for name, value in dataclasses.asdict(settings).items() if name != "out"}
    files.write_json(
        path,
        {
            "format": FORMAT,
            "settings": request,
            "digest": digest,
            "recorded": steps,
            "headlines": dict(headlines or {}),
        },
    )


def read(out: Path) -> tuple[dict[str, Any], str, Recorded | None]:
    """The settings, the digest of the data and the recorded steps of the comparison in `out`.

    Raises:
      BadRequest: if `out` holds no comparison that finished a seed, or if its file is damaged.
    """
    path = out / "comparison.json"
    if not path.is_file():
        raise BadRequest(f"{out} holds no comparison that finished a seed: start it again.")
    try:
        content = files.read_json(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}")
        recorded = content["recorded"]
        if recorded is not None:
            recorded = {(name, seed): _of_steps(by_training) for name, seed, by_training in recorded}
        return dict(content["settings"]), content["digest"], recorded
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{path} is damaged ({error}): start the comparison again in another folder.") from error


def check_headlines(out: Path, headlines: Mapping[str, str]) -> None:
    """Checks that the seeds in `out` were decided by the same metrics as further seeds would be now.

    Raises:
      BadRequest: if not, because the weights of a feature space were installed or removed in the meantime.
    """
    before = files.read_json((out / "comparison.json").read_bytes()).get("headlines")
    if before is None:  # written before there was a second feature space
        before = {task: "frechet" for task, name in headlines.items() if name == NATURAL}
    for task, name in headlines.items():
        if before.get(task, name) != name:
            raise BadRequest(
                f"{out} was begun with {before[task]} as the figure that decides {task!r}, and it would now be {name}: "
                "install or remove jaxgen[features], so that it is as it was then, or start a new comparison."
            )


def save(out: Path, seed: int, outcomes: Mapping[str, Outcome], baselines: Mapping[str, Any], pictures: bool) -> None:
    """Writes the results of all models and baselines on a seed, and with `pictures` also their pictures."""
    (out / "seeds").mkdir(exist_ok=True)
    if pictures:
        content, named = io.BytesIO(), [f"{m}/{title}" for m, o in outcomes.items() for title in o.pictures]
        arrays = [picture for outcome in outcomes.values() for picture in outcome.pictures.values()]
        # The names are in a separate array, because a title may have characters that a file name cannot have.
        np.savez(content, **{"names": np.array(named), **{str(i): a for i, a in enumerate(arrays)}})  # type: ignore
        files.write(out / "seeds" / f"{seed}.npz", content.getvalue())
    models = {
        name: _spelt({**outcome._asdict(), "pictures": {}, "steps": _steps(outcome.steps)})
        for name, outcome in outcomes.items()
    }
    files.write_json(out / "seeds" / f"{seed}.json", {"models": models, "baselines": _spelt(baselines)})


def load(out: Path) -> tuple[dict[str, dict[int, Outcome]], dict[int, Any]]:
    """Outcomes by name and seed, and figures of the baselines by seed, of all seeds that were saved.

    Raises:
      BadRequest: if a file is damaged.
    """
    outcomes: dict[str, dict[int, Outcome]] = {}
    by_baselines = {}
    for path in sorted((out / "seeds").glob("*.json"), key=lambda path: int(path.stem)):
        try:
            content, seed = files.read_json(path.read_bytes()), int(path.stem)
            pictures = _pictures(path.with_suffix(".npz"))
            by_baselines[seed] = _numbers(content["baselines"])
            for name, fields in content["models"].items():
                outcome = Outcome(**{**_numbers(fields), "pictures": pictures.get(name, {})})
                outcomes.setdefault(name, {})[seed] = outcome._replace(steps=_of_steps(fields["steps"]))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise BadRequest(f"{path} is damaged ({error}): remove it, and its seed is trained again.") from error
    return outcomes, by_baselines


def _pictures(path: Path) -> dict[str, dict[str, np.ndarray]]:
    if not path.exists():
        return {}
    pictures: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path, allow_pickle=False) as stored:
        for i, name in enumerate(stored["names"]):
            model, _, title = str(name).partition("/")
            pictures.setdefault(model, {})[title] = stored[str(i)]
    return pictures


def _steps(by_training: Mapping[str, Steps]) -> dict[str, Any]:
    return {name: steps._asdict() for name, steps in by_training.items()}


def _of_steps(by_training: Mapping[str, Any]) -> dict[str, Steps]:
    return {n: Steps(counts["model"], counts["encoder"], tuple(counts["stages"])) for n, counts in by_training.items()}


def _spelt(value: Any) -> Any:
    """`value` as strict JSON: a number that is not finite becomes {"float": its name}."""
    if isinstance(value, Mapping):
        return {name: _spelt(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_spelt(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    return int(value) if isinstance(value, np.integer) else value


def _numbers(value: Any) -> Any:
    """The inverse of `_spelt`."""
    if isinstance(value, dict):
        return float(value["float"]) if value.keys() == {"float"} else {n: _numbers(v) for n, v in value.items()}
    return [_numbers(inner) for inner in value] if isinstance(value, list) else value
