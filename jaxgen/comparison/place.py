"""The folder of a comparison: chosen, and taken before another comparison takes it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from jaxgen.system import files
from jaxgen.system.lock import check_new


def fresh(out: str | None) -> Path:
    """A folder for a new comparison: `out`, or the next free one.

    Raises:
      BadRequest: it is there and not empty.
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
    """Makes the folder, so that a comparison beside this one takes another; if nothing comes of it, it goes again."""
    made = True
    while True:
        try:
            out.mkdir(parents=True)
            break
        except FileExistsError:
            if not numbered:
                made = False  # whoever made it may want it
                break
            out = fresh(None)
    try:
        yield out
    except BaseException:
        if made and not any(out.iterdir()):
            out.rmdir()
        raise
