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
    several, if as many depend on each of them. Operations on params alone count only between equals, so that a kernel
    which is divided by its norm first, as weight normalisation does, is no earlier for that. Nothing is computed.

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
            "the network has no kernel, a param of at least two axes, to take gradients in: weigh the losses by "
            "constant_weight(...) or equal_norms(...), which need none."
        )
    return [counts.get(i) == min(counts.values()) for i in range(len(leaves))]


def _dependents(program: Any, inputs: list[int], roots: set[Any]) -> tuple[int, int]:
    """How many operations depend on some inputs of a program: those on more than params, and all.

    `own` are the inputs that are of params alone. Operations of the programs inside it are counted.
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
