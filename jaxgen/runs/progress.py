"""What a run prints while it trains: a bar or plain lines on stderr."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

EVERY = 10.0  # seconds between plain lines


@contextlib.contextmanager
def shown(steps: int, *, quiet: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function to hand each `record` to: a bar where stderr is a terminal, else a line every 10 s and at the end."""
    if quiet:
        yield lambda line: None
    elif sys.stderr.isatty():
        with _bar(steps) as show:
            yield show
    else:
        yield _lines(steps)


def losses(line: dict[str, Any]) -> str:
    """The losses of a record, short.

    >>> losses({"step": 1, "critic/loss": 1.23456, "critic/psi": 1.0, "generator/loss": None})
    'critic 1.235  generator not finite'
    """
    values = {name.removesuffix("/loss"): value for name, value in line.items() if name.endswith("/loss")}
    return "  ".join(f"{turn} {'not finite' if value is None else f'{value:.4g}'}" for turn, value in values.items())


def _lines(steps: int) -> Callable[[dict[str, Any]], None]:
    printed = time.monotonic()

    def show(line):
        nonlocal printed
        if line["step"] < steps and time.monotonic() - printed < EVERY:
            return
        printed = time.monotonic()
        left = (steps - line["step"]) / line["steps_per_s"]
        ahead = f"{left:.0f} s left" if left else "done"
        rate = f"{line['steps_per_s']:.4g} steps/s"
        print(f"step {line['step']}/{steps}  {rate}  {ahead}  {losses(line)}", file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def _bar(steps: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    from rich.console import Console  # a tenth of a second of import
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate, figures = TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[losses]}")
    columns = (BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), figures)
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        task = progress.add_task("", total=steps, rate="", losses="")

        def show(line):
            rate = f"{line['steps_per_s']:.4g} steps/s"
            progress.update(task, completed=line["step"], rate=rate, losses=losses(line))

        yield show
