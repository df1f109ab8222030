"""Signals that stop the work, between chunks of steps or at once. Needs no JAX: a command listens before it comes."""

import _thread
import atexit
import contextlib
import gc
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.machinery import ExtensionFileLoader
from types import FrameType

ECHO = 0.5  # seconds; a signal within them after the first is an echo of it: `timeout` sends its own twice
AGAIN = 0.01  # seconds
SWALLOWED = 5.0  # seconds that a stop may take; longer, and who was struck has gone on
# Ctrl-C, a request to end, the warning of SLURM before the end of a job, a terminal that was closed.
STOPS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")
    if hasattr(signal, name)  # but Windows
)


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
        super().__init__(f"interrupted by {signal.Signals(signum).name}.")
        self.signal = signum


@contextlib.contextmanager
def stoppable() -> Iterator[list[int]]:
    """A list that holds the number of the first of `STOPS`. One after an echo acts as if this was not here.

    SIGHUP and SIGUSR1 are left to whoever answers or ignores them already.
    """
    caught: list[int] = []
    with _handled(caught.append):
        yield caught


@contextlib.contextmanager
def interruptible() -> Iterator[list[int]]:
    """The first of `STOPS` raises `Interrupted` at once. One after an echo acts as if this was not here.

    Gives a list that holds the number of that signal: JAX may make another exception of the one that is raised in its
    calls of Python, such as an error about what it asked for a hash. What is swallowed altogether, as by the promises
    of TensorFlow Datasets, is raised again every `SWALLOWED` seconds until the block is left.
    """
    struck: list[int] = []
    insisted: list[int] = []
    left: list[bool] = []

    def insist(number):
        time.sleep(SWALLOWED)
        while not left:
            insisted.append(number)
            _send(number)
            time.sleep(SWALLOWED)

    def strike(number):
        if not struck:
            _thread.start_new_thread(insist, (number,))
        struck.append(number)
        raise Interrupted(number)

    with _handled(strike, insisted):
        try:
            yield struck
        finally:
            left.append(True)


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """A signal of `STOPS` strikes after the block: for what belongs together on the disk.

    Raises:
      Interrupted: at the end of the block, if there was one.
    """
    with stoppable() as caught:
        yield
    if caught:
        raise Interrupted(caught[0])


def for_life() -> list[int]:
    """`stoppable` from here to the end of the process: what strikes before or after its work is noted alone.

    While Python is taken down, when no handler of it runs any more, signals are ignored.
    """
    stack = contextlib.ExitStack()
    _lasting.append(stack)  # else it would be closed when this returns
    atexit.register(_ignore)
    return stack.enter_context(stoppable())


_lasting: list[contextlib.ExitStack] = []


def _ignore() -> None:
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _handled(answer: Callable[[int], None], insisted: list[int] | None = None) -> Iterator[None]:
    """Has `answer` called with the first of `STOPS`, and with those that stand in `insisted` when they come."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    before = {number: handler for number, handler in before.items() if _free(number, handler)}
    first: float | None = None
    over, late = False, []
    report = sys.unraisablehook

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def lost(unraisable):
        # Python prints and forgets what is raised in a callback of a weak reference, and so do callbacks of C++.
        nonlocal first
        if isinstance(unraisable.exc_value, Interrupted):
            first = None
            _thread.start_new_thread(_send_again, (unraisable.exc_value.signal,))
        else:
            report(unraisable)

    def handle(number, frame):
        nonlocal first
        if over:  # an exception would leave the rest of the handlers here
            if not insisted:
                late.append(number)
            return
        if number == getattr(signal, "SIGHUP", None):
            _leave_terminal()
        if _deaf(frame):
            _thread.start_new_thread(_send_again, (number,))  # `threading` takes locks, which this frame may hold
        elif first is None or insisted:
            first = time.monotonic()
            if insisted:
                insisted.clear()
            answer(number)
        elif time.monotonic() - first >= ECHO:
            restore()
            signal.raise_signal(number)

    sys.unraisablehook = lost
    for number in before:
        signal.signal(number, handle)
    try:
        try:
            yield
        finally:
            over = True
    finally:
        restore()
        if sys.unraisablehook is lost:
            sys.unraisablehook = report
        for number in late:
            signal.raise_signal(number)


def _free(number: int, handler: object) -> bool:
    """Whether a signal may be answered here. SIGINT and SIGTERM always; the others if nobody else answers them.

    `nohup` has SIGHUP ignored, so that a closed terminal stops nothing, and programs that call this one use SIGUSR1 for
    purposes of their own.
    """
    own = getattr(handler, "__module__", None) == __name__  # of a block around this one
    return number in (signal.SIGINT, signal.SIGTERM) or handler is signal.SIG_DFL or own


def _leave_terminal() -> None:
    """What is written to a terminal that was closed would fail, before the checkpoint is: it goes nowhere instead."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        try:
            kind = os.fstat(stream)
        except OSError:  # closed by who started this
            continue
        if stat.S_ISCHR(kind.st_mode) and kind.st_rdev != os.fstat(nowhere).st_rdev:
            os.dup2(nowhere, stream)
    os.close(nowhere)


def _deaf(frame: FrameType | None) -> bool:
    """Whether an exception must not be raised there.

    Python prints and forgets it in a callback of the garbage collector and in `__del__`. A signal during a collection
    is handed over in JAX's callback, always: that is the first Python to run after it. While a compiled module is
    loaded, such as those of jaxlib, it ends the process by an abort or a segmentation fault.
    """
    callbacks = [getattr(callback, "__code__", None) for callback in gc.callbacks]
    while frame is not None:
        code = frame.f_code
        if code in callbacks or code in _LOADS or code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


_LOADS = [getattr(ExtensionFileLoader, name).__code__ for name in ("create_module", "exec_module")]


def _send_again(number: int) -> None:
    time.sleep(AGAIN)
    _send(number)


def _send(number: int) -> None:
    if sys.platform == "win32":
        signal.raise_signal(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)  # which also wakes it where it waits
