"""What each remedy does to the three difficulties, and what a step of it takes."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import two_numbers
from experiments.critics import approach, dense, located
from experiments.remedies.ways import PACK, TOGETHER, Config, Way, build, optimizer, plan
from experiments.ring import Look, looks
from experiments.strengths import LINE, TOY
from experiments.two_numbers import FAR, TAIL
from experiments.vanishing_gradient import lines
from experiments.vanishing_gradient.losses import Way as LineWay
from jaxgen.core import Batch
from jaxgen.data import load
from jaxgen.nets import network
from jaxgen.objectives import descend
from jaxgen.recipes import Spec
from jaxgen.training.dynamics import log_rate, spectrum
from jaxgen.training.program import Plan
from jaxgen.training.step import State, make_step

RING = "ring8"
MET, STANDING = 0.01, 1e-6  # distance of players that met; the largest move of a step of one that stands still


class Found(NamedTuple):
    """All of one remedy."""

    ring: Look
    left: np.ndarray | None  # f64[S], the generator's gradient far away over that nearby; None: it is another way's
    paths: np.ndarray  # f64[starts, T + 1, 2], (psi, theta) of two numbers
    log_rate: float | None  # of a step of that game near the equilibrium; None where it has no derivative there
    flops: float  # of a step on ring8, as compiled


def measure(way: Way, config: Config) -> Found:
    """The remedy on ring8, on two Gaussians, and on the game of two numbers."""
    data, spec = load(RING), Spec((2,))
    entry = plan(way, spec.generator(), spec.critic(), config)
    ring = looks(entry, data, seeds=config.seeds, rounds=(config.updates,))[config.updates]
    paths, rate = numbers(way, config)
    gradient = None if way.gradient_of else left(way, config)
    return Found(ring, gradient, paths, rate, flops(entry, jax.tree.map(lambda a: a[0], ring.state)))


def flops(entry: Plan, state: State) -> float:
    """The arithmetic of a step without loops, whose bodies the compiler would count once."""
    batches = Batch(jnp.zeros((len(entry.turns), entry.batch_size, 2)))
    compiled = entry.step(unroll=True).update.lower(state, jax.random.key(0), batches).compile()
    return float(dict(compiled.cost_analysis() or {}).get("flops", math.nan))


def left(way: Way, config: Config) -> np.ndarray:
    """For each seed the generator's gradient at the larger shift over that at the smaller; the generator stands."""
    critic, seeds = network(way.net(dense(config.width))), config.seeds
    game, rule = build(way, located(), dense(config.width), 1, LINE), way.rule(LINE)
    means = jnp.repeat(jnp.asarray(config.shifts, jnp.float32), seeds)[:, None]
    adam = optax.adam(optax.cosine_decay_schedule(LINE.rate, config.critic_steps))
    line_way, stops = LineWay(way.loss, lambda shift: None), (config.critic_steps,)
    generators = {"mean": means, "log_std": jnp.zeros_like(means)}
    optimizers = {"critic": optimizer(way, adam, LINE.limit)}
    turns = (("critic",),)
    if rule is not descend:  # it looks at the gradients of both
        optimizers["generator"], turns = optax.set_to_zero(), TOGETHER
    draw = partial(draw_normal, config.batch)
    (state,) = approach(game, optimizers, draw, generators, runs=len(means), stops=stops, turns=turns, rule=rule)

    def gradient_at(params, critic_state, mean):
        def logits(x):  # a pack is of copies of one example
            return critic.apply(params, critic_state, None, jnp.repeat(x, PACK, axis=0) if critic.couples else x)[0]

        return lines.figures(line_way, logits, mean)[0]

    critics = state.params["critic"], state.context.state["critic"]
    near, far = np.asarray(jax.jit(jax.vmap(gradient_at))(*critics, means[:, 0]), np.float64).reshape(2, seeds)
    return far / near


def draw_normal(n: int, key: jax.Array) -> jax.Array:
    """Examples of the standard normal, f32[n, 1]."""
    return jax.random.normal(key, (n, 1))


def numbers(way: Way, config: Config) -> tuple[np.ndarray, float | None]:
    """(paths of two numbers from around, the log rate of a step near the equilibrium or None)."""
    generator, critic = two_numbers.players()
    game = build(way, generator, critic, 1, TOY)
    fast, slow = (optax.sgd(rate) for rate in way.rates(TOY.rate))
    step = make_step(
        game, {"critic": optimizer(way, fast, TOY.limit), "generator": slow}, way.turns, rule=way.rule(TOY)
    )
    batches = two_numbers.data(len(way.turns), PACK)
    angles = 2 * math.pi * (jnp.arange(config.starts) + 0.5) / config.starts
    paths = two_numbers.paths(step, batches, FAR * jnp.stack([jnp.cos(angles), jnp.sin(angles)], 1), config.toy_steps)
    if not way.smooth:
        return paths, None
    at_rest = two_numbers.start(step, batches, jnp.zeros(2))
    return paths, log_rate(spectrum(step, at_rest, jax.random.key(0), batches))


def fate(paths: np.ndarray, rate: float | None, still: float) -> str:
    """What becomes of the players of two numbers: they "meet", "stop" elsewhere, "leave" or "circle".

    They meet if the log rate is below -still, or, where there is none, if all starts end within MET of the data. Else
    they stop where the generator of every start stands still, and leave where one ends beyond twice where it began.

    Args:
      paths: f64[starts, T + 1, 2].
      rate: near the equilibrium, or None.
      still: the log rate that counts as none.
    """
    theta = paths[:, -TAIL:, 1]
    if not np.all(np.isfinite(theta)):
        return "leave"
    if rate < -still if rate is not None else distance(paths) < MET:
        return "meet"
    if np.abs(np.diff(theta, axis=1)).max() < STANDING:
        return "stop"
    return "leave" if distance(paths) > 2 * FAR else "circle"


def distance(paths: np.ndarray) -> float:
    """How far from the data the generator is at the end of a run, a mean over steps; of the worst start."""
    return float(np.abs(paths[:, -TAIL:, 1]).mean(1).max())
