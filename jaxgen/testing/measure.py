"""Losses and gradients by draw: compiled once for a loss, summed in float64."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np


class Gradients(NamedTuple):
    """The gradients of one leaf over N draws, float64."""

    mean: np.ndarray  # in the leaf's shape
    variance: float  # summed over entries
    along: np.ndarray  # [N, J], derivatives along the leaf's directions
    zero: bool  # every entry of every draw is exactly zero
    finite: bool


def scalar(output: Any) -> Any:
    """The loss of what a loss function returns: f32[] or (f32[], anything)."""
    return output[0] if isinstance(output, tuple) and output else output


def name_of(path: Any, whole: str) -> str:
    """`encoder.w` for the path of a leaf; `whole` where the tree is one leaf."""
    return jax.tree_util.keystr(path, simple=True, separator=".") or whole


@partial(jax.jit, static_argnums=0)
def _drawn(draw, keys, batch):
    return keys, jax.vmap(lambda key: draw(key, batch))(keys)  # with the keys, for noise without leaves has no length


@partial(jax.jit, static_argnums=0)
def _losses(loss, params, chunk, batch):
    return jax.vmap(lambda drawn: scalar(loss(params, drawn[1], batch)))(chunk)


# By itself, so that each draw may have params of its own: under vmap these would turn a convolution into one of groups,
# which is slow. And one program less to compile.
@partial(jax.jit, static_argnums=0)
def _gradient(loss, params, chunk, i, batch):
    drawn = jax.tree.map(lambda leaf: leaf[i], chunk[1])
    return jax.value_and_grad(lambda p: scalar(loss(p, drawn, batch)))(params)


@partial(jax.jit, static_argnums=0)
def exact_gradient(value, params, batch):
    """Value and gradient of an exact `value(params, batch)`."""
    return jax.value_and_grad(lambda p: value(p, batch))(params)


def draw_chunks(draw: Callable, key: Any, draws: int, chunk: int, batch: Any) -> list:
    """`draws` draws of noise, in chunks of (keys [n], noise [n, ...])."""
    sizes = [min(chunk, draws - i) for i in range(0, draws, chunk)]
    return [_drawn(draw, jax.random.split(jax.random.fold_in(key, i), n), batch) for i, n in enumerate(sizes)]


def draw_directions(key: Any, leaves: Sequence) -> list[list[np.ndarray]]:
    """Two random directions for each leaf, with entries of size one; a leaf of one entry has one."""
    sizes = [leaf.size for leaf in leaves]
    both = np.split(np.asarray(jax.random.normal(key, (2, sum(sizes)))), np.cumsum(sizes)[:-1], axis=1)
    return [
        [(d / np.sqrt(np.mean(d**2))).reshape(leaf.shape).astype(leaf.dtype) for d in pair[: leaf.size]]
        for pair, leaf in zip(both, leaves, strict=True)
    ]


def losses_at(loss: Callable, params: Any, chunk: Any, batch: Any) -> np.ndarray:
    """The loss of each draw of a chunk, float64[n]."""
    return np.asarray(_losses(loss, params, chunk, batch), np.float64)


def grad_of(loss: Callable, params: Any, chunk: Any, i: int, batch: Any, at: int) -> np.ndarray:
    """The gradient of leaf `at` for draw i of a chunk, float64[entries]."""
    return np.asarray(jax.tree.leaves(_gradient(loss, params, chunk, i, batch)[1])[at], np.float64).ravel()


def raw(loss: Callable, params: Any, chunk: Any, batch: Any) -> list[np.ndarray]:
    """Losses [n] and gradients [n, ...] of a chunk as they come, leaf by leaf."""
    each = [jax.tree.leaves(_gradient(loss, params, chunk, i, batch)) for i in range(len(chunk[0]))]
    return [np.stack([np.asarray(leaf) for leaf in leaves]) for leaves in zip(*each, strict=True)]


class _Tally(NamedTuple):
    first: np.ndarray  # sums run about the first draw, so that a gradient that never changes has exactly no variance
    total: np.ndarray
    square: np.ndarray
    along: list
    zero: bool
    finite: bool


def _tallied(tally: _Tally | None, rows: np.ndarray, directions: np.ndarray) -> _Tally:
    if tally is None:
        tally = _Tally(rows[0].copy(), np.zeros_like(rows[0]), np.zeros_like(rows[0]), [], True, True)
    return _Tally(
        tally.first,
        tally.total + (rows - tally.first).sum(axis=0),
        tally.square + ((rows - tally.first) ** 2).sum(axis=0),
        [*tally.along, rows @ directions],
        tally.zero and not rows.any(),
        tally.finite and bool(np.isfinite(rows).all()),
    )


def _summed(tally: _Tally, shape: tuple[int, ...]) -> Gradients:
    along = np.concatenate(tally.along)
    n = len(along)
    variance = float(np.sum(tally.square - tally.total**2 / n) / (n - 1))
    mean = (tally.first + tally.total / n).reshape(shape)
    return Gradients(mean, max(variance, 0.0), along, tally.zero, tally.finite)


def gradients(loss: Callable, params: Any, chunks: Sequence, batch: Any, directions: Sequence) -> tuple:
    """(losses float64[N], one `Gradients` for each leaf of params)."""
    flat = [np.stack([np.ravel(d) for d in ds], axis=1).astype(np.float64) for ds in directions]
    tallies: list[Any] = [None] * len(flat)
    values = []
    for chunk in chunks:
        value, *grads = raw(loss, params, chunk, batch)
        values.append(value.astype(np.float64))
        rows = [grad.astype(np.float64).reshape(len(value), -1) for grad in grads]
        tallies = [_tallied(*each) for each in zip(tallies, rows, flat, strict=True)]
    shapes = [leaf.shape for leaf in jax.tree.leaves(params)]
    return np.concatenate(values), [_summed(*each) for each in zip(tallies, shapes, strict=True)]


def rounding(losses: np.ndarray, eps: float) -> float:
    """The least error by rounding in a difference of two losses, the same in all draws: units in the last place."""
    finite = losses[np.isfinite(losses)]
    return float(2 * eps * np.mean(np.abs(finite))) if finite.size else math.nan


def draw_offsets(key: Any, n: int) -> np.ndarray:
    """n points of (-1, 1), one at random in each of n equal parts."""
    return 2 * (np.arange(n) + np.asarray(jax.random.uniform(key, (n,)), np.float64)) / n - 1
