"""A row that trains: ours beside its peers, with the ceiling and the first losses of both."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from benchmarks import figures
from benchmarks.figures import CLOSE, FIRST, Target, number
from benchmarks.interleave import Variant, interleave

EXACT = "torch float64"  # a variant that is not timed


def measure(
    name: str,
    title: str,
    unit: str,
    variants: Mapping[str, Variant],
    *,
    units: int,
    flops: int,
    steps: int,
    target: Target,
    beside: Collection[str] = (),
    notes: Sequence[str] = (),
    rounds: int,
    quick: bool,
) -> dict[str, Any]:
    """Times `variants`, of which "ours" is one.

    Args:
      name: of the row.
      title: what it measures.
      unit: of which a block plays `units`, per second.
      variants: by name.
      units: of a block.
      flops: of the matrix products of a step.
      steps: of a block.
      target: for the ratio to every peer but those of `beside`.
      beside: peers that are shown and not aimed at.
      notes: lines to print below.
      rounds: that count.
      quick: a ceiling of a small product.
    """
    product = {"side": 256, "repeats": 1} if quick else {"side": 2048, "repeats": 2}
    ceiling = Variant("benchmarks.ceiling:sgemm", product, optional=False)
    found = interleave({**variants, "sgemm": ceiling}, rounds=rounds, reference="ours")
    rates = {variant: [units / s for s in found.blocks[variant]] for variant in variants if variant in found.blocks}
    compile_s = {variant: found.facts[variant]["compile_s"] for variant in rates}
    best = max(found.blocks["sgemm"])
    agreement = {
        peer: figures.agreement(found.losses["ours"], losses) for peer, losses in found.losses.items() if peer != "ours"
    }
    made = figures.row(
        name,
        title,
        unit,
        rates,
        target=target,
        beside=beside,
        skipped=found.skipped,
        compile_s=compile_s,
        peak_mib={variant: found.peak_mib[variant] for variant in rates},
        flops_per_step=flops,
        ceiling_gflops=best,
        agreement={peer: apart if math.isfinite(apart) else None for peer, apart in agreement.items()},
        facts=found.facts,
    )
    beyond = {variant: mib - found.facts[variant]["libraries_mib"] for variant, mib in made["peak_mib"].items()}
    made["peak_mib_beyond_libraries"] = beyond
    achieved = flops * steps / units * made["ours"] / 1e9
    made["limit_fraction"] = achieved / best
    made["notes"] = [
        f"{1e3 * units / steps / made['ours']:.3g} ms a step; {flops / 1e6:.4g} MFLOP of matrix products a step, that "
        f"is {number(achieved)} GFLOP/s, {achieved / best:.0%} of the best sgemm of this run ({number(best)})"
        + ("; as plain convolutions, of which Winograd's form does fewer" if beside else ""),
        "MiB: the process at its peak. Beyond interpreter, libraries and data, compilation included: "
        + ", ".join(f"{variant} {mib:.0f}" for variant, mib in beyond.items()),
        *(_agrees(peer, apart) for peer, apart in agreement.items()),
        *_rounding(found.losses),
        *notes,
    ]
    return made


def _agrees(peer: str, apart: float) -> str:
    said = "agree within" if apart <= CLOSE else "DISAGREE by"
    return f"first {FIRST} losses, equal weights, noise and batches: losses of {peer} {said} {apart:.1g}"


def _rounding(losses: Mapping[str, Sequence[float]]) -> list[str]:
    """How far float32 leads the peers from themselves: what a difference between two sides is to be held against."""
    others = [name for name in losses if name not in ("ours", EXACT)]
    if EXACT not in losses or not others:
        return []
    apart = [figures.agreement(losses[EXACT], losses[peer]) for peer in others]
    return [f"what rounding does to these losses: the peers above are up to {max(apart):.1g} from {EXACT}"]
