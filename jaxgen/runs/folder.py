"""The folder of a run (`config.json`, `metrics.jsonl`, `checkpoints/`, `samples/`) and the checks before it is used."""

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxgen.core import BadRequest
from jaxgen.data import Data
from jaxgen.system import files, hosts, lock
from jaxgen.system.files import is_stray
from jaxgen.system.machine import machine, versions
from jaxgen.training import checkpoint
from jaxgen.training.program import Program

FORMAT = 2
LARGEST = 64 * 2**20  # bytes of `config.json`
OURS = {"lock", "config.json", "metrics.jsonl", "samples", "checkpoints"}


def summary(data: Data) -> dict[str, Any]:
    """The facts about its data that a run stores besides the examples."""
    classes = list(data.classes) if data.train.label is not None else []
    return {"digest": data.digest, "kind": data.kind, "shape": list(data.shape), "classes": classes}


def describe(config: Mapping[str, Any], data: Data, program: Program | None) -> dict[str, Any]:
    """The content of `config.json`; `program` is None if a comparison trained the run."""
    return {
        "format": FORMAT,
        "config": dict(config),
        "data": summary(data),
        "chunk": None if program is None else program.chunk,
        "form": None if program is None else program.form,
        **machine(),
        "versions": versions(),
    }


def unsaved(out: Path) -> str | None:
    """The message about a folder whose run has saved no checkpoint; None for any other folder."""
    names = {entry.name for entry in out.iterdir() if not is_stray(entry.name)} if out.is_dir() else set()
    if not names & {"config.json", "lock"} or checkpoint.steps(out / "checkpoints"):
        return None
    running = lock.is_held(out) if "lock" in names else False
    if running:
        return f"the run in {out} is running, and has saved nothing yet: wait for it, or stop it."
    ours = {"lock"} <= names <= OURS  # a folder with other files in it must not be removed
    remedy = "remove that folder and start the run again" if ours else "start the run again in another folder"
    unless = "if no process is at work there, " if running is None else ""
    return f"no checkpoint was saved in {out}, so there is nothing to go on from: {unless}{remedy}."


def check_new(out: Path) -> None:
    """Refuses a folder in which no new run can start.

    If there are several processes, the one that writes checks the folder, and all of them raise.

    Raises:
      BadRequest: if the folder is in use, not empty or left by a run without a checkpoint; the message says what to do.
    """

    def check():
        if reason := unsaved(out):
            raise BadRequest(reason)
        lock.check_new(out)

    hosts.settle(check)


@contextlib.contextmanager
def held(out: Path, *, new: bool) -> Iterator[None]:
    """Holds `jaxgen.system.lock.owned` in the process that writes.

    Raises:
      BadRequest: for the reasons of `owned`, in all processes.
    """
    with contextlib.ExitStack() as stack:
        hosts.settle(lambda: stack.enter_context(lock.owned(out, new=new)))
        yield


def read_settings(out: Path) -> dict[str, Any]:
    """The content of the `config.json` of a run.

    Raises:
      BadRequest: if `out` is not the folder of a run, if nothing is saved in it, or if its settings are damaged.
    """
    if reason := unsaved(out):
        raise BadRequest(reason)
    path = out / "config.json"
    if not path.is_file():
        compared = ", but a comparison: open its report.html" if (out / "report.html").is_file() else ""
        lacking = "config.json in it" if out.exists() else "such folder (a new run makes it after it has compiled)"
        raise BadRequest(f"{out} is no run{compared}: there is no {lacking}.")
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        settings = files.read_json(path.read_bytes())
        parts = [settings[part] for part in ("config", "data", "versions")]
        if settings["format"] == 1:
            raise BadRequest(f"{out} is a run of an earlier jaxgen, format 1: load it there, or start it again here.")
        if settings["format"] != FORMAT or not all(isinstance(part, dict) for part in parts):
            raise ValueError(f"it is not of format {FORMAT}")
    except BadRequest:
        raise
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadRequest(f"{path} is damaged ({error}): put the original back, or start the run again.") from error
    return settings


def again(out: Path, config: Mapping[str, Any]) -> str:
    """The command that continues a run: in a shell, or in Python if its recipe or its data were Python objects.

    >>> again(Path("runs/a"), {"recipe": "vae", "data": None})
    "jaxgen.resume('runs/a', data=...) in Python"
    """
    lacking = [option for option, known in (("what", config["recipe"]), ("data", config["data"])) if known is None]
    lacking += config.get("replaced", [])
    if lacking:
        return f"jaxgen.resume({', '.join([repr(str(out)), *(f'{option}=...' for option in lacking)])}) in Python"
    return f"jaxgen train --resume {shlex.quote(str(out))}"


def same_data(name: str, now: Any, then: Any) -> None:
    """Refuses data, or a description of data, that differ from those that a run was started with.

    Raises:
      BadRequest: if they differ; the message calls them by `name`, because digests would not help the reader.
    """
    if now != then:
        raise BadRequest(f"{name} has changed since the run was started: put it back, or start a new run.")


def same_config(now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    """Refuses a checkpoint made with another configuration.

    Raises:
      BadRequest: if the configurations differ; the message lists the old and the new values.
    """
    names = sorted((now.keys() | then.keys()) - {"steps"})  # a resumed run may have another number of steps
    differs = [name for name in names if now.get(name) != then.get(name)]
    if differs:
        changes = ", ".join(f"{name} was {then.get(name)!r} and is {now.get(name)!r}" for name in differs)
        raise BadRequest(f"the checkpoint is of another configuration: {changes}. Put it back, or start a new run.")
