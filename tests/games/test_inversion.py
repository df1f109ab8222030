"""The encoder that is trained after a GAN: its regression by hand, and what the model gains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import Critic, Generator, counter

from jaxgen.core import BadRequest, Batch, Context, Game, Model
from jaxgen.games import gan, invert, vae
from jaxgen.latents import vector
from jaxgen.nets.adapters import network
from jaxgen.objectives import VECTORS

B, D, SHAPE = 4, 3, (5,)
KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
LABELLED = Batch(jnp.asarray(RNG.normal(size=(B, *SHAPE)), jnp.float32), jnp.arange(B))
GENERATOR, ENCODER = network(Generator(SHAPE)), network(Critic((D,)))
GAME = gan(GENERATOR, Critic(), latent_dim=D)


@pytest.mark.parametrize("batch", [LABELLED, LABELLED._replace(condition=None)])
def test_regression_of_the_code_of_the_trained_generator(batch):
    # Kills: regression on the fresh generator that `init` put there; a trained generator that moves; a sum over D; a
    # condition that the generator or the encoder does not get. The gradient is that of the square by hand, pulled back.
    # Of the scores: f-AnoGAN not the first; a sum for a mean in either of its terms; logits for the critic's features.
    inverse = invert(GAME, ENCODER)
    params, state = inverse.init(KEY, batch)
    assert set(state) == {"encoder", "trained"} and set(params) == {"encoder"}
    trained = GAME.init(jax.random.key(9), batch)
    noise = inverse.draw(jax.random.key(1), batch)
    z, given = noise["z"], () if batch.condition is None else (batch.condition,)
    assert z.shape == (B, D)
    x = GENERATOR.apply(trained[0]["generator"], {}, None, z, *given)[0]
    code, pull = jax.vjp(lambda p: ENCODER.apply(p, {}, None, x, *given)[0], params["encoder"])
    context = Context(0, {**state, "trained": trained})
    (value, aux), grads = jax.value_and_grad(inverse.losses["encoder"], has_aux=True)(params, noise, batch, context)
    miss = np.asarray(code, np.float64) - np.asarray(z)
    np.testing.assert_allclose(value, np.mean(miss**2), rtol=1e-5)
    by_hand = pull(jnp.asarray(2 * miss / miss.size, jnp.float32))[0]
    for a, b in zip(*map(jax.tree.leaves, (grads["encoder"], by_hand)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert set(aux.state) == {"encoder"}

    model, bare = inverse.model(params, context.state), GAME.model(*trained)
    np.testing.assert_allclose(model.encode(x, *given), code, rtol=1e-6)
    again = np.asarray(GENERATOR.apply(trained[0]["generator"], {}, None, code, *given)[0], np.float64)
    np.testing.assert_allclose(model.maps["reconstruct"](x, *given), again, rtol=1e-5, atol=1e-6)
    missed = np.sum((np.asarray(x) - again) ** 2, -1)
    np.testing.assert_allclose(model.scores["reconstruction"](None, x, *given), missed, rtol=1e-4)
    hidden = [np.asarray(network(Critic()).features(trained[0]["critic"], {}, None, v, *given)[0]) for v in (x, again)]
    apart = np.mean((hidden[0].astype(float) - hidden[1]) ** 2, -1)
    np.testing.assert_allclose(model.scores["feature residual"](None, x, *given), apart, rtol=1e-4)
    np.testing.assert_allclose(model.scores["f-AnoGAN"](None, x, *given), missed / SHAPE[0] + apart, rtol=1e-4)
    assert list(model.scores) == ["f-AnoGAN", "feature residual", "reconstruction", "critic"]
    np.testing.assert_allclose(model.scores["critic"](None, x, *given), bare.scores["critic"](None, x, *given))
    assert model.features["encoder"](x, *given).shape == (B, 6) and set(model.features) == {"critic", "encoder"}
    np.testing.assert_array_equal(model.sample(z, *given), bare.sample(z, *given))


def test_the_encoders_state_is_kept():
    # Kills: a state of the encoder that is lost, or that is the game's.
    inverse = invert(GAME, counter(ENCODER))
    params, state = inverse.init(KEY, LABELLED)
    noise = inverse.draw(KEY, LABELLED)
    _, aux = inverse.losses["encoder"](params, noise, LABELLED, Context(0, state))
    assert aux.state["encoder"]["calls"] == 1


def test_any_model_that_draws_its_code():
    # Kills: an encoder for generators of `gan` alone; a code of one axis; a number of samples that is fixed; scores of
    # a critic where there is none.
    def model(params, state):
        return Model(
            draw=lambda key, n, condition=None: jax.random.normal(key, (n, 2, 2)),
            decode=lambda z, condition=None: z.reshape(-1, 4) * state["scale"],
        )

    game = Game(lambda key, batch: ({}, {"scale": jnp.full((), 3.0)}), None, {}, model)
    inverse = invert(game, Critic((2, 2)))
    batch = Batch(jnp.ones((B, 4)))
    params, state = inverse.init(KEY, batch)
    noise = inverse.draw(KEY, batch)
    value, _ = inverse.losses["encoder"](params, noise, batch, Context(0, state))
    code, _ = network(Critic((2, 2))).apply(params["encoder"], {}, None, 3 * noise["z"].reshape(B, 4))
    np.testing.assert_allclose(value, np.mean((np.asarray(code) - np.asarray(noise["z"])) ** 2), rtol=1e-5)
    assert list(inverse.model(params, state).scores) == ["reconstruction"]


def test_refuses():
    # Kills: an encoder of one number that fits every latent; a model whose noise is more than its code, or
    # that has none.
    inverse = invert(GAME, Critic((1,)))
    params, state = inverse.init(KEY, LABELLED)
    with pytest.raises(BadRequest, match=r"the encoder gives \(4, 1\), but z is \(4, 3\)"):
        inverse.losses["encoder"](params, inverse.draw(KEY, LABELLED), LABELLED, Context(0, state))
    pair = Model(draw=lambda key, n, condition=None: {"z": jnp.zeros(n), "x": ()}, decode=lambda z, condition=None: z)
    for model, message in ((pair, "z itself"), (Model(), "decodes it")):
        game = Game(lambda key, batch: ({}, {}), None, {}, lambda params, state, model=model: model)
        with pytest.raises(BadRequest, match=message):
            invert(game, ENCODER).draw(KEY, LABELLED)
    # A VAE's noise is more than its code, and its model reads the shapes of what the decoder gives.
    autoencoder = vae(Critic((2 * D,)), Generator(SHAPE), vector(D), observation=VECTORS)
    with pytest.raises(BadRequest, match="z itself, one array"):
        invert(autoencoder, ENCODER).draw(KEY, LABELLED)


def test_the_trained_generator_is_put_into_the_state():
    # Kills: an encoder of the fresh generator beside which it is trained; a state that is left out; one of another game
    # let in.
    game = gan(counter(GENERATOR), Critic(), latent_dim=D)
    params, state = game.init(jax.random.key(9), LABELLED)
    trained = params, {**state, "generator": {"calls": jnp.full((), 3.0), "mean": jnp.ones(())}}
    inverse = invert(game, ENCODER, trained)
    _, inverse_state = jax.jit(inverse.init)(KEY, LABELLED)
    jax.tree.map(np.testing.assert_array_equal, inverse_state["trained"], trained)
    _, fresh = invert(game, ENCODER).init(KEY, LABELLED)
    leaves = (jax.tree.leaves(tree["trained"][0]) for tree in (fresh, inverse_state))
    assert any(np.any(np.asarray(a) != np.asarray(b)) for a, b in zip(*leaves, strict=True))
    for other in ((params, {}), (params["generator"], state), (jax.tree.map(lambda a: a[None], params), state)):
        with pytest.raises(BadRequest, match="trained=... does not fit this game"):
            invert(game, ENCODER, other).init(KEY, LABELLED)
