"""Discrete codes with a uniform prior: learned codebooks (VQ) and finite scalar quantisation (FSQ)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Array, BadRequest, check_type, nothing, rows, whole, wholes
from jaxgen.latents.latent import Inference, Latent

_stop = jax.lax.stop_gradient
_IDLE = 1e-6  # the smallest count of a code that no vector chooses; below it, its averages would underflow


class Quantiser(NamedTuple):
    """A map from each vector of e [B, ..., C] to one of `codes` codes."""

    codes: int
    apply: Callable[..., tuple[Array, Array, Array, Any]]  # (state, e) -> (z, codes i32[B, ...], penalty [B], state)
    lookup: Callable[..., Array]  # (state, codes) -> z
    init: Callable[..., Any] = nothing  # (key, e) -> state
    channels: int | None = None  # C; None: any


def codebook(codes: int, *, commitment: float = 0.25, decay: float = 0.99) -> Quantiser:
    """VQ-VAE's codebook: z is the nearest of `codes` vectors, each the moving average of the vectors assigned to it.

    The gradient with respect to z is passed to e (straight through). The penalty of an example is commitment |e - z|^2,
    summed over its positions and channels, with z held fixed. The state holds moving averages of the number of vectors
    assigned to each code, in units in which equally used codes have the count 1, and of their sum; a code vector is
    sum / count. A code to which no vector is assigned does not move, up to rounding, because both averages decay alike;
    they stay constant if the count would fall below 1e-6. Otherwise both are linear in the batch. The figures
    `codes_used` and `code_perplexity` describe the codes of the batch. van den Oord et al. 2017, arXiv 1711.00937, with
    the moving averages of its appendix A.1.

    Args:
      codes: number of vectors. They are initialised with vectors of the encoder.
      commitment: weight of the penalty, beta in the paper.
      decay: of the moving averages, gamma in the paper. With 0, a code is the mean of the vectors last assigned to it.

    Raises:
      BadRequest: for fewer than 1 code, a negative commitment, or a decay outside [0, 1).
    """
    codes = whole("codes", codes, 1)
    if not 0 <= commitment < math.inf or not 0 <= decay < 1:
        raise BadRequest(
            f"commitment={commitment}, decay={decay}: codebook() needs a finite commitment of at least 0 and a decay "
            "in [0, 1)."
        )

    def table(state) -> Array:
        return state["sum"] / state["count"][:, None]

    def init(key, e):
        k_choice, k_noise = jax.random.split(key)
        flat = e.reshape(-1, e.shape[-1])
        some = flat[jax.random.choice(k_choice, len(flat), (codes,), replace=len(flat) < codes)]
        # Two equal codes would stay equal, because all their vectors would be assigned to the first of them.
        apart = 1e-3 * jnp.std(flat) * jax.random.normal(k_noise, some.shape, dtype=jnp.float32)
        return {"sum": some + apart, "count": jnp.ones(codes, dtype=jnp.float32)}

    def apply(state, e):
        flat, book = _stop(e).reshape(-1, e.shape[-1]), table(state)
        code = jnp.argmin(jnp.sum(book**2, -1)[None] - 2 * flat @ book.T, -1)  # |e - c|^2 less |e|^2
        chosen = jax.nn.one_hot(code, codes, dtype=jnp.float32) * (codes / len(flat))
        batch = {"sum": chosen.T @ flat, "count": jnp.sum(chosen, 0)}
        moved = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state, batch)
        idle = (batch["count"] == 0) & (moved["count"] < _IDLE)
        new = {
            "sum": jnp.where(idle[:, None], state["sum"], moved["sum"]),
            "count": jnp.where(idle, state["count"], moved["count"]),
        }
        z = book[code].reshape(e.shape)
        penalty = commitment * jnp.sum(((e - z) ** 2).reshape(rows(e), -1), -1)
        return e + _stop(z - e), code.reshape(e.shape[:-1]), penalty, new

    return Quantiser(codes, apply, lambda state, code: table(state)[code], init)


def scalars(*levels: int) -> Quantiser:
    """FSQ: each channel c is rounded to one of `levels[c]` values, with a straight-through gradient and no parameters.

    Channel c of e is bounded to b = tanh(e + s) h - o with h = (L - 1) (1 - .001) / 2, o = 1/2 if L is even, else 0,
    and s = tan(o / h); z is round(b) / floor(L / 2), from -1 to 1, or below 1 if L is even. Mentzer et al. 2024, arXiv
    2309.15505, appendix A.1.

    Raises:
      BadRequest: if there is no channel, or a channel has fewer than 2 levels.
    """
    levels = wholes("levels", levels, 2)
    each = np.array(levels)
    half = (each - 1) * (1 - 1e-3) / 2
    offset = np.where(each % 2 == 0, 0.5, 0.0)
    shift, width = np.tan(offset / half), each // 2
    base = np.array([math.prod(levels[:i]) for i in range(len(levels))], np.int32)

    def across(numbers: np.ndarray, e: Array) -> Array:
        return jnp.asarray(numbers, e.dtype).reshape((1,) * (e.ndim - 1) + (-1,))

    def apply(state, e):
        bounded = jnp.tanh(e + across(shift, e)) * across(half, e) - across(offset, e)
        rounded = bounded + _stop(jnp.round(bounded) - bounded)
        digits = (jnp.round(_stop(rounded)) + across(width, e)).astype(jnp.int32)
        code = jnp.sum(digits * base.reshape((1,) * (e.ndim - 1) + (-1,)), -1)
        return rounded / across(width, e), code, jnp.zeros(rows(e), dtype=jnp.float32), state

    def lookup(state, code):
        shape = (1,) * code.ndim + (-1,)
        digits = code[..., None] // base.reshape(shape) % each.reshape(shape)
        return (digits - width.reshape(shape)) / width.reshape(shape)

    return Quantiser(math.prod(levels), apply, lookup, channels=len(levels))


def quantised(quantiser: Quantiser, positions: tuple[int, ...]) -> Latent:
    """z [B, *positions, C], the quantised h. q(z | x) is a point mass and p(z) uniform; KL = log(codes) per position.

    Args:
      quantiser: `codebook(n)` or `scalars(*levels)`.
      positions: axes of the grid of codes, such as (7, 7).

    h is [B, *positions, C], or the same flattened, [B, positions * C].

    Raises:
      BadRequest: if there is no axis, or one is below 1; in `init`, for another shape of h; when a game is built, if
        samples is not 1, because all samples of a point mass are the same.
    """
    check_type("quantiser", quantiser, Quantiser, "codebook(64)")
    positions = wholes("positions", positions, 1)
    places = math.prod(positions)
    nats = places * math.log(quantiser.codes)

    def grid(h: Array) -> Array:
        e = h.reshape(rows(h), *positions, -1) if h.ndim == 2 and h.shape[1] % places == 0 else h
        if e.shape[1:-1] != positions or (quantiser.channels or e.shape[-1]) != e.shape[-1]:
            wanted = ", ".join(map(str, ("B", *positions, quantiser.channels or "C")))
            raise BadRequest(
                f"the encoder gives {list(h.shape)} but must give [{wanted}], or the same flattened: change its last "
                "layer."
            )
        return e

    def infer(params, state, noise, h, given):
        z, code, penalty, state = quantiser.apply(state, grid(h))
        zero = jnp.zeros((1, rows(h)), dtype=jnp.float32)
        share = jnp.zeros(quantiser.codes, dtype=jnp.float32).at[code.ravel()].add(1 / code.size)
        used = jnp.sum((share > 0).astype(jnp.float32))
        info = {"codes_used": used, "code_perplexity": jnp.exp(jnp.sum(jax.scipy.special.entr(share)))}
        return Inference(z[None], zero - nats, zero, nats - zero[0][:, None], penalty=penalty, state=state, info=info)

    def check(bound: Any, samples: int) -> None:
        if samples != 1:
            raise BadRequest(f"samples={samples}: this posterior is a point mass, so all samples are the same: use 1.")

    return Latent(
        init=lambda key, h, batch: ((), quantiser.init(key, grid(h))),
        draw=nothing,
        infer=infer,
        encode=lambda params, state, h: quantiser.apply(state, grid(h))[0],
        draw_prior=lambda key, n: jax.random.randint(key, (n, *positions), 0, quantiser.codes),
        generate=lambda params, state, noise, given: quantiser.lookup(state, noise),
        closed_form=True,
        check=check,
    )
