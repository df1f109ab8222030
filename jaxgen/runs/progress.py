"""Prints the progress of a run on stderr, as a bar or as lines."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from jaxgen.system.bar import Row, clock, drawn, seen

EVERY = 10.0  # seconds between plain lines


@contextlib.contextmanager
def shown(steps: int, *, quiet: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that takes each `record`; it shows a bar on a terminal, else a line every 10 s and at the end."""
    if quiet:
        yield lambda line: None
    elif seen():
        with _bar(steps) as show:
            yield show
    else:
        yield _lines(steps)


def losses(line: dict[str, Any]) -> str:
    """The losses of a record as a short text.

    >>> losses({"step": 1, "critic/loss": 1.23456, "critic/psi": 1.0, "generator/loss": None})
    'critic 1.235  generator not finite'
    """
    values = {name.removesuffix("/loss"): value for name, value in line.items() if name.endswith("/loss")}
    return "  ".join(f"{turn} {'not finite' if value is None else f'{value:.4g}'}" for turn, value in values.items())


class _Pace:
    """The time left, by the speed since the first record: a chunk alone may be a slow one."""

    def __init__(self, steps: int):
        self._steps = steps
        self._first: tuple[float, int] | None = None

    def left(self, line: dict[str, Any]) -> float:
        """Seconds."""
        now, step = time.monotonic(), line["step"]
        if self._first is None:
            self._first = now, step
        began, start = self._first
        each = (now - began) / (step - start) if step > start else 1 / line["steps_per_s"]
        return (self._steps - step) * each


def _lines(steps: int) -> Callable[[dict[str, Any]], None]:
    printed, pace = time.monotonic(), _Pace(steps)

    def show(line):
        nonlocal printed
        left = pace.left(line)
        if line["step"] < steps and time.monotonic() - printed < EVERY:
            return
        printed = time.monotonic()
        ahead = f"{clock(left)} left" if line["step"] < steps else "done"
        rate = f"{line['steps_per_s']:.4g} steps/s"
        print(f"step {line['step']}/{steps}  {rate}  {ahead}  {losses(line)}", file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def _bar(steps: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    rows, pace = [Row(f"step 0/{steps}", 0.0)], _Pace(steps)

    def show(line):
        nonlocal rows
        left, step = f"{clock(pace.left(line))} left", line["step"]
        bar = Row(f"step {step}/{steps}", step / steps, (f"{line['steps_per_s']:.4g} steps/s, {left}", left))
        rows = [bar, Row(losses(line))]

    with drawn(lambda: rows):
        yield show
    if len(rows) > 1:  # the last record stays, and the bar does not
        print(f"{rows[0].text}  {rows[1].text}", file=sys.stderr, flush=True)
