"""What is refused as a weight or as the decay of a moving average, by every penalty that takes one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parts import DECAYING, WEIGHTED
from players import passed

from jaxgen.core import BadRequest
from jaxgen.objectives import r1


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), -1, np.float32(-1), "1", None, np.ones(2)])
def test_bad_weights(bad):
    # Kills: a penalty that pays the critic for steepness; one that fails when it is traced.
    for make in WEIGHTED:
        with pytest.raises(BadRequest, match="finite number"):
            make(bad)


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.1, float("nan")])
def test_moving_averages_refuse(bad):
    # Kills: an average that stands still.
    for make in DECAYING:
        with pytest.raises(BadRequest, match="decay"):
            make(decay=bad)


def test_weights_that_are_known_later():
    # Kills: a refusal of a function of the step, or of a weight that is an argument of a compiled function.
    view = passed(lambda x: x.sum(-1), jnp.ones((2, 2)), jnp.ones((2, 2)))  # |grad D|^2 = 2
    by_step = r1(lambda step: 2 * step).value(view, (), (), 3.0)[0]
    traced = jax.jit(lambda gamma: r1(gamma).value(view, (), (), 0)[0])(6.0)
    assert by_step.tolist() == traced.tolist() == [6.0, 6.0]
