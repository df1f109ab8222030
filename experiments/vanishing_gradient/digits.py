"""The same on the embedded digits: a generator that stands still, and a critic that learns to tell its images."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.critics import approach, dense, stops
from experiments.vanishing_gradient.lines import Course
from experiments.vanishing_gradient.losses import WAYS
from jaxgen.core import Batch, Game, as_float
from jaxgen.data import load
from jaxgen.games import gan
from jaxgen.nets import mapped
from jaxgen.nets.vectors import MLP, Generator
from jaxgen.objectives import NON_SATURATING

LATENT = 16
BOTH = (("critic",), ("generator",))


@dataclasses.dataclass(frozen=True)
class Config:
    """A generator that was trained for a while, by the non-saturating loss, and then a fresh critic for each loss."""

    seeds: int = 8
    warm: int = 1000  # steps in which the generator is trained, with a critic of its own
    steps: int = 1500  # of the critic that is measured
    batch: int = 64
    width: int = 64
    rate: float = 1e-3
    looked_at: int = 256  # test images, and as many samples, at which gradients are taken


def courses(names, config: Config) -> dict[str, Course]:
    """Every loss against the same generators; figures f64[stops, 1, seeds]."""
    images = jnp.asarray(as_float(load("digits").train.x))
    generator = mapped(Generator((8, 8, 1), MLP((config.width, config.width))), jax.nn.sigmoid)
    critic = dense(config.width)

    def draw(key):
        return images[jax.random.randint(key, (config.batch,), 0, len(images))]

    play = partial(approach, optimizer=optax.adam(config.rate), draw=draw, runs=config.seeds)
    warm = gan(generator, critic, latent_dim=LATENT, loss=NON_SATURATING)
    (state,) = play(warm, stops=[config.warm], turns=BOTH, seed=1)
    generators, results = state.params["generator"], {}
    for name in names:
        game = gan(generator, critic, latent_dim=LATENT, loss=WAYS[name].loss, penalty=WAYS[name].penalty)
        look, looks, history = _looker(game, config), stops(config.steps), []
        for state in play(game, generators=generators, stops=looks):
            history.append(np.asarray(look(state), np.float64))
        gradient, told_apart = np.moveaxis(np.stack(history), -1, 0)[:, :, None]
        results[name] = Course(looks, gradient, told_apart)
    return results


def _looker(game: Game, config: Config):
    """State of all runs -> f32[runs, 2]: norm of the generator's gradient, share of pairs told apart."""
    real = jnp.asarray(as_float(load("digits").test.x[: config.looked_at]))
    z = draw_codes(len(real))

    def figures(state):
        def fooled(moved):
            params = {**state.params, "generator": moved}
            noise = {"z": z, "generator": (), "real": (), "fake": ()}  # these networks draw nothing
            return game.losses["generator"](params, noise, Batch(real), state.context)[0]

        model = game.model(state.params, state.context.state)
        strange_real, strange_fake = (model.scores["critic"](None, x) for x in (real, model.decode(z)))
        norm = optax.tree.norm(jax.grad(fooled)(state.params["generator"]))
        return jnp.stack([norm, jnp.mean(jnp.heaviside(strange_fake[None] - strange_real[:, None], 0.5))])

    return jax.jit(jax.vmap(figures))


def draw_codes(n: int) -> jax.Array:
    """The codes of the samples at which gradients are taken; the same for every loss and seed."""
    return jax.random.normal(jax.random.key(2), (n, LATENT))
