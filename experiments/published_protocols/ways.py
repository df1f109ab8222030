"""The two protocols as published: networks, losses, optimisers and figures; and how much of them is trained here."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import flax.linen as nn
import optax

from jaxgen.core import Array
from jaxgen.games import gan, unrolled
from jaxgen.nets import network, packed
from jaxgen.objectives import NON_SATURATING, SATURATING
from jaxgen.training.program import Plan

TOGETHER = (("critic", "generator"),)  # both move from one point, as in the code of both papers
UNROLLING, PACKING = "unrolling", "packing"
BATCH = 512  # of unrolling, as published


class Tanh(nn.Module):
    """Two hidden layers of 128 tanh, all kernels orthogonal of gain 1.4: both networks of the unrolled GAN."""

    outputs: int
    width: int = 128

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """f32[B, outputs], or f32[B] of one output."""
        init = nn.initializers.orthogonal(1.4)
        for _ in range(2):
            x = nn.tanh(nn.Dense(self.width, kernel_init=init)(x))
        y = nn.Dense(self.outputs, kernel_init=init)(x)
        return y[:, 0] if self.outputs == 1 else y


class Normalised(nn.Module):
    """PacGAN's generator: four layers of 400 without biases, batch norm and ReLU after each; kernels N(0, 0.02^2)."""

    width: int = 400
    std: float = 0.02

    @nn.compact
    def __call__(self, z: Array, train: bool) -> Array:
        """f32[B, 2]."""
        init = nn.initializers.normal(self.std)
        for _ in range(4):
            z = nn.Dense(self.width, use_bias=False, kernel_init=init)(z)
            z = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.95, epsilon=1e-4)(z))
        return nn.Dense(2, kernel_init=init)(z)


class Maxout(nn.Module):
    """PacGAN's critic: three layers of 200, each number the largest of 5 linear ones; kernels N(0, 0.02^2)."""

    width: int = 200
    pieces: int = 5
    std: float = 0.02

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """f32[B], of packs of m points as x f32[B, 2 m]."""
        init = nn.initializers.normal(self.std)
        for _ in range(3):
            x = nn.Dense(self.width * self.pieces, kernel_init=init)(x)
            x = x.reshape(*x.shape[:-1], self.width, self.pieces).max(-1)
        return nn.Dense(1, kernel_init=init)(x)[:, 0]


class Published(NamedTuple):
    """What a paper reports of a way on a data set, means over its runs."""

    modes: float
    quality: float  # % of 2,500 samples
    nats: float | None  # reverse KL


class Protocol(NamedTuple):
    """A remedy in the setting of its own paper; a way is a number of it, of which the first is without the remedy."""

    named: Callable[[int], str]
    plan: Callable[[int, "Config"], Plan]  # of a way
    updates: int  # of each player, as published
    published: Mapping[str, Mapping[int, Published]]  # by data set and way


def unrolling_plan(steps: int, config: "Config") -> Plan:
    """The minimax game of an unrolled GAN, of Metz et al. 2017, arXiv 1611.02163, and the code of its demo."""
    game = gan(Tanh(2), Tanh(1), latent_dim=256, loss=SATURATING)
    if steps:
        game = unrolled(game, steps=steps, rate=config.foreseen)
    adam = {"critic": optax.adam(1e-4, b1=0.5), "generator": optax.adam(1e-3, b1=0.5)}
    return Plan(game, adam, TOGETHER, batch_size=config.batch)


def packing_plan(pack: int, config: "Config") -> Plan:
    """PacGAN's own, of Lin et al. 2018, arXiv 1712.04086, and its code: 100 packs a batch, whatever their size.

    Layers are `config.narrower` times narrower than there, and their kernels start larger by its root, so that signals
    have the size that they have there.
    """
    std = 0.02 * math.sqrt(config.narrower)
    generator = network(Normalised(400 // config.narrower, std), couples=True)
    critic = packed(Maxout(200 // config.narrower, std=std), pack)
    game = gan(generator, critic, latent_dim=2, loss=NON_SATURATING)
    adam = optax.adam(1e-4, b1=0.8)
    return Plan(game, {"critic": adam, "generator": adam}, TOGETHER, batch_size=100 * pack, unit=pack)


PROTOCOLS = {
    UNROLLING: Protocol(
        lambda steps: f"unrolled, {steps} steps" if steps else "not unrolled",
        unrolling_plan,
        25_000,
        {  # GAN and unrolled GAN in the table of VEEGAN, arXiv 1705.07761, which gives no reverse KL
            "ring8": {0: Published(1, 99.3, None), 5: Published(7.6, 35.6, None)},
            "grid25": {0: Published(3.3, 0.5, None), 5: Published(23.6, 16, None)},
        },
    ),
    PACKING: Protocol(
        lambda pack: f"packs of {pack}" if pack > 1 else "no packs",
        packing_plan,
        400_000,
        {  # the paper's own table, means of 10 runs
            "ring8": {1: Published(6.3, 98.2, 0.45), 2: Published(7.9, 95.6, 0.07), 4: Published(7.8, 95.9, 0.07)},
            "grid25": {1: Published(17.3, 94.8, 0.70), 2: Published(23.8, 91.3, 0.13), 4: Published(24.8, 93.6, 0.04)},
        },
    ),
}


@dataclasses.dataclass(frozen=True)
class Part:
    """What is trained of a protocol."""

    data: tuple[str, ...]
    ways: tuple[int, ...]  # the first is without the remedy
    updates: int


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained of both, and on how many seeds."""

    unrolling: Part = Part(("ring8",), (0, 5), 20_000)
    packing: Part = Part(("grid25",), (1, 4), 16_000)
    seeds: int = 8
    looks: int = 5  # during training, the last one at its end
    batch: int = 128  # of unrolling, where BATCH is published
    narrower: int = 4  # how many times narrower the layers of PacGAN's networks are than published
    foreseen: float = 0.1  # rate of the steps that an unrolled generator foresees
    samples: int = 2500

    def part(self, protocol: str) -> Part:
        """That of one of the two."""
        return {UNROLLING: self.unrolling, PACKING: self.packing}[protocol]
