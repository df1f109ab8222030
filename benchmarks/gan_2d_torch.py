"""Row `gan_2d` in PyTorch: the same nets and game."""

import torch
import torch.nn.functional as F

from benchmarks import games_torch, peers_torch
from benchmarks.gan_2d import BETAS, DEPTH, LATENT, LEARNING_RATE, points
from benchmarks.worker import Work


def eager(**size: int) -> Work:
    """As it comes, with the fused Adam."""
    return _played(lambda function: function, **size)


def compiled(**size: int) -> Work:
    """Forward and backward of each turn through torch.compile."""
    return _played(torch.compile, **size)


def _played(wrap, *, examples: int, batch: int, width: int, chunk: int, chunks: int) -> Work:
    generator = peers_torch.dense((LATENT, *[width] * DEPTH, 2))
    critic = peers_torch.dense((2, *[width] * DEPTH, 1))
    layers = {}
    for player, last, own in (("generator", "Dense_0", generator), ("critic", "head", critic)):
        names = (*(f"trunk/Dense_{i}" for i in range(DEPTH)), last)
        layers |= {f"{player}/{name}": layer for name, layer in zip(names, own, strict=True)}

    def through(own, x, frozen=False):
        for layer in own:
            x = F.linear(x, *peers_torch.weights(layer, frozen))
            if layer is not own[-1]:
                x = F.leaky_relu(x, 0.2)
        return x

    return games_torch.gan(
        wrap,
        layers,
        lambda x, frozen: through(critic, x, frozen)[:, 0],
        lambda z: through(generator, z),
        torch.from_numpy(points(examples)),
        losses=games_torch.NON_SATURATING,
        noise=[lambda: torch.randn(batch, LATENT)],
        batch=batch,
        rate=LEARNING_RATE,
        betas=BETAS,
        steps=chunk * chunks,
    )
