"""The VAE with a critic of reconstructions: its losses and slopes by NumPy, its weight's laws, its start, its parts."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from players import Critic, Generator, counter

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games import vae, vae_gan
from jaxgen.latents import codebook, quantised, vector
from jaxgen.nets import network, networks
from jaxgen.objectives import HINGE, RELATIVISTIC, VECTORS, Weighting, adaptive_weight, constant_weight, equal_norms, r1
from jaxgen.training.step import make_step

B, D, N = 6, 2, 5
KEY = jax.random.key(0)
BATCH = Batch(jnp.asarray(np.random.default_rng(0).normal(size=(B, N)), jnp.float32))
ENCODER, DECODER = network(nn.Dense(2 * D)), network(nn.Dense(N))


def bent(key, x):
    return jnp.linspace(-1.0, 1.5, x.shape[-1]), ()


TANH = Network(bent, lambda v, state, noise, x: (2 * jnp.tanh(x @ v / 2), state))  # D(x) = 2 tanh(v x / 2)


def build(decoder=DECODER, critic=TANH, **parts):
    return vae_gan(ENCODER, decoder, critic, vector(D), **{"observation": VECTORS, **parts})


def start_of(game, batch=BATCH):
    params, state = game.init(KEY, batch)
    return params, state, game.draw(jax.random.key(1), batch)


def played(game, name="vae", step=0, batch=BATCH):
    """(value, Aux, gradient in the player's params)."""
    params, state, noise = start_of(game, batch)
    context = Context(jnp.int32(step), state)

    def own(params_of_player):
        return game.losses[name]({**params, name.partition(":")[0]: params_of_player}, noise, batch, context)

    (value, aux), grads = jax.jit(jax.value_and_grad(own, has_aux=True))(params[name.partition(":")[0]])
    return value, aux, grads


def encoded(params):
    encoder = jax.tree.map(lambda a: np.asarray(a, np.float64), params["vae"]["encoder"])
    return np.asarray(BATCH.x, np.float64) @ encoder["kernel"] + encoder["bias"]


def by_hand(params, noise):
    """Everything at the start, in float64: z, y, both gradients in y, the values of nll, KL and g."""
    wide = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    own, v, x = wide["vae"], wide["critic"], np.asarray(BATCH.x, np.float64)
    h = encoded(params)
    mean, log_std = h[:, :D], 7 * np.tanh(h[:, D:] / 7)
    z = mean + np.exp(log_std) * np.asarray(noise["latent"], np.float64)[0]
    y = z @ own["decoder"]["kernel"] + own["decoder"]["bias"]
    nll = np.mean(np.sum((x - y) ** 2 / 2 + np.log(2 * np.pi) / 2, -1))
    kl = np.mean(np.sum((mean**2 + np.exp(2 * log_std) - 1) / 2 - log_std, -1))
    t = np.tanh(y @ v / 2)
    return z, (y - x) / B, -(1 - t**2)[:, None] * v / B, nll, kl, -np.mean(2 * t), 2 * np.tanh(x @ v / 2), 2 * t


def test_losses_and_the_adaptive_weight_by_hand():
    # Kills: gradients in y, in the encoder or in the bias in place of the kernel; squared norms; the limit or the floor
    # of another part; beta on the wrong term; reconstructions called real; a mean of the posterior for a draw of it; a
    # slope that is lost or counted twice on its way to the encoder or to the observation.
    game = build(weighting=adaptive_weight(0.7), beta=0.3)
    params, _, noise = start_of(game)
    z, of_nll, of_g, nll, kl, g, real, fake = by_hand(params, noise)
    first, second = (np.linalg.norm(z.T @ slope) for slope in (of_nll, of_g))
    lam = 0.7 * first / (second + 1e-4)
    value, aux, grads = played(game)
    np.testing.assert_allclose(value, nll + 0.3 * kl + lam * g, rtol=1e-5)
    figures = [aux.info[name] for name in ("adversarial_weight", "generator_loss", "nll_slope", "generator_slope")]
    np.testing.assert_allclose(figures, [lam, g, first, second], rtol=1e-5)
    np.testing.assert_allclose([aux.info["nll_nats"], aux.info["kl_nats"]], [nll, kl], rtol=1e-5)
    np.testing.assert_allclose(grads["decoder"]["kernel"], z.T @ (of_nll + lam * of_g), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(grads["decoder"]["bias"], (of_nll + lam * of_g).sum(0), rtol=1e-4, atol=1e-6)
    kernel, mean = np.asarray(params["vae"]["decoder"]["kernel"], "d"), encoded(params)[:, :D]
    of_mean = (of_nll + lam * of_g) @ kernel.T + 0.3 * mean / B
    np.testing.assert_allclose(grads["encoder"]["bias"][:D], of_mean.sum(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(grads["observation"], 1 - B * np.sum(of_nll**2, 0), rtol=1e-4, atol=1e-6)  # std is 1
    value, aux, grads = played(game, "critic")
    np.testing.assert_allclose(value, np.mean(np.maximum(0, 1 - real) + np.maximum(0, 1 + fake)), rtol=1e-5)
    np.testing.assert_allclose([aux.info["real_logit"], aux.info["fake_logit"]], [real.mean(), fake.mean()], rtol=1e-4)
    assert np.any(grads)


@pytest.mark.parametrize(
    ("weighting", "loss"),
    [
        pytest.param(adaptive_weight(0.7), RELATIVISTIC, marks=pytest.mark.slow),
        pytest.param(constant_weight(0.7), HINGE, marks=pytest.mark.slow),
        pytest.param(equal_norms(0.7), HINGE, marks=pytest.mark.slow),
    ],
)
def test_every_slope_is_that_of_the_two_losses_with_the_weights_held(weighting, loss):
    # Kills: a slope that is lost or counted twice on its way to the encoder or to the observation; a weight that is
    # differentiated; norms in the layer where they are of y.
    game, decoder = build(Generator((N,)), weighting=weighting, beta=0.3, loss=loss), network(Generator((N,)))
    params, state, noise = start_of(game)
    value, aux, grads = played(game)

    def plain(own, keep, lam):
        h = ENCODER.apply(own["encoder"], {}, None, BATCH.x)[0]
        mean, log_std = h[:, :D], 7 * jnp.tanh(h[:, D:] / 7)
        y = decoder.apply(own["decoder"], {}, None, mean + jnp.exp(log_std) * noise["latent"][0])[0]
        std = jnp.exp(own["observation"])[None]
        nll = jnp.mean(jnp.sum((BATCH.x - y) ** 2 / (2 * std**2) + jnp.log(std) + jnp.log(2 * jnp.pi) / 2, -1))
        kl = jnp.mean(jnp.sum((mean**2 + jnp.exp(2 * log_std) - 1) / 2 - log_std, -1))
        real, fake = (TANH.apply(params["critic"], (), None, x)[0] for x in (BATCH.x, y))
        return keep * nll + 0.3 * kl + lam * jnp.mean(loss.generator(real, fake))

    keep = 1.0
    if weighting.place == "output":
        keep = 1 / float(aux.info["nll_slope"])
    expected, slopes = jax.value_and_grad(plain)(params["vae"], keep, float(aux.info["adversarial_weight"]))
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5), grads, slopes)


@pytest.mark.parametrize(
    "weighting", [adaptive_weight(0.7, floor=1e-9), pytest.param(equal_norms(0.7), marks=pytest.mark.slow)]
)
def test_doubling_the_adversarial_loss_leaves_its_gradient(weighting):
    # Kills: a weight that does not see the scale of g, or sees its square root or its square.
    twice = HINGE._replace(generator=lambda real, fake: 2 * HINGE.generator(real, fake))
    (_, one, slopes), (_, two, doubled) = (played(build(loss=loss, weighting=weighting)) for loss in (HINGE, twice))
    np.testing.assert_allclose(two.info["adversarial_weight"], 0.5 * one.info["adversarial_weight"], rtol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), slopes, doubled)


def test_the_weight_grows_to_its_limit_as_the_critic_flattens():
    # Kills: a weight of another gradient than that of g; a limit below that of the code, 1e4.
    critic = Network(lambda key, x: (bent(key, x)[0], jnp.ones(())), lambda v, size, noise, x: (size * (x @ v), size))
    game = build(critic=critic)
    params, state, noise = start_of(game)

    @jax.jit
    def weight(size):
        context = Context(jnp.int32(0), {**state, "critic": size})
        return game.losses["vae"](params, noise, BATCH, context)[1].info["adversarial_weight"]

    grown = [float(weight(jnp.float32(size))) for size in (1.0, 0.1, 0.01, 0.0)]
    assert grown[1] > 9 * grown[0] and grown[2] > 9 * grown[1] and grown[3] == 1e4


def test_start():
    # Kills: the adversarial term before its step; one of the two starts for both; a weight that is not told before.
    alone = vae(ENCODER, DECODER, vector(D), observation=VECTORS, beta=0.3)
    game = build(weighting=constant_weight(0.5), beta=0.3, start=5, critic_start=3, penalty=r1(1.0))
    params, state, noise = start_of(game)

    def at(name, step, game=game):
        def own(params):
            return game.losses[name](params, noise, BATCH, Context(step, state))

        return jax.value_and_grad(own, has_aux=True)(params)

    vae_at, critic_at = (jax.jit(lambda step, name=name: at(name, step)) for name in ("vae", "critic"))
    (value, _), slopes = jax.jit(lambda: at("vae", 0, alone))()
    (before, aux), grads = vae_at(4)
    np.testing.assert_allclose(before, value, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), grads["vae"], slopes["vae"])
    np.testing.assert_allclose(vae_at(5)[0][0] - value, 0.5 * aux.info["generator_loss"], rtol=1e-4, atol=1e-5)
    assert aux.info["adversarial_weight"] == 0.5
    still, moving = critic_at(2), critic_at(3)
    assert still[0][0] == 0 and not np.any(still[1]["critic"]) and moving[0][0] > 0 and np.any(moving[1]["critic"])
    names = "critic:adversarial", "critic:penalty"
    parts = jax.jit(lambda: [game.losses[name](params, noise, BATCH, Context(3, state))[0] for name in names])()
    np.testing.assert_allclose(moving[0][0], sum(parts), rtol=1e-5)
    together = build(start=5)  # the critic's start follows the other
    late = jax.jit(lambda step: together.losses["critic"](params, noise, BATCH, Context(step, state))[0])
    ends = [late(step) for step in (4, 5)]
    assert ends[0] == 0 < ends[1]


def test_the_critic_and_the_networks_are_differentiated_once():
    # Kills: a backward pass for each of the two losses, which would be a half more arithmetic, or a third more for one
    # through the critic. Layers as wide as the last one, so that this costs something too.
    wide = networks((64,), width=64)
    nets = wide.encoder(2 * D), wide.decoder(64), wide.critic

    def flops(weighting):
        game = vae_gan(*nets, vector(D), observation=VECTORS, weighting=weighting)
        batch = Batch(jnp.zeros((128, 64)))
        params, state = jax.eval_shape(game.init, KEY, batch)
        noise = jax.eval_shape(game.draw, KEY, batch)

        def own(p, params, noise, state):
            return game.losses["vae"]({**params, "vae": p}, noise, batch, Context(0, state))[0]

        compiled = jax.jit(jax.grad(own)).lower(params["vae"], params, noise, state).compile()
        return compiled.cost_analysis()["flops"]

    assert flops(adaptive_weight()) < 1.12 * flops(constant_weight())


@pytest.mark.slow
@pytest.mark.parametrize("label", [None, jnp.array([0, 2, 1, 1, 0, 2])], ids=["alone", "labels"])
def test_networks_see_the_condition_and_keep_their_own_state(label):
    # Kills: a condition that a network does not get; a critic's state that the VAE replaces, or of its call on fakes.
    nets = [counter(network(net)) for net in (Generator((2 * D,)), Generator((N,)), Critic())]
    game = vae_gan(*nets, vector(D), observation=VECTORS, penalty=r1(0.1))
    batch = BATCH._replace(condition=label)
    params, state, noise = start_of(game, batch)
    assert set(state) == {"encoder", "latent", "decoder", "critic", "critic:penalty"}
    context = Context(jnp.int32(0), state)
    kept = {name: set(loss(params, noise, batch, context)[1].state) for name, loss in game.losses.items()}
    assert kept == {
        "vae": {"encoder", "latent", "decoder"},
        "critic": {"critic", "critic:penalty"},
        "critic:adversarial": {"critic"},
        "critic:penalty": {"critic:penalty"},
    }
    new = game.losses["critic"](params, noise, batch, context)[1].state["critic"]
    np.testing.assert_allclose(new["mean"], np.mean(BATCH.x), rtol=1e-5)
    given = () if label is None else (label,)
    model = game.model(params, state)
    assert list(model.scores)[0] == "reconstruction probability" and model.scores["critic"](
        None, batch.x, *given
    ).shape == (B,)
    np.testing.assert_allclose(
        model.scores["critic"](None, batch.x, *given),
        -nets[2].apply(params["critic"], state["critic"], None, batch.x, *given)[0],
        rtol=1e-5,
    )
    if label is not None:
        other = batch._replace(condition=(label + 1) % 3)
        for loss in game.losses.values():
            assert loss(params, noise, batch, context)[0] != loss(params, noise, other, context)[0]


@pytest.mark.slow
def test_codes_are_trained_too():
    # Kills: a latent of another form than a vector's; the cost of its own that is left out. It is VQGAN then.
    flat = network(nn.Sequential([lambda z: z.reshape(len(z), -1), nn.Dense(N)]))
    latent = quantised(codebook(4), (3,))
    coder = network(nn.Sequential([nn.Dense(3 * D), lambda y: y.reshape(len(y), 3, D)]))
    game = vae_gan(coder, flat, TANH, latent, observation=VECTORS)
    step = make_step(game, dict.fromkeys(("vae", "critic"), optax.sgd(1e-2)), game.turns)
    state = step.init(KEY, BATCH)
    state, info = step.update(state, KEY, jax.tree.map(lambda a: jnp.stack([a] * 2), BATCH))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(info)) and state.skipped == 0
    assert info["vae"]["adversarial_weight"] > 0 and np.any(played(game)[2]["encoder"]["layers_0"]["kernel"])


def test_couples():
    # Kills: micro-batches whose weights differ from that of the whole batch, or refused where there are none.
    assert build().couples and build(weighting=equal_norms()).couples and not build(weighting=constant_weight()).couples
    coupled = TANH._replace(couples=True)
    game = build(critic=coupled, weighting=constant_weight())
    assert game.couples and "critic" not in game.model(*start_of(game)[:2]).scores


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (lambda: build(loss="hinge"), "loss must be of the type Adversarial"),
        (lambda: build(weighting=0.5), "weighting must be of the type Weighting"),
        (lambda: build(weighting=Weighting(lambda *_: (1, 1), "encoder")), "not 'encoder'"),
        (lambda: build(penalty="r1"), "the penalty of the critic must be of the type Penalty"),
        (lambda: build(start=-1), "start=-1"),
        (lambda: build(critic_start=0.5), "critic_start=0.5"),
        (lambda: build(beta=-1.0), "beta must be"),
        (lambda: vae_gan(ENCODER, DECODER, TANH, 3), "latent must be"),
        (lambda: played(build(network(nn.Dense(N + 1)))), "the decoder gives"),
        (lambda: played(build(critic=TANH._replace(apply=lambda v, s, n, x: (x[:2] @ v, s)))), r"logits of \(2,\)"),
    ],
)
def test_what_does_not_fit_is_refused(act, word):
    # Kills: a check that is missing.
    with pytest.raises(BadRequest, match=word):
        act()
