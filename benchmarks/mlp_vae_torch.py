"""Row `mlp_vae` in PyTorch: the same net and game."""

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks import games_torch, peers_torch
from benchmarks.mlp_vae import LATENT, LEARNING_RATE, SHAPE, images
from benchmarks.worker import Work

NAMES = {
    "encode": ("vae/encoder/trunk/Dense_0", "vae/encoder/head"),
    "decode": ("vae/decoder/trunk/Dense_0", "vae/decoder/Dense_0"),
}


def eager(**size: int) -> Work:
    """As it comes, with the fused Adam."""
    return _played(lambda function: function, **size)


def compiled(**size: int) -> Work:
    """Forward and backward through torch.compile."""
    return _played(torch.compile, **size)


def _played(wrap, *, examples: int, batch: int, hidden: int, chunk: int, chunks: int) -> Work:
    pixels = int(np.prod(SHAPE))
    stored = torch.from_numpy(images(examples).reshape(-1, pixels))
    encode, decode = peers_torch.dense((pixels, hidden, 2 * LATENT)), peers_torch.dense((LATENT, hidden, pixels))
    layers = dict(zip((*NAMES["encode"], *NAMES["decode"]), (*encode, *decode), strict=True))
    return games_torch.vae(
        wrap,
        layers,
        lambda x: encode[1](F.relu(encode[0](2 * x - 1))),
        lambda z: decode[1](F.relu(decode[0](z))),
        stored,
        batch=batch,
        latent=LATENT,
        rate=LEARNING_RATE,
        steps=chunk * chunks,
    )
