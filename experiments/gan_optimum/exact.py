"""The library's losses at critics that are known in closed form, against divergences that are known without them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.evidence import Verdict
from experiments.laws import Law, divergence, gaussian, letters, log_ratio, mixture
from jaxgen.data import load
from jaxgen.objectives import NON_SATURATING, RELATIVISTIC, SATURATING, Adversarial, f_gan
from jaxgen.objectives.f_divergences import F_DIVERGENCES

CLOSE = 1e-5  # how nearly two numbers agree that float32 rounds; relative to the larger of 1 and the number
DATA = gaussian(0.0, 1.0)
TIMES = np.linspace(0.0, 2.0, 21)


def ring(*, blurred: bool = False, halved: bool = False) -> Law:
    """ring8 as it is, with twice the standard deviation, or with every second of its modes alone."""
    modes = load("ring8").modes
    means = np.asarray(modes.means, np.float64)
    return mixture(np.repeat(means[::2], 2, 0) if halved else means, modes.std * (2 if blurred else 1))


def pairs() -> dict[str, tuple[Law, Law]]:
    """Data and generator, by name."""
    loaded, die = [0.4, 0.25, 0.15, 0.1, 0.1, 0.0], [1 / 6] * 6
    return {
        "N(0, 1) and N(0.8, 1)": (DATA, gaussian(0.8, 1.0)),
        "N(0, 1) and N(0.8, 1.3²)": (DATA, gaussian(0.8, 1.3)),
        "N(0, 1) and N(4, 1)": (DATA, gaussian(4.0, 1.0)),
        "N(0, 1) and itself": (DATA, gaussian(0.0, 1.0)),
        "a loaded and a fair die": (letters(loaded), letters(die)),
        "two dice without a common side": (letters([0.5, 0.5, 0, 0]), letters([0, 0, 0.3, 0.7])),
        "a fair die and itself": (letters(die), letters(die)),
        "ring8 and half of its modes": (ring(), ring(halved=True)),
        "ring8 and its blurred copy": (ring(), ring(blurred=True)),
        "ring8 and itself": (ring(), ring()),
    }


def expected(side: Callable, real: np.ndarray, fake: np.ndarray, p: Law, q: Law) -> float:
    """The mean of a loss over independent real and fake logits at the points of both laws.

    A loss that is a sum of a real and a fake part has the same mean over any pairing of points with equal weights; an
    alphabet has unequal ones, and is taken over all pairs.
    """
    if len(p.points) == len(q.points) and np.array_equal(p.weights, q.weights):
        return float(np.asarray(side(*_f32(real, fake)), np.float64) @ p.weights)
    return over_all_pairs(side, real, fake, p, q)


def over_all_pairs(side: Callable, real: np.ndarray, fake: np.ndarray, p: Law, q: Law) -> float:
    """The same over every real with every fake logit, as a loss of pairs needs it."""
    r, f = (grid.ravel() for grid in np.meshgrid(real, fake, indexing="ij"))
    weights = np.outer(p.weights, q.weights).ravel()
    positive = weights > 0  # elsewhere a logit may be infinite of the wrong sign
    return float(np.asarray(side(*_f32(r[positive], f[positive])), np.float64) @ weights[positive])


def values() -> dict[str, dict[str, float]]:
    """The value of the minimax game at its optimal critic, -(mean loss of the critic), beside 2 JS - log 4."""
    rows = {}
    for name, (p, q) in pairs().items():
        real, fake = log_ratio(p, q, p.points), log_ratio(p, q, q.points)
        value = -expected(SATURATING.critic, real, fake, p, q)
        # A sum over the space that knows the loss not at all: from JS alone.
        rows[name] = compared(value, divergence("jensen_shannon", p, q) - math.log(4))
    return rows


def compared(ours: float, exact: float) -> dict[str, float]:
    """A row of two numbers that should be one."""
    return {"library": ours, "closed_form": exact, "difference": abs(ours - exact) / max(1.0, abs(exact))}


def relativistic() -> dict[str, dict[str, float]]:
    """log 2 - JS(p x q, q x p) is the paired relativistic critic's least loss, at the logit log p/q.

    The divergence is that of two laws in the plane: of (real, fake), and of the same exchanged.
    """
    q = gaussian(0.8, 1.3)
    x = np.linspace(-9, 11, 2001)[:, None]
    p_x, q_x = np.exp(DATA.log_density(x)), np.exp(q.log_density(x))
    one, other = np.outer(p_x, q_x), np.outer(q_x, p_x)
    half = (one + other) / 2
    shared = half > 0
    cell = (x[1, 0] - x[0, 0]) ** 2
    js = cell * np.sum(one[shared] * np.log(np.maximum(one[shared], 1e-300) / half[shared]))  # both halves are the same
    loss = over_all_pairs(RELATIVISTIC.critic, *(log_ratio(DATA, q, law.points) for law in (DATA, q)), DATA, q)
    return {"paired relativistic, N(0, 1) and N(0.8, 1.3²)": compared(loss, math.log(2) - float(js))}


def slopes() -> dict[str, dict[str, float]]:
    """The generator's gradient in its mean at the optimal critic, which stands still, beside that of the divergence."""
    mean, std, h = 0.8, 1.0, 1e-3

    def rate(name):
        return (divergence(name, DATA, gaussian(mean + h, std)) - divergence(name, DATA, gaussian(mean - h, std))) / (
            2 * h
        )

    js2 = rate("jensen_shannon")
    rows = {
        "saturating: 2 JS": compared(_slope(SATURATING, lambda r: r, mean, std), js2),
        "non-saturating: KL(q, p) - 2 JS": compared(
            _slope(NON_SATURATING, lambda r: r, mean, std), rate("reverse_kl") - js2
        ),
    }
    for name, row in F_DIVERGENCES.items():
        rows[f"f-GAN: {name}"] = compared(_slope(f_gan(name), row.optimum, mean, std), rate(name))
    return rows


def _slope(loss: Adversarial, optimum: Callable, mean: float, std: float) -> float:
    """d/d mean of E loss.generator(D*(x), D*(mean + std z)), D* being held as it is at `mean`."""
    noise, weights = (jnp.asarray(a, jnp.float32) for a in (DATA.points[:, 0], DATA.weights))

    def logits(x):  # log p/q of two Gaussians, in JAX: the critic is differentiated at the fakes
        return optimum(((x - mean) / std) ** 2 / 2 - x**2 / 2 + math.log(std))

    def total(m):
        return weights @ loss.generator(logits(noise), logits(m + std * noise))

    return float(jax.grad(total)(jnp.float32(mean)))


def bounds() -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray]]:
    """Each f-GAN bound at T* and at other critics; and along t times the logit of T*, in parts of the divergence."""
    q, x = gaussian(0.8, 1.3), np.linspace(-9, 11, 20_001)[:, None]  # one grid for both laws, as T* may jump
    own_p, own_q = ((x[1, 0] - x[0, 0]) * np.exp(law.log_density(x)) for law in (DATA, q))
    ratio, rows, curves = log_ratio(DATA, q, x), {}, {}

    def bound(loss, logits):
        v = _f32(logits)[0]
        at_fake = -np.asarray(loss.generator(v, v), np.float64)  # f*(T)
        at_real = at_fake - np.asarray(loss.critic(v, v), np.float64)  # T
        return float(own_p @ at_real - own_q @ at_fake)

    for name, row in F_DIVERGENCES.items():
        loss, whole = f_gan(name), divergence(name, DATA, q)
        best = np.asarray(row.optimum(_f32(ratio)[0]), np.float64)
        # The optimum of total variation is a jump; other critics for it are slopes in its place.
        soft = 2 * ratio if name == "total_variation" else best
        others = {
            "at_half_the_logit": bound(loss, soft / 2),
            "shifted_by_a_half": bound(loss, soft + 0.5),
            "with_a_wave": bound(loss, soft + 0.3 * np.sin(3 * x[:, 0])),
        }
        nearest = max(others.values()) - whole
        rows[name] = {**compared(bound(loss, best), whole), **others, "nearest_other": nearest}
        curves[name] = np.array([bound(loss, t * soft) for t in TIMES]) - whole
    return rows, curves


def agrees(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the two numbers of every row are one, not supported where in none, else it depends."""
    rows = {name: row for table in figures.values() for name, row in table.items()}
    apart = [name for name, row in rows.items() if not row["difference"] <= CLOSE]
    if not apart:
        worst = max(row["difference"] for row in rows.values())
        return Verdict("supported", f"All {len(rows)} agree with the closed form; they differ by {worst:.1g} at most.")
    word = "not supported" if len(apart) == len(rows) else "depends"
    text = "; ".join(f"{name} ({rows[name]['library']:.3g} against {rows[name]['closed_form']:.3g})" for name in apart)
    return Verdict(word, f"{len(rows) - len(apart)} of {len(rows)} agree with the closed form, but not {text}.")


def tight(figures: Mapping[str, Any]) -> Verdict:
    """Supported where every bound meets its divergence at T* and stays below at each other critic."""
    rows = figures["bounds"]
    loose = [name for name, row in rows.items() if not row["difference"] <= CLOSE]
    above = [name for name, row in rows.items() if not row["nearest_other"] < 0]
    bad = dict.fromkeys([*loose, *above])
    if not bad:
        return Verdict(
            "supported",
            f"All {len(rows)} bounds meet their divergence at T* and are below it at each of the other critics, by "
            f"{-max(row['nearest_other'] for row in rows.values()):.2g} at least.",
        )
    word = "not supported" if len(bad) == len(rows) else "depends"
    sentences = [f"Not tight: {', '.join(loose)}."] * bool(loose) + [f"Not below: {', '.join(above)}."] * bool(above)
    return Verdict(word, " ".join(sentences))


def _f32(*arrays: np.ndarray) -> tuple[jax.Array, ...]:
    return tuple(jnp.asarray(a, jnp.float32) for a in arrays)
