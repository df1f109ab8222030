"""What a worker process is started with, and what it says of its memory. It imports little: a worker imports it."""

import os

import numpy as np

from benchmarks import conv, interleave
from benchmarks.worker import Work

TOUCHED = 300  # MiB


def hungry() -> Work:
    """Tells its environment; a block holds memory and gives it back."""

    def block():
        return float(np.ones(TOUCHED << 17)[-1])

    return Work(block, {"env": {name: os.environ.get(name) for name in conv.TUNED}})


def test_settings_and_memory(monkeypatch):
    # Kills: an environment that is not handed on, or that the next variant inherits; memory that is held now for the
    # most that was; KiB taken for bytes; the memory of the process that started the worker.
    monkeypatch.setattr(interleave, "SETTLE", 0.0)
    tuned = interleave.Variant("tests.test_benchmarks_worker:hungry", {}, conv.TUNED, optional=False)
    large = np.ones(2 * TOUCHED << 17)
    found = interleave.interleave({"tuned": tuned, "as met": tuned._replace(env={})}, rounds=1)
    assert large.all() and found.blocks == {"tuned": [1.0], "as met": [1.0]}
    assert found.facts["tuned"]["env"] == conv.TUNED
    assert set(found.facts["as met"]["env"].values()) == {None}
    assert all(TOUCHED < mib < 1.5 * TOUCHED for mib in found.peak_mib.values())
