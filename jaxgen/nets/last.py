"""Which of a network's params are its last layer: found from its program, so for modules of any library."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxgen.core import BadRequest


def last_kernels(call: Callable[[Any], Any], params: Any) -> list[bool]:
    """For each leaf of `params` whether it is the kernel of the last layer of `call`, a network as a function of them.

    A kernel is a leaf of at least two axes. The last one is that on which the fewest operations of the program depend;
    several, if as many depend on each of them. Nothing is computed.

    Raises:
      BadRequest: if there is none.

    >>> params = {"first": jnp.ones((2, 3)), "last": jnp.ones((3, 1)), "bias": jnp.ones(1)}
    >>> last_kernels(lambda p: jnp.tanh(jnp.ones((4, 2)) @ p["first"]) @ p["last"] + p["bias"][None], params)
    [False, False, True]
    """
    leaves, form = jax.tree.flatten(params)
    program = jax.make_jaxpr(lambda leaves: call(jax.tree.unflatten(form, leaves)))(leaves).jaxpr
    kernels = [i for i, leaf in enumerate(leaves) if jnp.ndim(leaf) > 1]
    counts = {i: count for i in kernels if (count := _dependents(program, [i]))}
    if not counts:
        raise BadRequest(
            "the network has no kernel, a param of at least two axes, to take gradients in: weigh the losses by "
            "constant_weight(...) or equal_norms(...), which need none."
        )
    return [counts.get(i) == min(counts.values()) for i in range(len(leaves))]


def _dependents(program: Any, inputs: list[int]) -> int:
    """How many operations of a program depend on some of its inputs, those of the programs inside it counted."""
    reached, count = {program.invars[i] for i in inputs}, 0
    for eqn in program.eqns:
        hit = [i for i, value in enumerate(eqn.invars) if not isinstance(value, core.Literal) and value in reached]
        if not hit:
            continue
        inner = [found for value in eqn.params.values() if (found := _program(value)) is not None]
        fits = [own for own in inner if len(own.invars) == len(eqn.invars)]
        count += _dependents(fits[0], hit) if fits else 1
        reached.update(eqn.outvars)
    return count


def _program(value: Any) -> Any:
    if isinstance(value, core.ClosedJaxpr):
        return value.jaxpr
    return value if isinstance(value, core.Jaxpr) else None
