"""PyTorch's side of a row that trains. Only the modules that are called `*_torch.py` import it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.conv import as_torch
from benchmarks.worker import Work, peak_mib

Draw = Callable[[], torch.Tensor]


def played(
    step: Callable,
    layers: Mapping[str, torch.nn.Module],
    optimizers: Sequence[torch.optim.Optimizer],
    *,
    at: np.ndarray,
    noise: Sequence[Draw],
    steps: int,
) -> Work:
    """Blocks of `steps` steps.

    Args:
      step: (indices [T, B], draw) -> the losses that ours tells of a step; draw(t, i) is leaf i of turn t's noise.
      layers: by the name of the same layer on our side.
      optimizers: what `step` moves them with.
      at: indices [R, T, B], over and over.
      noise: how each leaf of a turn's noise is drawn.
      steps: of a block.
    """
    rows = torch.from_numpy(at.astype(np.int64))

    def draw(turn: int, leaf: int = 0) -> torch.Tensor:
        return noise[leaf]()

    def block() -> float:
        began = time.perf_counter()
        for i in range(steps):
            step(rows[i % len(rows)], draw)
        return time.perf_counter() - began

    def losses(path: Path) -> list[float]:
        with np.load(path) as record:
            load(layers, record)
            for optimizer in optimizers:
                optimizer.state.clear()  # as new
            said, drawn = [], [_own(record[f"noise/{i}"]) for i in range(len(noise))]
            for n, turns in enumerate(torch.from_numpy(record["at"].astype(np.int64))):
                said += [float(loss) for loss in step(turns, lambda turn, leaf=0, n=n: drawn[leaf][n, turn])]
        return said

    libraries_mib = peak_mib()
    return Work(block, facts(step, rows[0], draw) | {"replays": True, "libraries_mib": libraries_mib}, losses)


def facts(step: Callable, *arguments) -> dict:
    """Version, threads, and what the first step cost beyond the second: compilation, where there is any."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        step(*arguments)
        seconds.append(time.perf_counter() - began)
    compile_s = max(seconds[0] - min(seconds[1:]), 0.0)
    return {"compile_s": compile_s, "threads": torch.get_num_threads(), "versions": {"torch": torch.__version__}}


def load(layers: Mapping[str, torch.nn.Module], record: Mapping[str, np.ndarray]) -> None:
    """Copies our weights into PyTorch's layers: kernels [in, out] and [4, 4, in, out]."""
    with torch.no_grad():
        for name, layer in layers.items():
            kernel, up = record[f"{name}/kernel"], isinstance(layer, torch.nn.ConvTranspose2d)
            kernel = kernel.T if kernel.ndim == 2 else as_torch(kernel, up=up)
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
            layer.bias.copy_(torch.from_numpy(record[f"{name}/bias"]))


def _own(numbers: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(numbers).to(torch.get_default_dtype())


def adam(layers: Iterable[torch.nn.Module], rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """The fused form."""
    return torch.optim.Adam([p for layer in layers for p in layer.parameters()], rate, betas, fused=True)


def move(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> torch.Tensor:
    """One update; the loss, for the record."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def weights(layer: torch.nn.Module, frozen: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias; frozen, so that nothing is computed for what a turn does not move."""
    return (layer.weight.detach(), layer.bias.detach()) if frozen else (layer.weight, layer.bias)


def dense(sizes: Sequence[int]) -> list[torch.nn.Linear]:
    """Linear layers from each size to the next."""
    return [torch.nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
