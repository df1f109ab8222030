"""The boundary equilibrium GAN: its losses and its balance by NumPy, its fixed point, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from players import Critic, Generator, counter

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games import began
from jaxgen.nets import autoencoder, network
from jaxgen.training.step import make_step

B, D, SHAPE = 4, 3, (5,)
KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
BATCH = Batch(jnp.asarray(RNG.normal(size=(B, *SHAPE)), jnp.float32))
GENERATOR, CODER = network(Generator(SHAPE)), autoencoder(Critic((2,)), Generator(SHAPE))


def played(game, batch=BATCH, k=0.3):
    params, state = game.init(KEY, batch)
    state |= {"balance": jnp.asarray(k)}
    noise = game.draw(jax.random.key(1), batch)
    losses = {name: jax.jit(loss)(params, noise, batch, Context(0, state)) for name, loss in game.losses.items()}
    return params, state, noise, losses


@pytest.mark.parametrize("label", [None, jnp.array([0, 2, 1, 1])], ids=["alone", "labels"])
def test_losses_by_hand(label):
    # Kills: squared errors, or their sum; k on the real examples, or with the other sign; the k of after the turn; a
    # generator that k slows down; a condition that a network does not get.
    batch, given = BATCH._replace(condition=label), () if label is None else (label,)
    game = began(GENERATOR, CODER, latent_dim=D, gamma=0.6, rate=0.1)
    params, state, noise, losses = played(game, batch)
    fake = GENERATOR.apply(params["generator"], {}, None, noise["z"], *given)[0]

    def error(x):
        again = CODER.apply(params["critic"], state["critic"], None, x, *given)[0]
        return np.abs(np.asarray(x, np.float64) - again).mean(-1)

    real, made = error(batch.x).mean(), error(fake).mean()
    np.testing.assert_allclose(losses["critic"][0], real - 0.3 * made, rtol=1e-5)
    np.testing.assert_allclose(losses["generator"][0], made, rtol=1e-5)
    info, new = losses["critic"][1]
    np.testing.assert_allclose([info["real_error"], info["fake_error"], info["balance"]], [real, made, 0.3], rtol=1e-5)
    np.testing.assert_allclose(info["convergence"], real + np.abs(0.6 * real - made), rtol=1e-5)
    np.testing.assert_allclose(new["balance"], 0.3 + 0.1 * (0.6 * real - made), rtol=1e-5)
    model = game.model(params, state)
    np.testing.assert_allclose(model.scores["reconstruction"](None, batch.x, *given), error(batch.x), rtol=1e-5)
    np.testing.assert_allclose(model.sample(noise["z"], *given), fake, rtol=1e-5)
    assert model.features["critic"](batch.x, *given).shape == (B, 2) and set(model.maps) == {"reconstruct"}


def test_slopes_by_hand():
    # Kills: a slope through k; a generator's slope with the critic's sign. D(x) = w x and G(z) = z + a, in one number.
    scale = Network(lambda key, x: (jnp.float32(0.4), ()), lambda w, state, noise, x: (w * x, state))
    shift = Network(lambda key, z: (jnp.float32(2.0), ()), lambda a, state, noise, z: (z + a, state))
    game = began(shift, scale, latent_dim=1)
    batch = Batch(jnp.asarray(RNG.normal(size=(B, 1)), jnp.float32))
    params, state = game.init(KEY, batch)
    noise, context = game.draw(KEY, batch), Context(0, state | {"balance": jnp.asarray(0.3)})
    slopes = {
        n: jax.jit(jax.grad(lambda p, f=f: f(p, noise, batch, context)[0]))(params) for n, f in game.losses.items()
    }
    x, fake = np.asarray(batch.x, np.float64), np.asarray(noise["z"], np.float64) + 2  # |x - w x| = (1 - w) |x|
    np.testing.assert_allclose(slopes["critic"]["critic"], -np.abs(x).mean() + 0.3 * np.abs(fake).mean(), rtol=1e-5)
    np.testing.assert_allclose(slopes["generator"]["generator"], 0.6 * np.sign(fake).mean(), rtol=1e-5)


@pytest.mark.parametrize(("start", "rate", "end"), [(0.0, 100.0, 1.0), (1.0, 1e-4, None), (0.5, 1e4, 0.0)])
def test_the_balance_stays_within_0_and_1(start, rate, end):
    # Kills: a k below 0, where the critic learns to rebuild fakes, or above 1.
    size = 0.01 if end == 1.0 else 100.0  # of fakes, which are far too easy to rebuild, or far too hard
    fake = Network(lambda key, z: ((), ()), lambda p, s, n, z: (jnp.full((B, *SHAPE), size), s))
    silent = Network(lambda key, x: ((), ()), lambda p, s, n, x: (jnp.zeros_like(x), s))
    game = began(fake, silent, latent_dim=D, rate=rate)
    k = float(played(game, k=start)[3]["critic"][1].state["balance"])
    assert k == end if end is not None else 0.98 < k < 1


def test_the_balance_is_played_and_led_to():
    # Kills: a k that the step forgets, or that runs away. With an autoencoder that cannot learn, of errors L(x) = 1 and
    # L(G(z)) = a, the generator lowers a, and k rises once a is below gamma.
    batch = Batch(jnp.ones((B, 1)))
    silent = Network(lambda key, x: (jnp.zeros(()), ()), lambda p, s, n, x: (0 * x + 0 * p, s))
    level = Network(lambda key, z: (jnp.float32(0.9), ()), lambda a, s, n, z: (jnp.full((B, 1), 1.0) * a, s))
    game = began(level, silent, latent_dim=1, gamma=0.5, rate=0.1)
    optimizers = {"critic": optax.sgd(0.0), "generator": optax.sgd(0.1)}
    step = make_step(game, optimizers, turns=(("critic", "generator"),))
    state, ks = step.init(KEY, batch), []
    for _ in range(8):
        state, info = step.update(state, KEY, jax.tree.map(lambda a: a[None], batch))
        ks.append(float(info["critic"]["balance"]))
    a, k, by_hand = 0.9, 0.0, []
    for _ in range(8):
        by_hand.append(k)
        k, a = float(np.clip(k + 0.1 * (0.5 - a), 0, 1)), a - 0.1
    np.testing.assert_allclose(ks, by_hand, atol=1e-6)
    assert by_hand[4] == 0 < by_hand[7]


def test_whose_state_is_kept():
    # Kills: a state of the critic that is that of its call on fakes, or that the generator's turn replaces.
    coder = counter(network(Generator(SHAPE)))
    game = began(counter(GENERATOR), coder._replace(features=None), latent_dim=D)
    _, _, _, losses = played(game)
    assert set(losses["critic"][1].state) == {"critic", "balance"}
    assert set(losses["generator"][1].state) == {"generator"}
    np.testing.assert_allclose(losses["critic"][1].state["critic"]["mean"], np.mean(BATCH.x), rtol=1e-5)
    coupled = began(GENERATOR, coder._replace(couples=True), latent_dim=D)
    assert coupled.couples and coupled.model(*coupled.init(KEY, BATCH)).scores == {} and not game.couples


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (lambda: began(GENERATOR, CODER, latent_dim=0), "latent_dim=0"),
        (lambda: began(GENERATOR, CODER, latent_dim=D, gamma=0.0), "0 < gamma <= 1"),
        (lambda: began(GENERATOR, CODER, latent_dim=D, gamma=1.5), "0 < gamma <= 1"),
        (lambda: began(GENERATOR, CODER, latent_dim=D, rate=0.0), "rate above 0"),
        (lambda: began(GENERATOR, CODER, latent_dim=D, gamma="a"), "gamma must be"),
        (lambda: began(GENERATOR, CODER, latent_dim=D, rate=None), "rate must be"),
        (lambda: played(began(Generator((4,)), CODER, latent_dim=D)), "the generator gives x of"),
        (lambda: played(began(GENERATOR, Critic((2,)), latent_dim=D)), "must return the shape of its input"),
        (lambda: played(began(GENERATOR, CODER, latent_dim=D), Batch({"a": BATCH.x})), "one array"),
    ],
)
def test_what_does_not_fit_is_refused(act, word):
    # Kills: an error [B, 1] of x [B] that broadcasts; a balance that stands still.
    with pytest.raises(BadRequest, match=word):
        act()
