"""The examples that evaluation looks at, and how a model is handed them."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data, Split, as_float, subset

LIMIT = 5000  # examples of a split that evaluation looks at, at most
LOOKED = 3 << 23  # numbers in these examples, at most: 96 MiB as float32, 2,048 images of 64x64x3
FEWEST = 256  # examples that it looks at however large they are, if there are so many
STAGED = 4  # the part at a stage of a training, whose figures are compared with those of other stages alone
UNIT = 128  # of the size of a batch
MOST = 512  # examples or samples that a model is handed or makes at once, at most
NUMBERS = 1 << 20  # in a batch that a model is handed or makes, at most: its layers hold some thirty times as many


def looked_at(split: Split, part: int = 1) -> Split:
    """The examples that evaluation looks at, as float32: all, or a fixed random part of them, in their own order."""
    part_of_split = subset(split, positions(len(split.x), split.x.shape[1:], part))
    return part_of_split._replace(x=as_float(part_of_split.x))


def most(shape: tuple[int, ...], part: int = 1) -> int:
    """How many examples of this shape evaluation looks at, of a split: 5,000, and fewer where each is large.

    What costs more than others takes a `part` of the numbers that these hold, half or a quarter ...; of small examples
    that is as many.

    >>> most((28, 28, 1)), most((32, 32, 3)), most((64, 64, 3)), most((256, 256, 3))
    (5000, 5000, 2048, 256)
    >>> most((28, 28, 1), 4), most((64, 64, 3), 4)
    (5000, 512)
    """
    return int(np.clip(LOOKED // (part * max(1, math.prod(shape))), FEWEST, LIMIT))


def positions(n: int, shape: tuple[int, ...], part: int = 1) -> np.ndarray:
    """Those of n examples of this shape that evaluation looks at: all, or a fixed random part of them."""
    return some_of(n, most(shape, part))


def some_of(n: int, count: int) -> np.ndarray:
    """Positions of n examples: all, or a fixed random `count` of them, in their own order."""
    return np.arange(n) if n <= count else np.sort(np.random.default_rng(0).choice(n, count, replace=False))


def in_batches(fn: Callable, x: np.ndarray, *, copies: int = 1) -> Any:
    """`fn(i, x_i)` on batches x_i of x [N, ...], joined along the first axis; it returns arrays, as a tree.

    Batches have one size (the last is padded with its last example, and cut), so that a model meets one shape. The size
    depends on the shape of x and on `copies`, the copies of an example that `fn` makes; where it is beyond 128 it is a
    multiple of that or the most that fits, so that sets of nearly one length share a compiled function; of large
    examples, of which fewer fit, all sets do: to compile a network for a few takes longer than to show it as many as
    fit.

    >>> in_batches(lambda i, x: 2 * x, np.arange(3.0)).tolist()
    [0.0, 2.0, 4.0]
    """
    most = int(np.clip(NUMBERS // max(1, copies * x[0].size), 1, MOST))
    most = most // UNIT * UNIT or most
    size = -(-len(x) // -(-len(x) // most))
    if size > UNIT:
        size = min(most, -(-size // UNIT) * UNIT)
    elif most < UNIT:
        size = most
    parts = -(-len(x) // size)
    full = np.concatenate([x, np.repeat(x[-1:], parts * size - len(x), axis=0)])
    done = [jax.tree.map(np.asarray, fn(i, jnp.asarray(full[i * size : (i + 1) * size]))) for i in range(parts)]
    return jax.tree.map(lambda *blocks: np.concatenate(blocks)[: len(x)], *done)


def decoded(model: Model, codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What a model makes of codes [N, ...], examples of `shape`, in batches as large as those of such examples."""
    decode = model.decode
    assert decode is not None
    return in_batches(lambda i, z: decode(z), codes, copies=-(-math.prod(shape) // codes[0].size))


def large(shape: tuple[int, ...]) -> bool:
    """Whether tasks look at a part of examples of this shape at a stage, and at fewer of what each of them costs.

    >>> large((28, 28, 1)), large((32, 32, 3))
    (False, True)
    """
    return most(shape, STAGED) < LIMIT


def drawn(model: Model, key: jax.Array, n: int, shape: tuple[int, ...]) -> np.ndarray:
    """`n` samples of a model, float32 [n, *shape], in equal blocks of 512 at most: a model meets one shape.

    Blocks of large samples are smaller, and all of one size, as batches of `in_batches` are.
    """
    assert model.draw is not None and model.sample is not None
    most = int(np.clip(NUMBERS // math.prod(shape), 1, MOST))
    parts = -(-n // most)
    size = -(-n // parts) if most >= UNIT else most
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
