"""Row `mlp_vae`: the shipped VAE, 784-400-20, beside the same step in PyTorch."""

import math
from typing import Any

import numpy as np

from benchmarks import training
from benchmarks.figures import Target
from benchmarks.interleave import Variant
from benchmarks.worker import Work

SHAPE, LATENT, LEARNING_RATE = (28, 28, 1), 20, 1e-3
FULL = {"examples": 8192, "batch": 128, "hidden": 400, "chunk": 100, "chunks": 2}
QUICK = {"examples": 256, "batch": 16, "hidden": 8, "chunk": 20, "chunks": 1}


def measure(*, rounds: int, quick: bool) -> dict[str, Any]:
    """Images per second of training, Adam, Bernoulli likelihood, uint8 images on the device."""
    size = QUICK if quick else FULL
    batch, hidden, steps = size["batch"], size["hidden"], size["chunk"] * size["chunks"]
    title = f"training step of vae, MLP 784-{hidden}-{LATENT}, batch {batch}, Adam, float32, CPU"
    variants = {
        "ours": Variant("benchmarks.mlp_vae:ours", size, optional=False),
        "torch eager": Variant("benchmarks.mlp_vae_torch:eager", size),
        "torch compile": Variant("benchmarks.mlp_vae_torch:compiled", size),
    }
    return training.measure(
        "mlp_vae",
        title,
        "images/s",
        variants,
        units=steps * batch,
        flops=flops(batch, hidden),
        steps=steps,
        target=Target(1.5, least=True),
        rounds=rounds,
        quick=quick,
    )


def flops(batch: int, hidden: int) -> int:
    """Of the matrix products of a step: forward, gradients in weights, gradients in inputs (not in the images)."""
    pixels = math.prod(SHAPE)
    first, others = pixels * hidden, hidden * 2 * LATENT + LATENT * hidden + hidden * pixels
    return 2 * batch * (2 * first + 3 * others)


def images(examples: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """uint8 images of eight factors: something that twenty steps can learn from."""
    rng, images = np.random.default_rng(0), np.empty((examples, math.prod(shape)), np.uint8)
    factors = rng.standard_normal((8, images.shape[1]), np.float32)
    for part in np.array_split(images, max(1, examples // 256)):  # the whole in floats would be the peak of memory
        logits = rng.standard_normal((len(part), 8), np.float32) @ factors
        part[:] = np.round(255 / (1 + np.exp(-logits)))
    return images.reshape(-1, *shape)


def plan(hidden: int) -> Any:
    """The shipped game and its optimiser; no moving average, because the peer has none."""
    import flax.linen as nn
    import optax

    from jaxgen.games import vae
    from jaxgen.latents import vector
    from jaxgen.nets import MLP, Encoder, Generator
    from jaxgen.training.program import Plan

    encoder, decoder = (
        Encoder(2 * LATENT, MLP((hidden,), nn.relu)),
        Generator(SHAPE, MLP((hidden,), nn.relu)),
    )
    return Plan(vae(encoder, decoder, vector(LATENT)), {"vae": optax.adam(LEARNING_RATE)}, (("vae",),))


def ours(*, examples: int, batch: int, hidden: int, chunk: int, chunks: int) -> Work:
    """The program of `jaxgen.training.program`."""
    from benchmarks.ours import played

    return played(plan(hidden), images(examples), batch=batch, chunk=chunk, chunks=chunks)
