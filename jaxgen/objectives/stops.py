"""Removes `stop_gradient` from a program, because values that a gradient holds fixed still change with the params."""

from typing import Any

from jax.extend import core


def unstopped(jaxpr: core.Jaxpr) -> core.Jaxpr:
    """The program without `stop_gradient`. Gradients that the program computes already took it into account."""

    def through(value: Any) -> Any:
        if isinstance(value, core.ClosedJaxpr):
            return value.replace(jaxpr=unstopped(value.jaxpr))
        if isinstance(value, core.Jaxpr):
            return unstopped(value)
        return tuple(map(through, value)) if type(value) is tuple else value

    def passing(eqn):
        stops = eqn.primitive is core.primitives.stop_gradient_p
        params = {name: through(value) for name, value in eqn.params.items()}
        return eqn.replace(primitive=core.primitives.copy_p if stops else eqn.primitive, params=params)

    return jaxpr.replace(eqns=[passing(eqn) for eqn in jaxpr.eqns])
