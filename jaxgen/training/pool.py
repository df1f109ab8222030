"""Holds one copy of a set of examples for all splits, seeds and programs; a split is an array of positions in it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np

ALIGNED = 64  # bytes: JAX uses an array of the host as it is, on CPU, if it begins at a multiple of these


class Pool:
    """Examples in one array of the host, which is copied to the devices once for all its splits.

    On CPU the array of the devices is that of the host: nothing is copied.
    """

    def __init__(self, x: np.ndarray):
        """`x`: all examples [n, ...], in an array from `aligned`."""
        self.x = x

    @classmethod
    def empty(cls, shape: tuple[int, ...], dtype: Any) -> "Pool":
        """A pool with uninitialised memory: `x` has to be filled before `placed` is first read."""
        return cls(aligned(shape, dtype))

    @classmethod
    def of(cls, parts: Sequence[np.ndarray]) -> "Pool":
        """A pool of the concatenated arrays [n, ...], whose examples have one shape and dtype."""
        pool = cls.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
        np.concatenate(parts, out=pool.x)
        return pool

    @cached_property
    def placed(self) -> jax.Array:
        """The array on the devices."""
        return jax.device_put(self.x)

    def rows(self, at: np.ndarray) -> "Rows":
        """The examples at the positions `at`, int [n]."""
        return Rows(self, at)


class Rows:
    """Selected examples of a pool in a given order. Indexing works as for an array and returns a copy.

    >>> rows = Pool(np.array([[5], [6], [7]], np.uint8)).rows(np.array([2, 0]))
    >>> rows.shape, rows[1].tolist(), rows[rows[:][:, 0] > 6].tolist(), np.asarray(rows).tolist()
    ((2, 1), [5], [[7]], [[7], [5]])
    """

    def __init__(self, pool: Pool, at: np.ndarray):
        """`at`: positions in the pool, int [n]."""
        self.pool, self.at = pool, np.asarray(at, np.int32)

    @property
    def shape(self) -> tuple[int, ...]:
        """The attribute of the same name of an array of these examples."""
        return len(self.at), *self.pool.x.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """The attribute of the same name of an array of these examples."""
        return self.pool.x.dtype

    @property
    def ndim(self) -> int:
        """The attribute of the same name of an array of these examples."""
        return self.pool.x.ndim

    @property
    def nbytes(self) -> int:
        """The number of bytes of a copy."""
        return len(self.at) * self.pool.x[:1].nbytes

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.at)

    def __getitem__(self, at: Any) -> np.ndarray:
        """The examples at `at`: a position, a slice, positions int [n] or a mask bool [n]."""
        return self.pool.x[self.at[at]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All examples, as a copy."""
        return np.asarray(self[:], dtype)


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised array that is aligned so that JAX need not copy it on CPU.

    >>> aligned((3, 5), np.uint8).ctypes.data % ALIGNED
    0
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNED, np.uint8)
    start = -raw.ctypes.data % ALIGNED
    return raw[start : start + size].view(dtype).reshape(shape)
