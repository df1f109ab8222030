"""`--against DIR`: our side of the rows that train, in turn with that of another checkout, by equal sizes.

The other checkout has to have functions of the same names and sizes in its `benchmarks`; its API may be another. Both
start anew several times, so that the memory that a process happens to get, and a compilation, is one sample of several.
"""

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import conv_gans, conv_vae, figures, gan_2d, mlp_vae
from benchmarks.figures import Target
from benchmarks.interleave import Measured, Variant, interleave

BLOCKS = 3  # that a process plays
FASTEST, SLOWEST = 0.97, 1.1  # of the other: the least speed, and the most time to compile
SIDES: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]] = {
    "mlp_vae": ("mlp_vae:ours", mlp_vae.FULL, mlp_vae.QUICK, {}),
    "gan_2d": ("gan_2d:ours", gan_2d.FULL, gan_2d.QUICK, {}),
    "conv_vae": ("conv:ours", conv_vae.FULL, conv_vae.QUICK, {"recipe": "vae"}),
    "dcgan": ("conv:ours", conv_gans.DCGAN, conv_gans.QUICK, {"recipe": "gan"}),
    "wgan_gp": ("conv:ours", conv_gans.WGAN_GP, conv_gans.QUICK, {"recipe": "wgan_gp"}),
}


def rows(root: Path) -> dict[str, Callable[..., dict[str, Any]]]:
    """The rows of a comparison with the checkout in `root`, by name."""
    return {name: partial(measure, name, root) for name in SIDES}


def measure(name: str, root: Path, *, rounds: int, quick: bool) -> dict[str, Any]:
    """Steps per second of ours and of the checkout in `root`; the side that goes first changes with each start."""
    target, full, small, more = SIDES[name]
    size = {**(small if quick else full), **more}
    steps = size["chunk"] * size["chunks"]
    variant = Variant(f"benchmarks.{target}", size, optional=False)
    sides = {"ours": variant, "other": variant._replace(root=root)}
    pairs = [list(sides.items()), list(sides.items())[::-1]]
    starts = -(-rounds // BLOCKS)
    found = [
        interleave(dict(pairs[i % 2]), rounds=min(rounds, BLOCKS), reference=None if i else "ours")
        for i in range(starts)
    ]
    rates = {side: [steps / s for one in found for s in one.blocks[side]] for side in sides}
    compile_s = {side: [one.facts[side]["compile_s"] for one in found] for side in sides}
    compiling = figures.ratio(compile_s["ours"], compile_s["other"])
    made = figures.row(
        name,
        f"ours beside the checkout in {root}",
        "steps/s",
        rates,
        target=Target(FASTEST, least=True),
        compile_s={side: statistics.median(seconds) for side, seconds in compile_s.items()},
        peak_mib={side: max(one.peak_mib[side] for one in found) for side in sides},
        facts=found[-1].facts,
        compile_ratio=compiling._asdict(),
    )
    met = "met" if compiling.median <= SLOWEST else "MISSED"
    made["notes"] = [
        f"time to compile, ours / other: {compiling.median:.3g} ({compiling.low:.3g} to {compiling.high:.3g}); target: "
        f"at most {SLOWEST:g}: {met}",
        f"both processes start anew {starts} times, and play blocks of {steps} steps in turn",
        f"mean of the first losses, which differ by their noise: {_first(found[0])}",
    ]
    return made


def _first(found: Measured) -> str:
    return ", ".join(f"{side} {figures.number(statistics.mean(losses))}" for side, losses in found.losses.items())
