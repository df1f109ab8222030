"""Two laws whose densities are known: expectations over their points, and divergences by sums over the space.

All in float64 NumPy, apart from the library: what a closed form says here, no loss of the library was asked for.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Array = np.ndarray
NOISE = np.linspace(-9, 9, 721)  # of a standard normal; the trapezoidal rule is exact to rounding for smooth functions
WEIGHTS = np.exp(-(NOISE**2) / 2) / np.sum(np.exp(-(NOISE**2) / 2))
LINE = np.linspace(-40, 50, 360_001)
PLANE = np.linspace(-1.4, 1.4, 1121)  # a quarter of the standard deviation of ring8 apart


class Law(NamedTuple):
    """Points with their weights, for expectations; and the logarithm of the density, on points and on `space`."""

    points: Array  # f64[N, D], or the letters of an alphabet, [N, 1]
    weights: Array  # f64[N], of sum 1
    log_density: Callable[[Array], Array]  # [..., D] -> [...]
    space: Callable[[], tuple[Array, float]]  # () -> (log density over all of it, size of a cell)


def gaussian(mean: float, std: float) -> Law:
    """N(mean, std^2) on the line.

    >>> law = gaussian(1.0, 2.0)
    >>> round(float(law.weights @ law.points[:, 0] ** 2), 9)
    5.0
    """

    def log_density(x):
        return -(((x[..., 0] - mean) / std) ** 2) / 2 - math.log(std * math.sqrt(2 * math.pi))

    points = (mean + std * NOISE)[:, None]
    return Law(points, WEIGHTS, log_density, lambda: (log_density(LINE[:, None]), LINE[1] - LINE[0]))


def letters(shares: Array) -> Law:
    """A discrete law over the letters 0, 1, ...; a share may be 0."""
    shares = np.asarray(shares, np.float64)
    with np.errstate(divide="ignore"):
        log_shares = np.log(shares)
    return Law(
        np.arange(len(shares))[:, None], shares, lambda x: log_shares[x[..., 0].astype(int)], lambda: (log_shares, 1.0)
    )


def mixture(means: Array, std: float) -> Law:
    """Equal parts of round Gaussians in the plane; a mean that stands twice has twice the weight."""
    means, noise = np.asarray(means, np.float64), np.linspace(-6, 6, 49)  # leaves out a share of 3e-8
    weights = np.outer(*[np.exp(-(noise**2) / 2)] * 2).ravel()
    grid = np.stack(np.meshgrid(noise, noise, indexing="ij"), -1).reshape(-1, 2)
    scale = math.log(len(means) * 2 * math.pi * std**2)

    def log_density(x):
        square = np.stack([np.sum((x - mean) ** 2, -1) for mean in means]) / (2 * std**2)
        least = square.min(0)
        return np.log(np.sum(np.exp(least[None] - square), 0)) - least - scale

    def space():
        along, across = (np.exp(-(((PLANE - centre[:, None]) / std) ** 2) / 2) for centre in means.T)
        with np.errstate(divide="ignore"):
            return np.log(along.T @ across) - scale, (PLANE[1] - PLANE[0]) ** 2

    points = (means[:, None] + std * grid[None]).reshape(-1, 2)
    return Law(points, np.tile(weights / weights.sum(), len(means)) / len(means), log_density, space)


def log_ratio(p: Law, q: Law, x: Array) -> Array:
    """log p(x)/q(x), the logit of the optimal critic."""
    with np.errstate(invalid="ignore"):
        return p.log_density(x) - q.log_density(x)


def softplus(x: Array) -> Array:
    """log(1 + e^x)."""
    return np.logaddexp(0, x)


def divergence(name: str, p: Law, q: Law) -> float:
    """D_f(p || q) of a row of the f-GAN's table, as a sum over the space; "gan" is 2 JS - log 4.

    >>> p, q = gaussian(0.0, 1.0), gaussian(0.8, 1.0)
    >>> round(divergence("kl", p, q), 9), round(divergence("gan", p, q), 6)
    (0.32, -1.237938)
    """
    (log_p, cell), (log_q, _) = p.space(), q.space()
    own_p, own_q = (np.exp(log) for log in (log_p, log_q))
    with np.errstate(invalid="ignore", over="ignore"):
        at_p, at_q = _TERMS[name](log_p - log_q)
        return float(cell * (np.sum(_part(own_p, at_p)) + np.sum(_part(own_q, at_q))))


def _part(density: Array, value: Array) -> Array:
    return np.where(density > 0, density * value, 0.0)


_TERMS: dict[str, Callable[[Array], tuple[Array, Array]]] = {  # log p/q -> what is averaged over p, and over q
    "kl": lambda r: (r, 0 * r),
    "reverse_kl": lambda r: (0 * r, -r),
    "pearson": lambda r: (np.expm1(r), -np.expm1(r)),
    "hellinger": lambda r: (-np.expm1(-r / 2), -np.expm1(r / 2)),
    "jensen_shannon": lambda r: (math.log(2) - softplus(-r), math.log(2) - softplus(r)),
    "gan": lambda r: (-softplus(-r), -softplus(r)),
    "total_variation": lambda r: (np.sign(r) / 2, -np.sign(r) / 2),
}
