"""Runs of several seeds at once: networks this small keep one core busy, so that a seed for each is faster."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def each_seed(run: Callable[[int, threading.Event], T], seeds: int) -> list[T]:
    """`run(seed, stopped)` of seeds 0, 1, ...; a run ends early once `stopped` is set, so that a signal waits for none.

    >>> each_seed(lambda seed, stopped: (seed, stopped.is_set()), 2)
    [(0, False), (1, False)]
    """
    stopped = threading.Event()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            return list(pool.map(lambda seed: run(seed, stopped), range(seeds)))
        finally:
            stopped.set()
