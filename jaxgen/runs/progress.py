"""What a run says while it trains: a bar or plain lines on stderr."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

EVERY = 10.0  # seconds between plain lines


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
