"""Weights that may be functions of the step, and what is refused as one."""

import math
import numbers
from collections.abc import Callable
from typing import Any

from jaxgen.core import Array, BadRequest

Schedule = float | Array | Callable[[Array], Any]
"""A number, or a function of the step that gives one; `jaxgen.core.at` reads it."""


def check_weight(name: str, value: Any) -> None:
    """Refuses a weight that is no schedule: a finite number of at least 0, or a function of the step."""
    # A function of the step, or a traced number, is not known before the step runs.
    if callable(value) or (hasattr(value, "shape") and value.shape == () and not isinstance(value, numbers.Real)):
        return
    if not isinstance(value, numbers.Real) or not 0 <= float(value) < math.inf:
        raise BadRequest(f"{name} must be a finite number of at least 0, or a function of the step, not {value}.")


def check_decay(decay: float) -> None:
    """Refuses a decay of a moving average, the share of the new, that is not in (0, 1]."""
    if not 0 < decay <= 1:
        raise BadRequest(f"decay must be in (0, 1], not {decay}.")
