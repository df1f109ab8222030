"""The memory allocator of the process: freed memory that is kept for speed, and that is given back."""

import ctypes
import sys
from typing import Any

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Asks glibc to serve every block from one heap and to keep what is freed. True where that took effect.

    XLA's CPU client takes tens of megabytes of scratch memory per call; by default glibc maps them afresh each time and
    every step pays for the page faults. Measured on 2 cores: the step of a convolutional VAE 83 ms before and 67 after,
    of a GAN 130 and 108. What it costs: the process keeps its peak memory until it ends, and small scanned dense steps
    were seen up to 1.17 times slower. So it is a program's choice, made before the first compilation, and never a
    library's at import.

    From outside the same is `MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_ARENA_MAX=1`. Where the C
    library has no `mallopt` (macOS, Windows, musl) nothing is done, and the answer is False.

    Source: the GNU C Library manual, "Malloc Tunable Parameters".
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_ARENA_MAX, 1))
    return all([mallopt(name, value) == 1 for name, value in settings])


def give_back() -> bool:
    """Gives what was freed back to the system, also under `keep_freed_memory`. True where there was something.

    For the end of a part of a program that needs much more memory than what follows: to compile the steps of
    convolutions of 64x64x3 leaves 300 to 450 MiB behind for each recipe. What is needed again is mapped anew.
    """
    trim = _of_glibc("malloc_trim")
    return trim is not None and trim(0) == 1


def _of_glibc(name: str) -> Any:
    """A function of the C library; None on other systems, or where it has none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
