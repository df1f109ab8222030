"""Row `gan_2d` in PyTorch: the same nets, losses, optimisers, gather and noise."""

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks import peers_torch
from benchmarks.gan_2d import BETAS, DEPTH, LATENT, LEARNING_RATE, points
from benchmarks.worker import Work


def eager(**size: int) -> Work:
    """As it comes, with the fused Adam."""
    return _played(lambda function: function, **size)


def compiled(**size: int) -> Work:
    """Forward and backward of each turn through torch.compile."""
    return _played(torch.compile, **size)


def _played(compile, *, examples: int, batch: int, width: int, chunk: int, chunks: int) -> Work:
    stored = torch.from_numpy(points(examples))
    generator = peers_torch.dense((LATENT, *[width] * DEPTH, 2))
    critic = peers_torch.dense((2, *[width] * DEPTH, 1))
    layers = {}
    for player, last, own in (("generator", "Dense_0", generator), ("critic", "head", critic)):
        names = (*(f"trunk/Dense_{i}" for i in range(DEPTH)), last)
        layers |= {f"{player}/params/{name}": layer for name, layer in zip(names, own, strict=True)}

    def adam(own):
        params = [p for layer in own for p in layer.parameters()]
        return torch.optim.Adam(params, lr=LEARNING_RATE, betas=BETAS, fused=True)

    critic_adam, generator_adam = adam(critic), adam(generator)

    def through(own, x, frozen=False):
        for layer in own:
            weight, bias = layer.weight, layer.bias
            if frozen:  # so that nothing is computed for weights that this turn does not move
                weight, bias = weight.detach(), bias.detach()
            x = F.linear(x, weight, bias)
            if layer is not own[-1]:
                x = F.leaky_relu(x, 0.2)
        return x

    def critic_loss(stored, at, noise):
        with torch.no_grad():
            fake = through(generator, noise)
        # One pass over both halves: fewer and larger products than two.
        real, fake = through(critic, torch.cat([stored[at], fake]))[:, 0].chunk(2)
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator_loss(noise):
        return F.softplus(-through(critic, through(generator, noise), frozen=True)[:, 0]).mean()

    of_critic, of_generator = compile(critic_loss), compile(generator_loss)

    def move(adam, loss):
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.detach()

    def step(at, draw):
        first = move(critic_adam, of_critic(stored, at[0], draw(0)))
        return [first, move(generator_adam, of_generator(draw(1)))]

    order = np.random.default_rng(1).integers(examples, size=(chunk, 2, batch))
    return peers_torch.played(
        step, layers, [critic_adam, generator_adam], at=order, noise=(batch, LATENT), rounds=chunk * chunks
    )
