"""Weight clipping, the first constraint of Wasserstein critics, as an optimiser."""

import math
import numbers

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.core import BadRequest, check_type


def clipped(optimizer: optax.GradientTransformation, limit: float) -> optax.GradientTransformation:
    """`optimizer` whose params are put back into [-limit, limit] after each of its updates.

    Params may pass the limit by a rounding error, because an optimiser returns differences. Arjovsky et al. 2017, arXiv
    1701.07875, algorithm 1: `{"critic": clipped(optax.rmsprop(5e-5), 0.01)}`.

    Args:
      optimizer: of one player, or of one loss.
      limit: the largest absolute value of a param.

    Raises:
      BadRequest: if the limit is not a finite number above 0, or if `optimizer` is not an optimiser.

    >>> tx = clipped(optax.sgd(1.0), 0.5)
    >>> params = jnp.array([0.4, 0.4])
    >>> updates, _ = tx.update(jnp.array([-1.0, 0.3]), tx.init(params), params)
    >>> bool(jnp.allclose(params + updates, jnp.array([0.5, 0.1])))
    True
    """
    check_type("optimizer", optimizer, optax.GradientTransformation, "optax.adam(1e-4)")
    number = (
        isinstance(limit, numbers.Real) or np.shape(limit) == () and np.issubdtype(np.asarray(limit).dtype, np.floating)
    )
    if isinstance(limit, bool) or not number or not 0 < float(limit) < math.inf:
        raise BadRequest(f"limit={limit!r}: params are clipped to a finite number above 0.")

    def update(updates, state, params=None, **extra):
        if params is None:
            raise BadRequest("clipped() puts params back, so its update wants them too: update(grads, state, params).")
        updates, state = wrapped.update(updates, state, params, **extra)
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -limit, limit) - p, updates, params), state

    wrapped = optax.with_extra_args_support(optimizer)
    return optax.GradientTransformationExtraArgs(optimizer.init, update)
