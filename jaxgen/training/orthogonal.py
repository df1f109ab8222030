"""Orthogonal regularisation, as a part of an optimiser."""

import math
import numbers
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import BadRequest, check_type


def orthogonal(strength: float, *, out: int = -1) -> optax.GradientTransformation:
    """Adds to a gradient the slope of strength sum |W W^T - diag(W W^T)|^2 over the kernels W, as matrices [out, rest].

    Rows of a kernel, one for each output, are led apart and keep their lengths. Brock et al. 2019, arXiv 1809.11096,
    eq. 3 with 1e-4 for the generator; the slope is 4 strength (W W^T - diag(W W^T)) W, where the authors' PyTorch code
    has half of it. Kernels are leaves of two axes or more, but for tables called "embedding".

    Args:
      strength: at least 0.
      out: the axis of a kernel's outputs, as of `jaxgen.nets.spectral`.

    Raises:
      BadRequest: a strength that is negative or not finite; by `update`, if it is called without params.

    >>> tx = optax.chain(orthogonal(0.25), optax.sgd(1.0))
    >>> params = {"kernel": jnp.array([[1.0, 1.0], [0.0, 1.0]])}  # its outputs are (1, 0) and (1, 1)
    >>> print(tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)[0]["kernel"])
    [[-1. -1.]
     [-1. -0.]]
    """
    check_type("strength", strength, numbers.Real, "1e-4")
    if not 0 <= strength < math.inf:
        raise BadRequest(f"strength={strength!r}: it must be a finite number of at least 0.")

    def slope(path: Any, w: Any) -> Any:
        if w.ndim < 2 or "embedding" in jax.tree_util.keystr(path, simple=True, separator="/").split("/"):
            return jnp.zeros_like(w)
        moved = jnp.moveaxis(w, out, 0)
        rows = moved.reshape(len(moved), -1)
        gram = rows @ rows.T
        apart = gram - jnp.diag(jnp.diag(gram))
        return jnp.moveaxis((4 * strength * apart @ rows).reshape(moved.shape), 0, out)

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        if params is None:
            raise BadRequest("orthogonal() reads params, so its update wants them too: update(grads, state, params).")
        return jax.tree.map(jnp.add, updates, jax.tree_util.tree_map_with_path(slope, params)), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
