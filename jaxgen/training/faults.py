"""What Orbax makes of a disk that takes no more, as the error that the system gave."""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def plain(path: Path) -> Iterator[None]:
    """For a write to `path` by Orbax: its threads print nothing about an error, which is raised as well.

    Raises:
      OSError: whatever names the number of one.
    """
    log, previous_hook = logging.getLogger("absl"), sys.unraisablehook
    level = log.level

    def hook(unraisable):
        if (
            str(unraisable.exc_value) != "Event loop is closed"
        ):  # by the first write that failed; all others complain of it
            previous_hook(unraisable)

    log.setLevel(logging.CRITICAL)
    sys.unraisablehook = hook
    try:
        yield
    except Exception as error:
        if (number := re.search(r"os_error_code='(\d+)'", str(error))) is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
    else:
        sys.unraisablehook = previous_hook  # after an error it stays as it is: what was under way fails later
    finally:
        log.setLevel(level)
