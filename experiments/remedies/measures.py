"""What each remedy does to the three difficulties, and what a step of it takes."""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend import core

from experiments.critics import approach, dense, located
from experiments.remedies.ways import LINE, PACK, TOY, Config, Way, build, optimizer, plan
from experiments.ring import Look, looks
from experiments.vanishing_gradient import lines
from experiments.vanishing_gradient.losses import Way as Asked
from jaxgen.core import Batch, Network
from jaxgen.data import load
from jaxgen.nets import network
from jaxgen.recipes import Spec
from jaxgen.training.dynamics import log_rate, spectrum
from jaxgen.training.step import make_step

RING = "ring8"
TAIL = 200  # steps at the end of a run of two numbers, over which its distance is taken


class Found(NamedTuple):
    """All of one remedy."""

    ring: Look
    left: np.ndarray | None  # f64[S], the generator's gradient far away over that nearby; None where another way's is its own
    distances: np.ndarray  # f64[starts], how far from the data the generator of two numbers ends
    path: np.ndarray  # f64[T + 1, 2], of the first start
    log_rate: float | None  # of a step of that game near the equilibrium; None where it has no derivative there
    products: int  # multiplications in products of matrices in a step on ring8


def measure(way: Way, config: Config) -> Found:
    """The remedy on ring8, on two Gaussians, and on the game of two numbers."""
    data, spec = load(RING), Spec((2,))
    own = plan(way, spec.generator(), spec.critic(), config)
    ring = looks(own, data, seeds=config.seeds, rounds=(config.updates,))[config.updates]
    step, state = own.step(unroll=True), jax.tree.map(lambda a: a[0], ring.state)
    batches = Batch(jnp.zeros((len(own.turns), config.batch, 2)))
    taken = products(jax.make_jaxpr(step.update)(state, jax.random.key(0), batches).jaxpr)
    paths, rate = two_numbers(way, config)
    distances = np.abs(paths[:, -TAIL:, 1]).mean(1)
    return Found(ring, None if way.gradient_of else left(way, config), distances, paths[0], rate, taken)


def left(way: Way, config: Config) -> np.ndarray:
    """For each seed the generator's gradient at the larger shift over that at the smaller, its critic trained alone."""
    critic, seeds = network(way.net(dense(config.width))), config.seeds
    game = build(way, located(), dense(config.width), 1, LINE)
    means = jnp.repeat(jnp.asarray(config.shifts, jnp.float32), seeds)[:, None]
    adam = optax.adam(optax.cosine_decay_schedule(LINE.rate, config.critic_steps))
    asked, stops = Asked(way.loss, lambda shift: None), (config.critic_steps,)
    generators = {"mean": means, "log_std": jnp.zeros_like(means)}
    own = optimizer(way, adam, LINE.limit)
    (state,) = approach(game, own, partial(draw_normal, config.batch), generators, runs=len(means), stops=stops)

    def seen(params, kept, mean):
        def logits(x):  # a pack is of copies of one example
            return critic.apply(params, kept, None, jnp.repeat(x, PACK, axis=0) if critic.couples else x)[0]

        return lines.figures(asked, logits, mean)[0]

    critics = state.params["critic"], state.context.state["critic"]
    near, far = np.asarray(jax.jit(jax.vmap(seen))(*critics, means[:, 0]), np.float64).reshape(2, seeds)
    return far / near


def draw_normal(n: int, key: jax.Array) -> jax.Array:
    """Examples of the standard normal, f32[n, 1]."""
    return jax.random.normal(key, (n, 1))


def two_numbers(way: Way, config: Config) -> tuple[np.ndarray, float | None]:
    """(paths f64[starts, T + 1, 2] as (psi, theta) from a distance of sqrt 2, log rate of a step near 0 or None)."""
    slope = Network(
        lambda key, x: ({"kernel": jnp.ones((x.shape[-1], 1))}, ()),
        lambda params, state, noise, x: ((x @ params["kernel"])[:, 0], state),
    )
    point = Network(
        lambda key, z: (jnp.ones(()), ()), lambda theta, state, noise, z: (jnp.broadcast_to(theta, z.shape), state)
    )
    game, sgd = build(way, point, slope, 1, TOY), optax.sgd(TOY.rate)
    fast = optax.sgd(way.faster * TOY.rate)
    optimizers = {"critic": optimizer(way, fast, TOY.limit), "generator": sgd}
    step = make_step(game, optimizers, way.turns, rule=way.rule(TOY))
    key, batches = jax.random.key(0), Batch(jnp.zeros((len(way.turns), PACK, 1)))  # the data lie at 0

    def at(start):
        state = step.init(key, Batch(batches.x[0]))
        kernel = state.params["critic"]["kernel"]  # a row for each example of a pack, which are alike here
        kernel = jnp.broadcast_to(start[0] / len(kernel), kernel.shape)
        return state._replace(params={"critic": {"kernel": kernel}, "generator": start[1]})

    def run(start):
        def body(state, _):
            state, _ = step.update(state, key, batches)
            return state, jnp.stack([state.params["critic"]["kernel"].sum(), state.params["generator"]])

        _, path = jax.lax.scan(body, at(start), length=config.toy_steps)
        return jnp.concatenate([start[None], path])

    angles = 2 * math.pi * (jnp.arange(config.starts) + 0.5) / config.starts
    paths = jax.jit(jax.vmap(run))(math.sqrt(2) * jnp.stack([jnp.cos(angles), jnp.sin(angles)], 1))
    eigenvalues = spectrum(step, at(jnp.zeros(2)), key, batches) if way.smooth else None
    return np.asarray(paths, np.float64), None if eigenvalues is None else log_rate(eigenvalues)


def products(jaxpr: core.Jaxpr) -> int:
    """Multiplications in the products of matrices of a program; a loop counts as often as it runs, of branches one.

    >>> x = jnp.ones((2, 3))
    >>> products(jax.make_jaxpr(lambda x: jax.lax.scan(lambda c, _: (c @ x.T @ x, None), x, length=5)[0])(x).jaxpr)
    120
    """
    total = 0
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            (contracted, _), _ = eqn.params["dimension_numbers"]
            shape = eqn.invars[0].aval.shape
            total += math.prod(eqn.outvars[0].aval.shape) * math.prod(shape[i] for i in contracted)
            continue
        inner = [own for value in eqn.params.values() for own in _programs(value)]
        if inner:
            counts = [products(own) for own in inner]
            total += max(counts) if eqn.primitive.name == "cond" else eqn.params.get("length", 1) * sum(counts)
    return total


def _programs(value: Any) -> list[core.Jaxpr]:
    if isinstance(value, core.ClosedJaxpr):
        return [value.jaxpr]
    if isinstance(value, core.Jaxpr):
        return [value]
    return [own for each in value for own in _programs(each)] if isinstance(value, tuple | list) else []
