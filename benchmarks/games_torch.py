"""The games of the rows in PyTorch, on nets that the row brings: the same losses, optimisers, gather and noise."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks import peers_torch
from benchmarks.worker import Work

Layers = Mapping[str, torch.nn.Module]

NON_SATURATING = (
    lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
    lambda fake: F.softplus(-fake).mean(),
)
WASSERSTEIN = (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean())


def vae(
    wrap: Callable,
    layers: Layers,
    encode: Callable,
    decode: Callable,
    stored: torch.Tensor,
    *,
    batch: int,
    latent: int,
    rate: float,
    steps: int,
) -> Work:
    """`jaxgen.games.vae` on uint8 images: Gaussian posterior, Bernoulli pixels.

    Args:
      wrap: what forward and backward go through: `torch.compile`, or nothing.
      layers: by the name of the same layer on our side.
      encode: x [B, ...] in [0, 1] -> [B, 2 latent].
      decode: z -> logits in the shape of x.
      stored: all images.
      batch: B.
      latent: of z.
      rate: of Adam.
      steps: of a block.
    """
    adam = peers_torch.adam(layers.values(), rate, (0.9, 0.999))

    @wrap
    def loss_of(stored, at, noise):
        x = stored[at].to(torch.get_default_dtype()) / 255
        mean, raw = encode(x).chunk(2, -1)
        log_std = 7 * torch.tanh(raw / 7)
        z = mean + torch.exp(log_std) * noise.view(mean.shape)
        nll = F.binary_cross_entropy_with_logits(decode(z), x, reduction="sum")
        kl = torch.sum((torch.exp(2 * log_std) - 1 + mean**2) / 2 - log_std)
        return (nll + kl) / len(x)

    def step(at, draw):
        return [peers_torch.move(adam, loss_of(stored, at[0], draw(0)))]

    noise = [lambda: torch.randn(batch, latent)]
    return peers_torch.played(step, layers, [adam], at=order(len(stored), steps, 1, batch), noise=noise, steps=steps)


def gan(
    wrap: Callable,
    layers: Layers,
    critic: Callable,
    generate: Callable,
    stored: torch.Tensor,
    *,
    losses: tuple[Callable, Callable],
    noise: Sequence[peers_torch.Draw],
    penalty: Callable | None = None,
    critic_turns: int = 1,
    batch: int,
    rate: float,
    betas: tuple[float, float],
    steps: int,
) -> Work:
    """`jaxgen.games.gan`: `critic_turns` turns of the critic, then one of the generator.

    Args:
      wrap: what forward and backward go through: `torch.compile`, or nothing.
      layers: by the name of the same layer on our side, which starts with the player's.
      critic: (x [B, ...], frozen) -> logits [B].
      generate: z -> x.
      stored: all examples, uint8 or float32.
      losses: of critic (real, fake) and of generator (fake) logits -> a number.
      noise: how z, the last leaf, and the penalty's noise are drawn.
      penalty: (real, fake, noise) -> a number that the critic pays, or None.
      critic_turns: of a step.
      batch: B.
      rate: of both Adams.
      betas: of both Adams.
      steps: of a block.
    """
    adams = [
        peers_torch.adam([layer for name, layer in layers.items() if name.startswith(player)], rate, betas)
        for player in ("critic", "generator")
    ]
    z = len(noise) - 1

    @wrap
    def critic_loss(stored, at, z, mix):
        real = stored[at] if stored.is_floating_point() else stored[at].to(torch.get_default_dtype()) / 255
        with torch.no_grad():
            fake = generate(z)
        # One pass over both halves: fewer and larger products than two.
        loss = losses[0](*critic(torch.cat([real, fake]), False).chunk(2))
        return loss if penalty is None else loss + penalty(real, fake, mix)

    @wrap
    def generator_loss(z):
        return losses[1](critic(generate(z), True))

    def step(at, draw):
        for t in range(critic_turns):
            mix = None if penalty is None else draw(t, 0)
            first = peers_torch.move(adams[0], critic_loss(stored, at[t], draw(t, z), mix))
        return [first, peers_torch.move(adams[1], generator_loss(draw(critic_turns, z)))]

    at = order(len(stored), steps, critic_turns + 1, batch)
    return peers_torch.played(step, layers, adams, at=at, noise=noise, steps=steps)


def order(examples: int, *shape: int) -> np.ndarray:
    """Indices."""
    return np.random.default_rng(1).integers(examples, size=shape)
