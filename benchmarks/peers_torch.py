"""PyTorch's side of a row that trains. The only module besides the rows' own `*_torch.py` that imports it."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.worker import Work


def played(
    step: Callable,
    layers: Mapping[str, torch.nn.Linear],
    optimizers: Sequence[torch.optim.Optimizer],
    *,
    at: np.ndarray,
    noise: tuple[int, ...],
    rounds: int,
) -> Work:
    """Blocks of `rounds` rounds.

    Args:
      step: (indices [T, B], draw) -> T losses; draw(t) is the noise of turn t.
      layers: by the name of the same layer on our side.
      optimizers: what `step` moves them with.
      at: indices [R, T, B], over and over.
      noise: its shape, for one turn.
      rounds: of a block.
    """
    rows = torch.from_numpy(at.astype(np.int64))

    def draw(turn: int) -> torch.Tensor:
        return torch.randn(noise)

    def block() -> float:
        began = time.perf_counter()
        for i in range(rounds):
            step(rows[i % len(rows)], draw)
        return time.perf_counter() - began

    def losses(path: Path) -> list[float]:
        with np.load(path) as record:
            load(layers, record)
            for optimizer in optimizers:
                optimizer.state.clear()  # as new
            said, drawn = [], torch.from_numpy(record["noise"]).reshape(*record["at"].shape[:2], *noise)
            for n, turns in enumerate(torch.from_numpy(record["at"].astype(np.int64))):
                said += [float(loss) for loss in step(turns, lambda turn, n=n: drawn[n, turn])]
        return said

    return Work(block, facts(step, rows[0], draw) | {"replays": True}, losses)


def facts(step: Callable, rows: torch.Tensor, draw: Callable) -> dict:
    """Version, threads, and what the first step cost beyond the second: compilation, where there is any."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        step(rows, draw)
        seconds.append(time.perf_counter() - began)
    compile_s = max(seconds[0] - min(seconds[1:]), 0.0)
    return {"compile_s": compile_s, "threads": torch.get_num_threads(), "versions": {"torch": torch.__version__}}


def load(layers: Mapping[str, torch.nn.Linear], record: Mapping[str, np.ndarray]) -> None:
    """Copies our weights into PyTorch's layers."""
    with torch.no_grad():
        for name, layer in layers.items():
            layer.weight.copy_(torch.from_numpy(record[f"{name}/kernel"].T.copy()))
            layer.bias.copy_(torch.from_numpy(record[f"{name}/bias"]))


def dense(sizes: Sequence[int]) -> list[torch.nn.Linear]:
    """Linear layers from each size to the next."""
    return [torch.nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
