"""How likely a model with a tractable bound finds data: bounds on log p(x) by samples of the posterior."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Array, BadRequest, Model, inputs, rows, whole

BLOCK = 4096  # posterior samples that are weighed at a time


class Bounds(NamedTuple):
    """Lower bounds on log p(x) of each example, in nats."""

    elbo: np.ndarray  # f64[N], the mean of `samples` log-weights
    importance: np.ndarray  # f64[N], the log of their mean weight, which is nearer to log p(x)


def bounds(key: Array, model: Model, x: Any, condition: Any = None, *, samples: int = 64) -> Bounds:
    """The ELBO and the importance bound of K = `samples` posterior samples, for each example of x [N, ...].

    ELBO: 1/K sum_k log w_k, importance: log 1/K sum_k w_k, w_k = p(x, z_k) / q(z_k | x). Burda et al. 2016,
    arXiv 1509.00519, eqs. 3 and 8. Examples are weighed in blocks, each with a key of its own.

    Raises:
      BadRequest: a model without `log_weight`, such as that of a GAN; fewer than 1 sample; no example.
    """
    if model.log_weight is None or model.draw_posterior is None:
        raise BadRequest("this model has no bound on log p(x): only those of VAEs have one.")
    if rows(x) < 1:
        raise BadRequest("x has no example: a bound is of at least one.")
    size, parts = max(1, BLOCK // whole("samples", samples, 1)), []
    for i in range(0, rows(x), size):
        block = jax.tree.map(lambda a, i=i: a[i : i + size], inputs(x, condition))
        short = size - rows(block)
        # Padded, so that one program serves the last block too.
        padded = jax.tree.map(lambda a, n=short: jnp.concatenate([a, jnp.repeat(a[-1:], n, 0)]), block)
        noise = model.draw_posterior(jax.random.fold_in(key, i), samples, *padded)
        parts.append(np.asarray(model.log_weight(noise, *padded), np.float64)[:, : size - short])
    log_weights = np.concatenate(parts, 1)
    top = log_weights.max(0)
    return Bounds(log_weights.mean(0), top + np.log(np.exp(log_weights - top).mean(0)))


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """(mean, low, high): the mean of values [N] and its 95 % interval from their standard error.

    >>> interval(np.array([1.0, 1.0]))
    (1.0, 1.0, 1.0)
    """
    mean = float(np.mean(values))
    half = 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("inf")
    return mean, mean - half, mean + half
