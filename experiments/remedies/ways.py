"""The remedies: each is one change to the same training."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import optax

from experiments.strengths import PLANE, Setting
from jaxgen.core import Game, Network
from jaxgen.games import gan, unrolled
from jaxgen.nets import packed, spectral
from jaxgen.objectives import (
    HINGE,
    LEAST_SQUARES,
    NON_SATURATING,
    RELATIVISTIC,
    SATURATING,
    WASSERSTEIN,
    Adversarial,
    Penalty,
    add,
    consensus,
    descend,
    dragan,
    extragradient,
    gradient_penalty,
    r1,
    r2,
    smooth,
)
from jaxgen.training.clipping import clipped
from jaxgen.training.program import Plan
from jaxgen.training.step import Ema, ema_rate

MINIMAX, BASE = "minimax loss", "non-saturating loss"
Turns = tuple[tuple[str, ...], ...]
TOGETHER: Turns = (("critic", "generator"),)
PACK = 2


class Way(NamedTuple):
    """One change; what it leaves alone is that of the non-saturating loss without a penalty, in turns of one."""

    loss: Adversarial = NON_SATURATING
    penalty: Callable[[Setting], Penalty] | None = None
    net: Callable[[Any], Any] = lambda net: net  # of the critic
    turns: Turns = (("critic",), ("generator",))
    rule: Callable[[Setting], Callable] = lambda setting: descend
    form: Callable[[Game, Setting], Game] = lambda game, setting: game
    faster: float = 1.0  # by which the critic's rate is higher, and the generator's lower
    clips: bool = False
    gradient_of: str = ""  # the way whose gradient it gives, if it moves the players alone; "" if its critic is its own
    smooth: bool = True  # whether a step of the game of two numbers has a derivative at its equilibrium

    def rates(self, rate: float) -> tuple[float, float]:
        """Those of the critic and of the generator."""
        return self.faster * rate, rate / self.faster


WAYS = {
    MINIMAX: Way(SATURATING),
    BASE: Way(),
    "least squares": Way(LEAST_SQUARES),
    "Wasserstein, WGAN-GP": Way(WASSERSTEIN, lambda s: gradient_penalty(s.weight), smooth=False),
    "Wasserstein, clipping": Way(WASSERSTEIN, clips=True),
    "hinge, spectral norm": Way(HINGE, net=spectral, smooth=False),
    "relativistic, R1 + R2": Way(RELATIVISTIC, lambda s: add(r1(s.gamma), r2(s.gamma))),
    "R1": Way(penalty=lambda s: r1(s.gamma)),
    "DRAGAN": Way(penalty=lambda s: dragan(s.weight, std=s.std), smooth=False),
    "labels of 0.9": Way(smooth(NON_SATURATING, real=0.9)),
    f"packs of {PACK}": Way(net=lambda net: packed(net, PACK)),
    "critic 5 : 1": Way(turns=(("critic",),) * 5 + (("generator",),), gradient_of=BASE),
    "two time scales": Way(faster=2.0, gradient_of=BASE),
    "both at once": Way(turns=TOGETHER, gradient_of=BASE),
    "extragradient": Way(turns=TOGETHER, rule=lambda s: extragradient),
    "consensus": Way(turns=TOGETHER, rule=lambda s: consensus(s.consensus)),
    "unrolled, 5 steps": Way(form=lambda game, s: unrolled(game, steps=5, rate=s.foreseen), gradient_of=MINIMAX),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """What is tried, and on how much."""

    ways: tuple[str, ...] = tuple(WAYS)
    seeds: int = 8
    updates: int = 3000  # of the generator, on ring8
    batch: int = 64
    latent: int = 2
    toy_steps: int = 2000
    starts: int = 8  # directions from the equilibrium
    shifts: tuple[float, float] = (1.0, 8.0)  # distances of two Gaussians: they overlap, they do not
    critic_steps: int = 2000
    width: int = 32  # of that critic


def build(way: Way, generator: Any, critic: Any, latent: int, setting: Setting) -> Game:
    """The game of these networks under the remedy."""
    penalty = way.penalty(setting) if way.penalty else None
    return way.form(gan(generator, way.net(critic), latent_dim=latent, loss=way.loss, penalty=penalty), setting)


def optimizer(way: Way, entry: optax.GradientTransformation, limit: float) -> optax.GradientTransformation:
    """The critic's optimiser under the remedy."""
    return clipped(entry, limit) if way.clips else entry


def plan(way: Way, generator: Network, critic: Any, config: Config) -> Plan:
    """The training on ring8: Adam with DCGAN's first momentum; samples are those of the moving average."""
    game = build(way, generator, critic, config.latent, PLANE)
    fast, slow = (optax.adam(rate, b1=0.5, b2=0.99) for rate in way.rates(PLANE.rate))
    optimizers = {"critic": optimizer(way, fast, PLANE.limit), "generator": slow}
    average = Ema(ema_rate(0.001), ("generator",))
    return Plan(game, optimizers, way.turns, average, rule=way.rule(PLANE), batch_size=config.batch)
