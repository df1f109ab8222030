"""An autoencoder as one network, and its error as a logit."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import Critic, Generator, counter

from jaxgen.core import BadRequest
from jaxgen.nets import autoencoder, energy, network, spectral

B, SHAPE = 4, (2, 3, 1)
KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(B, *SHAPE)), jnp.float32)
LABEL = jnp.arange(B)


class Dropping(nn.Module):
    """A decoder with dropout."""

    @nn.compact
    def __call__(self, z, train):
        return nn.Dense(6)(nn.Dropout(0.5, deterministic=not train)(z)).reshape(-1, *SHAPE)


@pytest.mark.parametrize("given", [(), (LABEL,)], ids=["alone", "labels"])
def test_both_halves_in_their_order(given):
    # Kills: a condition that one half does not get; a state that is lost, or that of the other half; other features.
    halves = counter(network(Critic((2,)))), counter(network(Generator(SHAPE)))
    net = autoencoder(*halves)
    params, state = net.init(KEY, X, *given)
    y, new = net.apply(params, state, (), X, *given)
    z, first = halves[0].apply(params["encoder"], state["encoder"], (), X, *given)
    wanted, second = halves[1].apply(params["decoder"], state["decoder"], (), z, *given)
    np.testing.assert_allclose(y, wanted, rtol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, new, {"encoder": first, "decoder": second})
    features, moved = net.features(params, state, None, X, *given)
    np.testing.assert_allclose(features, z, rtol=1e-6)
    assert jax.tree.structure(moved) == jax.tree.structure(state)


def test_noise_goes_to_the_half_that_draws():
    # Kills: a key that both halves share, or that the decoder does not get; noise in an evaluation.
    net = autoencoder(Critic((2,)), network(Dropping(), rngs=("dropout",)))
    params, state = net.init(KEY, X)
    trained = [net.apply(params, state, net.draw(jax.random.key(seed), X), X)[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(*trained[:2])
    assert np.any(np.asarray(trained[1]) != np.asarray(trained[2]))
    np.testing.assert_array_equal(*(net.apply(params, state, None, X)[0] for _ in range(2)))
    assert autoencoder(Critic((2,)), network(Dropping(), rngs=("dropout",), couples=True)).couples


def test_energy_by_hand():
    # Kills: the absolute error; a sum over pixels; an energy that is high where the example is real.
    net = energy(autoencoder(Critic((2,)), Generator(SHAPE)))
    params, state = jax.jit(net.init)(KEY, X)
    again = jax.jit(autoencoder(Critic((2,)), Generator(SHAPE)).apply)(params, state, None, X)[0]
    wanted = -np.mean((np.asarray(X, np.float64) - again).reshape(B, -1) ** 2, -1)
    np.testing.assert_allclose(jax.jit(net.apply)(params, state, (), X)[0], wanted, rtol=1e-5)
    assert jax.eval_shape(net.features, params, state, None, X)[0].shape == (B, 2)
    divided = jax.eval_shape(spectral(net).init, KEY, X)[1]["u"]
    assert {name.split("/")[0] for name in divided} == {"encoder", "decoder"}
    with pytest.raises(BadRequest, match="must return the shape of its input"):
        jax.eval_shape(lambda: energy(Critic()).apply(*energy(Critic()).init(KEY, X), None, X))
