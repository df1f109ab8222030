"""Critics trained with smoothed labels on the line, beside (a p + b q) / (p + q), and the gradient that they give."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.special import expit

from experiments.critics import approach, dense, located
from experiments.evidence import Verdict
from experiments.laws import NOISE, WEIGHTS
from experiments.vanishing_gradient.lines import figures
from experiments.vanishing_gradient.losses import Way
from experiments.vanishing_gradient.verdicts import part
from jaxgen.games import gan
from jaxgen.objectives import NON_SATURATING, smooth

LABELS = {  # of real examples (a) and of samples (b)
    "no smoothing": (1.0, 0.0),
    "one-sided, 0.9": (0.9, 0.0),
    "two-sided, 0.9 and 0.1": (0.9, 0.1),
    "two-sided, 0.7 and 0.3": (0.7, 0.3),
}
PLAIN = next(iter(LABELS))
NEAR, FAR = 2.0, 8.0  # distances at which critics are compared with the formula, and at which gradients are
CLOSE = 0.02  # mean error of a probability that counts as none
FADES = 0.05  # share of the gradient below which it vanishes, as in vanishing_gradient
SHOWN = np.linspace(-4, 6, 201)


@dataclasses.dataclass(frozen=True)
class Config:
    """A critic of two layers, and Adam whose rate falls to zero along half a cosine."""

    shifts: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    seeds: int = 8
    steps: int = 2000
    batch: int = 128
    width: int = 32
    rate: float = 3e-3


class Learned(NamedTuple):
    """One smoothing, trained at every distance."""

    shown: np.ndarray  # probability f64[seeds, len(SHOWN)] at the distance NEAR
    at_data: np.ndarray  # probability f64[seeds, points of the data], at NEAR
    at_samples: np.ndarray  # the same at the points of the samples
    gradient: np.ndarray  # f64[shifts, seeds], of the non-saturating generator


def optimum(a: float, b: float, d: float, x: np.ndarray) -> np.ndarray:
    """(a p + b q) / (p + q) of p = N(0, 1) and q = N(d, 1).

    >>> float(optimum(0.9, 0.1, 2.0, 1.0))  # where p = q
    0.5
    """
    share = expit(d * d / 2 - d * x)
    return a * share + b * (1 - share)


def exact_gradient(a: float, b: float, d: float) -> float:
    """Norm of the gradient in d of E_q -log D*(x), the critic held at its optimum."""
    share = expit(d * d / 2 - d * (d + NOISE))
    return float(WEIGHTS @ (d * (a - b) * share * (1 - share) / (a * share + b * (1 - share))))


def learn(a: float, b: float, config: Config) -> Learned:
    """All distances and seeds of one smoothing, in one program."""
    way = Way(smooth(NON_SATURATING, real=a, fake=b), lambda d: exact_gradient(a, b, d))
    critic, shape = dense(config.width), (len(config.shifts), config.seeds)
    game = gan(located(), critic, latent_dim=1, loss=way.loss)
    means = jnp.repeat(jnp.asarray(config.shifts, jnp.float32), config.seeds)[:, None]
    adam = optax.adam(optax.cosine_decay_schedule(config.rate, config.steps))

    def draw(key):
        return jax.random.normal(key, (config.batch, 1))

    generators = {"mean": means, "log_std": jnp.zeros_like(means)}
    (state,) = approach(game, adam, draw, generators, runs=len(means), stops=[config.steps])
    variables = {"params": state.params["critic"]}
    points = jnp.asarray(np.concatenate([SHOWN, NOISE, NEAR + NOISE])[:, None], jnp.float32)

    @jax.jit
    def look(variables, means):
        def one(entry, mean):
            probability = jax.nn.sigmoid(critic.apply(entry, points))
            return probability, figures(way, lambda x: critic.apply(entry, x), mean)[0]

        return jax.vmap(one)(variables, means)

    probability, gradient = (np.asarray(a, np.float64) for a in look(variables, means[:, 0]))
    near = probability.reshape(*shape, -1)[config.shifts.index(NEAR)]
    shown, at_data, at_samples = np.split(near, [len(SHOWN), len(SHOWN) + len(NOISE)], -1)
    return Learned(shown, at_data, at_samples, gradient.reshape(shape))


def row(results: Learned, a: float, b: float, config: Config) -> dict[str, Any]:
    """Figures of one smoothing, means over seeds."""
    misses = [
        np.abs(got - optimum(a, b, NEAR, x)[None]) @ WEIGHTS
        for got, x in ((results.at_data, NOISE), (results.at_samples, NEAR + NOISE))
    ]
    gradient = dict(zip(config.shifts, results.gradient.mean(-1), strict=True))
    return {
        "label_of_real": a,
        "label_of_samples": b,
        "error_of_probability": float(np.mean(misses)),
        "confidence_on_data": float(np.mean(results.at_data @ WEIGHTS)),
        "best_confidence": float(optimum(a, b, NEAR, NOISE) @ WEIGHTS),
        "gradient_near": float(gradient[1.0]),
        "formula_near": exact_gradient(a, b, 1.0),
        "gradient_far": float(gradient[FAR]),
        "formula_far": exact_gradient(a, b, FAR),
        "share_left": float(gradient[FAR] / gradient[1.0]),
    }


def moves(figures: Mapping[str, Any]) -> Verdict:
    """Supported where every critic is within CLOSE of its formula, not supported where none is, else it depends."""
    rows = figures["labels"]
    off = [name for name, entry in rows.items() if not entry["error_of_probability"] <= CLOSE]
    word = "supported" if not off else "not supported" if len(off) == len(rows) else "depends"
    worst = max(entry["error_of_probability"] for entry in rows.values())
    text = ", ".join(f"{entry['confidence_on_data']:.2f} ({name})" for name, entry in rows.items())
    words = f"Off the formula by {worst:.2g} at most, in the mean. Probability that a real example is given: {text}."
    return Verdict(word, words + (f" Not there: {'; '.join(off)}." if off else ""))


def costs(figures: Mapping[str, Any]) -> Verdict:
    """Supported where two-sided labels lose the gradient and one-sided ones keep it, and half of that: it depends."""
    rows = figures["labels"]
    gone = {name: entry["share_left"] < FADES for name, entry in rows.items()}
    two = [gone[name] for name, entry in rows.items() if entry["label_of_samples"] > 0]
    one = [gone[name] for name, entry in rows.items() if entry["label_of_samples"] == 0]
    word = "supported" if all(two) and not any(one) else "not supported" if not any(two) or all(one) else "depends"
    text = ", ".join(f"{part(entry['share_left'])} ({name})" for name, entry in rows.items())
    return Verdict(word, f"Left of the generator's gradient at distance {FAR:g}, in parts of that at 1: {text}.")
