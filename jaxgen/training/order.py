"""The order of examples, which depends only on the data key and on the position in the stream of examples."""

import functools
import math

import jax
import numpy as np

from jaxgen.core import Array


def indices(
    key: Array, position: int, shape: tuple[int, ...], n: int, *, subset: np.ndarray | None = None
) -> np.ndarray:
    """The examples at `position`, `position + 1`, ... of an endless stream of epochs, as int32 of `shape`.

    Each epoch is a permutation of all examples, drawn from (key, epoch). It may end inside a step or a dispatch; none
    is left out. However the stream is cut, the same position holds the same example.

    Args:
      key: the data key of a run.
      position: how many examples came before; a Python int, so that it never overflows.
      shape: of the result, for instance (R, T, B).
      n: how many examples there are.
      subset: int [M], the examples to train on, where not all; their epochs have M entries.

    >>> key = jax.random.key(0)
    >>> first, second = indices(key, 0, (2, 3), 6), indices(key, 6, (6,), 6)
    >>> sorted(first.ravel().tolist()) == sorted(second.tolist()) == list(range(6))
    True
    """
    examples = n if subset is None else len(subset)
    words = tuple(np.asarray(jax.random.key_data(key)).ravel().tolist())
    start, count = position % examples, math.prod(shape)
    first, last = position // examples, (position + max(count, 1) - 1) // examples
    stream = np.concatenate([_epoch(words, epoch, examples) for epoch in range(first, last + 1)])
    flat = stream[start : start + count]
    return (flat if subset is None else np.asarray(subset, np.int32)[flat]).reshape(shape)


@functools.lru_cache(maxsize=4)
def _epoch(words: tuple[int, ...], epoch: int, n: int) -> np.ndarray:
    # On the host, so that a chunk of many short epochs costs no dispatches. The raw words of a bit generator and of a
    # seed sequence are the same in every NumPy; its `permutation` is not. 64 bits do not tie, so any sort will do.
    raw = np.random.Philox(np.random.SeedSequence((*words, epoch))).random_raw(n)
    order = np.argsort(raw).astype(np.int32)
    order.flags.writeable = False
    return order
