"""The folder that a run owns among other processes."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from jaxgen.core import BadRequest
from jaxgen.system.files import is_stray


def check_new(folder: Path) -> None:
    """Refuses a folder that holds anything, or that cannot be made: it is made, and removed again.

    Raises:
      BadRequest: says which.
    """
    if folder.exists() and not folder.is_dir():
        raise BadRequest(f"{folder} is a file: name a new folder.")
    if folder.is_dir() and any(not is_stray(entry.name) for entry in folder.iterdir()):
        resume = ", or resume the run in it" if (folder / "checkpoints").is_dir() else ""
        raise BadRequest(f"{folder} exists and is not empty: name a new folder{resume}.")
    nearest = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise BadRequest(f"{folder} cannot be written: {nearest} is no folder that you may write to.")
    missing = [parent for parent in (folder.absolute(), *folder.absolute().parents) if not parent.exists()]
    try:  # permissions do not tell all: root may write to /proc, and cannot
        folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, FileExistsError, NotADirectoryError, PermissionError) as error:
        raise BadRequest(f"{folder} cannot be made: {error.strerror}.") from error
    finally:
        for made in missing:
            with contextlib.suppress(OSError):  # it was not made, or is another's by now
                made.rmdir()


# What NFS without its lock service, Lustre mounted without `flock` and some FUSE file systems answer to `flock`.
_UNKNOWN = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def owned(folder: Path, *, new: bool) -> Iterator[None]:
    """Holds `folder/lock`, which ends with the process however that ends; makes the folder where `new`.

    On a file system without locks it holds nothing, and says so in a line on stderr.

    Raises:
      BadRequest: another process holds it, or `new` and the folder is not empty or cannot be made.
    """
    import fcntl  # not on Windows, where the rest of the package works

    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise BadRequest(f"{folder} cannot be written: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadRequest(f"another process is writing to {folder}: wait for it, or stop it.") from error
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
            line = f"{folder} is on a file system without locks ({error.strerror}): let no second process write there."
            print(line, file=sys.stderr, flush=True)
        if new and any(entry.name != "lock" and not is_stray(entry.name) for entry in folder.iterdir()):
            raise BadRequest(f"{folder} exists and is not empty: name a new folder, or resume the run in it.")
        yield
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool | None:
    """Whether a process is in `owned(folder)`, which has a file `lock`; None where the file system knows no locks."""
    import fcntl

    if not (folder / "lock").is_file():  # a pipe would wait
        return False
    with open(folder / "lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that two who look do not see each other
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
            return None
    return False
