"""Where batches come from: what a turn sees is a function of the data key and an absolute position, of nothing else.

So a run resumes from its state alone, and every process of several makes its own part of a batch.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Array, BadRequest, Batch, as_float
from jaxgen.training.order import indices
from jaxgen.training.pool import Rows

PROBED = 1024  # examples of a stream whose numbers are looked at when it begins
Shape = tuple[int, int, int]  # R steps, T turns, B examples of a batch over all processes


class Source(NamedTuple):
    """An endless stream of examples, by position."""

    resident: Any  # arrays that live on the devices; () if examples travel
    fetch: Callable[..., Any]
    """(data key, position, (R, T, B), process, processes) -> the part of this process, NumPy leaves
    [R, T, B / processes, ...]. `position` counts examples."""
    batch: Callable[..., Batch]  # (resident, fetched leaves [T, B, ...]) -> Batch of leaves [T, B, ...]; traced
    like: Any  # what `fetch` returns for one example: a pytree of jax.ShapeDtypeStruct
    size: int | None = None  # examples an epoch, if it has epochs
    range: tuple[float, float] | None = None  # of the numbers of x, if they are known and not pixels of 8 bits


def arrays(
    x: Any, label: Any = None, *, condition: Callable[..., Any] | None = None, subset: np.ndarray | None = None
) -> Source:
    """Examples in memory, which go to the devices once, as they are; afterwards only indices travel.

    Each epoch is a permutation of all examples that depends on (data key, epoch). A batch becomes float32 on the
    device.

    Args:
      x: uint8 or float32 [N, ...], or a pytree of such arrays of one length. Of `Rows` the whole pool is resident,
        and shared by all sources that are made of it.
      label: int32 [N], or None.
      condition: (x, label) of a batch -> the condition of `Batch`; traced. None: no condition.
      subset: int [M], the examples to train on, if not all.

    Raises:
      BadRequest: arrays of different lengths, or none.

    >>> source = arrays(np.zeros((6, 2), np.float32), np.arange(6, dtype=np.int32), condition=lambda x, label: label)
    >>> at = source.fetch(jax.random.key(0), 0, (1, 1, 4), 0, 1)
    >>> at.shape, source.batch(source.resident, at[0]).condition.shape
    ((1, 1, 4), (1, 4))
    """
    lengths = {len(leaf) for leaf in jax.tree.leaves((x, label))}
    if len(lengths) != 1 or 0 in lengths:
        raise BadRequest(f"examples and labels are arrays of one length above 0, not of {sorted(lengths) or 'none'}.")
    size = lengths.pop() if subset is None else len(subset)
    fetch = positions(x if isinstance(x, Rows) else len(jax.tree.leaves(x)[0]), subset=subset)
    range_ = _range(x[:] if isinstance(x, Rows) and x.dtype != np.uint8 else x)
    if isinstance(x, Rows):
        x, label = x.pool.placed, None if label is None else _spread(label, x)

    def batch(resident, at) -> Batch:
        x, label = jax.tree.map(lambda a: jnp.take(a, at, axis=0, mode="clip"), resident)
        return _conditioned(jax.tree.map(as_float, x), label, condition)

    return Source((x, label), fetch, batch, jax.ShapeDtypeStruct((), jnp.int32), size, range_)


def positions(of: int | Rows, *, subset: np.ndarray | None = None) -> Callable[..., np.ndarray]:
    """The `fetch` of `arrays` for a number of examples or for rows, or for those of them that `subset` names: int32.

    Those of rows are positions in their pool: rows meet the examples that an array of them would, in the same order.
    """
    if isinstance(of, Rows):
        subset = of.at if subset is None else of.at[subset]
    n = len(of.pool.x) if isinstance(of, Rows) else of

    def fetch(key: Array, position: int, shape: Shape, process: int, processes: int) -> np.ndarray:
        part = shape[2] // processes
        return indices(key, position, shape, n, subset=subset)[:, :, process * part : (process + 1) * part]

    return fetch


def stream(
    x: Any, label: Any = None, *, condition: Callable[..., Any] | None = None, subset: np.ndarray | None = None
) -> Source:
    """Examples that travel to the devices, a batch at a time: those that `arrays` would give, in the same order.

    They are read by position, so the stream goes on from any step, and each of several processes reads its part only.

    Args:
      x: uint8 or float32 [N, ...]: an array, also a mapped one, or a `jaxgen.data.streams.Stored`.
      label, condition, subset: as for `arrays`.

    Raises:
      BadRequest: as `arrays`.

    >>> source = stream(np.arange(12, dtype=np.float32).reshape(6, 2))
    >>> x, _ = source.fetch(jax.random.key(0), 0, (1, 1, 4), 0, 1)
    >>> x.shape, source.batch((), (x[0], None)).x.shape
    ((1, 1, 4, 2), (1, 4, 2))
    """
    if len(x) == 0 or (label is not None and len(label) != len(x)):
        raise BadRequest(f"examples and labels are arrays of one length above 0, not of {len(x)} and {np.size(label)}.")
    at_position = positions(len(x), subset=subset)
    anew = getattr(x, "anew", None)  # if each epoch has examples of its own, such as augmented ones
    size = len(x) if subset is None else len(subset)

    def fetch(key: Array, position: int, shape: Shape, process: int, processes: int) -> Any:
        at = at_position(key, position, shape, process, processes)
        if anew is None:
            rows, given = x[at.ravel()], None if label is None else label[at]
        else:
            count = position + np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
            part = shape[2] // processes
            epoch = count[:, :, process * part : (process + 1) * part] // size
            rows, given = anew((at + epoch * len(x)).ravel())
            given = None if given is None else given.reshape(at.shape)
        return rows.reshape(*at.shape, *x.shape[1:]), given

    def batch(resident, fetched) -> Batch:
        x, label = fetched
        return _conditioned(jax.tree.map(as_float, x), label, condition)

    like = jax.ShapeDtypeStruct(x.shape[1:], x.dtype), None if label is None else jax.ShapeDtypeStruct((), jnp.int32)
    return Source((), fetch, batch, like, size, _range(x[:PROBED]))


def unpaired(**sources: Source) -> Source:
    """One stream for each domain, each in an order of its own: `Batch.x` is a dict by the names given.

    Raises:
      BadRequest: fewer than two domains.
    """
    if len(sources) < 2:
        raise BadRequest(f"unpaired data have two domains or more, not {len(sources)}: unpaired(a=..., b=...).")

    def fetch(key, *place):
        each = enumerate(sources.items())
        return {name: source.fetch(jax.random.fold_in(key, i), *place) for i, (name, source) in each}

    batches = {name: source.batch for name, source in sources.items()}  # a program holds these, and no examples

    def batch(resident, fetched) -> Batch:
        return Batch({name: of(resident[name], fetched[name]).x for name, of in batches.items()})

    return Source(
        {name: source.resident for name, source in sources.items()},
        fetch,
        batch,
        {name: source.like for name, source in sources.items()},
        max((source.size for source in sources.values() if source.size is not None), default=None),
    )


def fetched_like(source: Source, lead: tuple[int, ...]) -> Any:
    """The shapes and dtypes of what `source` fetches for leading axes `lead`."""
    return jax.tree.map(lambda s: jax.ShapeDtypeStruct((*lead, *s.shape), s.dtype), source.like)


def _conditioned(x: Any, label: Any, condition: Callable[..., Any] | None) -> Batch:
    if condition is None:
        return Batch(x)
    return Batch(x, jax.vmap(condition)(x, label) if label is not None else jax.vmap(lambda a: condition(a, None))(x))


def _spread(label: Any, rows: Rows) -> np.ndarray:
    """The labels of rows at their places in the pool; those of all others are 0 and never read."""
    whole = np.zeros(len(rows.pool.x), np.int32)
    whole[rows.at] = label
    return whole


def _range(x: Any) -> tuple[float, float] | None:
    leaves = [leaf for leaf in jax.tree.leaves(x) if leaf.dtype != np.uint8 and leaf.size]
    if not leaves:
        return None
    return min(float(np.min(leaf)) for leaf in leaves), max(float(np.max(leaf)) for leaf in leaves)
