"""A run among other processes: signals that stop it between chunks, the folder that it owns."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from jaxgen.core import BadRequest


class Stopped(RuntimeError):
    """A signal ended the work, after what was done had been written. Exit code 128 + `signal`."""

    def __init__(self, signum: int, kept: str):
        """`signum` as in `signal`; `kept` says what was written, and how to go on."""
        super().__init__(f"stopped by {signal.Signals(signum).name}: {kept}")
        self.signal = signum


class Interrupted(KeyboardInterrupt):
    """A signal that strikes where work of no further use is going on; what is whole is kept by who catches this."""

    def __init__(self, signum: int):
        """`signum` as in `signal`."""
        super().__init__()
        self.signal = signum


@contextlib.contextmanager
def stoppable() -> Iterator[list[int]]:
    """A list that holds the number of the first SIGINT or SIGTERM. A second one acts as if this was not here."""
    caught: list[int] = []
    with _handled(caught.append):
        yield caught


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """The first SIGINT or SIGTERM raises `Interrupted` at once. A second one acts as if this was not here."""

    def strike(number):
        raise Interrupted(number)

    with _handled(strike):
        yield


@contextlib.contextmanager
def _handled(answer: Callable[[int], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number, frame):
        restore()
        answer(number)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


def check_new(folder: Path) -> None:
    """Refuses a folder that holds anything, or that cannot be made: it is made, and removed again.

    Raises:
      BadRequest: says which.
    """
    if folder.exists() and not folder.is_dir():
        raise BadRequest(f"{folder} is a file: name a new folder.")
    if folder.is_dir() and any(folder.iterdir()):
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


@contextlib.contextmanager
def owned(folder: Path, *, new: bool) -> Iterator[None]:
    """Holds `folder/lock`, which ends with the process however that ends; makes the folder where `new`.

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
        if new and any(entry.name != "lock" for entry in folder.iterdir()):
            raise BadRequest(f"{folder} exists and is not empty: name a new folder, or resume the run in it.")
        yield
    finally:
        os.close(descriptor)
