"""What people want a model for. A task is a module of a few functions on plain arrays and a `Model`.

Each has `servable(data)` (None, or the reason in one line why the data cannot serve it), `METRICS`, and one function
that measures a trained model on one seed. What stands beside the models (`ceiling`, `baselines`) is measured by the
same code. A figure that a model cannot have is absent, never a stand-in.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxgen.data import Split, as_float, subset

LIMIT = 5000  # examples of a split that evaluation looks at, at most
NUMBERS = 1 << 22  # float32 numbers in a batch that a model is handed, at most


SHARE = (0.0, 1.0)  # the bounds of most metrics
SIZE = (0.0, float("inf"))  # of those that are no share, and never negative


class Metric(NamedTuple):
    """What a figure says and which way is up."""

    higher_is_better: bool | None  # None: neither
    headline: bool  # the figure that the task's verdict rests on
    about: str
    unit: str  # "" for a pure number
    bounds: tuple[float, float] | None = None  # beyond which it cannot lie


class Reading(NamedTuple):
    """The figures of one model on one seed, and which of its readings was chosen, on validation data."""

    figures: dict[str, float]
    chosen: str  # name of the score or layer; "" where none could be read


def describe(metrics: Mapping[str, Metric], name: str) -> Metric:
    """The metric of a figure; `auroc[critic]` is `auroc` under one reading, and no headline.

    >>> describe({"auroc": Metric(True, True, "area under the ROC curve", "")}, "auroc[critic]")[:3]
    (True, False, 'area under the ROC curve, read from critic')
    """
    base, bracket, inner = name.partition("[")
    found = metrics[base]
    return found._replace(headline=False, about=f"{found.about}, read from {inner[:-1]}") if bracket else found


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

    Batches have one size (the last is padded with its last example, and cut), so that a model meets one shape; the
    size depends on the shape of x and on `copies`, the copies of an example that `fn` makes.

    >>> in_batches(lambda i, x: 2 * x, np.arange(3.0)).tolist()
    [0.0, 2.0, 4.0]
    """
    most = int(np.clip(NUMBERS // max(1, copies * x[0].size), 1, 512))
    parts = -(-len(x) // most)
    size = -(-len(x) // parts)
    full = np.concatenate([x, np.repeat(x[-1:], parts * size - len(x), axis=0)])
    done = [np.asarray(fn(i, jnp.asarray(full[i * size : (i + 1) * size]))) for i in range(parts)]
    return np.concatenate(done)[: len(x)]


def unlabelled(data) -> str | None:
    """Why a task that needs labels of at least two classes in each split cannot be served, or None."""
    for name, split in (("training", data.train), ("validation", data.valid), ("test", data.test)):
        if split.label is None:
            return f"{data.name} has no labels."
        if len(np.unique(split.label)) < 2:
            return f"the {name} split of {data.name} holds fewer than two classes."
    return None
