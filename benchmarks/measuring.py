"""Row `measuring`: what a comparison of large images takes beside its training, in seconds and in memory.

Each size is one `jaxgen compare` of its own process, at the default seconds of training, on images that are made here.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import figures
from benchmarks.figures import Target, number
from benchmarks.interleave import ROOT

SIZES = (5_000, 20_000, 80_000)  # images of SIDE x SIDE x 3
SIDE, CLASSES = 64, 4
SEEDS = 2
ALLOWED_S = 60  # beyond the time of training, for preparing and measuring
DATA_TIMES, ALLOWED_BYTES = 1.5, 2 << 30  # of the uint8 data, and beyond that, at the peak
QUICK = {"sizes": (60,), "side": 8, "seeds": 1, "options": ("--settings", "synthesis", "--seconds-per-model", "0.05")}
BLOCK = 500  # images that are made at once


class Spent(NamedTuple):
    """What one comparison took."""

    images: int
    data_bytes: int  # uint8
    preparing: float  # seconds, loading counted in
    training: float  # of all models and seeds
    measuring: float  # all else
    peak_bytes: int

    @property
    def time_ratio(self) -> float:
        """Preparing and measuring, over what they may take."""
        return (self.preparing + self.measuring) / (self.training + ALLOWED_S)

    @property
    def memory_ratio(self) -> float:
        """The peak, over what it may be."""
        return self.peak_bytes / (DATA_TIMES * self.data_bytes + ALLOWED_BYTES)


def measure(*, rounds: int, quick: bool) -> dict[str, Any]:
    """One comparison for each size, whatever `rounds` says: each takes minutes."""
    asked: dict[str, Any] = QUICK if quick else {"sizes": SIZES, "side": SIDE, "seeds": SEEDS, "options": ()}
    spent = [compared(n, asked["side"], asked["seeds"], asked["options"]) for n in asked["sizes"]]
    ours, allowed = [s.preparing + s.measuring for s in spent], [s.training + ALLOWED_S for s in spent]
    worst = max(s.memory_ratio for s in spent)
    said = "met" if worst <= 1 and max(s.time_ratio for s in spent) <= 1 else "MISSED"
    return figures.row(
        "measuring",
        f"preparing and measuring a comparison of {asked['side']}x{asked['side']}x3 images, by size; "
        f"{asked['seeds']} seed{'s' * (asked['seeds'] > 1)}",
        "s",
        {"ours": ours, f"training+{ALLOWED_S}": allowed},
        target=Target(1.0, least=False),
        peak_mib={"ours": max(s.peak_bytes for s in spent) / 2**20},
        spent=[{**s._asdict(), "time_ratio": s.time_ratio, "memory_ratio": s.memory_ratio} for s in spent],
        notes=[
            *map(line, spent),
            f"target at every size: time at most training + {ALLOWED_S} s, memory at most {DATA_TIMES} of the data "
            f"+ {ALLOWED_BYTES >> 30} GiB: {said}",
        ],
    )


def line(spent: Spent) -> str:
    """A size in words.

    >>> line(Spent(5_000, 61_440_000, 50.0, 30.0, 40.0, 1_500_000_000))
    '5,000 images: 50 s preparing, 30 s training, 40 s measuring, 1 of the time; 1,431 MiB, 0.669 of the memory'
    """
    seconds = f"{spent.preparing:.0f} s preparing, {spent.training:.0f} s training, {spent.measuring:.0f} s measuring"
    return (
        f"{spent.images:,} images: {seconds}, {spent.time_ratio:.3g} of the time; "
        f"{number(spent.peak_bytes / 2**20)} MiB, {spent.memory_ratio:.3g} of the memory"
    )


def compared(n: int, side: int, seeds: int, options: tuple[str, ...]) -> Spent:
    """Runs `jaxgen compare` on n labelled images, and reads what it took.

    Raises:
      RuntimeError: it failed; with what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        data, out, said = Path(folder) / "made.npz", Path(folder) / "out", Path(folder) / "said"
        x, y = images(n, side)
        np.savez(data, x=x, y=y)
        size = x.nbytes
        del x
        words = [sys.executable, "-m", "jaxgen", "compare", "--data", data, "--seeds", str(seeds), "--out", out]
        began = time.perf_counter()
        with said.open("wb") as file:
            process = subprocess.Popen([*words, *options], cwd=ROOT, stdout=file, stderr=file)
            _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"jaxgen compare on {n} images: {said.read_text(errors='replace')[-2000:]}")
        protocol = json.loads((out / "report.json").read_text())["protocol"]
    training = seeds * sum(protocol["seconds_measured"].values())
    preparing = protocol["preparing_seconds"]
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Spent(n, size, preparing, training, seconds - preparing - training, peak)


def images(n: int, side: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n images uint8 [n, side, side, 3] of four kinds of object, and their kinds, int32 [n]; no two are alike.

    A disc, a square, a diamond or a bar of a colour and with stripes of its own, before a slanting shade, with noise.

    >>> x, y = images(3, 8)
    >>> x.shape, x.dtype.name, y.dtype.name
    ((3, 8, 8, 3), 'uint8', 'int32')
    """
    rng = np.random.default_rng(seed)
    label = rng.integers(CLASSES, size=n).astype(np.int32)
    x = np.empty((n, side, side, 3), np.uint8)
    for i in range(0, n, BLOCK):
        x[i : i + BLOCK] = _drawn(rng, label[i : i + BLOCK], side)
    return x, label


def _drawn(rng: np.random.Generator, label: np.ndarray, side: int) -> np.ndarray:
    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return rng.uniform(low, high, (len(label), 1, 1, *shape)).astype(np.float32)

    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    dx, dy, angle = x[None] - uniform(0.3, 0.7), y[None] - uniform(0.3, 0.7), uniform(0, np.pi)
    a, b = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    wide, tall = np.abs(a), np.abs(b)
    kinds = np.stack([np.hypot(a, b), np.maximum(wide, tall), wide + tall, np.maximum(2.2 * wide, 0.8 * tall)])
    distance = kinds[label, np.arange(len(label))] - uniform(0.12, 0.25)
    inside = 1 / (1 + np.exp(np.clip(80 * distance, -30, 30)))[..., None]
    stripes = 0.7 + 0.35 * np.sin(2 * np.pi * uniform(4, 14) * a + uniform(0, 2 * np.pi))[..., None]
    ground = uniform(0, 0.6, 3) + dx[..., None] * uniform(-0.4, 0.4, 3) + dy[..., None] * uniform(-0.4, 0.4, 3)
    made = inside * stripes * uniform(0.4, 1, 3) + (1 - inside) * ground
    return np.clip(255 * (made + 0.02 * rng.normal(size=made.shape)), 0, 255)
