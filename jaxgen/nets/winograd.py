"""4x4 convolutions of stride 2 in 9/16 of the multiplications, by Winograd's F(2x2, 2x2).

Cut into 2x2 blocks of pixels, the image has 4C numbers per position and the convolution becomes a 2x2 one of stride 1.
Along one axis, with blocks d0 d1 d2 and taps g0 g1, two outputs then take three products,

    y0 = d0 g0 + d1 g1 = m0 + m1        m0 = (d0 - d1) g0
    y1 = d1 g0 + d2 g1 = m1 + m2        m1 = d1 (g0 + g1)
                                        m2 = (d2 - d1) g1

whereas the plain form takes four; over both axes nine instead of sixteen. Every coefficient is 0 or +-1, so little
accuracy is lost: errors are about 1e-6 of the largest output at 256 channels, compared with 4e-7. Gradients in the
image and in the kernel are adjoints of the same bilinear form, and cost the same.

Winograd 1980; Lavin and Gray 2015, arXiv 1509.09308.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from jaxgen.core import Array
from jaxgen.nets.matmul import TALL, WIDE, adjoints

Nine = tuple[Array, ...]  # one matrix for each product, rows first


def _taps(d: Array, axis: int) -> list[Array]:
    """d0 - d1, d1, d2 - d1 for the overlapping triples of blocks along an axis of 2n + 1."""
    end = d.shape[axis]
    even, odd = lax.slice_in_dim(d, 0, end, 2, axis), lax.slice_in_dim(d, 1, end, 2, axis)
    n = odd.shape[axis]
    return [lax.slice_in_dim(even, 0, n, 1, axis) - odd, odd, lax.slice_in_dim(even, 1, n + 1, 1, axis) - odd]


def _untaps(m: list[Array], axis: int) -> Array:
    """The adjoint of `_taps`."""

    def widened(v, before, after):
        return jnp.pad(v, [(before, after) if a == axis else (0, 0) for a in range(v.ndim)])

    even = widened(m[0], 0, 1) + widened(m[2], 1, 0)
    odd = widened(m[1] - m[0] - m[2], 0, 1)
    d = jnp.stack([even, odd], axis + 1)
    d = d.reshape(*even.shape[:axis], -1, *even.shape[axis + 1 :])
    return lax.slice_in_dim(d, 0, d.shape[axis] - 1, 1, axis)


def _sums(a: Array, b: Array) -> list[Array]:
    """The transform of a pair of taps or of output gradients: the adjoint of m0 + m1, m1 + m2."""
    return [a, a + b, b]


def _split(x: Array, shape: tuple[int, ...]) -> Nine:
    """[B, 2h, 2w, C] -> nine [Bhw/4, 4C]."""
    batch, h, w, channels = shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    blocks = x.reshape(batch, h + 1, 2, w + 1, 2 * channels).swapaxes(2, 3).reshape(batch, h + 1, w + 1, 4 * channels)
    return tuple(d.reshape(-1, 4 * channels) for row in _taps(blocks, 1) for d in _taps(row, 2))


def _merge(nine: Nine, shape: tuple[int, ...]) -> Array:
    """The adjoint of `_split`."""
    batch, h, w, channels = shape
    m = [d.reshape(batch, h // 2, w // 2, 4 * channels) for d in nine]
    blocks = _untaps([_untaps(m[i : i + 3], 2) for i in (0, 3, 6)], 1)
    x = blocks.reshape(batch, h + 1, w + 1, 2, 2 * channels).swapaxes(2, 3)
    return x.reshape(batch, 2 * h + 2, 2 * w + 2, channels)[:, 1:-1, 1:-1]


def _gather(nine: Nine, shape: tuple[int, ...]) -> Array:
    """Nine [Bhw/4, O] -> [B, h, w, O]: y0 = m0 + m1, y1 = m1 + m2 over both axes."""
    batch, h, w, out = shape
    m = [d.reshape(batch, h // 2, w // 2, out) for d in nine]
    halves = [(m[i] + m[i + 1], m[i + 1] + m[i + 2]) for i in (0, 3, 6)]
    rows = [jnp.stack([halves[i][j] + halves[i + 1][j] for j in (0, 1)], 3) for i in (0, 1)]
    return jnp.stack(rows, 2).reshape(shape)


def _spread(y: Array, shape: tuple[int, ...]) -> Nine:
    """The adjoint of `_gather`."""
    batch, h, w, out = shape
    y = y.reshape(batch, h // 2, 2, w // 2, 2, out)
    top, bottom = (_sums(*(y[:, :, i, :, j].reshape(-1, out) for j in (0, 1))) for i in (0, 1))
    return tuple(d for row in zip(*map(_sums, top, bottom), strict=True) for d in row)


split, merge = adjoints(_split, _merge)
gather, spread = adjoints(_gather, _spread)


def _kernels(blocks: Callable[[int, int], Array]) -> Nine:
    """g0, g0 + g1, g1 over both axes, of `blocks(row, column)`, the 2x2 taps of a block as a matrix."""
    top, bottom = (_sums(blocks(i, 0), blocks(i, 1)) for i in (0, 1))
    return tuple(d for row in zip(*map(_sums, top, bottom), strict=True) for d in row)


def down(x: Array, k: Array) -> Array:
    """x[B, 2h, 2w, C], k[4, 4, C, O] -> [B, h, w, O], h and w even."""
    batch, height, width, channels = x.shape
    h, w, out = height // 2, width // 2, k.shape[-1]
    if batch * h * w < 16 * channels:
        taps, form = k.reshape(2, 2, 2, 2, channels, out), TALL
        kernels = _kernels(lambda i, j: taps[i, :, j].reshape(4 * channels, out))
    else:  # many positions: the products pay for a kernel that is transposed first, because theirs is the faster order
        taps, form = k.reshape(-1, out).T.reshape(out, 2, 2, 2, 2, channels), WIDE
        kernels = _kernels(lambda i, j: taps[:, i, :, j].reshape(out, 4 * channels))
    # Nine separate products, because XLA runs independent ones side by side; one batched product is slower.
    products = tuple(map(form.narrow, split(x, (batch, h, w, channels)), kernels))
    return gather(products, (batch, h, w, out))


def up(y: Array, k: Array) -> Array:
    """y[B, h, w, C], k[4, 4, C, O] -> [B, 2h, 2w, O], h and w even."""
    batch, h, w, channels = y.shape
    out = k.shape[-1]
    taps = k[::-1, ::-1].reshape(2, 2, 2, 2, channels, out)
    kernels = [d.transpose(2, 0, 1, 3).reshape(channels, 4 * out) for d in _kernels(lambda i, j: taps[i, :, j])]
    products = tuple(map(WIDE.widen, spread(y, (batch, h, w, channels)), kernels))
    return merge(products, (batch, h, w, out))
