"""A VAE with an adversarial loss on its reconstructions: the autoencoder of latent diffusion and, with codes, VQGAN."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import (
    Array,
    Aux,
    BadRequest,
    Batch,
    Context,
    Game,
    Model,
    Network,
    at,
    check_type,
    draw_each,
    inputs,
    merge,
    rows,
    whole,
)
from jaxgen.games.parts import (
    check_logits,
    check_loss,
    check_outputs,
    evaluation,
    features_of,
    mean_penalty,
    strangeness,
)
from jaxgen.games.vae import Autoencoder, figures, vae
from jaxgen.latents.latent import Inference, Latent
from jaxgen.nets.adapters import network
from jaxgen.nets.last import last_kernels
from jaxgen.objectives.adversarial import HINGE, Adversarial, mean_loss
from jaxgen.objectives.bounds import elbo
from jaxgen.objectives.observation import PIXELS, Observation
from jaxgen.objectives.penalties import Forward, Penalty
from jaxgen.objectives.weighting import Weighting, adaptive_weight, held, norm

PLACES = (None, "layer", "output")


def vae_gan(
    encoder: Any,
    decoder: Any,
    critic: Any,
    latent: Latent,
    *,
    observation: Observation = PIXELS,
    beta: float | Callable[[Array], Array] = 1.0,
    loss: Adversarial = HINGE,
    penalty: Penalty | None = None,
    weighting: Weighting | None = None,
    start: int = 0,
    critic_start: int | None = None,
) -> Game:
    """An autoencoder, and a critic that learns to distinguish its reconstructions from the examples.

    "vae": w nll + beta KL(q || p) + lam g, with nll = -log p(x | z), z ~ q(z | x), and the adversarial loss g =
    mean loss.generator(D(x), D(x')) of the reconstruction x', the mean of p(x | z). "critic": mean loss.critic(D(x),
    D(x')) + mean penalty. `weighting` gives w and lam, by default 1 and the adaptive weight. Esser et al. 2021, arXiv
    2012.09841, eqs. 6 and 7; with a Gaussian z Rombach et al. 2022, arXiv 2112.10752. Both papers add a perceptual loss
    to that of pixels. (The VAE/GAN of Larsen et al. 2016 is different: its reconstruction error is that of the critic's
    features.)

    Args:
      encoder: network (x) or (x, condition) -> h, in the shape that the latent needs.
      decoder: network (z) or (z, condition) -> y [B, ..., observation.outputs(C)].
      critic: network (x) or (x, condition) -> logits [B, ...], such as `patch_critic`; [B / m] if it couples examples.
      latent: q(z | h) and p(z), such as `vector(20)` or `quantised(codebook(64), (8,))`. If its estimator does not
        differentiate z (SCORE does not), the encoder gets no gradient of g.
      observation: p(x | y).
      beta: weight of the KL, or a function of the step.
      loss: the adversarial loss.
      penalty: of the critic, such as `r1(1.0)`.
      weighting: of g relative to nll, such as `adaptive_weight(0.5)`, `constant_weight(0.1)`, `equal_norms(1.0)`. None:
        `adaptive_weight()`.
      start: the step before which g has the weight 0 in the loss of the VAE.
      critic_start: the step before which the critic's loss is 0. None: `start`, as in the code of both papers. Its
        optimiser counts these steps too: Adam's first moves at rates b1 and b2 are (1 - b1) / sqrt(1 - b2) of the rate.

    Returns:
      A game with the losses "vae" and "critic", whose default turns alternate between the two. With a penalty the
      critic also has the losses "critic:adversarial" and "critic:penalty", as in `gan`. Params and state are those of
      `vae` plus "critic". The info of "vae" is that of the game `vae`, plus `generator_loss`, g; `adversarial_weight`,
      lam, also before `start`; and if the weighting uses gradients, their norms, `nll_slope` and `generator_slope`.
      That of "critic" has the mean logits real_logit and fake_logit. The model is that of `vae`; if the critic does not
      couple examples, it also has the score "critic", -logit averaged over an example, and the features "critic".

      lam needs no second backward pass: the critic is differentiated once, at y, and only the last layer twice. lam
      couples the examples of a batch, so micro-batches are refused unless the weighting uses no gradients.

    Raises:
      BadRequest: as for `vae` and `gan`; for a start that is no whole number of at least 0, or a weighting of another
        type or place; in the losses, for a decoder without a kernel.
    """
    weighting = adaptive_weight() if weighting is None else weighting
    check_loss(loss)
    check_type("weighting", weighting, Weighting, "adaptive_weight(0.5)")
    if weighting.place not in PLACES:
        raise BadRequest(f"the place of a weighting is one of {', '.join(map(str, PLACES))}, not {weighting.place!r}.")
    if penalty is not None:
        check_type("the penalty of the critic", penalty, Penalty, "r1(1.0)")
    start = whole("start", start, 0)
    first = start if critic_start is None else whole("critic_start", critic_start, 0)
    base = vae(encoder, decoder, latent, observation=observation, beta=beta)
    nets = Autoencoder(network(encoder), network(decoder), latent, observation)
    parts = _Parts(base, nets, network(critic), loss, penalty, weighting, beta, start, first)
    losses = {"vae": partial(_vae_loss, parts), "critic": partial(_critic_loss, parts, True, penalty is not None)}
    if penalty is not None:
        losses["critic:adversarial"] = partial(_critic_loss, parts, True, False)
        losses["critic:penalty"] = partial(_critic_loss, parts, False, True)
    coupled = [part for part in (base, parts.critic, loss, penalty) if part is not None and part.couples]
    couples = bool(coupled) or weighting.place is not None
    turns = ("vae",), ("critic",)
    functions = partial(_init, parts), partial(_draw, parts), losses, partial(_model, parts)
    return Game(*functions, couples, observation.range, turns)


class _Parts(NamedTuple):
    base: Game  # of the VAE alone: its init, noise and model
    nets: Autoencoder
    critic: Network
    loss: Adversarial
    penalty: Penalty | None
    weighting: Weighting
    beta: float | Callable[[Array], Array]
    start: int
    critic_start: int

    def judge(self, params, noise, state, x: Array, condition: Any) -> tuple[Array, Any]:
        """(logits of x, new state of the critic), with the critic's noise of this call."""
        return self.critic.apply(params["critic"], state["critic"], noise, *inputs(x, condition))

    def decoder(self, noise, batch: Batch, state, z: Any) -> Callable[[Any], tuple[Array, Any]]:
        """params of the decoder -> (y of z, new state)."""
        xs = inputs(z, batch.condition)
        return lambda params: self.nets.decoder.apply(params, state["decoder"], noise["decoder"], *xs)


def _init(parts: _Parts, key: Array, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
    k_vae, k_critic = jax.random.split(key)
    params, state = parts.base.init(k_vae, batch)
    critic, critic_state = parts.critic.init(k_critic, *inputs(*batch))
    penalty = {} if parts.penalty is None else {"critic:penalty": parts.penalty.init()}
    return {**params, "critic": critic}, {**state, "critic": critic_state, **penalty}


def _draw(parts: _Parts, key: Array, batch: Batch) -> dict[str, Any]:
    penalty = {} if parts.penalty is None else {"critic:penalty": (parts.penalty.draw, batch)}
    judged = (parts.critic.draw, *inputs(*batch))
    noise = draw_each(key, vae=(parts.base.draw, batch), real=judged, fake=judged, **penalty)
    return {**noise.pop("vae"), **noise}


def _vae_loss(parts: _Parts, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    vae_params, state, observation = params["vae"], context.state, parts.nets.observation
    q, encoder_state = parts.nets.infer(vae_params, state, noise, batch)
    decode = parts.decoder(noise, batch, state, merge(q.z))
    y, at_layer, decoder_state = _decoded(decode, vae_params["decoder"], parts.weighting.place == "layer")
    check_outputs(observation, y, batch.x)
    output = vae_params["observation"], y
    here = jax.lax.stop_gradient(output)
    g, slope = jax.value_and_grad(partial(_generator_loss, parts, params, noise, batch, state))(here)

    info, norms = {}, [jnp.zeros((), dtype=jnp.float32), jnp.zeros((), dtype=jnp.float32)]
    if parts.weighting.place is not None:
        misses = jax.grad(lambda y: -jnp.mean(observation.log_prob(here[0], y, batch.x)))(here[1])
        norms = [norm(at_layer(own_slope)) for own_slope in (misses, slope[1])]
        info = {"nll_slope": norms[0], "generator_slope": norms[1]}
    keep, lam = parts.weighting.weights(*jax.lax.stop_gradient(norms), context.step)
    counts = jnp.where(context.step >= parts.start, lam, 0.0)

    log_x = observation.log_prob(vae_params["observation"], y, batch.x)[None]
    value, divergence = _bound(q, log_x, keep, at(parts.beta, context.step))
    total = jnp.mean(q.penalty - value) + counts * held(g, slope, output)
    info |= figures(observation, batch.x, -jnp.mean(log_x), jnp.mean(divergence)) | dict(q.info)
    info |= {"generator_loss": g, "adversarial_weight": lam}
    return total, Aux(info, {"encoder": encoder_state, "latent": q.state, "decoder": decoder_state})


def _decoded(decode: Callable, params: Any, layer: bool) -> tuple[Array, Callable, Any]:
    """(y, gradient in y -> gradient in the last layer, new state); without `layer` the gradient in y is returned."""
    if not layer:
        y, new = decode(params)
        return y, lambda slope: slope, new
    leaves, form = jax.tree.flatten(params)
    last = last_kernels(lambda params: decode(params)[0], params)

    def of(kernels):
        left = iter(kernels)
        return decode(
            jax.tree.unflatten(form, [next(left) if flag else a for flag, a in zip(last, leaves, strict=True)])
        )

    chosen = [a for flag, a in zip(last, leaves, strict=True) if flag]
    return jax.vjp(of, chosen, has_aux=True)


def _generator_loss(parts: _Parts, params, noise, batch: Batch, state, output: tuple[Any, Array]) -> Array:
    fake = parts.nets.observation.mean(*output)
    real_logits, _ = parts.judge(params, noise["real"], state, batch.x, batch.condition)
    fake_logits, _ = parts.judge(params, noise["fake"], state, fake, batch.condition)
    check_logits(real_logits, fake_logits, rows(batch), parts.critic.couples)
    return mean_loss(parts.loss.generator(real_logits, fake_logits), fake_logits)


def _bound(q: Inference, log_x: Array, keep: Array, beta: Any) -> tuple[Array, Array]:
    """(keep log p(x | z) - beta KL with the gradient of the latent's estimator, the KL), f32[B] and any shape, nats."""
    if q.kl is not None:
        divergence = jnp.sum(q.kl, -1)
        cost = divergence if q.cost is None else jnp.sum(q.cost, -1)
        return keep * q.reduce(elbo, log_x, beta) - beta * cost, divergence
    divergence = q.log_q - q.log_p
    return q.reduce(elbo, keep * log_x - beta * divergence, beta), divergence


def _critic_loss(
    parts: _Parts, adversarial: bool, penalised: bool, params, noise, batch: Batch, context: Context
) -> tuple[Array, Aux]:
    """The sum of the adversarial term and the penalty of the critic, or one of the two."""
    view, critic_state = _forward(parts, params, noise, batch, context.state)
    terms, info, state = [], {}, {}
    if adversarial:
        terms.append(mean_loss(parts.loss.critic(view.real_logits, view.fake_logits), view.real_logits))
        info = {"real_logit": jnp.mean(view.real_logits), "fake_logit": jnp.mean(view.fake_logits)}
        state["critic"] = critic_state
    if penalised and parts.penalty is not None:
        name = "critic:penalty"
        values, state[name] = parts.penalty.value(view, noise[name], context.state[name], context.step)
        info["penalty"] = mean_penalty(values, view)
        terms.append(info["penalty"])
    total: Any = sum(terms)
    return jnp.where(context.step >= parts.critic_start, total, 0.0), Aux(info, state)


def _forward(parts: _Parts, params, noise, batch: Batch, state) -> tuple[Forward, Any]:
    """(the inputs of losses and penalties of the critic, its new state)."""
    vae_params = params["vae"]
    q, _ = parts.nets.infer(vae_params, state, noise, batch)
    z = merge(q.z)

    def generate(z):
        y, _ = parts.decoder(noise, batch, state, z)(vae_params["decoder"])
        return parts.nets.observation.mean(vae_params["observation"], y)

    def logits(which: str, x):
        return parts.judge(params, noise[which], state, x, batch.condition)

    fake = generate(z)
    real_logits, critic_state = logits("real", batch.x)
    fake_logits, _ = logits("fake", fake)
    check_logits(real_logits, fake_logits, rows(batch), parts.critic.couples)
    critics = (lambda x: logits("real", x)[0]), (lambda x: logits("fake", x)[0])
    return Forward(*critics, generate, z, batch.x, fake, real_logits, fake_logits), critic_state


def _model(parts: _Parts, params, state) -> Model:
    model = parts.base.model({"vae": params["vae"]}, state)
    if parts.critic.couples:
        return model
    judge = parts.critic, params["critic"], state["critic"]

    def score(noise, x, condition=None):
        return strangeness(evaluation(*judge)(x, condition), rows(x))

    features = {**model.features, **features_of("critic", *judge)}
    return model._replace(scores={**model.scores, "critic": score}, features=features)
