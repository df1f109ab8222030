"""GANs whose critic also predicts the label of an example (AC-GAN), or the code it was generated from (InfoGAN)."""

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
    rows,
    whole,
)
from jaxgen.games.parts import (
    check_generated,
    check_logits,
    check_loss,
    draw_calls,
    evaluation,
    features_of,
    first_players,
    strangeness,
)
from jaxgen.nets.adapters import network
from jaxgen.nets.readouts import branched
from jaxgen.objectives.adversarial import NON_SATURATING, Adversarial, mean_loss
from jaxgen.objectives.auxiliary import CLASSIFIER, Auxiliary, information
from jaxgen.objectives.schedules import Schedule, check_weight


def acgan(
    generator: Any,
    critic: Any,
    *,
    classes: int,
    latent_dim: int,
    loss: Adversarial = NON_SATURATING,
    auxiliary: Auxiliary = CLASSIFIER,
    weight: Schedule = 1.0,
) -> Game:
    """AC-GAN: a GAN of labelled examples whose critic does not see the label but predicts it.

    critic: mean loss.critic(D(x), D(G(z, y))) + weight mean auxiliary.critic; generator: mean loss.generator(...) +
    weight mean auxiliary.generator; z ~ N(0, I), y the labels of the batch. Odena et al. 2017, arXiv 1610.09585.

    Args:
      generator: network (z f32[B, D], label) -> x.
      critic: network x -> logits [B, ...] with features; the classifier is a linear layer on these features, see
        `jaxgen.nets.branched`.
      classes: K, at least 2; labels are 0 ... K - 1.
      latent_dim: D.
      loss: what each player minimises.
      auxiliary: `CLASSIFIER`, or `DISCRIMINATIVE_CLASSIFIER` or `TWIN_CLASSIFIER`, whose optimum is the distribution of
        the data even if classes overlap.
      weight: of the classifier; a number, or a function of the step.

    Returns:
      A game with the losses "critic" and "generator". The info of the critic's loss has real_logit, fake_logit and
      classifier, the mean of the classifier's term. Unless the critic couples examples, the model has the score
      "critic", -logit averaged over an example, and the features "critic".

    Raises:
      BadRequest: for parts of other types, or a critic without features; in `init`, for a batch without labels i32[B];
        in the losses, if shapes of examples or logits do not fit.
    """
    check_type("auxiliary", auxiliary, Auxiliary, "CLASSIFIER")
    outputs = auxiliary.outputs(whole("classes", classes, 2))

    def of_critic(real, fake, z, label):
        return auxiliary.critic(real, fake, label)

    def of_generator(fake, z, label):
        return auxiliary.generator(fake, label)

    def draw_z(key, n):
        return jax.random.normal(key, (n, latent_dim), dtype=jnp.float32)

    latent_dim = whole("latent_dim", latent_dim, 1)
    reading = _Reading("classifier", of_critic, of_generator, draw_z, latent_dim, labelled=True)
    return _game(generator, critic, outputs, reading, loss, weight)


def infogan(
    generator: Any,
    critic: Any,
    *,
    latent_dim: int,
    categories: int = 10,
    numbers: int = 2,
    loss: Adversarial = NON_SATURATING,
    weight: Schedule = 1.0,
) -> Game:
    """InfoGAN: a GAN whose generator also gets a code c that can be predicted from its samples.

    Both players minimise their GAN loss minus weight times the mean of `information`, a lower bound in nats of
    I(c; G(z, c)). The critic minimises it in the params of Q, the layer that predicts the code, and in those that Q
    shares with D; the generator in those of G. Chen et al. 2016, arXiv 1606.03657, and their code.

    Args:
      generator: network (z f32[B, D + K + n], condition) -> x. z is N(0, I) of D numbers, then the code: one of K
        categories as a one-hot vector, and n numbers uniform in (-1, 1).
      critic: network (x, condition) -> logits [B, ...] with features; Q is a linear layer on these features, see
        `jaxgen.nets.branched`.
      latent_dim: D, which may be 0.
      categories: K, at least 2, or 0 for none.
      numbers: n, which may be 0 if there are categories.
      loss: what each player minimises.
      weight: of the information; a number, or a function of the step.

    Returns:
      A game with the losses "critic" and "generator". The info of the critic's loss has real_logit, fake_logit and
      information_nats, at most log K - .226 n. The model has the score "critic" and the features "critic", as that of
      `gan`, and the features "code", [B, K + n]: log-probabilities and means under Q.

    Raises:
      BadRequest: for parts of other types, an empty code, or a critic without features; in the losses, if shapes of
        examples or logits do not fit.
    """
    normals, kinds, width = (
        whole(name, value, 0)
        for name, value in (("latent_dim", latent_dim), ("categories", categories), ("numbers", numbers))
    )
    if kinds == 1 or kinds + width == 0:
        raise BadRequest(f"a code needs at least 2 categories or one number, not {categories=} and {numbers=}.")

    def of_generator(fake, z, condition):
        return -information(fake, z[:, normals:], categories=kinds)

    def of_critic(real, fake, z, condition):
        return of_generator(fake, z, condition)

    def draw_z(key, n):
        k_normal, k_kind, k_number = jax.random.split(key, 3)
        kind = jax.nn.one_hot(jax.random.randint(k_kind, (n,), 0, max(kinds, 1)), kinds, dtype=jnp.float32)
        uniform = jax.random.uniform(k_number, (n, width), minval=-1.0, dtype=jnp.float32)
        return jnp.concatenate([jax.random.normal(k_normal, (n, normals), dtype=jnp.float32), kind, uniform], -1)

    def code(scores):
        return jnp.concatenate([jax.nn.log_softmax(scores[:, :kinds]), scores[:, kinds:]], -1)

    reading = _Reading("information_nats", of_critic, of_generator, draw_z, normals + kinds + width, code, sign=-1.0)
    return _game(generator, critic, kinds + width, reading, loss, weight)


class _Reading(NamedTuple):
    """What the critic predicts about an example in addition to whether it is real."""

    name: str  # in the info of the critic
    critic: Callable[..., Array]  # (real scores, fake scores, z, condition) -> [B], minimised
    generator: Callable[..., Array]  # (fake scores, z, condition) -> [B], minimised
    draw_z: Callable[..., Array]  # (key, n) -> z [n, D]
    latent_dim: int
    code: Callable[[Array], Array] | None = None  # scores -> the features "code", if there are such
    labelled: bool = False  # True if the condition is what is read, so that the critic does not see it
    sign: float = 1.0  # of the figure in the info

    def critic_inputs(self, x: Any, condition: Any) -> tuple[Any, ...]:
        """The inputs of the critic."""
        return (x,) if self.labelled else inputs(x, condition)


class _Parts(NamedTuple):
    generator: Network
    critic: Network  # -> (logits, scores)
    reading: _Reading
    loss: Adversarial
    weight: Schedule


def _game(generator, critic, outputs: int, reading: _Reading, loss: Adversarial, weight: Schedule) -> Game:
    check_loss(loss)
    check_weight("weight", weight)
    parts = _Parts(network(generator), branched(critic, outputs), reading, loss, weight)
    losses = {name: partial(_loss, parts, name) for name in ("critic", "generator")}
    couples = parts.generator.couples or parts.critic.couples or loss.couples
    turns = ("critic",), ("generator",)
    return Game(partial(_init, parts), partial(_draw, parts), losses, partial(_model, parts), couples, turns=turns)


def _init(parts: _Parts, key: Array, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
    reading, label = parts.reading, batch.condition
    if reading.labelled and (getattr(label, "ndim", 0) != 1 or not jnp.issubdtype(label.dtype, jnp.integer)):
        raise BadRequest("acgan() predicts labels: give the batch a condition i32[B].")
    return first_players(parts.generator, parts.critic, key, reading.latent_dim, batch, reading.critic_inputs(*batch))


def _draw(parts: _Parts, key: Array, batch: Batch) -> dict[str, Any]:
    reading = parts.reading
    players = draw_calls(parts.generator, parts.critic, reading.latent_dim, batch, reading.critic_inputs(*batch))
    return draw_each(key, **{**players, "z": (reading.draw_z, rows(batch))})


def _loss(parts: _Parts, player: str, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    state, z, reading = context.state, noise["z"], parts.reading

    def judge(which: str, x):
        critic_inputs = reading.critic_inputs(x, batch.condition)
        return parts.critic.apply(params["critic"], state["critic"], noise[which], *critic_inputs)

    given = inputs(z, batch.condition)
    fake, moved = parts.generator.apply(params["generator"], state["generator"], noise["generator"], *given)
    check_generated(fake, batch.x)
    (real_logits, real_scores), new = judge("real", batch.x)
    (fake_logits, fake_scores), _ = judge("fake", fake)
    check_logits(real_logits, fake_logits, rows(batch), parts.critic.couples)
    values = getattr(parts.loss, player)(real_logits, fake_logits)
    if player == "generator":
        read = jnp.mean(reading.generator(fake_scores, z, batch.condition))
        info, new_state = {}, {"generator": moved}
    else:
        read = jnp.mean(reading.critic(real_scores, fake_scores, z, batch.condition))
        info = {"real_logit": jnp.mean(real_logits), "fake_logit": jnp.mean(fake_logits)}
        info[reading.name], new_state = reading.sign * read, {"critic": new}
    return mean_loss(values, real_logits) + at(parts.weight, context.step) * read, Aux(info, new_state)


def _model(parts: _Parts, params, state) -> Model:
    reading = parts.reading
    decode = evaluation(parts.generator, params["generator"], state["generator"])
    judge_parts = parts.critic, params["critic"], state["critic"]

    def judge(x, condition=None):
        return evaluation(*judge_parts)(x, None if reading.labelled else condition)

    def code(x, condition=None):
        return reading.code(judge(x, condition)[1])  # type: ignore[misc]

    def hidden(x, condition=None):
        return features_of("critic", *judge_parts)["critic"](x, None if reading.labelled else condition)

    def score(noise, x, condition=None):
        return strangeness(judge(x, condition)[0], rows(x))

    return Model(
        draw=lambda key, n, condition=None: reading.draw_z(key, n),
        sample=decode,
        decode=decode,
        scores={} if parts.critic.couples else {"critic": score},
        features={} if parts.critic.couples else {"critic": hidden} | ({} if reading.code is None else {"code": code}),
    )
