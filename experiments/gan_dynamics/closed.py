"""Closed forms: the factors of a step on a game that turns at the speed w and whose critic is damped by g.

Near its equilibrium such a game is psi' = psi - h (w theta + g psi), theta' = theta + h w psi, h the rate of both
players. The Dirac-GAN has w = 1/2, the bilinear game w = 1, the LQ-GAN two speeds at once.
"""

from collections.abc import Callable

import numpy as np

Factors = Callable[[float, float], np.ndarray]  # (w, g) -> complex[...]


def quadratic(trace: complex, determinant: complex) -> np.ndarray:
    """The roots of x^2 - trace x + determinant."""
    return np.roots([1, -trace, determinant])


def flow(w: float, g: float) -> np.ndarray:
    """The eigenvalues of the field, -g/2 +- sqrt(g^2/4 - w^2). Mescheder et al. 2018, arXiv 1801.04406."""
    return quadratic(-g, w**2)


def at_once(h: float) -> Factors:
    """Both players from one point: 1 + h s, s of the flow.

    >>> round(float(abs(at_once(0.2)(0.5, 0.3)).max()), 5), round(float(abs(at_once(0.2)(1.0, 0.0)).max()), 5)
    (0.97468, 1.0198)
    """
    return lambda w, g: 1 + h * flow(w, g)


def two_rates(critic: float, generator: float) -> Factors:
    """Both players from one point, each at its rate: trace 2 - critic g, determinant 1 - critic g + both w^2."""
    return lambda w, g: quadratic(2 - critic * g, 1 - critic * g + critic * generator * w**2)


def in_turn(h: float, critics: int = 1, generators: int = 1) -> Factors:
    """The generator moves `generators` times, then the critic `critics` times.

    >>> round(float(abs(in_turn(0.2)(0.5, 0.3)).max()), 5), round(float(abs(in_turn(0.2, 5, 1)(1.0, 0.0)).max()), 5)
    (0.96954, 1.0)
    """

    def factors(w, g):
        damped = (1 - h * g) ** np.arange(critics + 1)
        return quadratic(1 + damped[-1] - generators * (h * w) ** 2 * damped[:-1].sum(), damped[-1])

    return factors


def momentum(h: float, beta: float) -> Factors:
    """Both at once: (x - 1) (x - beta) = h s x, s of the flow."""
    return lambda w, g: np.concatenate([quadratic(1 + beta + h * s, beta) for s in flow(w, g)])


def momentum_in_turn(h: float, beta: float) -> Factors:
    """Without damping: (x - 1)^2 (x - beta)^2 = -h^2 w^2 x^3. Gidel et al. 2019, arXiv 1807.04740."""

    def factors(w, g):
        square = np.polymul([1, -1 - beta, beta], [1, -1 - beta, beta])
        return np.roots(square + np.array([0, (h * w) ** 2, 0, 0, 0]))

    return factors


def optimistic(h: float) -> Factors:
    """x^2 - (1 + 2 h s) x + h s, s of the flow.

    >>> [round(float(abs(optimistic(0.2)(w, 0.0)).max()), 6) for w in (1.0, 0.5)]
    [0.978906, 0.994936]
    """
    return lambda w, g: np.concatenate([quadratic(1 + 2 * h * s, h * s) for s in flow(w, g)])


def extragradient(h: float) -> Factors:
    """1 + h s + h^2 s^2, s of the flow.

    >>> [round(float(abs(extragradient(0.2)(w, 0.0)).max()), 6) for w in (1.0, 0.5)]
    [0.980612, 0.995038]
    """
    return lambda w, g: 1 + h * flow(w, g) + (h * flow(w, g)) ** 2


def adjusted(h: float, weight: float) -> Factors:
    """Consensus, and symplectic adjustment, of a field without damping: 1 - h (+-i w + weight w^2).

    >>> round(float(abs(adjusted(0.2, 1.0)(0.5, 0.0)).max()), 5)
    0.95525
    """
    return lambda w, g: 1 - h * (1j * w * np.array([1, -1]) + weight * w**2)


def unrolled(h: float, steps: int) -> Factors:
    """Both at once, without damping, the critic foreseen `steps` steps of the same rate.

    >>> [round(float(abs(unrolled(0.2, k)(w, 0.0)).max()), 6) for k in (1, 5) for w in (1.0, 0.5)]
    [0.979796, 0.994987, 0.8, 0.953939]
    """
    return lambda w, g: quadratic(2 - 2 * steps * (h * w) ** 2, 1 + (1 - 2 * steps) * (h * w) ** 2)
