"""Workers that are all started first and then timed in turn, A B C A B C."""

import contextlib
import importlib.util
import json
import os
import pty
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
THREADS = min(2, os.cpu_count() or 1)
SETTLE = 0.3  # seconds: OpenMP's threads spin for a fifth of one after their last work


class Variant(NamedTuple):
    """One way to do the work of a row."""

    target: str  # "module:function" with function(**size) -> Work
    size: dict[str, Any]
    env: Mapping[str, str] = {}  # added to the environment of its process
    terminal: bool = False  # its stderr is one, so that a progress bar is drawn
    optional: bool = True  # a row goes on without it
    timed: bool = True  # else only its losses are wanted
    root: Path = ROOT  # the checkout that its process runs


class Measured(NamedTuple):
    """What came of a row's variants, by their names."""

    blocks: dict[str, list[float]]
    facts: dict[str, dict[str, Any]]
    losses: dict[str, list[float]]
    skipped: dict[str, str]  # why a variant was left out
    peak_mib: dict[str, float]  # the most memory that its process has held


def interleave(variants: Mapping[str, Variant], *, rounds: int, reference: str | None = None) -> Measured:
    """Times every variant that is timed `rounds` times in turn after a round that is thrown away.

    `reference` names the variant that writes down its first weights, noise and batches; the other ones that can then
    play the same steps, and all their losses are returned.

    Raises:
      RuntimeError: a variant that is not optional failed, or any did after it had started.
    """
    skipped, facts, losses = {}, {}, {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jaxgen-bench-")))
        started = {}
        for name, variant in variants.items():
            if variant.optional and (reason := missing(variant)):
                skipped[name] = reason
                continue
            ask = stack.enter_context(_worker(name, variant, folder))
            said = ask(None)
            if "failed" in said and variant.optional:
                skipped[name] = said["failed"]
                continue
            started[name], facts[name] = ask, _expect(name, said, "facts")
        if reference is not None:
            path = str(folder / "record.npz")
            for name, ask in started.items():
                if facts[name].get("replays"):
                    losses[name] = _expect(name, ask({"do": "losses", "path": path}), "losses")
        timed = [name for name in started if variants[name].timed]
        blocks, peak_mib = {name: [] for name in timed}, {}
        for _ in range(rounds + 1):
            for name in timed:
                time.sleep(SETTLE)
                said = started[name]({"do": "block"})
                blocks[name].append(_expect(name, said, "block"))
                peak_mib[name] = _expect(name, said, "peak_mib")
    return Measured({name: times[1:] for name, times in blocks.items()}, facts, losses, skipped, peak_mib)


def missing(variant: Variant) -> str | None:
    """Why a variant cannot be started here, or None."""
    if "_torch:" in variant.target and importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed: pip install -e '.[bench]'"
    return None


def _expect(name: str, said: dict[str, Any], what: str) -> Any:
    if what not in said:
        raise RuntimeError(f"{name}: {said.get('failed', f'no {what} in {said}')}")
    return said[what]


@contextlib.contextmanager
def _worker(name: str, variant: Variant, folder: Path) -> Iterator[Any]:
    """A function that hands a started worker an order (None: only listens) and returns what it says."""
    log = folder / f"{name.replace(' ', '_')}.log"
    command = [sys.executable, "-m", "benchmarks.worker", variant.target, json.dumps(variant.size), str(THREADS)]
    env = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "OMP_NUM_THREADS": str(THREADS),
        "TORCHINDUCTOR_CACHE_DIR": str(log.with_suffix(".inductor")),  # its own, so that compile_s is a compilation
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "TMPDIR": str(folder),
        **variant.env,
    }
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(_terminal(log) if variant.terminal else open(log, "wb"))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
        process = subprocess.Popen(command, cwd=variant.root, env=env, text=True, **pipes)

        def ask(order):
            if order is not None:
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                tail = log.read_text(errors="replace").split("\n")[-3:]
                return {"failed": f"it ended with code {process.wait()}: {' '.join(tail).strip()}"}
            return json.loads(line)

        try:
            yield ask
        finally:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def _terminal(log: Path) -> Iterator[int]:
    master, slave = pty.openpty()

    def drain():
        with open(log, "wb") as file, contextlib.suppress(OSError):  # EIO once the other end is closed
            while data := os.read(master, 65536):
                file.write(data)

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        yield slave
    finally:
        os.close(slave)
        reader.join()
        os.close(master)
