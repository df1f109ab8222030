"""Schedules: weights that may be functions of the step, and checks of weights."""

import math
import numbers
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxgen.core import Array, BadRequest

Schedule = float | Array | Callable[[Array], Any]
"""A number, or a function of the step that returns one; `jaxgen.core.at` evaluates it."""


def cosine(start: float, end: float, steps: int) -> Callable[[Array], Array]:
    """A schedule from `start` at step 0 to `end` at step `steps` along half a cosine; `end` thereafter.

    f(n) = end + (start - end) (1 + cos(pi min(n / steps, 1))) / 2

    Raises:
      BadRequest: for fewer than one step.

    >>> f = cosine(1.0, 0.1, 100)
    >>> [round(float(f(n)), 3) for n in (0, 50, 100, 500)]
    [1.0, 0.55, 0.1, 0.1]
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise BadRequest(f"steps={steps}: a schedule needs a whole number of at least 1.")
    return lambda n: end + (start - end) * (1 + jnp.cos(jnp.pi * jnp.minimum(n / steps, 1.0))) / 2


def check_weight(name: str, value: Any) -> None:
    """Checks that a weight is a finite number of at least 0, or a function of the step."""
    # A function of the step, or a traced number, is not known before the step runs.
    if callable(value) or (hasattr(value, "shape") and value.shape == () and not isinstance(value, numbers.Real)):
        return
    if not isinstance(value, numbers.Real) or not 0 <= float(value) < math.inf:
        raise BadRequest(f"{name} must be a finite number of at least 0, or a function of the step, not {value}.")


def as_number(value: Any) -> float | None:
    """A real number of Python, NumPy or JAX as a float; None for booleans, traced values and everything else.

    >>> as_number(jnp.float32(0.5)), as_number(2), as_number(True), as_number("1")
    (0.5, 2.0, None, None)
    """
    single = isinstance(value, numbers.Real) or getattr(value, "shape", None) == ()
    if not single or isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool":
        return None
    try:
        return float(value)
    except TypeError:  # JAX raises it for a traced number
        return None


def above_0(name: str, value: Any, most: float = math.inf) -> float:
    """A finite number above 0, at most `most`, as a float.

    Raises:
      BadRequest: if it is not.

    >>> above_0("floor", 1)
    1.0
    """
    number = as_number(value)
    if number is None or not 0 < number < math.inf or number > most:
        wanted = "a finite number above 0" if most == math.inf else f"a number above 0 and at most {most:g}"
        raise BadRequest(f"{name}={value!r}: it must be {wanted}.")
    return number


def check_decay(decay: float) -> None:
    """Checks that the decay of a moving average, the weight of the new value, is in (0, 1]."""
    if not 0 < decay <= 1:
        raise BadRequest(f"decay must be in (0, 1], not {decay}.")
