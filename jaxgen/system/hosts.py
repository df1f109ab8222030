"""Several processes that train one run: how they find each other, who writes, and what all of them agree on.

A process alone is its own writer and agrees with itself; nothing here then costs a dispatch. Of several, process 0
writes; all of them read, so the folder of a run and its data must be on a disk that all share.
"""

import contextlib
import ctypes
import ipaddress
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxgen.core import BadRequest
from jaxgen.system.signals import STOPS

HEARTBEAT = 20  # seconds without a sign of life after which a process counts as ended
LINE = 2000  # bytes of a message that all processes get
LOST = (
    "another process of this run ended, or could not be reached: go on from the last checkpoint by starting all of "
    "them again with --resume."
)


_ending: list[bool] = []  # holds something once an exception has told the main thread


class Lost(RuntimeError):
    """Another process of the run has ended, and this one cannot go on without it. Exit code 1."""


def join(coordinator: str | None = None, processes: int | None = None, process: int | None = None) -> None:
    """Makes this process one of several; call it before anything asks JAX for a device.

    Without arguments JAX finds the others itself (SLURM, Open MPI, GKE, TPU pods). If one of the processes ends, the
    others end within a minute with exit code 1 and a line.

    Args:
      coordinator: "HOST:PORT" of process 0, which must be free there.
      processes: how many there are.
      process: which this one is, from 0 on.

    Raises:
      BadRequest: no cluster that JAX knows, an address that is none, or numbers that do not go together.
    """
    given = (coordinator, processes, process)
    if any(value is not None for value in given) and None in given:
        raise BadRequest("several processes: give --coordinator HOST:PORT, --processes N and --process I together.")
    options: dict[str, Any] = {"heartbeat_timeout_seconds": HEARTBEAT, "shutdown_timeout_seconds": 3 * HEARTBEAT}
    if coordinator is not None and processes is not None and process is not None:
        host, _, port = coordinator.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
            raise BadRequest(f"coordinator {coordinator!r}: it must be HOST:PORT, such as 10.0.0.1:1234.")
        if not 0 <= process < processes:
            raise BadRequest(f"process {process} of {processes}: it must be from 0 to {processes - 1}.")
        options |= {"coordinator_address": coordinator, "num_processes": processes, "process_id": process}
        options |= {"cluster_detection_method": "deactivate"}
        if _loops_back(host):  # else it would listen on every interface
            options["coordinator_bind_address"] = coordinator
    # Its handler of SIGTERM would take the place of ours, which stop a run with a checkpoint.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        with _interruptible():
            jax.distributed.initialize(**options)
    except ValueError as error:
        raise BadRequest(
            "--distributed: JAX finds no cluster that it knows (SLURM, Open MPI, GKE, TPU pods): give --coordinator "
            "HOST:PORT, --processes N and --process I."
        ) from error
    _end_with_a_line()


@contextlib.contextmanager
def joined(coordinator: str | None = None, processes: int | None = None, process: int | None = None) -> Iterator[bool]:
    """`join`, and to leave the others at the end, or where all end alike: with whatever this package raises.

    Gives whether this is the process that writes.

    Raises:
      BadRequest: as `join`.
      Lost: another process has ended.
    """
    join(coordinator, processes, process)
    try:
        yield writes()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            raise
        _ending.append(True)
        raise Lost(f"{LOST} ({str(error).splitlines()[0]})") from error
    except Exception as error:
        # A process that meets an error of its own leaves at once, which ends the others too.
        if type(error).__module__.startswith("jaxgen."):
            part()
        raise
    part()


def part() -> None:
    """Waits for the others and leaves them, so that none takes the end of another for a failure."""
    with contextlib.suppress(jax.errors.JaxRuntimeError):  # what was to be done is done
        jax.distributed.shutdown()


def several() -> bool:
    """Whether this process is one of several."""
    return jax.process_count() > 1


def writes() -> bool:
    """Whether this is the process that writes."""
    return jax.process_index() == 0


def agreed(value: int) -> int:
    """The largest of the values that the processes bring, from 0 to 2^31 - 1. All of them have to call it."""
    return max(_gathered(value))


def same(value: int) -> bool:
    """Whether all processes bring the same value, from 0 to 2^31 - 1. All of them have to call it."""
    return len(set(_gathered(value))) == 1


def settle(check: Callable[[], object]) -> None:
    """Runs `check` in the process that writes; what that refuses all refuse.

    Raises:
      BadRequest: of `check`, in every process.
    """
    if not several():
        check()
        return
    refused = ""
    if writes():
        try:
            check()
        except BadRequest as error:
            refused = str(error) or "refused."
    if line := _spread(refused):
        raise BadRequest(line)


def local(tree: Any) -> Any:
    """Arrays that are on each device of every process, as arrays of this process alone; others as they are.

    A computation on the former is one of all processes, and waits for them.
    """
    if not several():
        return tree
    return jax.tree.map(lambda a: a.addressable_data(0) if isinstance(a, jax.Array) else a, tree)


def _gathered(value: int) -> list[int]:
    if not several():
        return [value]
    from jax.experimental import multihost_utils  # half a second of import

    return np.asarray(multihost_utils.process_allgather(np.int32(value))).ravel().tolist()


def _spread(text: str) -> str:
    from jax.experimental import multihost_utils

    content = np.zeros(LINE, np.uint8)
    encoded = np.frombuffer(text.encode()[:LINE], np.uint8)
    content[: len(encoded)] = encoded
    found = np.asarray(multihost_utils.broadcast_one_to_all(content))
    return found.tobytes().rstrip(b"\0").decode(errors="ignore")


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """A signal ends the process at once: the wait for the others is in C++, where no handler of Python is called."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = (signal.SIG_IGN, None)  # as by `nohup`, and by a handler that is none of Python's
    ours = [number for number in STOPS if signal.getsignal(number) not in kept]
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _loops_back(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _end_with_a_line() -> None:
    """Exit code 1 and a line in place of an abort.

    JAX aborts a process that loses the others from a thread of C++: no exception reaches Python, and its
    `missed_heartbeat_callback` cannot be given a Python function (jaxlib 0.10.2: std::bad_cast).
    """
    if sys.platform == "win32":
        return
    libc = ctypes.CDLL(None)
    libc.signal.argtypes, libc.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
    libc.signal(signal.SIGABRT, ctypes.cast(_aborted, ctypes.c_void_p))


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _aborted(number: int) -> None:
    # `abort` calls this in the thread that aborts, so it is no handler that strikes somewhere.
    if _ending:  # the main thread says it
        time.sleep(10)
    else:
        os.write(2, f"jaxgen: {LOST}\n".encode())
    os._exit(1)
