"""The bidirectional GAN: its losses by NumPy, its optimum by quadrature, who keeps which state, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import Critic, Generator, counter
from scipy import stats

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games import bigan
from jaxgen.nets import network
from jaxgen.objectives import LEAST_SQUARES, RELATIVISTIC_AVERAGE

B, D, SHAPE = 4, 3, (5,)
KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
BATCH = Batch(jnp.asarray(RNG.normal(size=(B, *SHAPE)), jnp.float32))
LABELS = jnp.array([0, 2, 1, 1])


def pairs(net=None):
    """A critic of (x, z, condition): one of all of these side by side."""
    net = network(Critic()) if net is None else net

    def side_by_side(x, z, *given):
        return jnp.concatenate([x, z, *(1.0 * g[:, None] for g in given)], -1)

    return Network(
        lambda key, *xs: net.init(key, side_by_side(*xs)),
        lambda params, state, noise, *xs: net.apply(params, state, noise, side_by_side(*xs)),
    )


def played(game, batch=BATCH):
    params, state = game.init(KEY, batch)
    noise = game.draw(jax.random.key(1), batch)
    losses = {name: jax.jit(loss)(params, noise, batch, Context(0, state)) for name, loss in game.losses.items()}
    return params, state, noise, losses


def test_losses_by_hand():
    # Kills: a pair of x and z, or of G(z) and E(G(z)); real and fake exchanged for the critic, or not for the
    # generator; an encoder that minimises nothing; a condition that one of the three networks does not get.
    batch = BATCH._replace(condition=LABELS)
    generator, encoder = network(Generator(SHAPE)), network(Critic((D,)))
    game = bigan(generator, encoder, pairs(), latent_dim=D, loss=LEAST_SQUARES)
    params, state, noise, losses = played(game, batch)
    own, z = params["generator"], noise["z"]
    fake = generator.apply(own["generator"], {}, None, z, LABELS)[0]
    code = encoder.apply(own["encoder"], {}, None, batch.x, LABELS)[0]
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), params["critic"])

    def judge(x, z):
        both = np.concatenate([x, z, np.asarray(LABELS)[:, None]], -1)
        hidden = np.tanh(both @ p["first"]["kernel"] + p["first"]["bias"])
        return (hidden @ p["last"]["kernel"] + p["last"]["bias"])[:, 0]

    real, made = judge(batch.x, code), judge(fake, z)
    np.testing.assert_allclose(losses["critic"][0], np.mean((real - 1) ** 2 + made**2) / 2, rtol=1e-5)
    np.testing.assert_allclose(losses["generator"][0], np.mean((made - 1) ** 2 + real**2) / 2, rtol=1e-5)
    info = losses["critic"][1].info
    np.testing.assert_allclose([info["real_logit"], info["fake_logit"]], [real.mean(), made.mean()], rtol=1e-4)

    model = game.model(params, state)
    np.testing.assert_allclose(model.encode(batch.x, LABELS), code, rtol=1e-6)
    again = np.asarray(generator.apply(own["generator"], {}, None, code, LABELS)[0], np.float64)
    np.testing.assert_allclose(model.maps["reconstruct"](batch.x, LABELS), again, rtol=1e-5)
    missed = np.sum((np.asarray(batch.x) - again) ** 2, -1)
    np.testing.assert_allclose(model.scores["reconstruction"](None, batch.x, LABELS), missed, rtol=1e-4)
    np.testing.assert_allclose(model.scores["critic"](None, batch.x, LABELS), -real, rtol=1e-4, atol=1e-5)
    assert list(model.scores) == ["reconstruction", "critic"]
    assert model.features["encoder"](batch.x, LABELS).shape == (B, 6)
    assert model.sample(model.draw(KEY, B), LABELS).shape == (B, *SHAPE)


def line(slope, spread):
    """y = slope x + spread e, e ~ N(0, 1) in training: the noise of the call."""
    return Network(
        lambda key, x: ((), ()),
        lambda params, state, noise, x: (slope * x + (0.0 if noise is None else spread * noise), state),
        lambda key, x: jax.random.normal(key, x.shape),
    )


def test_the_optimum_of_the_critic_is_the_log_ratio_of_the_pairs():
    # Kills: a pair whose halves are of different examples; an encoder without its noise in training, or with it in
    # `encode`. x ~ N(0, s^2), E draws N(a x, b^2), G draws N(g z, h^2): both pairs are Gaussian, log p - log q is
    # quadratic, and there the slope of the critic's loss is zero and its value log 4 - 2 JS, by quadrature.
    s, (a, b), (g, h) = 1.5, (0.3, 0.8), (1.2, 0.7)
    real = np.array([[s**2, a * s**2], [a * s**2, a**2 * s**2 + b**2]])
    fake = np.array([[g**2 + h**2, g], [g, 1.0]])
    gap = np.linalg.inv(fake) - np.linalg.inv(real)
    optimum = np.array([gap[0, 0] / 2, gap[0, 1], gap[1, 1] / 2, np.log(np.linalg.det(fake) / np.linalg.det(real)) / 2])
    critic = Network(
        lambda key, x, z: (jnp.zeros(4), ()),
        lambda w, state, noise, x, z: (jnp.concatenate([x**2, x * z, z**2, jnp.ones_like(x)], -1) @ w, state),
    )
    n = 500  # quantiles of each Gaussian in place of draws, in all pairs
    normal = stats.norm.ppf((np.arange(n) + 0.5) / n)
    first, second = (jnp.asarray(v.reshape(-1, 1), jnp.float32) for v in np.meshgrid(normal, normal))
    game = bigan(line(g, h), line(a, b), critic, latent_dim=1)
    batch = Batch(s * first)
    params, state = game.init(KEY, batch)
    noise = game.draw(KEY, batch) | {"z": first, "generator": second, "encoder": second}

    @jax.jit
    def play(w):
        return game.losses["critic"](params | {"critic": w}, noise, batch, Context(0, state))[0]

    value, slope = jax.value_and_grad(play)(jnp.asarray(optimum, jnp.float32))

    grid = np.linspace(-9, 9, 400)
    points = np.stack(np.meshgrid(grid, grid), -1)
    p, q = (stats.multivariate_normal(cov=c).pdf(points) for c in (real, fake))
    tiny = np.finfo(float).tiny
    exact = np.sum(-p * np.log((p + tiny) / (p + q + tiny)) - q * np.log((q + tiny) / (p + q + tiny)))
    assert value == pytest.approx(exact * (grid[1] - grid[0]) ** 2, abs=2e-3)
    assert np.abs(slope).max() < 5e-3
    assert np.abs(jax.grad(play)(jnp.asarray(-optimum, jnp.float32))).max() > 0.1
    x = jnp.ones((2, 1))
    np.testing.assert_allclose(game.model(params, state).encode(x), a * x, rtol=1e-6)


def test_whose_state_is_kept_and_what_couples():
    # Kills: a critic's state that the generator's turn replaces, or that of its call on fake pairs; an encoder whose
    # statistics stand still; a score of a critic that couples.
    counting = counter(network(Critic()))
    nets = counter(network(Generator(SHAPE))), counter(network(Critic((D,)))), pairs(counting)
    game = bigan(*nets, latent_dim=D)
    params, state, noise, losses = played(game)
    assert set(losses["critic"][1].state) == {"critic"}
    assert set(losses["generator"][1].state) == {"generator", "encoder"}
    assert losses["generator"][1].state["encoder"]["calls"] == 1
    code = nets[1].apply(params["generator"]["encoder"], state["encoder"], None, BATCH.x)[0]
    mean = np.concatenate([BATCH.x, code], -1).mean()
    np.testing.assert_allclose(losses["critic"][1].state["critic"]["mean"], mean, rtol=1e-4)
    coupled = bigan(Generator(SHAPE), Critic((D,)), pairs()._replace(couples=True), latent_dim=D)
    assert coupled.couples and not game.couples
    assert list(coupled.model(*coupled.init(KEY, BATCH)).scores) == ["reconstruction"]
    assert bigan(Generator(SHAPE), Critic((D,)), pairs(), latent_dim=D, loss=RELATIVISTIC_AVERAGE).couples


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (lambda: bigan(Generator(SHAPE), Critic((D,)), pairs(), latent_dim=0), "latent_dim=0"),
        (lambda: bigan(Generator(SHAPE), Critic((D,)), pairs(), latent_dim=D, loss="hinge"), "loss must be"),
        (lambda: played(bigan(Generator(SHAPE), Critic((2,)), pairs(), latent_dim=D)), r"must give \[B, 3\]"),
        (lambda: played(bigan(Generator((4,)), Critic((D,)), pairs(), latent_dim=D)), "the generator gives x of"),
        (
            lambda: played(bigan(Generator(SHAPE), Critic((D,)), pairs(), latent_dim=D), Batch({"a": BATCH.x})),
            "one array",
        ),
    ],
)
def test_what_does_not_fit_is_refused(act, word):
    # Kills: a mistake that comes to light as an error from deep within.
    with pytest.raises(BadRequest, match=word):
        act()
