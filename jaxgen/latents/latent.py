"""What a latent is to a game: a posterior and a prior of z, without networks of x.

The encoder belongs to the game. A latent sees h = encoder(x, condition), and gives the decoder its z.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, nothing
from jaxgen.objectives.estimators import plain


class Given(NamedTuple):
    """What a prior may look at."""

    condition: Any  # of the examples, leaves [B, ...], or None
    encode: Callable[[Any], Any]  # x -> h, without noise, with the condition if there is one


class Inference(NamedTuple):
    """K samples of the posterior of each example, and what their bound is made of."""

    z: Any  # for the decoder, leaves [K, B, ...]
    log_p: Array  # log p(z), f32[K, B] nats
    log_q: Array  # log q(z | x), f32[K, B] nats
    kl: Array | None = None  # KL(q || p) where known in closed form, by dimension or layer: f32[B, G] nats
    cost: Array | None = None  # what a loss pays in place of `kl`, f32[B, G]
    penalty: Any = 0.0  # other terms of a loss, f32[B]
    state: Any = ()  # the new state of the latent
    info: Mapping[str, Array] = {}  # figures, f32[] each
    reduce: Callable[..., Array] = plain
    """(bound, log_w [K, B], beta=1.0) -> f32[B]: the bound, with the gradient of the latent's estimator. `beta` is the
    weight of log q in log_w. A loss calls it once."""


class Latent(NamedTuple):
    """Posterior and prior of z. h is what the encoder says of x, leaves [B, ...]."""

    init: Callable[..., tuple[Any, Any]]  # (key, h, batch) -> (params, state)
    draw: Callable[..., Any]  # (key, K, B) -> noise of K samples for each of B examples
    infer: Callable[..., Inference]  # (params, state, noise, h, given) -> Inference
    encode: Callable[..., Any]  # (params, state, h) -> z [B, ...], without noise
    draw_prior: Callable[..., Any]  # (key, n) -> noise
    generate: Callable[..., Any]  # (params, state, noise, given) -> z [n, ...]
    couples: bool = False  # True if the examples of a batch see each other
    closed_form: bool = False  # True if `infer` gives `kl`
    check: Callable[..., Any] = nothing  # (bound or None, K); raises BadRequest if it cannot be trained so


def free_bits(latent: Latent, nats: float) -> Latent:
    """`latent` with `nats` free for each dimension or layer: a loss pays sum_g max(nats, mean_B KL_g).

    The mean over the batch stands inside the maximum, so examples see each other: what counts is whether the mean of
    KL_g is above `nats`, not whether that of one example is. If it is, an example pays its own KL_g; if not, every
    example pays `nats`, and none has a gradient in KL_g. The figures `kl_nats` and `neg_elbo_nats` stay those of the KL
    itself. Kingma et al. 2016, arXiv 1606.04934, section on free bits.

    Raises:
      BadRequest: if the latent has no KL in closed form; unless nats is a finite number of at least 0; and, when a game
        is built, under a bound other than None, which takes the KL by samples.
    """
    if not latent.closed_form:
        raise BadRequest(
            "free bits need the KL of each dimension in closed form, which this latent lacks: use a posterior and a "
            "prior of one family, and an estimator other than DREG."
        )
    if not 0 <= nats < math.inf:
        raise BadRequest(f"nats={nats}: free bits are a finite number of at least 0.")

    def infer(*args: Any) -> Inference:
        q = latent.infer(*args)
        each = jnp.asarray(q.kl)
        return q._replace(cost=jnp.where(jnp.mean(each, 0, keepdims=True) > nats, each, nats))

    def check(bound: Any, samples: int) -> None:
        latent.check(bound, samples)
        if bound is not None:
            raise BadRequest("free bits are paid in place of the KL in closed form: leave bound=None.")

    return latent._replace(infer=infer, couples=True, check=check)
