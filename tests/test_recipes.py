"""The rows: each plays on points, on a table and on images, and refuses what is not its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest, Batch, player
from jaxgen.recipes import RECIPES, find
from jaxgen.training.step import make_step

SHAPES = {"points": (2,), "table": (30,), "image": (8, 8, 1), "colour": (32, 32, 3), "odd": (9, 13, 2)}
BY_NAME = pytest.mark.parametrize("name", RECIPES)


@BY_NAME
@pytest.mark.parametrize("kind", SHAPES)
def test_every_row_plays_on_every_kind(name, kind):
    # Kills: a row whose networks do not fit its data; a model that does not give back what it took.
    shape, batch = SHAPES[kind], 6
    plan = find(name).plan(shape, width=8, latent_dim=3)
    step = plan.step()
    x = jax.ShapeDtypeStruct((batch, *shape), jnp.float32)
    state = jax.eval_shape(step.init, jax.random.key(0), Batch(x))
    rounds = jax.ShapeDtypeStruct((len(plan.turns), batch, *shape), jnp.float32)
    after, info = jax.eval_shape(step.update, state, jax.random.key(0), Batch(rounds))
    assert jax.tree.map(lambda a: (a.shape, a.dtype), after) == jax.tree.map(lambda a: (a.shape, a.dtype), state)
    assert set(info) == {turn for turns in plan.turns for turn in turns}

    def samples(params, carry):
        model = plan.game.model(params, carry)
        made = model.sample(model.draw(jax.random.key(0), 5))
        codes = None if model.encode is None else model.encode(made)
        return made, codes, None if codes is None else model.decode(codes)

    made, codes, again = jax.eval_shape(samples, state.params, state.memo.carry)
    assert made.shape == (5, *shape)
    assert codes is None or (codes.shape == (5, 3) and again.shape == made.shape)


@BY_NAME
def test_every_row_learns_a_little(name):
    # Kills: a turn that climbs. Each player's own loss falls on a batch and noise held fixed, its rival at rest.
    row = find(name)
    plan = row.plan((2,), width=8, latent_dim=2)
    game = plan.game
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("f")
    batch = Batch(jnp.asarray(x))
    params, carry = game.init(jax.random.key(0), batch)
    noise = game.draw(jax.random.key(1), batch)
    memo = make_step(*plan[:3]).init(jax.random.key(0), batch).memo
    for turn, loss in game.losses.items():
        mine = player(turn)

        def of(own, loss=loss, mine=mine):
            return loss({**params, mine: own}, noise, batch, memo)[0]

        before, grad = jax.value_and_grad(of)(params[mine])
        tx = plan.optimizers.get(turn, plan.optimizers[mine])
        updates, _ = tx.update(grad, tx.init(params[mine]), params[mine])
        after = of(jax.tree.map(jnp.add, params[mine], updates))
        assert after < before, turn


def test_balance_is_what_the_papers_say():
    # Kills: five generator turns for five critic turns; a hybrid that forgets a player.
    turns = {name: [t for turns in row.turns for t in turns] for name, row in RECIPES.items()}
    assert turns["wgan_gp"] == turns["hinge_sn"] == ["critic"] * 5 + ["generator"]
    assert turns["r3gan"] == turns["gan"] == turns["gan_minimax"] == ["critic", "generator"]
    assert turns["aae"] == ["autoencoder", "critic", "autoencoder:fool"]


def test_generator_is_one_network_for_both_sides():
    # Kills: a comparison with unequal generators.
    shapes = []
    for name, part in (("vae", ("vae", "decoder")), ("r3gan", ("generator",))):
        plan = find(name).plan((8, 8, 1))
        params, _ = jax.eval_shape(plan.game.init, jax.random.key(0), Batch(jnp.zeros((2, 8, 8, 1))))
        for key in part:
            params = params[key]
        shapes.append(jax.tree.map(lambda a: a.shape, params))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: find("r3gna"), "r3gan"),
        (lambda: find("vae").plan((2,), gamma=1.0), "no weights of its own"),
        (lambda: find("r3gan").plan((2,), gamma=-1.0), "gamma=-1.0"),
        (lambda: find("r3gan").plan((2,), gamma=float("nan")), "gamma=nan"),
        (lambda: find("iwae").plan((2,), samples=1.5), "whole number"),
        (lambda: find("vae").plan((2,), latent_dim=0), "latent_dim=0"),
        (lambda: find("vae").plan((2,), learning_rate=0.0), "learning_rate=0.0"),
        (lambda: find("vae").plan((4, 4, 1)), "8 to 64"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call, word):
    # Kills: a check that is missing.
    with pytest.raises(BadRequest, match=word):
        call()


@pytest.mark.parametrize(("name", "weight"), [(row.name, weight) for row in RECIPES.values() for weight in row.weights])
def test_a_weight_reaches_the_mathematics(name, weight):
    # Kills: a weight that is accepted and dropped.
    batch = Batch(jnp.asarray(np.random.default_rng(0).normal(size=(4, 2)), jnp.float32))
    losses = []
    for value in (1, 7):
        plan = find(name).plan((2,), width=8, latent_dim=2, **{weight: value})
        state = make_step(*plan[:3]).init(jax.random.key(0), batch)
        noise = plan.game.draw(jax.random.key(1), batch)
        losses.append([loss(state.params, noise, batch, state.memo)[0] for loss in plan.game.losses.values()])
    assert losses[0] != losses[1]
