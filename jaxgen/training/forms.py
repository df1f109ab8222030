"""Chooses between the two forms of the training loop in which a step is compiled."""

from typing import Any

import jax

FORMS = {
    "scanned": "many steps per dispatch.",
    "unrolled": "one step per dispatch, turns unrolled: on CPU, XLA's own convolutions are slow in a loop.",
}


def choose_form(jaxpr: Any, backend: str) -> str:
    """The form of the loop, chosen by the operations of a scanned step; no other function chooses it."""
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
