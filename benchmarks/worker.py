"""One variant in a process of its own, told what to do by JSON lines.

`python -m benchmarks.worker MODULE:FUNCTION SIZE THREADS`, with the keyword arguments of the function as JSON.
"""

import contextlib
import importlib
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Work(NamedTuple):
    """What a variant can be told to do once it has started."""

    block: Callable[[], float]  # plays one block of fixed length -> seconds, or GFLOP/s of a ceiling
    facts: dict[str, Any]  # compile_s, threads, versions, libraries_mib
    losses: Callable[[Path], list[float]] | None = None  # of the first steps; ours writes the file, a peer reads it


def main() -> None:
    """Starts the variant, says its facts, and answers one line per order until stdin ends."""
    target, size, threads = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints must not answer
    keep_to(threads)

    def answer(**what):
        print(json.dumps(what), file=answers, flush=True)

    try:
        module, _, function = target.partition(":")
        work = getattr(importlib.import_module(module), function)(**size)
        answer(facts=work.facts)
        for line in sys.stdin:
            order = json.loads(line)
            if order["do"] == "block":
                answer(**played(work))
            else:
                answer(losses=work.losses(Path(order["path"])))
    except Exception as error:
        answer(failed=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        raise


def played(work: Work) -> dict[str, float]:
    """One block, and the most memory that the process has held by its end."""
    return {"block": work.block(), "peak_mib": peak_mib()}


def peak_mib() -> float:
    """The most memory that this process has held so far, interpreter and libraries included."""
    with contextlib.suppress(OSError, StopIteration):  # Linux; ru_maxrss would remember the process that started it
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 2**10
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def keep_to(threads: int) -> None:
    """Pins the process to `threads` cores where the system can: XLA has no other setting for its pool."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


if __name__ == "__main__":
    main()
