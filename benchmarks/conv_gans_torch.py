"""Rows `dcgan` and `wgan_gp` in PyTorch: the same nets and games."""

import torch

from benchmarks import conv_torch, games_torch
from benchmarks.conv import SHAPE
from benchmarks.conv_gans import CRITIC_TURNS, RATES, WEIGHT
from benchmarks.mlp_vae import images
from benchmarks.worker import Work


def dcgan_eager(**size: int) -> Work:
    """Channels last, with the fused Adam."""
    return _gan(lambda function: function, **size)


def dcgan_compiled(**size: int) -> Work:
    """Forward and backward of each turn through torch.compile as well."""
    return _gan(torch.compile, **size)


def wgan_gp_eager(**size: int) -> Work:
    """Channels last, with the fused Adam."""
    return _wgan_gp(lambda function: function, **size)


def wgan_gp_compiled(**size: int) -> Work:
    """Forward and backward of each turn through torch.compile as well."""
    return _wgan_gp(torch.compile, **size)


def wgan_gp_float64(**size: int) -> Work:
    """In double precision: what the losses are but for rounding."""
    torch.set_default_dtype(torch.float64)
    return wgan_gp_eager(**size)


def _gan(wrap, *, batch: int, latent: int, **size: int) -> Work:
    rate, betas = RATES["gan"]
    return games_torch.gan(
        wrap,
        *_nets(latent=latent, **size),
        losses=games_torch.NON_SATURATING,
        noise=[lambda: torch.randn(batch, latent)],
        batch=batch,
        rate=rate,
        betas=betas,
        steps=size["chunk"] * size["chunks"],
    )


def _wgan_gp(wrap, *, batch: int, latent: int, **size: int) -> Work:
    rate, betas = RATES["wgan_gp"]
    layers, critic, generate, stored = _nets(latent=latent, **size)

    def penalty(real, fake, mix):
        mix = mix.view(-1, 1, 1, 1)
        slope = torch.func.grad(lambda x: critic(x, False).sum())(mix * real + (1 - mix) * fake)
        return WEIGHT * ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()

    return games_torch.gan(
        wrap,
        layers,
        critic,
        generate,
        stored,
        losses=games_torch.WASSERSTEIN,
        noise=[lambda: torch.rand(batch), lambda: torch.randn(batch, latent)],
        penalty=penalty,
        critic_turns=CRITIC_TURNS,
        batch=batch,
        rate=rate,
        betas=betas,
        steps=size["chunk"] * size["chunks"],
    )


def _nets(*, examples: int, width: int, latent: int, chunk: int, chunks: int):
    critic, generator = conv_torch.critic("critic", width, 1), conv_torch.generator("generator", width, latent)
    judge, make = list(critic.values()), list(generator.values())
    return (
        critic | generator,
        lambda x, frozen: conv_torch.judged(judge, x, frozen=frozen)[:, 0],
        lambda z: torch.sigmoid(conv_torch.generated(make, z)),
        torch.from_numpy(images(examples, SHAPE)),
    )
