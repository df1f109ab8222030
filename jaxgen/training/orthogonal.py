"""Orthogonal regularisation, as a part of an optimiser."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import BadRequest, check_type
from jaxgen.nets.wrappers import SHIFTS_AND_SCALES
from jaxgen.objectives.schedules import as_number

TABLES = {"embedding", "embeddings"}  # names of tables of Linen and NNX, and of Haiku


def orthogonal(strength: float, *, out: int = -1) -> optax.GradientTransformation:
    """Adds to a gradient the slope of strength sum |W W^T - diag(W W^T)|^2 over the kernels W, as matrices [out, rest].

    The rows of a kernel, one for each output, become orthogonal. Their lengths are free, but they shrink meanwhile.
    Brock et al. 2019, arXiv 1809.11096, eq. 3 with 1e-4 for the generator; the slope is
    4 strength (W W^T - diag(W W^T)) W, and the authors' PyTorch code has half of it. Kernels are leaves of two axes or
    more, as those of `spectral`: not biases, not scales, and no tables called "embedding" or "embeddings".

    Args:
      strength: at least 0.
      out: the axis of a kernel's outputs, as of `jaxgen.nets.spectral`.

    Raises:
      BadRequest: if the strength is negative or not finite, or if `out` is not a whole number. `update` raises it if it
        is called without params, or if a kernel has no axis `out`.

    >>> tx = optax.chain(orthogonal(0.25), optax.sgd(1.0))
    >>> params = {"kernel": jnp.array([[1.0, 1.0], [0.0, 1.0]])}  # its outputs are (1, 0) and (1, 1)
    >>> print(tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)[0]["kernel"])
    [[-1. -1.]
     [-1. -0.]]
    """
    check_type("out", out, int, "-1")
    number = as_number(strength)
    if number is None or not 0 <= number < math.inf:
        raise BadRequest(f"strength={strength!r}: it must be a finite number of at least 0.")

    def slope(path: Any, w: Any) -> Any:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        *_, last = names = name.split("/")
        if w.ndim < 2 or last in SHIFTS_AND_SCALES or TABLES & set(names):
            return jnp.zeros_like(w)
        if not -w.ndim <= out < w.ndim:
            raise BadRequest(f"the kernel {name} of {w.shape} has no axis {out}: choose another `out`.")
        moved = jnp.moveaxis(w, out, 0)
        rows = moved.reshape(len(moved), -1)
        gram = rows @ rows.T
        apart = gram - jnp.diag(jnp.diag(gram))
        return jnp.moveaxis((4 * number * apart @ rows).reshape(moved.shape), 0, out)

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        if params is None:
            raise BadRequest("orthogonal() reads params, so its update wants them too: update(grads, state, params).")
        return jax.tree.map(jnp.add, updates, jax.tree_util.tree_map_with_path(slope, params)), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
