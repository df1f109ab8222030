"""The two forms of the training loop, and which of them a step is compiled in."""

from typing import Any

import jax

FORMS = {
    "scanned": "many steps per dispatch.",
    "unrolled": "one step per dispatch, turns unrolled: on CPU, XLA's own convolutions are slow in a loop.",
}


def choose_form(jaxpr: Any, backend: str) -> str:
    """The one place where the form of the loop is decided: from the operations of a scanned step."""
    return "unrolled" if backend == "cpu" and "conv_general_dilated" in _primitives(jaxpr) else "scanned"


def _primitives(jaxpr: Any) -> set[str]:
    names = set()
    for equation in jaxpr.eqns:
        names.add(equation.primitive.name)
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_jaxpr):
            if _is_jaxpr(value):
                names |= _primitives(getattr(value, "jaxpr", value))
    return names


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")
