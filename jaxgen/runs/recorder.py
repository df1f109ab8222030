"""What a run writes while it trains: `metrics.jsonl`, and pictures and checkpoints once they are due."""

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgen.core import Array, Model
from jaxgen.data import Data
from jaxgen.runs.folder import again
from jaxgen.runs.samples import SHOWN, picture
from jaxgen.system import files
from jaxgen.system.signals import Stopped
from jaxgen.training import checkpoint
from jaxgen.training.loop import Chunk
from jaxgen.training.step import PATIENCE, State

PICTURES = 10  # sample pictures a run; the first and the last in any case,
SHARE = 0.02  # others where drawing has not yet taken more of the time than this


def record(chunk: Chunk) -> dict[str, Any]:
    """A chunk as one flat JSON object: figures by `turn/name`, means over the chunk; null where not finite.

    >>> record(Chunk(20, None, {"vae": {"loss": math.nan}}, 10, 0.5))
    {'round': 20, 'rounds_per_s': 20.0, 'finite': False, 'vae/loss': None}
    """
    values = {f"{turn}/{name}": value for turn, info in chunk.info.items() for name, value in info.items()}
    finite = all(map(math.isfinite, values.values()))
    figures = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return {"round": chunk.round, "rounds_per_s": chunk.rounds / chunk.seconds, "finite": finite, **figures}


def append(path: Path, line: dict[str, Any]) -> None:
    """Adds one line, in one write: a kill leaves it whole or cut short, and `read` passes over the latter."""
    with open(path, "ab") as file:
        file.write((json.dumps(line, allow_nan=False) + "\n").encode())


def read(path: Path) -> list[dict[str, Any]]:
    """The lines so far, without those that are no record: a last one that was cut short, one damaged since."""
    return [line for line in map(_parsed, _whole(path)) if line is not None]


def keep_until(path: Path, round: int) -> list[dict[str, Any]]:
    """Drops what was said after `round`, and says how many damaged lines go with it; returns what stays."""
    lines = read(path)
    if damaged := len(_whole(path)) - len(lines):
        print(f"{path}: damaged lines dropped: {damaged}; the checkpoints are whole.", file=sys.stderr, flush=True)
    kept = [line for line in lines if line["round"] <= round]
    files.write(path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in kept).encode())
    return kept


def _whole(path: Path) -> list[bytes]:
    """Every line that ends."""
    return path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = files.read_json(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and type(record.get("round")) is int else None


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
        append(out / "metrics.jsonl", line)
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
