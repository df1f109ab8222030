"""The gradient audit: run it on a stochastic loss of your own, and assert on what it found.

Works for any function (params, noise, batch) -> f32[] over any pytree of arrays; needs no game and no network of ours.
"""

from jaxgen.testing.audit import audit
from jaxgen.testing.summary import (
    Leaf,
    Noise,
    Report,
    assert_finite,
    assert_noise_used,
    assert_reached,
    assert_sound,
    assert_unbiased,
    faults,
)

__all__ = [
    "Leaf",
    "Noise",
    "Report",
    "assert_finite",
    "assert_noise_used",
    "assert_reached",
    "assert_sound",
    "assert_unbiased",
    "audit",
    "faults",
]
