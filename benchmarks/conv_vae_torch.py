"""Row `conv_vae` in PyTorch: the same nets and game."""

import torch

from benchmarks import conv_torch, games_torch
from benchmarks.conv import SHAPE
from benchmarks.conv_vae import LEARNING_RATE
from benchmarks.mlp_vae import images
from benchmarks.worker import Work


def played_eager(**size: int) -> Work:
    """Channels last, with the fused Adam."""
    return _played(lambda function: function, **size)


def played_compiled(**size: int) -> Work:
    """Forward and backward through torch.compile as well."""
    return _played(torch.compile, **size)


def _played(wrap, *, examples: int, batch: int, width: int, latent: int, chunk: int, chunks: int) -> Work:
    encoder = conv_torch.critic("vae/encoder", width, 2 * latent)
    decoder = conv_torch.generator("vae/decoder", width, latent)
    encode, decode = list(encoder.values()), list(decoder.values())
    return games_torch.vae(
        wrap,
        encoder | decoder,
        lambda x: conv_torch.judged(encode, x),
        lambda z: conv_torch.generated(decode, z),
        torch.from_numpy(images(examples, SHAPE)),
        batch=batch,
        latent=latent,
        rate=LEARNING_RATE,
        steps=chunk * chunks,
    )
