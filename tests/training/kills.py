"""Runs that are killed again and again: `kills.py FOLDER`, for 100 kills of three runs; prints what it did as JSON.

Every part of a run is a process of its own, forked from this one once all is imported. That is safe as long as this
process asks JAX for no device, since the threads of a backend are what a fork loses; `fork` looks. Programs come from a
folder that the processes share, so that each compiles what none before it did.
"""

import json
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import jax
import numpy as np
import orbax.checkpoint  # noqa: F401  # imported here, so that no child has to
from jax._src import xla_bridge

from jaxgen.recipes import RECIPES, Spec
from jaxgen.runs import play, run
from jaxgen.training import checkpoint

CHUNK, BATCH = 10, 8
RUNS = {  # recipe, shape of an example, options, kills, those of them inside a save
    "vae": ("vae", (2,), {}, 34, 10),
    "gan with ema": ("r3gan", (2,), {"ema": 0.05}, 33, 10),
    "convolutions with state": ("hinge_sn", (16, 16, 1), {}, 33, 10),
}
TOUCH = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree")


def data(shape):
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, *shape)).astype(np.float32) if len(shape) == 1 else rng.random((40, *shape), np.float32)


def train(out: Path, name: str, steps: int | None, said, inside: float | None) -> None:
    """A new run of `steps` steps, or on with one; writes a byte to `said` for each chunk of steps.

    With `inside`, it kills itself in a save after the first one, at that share of what the shortest one did to files.
    """
    recipe, shape, options, *_ = RUNS[name]
    play.default_chunk = lambda shape: CHUNK
    run.SECONDS = 0.0
    if inside is not None:
        kill_in_a_save(inside)
    what = RECIPES[recipe](Spec(shape, width=8), **options)
    each = {"data": data(shape), "on_record": lambda line: os.write(said, b".")}
    if checkpoint.steps(out / "checkpoints"):
        run.resume(out, what=what, steps=steps, checkpoint_seconds=0.0, **each)
    else:
        x = each.pop("data")
        run.fit(what, x, steps=steps, batch_size=BATCH, out=out, **each)


def kill_in_a_save(share: float) -> None:
    save, saving, fewest = checkpoint.save, [0], [0]

    def counted(*args):
        saving.append(0)
        save(*args)
        fewest[0] = min(fewest[0] or saving[-1], saving[-1])  # one that has leftovers to remove touches more files
        saving.append(-1)

    def hook(event, args):
        if event in TOUCH and len(saving) % 2 == 0:
            saving[-1] += 1
            if fewest[0] and saving[-1] > share * fewest[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save = counted
    sys.addaudithook(hook)


def fork(log: Path, *args):
    """A process that does `train(*args)`: its number, and where it says each chunk."""
    assert not xla_bridge.backends_are_initialized(), "a device was asked for: a fork would not be safe"
    heard, said = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads: those of BLAS, which a fork knows
        child = os.fork()
    if child:
        os.close(said)
        return child, heard
    code = 1
    try:
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 2)
        args = (*args[:3], said, *args[3:])
        train(*args)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def ended(child: int, heard: int) -> int:
    """The exit code of a process, or minus the signal that ended it."""
    os.close(heard)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(out: Path, name: str, log: Path, rng: random.Random, inside: bool) -> int:
    """Kills one part of a run; returns the step that is committed then."""
    child, heard = fork(log, out, name, 10**6, rng.random() if inside else None)
    if not inside:
        for _ in range(rng.randint(1, 2)):
            os.read(heard, 1)
        time.sleep(rng.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
    code = ended(child, heard)
    assert code == -signal.SIGKILL, (code, log.read_text())
    return checkpoint.steps(out / "checkpoints")[-1]


def main(folder: Path) -> None:
    done = {}
    for name, (*_, kills, inside) in RUNS.items():
        rng, out, last, half = random.Random(name), folder / name / "killed", None, 0
        out.parent.mkdir(parents=True)
        where = sorted(rng.sample(range(1, kills), inside))
        began = time.monotonic()
        for kill in range(kills):
            log = folder / name / "log"
            step = killed(out, name, log, rng, kill in where)
            half += bool(list((out / "checkpoints").glob(".*")))
            assert last is None or f"resumed at {last}\n" in log.read_text(), (last, log.read_text())
            last = step
        end = last + 3 * CHUNK
        for place in (out, folder / name / "whole"):
            code = ended(*fork(folder / name / "log", place, name, end, None))
            assert code == 0, (folder / name / "log").read_text()
        seconds = round(time.monotonic() - began)
        done[name] = {"kills": kills, "inside": inside, "half": half, "end": end, "seconds": seconds}
        print(json.dumps({name: done[name]}), flush=True)


if __name__ == "__main__":
    for option, value in (
        ("jax_compilation_cache_dir", str(Path(sys.argv[1]) / "programs")),
        ("jax_persistent_cache_min_compile_time_secs", 0.0),
        ("jax_persistent_cache_min_entry_size_bytes", -1),
        ("jax_disable_most_optimizations", True),
    ):
        jax.config.update(option, value)
    main(Path(sys.argv[1]))
