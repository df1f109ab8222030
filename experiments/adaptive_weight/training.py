"""The ways to weigh a critic of reconstructions, and all seeds of one of them trained in one program."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.ring import draw_batches
from jaxgen.core import Batch, Context, as_float
from jaxgen.data import Data
from jaxgen.games import vae_gan
from jaxgen.latents import vector
from jaxgen.objectives import HINGE, Weighting, adaptive_weight, constant_weight, equal_norms, r1
from jaxgen.recipes import Spec
from jaxgen.recipes.gans import adam
from jaxgen.training.program import Plan

LIMIT = 1e4  # of the adaptive weight, as in the code of VQGAN and latent diffusion
NONE, CONSTANT, ADAPTIVE, NORMS = "no critic", "constant", "adaptive", "norms"
TURNS = (("vae",), ("critic",))


class Way(NamedTuple):
    """One change; what it leaves alone is the same for all."""

    weighting: Callable[[float], Weighting]
    gamma: bool = False  # whether R1 is paid
    start: float = 0.0  # of training: before it the VAE has no adversarial loss
    critic_start: float = 0.0  # of training: before it the critic stands still


WAYS = {
    NONE: Way(lambda weight: constant_weight(0.0)),
    CONSTANT: Way(constant_weight),
    ADAPTIVE: Way(adaptive_weight),
    NORMS: Way(equal_norms),
    f"{CONSTANT}, R1": Way(constant_weight, gamma=True),
    f"{ADAPTIVE}, R1": Way(adaptive_weight, gamma=True),
    f"{ADAPTIVE}, late": Way(adaptive_weight, start=0.5, critic_start=0.5),
    f"{ADAPTIVE}, late to the VAE": Way(adaptive_weight, start=0.5),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """One setting for all ways."""

    ways: tuple[str, ...] = tuple(WAYS)
    seeds: int = 8
    steps: int = 3000
    batch: int = 64
    width: int = 64  # of the networks
    latent: int = 16
    rate: float = 1e-3  # of Adam, both players, with momenta .5 and .9
    weight: float = 1.0  # of the adversarial loss
    beta: float = 1.0  # weight of the KL
    gamma: float = 1.0  # of R1
    looks: int = 20  # at the critic, evenly through training
    samples: int = 2000  # of the prior


class Trained(NamedTuple):
    """All seeds of one way."""

    weights: np.ndarray  # f32[S, T], lam of each step
    told_apart: np.ndarray  # f32[S, looks], share of pairs of a test image and a reconstruction that the critic ranks
    slopes: np.ndarray  # f32[S, looks, 2], norms of the gradients of nll and g in the last layer, on test images
    reconstructions: np.ndarray  # f32[S, N, 8, 8, 1], of the test images
    samples: np.ndarray  # f32[S, n, 8, 8, 1]
    skipped: np.ndarray  # i32[S], steps that were not finite


def plan_of(way: Way, config: Config) -> Plan:
    """The game of a way, with the optimiser and the turns that all ways have."""
    spec = Spec((8, 8, 1), width=config.width)
    game = vae_gan(
        spec.encoder(2 * config.latent),
        spec.decoder(),
        spec.critic(),
        vector(config.latent),
        beta=config.beta,
        loss=HINGE,
        penalty=r1(config.gamma) if way.gamma else None,
        weighting=way.weighting(config.weight),
        start=round(way.start * config.steps),
        critic_start=round(way.critic_start * config.steps),
    )
    return Plan(game, adam(config.rate, (0.5, 0.9), "vae", "critic"), TURNS, batch_size=config.batch)


def train(way: Way, data: Data, config: Config) -> Trained:
    """Every seed at once; seed i is the same whatever their number. Looks are at the ends of equal parts of training."""
    plan = plan_of(way, config)
    step, x, test = plan.step(), jnp.asarray(as_float(data.train.x)), jnp.asarray(as_float(data.test.x))
    k_init, k_noise, k_data, k_look = (_keys(use, config.seeds) for use in range(4))
    part = config.steps // config.looks

    def play(state, key, data_key):
        def body(state, _):
            batches = draw_batches(jax.random.fold_in(data_key, state.context.step), x, (len(TURNS), config.batch))
            state, info = step.update(state, key, batches)
            return state, info["vae"]["adversarial_weight"]

        return jax.lax.scan(body, state, length=part)

    played, seen = jax.jit(jax.vmap(play)), jax.jit(jax.vmap(partial(look, config, test)))
    states = jax.jit(jax.vmap(lambda key: step.init(key, Batch(x[: config.batch]))))(k_init)
    weights, told, slopes = [], [], []
    for _ in range(config.looks):
        states, own = played(states, k_noise, k_data)
        weights.append(np.asarray(own))
        told_apart, slope = seen(states)
        told.append(np.asarray(told_apart))
        slopes.append(np.asarray(slope))

    def made(state, key):
        model = step.model(state)
        return model.maps["reconstruct"](test), model.decode(jax.random.normal(key, (config.samples, config.latent)))

    again, samples = jax.jit(jax.vmap(made))(states, k_look)
    ends = (np.asarray(a) for a in (again, samples, states.skipped))
    return Trained(np.concatenate(weights, 1), np.stack(told, 1), np.stack(slopes, 1), *ends)


def look(config: Config, test: jax.Array, state: Any) -> tuple[jax.Array, jax.Array]:
    """(share of pairs told apart, norms of both gradients in the last layer), at reconstructions of the test images.

    The norms are those that the adaptive weight is made of, whatever the way weighs by.
    """
    game = plan_of(WAYS[ADAPTIVE], config).game
    kept = {name: state.context.state[name] for name in ("encoder", "latent", "decoder", "critic")}
    model, batch = game.model(state.params, kept), Batch(test)
    noise = game.draw(jax.random.key(0), batch)
    _, aux = game.losses["vae"](state.params, noise, batch, Context(state.context.step, kept))
    strange = [model.scores["critic"](None, x) for x in (test, model.maps["reconstruct"](test))]
    ranked = jnp.mean(jnp.heaviside(strange[1][None] - strange[0][:, None], 0.5))
    return ranked, jnp.stack([aux.info["nll_slope"], aux.info["generator_slope"]])


def _keys(use: int, seeds: int) -> jax.Array:
    return jax.vmap(lambda i: jax.random.fold_in(jax.random.key(use), i))(jnp.arange(seeds))
