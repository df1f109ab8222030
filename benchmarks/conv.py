"""What the rows of convolutional nets share: 32x32x3 images, the recipe's own plan, and two settings of the allocator.

The nets are those of `jaxgen.nets.networks`. PyTorch plays them as plain 4x4 convolutions, channels last.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.interleave import Variant
from benchmarks.mlp_vae import images
from benchmarks.worker import Work

SHAPE = (32, 32, 3)
# What `jaxgen.system.allocator.keep_freed_memory` sets, from outside.
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_ARENA_MAX": "1"}
AS_MET = ("eager as met", "compile as met")
SETTINGS = (
    "same setting: ours, torch eager and torch compile keep the memory they free; ours by keep_freed_memory(), as "
    f"`jaxgen train` does, PyTorch by {' '.join(f'{name}={value}' for name, value in TUNED.items())}",
    "as each is met: ours the same; 'eager as met' and 'compile as met' are PyTorch as it comes",
)


def variants(recipe: str, peer: str, size: Mapping[str, Any]) -> dict[str, Variant]:
    """Ours, and PyTorch's `{peer}_eager` and `{peer}_compiled` in both settings.

    A table has ours once: how it is met is the setting that the first two peers are given.
    """
    eager, compiled = (f"benchmarks.{peer}_{form}" for form in ("eager", "compiled"))
    return {
        "ours": Variant("benchmarks.conv:ours", {"recipe": recipe, **size}, optional=False),
        "torch eager": Variant(eager, size, TUNED),
        "torch compile": Variant(compiled, size, TUNED),
        "eager as met": Variant(eager, size),
        "compile as met": Variant(compiled, size),
    }


def pyramid(width: int) -> tuple[int, int, int]:
    """Multiplications per image of the first layer, of the others, and the numbers that are left, 4 x 4 positions.

    As plain convolutions: Winograd's form does fewer, and is credited with these.
    """
    base = width // 8
    others = sum((16 // 2**i) ** 2 * 16 * base * 2 ** (i - 1) * base * 2**i for i in (1, 2))
    return 16 * 16 * 16 * SHAPE[-1] * base, others, 16 * 4 * base


def as_torch(kernel: np.ndarray, *, up: bool) -> np.ndarray:
    """A kernel [4, 4, C, O] of ours as PyTorch stores it: [O, C, 4, 4] of `Conv2d`, or if `up` of `ConvTranspose2d`.

    The latter is [C, O, 4, 4], and turned around: PyTorch transposes the convolution, and ours slides the kernel over
    an image with zeros between its pixels.
    """
    return kernel[::-1, ::-1].transpose(2, 3, 0, 1) if up else kernel.transpose(3, 2, 0, 1)


def ours(*, recipe: str, examples: int, batch: int, width: int, latent: int, chunk: int, chunks: int) -> Work:
    """The shipped recipe in the program of `jaxgen.training.program`; no moving average, because the peer has none."""
    from benchmarks.ours import played
    from jaxgen.recipes import Spec, find
    from jaxgen.system import allocator

    keeps = allocator.keep_freed_memory()
    plan = find(recipe)(Spec(SHAPE, width=width), latent_dim=latent)._replace(ema=None)
    work = played(plan, images(examples, SHAPE), batch=batch, chunk=chunk, chunks=chunks)
    return work._replace(facts=work.facts | {"keeps_freed_memory": keeps})
