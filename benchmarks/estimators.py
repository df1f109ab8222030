"""Row `estimators`: the gradient of E_q f(z) by the shipped estimators, beside the same ones in PyTorch.

f(z) = |z - k|^2 under a Gaussian q of 64 numbers: next to nothing is computed but noise, push, score and gradient.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures
from benchmarks.figures import Target, number
from benchmarks.interleave import Variant, interleave
from benchmarks.worker import Work

DIM, CENTRE, TOGETHER = 64, -0.4, 2  # draws that share a leave-one-out baseline where every gradient is wanted
FULL = {"draws": 10_000, "repeats": 50}
QUICK = {"draws": 200, "repeats": 2}
PARTS = {  # the estimator of `jaxgen.objectives`, and how many draws a gradient is the mean of; None: all
    "pathwise, one gradient": ("PATHWISE", None),
    "score function, one gradient": ("SCORE", None),
    f"pathwise, one per {TOGETHER} draws": ("PATHWISE", TOGETHER),
    f"score function, one per {TOGETHER} draws": ("SCORE", TOGETHER),
}


def measure(*, rounds: int, quick: bool) -> dict[str, Any]:
    """Draws per second, fresh noise in every repeat; the four parts one after the other, each interleaved."""
    size = QUICK if quick else FULL
    founds = {}
    for part, (estimator, together) in PARTS.items():
        one = {**size, "estimator": estimator, "together": together or size["draws"]}
        variants = {
            "ours": Variant("benchmarks.estimators:ours", one, optional=False),
            "torch eager": Variant("benchmarks.estimators_torch:eager", one),
            "torch compile": Variant("benchmarks.estimators_torch:compiled", one),
        }
        founds[part] = interleave(variants, rounds=rounds, reference="ours")
    skipped = {name: why for found in founds.values() for name, why in found.skipped.items()}
    shown = [name for name in ("ours", "torch eager", "torch compile") if name not in skipped]
    seconds = {name: [sum(s) for s in zip(*(f.blocks[name] for f in founds.values()), strict=True)] for name in shown}
    draws = size["draws"] * size["repeats"]
    agreement = {
        peer: max(figures.agreement(found.losses["ours"], found.losses[peer]) for found in founds.values())
        for peer in shown[1:]
    }
    return figures.row(
        "estimators",
        f"gradients by pathwise and score function, {size['draws']:,} draws of {DIM} numbers, noise included, CPU",
        "Mdraws/s",
        {name: [1e-6 * len(PARTS) * draws / s for s in values] for name, values in seconds.items()},
        target=Target(1.8, least=True),
        skipped=skipped,
        compile_s={name: sum(found.facts[name]["compile_s"] for found in founds.values()) for name in shown},
        peak_mib={name: max(found.peak_mib[name] for found in founds.values()) for name in shown},
        agreement=agreement,
        parts={part: {name: found.blocks[name] for name in shown} for part, found in founds.items()},
        notes=[
            *(_part(part, found.blocks, size["repeats"]) for part, found in founds.items()),
            *(f"equal noise: gradients of {peer} agree within {apart:.1g}" for peer, apart in agreement.items()),
        ],
    )


def _part(part: str, blocks: dict[str, list[float]], repeats: int) -> str:
    said = f"{part}: {number(1e3 * float(np.median(blocks['ours'])) / repeats)} ms"
    for peer in (name for name in blocks if name != "ours"):
        ratio = figures.ratio(blocks[peer], blocks["ours"])
        said += f"; {peer} / ours {ratio.median:.3g} ({ratio.low:.3g} to {ratio.high:.3g})"
    return said


def parameters() -> tuple[np.ndarray, np.ndarray]:
    """Mean and log_std of q, float32 [DIM]."""
    return np.linspace(0.5, 1, DIM, dtype=np.float32), np.linspace(-0.2, 0.3, DIM, dtype=np.float32)


def ours(*, estimator: str, draws: int, together: int, repeats: int) -> Work:
    """A gradient per `together` draws, of their mean: vmapped over the groups where there are several, and compiled."""
    import jax
    import jax.numpy as jnp

    from benchmarks.ours import facts
    from jaxgen import objectives
    from jaxgen.objectives import GAUSSIAN, DiagGaussian, expectation
    from jaxgen.system.threefry import straight

    theta = DiagGaussian(*(jnp.asarray(p)[None] for p in parameters()))
    how = getattr(objectives, estimator)

    def value(theta, noise):
        return jnp.mean(expectation(lambda z: jnp.sum((z - CENTRE) ** 2, -1), theta, noise, estimator=how))

    def draw(key, i):
        # As the step and the compiled model draw.
        return GAUSSIAN.draw(straight(jax.random.fold_in(key, i)), (draws // together, together, 1, DIM))

    def estimate(theta, key, i):
        noise = draw(key, i)
        if len(noise) == 1:
            return jax.tree.map(lambda a: a[None], jax.grad(value)(theta, noise[0]))
        return jax.vmap(jax.grad(value), (None, 0))(theta, noise)

    began, key = time.perf_counter(), jax.random.key(0)
    program = jax.jit(estimate).lower(theta, key, 0).compile()
    compile_s = time.perf_counter() - began

    def block() -> float:
        began = time.perf_counter()
        for i in range(repeats):
            jax.block_until_ready(program(theta, key, i))
        return time.perf_counter() - began

    def losses(path: Path) -> list[float]:
        np.savez(path, noise=draw(key, 0))
        return moments(np.concatenate(program(theta, key, 0), -1)[:, 0])

    return Work(block, facts(compile_s) | {"replays": True}, losses)


def moments(gradients: np.ndarray) -> list[float]:
    """What both sides must agree on: mean and root mean square of each entry over gradients [N, J]."""
    gradients = np.asarray(gradients, np.float64)
    return [*gradients.mean(0), *np.sqrt(np.mean(gradients**2, 0))]
