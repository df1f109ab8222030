"""The best float32 matrix product that this machine shows: what `limit_fraction` is a fraction of."""

import contextlib
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.ours import facts
from benchmarks.worker import Work


def sgemm(side: int, repeats: int) -> Work:
    """GFLOP/s of `side`^3 products, the best of `repeats` and of NumPy, XLA and, where there is one, PyTorch."""
    a = np.random.default_rng(0).standard_normal((side, side), np.float32)
    on_device, product = jnp.asarray(a), jax.jit(jnp.dot)
    ways: list[Callable] = [lambda: a @ a, lambda: product(on_device, on_device).block_until_ready()]
    with contextlib.suppress(ImportError):
        import torch

        b = torch.from_numpy(a)
        ways.append(lambda: b @ b)

    def block() -> float:
        seconds = []
        for way in ways:
            for _ in range(repeats):
                began = time.perf_counter()
                way()
                seconds.append(time.perf_counter() - began)
        return 2e-9 * side**3 / min(seconds)

    return Work(block, facts())
