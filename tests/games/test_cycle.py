"""Translation without pairs: both losses and their gradients by hand on scalar networks, names, state, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import Critic, Generator, counter

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games.cycle import cycle
from jaxgen.nets.adapters import network
from jaxgen.nets.augmentation import augmented, instance_noise
from jaxgen.objectives import NON_SATURATING

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = {"day": RNG.normal(size=(3, 4)), "night": RNG.normal(size=(3, 4))}
BATCH = Batch({name: jnp.asarray(x, jnp.float32) for name, x in X.items()})
# G(x) = g x and D(x) = d x, a logit for each of the four numbers
SCALE = Network(lambda key, x: (jnp.ones(()), ()), lambda p, state, noise, x: (p * x, state))
PAIR = {"day": SCALE, "night": SCALE}
PARAMS = {"generator": {"day": 0.7, "night": -1.3}, "critic": {"day": 0.4, "night": 2.0}}


def play(game, name, params, batch=BATCH, state=None):
    start, fresh = game.init(KEY, batch)
    state = fresh if state is None else state
    return game.losses[name](params, game.draw(KEY, batch), batch, Context(0, state))


def exact(player, generator, critic, weight, identity):
    """The losses in float64; least squares by default, G_day makes a day of a night."""
    total = 0.0
    for here, there in (("day", "night"), ("night", "day")):
        real, fake = critic[here] * X[here], critic[here] * generator[here] * X[there]
        if player == "critic":
            total += np.mean((real - 1) ** 2 + fake**2) / 2
            continue
        back = generator[here] * generator[there] * X[here]
        total += np.mean((fake - 1) ** 2) / 2 + weight * np.mean(np.abs(back - X[here]))
        total += identity * np.mean(np.abs(generator[here] * X[here] - X[here]))
    return total


@pytest.mark.parametrize("identity", [0.0, 3.0])
@pytest.mark.parametrize("player", ["critic", "generator"])
def test_losses_and_gradients_by_hand(player, identity):
    # Kills: a generator that translates its own domain; a cycle that comes back by the same network; a fake of one
    # domain before the other's critic; a squared or summed distance; an identity that is weighted by the cycle's
    # weight; the sum over domains halved; a stopped gradient on the way back.
    game = cycle(PAIR, PAIR, weight=5.0, identity=identity)
    params = jax.tree.map(jnp.float32, PARAMS)
    (value, aux), grads = jax.value_and_grad(lambda p: play(game, player, p), has_aux=True)(params)
    options = {"weight": 5.0, "identity": identity}
    np.testing.assert_allclose(value, exact(player, **PARAMS, **options), rtol=1e-5)
    for role in PARAMS:
        for domain in X:
            moved = [{**PARAMS, role: {**PARAMS[role], domain: PARAMS[role][domain] + step}} for step in (1e-6, -1e-6)]
            slope = (exact(player, **moved[0], **options) - exact(player, **moved[1], **options)) / 2e-6
            np.testing.assert_allclose(grads[role][domain], slope, rtol=1e-4, atol=1e-6)
    if player == "generator":
        for domain, x in X.items():
            missed = np.mean(np.abs(0.7 * -1.3 * x - x))
            np.testing.assert_allclose(aux.info[f"cycle_{domain}"], missed, rtol=1e-5)


def test_other_losses_and_patches():
    # Kills: a loss that is not read; a critic's loss in the generator's place.
    game = cycle(PAIR, PAIR, loss=NON_SATURATING, weight=0.0)
    params = jax.tree.map(jnp.float32, PARAMS)
    fakes = [0.4 * 0.7 * X["night"], 2.0 * -1.3 * X["day"]]
    np.testing.assert_allclose(
        play(game, "generator", params)[0], sum(np.mean(np.logaddexp(0, -f)) for f in fakes), rtol=1e-5
    )


def test_maps_have_the_names_of_the_domains():
    # Kills: "a" and "b" written down; two maps that are both of the last domain; a map of another shape.
    batch = Batch({"small": jnp.ones((2, 3)), "large": jnp.ones((2, 5, 1))})
    generators = {"small": Generator((3,)), "large": Generator((5, 1))}
    game = cycle(generators, {"small": Critic((2,)), "large": Critic()})
    params, state = game.init(KEY, batch)
    model = game.model(params, state)
    assert set(model.maps) == {"small_to_large", "large_to_small"} and model.sample is None
    expected, _ = network(generators["large"]).apply(params["generator"]["large"], {}, None, batch.x["small"])
    np.testing.assert_array_equal(model.maps["small_to_large"](batch.x["small"]), expected)
    assert model.maps["large_to_small"](batch.x["large"]).shape == (2, 3)
    for player in ("critic", "generator"):
        assert np.isfinite(play(game, player, params, batch)[0])
    twins = params["generator"]["small"]["Dense_1"]["bias"].shape, params["generator"]["large"]["Dense_1"]["bias"].shape
    assert twins == ((3,), (5,))


def test_states_are_those_of_real_inputs():
    # Kills: a generator's state of the way back; a critic's of the fake; a state that the other player's turn returns;
    # a domain's state under the name of the other.
    counted = {domain: counter(SCALE) for domain in X}
    game = cycle(counted, counted)
    params, state = game.init(KEY, BATCH)
    for player, of in (("generator", {"day": "night", "night": "day"}), ("critic", {"day": "day", "night": "night"})):
        new = play(game, player, params)[1].state
        assert set(new) == {player} and set(new[player]) == set(X)
        for domain, source in of.items():
            assert new[player][domain]["calls"] == 1
            np.testing.assert_allclose(new[player][domain]["mean"], X[source].mean(), rtol=1e-4, atol=1e-6)
    late = {"generator": jax.tree.map(lambda a: a + 3, state["generator"]), "critic": state["critic"]}
    assert play(game, "generator", params, state=late)[1].state["generator"]["day"]["calls"] == 4


def test_noise_of_each_call_is_its_own():
    # Kills: one noise for real and fake, or for two domains; a network that is called without any.
    noisy = {domain: augmented(SCALE, instance_noise(1.0)) for domain in X}
    game = cycle(noisy, noisy, identity=1.0)
    noise = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(game.draw(KEY, BATCH))]
    assert len(noise) == 10
    for i, a in enumerate(noise):
        assert all(not np.any(a == b) for b in noise[:i])
    params, _ = game.init(KEY, BATCH)
    assert all(np.isfinite(play(game, player, params)[0]) for player in game.losses)


def test_couples():
    # Kills: a pair of which one network couples its examples, split into micro-batches.
    assert not cycle(PAIR, PAIR).couples
    assert cycle(PAIR, {**PAIR, "day": SCALE._replace(couples=True)}).couples
    assert cycle(PAIR, PAIR, loss=NON_SATURATING._replace(couples=True)).couples


def test_refuses():
    # Kills: a third domain; domains that do not meet; a condition that is dropped without a word; shapes that
    # broadcast.
    for generators, critics in (
        (PAIR, {"day": SCALE}),
        ({"day": SCALE}, {"day": SCALE}),
        (PAIR, {"a": SCALE, "b": SCALE}),
    ):
        with pytest.raises(BadRequest, match="same two domains"):
            cycle(generators, critics)
    with pytest.raises(BadRequest, match="weight"):
        cycle(PAIR, PAIR, weight=-1.0)
    with pytest.raises(BadRequest, match="identity"):
        cycle(PAIR, PAIR, identity=float("nan"))
    game = cycle(PAIR, PAIR)
    with pytest.raises(BadRequest, match="'day': ..., 'night': ...}, not"):
        game.init(KEY, Batch(BATCH.x["day"]))
    with pytest.raises(BadRequest, match=r"not \['a', 'b'\]"):
        game.init(KEY, Batch({"a": BATCH.x["day"], "b": BATCH.x["day"]}))
    with pytest.raises(BadRequest, match="no condition"):
        game.init(KEY, BATCH._replace(condition=jnp.arange(3)))
    params, state = game.init(KEY, BATCH)
    with pytest.raises(BadRequest, match="no condition"):
        game.model(params, state).maps["day_to_night"](BATCH.x["day"], jnp.arange(3))
    thin = Batch({"day": BATCH.x["day"][:, :1], "night": BATCH.x["night"]})
    for player in ("critic", "generator"):
        with pytest.raises(BadRequest, match=r"gives x of \(3, 4\), but the data are \(3, 1\)"):
            play(game, player, params, thin)
    for shape in ((), (1,)):
        mean = Network(SCALE.init, lambda p, state, noise, x, shape=shape: (jnp.mean(p * x).reshape(shape), state))
        with pytest.raises(BadRequest, match=r"logits of \(1?,?\) for 3 examples"):
            play(cycle(PAIR, {**PAIR, "day": mean}), "critic", params)
