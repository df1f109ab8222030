"""Writes `metrics.jsonl`, pictures and checkpoints while a run trains."""

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgen.core import Model
from jaxgen.runs.folder import again
from jaxgen.system import files, hosts
from jaxgen.system.signals import Stopped
from jaxgen.training import checkpoint
from jaxgen.training.loop import Chunk
from jaxgen.training.step import PATIENCE, State

PICTURES = 10  # sample pictures a run; the first and the last in any case,
SHARE = 0.02  # others where drawing has not yet taken more of the time than this


def record(chunk: Chunk, *, seconds: float, seed: int) -> dict[str, Any]:
    """A chunk as one flat JSON object: means over the chunk by `turn/name`, or null if they are not finite.

    `seconds` are those of training from the first step to the end of the chunk, by the wall clock: checkpoints,
    pictures, measuring and the time between a stop and its `resume` are not among them. `seed` is that of the run.

    >>> record(Chunk(20, None, {"vae": {"loss": math.nan}}, 10, 0.5), seconds=1.25, seed=3)
    {'step': 20, 'seed': 3, 'seconds': 1.25, 'steps_per_s': 20.0, 'finite': False, 'vae/loss': None}
    """
    values = {f"{turn}/{name}": value for turn, info in chunk.info.items() for name, value in info.items()}
    finite = all(map(math.isfinite, values.values()))
    figures = {name: value if math.isfinite(value) else None for name, value in values.items()}
    head = {"step": chunk.step, "seed": seed, "seconds": round(seconds, 6)}
    return {**head, "steps_per_s": chunk.steps / chunk.seconds, "finite": finite, **figures}


def seconds_of(history: Sequence[Mapping[str, Any]]) -> float:
    """The seconds of training that a history ends with: those of its last line, if the lines say them.

    Lines that an earlier jaxgen wrote say the speed alone, and the steps between them.

    >>> seconds_of([{"step": 10, "steps_per_s": 5.0}, {"step": 30, "steps_per_s": 10.0}])
    4.0
    """
    total, before = 0.0, 0
    for line in history:
        total = line["seconds"] if "seconds" in line else total + (line["step"] - before) / line["steps_per_s"]
        before = line["step"]
    return total


def append(path: Path, line: dict[str, Any]) -> None:
    """Appends one line in one write, so that a kill can only leave a truncated last line, which `read` skips."""
    with open(path, "ab") as file:
        file.write((json.dumps(line, allow_nan=False) + "\n").encode())


def read(path: Path) -> list[dict[str, Any]]:
    """The records so far; truncated or damaged lines are left out."""
    return [line for line in map(_parsed, _whole(path)) if line is not None]


def keep_until(path: Path, step: int) -> list[dict[str, Any]]:
    """Removes the lines after `step` and damaged lines, prints the number of the latter, and returns the rest."""
    lines = read(path)
    if not hosts.writes():
        return [line for line in lines if line["step"] <= step]
    if damaged := len(_whole(path)) - len(lines):
        print(f"{path}: damaged lines dropped: {damaged}; the checkpoints are whole.", file=sys.stderr, flush=True)
    before = [line for line in lines if line["step"] <= step]
    files.write(path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in before).encode())
    return before


def _whole(path: Path) -> list[bytes]:
    """All complete lines."""
    return path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = files.read_json(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and type(record.get("step")) is int else None


def writer(
    out: Path,
    caught: list[int],
    checkpoint_seconds: float,
    *,
    steps: int,
    start: int,
    meta: dict[str, Any],
    model: Callable[[State], Model],
    picture: Callable[[Model], bytes | None],
) -> Callable[..., int]:
    """A function to call after each chunk; it writes the record, and a picture and a checkpoint if one is due.

    It returns the step of the last checkpoint. With `ends=True` it writes one now, for the run ends here.

    Of several processes all call it, and one writes; a signal to any of them stops all.

    Args:
      out: the folder.
      caught: holds the number of a signal once there was one.
      checkpoint_seconds: least time between checkpoints; one is also written at the end and on a signal.
      steps: the last step of the run.
      start: the step that it begins at.
      meta: what each checkpoint remembers.
      model: of a state.
      picture: of a model, as a PNG; None if there is nothing to draw.

    Raises (from that function):
      Stopped: a signal was caught, and the state is saved.
      OSError: from the disk; what was committed stays.
    """
    began = saved_at = time.monotonic()
    saved = start
    drawn, drawing = start * PICTURES // steps, 0.0
    digits = len(str(steps))

    def after(state: State, line: dict[str, Any], *, ends: bool = False) -> int:
        step, stop = line["step"], hosts.agreed(caught[0] if caught else 0)  # a later signal is answered a chunk later
        if hosts.writes():
            write(hosts.local(state), line, step, bool(stop) or ends)
        if stop:
            # None ends before all is written.
            at = hosts.agreed(saved)
            raise Stopped(stop, f"step {at} is saved. Go on with: {again(out, meta['config'])}")
        return saved

    def write(state: State, line: dict[str, Any], step: int, ends: bool) -> None:
        nonlocal saved_at, saved, drawn, drawing
        append(out / "metrics.jsonl", line)
        last = step >= steps or ends or state.streak >= PATIENCE
        if last or time.monotonic() - saved_at >= checkpoint_seconds:
            if checkpoint.not_finite(state) is None:  # else the loop ends the run, if it lasts
                checkpoint.save(out / "checkpoints", step, state, meta)
                saved_at, saved = time.monotonic(), step
        if ends:
            return
        drawing_from = time.monotonic()
        if step * PICTURES // steps > drawn and (last or drawing <= SHARE * (drawing_from - began)):
            drawn = step * PICTURES // steps
            png = picture(model(state))
            if png is not None:
                files.write(out / "samples" / f"{step:0{digits}d}.png", png)
            drawing += time.monotonic() - drawing_from

    return after
