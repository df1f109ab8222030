"""4x4 convolutions of stride 2, and 3x3 ones of stride 1, as one matrix product each: im2col and its adjoint.

All operations here are closed under reverse mode: copies are pairs of maps that are adjoints of each other, and
products are triples whose gradients are the other two. So gradients of any order consist of the same fast operations,
but there is no forward mode.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.core import Array

# With fewer channels than this, a pixel has too few numbers for long copies.
FEW_CHANNELS = 16


def adjoints(forward: Callable, backward: Callable) -> tuple[Callable, Callable]:
    """Two linear maps `(x, shape)` that are each other's reverse mode; `shape` is static and the same for both.

    The caller must ensure that they are adjoints, `<forward(x), y> = <x, backward(y)>`.
    """
    f, g = (partial(jax.custom_vjp, nondiff_argnums=(1,))(linear) for linear in (forward, backward))
    f.defvjp(lambda x, shape: (f(x, shape), None), lambda shape, _, y: (g(y, shape),))
    g.defvjp(lambda y, shape: (g(y, shape), None), lambda shape, _, x: (f(x, shape),))
    return f, g


class Products(NamedTuple):
    """The three products of a kernel; the gradients of each are the two others."""

    narrow: Callable[[Array, Array], Array]  # windows p[M, N], kernel -> y[M, O]
    widen: Callable[[Array, Array], Array]  # y[M, O], kernel -> p[M, N]
    match: Callable[[Array, Array], Array]  # y[M, O], p[M, N] -> the gradient of the kernel


def _contract(i: int, j: int) -> Callable[[Array, Array], Array]:
    return lambda a, b: lax.dot_general(a, b, (((i,), (j,)), ((), ())))


def _products(narrow: Callable, widen: Callable, match: Callable) -> Products:
    narrow, widen, match = map(jax.custom_vjp, (narrow, widen, match))
    narrow.defvjp(lambda p, k: (narrow(p, k), (p, k)), lambda pk, y: (widen(y, pk[1]), match(y, pk[0])))
    widen.defvjp(lambda y, k: (widen(y, k), (y, k)), lambda yk, p: (narrow(p, yk[1]), match(yk[0], p)))
    match.defvjp(lambda y, p: (match(y, p), (y, p)), lambda yp, k: (narrow(yp[1], k), widen(yp[0], k)))
    return Products(narrow, widen, match)


TALL = _products(_contract(1, 0), _contract(1, 1), lambda y, p: _contract(0, 0)(p, y))
"""For kernels [N, O], as `down` and `same` store them."""
WIDE = _products(_contract(1, 1), _contract(1, 0), _contract(0, 0))
"""For kernels [O, N], to which `up` rearranges its kernels. This order is about 5 percent faster."""


def _gather(x: Array, shape: tuple[int, ...]) -> Array:
    """[B, 2h, 2w, C] -> [Bhw, 16C]: the window of each output, ordered (row, column, channel)."""
    batch, h, w, channels = shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    if channels < FEW_CHANNELS:
        x = lax.optimization_barrier(x)  # if it were fused into the copies below, the pad would be computed per number
    # Two neighbouring pixels of a row are one run of 2C numbers, so a window is 4 rows of 2 runs.
    x = x.reshape(batch, h + 1, 2, w + 1, 2 * channels)
    runs = [x[:, a : a + h, row, b : b + w] for a in (0, 1) for row in (0, 1) for b in (0, 1)]
    return jnp.concatenate(runs, -1).reshape(batch * h * w, 16 * channels)


def _scatter(windows: Array, shape: tuple[int, ...]) -> Array:
    """The adjoint of `_gather`: overlapping windows are added."""
    batch, h, w, channels = shape
    runs = windows.reshape(batch, h, w, 2, 2, 2, 2 * channels)

    def row(r):
        return sum(
            jnp.pad(runs[:, :, :, a, r, b], ((0, 0), (a, 1 - a), (b, 1 - b), (0, 0))) for a in (0, 1) for b in (0, 1)
        )

    x = jnp.stack([row(0), row(1)], 2).reshape(batch, 2 * h + 2, 2 * w + 2, channels)
    return x[:, 1:-1, 1:-1]


def _around(x: Array, shape: tuple[int, ...]) -> Array:
    """[B, H, W, C] -> [BHW, 9C]: the pixels around each one, ordered (row, column, channel)."""
    batch, height, width, channels = shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    if channels < FEW_CHANNELS:
        x = lax.optimization_barrier(x)
    shifts = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifts, -1).reshape(batch * height * width, 9 * channels)


def _together(windows: Array, shape: tuple[int, ...]) -> Array:
    """The adjoint of `_around`."""
    batch, height, width, channels = shape
    w = windows.reshape(batch, height, width, 3, 3, channels)
    x = jnp.zeros((batch, height + 2, width + 2, channels), windows.dtype)
    for i in range(3):
        for j in range(3):
            x += jnp.pad(w[:, :, :, i, j], ((0, 0), (i, 2 - i), (j, 2 - j), (0, 0)))
    return x[:, 1:-1, 1:-1]


gather, scatter = adjoints(_gather, _scatter)
around, together = adjoints(_around, _together)


def same(x: Array, k: Array) -> Array:
    """x[B, H, W, C], k[3, 3, C, O] -> [B, H, W, O]."""
    return TALL.narrow(around(x, x.shape), k.reshape(9 * x.shape[-1], -1)).reshape(*x.shape[:-1], -1)


def down(x: Array, k: Array) -> Array:
    """x[B, 2h, 2w, C], k[4, 4, C, O] -> [B, h, w, O]."""
    batch, height, width, channels = x.shape
    h, w = height // 2, width // 2
    windows = gather(x, (batch, h, w, channels))
    return TALL.narrow(windows, k.reshape(16 * channels, -1)).reshape(batch, h, w, -1)


def up(y: Array, k: Array) -> Array:
    """y[B, h, w, C], k[4, 4, C, O] -> [B, 2h, 2w, O]."""
    batch, h, w, channels = y.shape
    turned = k[::-1, ::-1].transpose(2, 0, 1, 3).reshape(channels, -1)  # its `down` is the adjoint of this `up`
    windows = WIDE.widen(y.reshape(-1, channels), turned)
    return scatter(windows, (batch, h, w, k.shape[-1]))
