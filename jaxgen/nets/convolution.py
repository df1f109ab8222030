"""The front door of convolution, and the one switch between its two forms.

Every convolution here has a 4x4 kernel, stride 2 and padding 1, on NHWC images, with kernels stored `[O, 4, 4, C]`:
`down` halves an image, and `up`, its adjoint, doubles one.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jax import lax

from jaxgen.core import Array, BadRequest
from jaxgen.nets import matmul, winograd


class Convolutions(NamedTuple):
    """A form of convolution. Sides of x must be even: `BadRequest` otherwise."""

    down: Callable[[Array, Array], Array]  # x[B, H, W, C], k[O, 4, 4, C] -> [B, H/2, W/2, O]
    up: Callable[[Array, Array], Array]  # y[B, h, w, O], k[O, 4, 4, C] -> [B, 2h, 2w, C]


def _even(x: Array) -> None:
    _, height, width, _ = x.shape
    if height % 2 or width % 2:
        raise BadRequest(f"a convolution of stride 2 halves even sides, not {height}x{width}: pad the image first.")


def _form(h: int, w: int, channels: int):
    """Winograd where its transforms pay: sides that pair up, and runs of numbers long enough."""
    return winograd if channels >= matmul.FEW_CHANNELS and h % 2 == 0 and w % 2 == 0 else matmul


def _matmul_down(x: Array, k: Array) -> Array:
    _even(x)
    _, height, width, channels = x.shape
    return _form(height // 2, width // 2, channels).down(x, k)


def _matmul_up(y: Array, k: Array) -> Array:
    _, h, w, _ = y.shape
    return _form(h, w, k.shape[-1]).up(y, k)


def _lax_down(x: Array, k: Array) -> Array:
    _even(x)
    return lax.conv_general_dilated(x, k, (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "OHWI", "NHWC"))


def _lax_up(y: Array, k: Array) -> Array:
    return lax.conv_general_dilated(
        y, k[:, ::-1, ::-1], (1, 1), ((2, 2), (2, 2)), lhs_dilation=(2, 2), dimension_numbers=("NHWC", "IHWO", "NHWC")
    )


MATMUL = Convolutions(_matmul_down, _matmul_up)
"""Matrix products and copies only: several times faster than `LAX` on CPU, and free to stand in loops and branches.

Winograd's form where it pays, im2col elsewhere. Reverse mode of any order, `jit`, `vmap` and `scan` are fast. Forward
mode is not there: `jax.jvp`, `jacfwd` and `hessian` raise a TypeError; pass `LAX` where they are needed.
"""

LAX = Convolutions(_lax_down, _lax_up)
"""XLA's own convolutions: the form for GPU and TPU, and the one with forward mode.

On CPU they are slow, and inside `scan`, `while_loop` or `cond` some 50 times slower still.
"""


def convolutions() -> Convolutions:
    """`MATMUL` where JAX's default backend is the CPU, `LAX` elsewhere.

    The default of every convolutional module. Pass `convolve=LAX` to it where forward mode is needed.
    """
    return MATMUL if jax.default_backend() == "cpu" else LAX
