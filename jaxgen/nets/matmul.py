"""4x4 convolutions of stride 2 as one matrix product each: im2col and its adjoint.

Whatever is here is closed under reverse mode: copies come as pairs of maps that are each other's adjoint, products as a
triple that differentiates into itself. So a gradient of any order is made of the same fast operations, and there is
no forward mode.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.core import Array

# Below this many channels a pixel's numbers are too few for long copies.
FEW_CHANNELS = 16


def adjoints(there: Callable, back: Callable) -> tuple[Callable, Callable]:
    """Two linear maps `(x, shape)` whose reverse mode is each other; `shape` is static and the same for both.

    That they are adjoints, `<there(x), y> = <x, back(y)>`, is for the caller to know.
    """
    f, g = (partial(jax.custom_vjp, nondiff_argnums=(1,))(linear) for linear in (there, back))
    f.defvjp(lambda x, shape: (f(x, shape), None), lambda shape, _, y: (g(y, shape),))
    g.defvjp(lambda y, shape: (g(y, shape), None), lambda shape, _, x: (f(x, shape),))
    return f, g


def _contract(i: int, j: int) -> Any:
    return jax.custom_vjp(lambda a, b: lax.dot_general(a, b, (((i,), (j,)), ((), ()))))


# The three gradients of sum(y * (p @ k.T)), each product in the order that runs fastest on a CPU: never p.T @ y.
narrow = _contract(1, 1)  # p[M, N], k[O, N] -> y[M, O]
widen = _contract(1, 0)  # y[M, O], k[O, N] -> p[M, N]
match = _contract(0, 0)  # y[M, O], p[M, N] -> k[O, N]
narrow.defvjp(lambda p, k: (narrow(p, k), (p, k)), lambda pk, y: (widen(y, pk[1]), match(y, pk[0])))
widen.defvjp(lambda y, k: (widen(y, k), (y, k)), lambda yk, p: (narrow(p, yk[1]), match(yk[0], p)))
match.defvjp(lambda y, p: (match(y, p), (y, p)), lambda yp, k: (narrow(yp[1], k), widen(yp[0], k)))


def _gather(x: Array, shape: tuple[int, ...]) -> Array:
    """[B, 2h, 2w, C] -> [Bhw, 16C]: the window of each output, ordered (row, column, channel)."""
    batch, h, w, channels = shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    if channels < FEW_CHANNELS:
        x = lax.optimization_barrier(x)  # fused into the copies below, the pad would be computed once per number
    # Two neighbouring pixels of a row are one run of 2C numbers, so a window is 4 rows of 2 runs.
    x = x.reshape(batch, h + 1, 2, w + 1, 2 * channels)
    runs = [x[:, a : a + h, row, b : b + w] for a in (0, 1) for row in (0, 1) for b in (0, 1)]
    return jnp.concatenate(runs, -1).reshape(batch * h * w, 16 * channels)


def _scatter(windows: Array, shape: tuple[int, ...]) -> Array:
    """The adjoint of `_gather`: windows are added where they overlap."""
    batch, h, w, channels = shape
    runs = windows.reshape(batch, h, w, 2, 2, 2, 2 * channels)

    def row(r):
        return sum(
            jnp.pad(runs[:, :, :, a, r, b], ((0, 0), (a, 1 - a), (b, 1 - b), (0, 0))) for a in (0, 1) for b in (0, 1)
        )

    x = jnp.stack([row(0), row(1)], 2).reshape(batch, 2 * h + 2, 2 * w + 2, channels)
    return x[:, 1:-1, 1:-1]


gather, scatter = adjoints(_gather, _scatter)


def down(x: Array, k: Array) -> Array:
    """x[B, 2h, 2w, C], k[O, 4, 4, C] -> [B, h, w, O]."""
    batch, height, width, channels = x.shape
    h, w = height // 2, width // 2
    return narrow(gather(x, (batch, h, w, channels)), k.reshape(k.shape[0], -1)).reshape(batch, h, w, -1)


def up(y: Array, k: Array) -> Array:
    """y[B, h, w, O], k[O, 4, 4, C] -> [B, 2h, 2w, C]."""
    batch, h, w, out = y.shape
    return scatter(widen(y.reshape(-1, out), k.reshape(out, -1)), (batch, h, w, k.shape[-1]))
