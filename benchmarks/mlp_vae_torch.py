"""Row `mlp_vae` in PyTorch: the same net, loss, optimiser, gather and noise."""

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks import peers_torch
from benchmarks.mlp_vae import LATENT, LEARNING_RATE, SHAPE, images
from benchmarks.worker import Work

NAMES = {
    "encode": ("vae/encoder/params/trunk/Dense_0", "vae/encoder/params/head"),
    "decode": ("vae/decoder/params/trunk/Dense_0", "vae/decoder/params/Dense_0"),
}


def eager(**size: int) -> Work:
    """As it comes, with the fused Adam."""
    return _played(lambda function: function, **size)


def compiled(**size: int) -> Work:
    """Forward and backward through torch.compile."""
    return _played(torch.compile, **size)


def _played(compile, *, examples: int, batch: int, hidden: int, chunk: int, chunks: int) -> Work:
    pixels = int(np.prod(SHAPE))
    stored = torch.from_numpy(images(examples).reshape(-1, pixels))
    encode, decode = peers_torch.dense((pixels, hidden, 2 * LATENT)), peers_torch.dense((LATENT, hidden, pixels))
    layers = dict(zip((*NAMES["encode"], *NAMES["decode"]), (*encode, *decode), strict=True))
    params = [p for layer in layers.values() for p in layer.parameters()]
    adam = torch.optim.Adam(params, lr=LEARNING_RATE, fused=True)

    def loss_of(stored, at, noise):
        x = stored[at].float() / 255
        mean, raw = encode[1](F.relu(encode[0](2 * x - 1))).chunk(2, -1)
        log_std = 7 * torch.tanh(raw / 7)
        z = mean + torch.exp(log_std) * noise
        logits = decode[1](F.relu(decode[0](z)))
        nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = torch.sum((torch.exp(2 * log_std) - 1 + mean**2) / 2 - log_std)
        return (nll + kl) / len(x)

    forward = compile(loss_of)

    def step(at, draw):
        loss = forward(stored, at[0], draw(0))
        adam.zero_grad()
        loss.backward()
        adam.step()
        return [loss.detach()]

    order = np.random.default_rng(1).integers(examples, size=(chunk, 1, batch))
    return peers_torch.played(step, layers, [adam], at=order, noise=(batch, LATENT), rounds=chunk * chunks)
