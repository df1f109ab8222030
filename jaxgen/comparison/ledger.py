"""What a comparison has reached, seed by seed, on the disk, so that nothing measured is lost with the process.

`comparison.json` says what was asked for, `seeds/I.json` what all models and baselines reached on seed I, and
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
    """Writes what was asked for, unless it stands there.

    `recorded` are the steps to play, if not the clock decides; `headlines` the figure of each task that decides it, if
    the comparison may be gone on with.
    """
    path = out / "comparison.json"
    if path.exists():
        return
    steps = None
    if recorded is not None:
        steps = [[name, seed, _steps(by_training)] for (name, seed), by_training in recorded.items()]
    asked = {name: value for name, value in dataclasses.asdict(settings).items() if name != "out"}
    files.write_json(
        path,
        {"format": FORMAT, "settings": asked, "digest": digest, "recorded": steps, "headlines": dict(headlines or {})},
    )


def read(out: Path) -> tuple[dict[str, Any], str, Recorded | None]:
    """The settings, the digest of the data and the recorded steps of the comparison in `out`.

    Raises:
      BadRequest: there is none that got as far as one seed, or its file is damaged.
    """
    path = out / "comparison.json"
    if not path.is_file():
        raise BadRequest(f"{out} holds no comparison that measured a seed: start it again.")
    try:
        found = files.read_json(path.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}")
        recorded = found["recorded"]
        if recorded is not None:
            recorded = {(name, seed): _of_steps(by_training) for name, seed, by_training in recorded}
        return dict(found["settings"]), found["digest"], recorded
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{path} is damaged ({error}): start the comparison again in another folder.") from error


def check_headlines(out: Path, headlines: Mapping[str, str]) -> None:
    """The seeds in `out` were measured by the same figures as the others would be now.

    Raises:
      BadRequest: they were not, for the weights of a feature space were installed since, or removed.
    """
    before = files.read_json((out / "comparison.json").read_bytes()).get("headlines")
    if before is None:  # of before there was a second space
        before = {task: "frechet" for task, name in headlines.items() if name == NATURAL}
    for task, name in headlines.items():
        if before.get(task, name) != name:
            raise BadRequest(
                f"{out} was begun with {before[task]} as the figure that decides {task!r}, and now it would be {name}: "
                "install or remove the weights of jaxgen[features], as it was then, or compare anew."
            )


def save(out: Path, seed: int, outcomes: Mapping[str, Outcome], baselines: Mapping[str, Any], pictures: bool) -> None:
    """Writes what all models and baselines reached on a seed; `pictures` too if they are shown."""
    (out / "seeds").mkdir(exist_ok=True)
    if pictures:
        content, named = io.BytesIO(), [f"{m}/{title}" for m, o in outcomes.items() for title in o.pictures]
        arrays = [picture for outcome in outcomes.values() for picture in outcome.pictures.values()]
        # The names stand in an array of their own: a title may hold what no name of a file may.
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
      BadRequest: a damaged file.
    """
    outcomes: dict[str, dict[int, Outcome]] = {}
    by_baselines = {}
    for path in sorted((out / "seeds").glob("*.json"), key=lambda path: int(path.stem)):
        try:
            found, seed = files.read_json(path.read_bytes()), int(path.stem)
            pictures = _pictures(path.with_suffix(".npz"))
            by_baselines[seed] = _numbers(found["baselines"])
            for name, fields in found["models"].items():
                outcome = Outcome(**{**_numbers(fields), "pictures": pictures.get(name, {})})
                outcomes.setdefault(name, {})[seed] = outcome._replace(steps=_of_steps(fields["steps"]))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise BadRequest(f"{path} is damaged ({error}): remove it, and its seed is played again.") from error
    return outcomes, by_baselines


def _pictures(path: Path) -> dict[str, dict[str, np.ndarray]]:
    if not path.exists():
        return {}
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path, allow_pickle=False) as stored:
        for i, name in enumerate(stored["names"]):
            model, _, title = str(name).partition("/")
            found.setdefault(model, {})[title] = stored[str(i)]
    return found


def _steps(by_training: Mapping[str, Steps]) -> dict[str, Any]:
    return {name: steps._asdict() for name, steps in by_training.items()}


def _of_steps(by_training: Mapping[str, Any]) -> dict[str, Steps]:
    return {n: Steps(own["model"], own["encoder"], tuple(own["stages"])) for n, own in by_training.items()}


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
    """What `_spelt` was made of."""
    if isinstance(value, dict):
        return float(value["float"]) if value.keys() == {"float"} else {n: _numbers(v) for n, v in value.items()}
    return [_numbers(inner) for inner in value] if isinstance(value, list) else value
