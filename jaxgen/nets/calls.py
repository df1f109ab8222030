"""How a module of any library is called: its training switch and its arguments."""

import inspect
import operator
import sys
from collections.abc import Callable
from typing import Any

from jaxgen.core import Both, Network

# Arguments of `__call__` that say whether the network is trained, and their values if it is.
SWITCHES = {
    "train": True,
    "training": True,
    "is_training": True,
    "deterministic": False,
    "inference": False,
    "use_running_average": False,
}


def mode(call: Callable[..., Any]) -> Callable[[bool], dict[str, bool]]:
    """train -> the keyword arguments that set the mode of `call`, except those that a field of its module sets."""
    module = getattr(call, "__self__", None)
    taken = [n for n in parameters(call, required=False) if n in SWITCHES and getattr(module, n, None) is None]
    return lambda train: {name: SWITCHES[name] is train for name in taken}


def has_features(kind: type) -> bool:
    """Whether a class has a method `hidden`. A field of that name, such as a width, does not count."""
    fields = getattr(kind, "__dataclass_fields__", {})
    return inspect.isfunction(getattr(kind, "hidden", None)) and "hidden" not in fields


def parameters(call: Any, required: bool = True) -> list[str]:
    """The names of a function's arguments; [] for a class, and for what cannot be called or has no signature."""
    if inspect.isclass(call) or not callable(call):
        return []
    try:
        arguments = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in arguments if not required or (p.default is p.empty and p.kind not in (2, 4))]


def together(net: Network) -> Callable[..., tuple[Any, Any]] | None:
    """A function like `net.apply` that returns ((y, features), state) in one evaluation, or None if there is none."""
    both = net.both
    known = both is not None and both.apply is net.apply and both.features is net.features
    return both.call if both is not None and known else None


def with_both(net: Network, call: Callable[..., tuple[Any, Any]] | None) -> Network:
    """`net` with `call` as the function that computes output and features together, if it is not None."""
    both = None if call is None or net.features is None else Both(net.apply, net.features, call)
    return net._replace(both=both)


def is_object(module: Any, library: str) -> bool:
    """Whether `module` is one of "flax.nnx" or "equinox"; False if that library was never imported."""
    return library in sys.modules and isinstance(module, sys.modules[library].Module)


def whole(value: Any) -> int | None:
    """A whole number of Python or NumPy as an int; None for anything else, including True and 2.0.

    >>> import numpy as np
    >>> whole(np.int64(2)), whole(2.0), whole(True)
    (2, None, None)
    """
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def name(module: Any) -> str:
    """The name of a module in messages."""
    return getattr(module, "__name__", None) or type(module).__name__
