"""A program without its stops: its values are as they were, its slopes those of what it computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

from jaxgen.objectives.stops import unstopped


def stopped(a):
    return jax.lax.stop_gradient(a) ** 2


PROGRAMS = {
    "plain": stopped,
    "compiled": jax.jit(stopped),
    "a loop": lambda a: jax.lax.scan(lambda total, x: (total + x * stopped(a), None), 0.0, jnp.arange(2.0))[0],
    "a branch": lambda a: jax.lax.cond(a > 0, stopped, abs, a),
    "computed again": jax.checkpoint(stopped),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_slopes(name):
    # Kills: a stop that stays, at the top or in a program inside; a value that is lost; a program inside that is not
    # looked through. f(a) = a^2 at 3/2.
    program = jax.make_jaxpr(PROGRAMS[name])(1.5)
    whole = core.jaxpr_as_fun(program.replace(jaxpr=unstopped(program.jaxpr)))
    np.testing.assert_allclose(jax.value_and_grad(lambda a: whole(a)[0])(1.5), [2.25, 3.0], rtol=1e-6)
    assert jax.grad(PROGRAMS[name])(1.5) == 0
