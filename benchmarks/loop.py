"""Row `loop`: `jaxgen.fit` with bar, checkpoints and metrics, beside the bare program that it drives."""

import contextlib
import queue
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks import figures, mlp_vae
from benchmarks.figures import Target
from benchmarks.interleave import Variant, interleave
from benchmarks.worker import Work

FULL = {**mlp_vae.FULL, "chunks": 6}
QUICK = {**mlp_vae.QUICK, "chunk": 100, "chunks": 1}
ALLOWED = 0.03  # of the bare loop
DECLARED = 100  # blocks that `fit` is asked for and mostly not played: its ten pictures a run fall outside


def measure(*, rounds: int, quick: bool) -> dict[str, Any]:
    """Steps per second of training to a folder, and of the compiled program alone; same plan, data and chunks."""
    size = QUICK if quick else FULL
    variants = {
        "ours": Variant("benchmarks.loop:full", {**size, "blocks": DECLARED}, terminal=True, optional=False),
        "bare loop": Variant("benchmarks.mlp_vae:ours", size, optional=False),
    }
    found = interleave(variants, rounds=rounds)
    steps = size["chunk"] * size["chunks"]
    made = figures.row(
        "loop",
        "jaxgen.fit (bar, checkpoints, metrics) beside its bare program, as in mlp_vae",
        "steps/s",
        {variant: [steps / s for s in blocks] for variant, blocks in found.blocks.items()},
        target=Target(1 / (1 + ALLOWED), least=True),
        peak_mib=found.peak_mib,
        compile_s={"ours": None, "bare loop": found.facts["bare loop"]["compile_s"]},
        facts=found.facts,
    )
    low, high = made["ratio_range"]["bare loop"]
    made["overhead"] = 1 / made["ratio"]["bare loop"] - 1
    # A checkpoint falls into one block of many, and a median does not see it: the whole has to keep the target.
    made["overhead_of_all"] = sum(found.blocks["ours"]) / sum(found.blocks["bare loop"]) - 1
    made["target"]["met"] = made["overhead_of_all"] <= ALLOWED
    made["notes"] = [
        f"overhead over all rounds together {made['overhead_of_all']:.1%} of the bare loop, which the target is for; "
        f"{made['overhead']:.1%} at the median, {1 / high - 1:.1%} to {1 / low - 1:.1%}"
    ]
    return made


def full(*, examples: int, batch: int, hidden: int, chunk: int, chunks: int, blocks: int) -> Work:
    """One call of `jaxgen.fit` that is held up after each block, where it reports its progress.

    Raises:
      ValueError: a chunk that is not the one that `fit` chooses, which the bare loop would have to take too.
    """
    from benchmarks.ours import facts
    from jaxgen.runs import progress, run
    from jaxgen.training.loop import default_chunk

    if chunk != default_chunk(mlp_vae.SHAPE):
        raise ValueError(f"chunk={chunk}: jaxgen.fit plays {default_chunk(mlp_vae.SHAPE)} steps per dispatch.")
    go, done, shown, block = queue.SimpleQueue(), queue.SimpleQueue(), progress.shown, chunk * chunks

    @contextlib.contextmanager
    def held(steps, *, quiet):
        with shown(steps, quiet=quiet) as show:
            go.get()
            began = time.perf_counter()

            def after(line):
                nonlocal began
                show(line)
                if line["step"] % block == 0:
                    done.put(time.perf_counter() - began)
                    go.get()
                    began = time.perf_counter()

            yield after

    def train():
        with tempfile.TemporaryDirectory() as folder:
            options = {"steps": blocks * block, "batch_size": batch, "out": Path(folder) / "run", "quiet": False}
            try:
                run.fit(mlp_vae.plan(hidden), mlp_vae.images(examples), **options)
                done.put(RuntimeError(f"all {blocks} blocks are played"))
            except Exception as error:
                done.put(error)
                raise

    def play() -> float:
        go.put(None)
        seconds = done.get()
        if isinstance(seconds, Exception):
            raise seconds
        return seconds

    progress.shown = held
    threading.Thread(target=train, daemon=True).start()
    return Work(play, facts())
