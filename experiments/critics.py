"""A critic that is trained against a generator that stands still: all runs of a table in one compiled program."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxgen.core import Array, Batch, Game, Network
from jaxgen.nets.vectors import MLP
from jaxgen.objectives import descend
from jaxgen.training.step import State, make_step


def located() -> Network:
    """The generator G(z) = mean + e^log_std z, whose law is a Gaussian: as many numbers each as z has."""

    def init(key, z):
        return {"mean": jnp.zeros(z.shape[-1]), "log_std": jnp.zeros(z.shape[-1])}, ()

    def apply(params, state, noise, z):
        return params["mean"][None] + jnp.exp(params["log_std"])[None] * z, state

    return Network(init, apply)


def dense(width: int, layers: int = 2) -> nn.Module:
    """A critic x [B, ...] -> logits [B]: smooth, so that its slope can be compared with that of a formula."""
    return nn.Sequential([MLP((width,) * layers, nn.silu), nn.Dense(1), lambda y: y[:, 0]])


def stops(steps: int) -> list[int]:
    """Numbers of steps after which is looked: 0, and from 1 on nearly even on a log scale.

    >>> stops(30)
    [0, 1, 2, 3, 4, 5, 7, 10, 13, 17, 23, 30]
    """
    return [0, *sorted({round(steps ** (i / 12)) for i in range(13)})]


def approach(
    game: Game,
    optimizer: optax.GradientTransformation | Mapping[str, optax.GradientTransformation],
    draw: Callable[[Array], Any],
    generators: Any = None,
    *,
    runs: int,
    stops: Sequence[int],
    turns: Sequence[tuple[str, ...]] = (("critic",),),
    rule: Callable = descend,
    seed: int = 0,
) -> Iterator[State]:
    """The states of all runs after each number of steps in `stops`, leaves [runs, ...]; the critic moves alone.

    Args:
      game: of the losses "critic" and "generator", played by the library's own step.
      optimizer: of the critic, and of the generator where it moves; or one for each.
      draw: key -> a batch of real examples.
      generators: the params of the generator, leaves [runs, ...]; None for those that each run starts with.
      runs: run i has the same start and the same data whatever the others are.
      stops: rising.
      turns: with a turn of the generator both move.
      rule: how they move.
      seed: of all runs together.
    """
    each = optimizer if isinstance(optimizer, Mapping) else {name: optimizer for turn in turns for name in turn}
    step = make_step(game, each, turns, rule=rule)
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(jnp.arange(runs))
    k_init, k_data, k_noise = jax.vmap(partial(jax.random.split, num=3), out_axes=1)(keys)

    def one(state: State, k_data, k_noise) -> State:
        turn_keys = jax.random.split(jax.random.fold_in(k_data, state.context.step), len(turns))
        return step.update(state, k_noise, Batch(jax.vmap(draw)(turn_keys)))[0]

    @jax.jit
    def advance(states, more):
        return jax.lax.fori_loop(0, more, lambda _, states: jax.vmap(one)(states, k_data, k_noise), states)

    states = jax.jit(jax.vmap(lambda key, k: step.init(key, Batch(draw(k)))))(k_init, k_data)
    if generators is not None:
        states = states._replace(params={**states.params, "generator": generators})
    done = 0
    for stop in stops:
        states, done = advance(states, stop - done), stop
        yield states
