"""Row `conv_vae`: the recipe `vae` on 32x32x3 images, beside the same step in PyTorch."""

from typing import Any

from benchmarks import conv, training
from benchmarks.figures import Target

LEARNING_RATE = 1e-3  # the recipe's
FULL = {"examples": 4096, "batch": 128, "width": 256, "latent": 128, "chunk": 10, "chunks": 3}
QUICK = {"examples": 64, "batch": 8, "width": 8, "latent": 4, "chunk": 10, "chunks": 1}


def measure(*, rounds: int, quick: bool) -> dict[str, Any]:
    """Images per second of training, Adam, Bernoulli likelihood, uint8 images on the device."""
    size = QUICK if quick else FULL
    batch, base, steps = size["batch"], size["width"] // 8, size["chunk"] * size["chunks"]
    return training.measure(
        "conv_vae",
        f"training step of vae, convolutions 3-{base}-{2 * base}-{4 * base}, batch {batch}, Adam, float32, CPU",
        "images/s",
        conv.variants("vae", "conv_vae_torch:played", size),
        units=steps * batch,
        flops=flops(batch, size["width"], size["latent"]),
        steps=steps,
        target=Target(1.0, least=True),
        beside=conv.AS_MET,
        notes=conv.SETTINGS,
        rounds=rounds,
        quick=quick,
    )


def flops(batch: int, width: int, latent: int) -> int:
    """Of the products of a step: forward, gradients in weights, gradients in inputs (not in the images)."""
    first, others, features = conv.pyramid(width)
    encoder, decoder = first + others + features * 2 * latent, latent * features + others + first
    return 2 * batch * (3 * encoder - first + 3 * decoder)
