"""The folder of a comparison: how it is chosen, and created before another comparison can create it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from jaxgen.system import files
from jaxgen.system.lock import check_new


def fresh(out: str | None) -> Path:
    """A folder for a new comparison: `out`, or the next free one.

    Raises:
      BadRequest: if `out` exists and is not empty.
    """
    if out is None:
        n = 1
        while Path(f"runs/compare-{n}").exists():
            n += 1
        out = f"runs/compare-{n}"
    folder = files.expanded(out)
    check_new(folder)
    return folder


@contextlib.contextmanager
def claimed(out: Path, numbered: bool) -> Iterator[Path]:
    """Creates the folder, so that a parallel comparison takes another; removes it if an error leaves it empty."""
    created = True
    while True:
        try:
            out.mkdir(parents=True)
            break
        except FileExistsError:
            if not numbered:
                created = False  # it belongs to its creator, so it is not removed
                break
            out = fresh(None)
    try:
        yield out
    except BaseException:
        if created and not any(out.iterdir()):
            out.rmdir()
        raise
