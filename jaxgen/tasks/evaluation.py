"""The examples that evaluation looks at, and how a model is handed them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data, Split, as_float, subset

LIMIT = 5000  # examples of a split that evaluation looks at, at most
UNIT = 128  # of the size of a batch
MOST = 512  # examples or samples that a model is handed or makes at once, at most
NUMBERS = 1 << 22  # float32 numbers in a batch that a model is handed, at most


def looked_at(split: Split) -> Split:
    """The examples that evaluation looks at, as float32: all, or a fixed random 5,000 of them, in their own order."""
    if len(split.x) > LIMIT:
        split = subset(split, positions(len(split.x)))
    return split._replace(x=as_float(split.x))


def positions(n: int) -> np.ndarray:
    """Those of the examples that evaluation looks at, of a split of n."""
    return np.arange(n) if n <= LIMIT else np.sort(np.random.default_rng(0).choice(n, LIMIT, replace=False))


def in_batches(fn: Callable, x: np.ndarray, *, copies: int = 1) -> np.ndarray:
    """`fn(i, x_i)` on batches x_i of x [N, ...], joined along the first axis.

    Batches have one size (the last is padded with its last example, and cut), so that a model meets one shape. The size
    depends on the shape of x and on `copies`, the copies of an example that `fn` makes; where it is beyond 128 it is a
    multiple of that or the most that fits, so that sets of nearly one length share a compiled function.

    >>> in_batches(lambda i, x: 2 * x, np.arange(3.0)).tolist()
    [0.0, 2.0, 4.0]
    """
    most = int(np.clip(NUMBERS // max(1, copies * x[0].size), 1, MOST))
    size = -(-len(x) // -(-len(x) // most))
    if size > UNIT:
        size = min(most, -(-size // UNIT) * UNIT)
    parts = -(-len(x) // size)
    full = np.concatenate([x, np.repeat(x[-1:], parts * size - len(x), axis=0)])
    done = [np.asarray(fn(i, jnp.asarray(full[i * size : (i + 1) * size]))) for i in range(parts)]
    return np.concatenate(done)[: len(x)]


def drawn(model: Model, key: jax.Array, n: int) -> np.ndarray:
    """`n` samples of a model, float32 [n, ...], in equal blocks of 512 at most: a model meets one shape."""
    assert model.draw is not None and model.sample is not None
    parts = -(-n // MOST)
    size = -(-n // parts)
    noise = model.draw(key, parts * size)
    blocks = (jax.tree.map(lambda a, i=i: a[i * size : (i + 1) * size], noise) for i in range(parts))
    return np.concatenate([np.asarray(model.sample(block)) for block in blocks])[:n]


def unlabelled(data: Data) -> str | None:
    """Why a task that needs labels of at least two classes in each split cannot be served, or None."""
    for name, split in (("training", data.train), ("validation", data.valid), ("test", data.test)):
        if split.label is None:
            return f"{data.name} has no labels."
        if len(np.unique(split.label)) < 2:
            return f"the {name} split of {data.name} holds fewer than two classes."
    return None
