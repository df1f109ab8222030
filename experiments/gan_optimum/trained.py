"""Critics that are trained by the library's step against a generator that stands still, and how near they come."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.critics import approach, dense, located, stops
from experiments.evidence import Verdict
from experiments.gan_optimum.exact import pairs
from experiments.laws import divergence
from jaxgen.core import Array, Network
from jaxgen.data import load
from jaxgen.games import gan
from jaxgen.objectives import SATURATING

LINES = {  # mean and standard deviation of the generator on the line
    "N(0, 1) and N(0.8, 1)": (0.8, 1.0),
    "N(0, 1) and N(0.8, 1.3²)": (0.8, 1.3),
    "N(0, 1) and N(4, 1)": (4.0, 1.0),
    "N(0, 1) and itself": (0.0, 1.0),
}
RINGS = {  # every which of the eight modes, and how many times their standard deviation
    "ring8 and half of its modes": (2, 1.0),
    "ring8 and its blurred copy": (1, 2.0),
    "ring8 and itself": (1, 1.0),
}
REACHED = 0.02  # nats below the optimum that count as there
SHOWN = np.linspace(-4, 6, 201)


@dataclasses.dataclass(frozen=True)
class Config:
    """Critics, and Adam, whose rate falls to zero along half a cosine."""

    seeds: int = 10
    steps: int = 3000
    batch: int = 256
    width: int = 32  # of the two layers of a critic on the line
    ring_width: int = 64  # of the three layers of a critic in the plane
    rate: float = 3e-3


class Course(NamedTuple):
    """A case in all seeds."""

    stops: list[int]
    value: np.ndarray  # f64[stops, seeds], of the game: the mean over both laws, not over samples
    shown: np.ndarray  # f64[seeds, len(SHOWN)], the last critics' probabilities; none in the plane


class _Family(NamedTuple):
    cases: list[str]
    draw: Callable[[Array], Array]  # key -> real examples
    generator: Network
    params: Any  # of the generator, leaves [cases, ...]
    latent_dim: int
    critic: nn.Module


def courses(config: Config) -> dict[str, Course]:
    """All cases: those on the line in one program, those on the ring in another."""
    return _courses(_lines(config), config) | _courses(_rings(config), config)


def _courses(family: _Family, config: Config) -> dict[str, Course]:
    game = gan(family.generator, family.critic, latent_dim=family.latent_dim, loss=SATURATING)
    laws = [pairs()[name] for name in family.cases]
    real = jnp.asarray(laws[0][0].points, jnp.float32)
    weights = jnp.asarray(laws[0][0].weights, jnp.float32)

    def of_seeds(leaf):
        return jnp.repeat(jnp.asarray(leaf, jnp.float32), config.seeds, 0)

    fakes = of_seeds(np.stack([q.points for _, q in laws]))

    def judge(params, x):
        return family.critic.apply({"params": params}, x)

    @jax.jit
    def values(critics):
        def value(critic, fake):
            return -weights @ SATURATING.critic(judge(critic, real), judge(critic, fake))

        return jax.lax.map(lambda run: value(*run), (critics, fakes))

    looks, n = stops(config.steps), len(laws) * config.seeds
    adam = optax.adam(optax.cosine_decay_schedule(config.rate, config.steps))
    params, history = jax.tree.map(of_seeds, family.params), []
    for state in approach(game, adam, family.draw, params, runs=n, stops=looks):
        critics = state.params["critic"]
        history.append(np.asarray(values(critics), np.float64))
    shown = np.zeros((n, 0))
    if family.latent_dim == 1:
        logits = jax.vmap(lambda critic: judge(critic, jnp.asarray(SHOWN[:, None], jnp.float32)))(critics)
        shown = np.asarray(jax.nn.sigmoid(logits), np.float64)
    value = np.stack(history).reshape(len(looks), len(laws), config.seeds)
    shown = shown.reshape(len(laws), config.seeds, -1)
    return {name: Course(looks, value[:, i], shown[i]) for i, name in enumerate(family.cases)}


def _lines(config: Config) -> _Family:
    def draw(key):
        return jax.random.normal(key, (config.batch, 1))

    means, stds = (np.array(column)[:, None] for column in zip(*LINES.values(), strict=True))
    params = {"mean": means, "log_std": np.log(stds)}
    return _Family(list(LINES), draw, located(), params, 1, dense(config.width, 2))


def _rings(config: Config) -> _Family:
    modes = load("ring8").modes
    means = jnp.asarray(modes.means, jnp.float32)

    def draw(key):
        k_mode, k_noise = jax.random.split(key)
        mode = jax.random.randint(k_mode, (config.batch,), 0, len(means))
        return means[mode] + modes.std * jax.random.normal(k_noise, (config.batch, 2))

    def generate(params, state, noise, z):  # the first number of z chooses the mode
        mode = jnp.minimum(jnp.floor(jax.scipy.stats.norm.cdf(z[:, 0]) * len(means)), len(means) - 1).astype(int)
        mode = jnp.floor(mode / params["every"]) * params["every"]
        return means[mode.astype(int)] + params["std"] * z[:, 1:], state

    every, times = (np.array(column) for column in zip(*RINGS.values(), strict=True))
    params = {"every": every, "std": modes.std * times}
    start = {"every": jnp.ones(()), "std": jnp.ones(())}
    return _Family(
        list(RINGS), draw, Network(lambda key, z: (start, ()), generate), params, 3, dense(config.ring_width, 3)
    )


def rows(results: Mapping[str, Course]) -> dict[str, dict[str, Any]]:
    """Figures by case: the start and the end of the value, and what is left to the closed form."""
    table = {}
    for name, course in results.items():
        best = divergence("gan", *pairs()[name])
        gaps = best - course.value[-1]
        table[name] = {
            "closed_form": best,
            "value_at_start": float(course.value[0].mean()),
            "value_at_end": float(course.value[-1].mean()),
            "nats_below_mean": float(gaps.mean()),
            "nats_below_worst_seed": float(gaps.max()),
            "nats_below_best_seed": float(gaps.min()),
        }
    return table


def approaches(figures: Mapping[str, Any]) -> Verdict:
    """Supported where critics reach the optimum in every case and pass it in none; not supported where in none."""
    cases = figures["cases"]
    passed = [name for name, row in cases.items() if row["nats_below_best_seed"] < -1e-5]
    if passed:
        return Verdict("not supported", f"A critic is above what can be reached: {', '.join(passed)}.")
    short = {n: row["nats_below_mean"] for n, row in cases.items() if not row["nats_below_mean"] <= REACHED}
    word = "not supported" if len(short) == len(cases) else "depends" if short else "supported"
    gaps = {n: row["nats_below_mean"] for n, row in cases.items() if n not in short}
    sentences = []
    if gaps:
        sentences.append(
            f"In {len(gaps)} of {len(cases)} cases critics end at most {max(gaps.values()):.2g} nats below."
        )
    sentences += [f"Short of it by {gap:.2g} nats: {name}." for name, gap in short.items()]
    return Verdict(word, " ".join(sentences))
