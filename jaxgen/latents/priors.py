"""Priors of a latent vector: a family that may depend on a condition, a learned mixture, and the VampPrior."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Batch, check_type, nothing, rows, whole
from jaxgen.latents.latent import Given
from jaxgen.nets.adapters import pure
from jaxgen.objectives.distributions import GAUSSIAN, Family, Support, diag_gaussian


class Prior(NamedTuple):
    """The functions of a prior p(z | given)."""

    draw: Callable[..., Any]  # (key, shape [n, D]) -> noise
    sample: Callable[..., Array]  # (params, noise, given) -> z [n, D]
    log_prob: Callable[..., Array]  # (params, z [K, B, D], given) -> f32[K, B] nats
    init: Callable[..., Any] = nothing  # (key, D, batch) -> params
    theta: Callable[..., Any] | None = None  # (params, an array [B, D], given) -> theta, if p is a member of `family`
    family: Family | None = None
    support: Support = Support()
    posterior: Family | None = None  # the family that the posterior must have, if the prior is made of posteriors


def gaussian_prior(net: Any = None) -> Prior:
    """N(0, I), or a Gaussian whose parameters a network computes from the condition.

    Args:
      net: a stateless network, condition [B, ...] -> [B, 2 D]: the means, then the raw log_stds.
    """
    return family_prior(GAUSSIAN, net)


def family_prior(family: Family, net: Any = None) -> Prior:
    """The standard member of a family, or the member whose parameters a network computes from the condition.

    The standard member has the raw parameters 0: N(0, I) for GAUSSIAN, scale 1 for LAPLACE, fair coins for BERNOULLI.

    Args:
      family: of z.
      net: a stateless network, condition [B, ...] -> [B, family.size * D]: the raw parameters of the family.

    Raises:
      BadRequest: when it is initialised or called, if there is no condition for the network, or its output has another
        width.
    """
    start, apply = pure(net) if net is not None else (nothing, None)

    def raw(params, like: Array, given: Given) -> Array:
        width = family.size * like.shape[-1]
        if apply is None:
            return jnp.zeros((*like.shape[:-1], width), dtype=jnp.float32)
        if given.condition is None:
            raise BadRequest("the network of this prior needs a condition, and there is none: pass one with x.")
        out = apply(params, given.condition)
        if out.shape[1:] != (width,):
            raise BadRequest(
                f"the network of the prior gives {list(out.shape)} but must give [B, {width}], {family.size} "
                "for each latent: change its last layer."
            )
        return out

    def theta(params, like: Array, given: Given) -> Any:
        return family.theta(raw(params, like, given))

    def init(key, latent_dim: int, batch: Batch) -> Any:
        if apply is not None and batch.condition is None:
            raise BadRequest("the network of this prior needs a condition, and there is none: pass one with x.")
        return start(key, batch.condition)

    return Prior(
        draw=family.draw,
        sample=lambda params, noise, given: family.push(theta(params, noise, given), noise),
        log_prob=lambda params, z, given: family.log_prob(theta(params, z[0], given), z),
        init=init,
        theta=theta,
        family=family,
        support=family.support,
    )


def gaussian_mixture(components: int) -> Prior:
    """A learned mixture of C diagonal Gaussians: p(z) = sum_i w_i N(z; m_i, exp(s_i)^2). It ignores the condition.

    Params are means [C, D], raw_log_stds [C, D] with s = 7 tanh(raw / 7), and logits [C] with w = softmax(logits). The
    initial means are drawn from N(0, I), with stds of 1 and equal weights. A component is sampled as
    argmax(logits + noise) with Gumbel noise, so that the noise does not depend on params. The KL has no closed form.

    Args:
      components: C.

    Raises:
      BadRequest: for fewer than 1 component.
    """
    components = whole("components", components, 1)

    def log_prob(params, z, given):
        theta = diag_gaussian(params["means"], params["raw_log_stds"])
        each = jax.vmap(lambda log_w, component: log_w + GAUSSIAN.log_prob(component, z))
        return jax.nn.logsumexp(each(jax.nn.log_softmax(params["logits"]), theta), 0)

    def sample(params, noise, given):
        component = jnp.argmax(params["logits"][None] + noise["component"], -1)
        theta = diag_gaussian(params["means"], params["raw_log_stds"])
        return GAUSSIAN.push(jax.tree.map(lambda a: jnp.take(a, component, axis=0), theta), noise["z"])

    def draw(key, shape):
        k_component, k_z = jax.random.split(key)
        return {
            "component": jax.random.gumbel(k_component, (*shape[:-1], components), dtype=jnp.float32),
            "z": GAUSSIAN.draw(k_z, shape),
        }

    def init(key, latent_dim: int, batch: Batch):
        means = jax.random.normal(key, (components, latent_dim), dtype=jnp.float32)
        return {
            "means": means,
            "raw_log_stds": jnp.zeros_like(means),
            "logits": jnp.zeros(components, dtype=jnp.float32),
        }

    return Prior(draw, sample, log_prob, init)


def vamp(components: int, family: Family = GAUSSIAN) -> Prior:
    """The mixture of the posteriors of learned pseudo-inputs u_i: p(z) = 1/C sum_i q(z | encoder(u_i)).

    The pseudo-inputs are initialised with examples plus a little noise. The KL has no closed form. Tomczak and Welling
    2018, arXiv 1705.07120.

    Args:
      components: C.
      family: that of the posterior; `vector` refuses another one.

    Raises:
      BadRequest: for fewer than 1 component; in `init`, if the examples have a condition.
    """
    components = whole("components", components, 1)
    check_type("family", family, Family, "GAUSSIAN")

    def theta(params, given: Given) -> Any:
        return family.theta(given.encode(params))

    def log_prob(params, z, given):
        each = jax.vmap(lambda component: family.log_prob(component, z))(theta(params, given))
        return jax.nn.logsumexp(each, 0) - math.log(components)

    def sample(params, noise, given):
        chosen = jax.tree.map(lambda a: jnp.take(a, noise["component"], axis=0), theta(params, given))
        return family.push(chosen, noise["z"])

    def draw(key, shape):
        k_component, k_z = jax.random.split(key)
        return {
            "component": jax.random.randint(k_component, shape[:1], 0, components),
            "z": family.draw(k_z, shape),
        }

    def init(key, latent_dim: int, batch: Batch):
        if batch.condition is not None:
            raise BadRequest("the pseudo-inputs of vamp(...) have no condition: use gaussian_prior(net) with one.")
        k_example, k_noise = jax.random.split(key)
        x = jnp.take(batch.x, jax.random.randint(k_example, (components,), 0, rows(batch.x)), axis=0)
        return x + 0.01 * jax.random.normal(k_noise, x.shape, dtype=jnp.float32)

    return Prior(draw, sample, log_prob, init, support=family.support, posterior=family)
