"""What is put on a critic: penalties on its slope, and the other remedies beside them."""

import dataclasses
from typing import Any, NamedTuple

import optax

from experiments.strengths import PLANE, TOY
from jaxgen.core import Network
from jaxgen.nets.wrappers import spectral
from jaxgen.objectives import Penalty, add, dragan, gradient_penalty, lecam, r1, r2
from jaxgen.training.clipping import clipped

NONE = "no penalty"
ZERO_CENTRED = ("R1", "R2", "R1 + R2", "0-GP")
ONE_CENTRED = ("WGAN-GP", "DRAGAN")
SLOPES = (*ZERO_CENTRED, *ONE_CENTRED)  # the gradient penalties
OTHERS = ("LeCam", "clipping", "spectral norm")


@dataclasses.dataclass(frozen=True)
class Config:
    """What is tried, on the games of two numbers and on ring8."""

    ways: tuple[str, ...] = (NONE, *SLOPES, *OTHERS)
    toy_gamma: float = TOY.gamma  # of R1 on games of two numbers
    toy_rate: float = TOY.rate  # of both players there
    toy_steps: int = 2000
    starts: int = 8  # directions from the equilibrium
    toy_limit: float = TOY.limit  # of clipping there
    gamma: float = PLANE.gamma  # of R1 on ring8
    weight: float = PLANE.weight  # of the penalties that ask for slope 1, as their papers have it, here and there
    lecam: float = 0.3
    spread: float = PLANE.std  # std of DRAGAN's noise on ring8: half of that of the data
    limit: float = PLANE.limit  # of clipping on ring8
    seeds: int = 8
    updates: int = 3000  # of each player
    batch: int = 64
    latent: int = 2
    rate: float = PLANE.rate  # of Adam, both players


class Way(NamedTuple):
    """One remedy, at the weights of one setting."""

    penalty: Penalty | None = None
    limit: float | None = None  # of clipping
    divided: bool = False  # by spectral norm
    damping: float | None = None
    """How much of R1 it is near the equilibrium of a game of two numbers, as a gamma; None where it is none."""

    def critic(self, net: Any) -> Network:
        """The critic under it."""
        return spectral(net) if self.divided else net

    def optimizer(self, optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
        """The critic's optimiser under it."""
        return optimizer if self.limit is None else clipped(optimizer, self.limit)


def way(name: str, *, gamma: float, weight: float, lecam_weight: float, std: float, limit: float) -> Way:
    """The remedy of that name; R1 and R2 have gamma, 0-GP gamma / 2, which is as much where slopes are equal."""
    return {
        NONE: Way(damping=0.0),
        "R1": Way(r1(gamma), damping=gamma),
        "R2": Way(r2(gamma), damping=gamma),
        "R1 + R2": Way(add(r1(gamma), r2(gamma)), damping=2 * gamma),
        "0-GP": Way(gradient_penalty(gamma / 2, target=0.0), damping=gamma),
        "WGAN-GP": Way(gradient_penalty(weight)),
        "DRAGAN": Way(dragan(weight, std=std)),
        "LeCam": Way(lecam(lecam_weight), damping=0.0),
        "clipping": Way(limit=limit, damping=0.0),
        "spectral norm": Way(divided=True),
    }[name]


def toy(name: str, config: Config) -> Way:
    """On games of two numbers. The penalties for slope 1 have the weight .7 of Mescheder et al. 2018."""
    weights = {"gamma": config.toy_gamma, "weight": TOY.weight, "lecam_weight": config.lecam, "std": TOY.std}
    return way(name, **weights, limit=config.toy_limit)


def planar(name: str, config: Config) -> Way:
    """On ring8."""
    weights = {"gamma": config.gamma, "weight": config.weight, "lecam_weight": config.lecam, "std": config.spread}
    return way(name, **weights, limit=config.limit)
