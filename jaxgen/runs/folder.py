"""The folder of a run: `config.json`, `metrics.jsonl`, `checkpoints/` and `samples/`."""

import importlib.metadata
import os
import platform
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen.system import png
from jaxgen.core import Array, BadRequest, Model, as_float
from jaxgen.data import Data
from jaxgen.training import checkpoint
from jaxgen.system import files
from jaxgen.system import lock
from jaxgen.runs import progress
from jaxgen.training.program import Program
from jaxgen.system.signals import Stopped
from jaxgen.training.step import PATIENCE, State

FORMAT = 1
PICTURES = 10  # sample pictures a run; the first and the last in any case,
SHARE = 0.02  # others where drawing has not yet taken more of the time than this
PACKAGES = ("jaxgen", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
OURS = {"lock", "config.json", "metrics.jsonl", "samples", "checkpoints"}
SHOWN = {"image": 64, "table": 64, "points": 1000}


def versions() -> dict[str, str]:
    """What decides the bits besides the program: Python and the packages that compute."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in PACKAGES}}


def machine() -> dict[str, Any]:
    """What decides the bits besides program and versions: the device, and how many threads share a sum."""
    device = jax.devices()[0]
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"device": f"{device.platform} {device.device_kind}", "threads": threads}


def changes(settings: Mapping[str, Any]) -> list[str]:
    """Where this process differs from the one that wrote `settings`, so that bits may differ."""
    old = {name: settings.get(name) for name in ("device", "threads")} | settings["versions"]
    now = machine() | versions()
    return [f"{name} {old[name]} then, {now.get(name)} now" for name in old if old[name] != now.get(name)]


def summary(data: Data) -> dict[str, Any]:
    """What a run has to know of its data besides the examples."""
    labels = data.train.label is not None
    return {"digest": data.digest, "kind": data.kind, "shape": list(data.shape), "labels": labels}


def describe(config: Mapping[str, Any], data: Data, program: Program) -> dict[str, Any]:
    """What `config.json` says: all that another process needs to know."""
    return {
        "format": FORMAT,
        "config": dict(config),
        "data": summary(data),
        "chunk": program.chunk,
        "form": program.form,
        **machine(),
        "versions": versions(),
    }


def unsaved(out: Path) -> str | None:
    """What to say of the folder of a run that has saved no checkpoint; None of any other folder."""
    names = {entry.name for entry in out.iterdir()} if out.is_dir() else set()
    if not names & {"config.json", "lock"} or checkpoint.steps(out / "checkpoints"):
        return None
    if "lock" in names and _running(out):
        return f"the run in {out} is running, and has saved nothing yet: wait for it, or stop it."
    ours = {"lock"} <= names <= OURS  # one with more in it is nothing to remove
    remedy = "remove that folder and start the run again" if ours else "start the run again in another folder"
    return f"no checkpoint was saved in {out}, so there is nothing to go on from: {remedy}."


def _running(out: Path) -> bool:
    import fcntl  # not on Windows, where no run has a folder

    with open(out / "lock") as file:  # as `lock.owned` holds it; shared, so that two who look do not see each other
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def check_new(out: Path) -> None:
    """Refuses a folder that no run can begin in; one that a run left without a checkpoint cannot be resumed either.

    Raises:
      BadRequest: says which, and what to do.
    """
    if reason := unsaved(out):
        raise BadRequest(reason)
    lock.check_new(out)


def read_settings(out: Path) -> dict[str, Any]:
    """`config.json` of a run.

    Raises:
      BadRequest: `out` is no folder of a run, nothing is saved in it, or its settings are damaged.
    """
    if reason := unsaved(out):
        raise BadRequest(reason)
    path = out / "config.json"
    if not path.is_file():
        compared = ", but a comparison: open its report.html" if (out / "report.html").is_file() else ""
        lacking = "config.json in it" if out.exists() else "such folder: a run that starts makes it once it is compiled"
        raise BadRequest(f"{out} is no run{compared}: there is no {lacking}.")
    try:
        settings = files.read_json(path.read_bytes())
        parts = [settings[part] for part in ("config", "data", "versions")]
        if settings["format"] != FORMAT or not all(isinstance(part, dict) for part in parts):
            raise ValueError(f"it is not of format {FORMAT}")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadRequest(f"{path} is damaged ({error}): put the original back, or start the run again.") from error
    return settings


def again(out: Path, config: Mapping[str, Any]) -> str:
    """How to go on with a run: from a shell, or from Python where only Python knows what it trains, or on what.

    >>> again(Path("runs/a"), {"recipe": "vae", "data": None})
    "jaxgen.resume('runs/a', data=...) in Python"
    """
    lacking = "".join(
        f", {option}=..." for option, known in (("what", config["recipe"]), ("data", config["data"])) if known is None
    )
    if lacking:
        return f"jaxgen.resume({str(out)!r}{lacking}) in Python"
    return f"jaxgen train --resume {shlex.quote(str(out))}"


def same_data(name: str, now: Any, then: Any) -> None:
    """Refuses data, or what is said of them, other than those that a run was started with.

    Raises:
      BadRequest: calls them by `name`; digests would tell nobody what to do.
    """
    if now != then:
        raise BadRequest(f"{name} has changed since the run was started: put it back, or start a new run.")


def same_config(now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    """Refuses a checkpoint made with another configuration.

    Raises:
      BadRequest: prints old and new of all that differs.
    """
    differs = [name for name in sorted(now.keys() | then.keys()) if now.get(name) != then.get(name)]
    if differs:
        changes = ", ".join(f"{name} was {then.get(name)!r} and is {now.get(name)!r}" for name in differs)
        raise BadRequest(f"the checkpoint is of another configuration: {changes}. Put it back, or start a new run.")


def picture(kind: str, x: Any, like: Any) -> bytes:
    """Examples `x` as a PNG: images side by side, points over those of `like`, rows of a table as a heat-map."""
    x = np.asarray(x)
    if kind == "image":
        return png.png_grid(x)
    if kind == "points":
        return png.png_points(x, like)
    return png.png_table(x.reshape(len(x), -1))


def write_data_picture(out: Path, data: Data) -> None:
    """`samples/data.png`: the data as the nets see it."""
    x = np.asarray(as_float(data.train.x[: SHOWN[data.kind]]))
    (out / "samples").mkdir(exist_ok=True)
    files.write(out / "samples" / "data.png", picture(data.kind, x[:0] if data.kind == "points" else x, x))


def writer(
    out: Path,
    caught: list[int],
    checkpoint_seconds: float,
    data: Data,
    rounds: int,
    start: int,
    meta: dict[str, Any],
    model: Callable[[State], Model],
    key: Array,
) -> Callable[[State, dict[str, Any]], None]:
    """A function to call after each chunk with the state and its record: metrics, pictures, checkpoints when due.

    Args:
      out: the folder.
      caught: holds the number of a signal once there was one.
      checkpoint_seconds: least time between checkpoints; one is also written at the end and on a signal.
      data: what is trained on.
      rounds: the last round of the run.
      start: the round that it begins at.
      meta: what each checkpoint remembers.
      model: of a state.
      key: draws the noise of all sample pictures: the same latents through the run.

    Raises (from that function):
      Stopped: a signal was caught, and the state is saved.
      OSError: from the disk; what was committed stays.
    """
    began = saved_at = time.monotonic()
    saved = start
    drawn, drawing = start * PICTURES // rounds, 0.0
    like = data.train.x[: SHOWN[data.kind]]
    digits = len(str(rounds))

    def after(state: State, line: dict[str, Any]) -> None:
        nonlocal saved_at, saved, drawn, drawing
        round, stop = line["round"], tuple(caught)  # read once: a signal from here on is answered after the next chunk
        progress.append(out / "metrics.jsonl", line)
        last = round >= rounds or stop or state.streak >= PATIENCE
        if last or time.monotonic() - saved_at >= checkpoint_seconds:
            if checkpoint.not_finite(state) is None:  # else the loop ends the run, if it lasts
                checkpoint.save(out / "checkpoints", round, state, meta)
                saved_at, saved = time.monotonic(), round
        if stop:
            raise Stopped(stop[0], f"round {saved} is saved. Go on with: {again(out, meta['config'])}")
        now_at = time.monotonic()
        if round * PICTURES // rounds > drawn and (last or drawing <= SHARE * (now_at - began)):
            drawn = round * PICTURES // rounds
            now = model(state)
            if now.draw is not None and now.sample is not None:
                x = now.sample(now.draw(key, SHOWN[data.kind]))
                files.write(out / "samples" / f"{round:0{digits}d}.png", picture(data.kind, x, like))
            drawing += time.monotonic() - now_at

    return after
