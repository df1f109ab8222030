"""Our side of a row that trains: the shipped program, block after block."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from benchmarks.figures import FIRST
from benchmarks.worker import Work
from jaxgen.core import Batch, as_float
from jaxgen.training import checkpoint
from jaxgen.training.loop import Plan, compile_loop, run_keys
from jaxgen.training.order import indices


def facts(compile_s: float | None = None) -> dict:
    """What every variant of ours says about itself."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"compile_s": compile_s, "threads": threads, "versions": {"jax": jax.__version__}}


def played(plan: Plan, x: np.ndarray, *, batch: int, chunk: int, chunks: int) -> Work:
    """Blocks of `chunks` dispatches of `chunk` rounds each, over indices that were made before."""
    program = compile_loop(plan, x, batch_size=batch, chunk=chunk)
    keys, shape = run_keys(0), (chunk, len(plan.turns), batch)
    at = [indices(keys.data, i * chunk * len(plan.turns) * batch, shape, len(x)) for i in range(chunks)]
    state = program.init(keys.init)

    def block() -> float:
        nonlocal state
        began = time.perf_counter()
        for rows in at:
            state, infos = program.advance(state, keys.noise, rows)
        jax.block_until_ready((state, infos))
        return time.perf_counter() - began

    def losses(path: Path) -> list[float]:
        start = program.init(keys.init)
        params = {name: np.asarray(leaf) for name, leaf in checkpoint.named(start.params).items()}
        noise = noise_of(plan, keys.noise, x, at[0][:FIRST])
        _, infos = program.advance(start, keys.noise, at[0])
        np.savez(path, at=at[0][:FIRST], noise=noise, **params)
        return np.stack([infos[name]["loss"][:FIRST] for turn in plan.turns for name in turn], 1).ravel().tolist()

    return Work(block, facts(sum(program.compile_s.values())) | {"replays": True}, losses)


def noise_of(plan: Plan, key: jax.Array, x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The noise that the step draws in its first rounds, [R, T, ...]: a function of (key, round, turn) alone."""
    draw: Callable = jax.jit(lambda key, x: jax.tree.leaves(plan.game.draw(key, Batch(as_float(x)))))
    rounds = []
    for n, turns in enumerate(at):
        key_of_round = jax.random.fold_in(key, n)
        drawn = [draw(jax.random.fold_in(key_of_round, t), x[rows]) for t, rows in enumerate(turns)]
        rounds.append([np.asarray(leaf) for (leaf,) in drawn])
    return np.stack([np.stack(turns) for turns in rounds])
