"""What `infogan` and `bigan` hand to their games: rates, decay, and a critic of pairs with a condition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.recipes import Spec, find
from jaxgen.recipes.codes import pair_critic

KEY = jax.random.key(0)


def first_moves(plan, slope, params):
    """How far the first step of each player's optimiser moves `params`."""
    return {name: np.asarray(tx.update(slope, tx.init(params), params)[0]) for name, tx in plan.optimizers.items()}


def test_rates_of_infogan_and_decay_of_bigan():
    # Kills: one rate for both players; a decay that is dropped, of the update in place of the slope, or of one player.
    params, slope = jnp.array([1.0, 1.0]), jnp.array([3.0, -0.5])
    moves = first_moves(find("infogan")(Spec((2,), width=8), learning_rate=0.01), slope, params)
    np.testing.assert_allclose(moves["generator"], [-0.01, 0.01], rtol=1e-4)  # Adam's first step is the rate
    np.testing.assert_allclose(moves["critic"], [-0.002, 0.002], rtol=1e-4)
    moves = first_moves(find("bigan")(Spec((2,), width=8), learning_rate=0.01, decay=2.0), slope, params)
    for move in moves.values():  # 3 + 2 and -.5 + 2
        np.testing.assert_allclose(move, [-0.01, -0.01], rtol=1e-4)


@pytest.mark.parametrize(("condition", "width"), [(None, 3), (4, 7), ((2,), 5), ((4, 4, 1), 19)])
def test_the_critic_of_pairs_sees_code_and_condition(condition, width):
    # Kills: a condition that the critic of pairs does not get; labels as numbers; pixels that do not fit.
    shape = (8, 8, 1)
    critic = pair_critic(Spec(shape, condition, width=8), 3)
    x, z = jnp.zeros((2, *shape)), jnp.ones((2, 3))
    given = () if condition is None else (jnp.array([0, 3]),) if width == 7 else (jnp.ones((2, *condition)),)
    params, state = critic.init(KEY, x, z, *given)
    first = params["trunk"]["Dense_0"]["kernel"]
    assert first.shape == (64 + width, 8)

    @jax.jit
    def logits(*args):
        return critic.apply(params, state, (), *args)[0]

    y = logits(x, z, *given)
    assert y.shape == (2,) and np.all(np.asarray(logits(x, -z, *given)) != np.asarray(y))
    if condition == 4:
        other = logits(x, z, jnp.array([1, 3]))
        assert other[0] != y[0] and other[1] == y[1]
        np.testing.assert_array_equal(logits(x, z, jnp.array([4, 5])), logits(x, z, jnp.array([-1, -1])))
    elif given:
        assert np.all(np.asarray(logits(x, z, -given[0])) != np.asarray(y))
