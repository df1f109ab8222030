"""Translation without pairs: two generators, each the approximate inverse of the other, and two critics."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, BadRequest, Batch, Context, Game, Model, Network, draw_each, rows
from jaxgen.games.parts import check_generated, check_logits, check_loss
from jaxgen.nets.adapters import network
from jaxgen.objectives.adversarial import LEAST_SQUARES, Adversarial, mean_loss


def cycle(
    generators: Mapping[str, Any],
    critics: Mapping[str, Any],
    *,
    loss: Adversarial = LEAST_SQUARES,
    weight: float = 10.0,
    identity: float = 0.0,
) -> Game:
    """CycleGAN of two domains without pairs, for batches x = {"a": [B, ...], "b": [B, ...]} with the domains' names.

    G_a translates `b` into `a`. The generators minimise, summed over both domains a,
    mean loss.generator(D_a(a), D_a(G_a(b))) + weight mean |G_a(G_b(a)) - a| + identity mean |G_a(a) - a|;
    the critics mean loss.critic(D_a(a), D_a(G_a(b))). Zhu et al. 2017, arXiv 1703.10593, eqs. 1-3 and section 5.2.

    Differences from the paper: critics see the fakes of the step and no history of 50 images. LEAST_SQUARES has the
    factor 1/2 in the generator's loss too, so the paper's weight of 10 relative to (D - 1)^2 is weight=5 here.

    Args:
      generators: domain -> network from x of the other domain to x of this one. The cycle loss alone does not preserve
        the content of an image; local networks do (with dense ones, digits are exchanged).
      critics: domain -> network x -> logits of any shape, such as [B, h, w] for patches.
      loss: what each player minimises.
      weight: of the cycle loss, |.| averaged over numbers.
      identity: of the identity loss, which applies a generator to its own domain. Half of `weight` preserves colours
        (section 5.2).

    Returns:
      A game of the players "critic" and "generator", each with the params of both domains. The generator's info holds
      cycle_a and cycle_b, the mean |G_a(G_b(a)) - a| and its mirror image. The model has the maps "a_to_b", "b_to_a".

    Raises:
      BadRequest: if generators and critics do not have the same two domains, for a weight that is negative or not
        finite, or a loss of another type; in `init`, if the batch has other domains or a condition; in the losses, if
        shapes do not fit.
    """
    check_loss(loss)
    domains = _domains(generators, critics)
    for name, value in (("weight", weight), ("identity", identity)):
        if not 0 <= value < float("inf"):
            raise BadRequest(f"{name} must be a finite number of at least 0, not {value}.")
    parts = _Parts(
        {domain: network(generators[domain]) for domain in domains},
        {domain: network(critics[domain]) for domain in domains},
        dict(zip(domains, reversed(domains), strict=True)),
        loss,
        weight,
        identity,
    )
    losses = {"critic": partial(_critic_loss, parts), "generator": partial(_generator_loss, parts)}
    couples = loss.couples or any(net.couples for net in (*parts.generator.values(), *parts.critic.values()))
    return Game(partial(_init, parts), partial(_draw, parts), losses, partial(_model, parts), couples)


class _Parts(NamedTuple):
    generator: dict[str, Network]  # by domain, sorted by name
    critic: dict[str, Network]
    other: dict[str, str]  # domain -> the other one
    loss: Adversarial
    weight: float
    identity: float


def _init(parts: _Parts, key: Array, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
    _check_batch(batch, list(parts.other))
    keys = iter(jax.random.split(key, 4))
    params, state = {}, {}
    for player, networks in (("generator", parts.generator), ("critic", parts.critic)):
        pairs = {}
        for domain, net in networks.items():
            source = parts.other[domain] if player == "generator" else domain
            pairs[domain] = net.init(next(keys), batch.x[source])
        params[player] = {domain: pair[0] for domain, pair in pairs.items()}
        state[player] = {domain: pair[1] for domain, pair in pairs.items()}
    return params, state


def _draw(parts: _Parts, key: Array, batch: Batch) -> dict[str, Any]:
    calls: dict[str, tuple] = {}
    for domain, other in parts.other.items():
        x, x_other = batch.x[domain], batch.x[other]
        generator, critic = parts.generator[domain].draw, parts.critic[domain].draw
        calls |= {f"{domain}:fake": (generator, x_other), f"{domain}:back": (generator, x)}
        calls |= {f"{domain}:same": (generator, x)} if parts.identity else {}
        calls |= {f"{domain}:on_real": (critic, x), f"{domain}:on_fake": (critic, x)}
    return draw_each(key, **calls)


def _caller(parts: _Parts, params, noise, state) -> Callable[..., tuple[Any, Any]]:
    """`call(player, domain, which, x) -> (y, new state)`: a network with the noise of that call."""

    def call(player: str, domain: str, which: str, x):
        net = getattr(parts, player)[domain]
        return net.apply(params[player][domain], state[player][domain], noise[f"{domain}:{which}"], x)

    return call


def _adversarial(parts: _Parts, domain: str, call: Callable, x) -> tuple[Array, Array, Any, dict[str, Any]]:
    """(logits of real, logits of fake, the fake, new state of the two networks by player)."""
    fake, generator_state = call("generator", domain, "fake", x[parts.other[domain]])
    check_generated(fake, x[domain])
    real_logits, critic_state = call("critic", domain, "on_real", x[domain])
    fake_logits, _ = call("critic", domain, "on_fake", fake)
    check_logits(real_logits, fake_logits, rows(x[domain]), parts.critic[domain].couples)
    return real_logits, fake_logits, fake, {"generator": generator_state, "critic": critic_state}


def _generator_loss(parts: _Parts, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    call = _caller(parts, params, noise, context.state)
    total, fakes, state, info = jnp.zeros((), dtype=jnp.float32), {}, {}, {}
    for domain in parts.other:
        real, fake, fakes[domain], new = _adversarial(parts, domain, call, batch.x)
        total, state[domain] = total + mean_loss(parts.loss.generator(real, fake), real), new["generator"]
    for domain, other in parts.other.items():
        back, _ = call("generator", domain, "back", fakes[other])
        info[f"cycle_{domain}"] = _distance(back, batch.x[domain])
        total += parts.weight * info[f"cycle_{domain}"]
        if parts.identity:
            same, _ = call("generator", domain, "same", batch.x[domain])
            total += parts.identity * _distance(same, batch.x[domain])
    return total, Aux(info, {"generator": state})


def _critic_loss(parts: _Parts, params, noise, batch: Batch, context: Context) -> tuple[Array, Aux]:
    call = _caller(parts, params, noise, context.state)
    total, state = jnp.zeros((), dtype=jnp.float32), {}
    for domain in parts.other:
        real, fake, _, new = _adversarial(parts, domain, call, batch.x)
        total, state[domain] = total + mean_loss(parts.loss.critic(real, fake), real), new["critic"]
    return total, Aux({}, {"critic": state})


def _model(parts: _Parts, params, state) -> Model:
    def to(domain: str) -> Callable:
        def translate(x, condition=None):
            if condition is not None:
                raise BadRequest("cycle() takes no condition: leave it out.")
            trained = params["generator"][domain], state["generator"][domain]
            return parts.generator[domain].apply(*trained, None, x)[0]

        return translate

    return Model(maps={f"{other}_to_{domain}": to(domain) for domain, other in parts.other.items()})


def _distance(x: Array, y: Array) -> Array:
    check_generated(x, y)
    return jnp.mean(jnp.abs(x - y))


def _domains(generators: Mapping[str, Any], critics: Mapping[str, Any]) -> list[str]:
    if set(generators) != set(critics) or len(generators) != 2:
        raise BadRequest(
            f"cycle() needs generators and critics of the same two domains, not of {sorted(generators)} and "
            f"{sorted(critics)}."
        )
    return sorted(generators)


def _check_batch(batch: Batch, domains: list[str]) -> None:
    if not isinstance(batch.x, Mapping) or sorted(batch.x) != domains:
        given = sorted(batch.x) if isinstance(batch.x, Mapping) else type(batch.x).__name__
        raise BadRequest(f"cycle() needs x = {{{domains[0]!r}: ..., {domains[1]!r}: ...}}, not {given}.")
    if batch.condition is not None:
        raise BadRequest("cycle() takes no condition: leave it out.")
