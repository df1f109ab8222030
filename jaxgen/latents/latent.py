"""The interface of a latent: a posterior and a prior of z, without the networks of x.

The encoder and the decoder belong to the game. A latent receives h = encoder(x, condition) and returns z.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, nothing
from jaxgen.objectives.estimators import plain


class Given(NamedTuple):
    """What a prior may depend on."""

    condition: Any  # of the examples, leaves [B, ...], or None
    encode: Callable[[Any], Any]  # x -> h, without noise, with the condition if there is one


class Inference(NamedTuple):
    """K posterior samples of each example, and the terms of their bound."""

    z: Any  # for the decoder, leaves [K, B, ...]
    log_p: Array  # log p(z), f32[K, B] nats
    log_q: Array  # log q(z | x), f32[K, B] nats
    kl: Array | None = None  # KL(q || p) if it has a closed form, by dimension or layer: f32[B, G] nats
    cost: Array | None = None  # what the loss uses in place of `kl`, f32[B, G]
    penalty: Any = 0.0  # other terms of a loss, f32[B]
    state: Any = ()  # the new state of the latent
    info: Mapping[str, Array] = {}  # figures, f32[] each
    reduce: Callable[..., Array] = plain
    """(bound, log_w [K, B], beta=1.0) -> f32[B]: the bound, with the gradient of the latent's estimator. `beta` is the
    weight of log q in log_w. A loss must call it exactly once."""


class Latent(NamedTuple):
    """Posterior and prior of z. h is the output of the encoder, leaves [B, ...]."""

    init: Callable[..., tuple[Any, Any]]  # (key, h, batch) -> (params, state)
    draw: Callable[..., Any]  # (key, K, B) -> noise of K samples for each of B examples
    infer: Callable[..., Inference]  # (params, state, noise, h, given) -> Inference
    encode: Callable[..., Any]  # (params, state, h) -> z [B, ...], without noise
    draw_prior: Callable[..., Any]  # (key, n) -> noise
    generate: Callable[..., Any]  # (params, state, noise, given) -> z [n, ...]
    couples: bool = False  # True if the values of an example depend on the rest of its batch
    closed_form: bool = False  # True if `infer` gives `kl`
    check: Callable[..., Any] = nothing  # (bound or None, K); raises BadRequest if it cannot be trained with these


def free_bits(latent: Latent, nats: float) -> Latent:
    """`latent` with free bits: the loss contains sum_g max(nats, mean_B KL_g), over dimensions or layers g.

    The mean over the batch is inside the maximum, so the examples of a batch are coupled. If the mean of KL_g is above
    `nats`, the loss of each example contains its own KL_g. Otherwise it contains `nats`, and KL_g has no gradient. The
    figures `kl_nats` and `neg_elbo_nats` are still computed from the KL itself. Kingma et al. 2016, arXiv 1606.04934,
    section on free bits.

    Raises:
      BadRequest: if the latent has no KL in closed form, or nats is not a finite number of at least 0; when a game is
        built, if it has a bound, because the KL is then estimated from samples.
    """
    if not latent.closed_form:
        raise BadRequest(
            "free bits need the KL of each dimension in closed form, which this latent does not have: use a posterior "
            "and a prior of one family, and an estimator other than DREG."
        )
    if not 0 <= nats < math.inf:
        raise BadRequest(f"nats={nats}: free bits must be a finite number of at least 0.")

    def infer(*args: Any) -> Inference:
        q = latent.infer(*args)
        each = jnp.asarray(q.kl)
        return q._replace(cost=jnp.where(jnp.mean(each, 0, keepdims=True) > nats, each, nats))

    def check(bound: Any, samples: int) -> None:
        latent.check(bound, samples)
        if bound is not None:
            raise BadRequest("free bits replace the KL in closed form, so they need bound=None.")

    return latent._replace(infer=infer, couples=True, check=check)
