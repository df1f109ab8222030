"""LOGAN: the step of z, both losses and both slopes against NumPy, the law of z, and what is refused."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from players import quotients
from scipy import stats

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.data import load
from jaxgen.games import gan, latent_optimised, unrolled
from jaxgen.metrics.modes import count_modes
from jaxgen.nets import networks
from jaxgen.objectives import NON_SATURATING, WASSERSTEIN, r1
from jaxgen.runs.run import fit
from jaxgen.training.program import Plan

KEY, B, D, N = jax.random.key(0), 6, 4, 3
RNG = np.random.default_rng(0)
BATCH = Batch(jnp.asarray(RNG.normal(size=(B, N)), jnp.float32))
MAP, LINE = RNG.normal(size=(D, N)), RNG.normal(size=N)


def game_of(bend, **options):
    """G(z) = z A and D(x) = x w - bend |x|^2 / 2: linear or quadratic."""
    generator = Network(lambda key, z: (jnp.asarray(MAP, jnp.float32), ()), lambda a, state, noise, z: (z @ a, state))
    critic = Network(
        lambda key, x: (jnp.asarray(LINE, jnp.float32), ()),
        lambda w, state, noise, x: (x @ w - bend / 2 * jnp.sum(x**2, -1), state),
    )
    return gan(generator, critic, latent_dim=D, **options)


def by_hand(a, w, z, x, bend, rate, damping, weight, share):
    """(critic's loss, generator's loss, squared step) of WASSERSTEIN in float64; the Fisher matrix is solved."""
    moved, steps = np.array(z), []
    for i, own in enumerate(z):
        slope = (w - bend * (own @ a)) @ a.T
        slope[math.ceil(share * D) :] = 0
        solved = slope if damping is None else np.linalg.solve(np.outer(slope, slope) + damping * np.eye(D), slope)
        steps.append(np.sum((rate * solved) ** 2))
        moved[i] = np.clip(own + rate * solved, -1, 1)

    def judge(x):
        return x @ w - bend / 2 * np.sum(x**2, -1)

    fake = np.mean(judge(moved @ a))
    return fake - np.mean(judge(x)), -fake + weight * np.mean(steps), np.mean(steps)


@pytest.mark.parametrize("bend", [0.0, 0.7], ids=["linear", "quadratic"])
@pytest.mark.parametrize(("damping", "share"), [(0.3, 1.0), (0.3, 0.3), (None, 1.0)])
def test_losses_and_slopes_by_hand(bend, damping, share):
    # Kills: a step down the logit; a damping that is not added, or times |g|; no clip, or one of dz; a share that moves
    # the last numbers, or all, or is rounded down; a regulariser of the clipped step, of the critic's, or without its
    # weight; a step that is a constant in the slope of either player; z' for one player only.
    options = {"rate": 0.4, "damping": damping, "weight": 2.0, "share": share}
    game = latent_optimised(game_of(bend, loss=WASSERSTEIN), **options)
    params, state = game.init(KEY, BATCH)
    noise = game.draw(jax.random.key(1), BATCH)
    z, x = np.asarray(noise["z"], "d"), np.asarray(BATCH.x, "d")
    critic, generator, squared = by_hand(MAP, LINE, z, x, bend, **options)
    (got, aux), slope = jax.value_and_grad(
        lambda w: game.losses["critic"]({**params, "critic": w}, noise, BATCH, Context(0, state)), has_aux=True
    )(params["critic"])
    np.testing.assert_allclose(got, critic, rtol=1e-5)
    assert set(aux.info) == {"real_logit", "fake_logit"}
    wanted = quotients(lambda w: by_hand(MAP, w, z, x, bend, **options)[0], LINE)
    np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-5)
    (got, aux), slope = jax.value_and_grad(
        lambda a: game.losses["generator"]({**params, "generator": a}, noise, BATCH, Context(0, state)), has_aux=True
    )(params["generator"])
    np.testing.assert_allclose([got, aux.info["squared_step"]], [generator, squared], rtol=1e-5)
    wanted = quotients(lambda a: by_hand(a, LINE, z, x, bend, **options)[1], MAP)
    np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-4)


def test_z_is_uniform_in_training_and_in_samples():
    # Kills: normal z, half of which a clip would move; a model that draws of another law than training.
    game = latent_optimised(game_of(0.0))
    z = np.asarray(game.draw(KEY, Batch(jnp.zeros((2000, N))))["z"]).ravel()
    model = game.model(*game.init(KEY, BATCH))
    drawn = np.asarray(model.draw(KEY, 2000)).ravel()
    for numbers in (z, drawn):
        assert stats.kstest(numbers, stats.uniform(-1, 2).cdf).statistic < 5 * 0.26 / np.sqrt(numbers.size)  # its std
    np.testing.assert_allclose(model.sample(model.draw(KEY, 5)), np.asarray(model.draw(KEY, 5)) @ MAP, rtol=1e-5)


def test_terms_add_up_and_a_penalty_sees_the_moved_fakes():
    # Kills: a regulariser in both terms, or in none; a penalty of the fakes of z.
    game = latent_optimised(
        game_of(0.7, loss=NON_SATURATING, penalty=r1(1.0), generator_penalty=r1(2.0)), damping=0.3, weight=2.0
    )
    params, state = game.init(KEY, BATCH)
    noise = game.draw(KEY, BATCH)
    value = {name: loss(params, noise, BATCH, Context(0, state)) for name, loss in game.losses.items()}
    for player in ("critic", "generator"):
        parts = value[f"{player}:adversarial"][0] + value[f"{player}:penalty"][0]
        np.testing.assert_allclose(value[player][0], parts, rtol=1e-6)
    assert set(value["generator"][1].info) == {"penalty", "squared_step"}


def ring8_plan():
    nets = networks((2,), width=64)
    adam = optax.adam(2e-3, b1=0.5, b2=0.99)
    game = latent_optimised(gan(nets.generator, nets.critic, latent_dim=2))
    return Plan(game, {"critic": adam, "generator": adam}, game.turns, batch_size=64)


@pytest.mark.slow
def test_steps_of_training():
    # Kills: a form that no step takes; a state or an info that changes its form; z that does not move at all.
    plan, x = ring8_plan(), jnp.asarray(load("ring8").train.x)
    step = plan.step()
    state = step.init(KEY, Batch(x[:8]))
    before = jax.tree.map(np.asarray, state.params)
    for n in range(3):
        state, info = step.update(state, jax.random.key(1), Batch(x[16 * n : 16 * (n + 1)].reshape(2, 8, 2)))
    assert int(state.skipped) == 0 and float(info["generator"]["squared_step"]) > 0
    assert all(np.any(a != b) for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(state.params), strict=True))


@pytest.mark.slow
def test_it_trains_on_ring8():
    # Kills: a step down the logit; a regulariser that leaves no room to learn. In four seeds it kept 5 to 7 of 8 modes.
    data = load("ring8")
    run = fit(ring8_plan(), data, steps=3000)
    samples = run.model.sample(run.model.draw(KEY, 2500))
    assert count_modes(np.asarray(samples), data.modes).captured >= 4


def test_refuses():
    # Kills: each check: a game that has no such z, one that foresees, a step that goes nowhere.
    game = game_of(0.0)
    empty = gan(game_of(0.0).losses["critic"].args[0].generator, Network(lambda *a: ((), ()), None), latent_dim=0)
    calls = {
        "nothing has changed": lambda: latent_optimised(latent_optimised(game)),
        "a game of gan\\(\\)": lambda: latent_optimised(unrolled(game, steps=1, rate=0.1)),
        "at least 1": lambda: latent_optimised(empty),
        "of the type Game": lambda: latent_optimised(None),
        "rate=0": lambda: latent_optimised(game, rate=0),
        "damping=-1": lambda: latent_optimised(game, damping=-1),
        "share=1.5: it must be a number above 0 and at most 1": lambda: latent_optimised(game, share=1.5),
        "weight must": lambda: latent_optimised(game, weight=-1.0),
        "rate='fast'": lambda: latent_optimised(game, rate="fast"),
        "share=True": lambda: latent_optimised(game, share=True),
    }
    for says, call in calls.items():
        with pytest.raises(BadRequest, match=says):
            call()
