"""Update rules: by hand in NumPy on a field that is not linear, and inside the compiled step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.core import Aux, Batch, Game
from jaxgen.objectives.rules import Field, descend, extragradient
from jaxgen.training.step import make_step

KEY = jax.random.key(0)
START, HEAVY = {"a": 0.7, "b": -0.4}, {"a": 0.2, "b": 0.5}


def field(p):
    return Field({"a": p["b"] * p["a"] ** 2, "b": p["b"] ** 3 - p["a"]}, dict(p), True)


def apply(at, params, opts):
    opts = {name: 0.9 * opts[name] + at.grads[name] for name in params}
    return {name: params[name] - 0.1 * opts[name] for name in params}, opts


def close(got, expected):
    assert got.keys() == expected.keys()
    for name in got:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-12)


def test_descend_by_hand():
    # Kills: a step taken twice; one player that sees the other's step.
    params, opts, end = descend(field, apply, START, HEAVY)
    momentum = {"a": 0.9 * 0.2 - 0.4 * 0.49, "b": 0.9 * 0.5 - 0.064 - 0.7}
    close(opts, momentum)
    close(params, {"a": 0.7 - 0.1 * momentum["a"], "b": -0.4 - 0.1 * momentum["b"]})
    close(end.aux, START)


def test_extragradient_by_hand():
    # Kills: the gradient of the point behind; a step from the point ahead; the state of the look-ahead kept, or fed to
    # the second step; the info of the point behind; a look-ahead without the optimiser's momentum.
    ahead_a = 0.7 - 0.1 * (0.9 * 0.2 - 0.4 * 0.49)
    ahead_b = -0.4 - 0.1 * (0.9 * 0.5 - 0.064 - 0.7)
    momentum = {"a": 0.9 * 0.2 + ahead_b * ahead_a**2, "b": 0.9 * 0.5 + ahead_b**3 - ahead_a}
    params, opts, end = extragradient(field, apply, START, HEAVY)
    close(opts, momentum)
    close(params, {"a": 0.7 - 0.1 * momentum["a"], "b": -0.4 - 0.1 * momentum["b"]})
    close(end.aux, {"a": ahead_a, "b": ahead_b})


def logarithm():
    """loss = log(p - 1/2): from p = 1 a step of SGD(0.3) leads to where it is not defined."""

    def loss(params, noise, batch, context):
        return jnp.log(params["p"] - 0.5) + noise, Aux({"noise": noise}, {"moves": context.state["moves"] + 1})

    def init(key, batch):
        return {"p": jnp.float32(1)}, {"moves": jnp.int32(0)}

    return Game(init, lambda key, batch: jax.random.normal(key), {"p": loss}, None)


def one_step(rate, rule, transform=optax.sgd):
    step, batches = make_step(logarithm(), {"p": transform(rate)}, (("p",),), rule=rule), Batch(jnp.zeros((1, 1)))
    return step.update(step.init(KEY, Batch(jnp.zeros(1))), KEY, batches)


def test_one_update_a_turn_inside_the_step():
    # Kills: an optimiser or a state that counts both gradients; two draws of noise in one turn; info of another point.
    state, info = one_step(0.1, extragradient)
    ahead = 1 - 0.1 * 2  # the slope at 1 is 2
    np.testing.assert_allclose(state.params["p"], 1 - 0.1 / (ahead - 0.5), rtol=1e-6)
    np.testing.assert_allclose(info["p"]["loss"] - info["p"]["noise"], np.log(ahead - 0.5), rtol=1e-5)
    np.testing.assert_allclose(info["p"]["noise"], one_step(0.1, descend)[1]["p"]["noise"], rtol=0)
    assert state.context.state["moves"] == 1
    assert one_step(0.1, extragradient, optax.adam)[0].opts["p"][0].count == 1


def test_a_look_ahead_that_is_not_finite_changes_nothing():
    # Kills: a guard of the first gradient alone.
    state, _ = one_step(0.3, extragradient)
    assert state.params["p"] == 1 and state.skipped == 1 and state.context.state["moves"] == 0
    state, _ = one_step(0.3, descend)
    np.testing.assert_allclose(state.params["p"], 0.4, rtol=1e-6)
    assert state.skipped == 0
