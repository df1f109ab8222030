"""Rows with bars on stderr, drawn again and again while work goes on, if somebody is there to see them."""

import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

NARROW = 6  # the shortest bar that says anything
WIDE = 30  # the longest
_drawn: list[Callable[[], "Sequence[Row]"]] = []  # the blocks that draw, from the outermost on: one draws for all


class Row(NamedTuple):
    """A line on the terminal: a text, a bar if there is a share, and what stands at the end."""

    text: str  # cut if the terminal is too narrow
    share: float | None = None  # that is done, from 0 to 1
    ends: tuple[str, ...] = ("",)  # one thing, said at length and shorter and shorter: the first that has room is shown


class Fitted(NamedTuple):
    """A row as a terminal of some width shows it."""

    text: str
    bar: int  # its length in characters, or 0
    end: str


def fit(row: Row, width: int, cut: str = "…") -> Fitted:
    """What of a row is shown in `width` characters: at most half of them for its end, then the text, then a bar.

    A text that is cut ends in `cut`.

    >>> fit(Row("training", 0.5, ("5 passed, 5 left", "5 left")), 40)
    Fitted(text='training', bar=14, end='5 passed, 5 left')
    >>> fit(Row("training", 0.5, ("5 passed, 5 left", "5 left")), 14)
    Fitted(text='traini…', bar=0, end='5 left')
    """
    end = next((end for end in row.ends if 2 * len(end) <= width), row.ends[-1])[:width]
    room = max(width - len(end) - bool(end), 0)
    text = row.text if len(row.text) <= room else row.text[: max(room - len(cut), 0)] + cut[:room]
    bar = 0 if row.share is None else min(room - len(text) - bool(text), WIDE)
    return Fitted(text, bar if bar >= NARROW else 0, end)


def clock(seconds: float) -> str:
    """A time as a clock shows it.

    >>> clock(7.6), clock(125), clock(7384)
    ('0:08', '2:05', '2:03:04')
    """
    whole = max(round(seconds), 0)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def seen() -> bool:
    """Whether stderr is a terminal on which a line can be drawn again: not a file, a pipe, a notebook, `TERM=dumb`."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


@contextlib.contextmanager
def drawn(rows: Callable[[], Sequence[Row]]) -> Iterator[None]:
    """Draws `rows()` below all lines four times a second until the block ends, and then removes them.

    Where nobody sees it nothing is drawn. A block inside another one adds its rows below those of that one.
    """
    if not seen():
        yield
        return
    if rows in _drawn:  # a block further out shows them
        yield
        return
    _drawn.append(rows)
    try:
        if len(_drawn) > 1:
            yield
            return
        from rich.console import Console  # a tenth of a second of import
        from rich.live import Live

        console = Console(stderr=True, soft_wrap=True)  # the terminal breaks long lines, so that they are copied whole
        with Live(
            get_renderable=lambda: _rendered(
                [row for own in [*_drawn] for row in own()], console.width, "." if console.options.ascii_only else "…"
            ),
            console=console,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        ) as live:
            live.refresh()  # the first time at once
            yield
    finally:
        _drawn.remove(rows)


def _rendered(rows: Sequence[Row], width: int, cut: str) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    lines: list[Any] = []
    for row in rows:
        text, bar, end = fit(row, width - 1, cut)  # a full line would be broken by some terminals
        grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        cells: list[Any] = [Text(text, no_wrap=True)] if text else []
        if bar:
            cells.append(ProgressBar(total=1.0, completed=row.share or 0.0, width=bar))
        if end:
            cells.append(Text(end, no_wrap=True))
        grid.add_row(*cells)
        lines.append(grid)
    return Group(*lines)


def busy(what: str) -> contextlib.AbstractContextManager[None]:
    """Draws for how long work goes on that cannot be counted."""
    began = time.monotonic()
    return drawn(lambda: [Row(what, None, (f"{clock(time.monotonic() - began)} passed",))])


@contextlib.contextmanager
def counted(total: int, what: str = "") -> Iterator[Callable[[], None]]:
    """A function to call once for each of `total` pieces of work, by any thread; no terminal, no bar."""
    began, done, lock = time.monotonic(), 0, threading.Lock()

    def passed() -> None:
        nonlocal done
        with lock:
            done += 1

    def rows() -> list[Row]:
        spent = time.monotonic() - began
        left = spent * (total - done) / done if done else math.inf
        end = f"{clock(left)} left" if done else ""
        return [Row(what, done / max(total, 1), (f"{done:,} of {total:,}, {end}".rstrip(", "), end))]

    with drawn(rows):
        yield passed
