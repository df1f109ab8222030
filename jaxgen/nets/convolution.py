"""Convolutions of stride 2 and 1 in two implementations, and the choice between them.

The images are NHWC. `down` halves an image and `up` doubles one, with 4x4 kernels, stride 2 and padding 1; `same` keeps
its size, with 3x3 kernels and padding 1. Kernels are stored as Linen stores them, `[4, 4, in, out]`: `down` is
`nn.Conv(out, (4, 4), 2, 1)`, `up` is `nn.ConvTranspose(out, (4, 4), (2, 2))`, and `same` is `nn.Conv(out, (3, 3))`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jax import lax

from jaxgen.core import Array, BadRequest
from jaxgen.nets import matmul, winograd


class Convolutions(NamedTuple):
    """An implementation of convolution. `down` raises `BadRequest` unless both sides are even."""

    down: Callable[[Array, Array], Array]  # x[B, H, W, C], k[4, 4, C, O] -> [B, H/2, W/2, O]
    up: Callable[[Array, Array], Array]  # y[B, h, w, C], k[4, 4, C, O] -> [B, 2h, 2w, O]
    same: Callable[[Array, Array], Array]  # x[B, H, W, C], k[3, 3, C, O] -> [B, H, W, O]


def _even(x: Array) -> None:
    _, height, width, _ = x.shape
    if height % 2 or width % 2:
        raise BadRequest(f"a convolution of stride 2 needs even sides, not {height}x{width}: pad the image first.")


def _form(h: int, w: int, channels: int):
    """Winograd's algorithm if it is faster: for even sides, and enough channels for long copies."""
    return winograd if channels >= matmul.FEW_CHANNELS and h % 2 == 0 and w % 2 == 0 else matmul


def _matmul_down(x: Array, k: Array) -> Array:
    _even(x)
    _, height, width, channels = x.shape
    return _form(height // 2, width // 2, channels).down(x, k)


def _matmul_up(y: Array, k: Array) -> Array:
    _, h, w, _ = y.shape
    return _form(h, w, k.shape[-1]).up(y, k)


def _lax_same(x: Array, k: Array) -> Array:
    return _lax(x, k, 1, 1, 1)


def _lax(x: Array, k: Array, stride: int, padding: int, dilation: int) -> Array:
    pads, layout = ((padding, padding),) * 2, ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, k, (stride, stride), pads, (dilation, dilation), dimension_numbers=layout)


def _lax_down(x: Array, k: Array) -> Array:
    _even(x)
    return _lax(x, k, 2, 1, 1)


def _lax_up(y: Array, k: Array) -> Array:
    return _lax(y, k, 1, 2, 2)


MATMUL = Convolutions(_matmul_down, _matmul_up, matmul.same)
"""Convolution by matrix products and copies: several times faster than `LAX` on CPU, also inside loops and branches.

It uses Winograd's algorithm if that is faster, and im2col otherwise. Reverse mode of any order, `jit`, `vmap` and
`scan` are fast. It has no forward mode: `jax.jvp`, `jacfwd` and `hessian` raise a TypeError, and need `LAX`.
"""

LAX = Convolutions(_lax_down, _lax_up, _lax_same)
"""XLA's own convolutions, for GPU and TPU, and for forward mode.

On CPU they are slow, and inside `scan`, `while_loop` or `cond` about 50 times slower still.
"""


def convolutions() -> Convolutions:
    """`MATMUL` if JAX's default backend is the CPU, otherwise `LAX`.

    This is the default of every convolutional module. Pass `convolve=LAX` to a module if you need forward mode.
    """
    return MATMUL if jax.default_backend() == "cpu" else LAX
