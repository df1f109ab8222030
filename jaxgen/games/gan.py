"""Generative adversarial networks: a critic learns to distinguish real from fake, and a generator learns from it."""

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
    mean_penalty,
    strangeness,
)
from jaxgen.nets.adapters import network
from jaxgen.objectives.adversarial import NON_SATURATING, Adversarial, mean_loss
from jaxgen.objectives.penalties import Forward, Penalty


def gan(
    generator: Any,
    critic: Any,
    *,
    latent_dim: int,
    loss: Adversarial = NON_SATURATING,
    penalty: Penalty | None = None,
    generator_penalty: Penalty | None = None,
) -> Game:
    """A game of two losses, each minimised with respect to its own player's params, without any `stop_gradient`.

    critic: mean loss.critic(D(x), D(G(z))) + mean penalty; generator: mean loss.generator(D(x), D(G(z))) + mean
    generator_penalty; z ~ N(0, I). The means are over all logits and over all values of a penalty. Goodfellow et al.
    2014, arXiv 1406.2661, eq. 1.

    Args:
      generator: network (z f32[B, D], condition) -> x itself, such as `mapped(net, jax.nn.sigmoid)` for images in
        [0, 1]. If the batch has no condition, it is called with z alone, and the critic with x alone.
      critic: network (x, condition) -> logits of any shape, the same for real and fake: [B], [B / m] for packs,
        [B, h, w] for patches.
      latent_dim: D. With 0, z is f32[B, 0] and the generator is a function of the condition only.
      loss: what each player minimises.
      penalty: of the critic, such as `r1(1.0)`.
      generator_penalty: of the generator, such as `content(10.0)`.

    Returns:
      A game with the losses "critic" and "generator", whose default turns alternate between the two. A player with a
      penalty also has the losses "critic:adversarial" and "critic:penalty", whose sum is "critic". They allow lazy
      regularisation, as in `(("critic",), ("generator",)) + (("critic:adversarial",), ("generator",)) * 15` with 16
      times the weight. The info of the critic's loss has the mean logits real_logit and fake_logit; that of a penalty
      has its mean. A player's whole loss and its adversarial loss return the new state of its network; that of the
      critic is from its call on real examples. The loss "critic:penalty" returns only the state of the penalty, under
      its own name. Unless the critic couples examples, the model has the score "critic", -logit averaged over an
      example, and the features "critic". `invert` adds the scores that need an encoder.

    Raises:
      BadRequest: for a negative latent_dim, or a loss or penalty of another type; in `init` and the losses, before
        anything is computed, if the shape of generated x, of logits, or of values of a loss or penalty is wrong.

    >>> import flax.linen as nn, optax, jaxgen
    >>> from jaxgen.objectives import RELATIVISTIC, add, r1, r2
    >>> game = gan(
    ...     nn.Sequential([nn.Dense(16), nn.relu, nn.Dense(2)]),
    ...     nn.Sequential([nn.Dense(16), nn.relu, nn.Dense(1), lambda y: y[:, 0]]),
    ...     latent_dim=4, loss=RELATIVISTIC, penalty=add(r1(1.0), r2(1.0)),
    ... )
    >>> adam = {"critic": optax.adam(2e-4, b1=0.0), "generator": optax.adam(2e-4, b1=0.0)}
    >>> average = jaxgen.Ema(0.001, players=("generator",))
    >>> step = jaxgen.make_step(game, adam, turns=(("critic",), ("generator",)), ema=average)
    >>> batches = Batch(jax.random.normal(jax.random.key(0), (2, 8, 2)))  # for each turn 8 examples
    >>> state = step.init(jax.random.key(1), jax.tree.map(lambda a: a[0], batches))
    >>> state, info = step.update(state, jax.random.key(2), batches)
    >>> model = step.model(state)
    >>> model.sample(model.draw(jax.random.key(3), 5)).shape
    (5, 2)
    """
    generator, critic = network(generator), network(critic)
    penalties = {n: p for n, p in (("critic", penalty), ("generator", generator_penalty)) if p is not None}
    latent_dim = whole("latent_dim", latent_dim, 0)
    check_loss(loss)
    for name, part in penalties.items():
        check_type(f"the penalty of the {name}", part, Penalty, "r1(1.0)")
    parts = _Parts(generator, critic, latent_dim, loss, penalties)
    losses = {name: partial(_loss, parts, name, True, name in penalties) for name in ("critic", "generator")}
    for name in penalties:
        losses[f"{name}:adversarial"] = partial(_loss, parts, name, True, False)
        losses[f"{name}:penalty"] = partial(_loss, parts, name, False, True)
    couples = any(part.couples for part in (generator, critic, loss, *penalties.values()))
    turns = ("critic",), ("generator",)
    return Game(partial(_init, parts), partial(_draw, parts), losses, partial(_model, parts), couples, turns=turns)


def is_gan(game: Game) -> bool:
    """Whether a game has exactly the players and losses that `gan` builds."""
    known = all(isinstance(loss, partial) and loss.func is _loss for loss in game.losses.values())
    return known and {"critic", "generator"} <= game.losses.keys()


def parts_of(game: Game) -> "_Parts | None":
    """The arguments of `gan` (networks, latent_dim, loss, penalties) for a game that it built; None for other games."""
    loss = game.losses.get("critic")
    return loss.args[0] if is_gan(game) and isinstance(loss, partial) else None


class _Parts(NamedTuple):
    generator: Network
    critic: Network
    latent_dim: int
    loss: Adversarial
    penalties: dict[str, Penalty]  # by player

    def generate(self, params, noise, state, z: Array, condition: Any) -> tuple[Any, Any]:
        """(x of z, new state of the generator)."""
        given = inputs(z, condition)
        return self.generator.apply(params["generator"], state["generator"], noise["generator"], *given)

    def logits(self, params, noise, state, x: Any, condition: Any) -> tuple[Array, Any]:
        """(logits of x, new state of the critic), with the critic's noise of this call."""
        return self.critic.apply(params["critic"], state["critic"], noise, *inputs(x, condition))


def _init(parts: _Parts, key: Array, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
    if parts.latent_dim == 0 and batch.condition is None:
        raise BadRequest("latent_dim=0 makes a generator of the condition alone, and the batch has no condition.")
    params, state = first_players(parts.generator, parts.critic, key, parts.latent_dim, batch)
    return params, state | {f"{name}:penalty": part.init() for name, part in parts.penalties.items()}


def _draw(parts: _Parts, key: Array, batch: Batch) -> dict[str, Any]:
    players = draw_calls(parts.generator, parts.critic, parts.latent_dim, batch)
    penalties = {f"{name}:penalty": (part.draw, batch) for name, part in parts.penalties.items()}
    return draw_each(key, **players, **penalties)


def _forward(parts: _Parts, params, noise, batch: Batch, state) -> tuple[Forward, dict[str, Any]]:
    """(what losses and penalties read, the new state of each network)."""

    def generate(z):
        return parts.generate(params, noise, state, z, batch.condition)

    def logits(which: str, x):
        return parts.logits(params, noise[which], state, x, batch.condition)

    fake, generator_state = generate(noise["z"])
    check_generated(fake, batch.x)
    real_logits, critic_state = logits("real", batch.x)
    fake_logits = logits("fake", fake)[0]
    check_logits(real_logits, fake_logits, rows(batch), parts.critic.couples)
    view = Forward(
        critic_real=lambda x: logits("real", x)[0],
        critic_fake=lambda x: logits("fake", x)[0],
        generate=lambda z: generate(z)[0],
        z=noise["z"],
        real=batch.x,
        fake=fake,
        real_logits=real_logits,
        fake_logits=fake_logits,
    )
    return view, {"generator": generator_state, "critic": critic_state}


def _loss(
    parts: _Parts, player: str, adversarial: bool, penalised: bool, params, noise, batch: Batch, context: Context
) -> tuple[Array, Aux]:
    """The sum of the adversarial term and the penalty of `player`, or one of the two."""
    view, states = _forward(parts, params, noise, batch, context.state)
    terms, info, state = [], {}, {}
    if adversarial:
        values = getattr(parts.loss, player)(view.real_logits, view.fake_logits)
        terms.append(mean_loss(values, view.real_logits))
        state[player] = states[player]
        if player == "critic":  # a figure of real logits would force a generator's loss to compute them
            info = {"real_logit": jnp.mean(view.real_logits), "fake_logit": jnp.mean(view.fake_logits)}
    if penalised:
        name = f"{player}:penalty"
        values, state[name] = parts.penalties[player].value(view, noise[name], context.state[name], context.step)
        info["penalty"] = mean_penalty(values, view)
        terms.append(info["penalty"])
    total: Any = sum(terms)
    return total, Aux(info, state)


def _model(parts: _Parts, params, state) -> Model:
    decode = evaluation(parts.generator, params["generator"], state["generator"])
    judge = parts.critic, params["critic"], state["critic"]

    def draw(key, n, condition=None):
        return jax.random.normal(key, (n, parts.latent_dim), dtype=jnp.float32)

    def score(noise, x, condition=None):
        return strangeness(evaluation(*judge)(x, condition), rows(x))

    return Model(
        draw=draw,
        sample=decode,
        decode=decode,
        scores={} if parts.critic.couples else {"critic": score},
        features={} if parts.critic.couples else features_of("critic", *judge),
    )
