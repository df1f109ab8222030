"""The two-player game: its losses against NumPy, whose state is kept, what it refuses."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import Critic, Generator, counter

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games import gan
from jaxgen.nets.adapters import network
from jaxgen.nets.augmentation import augmented, diffaugment, instance_noise
from jaxgen.nets.wrappers import mapped, packed
from jaxgen.objectives import (
    HINGE,
    LEAST_SQUARES,
    NON_SATURATING,
    RELATIVISTIC,
    SATURATING,
    WASSERSTEIN,
    Penalty,
    add,
    content,
    lecam,
    path_length,
    r1,
    r2,
)

B, D, SHAPE = 4, 3, (5,)
KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
BATCH = Batch(jnp.asarray(RNG.normal(size=(B, *SHAPE)), jnp.float32))
GENERATOR, CRITIC = network(Generator(SHAPE)), network(Critic())


def build(**parts):
    return gan(GENERATOR, CRITIC, latent_dim=D, **parts)


def start(game, batch=BATCH):
    """Params, noise, and a function (name, params) -> (value, aux) of the losses at step 0."""
    params, state = game.init(KEY, batch)
    noise = game.draw(jax.random.key(1), batch)

    def play(name, params=params, step=0, state=state):
        return game.losses[name](params, noise, batch, Context(jnp.asarray(step), state))

    return params, noise, play


def softplus(x):
    return np.logaddexp(0, x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


LOSSES = {  # critic and its slopes in real and fake, generator and its slope in fake; in float64
    "saturating": (
        SATURATING,
        lambda r, f: (softplus(-r) + softplus(f), -sigmoid(-r), sigmoid(f)),
        lambda r, f: (-softplus(f), -sigmoid(f)),
    ),
    "non-saturating": (
        NON_SATURATING,
        lambda r, f: (softplus(-r) + softplus(f), -sigmoid(-r), sigmoid(f)),
        lambda r, f: (softplus(-f), -sigmoid(-f)),
    ),
    "least squares": (
        LEAST_SQUARES,
        lambda r, f: ((r - 1) ** 2 / 2 + f**2 / 2, r - 1, f),
        lambda r, f: ((f - 1) ** 2 / 2, f - 1),
    ),
    "hinge": (
        HINGE,
        lambda r, f: (np.maximum(0, 1 - r) + np.maximum(0, 1 + f), -1.0 * (r < 1), 1.0 * (f > -1)),
        lambda r, f: (-f, -1 + 0 * f),
    ),
    "wasserstein": (WASSERSTEIN, lambda r, f: (f - r, -1 + 0 * r, 1 + 0 * f), lambda r, f: (-f, -1 + 0 * f)),
    "relativistic": (
        RELATIVISTIC,
        lambda r, f: (softplus(f - r), -sigmoid(f - r), sigmoid(f - r)),
        lambda r, f: (softplus(r - f), -sigmoid(r - f)),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients_of_a_linear_game(name):
    # Kills: real and fake swapped; a critic's loss handed to the generator; a sum over the batch; a stopped gradient
    # between the players. D(x) = x w and G(z) = z A, all by hand.
    loss, critic, generator = LOSSES[name]

    def linear(*shape):
        return Network(lambda key, x: (jax.random.normal(key, shape), ()), lambda w, state, noise, x: (x @ w, state))

    game = gan(linear(D, 5), linear(5), latent_dim=D, loss=loss)
    params, noise, play = start(game)
    x, z, a, w = (np.asarray(v, np.float64) for v in (BATCH.x, noise["z"], params["generator"], params["critic"]))
    real, fake = x @ w, z @ a @ w
    value, d_real, d_fake = critic(real, fake)
    (got, aux), grads = jax.value_and_grad(lambda p: play("critic", p), has_aux=True)(params)
    np.testing.assert_allclose(got, value.mean(), rtol=1e-5)
    np.testing.assert_allclose(grads["critic"], (x.T @ d_real + (z @ a).T @ d_fake) / B, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(grads["generator"], z.T @ np.outer(d_fake, w) / B, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(aux.info["real_logit"], real.mean(), rtol=1e-5)
    np.testing.assert_allclose(aux.info["fake_logit"], fake.mean(), rtol=1e-5)
    value, d_fake = generator(real, fake)
    (got, aux), grads = jax.value_and_grad(lambda p: play("generator", p), has_aux=True)(params)
    np.testing.assert_allclose(got, value.mean(), rtol=1e-5)
    np.testing.assert_allclose(grads["generator"], z.T @ np.outer(d_fake, w) / B, rtol=1e-4, atol=1e-5)
    assert aux.info == {}


def test_penalties_join_their_own_players_loss():
    # Kills: a penalty on the other player; real and fake swapped on their way to a penalty; one forgotten;
    # terms that do not add up to the whole; a penalty's term that moves the state of the network.
    game = build(penalty=add(r1(3.0), r2(lambda step: 5.0 * step)), generator_penalty=content(2.0))
    params, noise, play = start(game)
    fake = GENERATOR.apply(params["generator"], {}, None, noise["z"])[0]

    def half_square(x):
        grads = jax.grad(lambda x: CRITIC.apply(params["critic"], {}, None, x)[0].sum())(x)
        return 0.5 * np.mean(np.sum(np.asarray(grads, np.float64) ** 2, -1))

    miss = np.abs(np.asarray(fake, np.float64) - np.asarray(BATCH.x)).mean()
    extra = {"critic": 3 * half_square(BATCH.x) + 10 * half_square(fake), "generator": 2 * miss}
    assert set(game.losses) == {p + t for p in extra for t in ("", ":adversarial", ":penalty")}
    for player, more in extra.items():
        whole, alone, term = (
            jax.value_and_grad(lambda p, n=name: play(player + n, p, 2), has_aux=True)(params)  # noqa: B023
            for name in ("", ":adversarial", ":penalty")
        )
        np.testing.assert_allclose(term[0][0], more, rtol=1e-5)
        np.testing.assert_allclose(term[0][1].info["penalty"], more, rtol=1e-5)
        np.testing.assert_allclose(whole[0][0], alone[0][0] + more, rtol=1e-5)
        for a, b, c in zip(*(jax.tree.leaves(part[1]) for part in (whole, alone, term)), strict=True):
            np.testing.assert_allclose(a, b + c, rtol=1e-4, atol=1e-5)
        assert set(whole[0][1].state) == {player, f"{player}:penalty"}
        assert set(alone[0][1].state) == {player} and set(term[0][1].state) == {f"{player}:penalty"}


def test_without_a_penalty_there_are_two_losses():
    # Kills: terms that are the whole; the other player's turn that returns this one's state.
    game = build(penalty=r1(1.0))
    assert set(game.losses) == {"critic", "critic:adversarial", "critic:penalty", "generator"}
    _, _, play = start(game)
    assert set(play("generator")[1].state) == {"generator"}
    assert set(build().losses) == {"critic", "generator"}


def test_state_of_a_penalty():
    # Kills: a moving average that starts anew each turn, or that is kept for the other player.
    game = build(generator_penalty=path_length(1.0, decay=0.5))
    _, _, play = start(game)
    _, state = game.init(KEY, BATCH)
    assert state["generator:penalty"] == 0
    first = play("generator:penalty")[1].state["generator:penalty"]
    second = play("generator", state={**state, "generator:penalty": first})[1].state["generator:penalty"]
    np.testing.assert_allclose(second, 1.5 * first, rtol=1e-5)


def test_all_calls_of_a_turn_read_one_state_and_one_is_kept():
    # Kills: a state threaded from real to fake; the critic's state of its call on fakes; a generator's turn that moves
    # the critic's; evaluation that moves any.
    game = gan(counter(GENERATOR), counter(CRITIC), latent_dim=D, loss=WASSERSTEIN, penalty=add(r1(1.0), r2(1.0)))
    params, noise, play = start(game)
    _, state = game.init(KEY, BATCH)
    value, aux = play("critic:adversarial")
    assert aux.state["critic"]["calls"] == 1 and set(aux.state) == {"critic"}
    np.testing.assert_allclose(aux.state["critic"]["mean"], np.asarray(BATCH.x).mean(), rtol=1e-5)
    moved = {**state, "critic": {"calls": jnp.full((), 7.0), "mean": jnp.zeros(())}}
    np.testing.assert_allclose(play("critic:adversarial", state=moved)[0], value, rtol=1e-5)  # 7 on both sides
    np.testing.assert_allclose(play("generator", state=moved)[0], play("generator")[0] - 7, rtol=1e-5)
    aux = play("generator")[1]
    assert set(aux.state) == {"generator"} and aux.state["generator"]["calls"] == 1
    np.testing.assert_allclose(aux.state["generator"]["mean"], np.asarray(noise["z"]).mean(), rtol=1e-5)
    model = game.model(params, moved)
    np.testing.assert_allclose(model.scores["critic"](None, BATCH.x), model.scores["critic"](None, BATCH.x))


def test_batch_statistics_move_in_training_only():
    # Kills: an evaluation that normalises by its own batch; statistics of the fakes.
    class Normed(nn.Module):
        @nn.compact
        def __call__(self, x, train):
            return nn.Dense(1)(nn.BatchNorm(use_running_average=not train, momentum=0.0)(x))[:, 0]

    game = gan(GENERATOR, network(Normed(), couples=True), latent_dim=D)
    _, _, play = start(game)
    kept = play("critic")[1].state["critic"]["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(kept, np.asarray(BATCH.x).mean(0), rtol=1e-4, atol=1e-6)
    assert game.couples and not build().couples


def test_critic_sees_noise_on_real_and_fake_alike():
    # Kills: noise on one side; one noise for both; a generator's turn that sees what is clean; a score with noise.
    critic = augmented(CRITIC, instance_noise(0.5))
    game = gan(GENERATOR, critic, latent_dim=D, loss=RELATIVISTIC)
    params, noise, play = start(game)
    sides = [noise[side]["pipe"] for side in ("real", "fake")]
    assert not np.any(np.asarray(sides[0]) == np.asarray(sides[1]))
    fake = GENERATOR.apply(params["generator"], {}, None, noise["z"])[0]
    seen = [x + 0.5 * n for x, n in zip((BATCH.x, fake), sides, strict=True)]
    real, fake = (np.asarray(CRITIC.apply(params["critic"], {}, None, x)[0], np.float64) for x in seen)
    np.testing.assert_allclose(play("critic")[0], softplus(fake - real).mean(), rtol=1e-5)
    np.testing.assert_allclose(play("generator")[0], softplus(real - fake).mean(), rtol=1e-5)
    plain = -CRITIC.apply(params["critic"], {}, None, BATCH.x)[0]
    model = game.model(*game.init(KEY, BATCH))
    np.testing.assert_allclose(model.scores["critic"](None, BATCH.x), plain, rtol=1e-6)


def test_penalties_look_through_the_augmentation_at_the_raw_image():
    # Kills: a slope behind the augmentation; R1 at the noise of the fakes, R2 at that of the real; a slope without the
    # augmentation. By finite differences of the whole critic, and of the image, in float64.
    images = Batch(jnp.asarray(RNG.uniform(size=(2, 4, 4, 1)), jnp.float32))
    pipe, weights = diffaugment(), RNG.normal(size=(4, 4, 1))
    bent = Network(
        lambda key, x: ((), ()),
        lambda p, state, noise, x: (jnp.sum(jnp.asarray(weights, "f")[None] * x**2, (1, 2, 3)), state),
    )
    generator = mapped(Generator((4, 4, 1)), jax.nn.sigmoid)
    for penalty, side in ((r1(2.0), "real"), (r2(2.0), "fake")):
        game = gan(generator, augmented(bent, pipe), latent_dim=2, penalty=penalty)
        params, noise, play = start(game, images)
        made = generator.apply(params["generator"], {}, None, noise["z"])[0]
        x = np.asarray(images.x if side == "real" else made, np.float64)

        def whole(x, noise=noise, side=side):
            with jax.enable_x64(True):
                wide = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), noise[side]["pipe"])
                return np.sum(weights * np.asarray(pipe.apply(jnp.asarray(x), wide, 1.0)) ** 2, (1, 2, 3))

        square = np.zeros(2)
        for at in np.ndindex(4, 4, 1):
            nudge = np.zeros((1, 4, 4, 1))
            nudge[(0, *at)] = 1e-5
            square += ((whole(x + nudge) - whole(x - nudge)) / 2e-5) ** 2
        np.testing.assert_allclose(play("critic:penalty")[0], square.mean(), rtol=1e-3)


def test_condition_comes_last_and_everywhere():
    # Kills: a label that one of the networks does not see, in training or in the model.
    batch = BATCH._replace(condition=jnp.array([0, 1, 2, 3]))
    game = gan(Generator(SHAPE), Critic(), latent_dim=D, penalty=r1(1.0))
    params, noise, play = start(game, batch)
    fake = GENERATOR.apply(params["generator"], {}, None, noise["z"], batch.condition)[0]
    real, fake = (
        np.asarray(CRITIC.apply(params["critic"], {}, None, x, batch.condition)[0], np.float64) for x in (batch.x, fake)
    )
    np.testing.assert_allclose(play("critic:adversarial")[0], (softplus(-real) + softplus(fake)).mean(), rtol=1e-5)
    model = game.model(*game.init(KEY, batch))
    z = model.draw(KEY, B, batch.condition)
    assert np.abs(model.sample(z, batch.condition) - model.sample(z, batch.condition + 1)).max() > 1e-3
    np.testing.assert_allclose(model.decode(z, batch.condition), model.sample(z, batch.condition))
    np.testing.assert_allclose(model.scores["critic"](None, batch.x, batch.condition), -real, rtol=1e-5)
    features = model.features["critic"](batch.x, batch.condition)
    assert (
        features.shape == (B, 6) and np.abs(features - model.features["critic"](batch.x, batch.condition + 1)).max() > 0
    )


def test_a_map_of_the_condition():
    # Kills: a z of one number where none is wanted; a condition that is an image.
    batch = BATCH._replace(condition=jnp.asarray(RNG.normal(size=(B, 2, 1)), jnp.float32))
    game = gan(Generator(SHAPE), Critic(), latent_dim=0, generator_penalty=content(1.0))
    params, noise, play = start(game, batch)
    assert noise["z"].shape == (B, 0) and np.isfinite(play("generator")[0])
    model = game.model(*game.init(KEY, batch))
    samples = [model.sample(model.draw(jax.random.key(i), B, batch.condition), batch.condition) for i in (0, 1)]
    np.testing.assert_array_equal(*samples)
    with pytest.raises(BadRequest, match="no condition"):
        game.init(KEY, BATCH)


@pytest.mark.parametrize("out", [(1,), (2, 3)])
def test_logits_of_any_shape(out):
    # Kills: patches that are summed; a score that is one number for the batch.
    critic = network(Critic(out))
    game = gan(GENERATOR, critic, latent_dim=D, loss=RELATIVISTIC, penalty=r1(1.0))
    params, noise, play = start(game)
    fake = GENERATOR.apply(params["generator"], {}, None, noise["z"])[0]
    real, fake = (np.asarray(critic.apply(params["critic"], {}, None, x)[0], np.float64) for x in (BATCH.x, fake))
    np.testing.assert_allclose(play("critic:adversarial")[0], softplus(fake - real).mean(), rtol=1e-5)
    np.testing.assert_allclose(play("generator")[0], softplus(real - fake).mean(), rtol=1e-5)
    score = game.model(*game.init(KEY, BATCH)).scores["critic"](None, BATCH.x)
    np.testing.assert_allclose(score, -real.reshape(B, -1).mean(-1), rtol=1e-5)
    assert np.isfinite(play("critic:penalty")[0])


def test_packs():
    # Kills: a score of single examples from a critic of packs; a game that may be split into micro-batches.
    game = gan(GENERATOR, packed(Critic(), 2), latent_dim=D, penalty=r1(1.0))
    params, noise, play = start(game)
    real = np.asarray(CRITIC.apply(params["critic"], {}, None, BATCH.x.reshape(2, 10))[0], np.float64)
    fake = GENERATOR.apply(params["generator"], {}, None, noise["z"])[0].reshape(2, 10)
    fake = np.asarray(CRITIC.apply(params["critic"], {}, None, fake)[0], np.float64)
    np.testing.assert_allclose(play("critic:adversarial")[0], (softplus(-real) + softplus(fake)).mean(), rtol=1e-5)
    slope = jax.grad(lambda x: CRITIC.apply(params["critic"], {}, None, x)[0].sum())(BATCH.x.reshape(2, 10))
    np.testing.assert_allclose(play("critic:penalty")[0], 0.5 * np.sum(np.asarray(slope) ** 2) / 2, rtol=1e-5)
    model = game.model(*game.init(KEY, BATCH))
    assert game.couples and model.scores == {} and model.features == {}


def test_images_of_a_mapped_generator():
    # Kills: a model that skips the map; a draw of another law or size; an encoder that a GAN does not have.
    batch = Batch(jnp.ones((B, 4, 4, 1)) / 2)
    game = gan(mapped(Generator((4, 4, 1)), jax.nn.sigmoid), Critic(), latent_dim=D)
    params, state = game.init(KEY, batch)
    model = game.model(params, state)
    z = model.draw(jax.random.key(1), 2000)
    assert abs(np.mean(z)) < 5 / np.sqrt(z.size) and abs(np.std(z) - 1) < 5 / np.sqrt(2 * z.size)
    logits, _ = network(Generator((4, 4, 1))).apply(params["generator"], {}, None, z[:B])
    np.testing.assert_allclose(model.sample(z[:B]), sigmoid(np.asarray(logits, np.float64)), rtol=1e-5)
    assert model.encode is None and model.features["critic"](batch.x).shape == (B, 6)


PAIRS = WASSERSTEIN._replace(
    critic=lambda real, fake: fake[:, None] - real[None], generator=lambda real, fake: -jnp.mean(fake)
)


@pytest.mark.parametrize(("turn", "shape"), [("critic", r"\(4, 4\)"), ("generator", r"\(\)")])
def test_losses_of_another_shape_are_refused(turn, shape):
    # Kills: all pairs, or a mean, averaged without a word.
    _, _, play = start(build(loss=PAIRS))
    with pytest.raises(BadRequest, match=rf"one number per logit, \(4,\), not {shape}"):
        play(turn)


def plain(function):
    return Network(lambda key, *xs: ((), ()), lambda params, state, noise, *xs: (function(*xs), state))


CRITICS = {  # what it gives, what is message
    "one number": (lambda x: jnp.mean(x), r"logits of \(\) for 4 examples"),
    "one number in an axis": (lambda x: jnp.mean(x, keepdims=True)[0], r"logits of \(1,\) for 4 examples"),
    "packs undeclared": (lambda x: x[:2, 0], r"logits of \(2,\) for 4 examples.*couples"),
    "too many": (lambda x: x.reshape(-1), r"logits of \(20,\) for 4 examples"),
}


@pytest.mark.parametrize("name", CRITICS)
def test_critics_that_are_refused(name):
    # Kills: a critic that averages over the batch, and trains without a word.
    function, message = CRITICS[name]
    _, _, play = start(gan(GENERATOR, plain(function), latent_dim=D))
    for turn in ("critic", "generator"):
        with pytest.raises(BadRequest, match=message):
            play(turn)


def test_shapes_that_would_broadcast_are_refused():
    # Kills: a penalty [B, 1] or a mean; fakes [B, 1] against data [B, 5]; logits that differ.
    for wide in (lambda view: view.real_logits[:, None], lambda view: jnp.mean(view.real_logits)):
        penalty = Penalty(lambda view, noise, state, step, wide=wide: (wide(view), state))
        _, _, play = start(build(penalty=penalty))
        with pytest.raises(BadRequest, match=r"one number for each example or pack, \(4,\), not \((4, 1)?\)"):
            play("critic")
    _, _, play = start(gan(Generator((1,)), plain(lambda x: x.sum(-1)), latent_dim=D))
    with pytest.raises(BadRequest, match=r"gives x of \(4, 1\), but the data are \(4, 5\)"):
        play("critic")
    sizes = iter((4, 2) * 3)
    critic = plain(lambda x: x[:4, 0] if next(sizes) == 4 else x[:4, :2])
    _, _, play = start(gan(GENERATOR, critic, latent_dim=D))
    with pytest.raises(BadRequest, match=r"\(4,\) for real and \(4, 2\) for fake"):
        play("critic")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"latent_dim": -1}, "latent_dim"),
        ({"latent_dim": 2.0}, "latent_dim=2.0: it must be a whole number of at least 0"),
        ({"latent_dim": True}, "latent_dim=True"),
        ({"penalty": r1}, r"the penalty of the critic must be .*r1\(1.0\), not r1"),
        ({"generator_penalty": 3.0}, "the penalty of the generator must be of the type Penalty.*not 3.0"),
        ({"loss": NON_SATURATING.critic}, "RELATIVISTIC"),
    ],
)
def test_parts_of_another_kind_are_refused(parts, message):
    # Kills: a mistake that comes to light when the step is traced.
    with pytest.raises(BadRequest, match=message):
        gan(GENERATOR, CRITIC, **{"latent_dim": D, **parts})


def test_sizes_of_numpy_are_whole_numbers():
    # Kills: a size read from a file or from an array's shape refused.
    assert jax.eval_shape(gan(GENERATOR, CRITIC, latent_dim=np.int64(D)).draw, KEY, BATCH)["z"].shape == (B, D)


def test_couples_is_that_of_the_networks_the_loss_or_a_penalty():
    # Kills: a game whose batch may be split although its examples see each other.
    assert gan(GENERATOR._replace(couples=True), CRITIC, latent_dim=D).couples
    assert build(loss=RELATIVISTIC._replace(couples=True)).couples and not build(loss=RELATIVISTIC).couples
    assert build(generator_penalty=add(r1(1.0), path_length())).couples and not build(penalty=lecam()).couples


def test_examples_may_be_trees():
    # Kills: an array where the data are a table of columns.
    batch = Batch({"a": jnp.ones((B, 2)), "b": jnp.ones((B, 3))})

    def split(y):
        return {"a": y[:, :2], "b": y[:, 2:]}

    critic = plain(lambda x: x["a"].sum(-1) * x["b"].sum(-1))
    game = gan(mapped(Generator((5,)), split), critic, latent_dim=D, penalty=add(r1(2.0), r2(1.0)))
    _, _, play = start(game, batch)
    assert np.isfinite(play("critic")[0])
    np.testing.assert_allclose(
        gan(mapped(Generator((5,)), split), critic, latent_dim=D, penalty=r1(2.0)).losses["critic:penalty"](
            *game.init(KEY, batch)[:1],
            {**game.draw(KEY, batch), "critic:penalty": ()},
            batch,
            Context(0, game.init(KEY, batch)[1]),
        )[0],
        2 * 3**2 + 3 * 2**2,
    )
