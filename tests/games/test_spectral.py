"""Spectral normalisation: what the losses see of the kernels, its gradient by hand, whose turn moves the vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import BadRequest, Batch, Game, Memo, Note
from jaxgen.games import dirac, spectral_norm
from jaxgen.nets import networks
from jaxgen.training.step import make_step

KEY, B = jax.random.key(0), 4
POINTS, IMAGES = (5,), (33, 33, 1)  # a dense critic, a convolutional one


def spy(shape):
    """A game whose losses and model tell the params that they were handed; the loss weighs them with `noise`."""
    nets = networks(shape, latent_dim=2, width=16)

    def init(key, batch):
        return {"critic": nets.critic.init(key, batch.x), "generator": {"kernel": jnp.full((2, 2), 3.0)}}, {"own": 0.0}

    def loss(params, noise, batch, memo):
        value = sum(jnp.vdot(c, w) for c, w in zip(*map(jax.tree.leaves, (noise, params["critic"])), strict=True))
        return value, Note(params, {"own": memo.carry["own"] + 1})

    return Game(
        init,
        lambda key, batch: nets.critic.init(key, batch.x),
        {"critic:b": loss, "generator": loss},
        lambda params, carry: params,
    )


def start(shape):
    game, batch = spectral_norm(spy(shape)), Batch(jnp.ones((B, *shape)))
    (params, carry), noise = jax.jit(lambda: (game.init(KEY, batch), game.draw(jax.random.key(1), batch)))()
    return game, params, noise, batch, carry


def kernels(params):
    """Each as the paper's matrix: jaxgen's convolutions keep [O, 4, 4, C], its dense layers [in, out]."""
    found = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    return [np.asarray(leaf, np.float64).reshape(leaf.shape[0], -1) for leaf in found]


def test_every_kernel_is_divided_by_its_largest_singular_value():
    # Kills: the Frobenius norm; a convolution as another matrix; a layer left out, the last one or the biases divided;
    # an iteration that starts anew each turn; the other player normalised too; a model that sees the bare kernels.
    game, params, noise, batch, carry = start(IMAGES)
    turn = jax.jit(lambda carry: game.losses["critic:b"](params, noise, batch, Memo(0, carry))[1])
    for _ in range(300):
        note = turn(carry)
        carry = {**carry, **note.carry}
    assert float(carry["own"]) == 300
    exact = [w / np.linalg.norm(w, 2) for w in kernels(params["critic"])]
    for seen in (note.info, game.losses["generator"](params, noise, batch, Memo(0, carry))[1].info):
        assert len(exact) == len(kernels(seen["critic"])) > 3
        for w, e in zip(kernels(seen["critic"]), exact, strict=True):
            assert abs(np.linalg.norm(w, 2) - 1) < 1e-3
            np.testing.assert_allclose(w, e, atol=1e-3)
        np.testing.assert_array_equal(seen["generator"]["kernel"], params["generator"]["kernel"])
    biased = jax.tree.map(lambda a: a + 1.0, params)
    for a, b in zip(*map(jax.tree.leaves, (game.model(biased, carry), biased)), strict=True):
        assert a.ndim > 1 or np.array_equal(a, b)
    for a, b in zip(kernels(game.model(params, carry)["critic"]), exact, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def test_gradient_by_hand():
    # Kills: a sigma that is stopped; a gradient through u and v; vectors of the turn before; a whole gradient that is
    # that of W / |W|. Away from convergence, where each of these differs: this is the first turn.
    game, params, noise, batch, carry = start(POINTS)

    def loss(own):
        return game.losses["critic:b"]({**params, "critic": own}, noise, batch, Memo(0, carry))

    (value, note), grad = jax.jit(jax.value_and_grad(loss, has_aux=True))(params["critic"])
    before, after = (jax.tree.leaves(c["spectral_norm_critic"]) for c in (carry, note.carry))
    total = 0.0
    for i, (w, c, g) in enumerate(zip(*map(kernels, (params["critic"], noise, grad)), strict=True)):
        v = np.asarray(before[2 * i], np.float64) @ w
        v /= np.linalg.norm(v)
        u = w @ v / np.linalg.norm(w @ v)
        np.testing.assert_allclose(after[2 * i], u, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(after[2 * i + 1], v, rtol=1e-4, atol=1e-5)
        sigma = u @ w @ v
        assert sigma < 0.999 * np.linalg.norm(w, 2) or min(w.shape) == 1
        np.testing.assert_allclose(g, (c - np.sum(c * w) / sigma * np.outer(u, v)) / sigma, rtol=1e-3, atol=1e-4)
        total += np.sum(c * w) / sigma
    np.testing.assert_allclose(value, total, rtol=1e-4)  # biases start at zero


def test_only_the_players_turn_moves_the_vectors():
    # Kills: vectors that the generator's turn replaces; vectors that stand still; a step that does not carry them; a
    # form that cannot be mapped over seeds.
    game, params, noise, batch, carry = start(POINTS)
    entry = "spectral_norm_critic"
    assert entry not in game.losses["generator"](params, noise, batch, Memo(0, carry))[1].carry

    def quiet(loss):  # they note kernels, which a step does not take
        def told(*args):
            value, note = loss(*args)
            return value, note._replace(info={})

        return told

    game = game._replace(losses={name: quiet(loss) for name, loss in game.losses.items()})
    step = make_step(game, dict.fromkeys(("critic", "generator"), optax.sgd(0.1)), (("critic:b",), ("generator",)))
    seeds, two = jax.random.split(KEY), Batch(jnp.ones((2, *batch.x.shape)))
    together = jax.eval_shape(jax.vmap(step.init, (0, None)), seeds, batch)
    played, _ = jax.eval_shape(jax.vmap(step.update, (0, 0, None)), together, seeds, two)
    assert jax.tree.map(lambda a: a.shape, played) == jax.tree.map(lambda a: a.shape, together)
    state = step.init(KEY, batch)
    before = jax.tree.leaves(jax.device_get(state.memo.carry[entry]))
    state, _ = step.update(state, KEY, two)
    moved = [np.any(a != b) for a, b in zip(before, jax.tree.leaves(state.memo.carry[entry]), strict=True)]
    assert sum(moved) >= len(before) - 2  # with one output the first step is the last


def test_a_kernel_of_zeros_waits():
    # Kills: 0 / 0; vectors that a kernel of zeros turns to zeros for good.
    game, params, noise, batch, carry = start(POINTS)
    dead = {**params, "critic": jax.tree.map(jnp.zeros_like, params["critic"])}
    turn = jax.jit(jax.value_and_grad(game.losses["critic:b"], has_aux=True))
    for own in (dead, params):
        (value, note), grad = turn(own, noise, batch, Memo(0, carry))
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((value, grad, note.carry)))
        carry = {**carry, **note.carry}
    assert all(0.5 < np.linalg.norm(w, 2) < 2 for w in kernels(note.info["critic"]))


def test_outputs_on_the_last_axis():
    # Kills: an argument that is not read. Linen keeps [h, w, in, out].
    w = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 2, 4)), "f")
    bare = Game(lambda key, batch: ({"critic": w}, {}), None, {}, lambda params, carry: params)
    game = spectral_norm(bare, out=-1)
    params, carry = game.init(KEY, None)
    u, v = carry["spectral_norm_critic"]
    wide = np.asarray(w, np.float64).reshape(-1, 4)
    assert u.shape == (4,) and v.shape == (18,)
    rest = np.moveaxis(np.asarray(w, np.float64), -1, 0).reshape(4, -1)
    np.testing.assert_allclose(game.model(params, carry)["critic"], w / (u @ rest @ v), rtol=1e-5)
    assert 0.3 * np.linalg.norm(wide, 2) < u @ rest @ v <= np.linalg.norm(wide, 2)


def test_refuses():
    # Kills: a player who is silently left as he was.
    batch = Batch(jnp.zeros((B, 1)))
    with pytest.raises(BadRequest, match="has none"):
        spectral_norm(dirac()).init(KEY, batch)
    with pytest.raises(BadRequest, match="no player 'judge'.*critic, generator"):
        spectral_norm(dirac(), of="judge").init(KEY, batch)
