"""The adversarial autoencoder: its three losses by NumPy, who is reached by which, the condition, state and widths."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest, Batch, Context
from jaxgen.games.hybrid import aae
from jaxgen.nets import networks
from jaxgen.nets.adapters import network
from jaxgen.nets.wrappers import mapped, packed
from jaxgen.objectives import GAUSSIAN, NON_SATURATING, PIXELS, VECTORS

B, D, SHAPE = 4, 3, (5,)
NETS = networks(SHAPE, width=8)
BATCH = Batch(jnp.asarray(np.random.default_rng(0).normal(size=(B, *SHAPE)), jnp.float32))
LABELS = jnp.array([0, 2, 1, 1])


def softplus(x):
    return np.logaddexp(0, x)


def test_three_losses_of_two_players():
    # Kills: codes called real; the fool loss moving the decoder; a reconstruction through the prior's draws.
    game = aae(NETS.encoder(D), NETS.generator, NETS.latent_critic, latent_dim=D, observation=VECTORS)
    params, state = game.init(jax.random.key(0), BATCH)
    noise, context = game.draw(jax.random.key(1), BATCH), Context(jnp.asarray(0), state)
    own = params["autoencoder"]
    codes = NETS.encoder(D).apply({"params": own["encoder"]}, BATCH.x)
    critic = {"params": params["critic"]}
    prior, coded = (np.asarray(NETS.latent_critic.apply(critic, z), np.float64) for z in (noise["z"], codes))
    losses = {name: loss(params, noise, BATCH, context) for name, loss in game.losses.items()}
    np.testing.assert_allclose(losses["critic"][0], np.mean(softplus(-prior) + softplus(coded)), rtol=1e-5)
    np.testing.assert_allclose(losses["autoencoder:fool"][0], np.mean(softplus(-coded)), rtol=1e-5)
    again = np.asarray(NETS.generator.apply({"params": own["decoder"]}, codes), np.float64)
    nll = np.sum(0.5 * (np.asarray(BATCH.x) - again) ** 2 + 0.5 * np.log(2 * np.pi), -1).mean()
    np.testing.assert_allclose(losses["autoencoder"][0], nll, rtol=1e-5)
    assert losses["autoencoder"][1].info["nll_nats"] == losses["autoencoder"][0]
    assert {n: set(aux.state) for n, (_, aux) in losses.items()} == {
        "autoencoder": {"encoder", "decoder"},
        "critic": {"critic"},
        "autoencoder:fool": set(),
    }
    grad = jax.grad(lambda p: game.losses["autoencoder:fool"](p, noise, BATCH, context)[0])(params)["autoencoder"]
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(grad["decoder"]))
    assert any(np.any(leaf) for leaf in jax.tree.leaves(grad["encoder"]))


class Both(nn.Module):
    """Dense, of inputs side by side, labels as one-hot vectors; with batch statistics."""

    out: int

    @nn.compact
    def __call__(self, x, label, train=False):
        x = nn.Dense(8)(jnp.concatenate([x, jax.nn.one_hot(label, 3)], -1))
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        return nn.Dense(self.out)(x)


class Logits(Both):
    """The same with one logit per example."""

    def __call__(self, x, label, train=False):
        return super().__call__(x, label, train)[:, 0]


def test_networks_see_the_condition_and_have_state():
    # Kills: a condition that one of the networks does not get; state of the critic that the autoencoder replaces, or
    # that of its call on codes.
    nets = [network(net, couples=i < 2) for i, net in enumerate((Both(D), Both(5), Logits(1)))]
    game = aae(*nets, latent_dim=D, observation=VECTORS)
    batch = BATCH._replace(condition=LABELS)
    params, state = game.init(jax.random.key(0), batch)
    noise, context = game.draw(jax.random.key(1), batch), Context(jnp.asarray(0), state)
    assert set(state) == {"encoder", "decoder", "critic"}
    other = batch._replace(condition=(LABELS + 1) % 3)
    for loss in game.losses.values():
        assert loss(params, noise, batch, context)[0] != loss(params, noise, other, context)[0]
    aux = game.losses["critic"](params, noise, batch, context)[1]
    on_prior = nets[2].apply(params["critic"], state["critic"], (), noise["z"], LABELS)[1]
    for a, b in zip(jax.tree.leaves(aux.state["critic"]), jax.tree.leaves(on_prior), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    model = game.model(params, state)
    drawn = model.draw(jax.random.key(2), B, LABELS)
    assert model.sample(drawn, LABELS).shape == (B, 5)
    assert np.any(np.asarray(model.sample(drawn, LABELS)) != np.asarray(model.sample(drawn, other.condition)))
    assert list(model.scores) == ["reconstruction", "code critic"]
    for score in model.scores.values():
        assert score(None, batch.x, LABELS).shape == (B,)
    np.testing.assert_allclose(
        model.scores["code critic"](None, batch.x, LABELS),
        -nets[2].apply(params["critic"], state["critic"], None, model.encode(batch.x, LABELS), LABELS)[0],
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("encoder", "decoder", "word"),
    [
        (nn.Dense(D + 1), nn.Dense(5), r"the encoder gives \[4, 4\] but must give \[B, 3\]"),
        (nn.Dense(D), nn.Dense(4), r"the decoder gives \[4, 4\] but must give \[B, 5\]"),
    ],
)
def test_a_network_of_another_width_is_named(encoder, decoder, word):
    # Kills: an error from deep within that names shapes and no network.
    game = aae(encoder, decoder, NETS.latent_critic, latent_dim=D, observation=PIXELS)
    with pytest.raises(BadRequest, match=word):
        jax.eval_shape(game.init, jax.random.key(0), BATCH)


def build(critic=NETS.latent_critic, **parts):
    parts = {"latent_dim": D, "observation": VECTORS, **parts}
    return aae(NETS.encoder(D), NETS.generator, critic, **parts)


def played(game, turn):
    params, state = game.init(jax.random.key(0), BATCH)
    noise = game.draw(jax.random.key(1), BATCH)
    return game.losses[turn](params, noise, BATCH, Context(jnp.asarray(0), state))[0], game.model(params, state)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"latent_dim": 2.0}, "latent_dim=2.0: it must be a whole number of at least 1"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"loss": "hinge"}, "loss must be of the type Adversarial, such as NON_SATURATING, .* not 'hinge'"),
        ({"observation": GAUSSIAN}, r"observation must be .*independent\(GAUSSIAN\), not Family"),
    ],
)
def test_parts_of_another_kind_are_refused(parts, message):
    # Kills: a mistake that comes to light when the step is traced, as an AttributeError.
    with pytest.raises(BadRequest, match=message):
        build(**parts)


@pytest.mark.parametrize("turn", ["critic", "autoencoder:fool"])
def test_logits_and_losses_of_another_shape_are_refused(turn):
    # Kills: a critic of fewer logits than codes, whose mean looks like any other; a loss of all pairs.
    halves = mapped(NETS.latent_critic, lambda y: y[: B // 2])
    with pytest.raises(BadRequest, match=r"gives logits of \(2,\) for 4 examples"):
        played(build(halves), turn)
    pairs = NON_SATURATING._replace(**dict.fromkeys(("critic", "generator"), lambda a, b: a[:, None] - b[None]))
    with pytest.raises(BadRequest, match=r"one number per logit, \(4,\), not \(4, 4\)"):
        played(build(loss=pairs), turn)


def test_the_score_is_one_number_for_each_example():
    # Kills: scores [B, 1] of logits [B, 1]; the first logit, or the sum, for the mean.
    critic = nn.Dense(2)
    value, model = played(build(critic), "critic")
    params = network(critic).init(jax.random.split(jax.random.key(0), 3)[2], jnp.zeros((B, D)))[0]
    logits = network(critic).apply(params, {}, None, model.encode(BATCH.x))[0]
    assert value.shape == ()
    np.testing.assert_allclose(model.scores["code critic"](None, BATCH.x), -np.mean(logits, -1), rtol=1e-5)


def test_packs():
    # Kills: a critic of packs refused; a score of two numbers for four examples.
    value, model = played(build(packed(nn.Sequential([nn.Dense(1), lambda y: y[:, 0]]), 2)), "critic")
    assert value.shape == () and set(model.scores) == {"reconstruction"}


def test_examples_are_one_array():
    # Kills: an AttributeError about the shape of a dict.
    with pytest.raises(BadRequest, match="takes x as one array, not as dict"):
        build().init(jax.random.key(0), Batch({"a": BATCH.x}))


def test_couples():
    # Kills: micro-batches of a critic whose examples see each other, or of a loss that takes their mean.
    coupled = network(NETS.latent_critic)._replace(couples=True)
    assert build(coupled).couples and build(loss=NON_SATURATING._replace(couples=True)).couples
    assert not build().couples
