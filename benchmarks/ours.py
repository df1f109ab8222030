"""Our side of a row that trains: the shipped program, block after block."""

import os
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.figures import FIRST
from benchmarks.worker import Work, peak_mib
from jaxgen.training import checkpoint
from jaxgen.training.program import Plan, compile_loop, run_keys
from jaxgen.training.sources import Source, arrays


def facts(compile_s: float | None = None, libraries_mib: float | None = None) -> dict:
    """What every variant of ours says about itself."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = {"jax": jax.__version__}
    return {"compile_s": compile_s, "threads": threads, "versions": versions, "libraries_mib": libraries_mib}


def played(plan: Plan, x: np.ndarray, *, batch: int, chunk: int, chunks: int) -> Work:
    """Blocks of `chunks` dispatches of `chunk` steps each, over indices that were made before."""
    libraries_mib = peak_mib()
    source, keys = arrays(x), run_keys(0)
    program = compile_loop(plan, source, batch_size=batch, chunk=chunk)
    names = tuple(dict.fromkeys(name for turn in plan.turns for name in turn))
    first = -(-FIRST // len(names))  # steps, each of which has one loss of every name
    enough = max(chunks, -(-first // chunk))
    at = [program.fetch(keys.data, i * chunk, chunk) for i in range(enough)]
    state = program.init(keys.init)

    def block() -> float:
        nonlocal state
        began = time.perf_counter()
        for rows in at[:chunks]:
            state, infos = program.advance(state, keys.noise, rows)
        jax.block_until_ready((state, infos))
        return time.perf_counter() - began

    def losses(path: Path) -> list[float]:
        state, said = program.init(keys.init), []
        params = {name: np.asarray(leaf) for name, leaf in checkpoint.named(state.params).items()}
        steps = np.concatenate(at)[:first]
        noise = {f"noise/{i}": leaf for i, leaf in enumerate(noise_of(plan, keys.noise, source, steps))}
        np.savez(path, at=steps, **noise, **params)
        for rows in at:
            state, infos = program.advance(state, keys.noise, rows)
            said.append(np.stack([infos[name]["loss"] for name in names], 1))
        return np.concatenate(said)[:first].ravel().tolist()

    return Work(block, facts(sum(program.compile_s.values()), libraries_mib) | {"replays": True}, losses)


def noise_of(plan: Plan, key: jax.Array, source: Source, at: np.ndarray) -> list[np.ndarray]:
    """The noise that the step draws in its first steps, each leaf [R, T, ...]: a function of (key, step, turn)."""
    turns = range(at.shape[1])

    @jax.jit
    def draw(key, n, resident, at):
        key, batches = jax.random.fold_in(key, n), source.batch(resident, at)
        drawn = [plan.game.draw(jax.random.fold_in(key, t), jax.tree.map(lambda a, t=t: a[t], batches)) for t in turns]
        return [jnp.stack(leaves) for leaves in zip(*map(jax.tree.leaves, drawn), strict=True)]

    steps = [draw(key, n, source.resident, rows) for n, rows in enumerate(at)]
    return [np.stack(leaf) for leaf in zip(*steps, strict=True)]
