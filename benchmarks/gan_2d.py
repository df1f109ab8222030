"""Row `gan_2d`: the shipped GAN of small MLPs on points in the plane, beside the same step in PyTorch."""

from typing import Any

import numpy as np

from benchmarks import training
from benchmarks.figures import Target
from benchmarks.interleave import Variant
from benchmarks.worker import Work

LATENT, DEPTH, LEARNING_RATE, BETAS = 16, 3, 2e-4, (0.5, 0.999)
FULL = {"examples": 8192, "batch": 256, "width": 128, "chunk": 100, "chunks": 4}
QUICK = {"examples": 256, "batch": 16, "width": 8, "chunk": 20, "chunks": 1}


def measure(*, rounds: int, quick: bool) -> dict[str, Any]:
    """Points per second of training, non-saturating, one critic's turn and one generator's a step."""
    size = QUICK if quick else FULL
    batch, width, steps = size["batch"], size["width"], size["chunk"] * size["chunks"]
    title = f"step of gan (critic, then generator) on points, MLPs {width}x{DEPTH}, batch {batch}, Adam, CPU"
    variants = {
        "ours": Variant("benchmarks.gan_2d:ours", size, optional=False),
        "torch eager": Variant("benchmarks.gan_2d_torch:eager", size),
        "torch compile": Variant("benchmarks.gan_2d_torch:compiled", size),
    }
    return training.measure(
        "gan_2d",
        title,
        "points/s",
        variants,
        units=steps * batch,
        flops=flops(batch, width),
        steps=steps,
        target=Target(1.8, least=True),
        rounds=rounds,
        quick=quick,
    )


def flops(batch: int, width: int) -> int:
    """Of the matrix products of a step; no gradient in what no player moves."""
    inner = (DEPTH - 1) * width * width
    generator, critic = LATENT * width + inner + width * 2, 2 * width + inner + width
    critic_turn = generator + 2 * (critic + critic + critic - 2 * width)  # real and fake
    generator_turn = generator + generator + generator - LATENT * width + critic + critic
    return 2 * batch * (critic_turn + generator_turn)


def points(examples: int) -> np.ndarray:
    """float32 [N, 2], eight Gaussians on a circle."""
    rng = np.random.default_rng(0)
    angle = rng.integers(8, size=examples) * np.pi / 4
    means = 2 * np.stack([np.cos(angle), np.sin(angle)], -1)
    return (means + 0.02 * rng.standard_normal((examples, 2))).astype(np.float32)


def plan(width: int) -> Any:
    """The shipped game and its optimisers; no moving average, because the peer has none."""
    import optax

    from jaxgen.games import gan
    from jaxgen.nets import MLP, Critic, Generator
    from jaxgen.training.program import Plan

    trunk = (width,) * DEPTH
    game = gan(Generator((2,), MLP(trunk)), Critic(MLP(trunk)), latent_dim=LATENT)
    adam = {player: optax.adam(LEARNING_RATE, *BETAS) for player in ("critic", "generator")}
    return Plan(game, adam, (("critic",), ("generator",)))


def ours(*, examples: int, batch: int, width: int, chunk: int, chunks: int) -> Work:
    """The program of `jaxgen.training.program`."""
    from benchmarks.ours import played

    return played(plan(width), points(examples), batch=batch, chunk=chunk, chunks=chunks)
