"""The ways to move two players, and the settings of the experiment."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import optax

from experiments.gan_dynamics import closed
from jaxgen.core import Game
from jaxgen.games import unrolled
from jaxgen.objectives import consensus, descend, extragradient, symplectic

PLAIN = ("both at once", "in turn")
PUSHED = {  # with momentum -> the same without
    "both at once, momentum 0.5": PLAIN[0],
    "both at once, momentum -0.5": PLAIN[0],
    "in turn, momentum 0.5": PLAIN[1],
    "in turn, momentum -0.5": PLAIN[1],
}
ON_NUMBERS = (
    *PLAIN,
    "two time scales",
    *PUSHED,
    "optimistic",
    "extragradient",
    "consensus",
    "symplectic",
    "unrolled, 1 step",
    "unrolled, 5 steps",
    "5 : 1",
    "1 : 5",
    "both at once, R1",
    "in turn, R1",
    "extragradient, R1",
    "two time scales, R1",
    "5 : 1, R1",
)
BASE = "in turn"  # what the others are held against on networks
ON_NETWORKS = (BASE, "both at once", "momentum 0", "momentum -0.5", "extragradient", "consensus", "R1")
AGAINST = {"extragradient": "both at once", "consensus": "both at once"}  # these move both at once too
PLAINLY = (*PLAIN, "two time scales", "5 : 1", "1 : 5")  # ways to train without a remedy


@dataclasses.dataclass(frozen=True)
class Config:
    """What is played, on games of two and four numbers and on ring8."""

    ways: tuple[str, ...] = ON_NUMBERS
    games: tuple[str, ...] = ("Dirac-GAN", "bilinear game", "LQ-GAN")
    rate: float = 0.2  # of both players
    gamma: float = 0.3  # of R1
    weight: float = 1.0  # of consensus and symplectic adjustment
    starts: int = 10  # directions from the equilibrium, one for each seed
    steps: int = 1600  # of a run near the equilibrium, at most
    far_steps: int = 500  # of the run from where all numbers are 1
    networks: tuple[str, ...] = ON_NETWORKS
    seeds: int = 8
    updates: int = 3000  # of each player
    looks: int = 4  # at the eigenvalues along training
    eigenvalues: int = 6  # at each look
    batch: int = 64
    adam_rate: float = 2e-3
    ring_gamma: float = 0.1
    ring_weight: float = 0.1  # of consensus


class Way(NamedTuple):
    """How the two players of a game of numbers move."""

    turns: tuple[tuple[str, ...], ...]
    critic: optax.GradientTransformation
    generator: optax.GradientTransformation
    factors: closed.Factors
    rule: Callable = descend
    form: Callable[[Game], Game] = lambda game: game
    gamma: float = 0.0  # of R1


TOGETHER = (("critic", "generator"),)


def turns(critics: int, generators: int) -> tuple[tuple[str, ...], ...]:
    """The generator first."""
    return (("generator",),) * generators + (("critic",),) * critics


def way(name: str, config: Config) -> Way:
    """The way of that name."""
    base, penalised, _ = name.partition(", R1")
    return _way(base, config.rate, config)._replace(gamma=config.gamma if penalised else 0.0)


def _way(name: str, h: float, config: Config) -> Way:
    sgd = optax.sgd(h), optax.sgd(h)
    up, down = (optax.sgd(h, beta) for beta in (0.5, -0.5))
    fast, slow = 2 * h, h / 2
    hopeful = optax.optimistic_gradient_descent(h)
    adjusted = closed.adjusted(h, config.weight)
    return {
        "both at once": Way(TOGETHER, *sgd, closed.at_once(h)),
        "in turn": Way(turns(1, 1), *sgd, closed.in_turn(h)),
        "two time scales": Way(TOGETHER, optax.sgd(fast), optax.sgd(slow), closed.two_rates(fast, slow)),
        "both at once, momentum 0.5": Way(TOGETHER, up, up, closed.momentum(h, 0.5)),
        "both at once, momentum -0.5": Way(TOGETHER, down, down, closed.momentum(h, -0.5)),
        "in turn, momentum 0.5": Way(turns(1, 1), up, up, closed.momentum_in_turn(h, 0.5)),
        "in turn, momentum -0.5": Way(turns(1, 1), down, down, closed.momentum_in_turn(h, -0.5)),
        "optimistic": Way(TOGETHER, hopeful, hopeful, closed.optimistic(h)),
        "extragradient": Way(TOGETHER, *sgd, closed.extragradient(h), extragradient),
        "consensus": Way(TOGETHER, *sgd, adjusted, consensus(config.weight)),
        "symplectic": Way(TOGETHER, *sgd, adjusted, symplectic(config.weight)),
        "unrolled, 1 step": Way(TOGETHER, *sgd, closed.unrolled(h, 1), form=lambda g: unrolled(g, steps=1, rate=h)),
        "unrolled, 5 steps": Way(TOGETHER, *sgd, closed.unrolled(h, 5), form=lambda g: unrolled(g, steps=5, rate=h)),
        "5 : 1": Way(turns(5, 1), *sgd, closed.in_turn(h, 5, 1)),
        "1 : 5": Way(turns(1, 5), *sgd, closed.in_turn(h, 1, 5)),
    }[name]
