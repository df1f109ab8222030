"""One latent vector for each example: a posterior, a prior, and the estimator of the posterior's gradient."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Batch, check_type, nothing, whole
from jaxgen.latents.latent import Given, Inference, Latent
from jaxgen.latents.priors import Prior, family_prior
from jaxgen.objectives.bounds import Bound
from jaxgen.objectives.distributions import GAUSSIAN, Family, Support
from jaxgen.objectives.divergences import closed_form
from jaxgen.objectives.estimators import NOT_DIFFERENTIABLE, PATHWISE, Estimator, Law, law_of


class Posterior(NamedTuple):
    """The functions of a posterior q(z | h), h [B, size D]. `sample` gives z together with its density."""

    size: int  # numbers of h for each latent
    draw: Callable[..., Any]  # (key, shape [K, B, D]) -> noise
    sample: Callable[..., tuple[Array, Array]]  # (params, h, noise) -> (z [K, B, D], log q(z) [K, B] nats)
    log_prob: Callable[..., Array]  # (params, h, z) -> f32[K, B] nats
    mean: Callable[..., Array]  # (params, h) -> [B, D], the z that represents x
    init: Callable[..., Any] = nothing  # (key, h, D) -> params
    family: Family | None = None  # the family of q if it has one, for a KL in closed form
    pathwise: bool = True  # True if z is differentiable in params and h
    support: Support = Support()


def vector(
    latent_dim: int,
    *,
    posterior: Posterior | Family = GAUSSIAN,
    prior: Prior | Family | None = None,
    estimator: Estimator = PATHWISE,
) -> Latent:
    """z [B, D] with q(z | h), h [B, size D] from the encoder. Kingma and Welling 2014, arXiv 1312.6114.

    Args:
      latent_dim: D.
      posterior: a family, such as GAUSSIAN, whose raw parameters are h (for a Gaussian the means, then the raw
        log_stds); or a `Posterior`, such as `flow()`.
      prior: a family, of which the standard member is used; or a `Prior`, such as `gaussian_prior(net)` or `vamp(50)`.
        None: N(0, I), or for a discrete posterior the standard member of the posterior's family, such as fair coins.
      estimator: PATHWISE, CUT, SCORE or DREG; only SCORE and CUT take a discrete posterior.

    Raises:
      BadRequest: if the parts cannot be combined; in `init`, if the width of h is not size D; when a game is built, if
        there are too few samples for the estimator.

    >>> from jaxgen.objectives import BERNOULLI
    >>> vector(8, posterior=BERNOULLI)
    Traceback (most recent call last):
    ...
    jaxgen.core.BadRequest: this estimator differentiates the sample, but a sample of this posterior has no gradient: \
use estimator=SCORE, or a posterior such as GAUSSIAN.
    """
    latent_dim = whole("latent_dim", latent_dim, 1)
    check_type("posterior", posterior, (Posterior, Family), "GAUSSIAN")
    check_type("estimator", estimator, Estimator, "SCORE")
    q = family_posterior(posterior) if isinstance(posterior, Family) else posterior
    p = _prior(prior, q)
    _check(q, p, estimator)
    kl = _kl(q, p) if estimator.closed_form else None
    law = Law(lambda theta, noise: q.sample(*theta, noise), lambda theta, z: q.log_prob(*theta, z), q.pathwise)

    def init(key, h, batch: Batch):
        _check_width(h, q.size, latent_dim)
        k_posterior, k_prior = jax.random.split(key)
        params = {"posterior": q.init(k_posterior, h, latent_dim), "prior": p.init(k_prior, latent_dim, batch)}
        return params, ()

    def infer(params, state, noise, h, given: Given):
        _check_width(h, q.size, latent_dim)
        z, log_q, reduce = estimator.sample(law, (params["posterior"], h), noise)
        exact = None if kl is None else kl(h, params["prior"], z[0], given)
        return Inference(z, p.log_prob(params["prior"], z, given), log_q, exact, reduce=reduce)

    def check(bound: Bound | None, samples: int) -> None:
        if samples < estimator.samples:
            raise BadRequest(f"samples={samples}: this estimator needs at least {estimator.samples} posterior samples.")

    return Latent(
        init=init,
        draw=lambda key, samples, n: q.draw(key, (samples, n, latent_dim)),
        infer=infer,
        encode=lambda params, state, h: q.mean(params["posterior"], h),
        draw_prior=lambda key, n: p.draw(key, (n, latent_dim)),
        generate=lambda params, state, noise, given: p.sample(params["prior"], noise, given),
        closed_form=kl is not None,
        check=check,
    )


def family_posterior(family: Family) -> Posterior:
    """The posterior with independent latents of one family, whose raw parameters are h."""
    law = law_of(family)
    return Posterior(
        size=family.size,
        draw=family.draw,
        sample=lambda params, h, noise: law.sample(family.theta(h), noise),
        log_prob=lambda params, h, z: law.log_prob(family.theta(h), z),
        mean=lambda params, h: family.mean(family.theta(h)),
        family=family,
        pathwise=family.pathwise,
        support=family.support,
    )


def _prior(prior: Prior | Family | None, posterior: Posterior) -> Prior:
    if prior is None:
        discrete = posterior.support.step is not None
        prior = posterior.family if discrete and posterior.family is not None else GAUSSIAN
    check_type("prior", prior, (Prior, Family), "gaussian_prior(net)")
    return family_prior(prior) if isinstance(prior, Family) else prior


def _kl(q: Posterior, p: Prior) -> Callable[..., Array] | None:
    """The closed form of the KL, (h, params of the prior, an array [B, D], given) -> f32[B, D] nats, or None."""
    family, theta = q.family, p.theta
    if family is None or theta is None or p.family is None:
        return None
    closed = closed_form(family, p.family)
    if closed is None:
        return None
    return lambda h, params, like, given: closed(family.theta(h), theta(params, like, given))


def _check(q: Posterior, p: Prior, estimator: Estimator) -> None:
    if estimator.differentiates and not q.pathwise:
        raise BadRequest(NOT_DIFFERENTIABLE)
    if not q.support.within(p.support):
        raise BadRequest(
            f"the posterior lies on {q.support} and the prior on {p.support}, so their KL is not finite: use a prior "
            "of the posterior's own family."
        )
    if p.posterior not in (None, q.family):
        raise BadRequest(
            "vamp(...) is a mixture of posteriors of one family, and this posterior has another family: name it in "
            "both, as in vamp(5, family=LAPLACE); with a flow use another prior."
        )


def _check_width(h: Any, size: int, latent_dim: int) -> None:
    if jnp.shape(h)[1:] != (size * latent_dim,):
        raise BadRequest(
            f"the encoder gives {list(jnp.shape(h))} but must give [B, {size * latent_dim}], {size} for each "
            "latent: change its last layer."
        )
