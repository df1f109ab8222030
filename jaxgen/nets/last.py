"""Finds the params of a network's last layer from its program, for modules of any library."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxgen.core import BadRequest


def last_kernels(call: Callable[[Any], Any], params: Any) -> list[bool]:
    """For each leaf of `params`, whether it is a kernel of the last layer of `call`, a network as a function of params.

    A kernel is a leaf with at least two axes. The last kernel is the one on which the fewest operations of the program
    depend, or several kernels if the numbers are equal. Operations on params only, such as the division by a norm in
    weight normalisation, count only if the numbers of other operations are equal. Nothing is computed.

    Raises:
      BadRequest: if there is none.

    >>> params = {"first": jnp.ones((2, 3)), "last": jnp.ones((3, 1)), "bias": jnp.ones(1)}
    >>> last_kernels(lambda p: jnp.tanh(jnp.ones((4, 2)) @ p["first"]) @ p["last"] + p["bias"][None], params)
    [False, False, True]
    """
    leaves, form = jax.tree.flatten(params)
    program = jax.make_jaxpr(lambda leaves: call(jax.tree.unflatten(form, leaves)))(leaves).jaxpr
    kernels = [i for i, leaf in enumerate(leaves) if jnp.ndim(leaf) > 1]
    params_only = set(program.invars)
    counts = {i: count for i in kernels if (count := _dependents(program, [i], params_only))[1]}
    if not counts:
        raise BadRequest(
            "this network has no kernel, a param of at least two axes, in which to take gradients: weight the losses "
            "by constant_weight(...) or equal_norms(...), which need none."
        )
    return [counts.get(i) == min(counts.values()) for i in range(len(leaves))]


def _dependents(program: Any, inputs: list[int], roots: set[Any]) -> tuple[int, int]:
    """The numbers of operations that depend on some inputs of a program: (those that also use data, all).

    `roots` are the inputs that depend on params only. Operations of programs inside the program are counted.
    """
    reached, alone, mixed, count = {program.invars[i] for i in inputs}, set(roots), 0, 0
    for eqn in program.eqns:
        known = [(i, value) for i, value in enumerate(eqn.invars) if not isinstance(value, core.Literal)]
        only = all(value in alone for _, value in known)
        if only:
            alone.update(eqn.outvars)
        hit = [i for i, value in known if value in reached]
        if not hit:
            continue
        inner = [program_inside for value in eqn.params.values() if (program_inside := _program(value)) is not None]
        fits = [program_inside for program_inside in inner if len(program_inside.invars) == len(eqn.invars)]
        more, every = int(not only), 1
        if fits:
            data = {i for i, value in known if value not in alone}
            given = {value for i, value in enumerate(fits[0].invars) if i not in data}
            more, every = _dependents(fits[0], hit, given)
        mixed, count = mixed + more, count + every
        reached.update(eqn.outvars)
    return mixed, count


def _program(value: Any) -> Any:
    if isinstance(value, core.ClosedJaxpr):
        return value.jaxpr
    return value if isinstance(value, core.Jaxpr) else None
