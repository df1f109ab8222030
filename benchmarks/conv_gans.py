"""Rows `dcgan` and `wgan_gp`: the recipes `gan` and `wgan_gp` on 32x32x3 images, beside the same steps in PyTorch."""

from typing import Any

from benchmarks import conv, training
from benchmarks.figures import Target
from benchmarks.interleave import Variant

RATES = {"gan": (2e-4, (0.5, 0.999)), "wgan_gp": (1e-4, (0.0, 0.9))}  # the recipes'
WEIGHT, CRITIC_TURNS = 10.0, 5  # of wgan_gp
DCGAN = {"examples": 4096, "batch": 64, "width": 512, "latent": 100, "chunk": 10, "chunks": 2}
WGAN_GP = {**DCGAN, "chunk": 2}
QUICK = {"examples": 64, "batch": 8, "width": 8, "latent": 4, "chunk": 10, "chunks": 1}


def dcgan(*, rounds: int, quick: bool) -> dict[str, Any]:
    """Images per second of training, non-saturating, one critic's turn and one generator's a step."""
    size = QUICK if quick else DCGAN
    title = f"step of gan (critic, then generator), convolutions {_described(size)}"
    return _measured("dcgan", title, "gan", size, Target(1.0, least=True), rounds, quick)


def wgan_gp(*, rounds: int, quick: bool) -> dict[str, Any]:
    """Images per second of training, five critic's turns with gradient penalty and one generator's a step."""
    size = QUICK if quick else WGAN_GP
    title = f"step of wgan_gp (critic 5 times, generator), convolutions {_described(size)}"
    return _measured("wgan_gp", title, "wgan_gp", size, Target(1.2, least=True), rounds, quick)


def _described(size: dict[str, int]) -> str:
    base = size["width"] // 8
    return f"3-{base}-{2 * base}-{4 * base}, batch {size['batch']}, CPU"


def _measured(
    name: str, title: str, recipe: str, size: dict[str, int], target: Target, rounds: int, quick: bool
) -> dict[str, Any]:
    batch, width, latent, steps = size["batch"], size["width"], size["latent"], size["chunk"] * size["chunks"]
    turns = CRITIC_TURNS if recipe == "wgan_gp" else 1
    variants = conv.variants(recipe, f"conv_gans_torch:{name}", size)
    if recipe == "wgan_gp":
        # Sixty updates of an Adam without momentum: rounding alone moves the losses by a thousandth.
        variants[training.EXACT] = Variant(f"benchmarks.conv_gans_torch:{name}_float64", size, timed=False)
    return training.measure(
        name,
        title,
        "images/s",
        variants,
        units=steps * batch * turns,
        flops=flops(batch, width, latent, turns, penalised=recipe == "wgan_gp"),
        steps=steps,
        target=target,
        beside=conv.AS_MET,
        notes=conv.SETTINGS,
        rounds=rounds,
        quick=quick,
    )


def flops(batch: int, width: int, latent: int, critic_turns: int, *, penalised: bool) -> int:
    """Of the products of a step; no gradient in what no player moves.

    A penalty is four passes: the mixed images forward, the slope, and the gradient of it in weights and in the slope.
    """
    first, others, features = conv.pyramid(width)
    critic, generator = first + others + features, latent * features + others + first
    critic_turn = generator + 2 * (3 * critic - first) + (4 * critic - features if penalised else 0)
    generator_turn = 3 * generator - latent * features + 2 * critic
    return 2 * batch * (critic_turns * critic_turn + generator_turn)
