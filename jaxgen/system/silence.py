"""Warnings that nobody is to read, in several threads."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class Silence:
    """Python's warnings, ignored as long as any thread has asked for it: their filters belong to the process."""

    def __init__(self):
        """Nobody has asked yet."""
        self._lock, self._count, self._saved = threading.Lock(), 0, None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Asks for it until the block ends."""
        with self._lock:
            if self._count == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore")
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                if self._count == 0:
                    self._saved.__exit__(None, None, None)
