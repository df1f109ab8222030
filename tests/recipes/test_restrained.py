"""What restrains the critic of `wgan`, `dragan`, `ragan`, `projection` and `began`, by numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Batch, Context
from jaxgen.recipes import Spec, find


def test_wgan_clips_its_critic_alone():
    # Kills: a limit that is not read; a generator that is clipped; Adam for RMSProp; a mean of squares that keeps .9.
    plan = find("wgan")(Spec((2,), width=8), limit=0.02, learning_rate=0.001)
    params, slope = jnp.array([1.0, -0.01, 0.0]), jnp.array([3.0, -4.0, -5.0])
    moved = {}
    for player, tx in plan.optimizers.items():
        updates, _ = tx.update(slope, tx.init(params), params)
        moved[player] = np.asarray(optax.apply_updates(params, updates), np.float64)
    free = np.array([1.0, -0.01, 0.0]) - 0.001 * np.sign(slope) / np.sqrt(0.01)  # the first mean of squares: .01 g^2
    np.testing.assert_allclose(moved["generator"], free, atol=1e-6)
    np.testing.assert_allclose(moved["critic"], np.clip(free, -0.02, 0.02), atol=1e-6)


@pytest.mark.parametrize(("shape", "deviation"), [((8, 8, 1), 0.3), ((3,), 1.0)], ids=["pixels", "columns"])
def test_noise_of_dragan_is_in_standard_deviations_of_the_data(shape, deviation):
    # Kills: pixels that get the noise of columns; a std or a weight that is dropped.
    x = np.random.default_rng(0).random((4, *shape), np.float32)
    spec, batch = Spec(shape, width=8), Batch(jnp.asarray(x))
    game = find("dragan")(spec, weight=2.0, std=0.25).game

    @jax.jit
    def play():
        params, state = game.init(jax.random.key(0), batch)
        noise = game.draw(jax.random.key(1), batch)
        near = batch.x + 0.25 * deviation * noise["critic:penalty"]
        slopes = jax.grad(lambda x: jnp.sum(spec.critic().apply(params["critic"], {}, None, x)[0]))(near)
        return game.losses["critic:penalty"](params, noise, batch, Context(0, state))[0], slopes

    value, slopes = play()
    lengths = np.linalg.norm(np.asarray(slopes, np.float64).reshape(4, -1), axis=1)
    np.testing.assert_allclose(value, np.mean(2 * (lengths - 1) ** 2), rtol=1e-4)


def test_projection_divides_its_table_of_labels_too():
    # Kills: spectral norm that leaves the embedding out, or goes around the critic alone.
    plan = find("projection")(Spec((2,), 3, width=8))
    batch = Batch(jnp.zeros((4, 2)), jnp.zeros(4, jnp.int32))
    _, state = jax.eval_shape(plan.game.init, jax.random.key(0), batch)
    assert "embedding" in state["critic"]["u"] and len(state["critic"]["u"]) == 5


@pytest.mark.parametrize(("ratio", "rate"), [(0.7, 0.01), (0.4, 0.03)])
def test_balance_of_began(ratio, rate):
    # Kills: a ratio or a rate that is dropped, or exchanged; a default of another paper's.
    given = {} if ratio == 0.7 else {"ratio": ratio, "rate": rate}
    game = find("began")(Spec((5,), width=8), latent_dim=2, **given).game
    batch = Batch(jnp.asarray(np.random.default_rng(0).normal(size=(4, 5)), jnp.float32))

    @jax.jit
    def play():
        params, state = game.init(jax.random.key(0), batch)
        state |= {"balance": jnp.float32(0.5)}
        return game.losses["critic"](params, game.draw(jax.random.key(1), batch), batch, Context(0, state))[1]

    info, state = play()
    wanted = 0.5 + rate * (ratio * float(info["real_error"]) - float(info["fake_error"]))
    np.testing.assert_allclose(state["balance"], wanted, rtol=1e-6)


def test_ragan_reads_means_of_the_batch_behind_spectral_norm():
    # Kills: the paired loss; a critic that is not divided.
    plan = find("ragan")(Spec((2,), width=8))
    _, state = jax.eval_shape(plan.game.init, jax.random.key(0), Batch(jnp.zeros((4, 2))))
    assert plan.game.couples and len(state["critic"]["u"]) == 4 and plan.batch_size == 32
