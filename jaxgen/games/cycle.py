"""Translation without pairs: two generators that undo each other, two critics."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, BadRequest, Batch, Context, Game, Model, draw_each, rows
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
    """CycleGAN of two domains, for batches x = {"a": [B, ...], "b": [B, ...]} under their names, without pairs.

    With G_a making an `a` of a `b`, the generators minimise, summed over the domains a,
    mean loss.generator(D_a(a), D_a(G_a(b))) + weight mean |G_a(G_b(a)) - a| + identity mean |G_a(a) - a|;
    the critics mean loss.critic(D_a(a), D_a(G_a(b))). Zhu et al. 2017, arXiv 1703.10593, eqs. 1-3 and section 5.2.

    Departures from the paper: fakes are those of the step, not of a history of 50 images; LEAST_SQUARES has the factor
    1/2 in the generator's loss too, so that the paper's balance of 10 to (D - 1)^2 is weight=5 here.

    Args:
      generators: domain -> network x of the other domain -> x of this one. The cycle alone does not keep what is in an
        image: local networks do (with dense ones digits change places).
      critics: domain -> network x -> logits of any shape, such as [B, h, w] of patches.
      loss: what each player minimises.
      weight: of the way there and back, |.| averaged over numbers.
      identity: of what a generator does to an example of its own domain; half of `weight` keeps colours (section 5.2).

    Returns:
      A game of the players "critic" and "generator", each with the params of both domains. The generator's info holds
      cycle_a and cycle_b, the mean |G_a(G_b(a)) - a| and its mirror image. The model has the maps "a_to_b", "b_to_a".

    Raises:
      BadRequest: if generators and critics are not of the same two domains, for a weight that is negative or not
        finite, or a loss of another type; by `init`, if the batch has other domains or a condition; by the losses, if
        shapes do not fit.
    """
    check_loss(loss)
    domains = _domains(generators, critics)
    for name, value in (("weight", weight), ("identity", identity)):
        if not 0 <= value < float("inf"):
            raise BadRequest(f"{name} must be a finite number of at least 0, not {value}.")
    networks = {
        "generator": {domain: network(generators[domain]) for domain in domains},
        "critic": {domain: network(critics[domain]) for domain in domains},
    }
    other = dict(zip(domains, reversed(domains), strict=True))

    def init(key, batch: Batch):
        _check_batch(batch, domains)
        keys = iter(jax.random.split(key, 4))
        params, state = {}, {}
        for player, source in (("generator", other), ("critic", dict(zip(domains, domains, strict=True)))):
            pairs = {d: networks[player][d].init(next(keys), batch.x[source[d]]) for d in domains}
            params[player] = {d: pair[0] for d, pair in pairs.items()}
            state[player] = {d: pair[1] for d, pair in pairs.items()}
        return params, state

    def draw(key, batch: Batch):
        calls: dict[str, tuple] = {}
        for domain in domains:
            here, there = batch.x[domain], batch.x[other[domain]]
            generator, critic = (networks[player][domain].draw for player in ("generator", "critic"))
            calls |= {f"{domain}:fake": (generator, there), f"{domain}:back": (generator, here)}
            calls |= {f"{domain}:same": (generator, here)} if identity else {}
            calls |= {f"{domain}:on_real": (critic, here), f"{domain}:on_fake": (critic, here)}
        return draw_each(key, **calls)

    def caller(params, noise, state):
        def call(player, domain, which, x):
            own = params[player][domain], state[player][domain], noise[f"{domain}:{which}"]
            return networks[player][domain].apply(*own, x)

        return call

    def adversarial(domain, call, x) -> tuple[Array, Array, Any, dict[str, Any]]:
        """Logits of real and fake, the fake, and the new states of the two networks."""
        fake, generator_state = call("generator", domain, "fake", x[other[domain]])
        check_generated(fake, x[domain])
        real_logits, critic_state = call("critic", domain, "on_real", x[domain])
        fake_logits, _ = call("critic", domain, "on_fake", fake)
        check_logits(real_logits, fake_logits, rows(x[domain]), networks["critic"][domain].couples)
        return real_logits, fake_logits, fake, {"generator": generator_state, "critic": critic_state}

    def generator_loss(params, noise, batch: Batch, context: Context):
        call = caller(params, noise, context.state)
        total, fakes, state, info = jnp.zeros(()), {}, {}, {}
        for domain in domains:
            real, fake, fakes[domain], new = adversarial(domain, call, batch.x)
            total, state[domain] = total + mean_loss(loss.generator(real, fake), real), new["generator"]
        for domain in domains:
            back, _ = call("generator", domain, "back", fakes[other[domain]])
            info[f"cycle_{domain}"] = _distance(back, batch.x[domain])
            total += weight * info[f"cycle_{domain}"]
            if identity:
                same, _ = call("generator", domain, "same", batch.x[domain])
                total += identity * _distance(same, batch.x[domain])
        return total, Aux(info, {"generator": state})

    def critic_loss(params, noise, batch: Batch, context: Context):
        call = caller(params, noise, context.state)
        total, state = jnp.zeros(()), {}
        for domain in domains:
            real, fake, _, new = adversarial(domain, call, batch.x)
            total, state[domain] = total + mean_loss(loss.critic(real, fake), real), new["critic"]
        return total, Aux({}, {"critic": state})

    def model(params, state):
        def to(domain):
            def translate(x, condition=None):
                if condition is not None:
                    raise BadRequest("cycle() takes no condition: leave it out.")
                own = params["generator"][domain], state["generator"][domain], None
                return networks["generator"][domain].apply(*own, x)[0]

            return translate

        return Model(maps={f"{other[domain]}_to_{domain}": to(domain) for domain in domains})

    couples = loss.couples or any(net.couples for pair in networks.values() for net in pair.values())
    return Game(init, draw, {"critic": critic_loss, "generator": generator_loss}, model, couples=couples)


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
        found = sorted(batch.x) if isinstance(batch.x, Mapping) else type(batch.x).__name__
        raise BadRequest(f"cycle() needs x = {{{domains[0]!r}: ..., {domains[1]!r}: ...}}, not {found}.")
    if batch.condition is not None:
        raise BadRequest("cycle() takes no condition: leave it out.")
