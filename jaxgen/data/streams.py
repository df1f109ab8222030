"""Examples that stay where they are, on disk or in a data set of Python, because they are too many for the memory.

They are read by position, by several threads, so a batch is a function of a position as it is of data in memory: the
same examples in the same order, from any step on, and by each of several processes its own part.
"""

import hashlib
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.data import NAMES, Data, Split, subset

SAMPLE = 10_000  # examples of a split that are looked at where all do not fit
PROBED = 256  # examples of a split that its digest is made of
GIB = 2**30


class Stored:
    """An array of examples that is read as it is indexed: by a position, a slice, positions int [n], a mask.

    Like an array it has `shape`, `dtype`, `ndim`, `nbytes` and a length; as a whole it is not read.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], np.ndarray],
        positions: np.ndarray,
        shape: tuple[int, ...],
        dtype: Any,
        *,
        anew: Callable[[np.ndarray], tuple[np.ndarray, Any]] | None = None,
    ):
        """`read(positions int [n]) -> [n, *shape]`; `positions` are those of these examples.

        `anew(positions int [n]) -> (x, label or None)` if each epoch has examples of its own, such as augmented ones:
        those of epoch e are at e N to (e + 1) N - 1.
        """
        self._read, self._positions, self.anew = read, positions, anew
        self.shape, self.dtype = (len(positions), *shape), np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """The number of axes, that of the examples included."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """What all examples would take in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        """The number of examples."""
        return self.shape[0]

    def __getitem__(self, at: Any) -> np.ndarray:
        """The examples at `at`, read now."""
        chosen = self._positions[at]
        return self._read(np.atleast_1d(chosen)).reshape(*np.shape(chosen), *self.shape[1:])

    def part(self, at: Any) -> "Stored":
        """Some of the examples, the same in each epoch; nothing is read."""
        return Stored(self._read, self._positions[at], self.shape[1:], self.dtype)

    def __array__(self, *args: Any, **options: Any) -> np.ndarray:
        """Refused: they do not fit.

        Raises:
          BadRequest: always.
        """
        raise BadRequest(
            f"these {len(self):,} examples are streamed, for they do not fit in memory: take some of them, such as "
            "data.train.x[:1000], or jaxgen.data.streams.sampled(data)."
        )


def limit(device: int | None, host: int) -> int:
    """Bytes that examples may take in memory.

    Half of the memory of a device, for params, activations and compiled code want the rest, and a quarter of that of
    the host, for whoever loads arrays holds them twice or three times. `device` is None if it is the host.

    >>> limit(None, 8 * GIB) / GIB, limit(80 * GIB, 1024 * GIB) / GIB
    (2.0, 40.0)
    """
    return host // 4 if device is None else min(device // 2, host // 4)


def memory_limit() -> int:
    """`limit` of the first device of this process and of its host."""
    import jax

    stats = None if (device := jax.local_devices()[0]).platform == "cpu" else device.memory_stats()
    return limit((stats or {}).get("bytes_limit"), host_memory())


def room(stream: bool | None) -> float:
    """Bytes that examples may take: all that they want if `stream` is False, none if True, `memory_limit` if None."""
    return memory_limit() if stream is None else 0 if stream else math.inf


def explained(data: Data) -> str:
    """One line: what is streamed, and why."""
    import jax

    x, most = data.train.x, memory_limit()
    what = f"streamed: {len(x):,} examples of {'x'.join(map(str, x.shape[1:]))} ({x.nbytes / GIB:.3g} GiB)"
    if x.nbytes <= most:
        return f"{what}, as the run was asked to"
    whose = "host" if jax.local_devices()[0].platform == "cpu" else "device"
    return f"{what} do not fit in the {most / GIB:.3g} GiB of {whose} memory that data may take"


def sampled(data: Data) -> Data:
    """The same data with at most 10,000 examples of each split, in memory, if they are streamed.

    The order within a split is random, so they are a random sample.
    """
    splits = {name: split for name, split in data.splits.items() if isinstance(split.x, Stored)}
    if not splits:
        return data
    some: dict[str, Any] = {name: subset(split, np.arange(min(len(split.x), SAMPLE))) for name, split in splits.items()}
    most = max(len(split.x) for split in splits.values())
    note = f"the first {SAMPLE:,} examples of a split are looked at." if most > SAMPLE else "read into memory."
    return data._replace(**some, notes=(*data.notes, note))


def reader(
    one: Callable[[int], np.ndarray], shape: tuple[int, ...], dtype: Any = np.uint8
) -> Callable[[np.ndarray], np.ndarray]:
    """`read` of `Stored` and of `Examples` from a function of one position, called by several threads."""

    def read(at: np.ndarray) -> np.ndarray:
        out = np.empty((len(at), *shape), dtype)

        def fill(rows):
            for row in rows:
                out[row] = one(int(at[row]))

        each(fill, len(at))
        return out

    return read


def mapped(
    x: np.ndarray, convert: Callable[[np.ndarray], np.ndarray] = lambda rows: rows
) -> Callable[[np.ndarray], np.ndarray]:
    """`read` of an array on disk, opened by `numpy.load(mmap_mode="r")`; `convert` is applied to what is read."""

    def read(at: np.ndarray) -> np.ndarray:
        out = np.empty((len(at), *x.shape[1:]), x.dtype)

        def fill(rows):  # each thread waits for the disk by itself
            np.take(x, at[rows], axis=0, out=out[rows.start : rows.stop], mode="clip")

        each(fill, len(at), least=16)
        return convert(out)

    return read


def digest(splits: tuple[Split, ...]) -> str:
    """Sha256 in hex of shapes, types, labels and 256 examples of each split: not all of them are read."""
    sha = hashlib.sha256(b"streamed;")
    for name, (x, label, _) in zip(NAMES, splits, strict=True):
        sha.update(f"{name} {x.dtype.str} {x.shape};".encode())
        if len(x):
            probes = x[np.unique(np.linspace(0, len(x) - 1, PROBED).astype(int))]
            sha.update(np.ascontiguousarray(probes).tobytes())
        if label is not None:
            sha.update(label.tobytes())
    return sha.hexdigest()


def each(fill: Callable[[range], None], n: int, least: int = 1) -> None:
    """Calls `fill` for parts of `range(n)` of at least `least`, in threads, and raises the first error."""
    size = max(least, -(-n // (4 * _threads())))
    for done in [pool().submit(fill, range(i, min(i + size, n))) for i in range(0, n, size)]:
        done.result()


def _threads() -> int:
    return max(2, min(32, os.cpu_count() or 1))


@lru_cache(maxsize=1)
def pool() -> ThreadPoolExecutor:
    """The threads that read, as many as there are cores."""
    return ThreadPoolExecutor(_threads(), "read")


def check_room(name: str, size: int) -> None:
    """Refuses what cannot be read for its size, before any of it is.

    Raises:
      BadRequest: `name` takes more bytes than this machine has.
    """
    if size > (most := host_memory()):
        raise BadRequest(
            f"{name} takes {size / GIB:.3g} GiB, and this machine has {most / GIB:.3g} GiB: use fewer examples."
        )


def host_memory() -> int:
    """Bytes of memory that this process may take at all."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:  # what a container may take
        with open("/sys/fs/cgroup/memory.max") as file:
            return min(found, int(file.read()))
    except (OSError, ValueError):
        return found
