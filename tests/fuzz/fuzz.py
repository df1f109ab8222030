"""Do readers stand whatever is in a file? Tries many odd inputs on each, from fixed seeds, and lists what went wrong.

    python tests/fuzz/fuzz.py [--count 20000] [--seconds 1200] [--seed 0] [--only READER] [--first I]

An input is an array file, a folder of idx files, an image, a tree of folders, a table of labels, or the folder of a run
with its settings or its checkpoint changed. Reading it either succeeds, with shapes that fit and as many examples as
the input holds by other means, or is refused in one line that names the file. Nothing else may be raised, and no input
may take more than a minute. Where readers may take arrays of `TAKEN` bytes and images of twice `PIXELS` pixels, the
process may take `ROOM` bytes: 64 bytes for each of an array, which becomes float64 and is standardised.

Input i of a reader depends on the seed, on the reader and on i alone: `--only READER --first I --count 1` tries one of
them again. The status is 0 if there was no fault.
"""

import argparse
import collections
import contextlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from fuzz_arrays import array_case, idx_case
from fuzz_case import Case, Fault, tried
from fuzz_folders import folder_case, image_case, label_case
from fuzz_runs import checkpoint_case, settings_case

READERS: dict[str, tuple[Callable[[random.Random, Path], Case], int]] = {  # and their shares of all inputs
    "arrays": (array_case, 5),
    "idx": (idx_case, 2),
    "image": (image_case, 5),
    "folder": (folder_case, 3),
    "labels": (label_case, 2),
    "settings": (settings_case, 2),
    "checkpoint": (checkpoint_case, 1),
}
TAKEN, PIXELS, ROOM = 1 << 23, 1 << 21, 1 << 29  # bytes, pixels, bytes
PATIENCE = 60  # seconds
SHOWN = 20  # faults of a reader


def attempt(reader: str, seed: int, i: int, under: Path) -> str:
    """What became of input i of a reader: "read", "refused", or the fault.

    Raises:
      TimeoutError: it did not end.
    """
    rng = random.Random(f"{reader} {seed} {i}")
    root = Path(tempfile.mkdtemp(prefix="in-", dir=under))
    try:
        case = READERS[reader][0](rng, root)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tried(case)
    except Fault as fault:
        return f"FAULT {fault}"
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Small limits for arrays and images, and no more memory than `ROOM` beyond what this process has now."""
    from PIL import Image

    from jaxgen.data import streams

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    old, most = streams.host_memory, Image.MAX_IMAGE_PIXELS
    try:
        streams.host_memory, Image.MAX_IMAGE_PIXELS = lambda: TAKEN, PIXELS
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        streams.host_memory, Image.MAX_IMAGE_PIXELS = old, most


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=1200.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", choices=READERS)
    args = parser.parse_args(argv)
    order = [args.only] if args.only else [name for name, (_, share) in READERS.items() for _ in range(share)]
    began, counts, faults = time.monotonic(), collections.Counter(), collections.defaultdict(list)
    next_of = dict.fromkeys(READERS, args.first)

    def late(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as under:
        signal.alarm(10 * PATIENCE)
        warm(Path(under))
        last = Path(under) / "last"
        with bounded():
            for turn in range(args.count):
                reader = order[turn % len(order)]
                if time.monotonic() - began > args.seconds:
                    break
                i, next_of[reader] = next_of[reader], next_of[reader] + 1
                signal.alarm(PATIENCE)
                last.write_text(f"{reader} {i}")  # it stays where a library ends the process
                try:
                    outcome = attempt(reader, args.seed, i, Path(under))
                except TimeoutError:  # a thread hangs, and would be waited for at the end
                    print(f"{reader} {i}: took more than {PATIENCE} s", flush=True)
                    os._exit(2)
                signal.alarm(0)
                counts[reader, outcome.split()[0]] += 1
                if outcome.startswith("FAULT"):
                    faults[reader].append(f"{reader} {i}: {outcome[6:400]}")
    signal.signal(signal.SIGALRM, before)
    for reader in READERS:
        found = {what: counts[reader, what] for what in ("read", "refused", "FAULT")}
        print(f"{reader:<10} {sum(found.values()):>6} inputs  " + "  ".join(f"{n} {what}" for what, n in found.items()))
    for lines in faults.values():
        print(*lines[:SHOWN], sep="\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{sum(counts.values())} inputs, {time.monotonic() - began:.0f} s, peak memory {peak:.0f} MiB")
    return 1 if faults else 0


def warm(under: Path) -> None:
    """Imports and threads that the first inputs would otherwise be charged with."""
    for reader in READERS:
        for i in range(2):
            attempt(reader, -1, i, under)


if __name__ == "__main__":
    sys.exit(main())
