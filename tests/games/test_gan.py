"""The two-player game, the encoder that is trained after it, and the game of three networks: losses against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest, Batch, Memo
from jaxgen.games import PIXELS, VECTORS, aae, gan, invert
from jaxgen.nets import networks
from jaxgen.objectives import (
    NON_SATURATING,
    RELATIVISTIC,
    SATURATING,
    WASSERSTEIN,
    Penalty,
    add,
    instance_noise,
    r1,
    r2,
)

B, D, SHAPE = 4, 3, (5,)
NETS = networks(SHAPE, latent_dim=D, width=8)
BATCH = Batch(jnp.asarray(np.random.default_rng(0).normal(size=(B, *SHAPE)), jnp.float32))
MEMO = Memo(jnp.asarray(0), {})


def build(**parts):
    return gan(NETS.generator, NETS.critic, latent_dim=D, observation=VECTORS, **parts)


def softplus(x):
    return np.logaddexp(0, x)


LOSSES = {
    "saturating": (SATURATING, lambda r, f: softplus(-r) + softplus(f), lambda r, f: -softplus(f)),
    "non-saturating": (NON_SATURATING, lambda r, f: softplus(-r) + softplus(f), lambda r, f: softplus(-f)),
    "wasserstein": (WASSERSTEIN, lambda r, f: f - r, lambda r, f: -f),
    "relativistic": (RELATIVISTIC, lambda r, f: softplus(f - r), lambda r, f: softplus(r - f)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_the_formulas_on_the_logits(name):
    # Kills: real and fake swapped; a critic's loss handed to the generator; a sum over the batch.
    loss, critic, generator = LOSSES[name]
    game = build(loss=loss)
    params, _ = game.init(jax.random.key(0), BATCH)
    noise = game.draw(jax.random.key(1), BATCH)
    fake = NETS.generator.apply(params["generator"], noise["z"])
    real, fake = (np.asarray(NETS.critic.apply(params["critic"], x), np.float64) for x in (BATCH.x, fake))
    got, note = game.losses["critic"](params, noise, BATCH, MEMO)
    np.testing.assert_allclose(got, critic(real, fake).mean(), rtol=1e-5)
    np.testing.assert_allclose(note.info["real_logit"], real.mean(), rtol=1e-5)
    np.testing.assert_allclose(note.info["fake_logit"], fake.mean(), rtol=1e-5)
    np.testing.assert_allclose(
        game.losses["generator"](params, noise, BATCH, MEMO)[0], generator(real, fake).mean(), rtol=1e-5
    )


def test_penalty_joins_the_critics_loss_only():
    # Kills: a penalty on the generator; real and fake swapped on their way to a penalty; a penalty that is forgotten.
    bare, both = build(), build(penalty=add(r1(3.0), r2(5.0)))
    params, _ = bare.init(jax.random.key(0), BATCH)
    noise = both.draw(jax.random.key(1), BATCH)
    fake = NETS.generator.apply(params["generator"], noise["z"])

    def half_square(x):
        grads = jax.grad(lambda x: NETS.critic.apply(params["critic"], x).sum())(x)
        return 0.5 * np.mean(np.sum(np.asarray(grads, np.float64) ** 2, -1))

    extra = 3 * half_square(BATCH.x) + 5 * half_square(fake)
    plain = {**noise, "penalty": ()}
    for turn, more in (("critic", extra), ("generator", 0.0)):
        with_it, without = (g.losses[turn](params, n, BATCH, MEMO)[0] for g, n in ((both, noise), (bare, plain)))
        np.testing.assert_allclose(with_it - without, more, rtol=1e-3, atol=1e-6)


def test_critic_sees_noise_on_real_and_fake_alike():
    # Kills: noise on one side; one noise for both; a penalty, or a generator's turn, that sees what is clean.
    game = build(loss=RELATIVISTIC, penalty=r1(3.0), augment=instance_noise(lambda round: 0.25 * round))
    params, _ = game.init(jax.random.key(0), BATCH)
    noise = game.draw(jax.random.key(1), BATCH)
    assert not np.any(np.asarray(noise["real"]) == np.asarray(noise["fake"]))
    fake = NETS.generator.apply(params["generator"], noise["z"])
    seen = [x + 0.5 * n for x, n in ((BATCH.x, noise["real"]), (fake, noise["fake"]))]
    real, fake = (np.asarray(NETS.critic.apply(params["critic"], x), np.float64) for x in seen)
    slope = jax.grad(lambda x: NETS.critic.apply(params["critic"], x).sum())(seen[0])
    extra = 1.5 * np.mean(np.sum(np.asarray(slope, np.float64) ** 2, -1))
    memo = Memo(jnp.asarray(2), {})
    got = {turn: loss(params, noise, BATCH, memo)[0] for turn, loss in game.losses.items()}
    np.testing.assert_allclose(got["critic"], softplus(fake - real).mean() + extra, rtol=1e-5)
    np.testing.assert_allclose(got["generator"], softplus(real - fake).mean(), rtol=1e-5)
    plain = -NETS.critic.apply(params["critic"], BATCH.x)
    np.testing.assert_array_equal(game.model(params, {}).scores["critic"](None, BATCH.x), plain)


def test_images_are_means_in_their_range():
    # Kills: logits handed to the critic as if they were pixels.
    nets = networks((8, 8, 1), latent_dim=D, width=8)
    game = gan(nets.generator, nets.critic, latent_dim=D, observation=PIXELS)
    batch = Batch(jnp.ones((B, 8, 8, 1)) / 2)
    params, carry = game.init(jax.random.key(0), batch)
    model = game.model(params, carry)
    z = model.draw(jax.random.key(1), B)
    logits = np.asarray(nets.generator.apply(params["generator"], z), np.float64)
    np.testing.assert_allclose(model.sample(z), 1 / (1 + np.exp(-logits)), rtol=1e-5)
    np.testing.assert_allclose(model.scores["critic"](None, batch.x), -nets.critic.apply(params["critic"], batch.x))
    assert model.encode is None and model.features["critic"](batch.x).shape == (B, 8)


def test_invert_regresses_the_code_of_the_trained_generator():
    # Kills: regression on the fresh generator that `init` put there; a trained generator that moves; a sum over D.
    game = build()
    inverse = invert(game, NETS.encoder(D))
    params, carry = inverse.init(jax.random.key(0), BATCH)
    trained = game.init(jax.random.key(9), BATCH)
    noise = inverse.draw(jax.random.key(1), BATCH)
    x = NETS.generator.apply(trained[0]["generator"], noise)
    code = NETS.encoder(D).apply(params["encoder"], x)
    loss, _ = inverse.losses["encoder"](params, noise, BATCH, Memo(jnp.asarray(0), {"trained": trained}))
    np.testing.assert_allclose(loss, np.mean((np.asarray(code) - np.asarray(noise)) ** 2), rtol=1e-5)
    model = inverse.model(params, {"trained": trained})
    np.testing.assert_allclose(model.encode(x), code, rtol=1e-6)
    missed = np.sum((np.asarray(x) - np.asarray(model.decode(code))) ** 2, -1)
    np.testing.assert_allclose(model.scores["reconstruction"](None, x), missed, rtol=1e-4)
    assert set(model.features) == {"critic", "encoder"} and set(carry) == {"trained"}


def test_shapes_that_would_broadcast_are_refused():
    # Kills: an encoder of one number that fits every latent; a penalty [B, 1] that becomes [B, B] beside the loss.
    inverse = invert(build(), NETS.encoder(1))
    params, carry = inverse.init(jax.random.key(0), BATCH)
    with pytest.raises(BadRequest, match=r"\[B, 3\] is wanted"):
        inverse.losses["encoder"](params, inverse.draw(jax.random.key(1), BATCH), BATCH, Memo(jnp.asarray(0), carry))
    wide = Penalty(r1(1.0).draw, lambda see, real, fake, noise: see(real)[:, None])
    game = build(penalty=wide)
    params, _ = game.init(jax.random.key(0), BATCH)
    with pytest.raises(BadRequest, match=r"not \(4, 1\)"):
        game.losses["critic"](params, game.draw(jax.random.key(1), BATCH), BATCH, MEMO)


PAIRS = WASSERSTEIN._replace(
    critic=lambda real, fake: fake[:, None] - real[None], generator=lambda real, fake: -jnp.mean(fake)
)


@pytest.mark.parametrize(("turn", "shape"), [("critic", r"\(4, 4\)"), ("generator", r"\(\)")])
def test_losses_of_another_shape_are_refused(turn, shape):
    # Kills: all pairs, or a mean, averaged without a word, in either game.
    trio = aae(NETS.encoder(D), NETS.generator, NETS.latent_critic, latent_dim=D, observation=VECTORS, loss=PAIRS)
    for game, name in ((build(loss=PAIRS), turn), (trio, turn.replace("generator", "autoencoder:fool"))):
        params, _ = game.init(jax.random.key(0), BATCH)
        with pytest.raises(BadRequest, match=rf"one number per example, \[B\], not {shape}"):
            game.losses[name](params, game.draw(jax.random.key(1), BATCH), BATCH, MEMO)


def test_aae_plays_three_losses_of_two_players():
    # Kills: codes called real; the fool loss moving the decoder; a reconstruction through the prior's draws.
    game = aae(NETS.encoder(D), NETS.generator, NETS.latent_critic, latent_dim=D, observation=VECTORS)
    params, _ = game.init(jax.random.key(0), BATCH)
    noise = game.draw(jax.random.key(1), BATCH)
    own = params["autoencoder"]
    codes = NETS.encoder(D).apply(own["encoder"], BATCH.x)
    prior, coded = (np.asarray(NETS.latent_critic.apply(params["critic"], z), np.float64) for z in (noise, codes))
    got = {turn: loss(params, noise, BATCH, MEMO)[0] for turn, loss in game.losses.items()}
    np.testing.assert_allclose(got["critic"], np.mean(softplus(-prior) + softplus(coded)), rtol=1e-5)
    np.testing.assert_allclose(got["autoencoder:fool"], np.mean(softplus(-coded)), rtol=1e-5)
    again = np.asarray(NETS.generator.apply(own["decoder"], codes), np.float64)
    nll = np.sum(0.5 * (np.asarray(BATCH.x) - again) ** 2 + 0.5 * np.log(2 * np.pi), -1).mean()
    np.testing.assert_allclose(got["autoencoder"], nll, rtol=1e-5)
    grad = jax.grad(lambda p: game.losses["autoencoder:fool"](p, noise, BATCH, MEMO)[0])(params)["autoencoder"]
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(grad["decoder"]))
    assert any(np.any(leaf) for leaf in jax.tree.leaves(grad["encoder"]))
