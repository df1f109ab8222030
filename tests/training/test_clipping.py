"""Weight clipping after any optimiser, by itself and in a step."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import BadRequest, Batch
from jaxgen.games import dirac
from jaxgen.training.clipping import clipped
from jaxgen.training.step import make_step


def test_params_are_put_back_and_memory_is_not():
    # Kills: updates that are clipped in place of params; one side only; moments of the clipped move.
    tx, plain = clipped(optax.adam(0.3), 0.5), optax.adam(0.3)
    params = {"a": jnp.array([0.45, -0.45, 0.1]), "b": jnp.array(0.0)}
    grads = {"a": jnp.array([-1.0, 2.0, 1.0]), "b": jnp.array(-3.0)}
    updates, state = tx.update(grads, tx.init(params), params)
    other, expected = plain.update(grads, plain.init(params), params)
    want = jax.tree.map(lambda p, u: np.clip(np.asarray(p, "d") + np.asarray(u, "d"), -0.5, 0.5), params, other)
    jax.tree.map(
        lambda found, w: np.testing.assert_allclose(found, w, rtol=1e-5), optax.apply_updates(params, updates), want
    )
    jax.tree.map(np.testing.assert_array_equal, state, expected)


def test_a_step_keeps_the_critic_inside():
    # Kills: a limit that the step does not see; a generator that is clipped with its critic.
    optimizers = {"critic": clipped(optax.sgd(1.0), 0.25), "generator": optax.sgd(1.0)}
    step = make_step(dirac(), optimizers, turns=(("critic", "generator"),))
    state = step.init(jax.random.key(0), Batch(jnp.zeros((1, 1))))
    for _ in range(3):
        state, _ = step.update(state, jax.random.key(1), Batch(jnp.zeros((1, 1, 1))))
        assert abs(float(state.params["critic"])) <= 0.25 + 1e-6
    assert float(state.params["generator"]) > 0.25


def test_what_looks_at_the_loss_still_does():
    # Kills: extra arguments that end at the wrapper.
    tx = clipped(optax.chain(optax.sgd(1.0), optax.contrib.reduce_on_plateau()), 1.0)
    params = jnp.zeros(2)
    updates, _ = tx.update(jnp.ones(2), tx.init(params), params, value=jnp.float32(1.0))
    np.testing.assert_allclose(updates, -np.ones(2))


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf, "1", None, True])
def test_refusals(limit):
    # Kills: a limit that no param can meet.
    with pytest.raises(BadRequest, match="limit"):
        clipped(optax.sgd(1.0), limit)


def test_numbers_of_other_libraries_are_limits():
    # Kills: a limit of a schedule or of NumPy refused; an optimiser that is none found out in training.
    params = jnp.zeros(1)
    for limit in (np.float32(0.5), jnp.float32(0.5), 1):
        tx = clipped(optax.sgd(1.0), limit)
        updates, _ = tx.update(jnp.array([-3.0]), tx.init(params), params)
        np.testing.assert_allclose(updates, [float(limit)])
    with pytest.raises(BadRequest, match="optimizer"):
        clipped(None, 0.1)


def test_an_update_without_params_is_refused():
    # Kills: a difference of None.
    tx = clipped(optax.sgd(1.0), 1.0)
    with pytest.raises(BadRequest, match="params"):
        tx.update(jnp.ones(2), tx.init(jnp.zeros(2)))
