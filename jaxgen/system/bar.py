"""A bar on stderr for work that is counted, if somebody is there to see it."""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def counted(total: int) -> Iterator[Callable[[], None]]:
    """A function to call once for each of `total` pieces of work, by any thread; no terminal, no bar."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # a tenth of a second of import
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)
