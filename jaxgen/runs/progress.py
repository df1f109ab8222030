"""What a run says while it runs: a bar or plain lines on stderr, and `metrics.jsonl`."""

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxgen.system import files
from jaxgen.training.loop import Chunk

EVERY = 10.0  # seconds between plain lines


def record(chunk: Chunk) -> dict[str, Any]:
    """A chunk as one flat JSON object: figures by `turn/name`, means over the chunk; null where not finite.

    >>> record(Chunk(20, None, {"vae": {"loss": math.nan}}, 10, 0.5))
    {'round': 20, 'rounds_per_s': 20.0, 'finite': False, 'vae/loss': None}
    """
    said = {f"{turn}/{name}": value for turn, info in chunk.info.items() for name, value in info.items()}
    finite = all(map(math.isfinite, said.values()))
    figures = {name: value if math.isfinite(value) else None for name, value in said.items()}
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
    found = read(path)
    if damaged := len(_whole(path)) - len(found):
        print(f"{path}: damaged lines dropped: {damaged}; the checkpoints are whole.", file=sys.stderr, flush=True)
    kept = [line for line in found if line["round"] <= round]
    files.write(path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in kept).encode())
    return kept


def _whole(path: Path) -> list[bytes]:
    """Every line that ends."""
    return path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = files.read_json(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and type(found.get("round")) is int else None


@contextlib.contextmanager
def shown(rounds: int, *, quiet: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function to hand each `record` to: a bar where stderr is a terminal, else a line every 10 s and at the end."""
    if quiet:
        yield lambda line: None
    elif sys.stderr.isatty():
        with _bar(rounds) as show:
            yield show
    else:
        yield _lines(rounds)


def losses(line: dict[str, Any]) -> str:
    """The losses of a record, short.

    >>> losses({"round": 1, "critic/loss": 1.23456, "critic/psi": 1.0, "generator/loss": None})
    'critic 1.235  generator not finite'
    """
    found = {name.removesuffix("/loss"): value for name, value in line.items() if name.endswith("/loss")}
    return "  ".join(f"{turn} {'not finite' if value is None else f'{value:.4g}'}" for turn, value in found.items())


def _lines(rounds: int) -> Callable[[dict[str, Any]], None]:
    said = time.monotonic()

    def show(line):
        nonlocal said
        if line["round"] < rounds and time.monotonic() - said < EVERY:
            return
        said = time.monotonic()
        left = (rounds - line["round"]) / line["rounds_per_s"]
        ahead = f"{left:.0f} s left" if left else "done"
        rate = f"{line['rounds_per_s']:.4g} rounds/s"
        print(f"round {line['round']}/{rounds}  {rate}  {ahead}  {losses(line)}", file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def _bar(rounds: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    from rich.console import Console  # a tenth of a second of import
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate, figures = TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[losses]}")
    columns = (BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), figures)
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        task = progress.add_task("", total=rounds, rate="", losses="")

        def show(line):
            rate = f"{line['rounds_per_s']:.4g} rounds/s"
            progress.update(task, completed=line["round"], rate=rate, losses=losses(line))

        yield show
