"""The ways to weigh a critic of reconstructions, and all seeds of one of them trained in one program."""

import dataclasses
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.ring import draw_batches
from jaxgen.core import Batch, Context, Game, as_float
from jaxgen.data import load
from jaxgen.games import vae_gan
from jaxgen.latents import vector
from jaxgen.objectives import HINGE, Weighting, adaptive_weight, constant_weight, equal_norms, r1
from jaxgen.recipes import Spec
from jaxgen.recipes.gans import adam
from jaxgen.training.program import Plan

DATA = "digits"
LIMIT = 1e4  # of the adaptive weight, as in the code of VQGAN and latent diffusion
NONE, CONSTANT, ADAPTIVE, NORMS = "no critic", "constant", "adaptive", "norms"
CONSTANT_R1, ADAPTIVE_R1 = f"{CONSTANT}, R1", f"{ADAPTIVE}, R1"
LATE, WARM = f"{ADAPTIVE}, late", f"{ADAPTIVE}, critic first"
TURNS = (("vae",), ("critic",))


class Way(NamedTuple):
    """One change; what it leaves alone is the same for all."""

    weighting: Callable[[float], Weighting]
    r1: bool = False  # whether the critic pays it
    start: float = 0.0  # the part of training before which the VAE has no adversarial loss
    critic_start: float = 0.0  # the part of training before which the critic stands still


WAYS = {
    NONE: Way(lambda weight: constant_weight(0.0)),
    CONSTANT: Way(constant_weight),
    ADAPTIVE: Way(adaptive_weight),
    NORMS: Way(equal_norms),
    CONSTANT_R1: Way(constant_weight, r1=True),
    ADAPTIVE_R1: Way(adaptive_weight, r1=True),
    LATE: Way(adaptive_weight, start=0.5, critic_start=0.5),
    WARM: Way(adaptive_weight, start=0.5),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """One setting for all ways."""

    ways: tuple[str, ...] = tuple(WAYS)
    betas: tuple[float, ...] = (0.01, 1.0)  # weights of the KL: reconstructions are nearly exact, or are not
    seeds: int = 8
    steps: int = 3000
    batch: int = 64
    width: int = 64  # of the networks, which are dense
    latent: int = 16
    rate: float = 1e-3  # of Adam, both players, with momenta .5 and .9
    weight: float = 1.0  # of the adversarial loss
    gamma: float = 1.0  # of R1
    looks: int = 20  # through training, evenly; an even number
    samples: int = 2000  # of the prior


class Trained(NamedTuple):
    """All seeds of one way; a look is at the end of each of equal parts of training."""

    weights: np.ndarray  # f32[S, T], lam of each step
    told_apart: np.ndarray  # f32[S, looks], share of pairs of a test image and a reconstruction that the critic ranks
    slopes: np.ndarray  # f32[S, looks], norm of the gradient of g in the last layer, on the test images
    errors: np.ndarray  # f32[S, looks], root mean square of the errors of reconstructed test images
    reconstructions: np.ndarray  # f32[S, N, 8, 8, 1], of the test images
    samples: np.ndarray  # f32[S, n, 8, 8, 1]
    skipped: np.ndarray  # i32[S], steps that were not finite


def plan_of(way: Way, beta: float, config: Config) -> Plan:
    """The game of a way, with the optimiser and the turns that all ways have."""
    spec = Spec((8, 8, 1), width=config.width)
    game = vae_gan(
        spec.encoder(2 * config.latent),
        spec.decoder(),
        spec.critic(),
        vector(config.latent),
        beta=beta,
        loss=HINGE,
        penalty=r1(config.gamma) if way.r1 else None,
        weighting=way.weighting(config.weight),
        start=round(way.start * config.steps),
        critic_start=round(way.critic_start * config.steps),
    )
    return Plan(game, adam(config.rate, (0.5, 0.9), "vae", "critic"), TURNS, batch_size=config.batch)


def train(name: str, beta: float, config: Config) -> Trained:
    """Every seed at once; seed i is the same whatever their number."""
    step, x = plan_of(WAYS[name], beta, config).step(), jnp.asarray(as_float(load(DATA).train.x))
    k_init, k_noise, k_data, k_look = (_keys(use, config.seeds) for use in range(4))

    def play(state, key, data_key):
        def body(state, _):
            batches = draw_batches(jax.random.fold_in(data_key, state.context.step), x, (len(TURNS), config.batch))
            state, info = step.update(state, key, batches)
            return state, info["vae"]["adversarial_weight"]

        return jax.lax.scan(body, state, length=config.steps // config.looks)

    played = jax.jit(jax.vmap(play), donate_argnums=0)
    look, sample = lookers(dataclasses.replace(config, ways=(), betas=()))
    states = jax.jit(jax.vmap(lambda key: step.init(key, Batch(x[: config.batch]))))(k_init)
    weights, looks = [], []
    for _ in range(config.looks):
        states, weight = played(states, k_noise, k_data)
        weights.append(np.asarray(weight))
        looks.append(np.asarray(look(*_kept(states))))
    figures = np.moveaxis(np.stack(looks, 1), -1, 0)
    again, samples = (np.asarray(images) for images in sample(*_kept(states), k_look))
    return Trained(np.concatenate(weights, 1), *figures, again, samples, np.asarray(states.skipped))


def _kept(states: Any) -> tuple[Any, Any]:
    """Params and state of the networks, of the same form for every way."""
    return states.params, {name: states.context.state[name] for name in ("encoder", "latent", "decoder", "critic")}


@cache
def lookers(config: Config) -> tuple[Callable, Callable]:
    """(params, state -> f32[S, 3] as `look`; params, state, keys -> reconstructions and samples), compiled once."""
    game = plan_of(WAYS[ADAPTIVE], 1.0, config).game
    test = jnp.asarray(as_float(load(DATA).test.x))

    def samples(params, state, key):
        model = game.model(params, state)
        return model.maps["reconstruct"](test), model.decode(draw_codes(key, (config.samples, config.latent)))

    return jax.jit(jax.vmap(partial(look, game, test))), jax.jit(jax.vmap(samples))


def look(game: Game, test: jax.Array, params: Any, state: Any) -> jax.Array:
    """f32[3]: the share of pairs told apart, the norm of the gradient of g in the last layer, the error.

    The norm is that which the adaptive weight is made of, whatever the way weighs by.
    """
    model, batch = game.model(params, state), Batch(test)
    again, noise = model.maps["reconstruct"](test), game.draw(jax.random.key(0), batch)
    _, aux = game.losses["vae"](params, noise, batch, Context(jnp.int32(0), state))
    real, fake = (model.scores["critic"](None, x) for x in (test, again))  # higher is stranger
    ranked = jnp.mean(jnp.heaviside(fake[None] - real[:, None], 0.5))
    return jnp.stack([ranked, aux.info["generator_slope"], jnp.sqrt(jnp.mean((again - test) ** 2))])


def draw_codes(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Codes of the prior."""
    return jax.random.normal(key, shape)


def _keys(use: int, seeds: int) -> jax.Array:
    return jax.vmap(lambda i: jax.random.fold_in(jax.random.key(use), i))(jnp.arange(seeds))
