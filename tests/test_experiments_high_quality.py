"""The experiment `high_quality`: its verdict on made-up figures, and its setting."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from test_experiments_mode_collapse import MODES, seed

from experiments import high_quality
from experiments.mode_collapse import runs
from jaxgen.core import Batch, Network
from jaxgen.recipes import Spec
from jaxgen.recipes.gans import r3gan
from jaxgen.training.loop import Diverged
from jaxgen.training.program import abstract_state, run_keys


def figures(good, lowest=96.0):
    return {"seeds_with_all_modes_and_quality": good, "seeds": 10, "lowest_percent": lowest}


@pytest.mark.parametrize(
    ("good", "word"), [((10, 10), "supported"), ((10, 9), "depends"), ((0, 1), "depends"), ((0, 0), "not supported")]
)
def test_verdict(good, word):
    # Kills: most seeds for all; one data set for both.
    found = high_quality.verdict({f"set {i}": figures(n) for i, n in enumerate(good)})
    assert found.word == word and f"set 1: {good[1]} of 10 seeds, lowest 96.0 %" in found.because


def test_seeds_become_figures():
    # Kills: quality without all modes, or modes without quality; the mean as the lowest.
    real = np.array([[0.0, 0.1], [0.0, -0.1]])
    row = high_quality.row([seed(3, 95.0), seed(3, 94.9), seed(2, 99.0), seed(3, 98.0)], MODES, real)
    assert (row["seeds_with_all_modes_and_quality"], row["fewest_modes"], row["lowest_percent"]) == (2, 2, 94.9)
    assert row["width_percent_of_real"] == [0.0, 0.0, 0.0]


def test_seeds_from_the_first_on(monkeypatch):
    # Kills: seeds from 0 on, which trials used; a first seed that does not reach the runs.
    seen, asked = [], []

    def diverge(program, state, keys, **options):
        seen.append(keys.seed)
        raise Diverged

    def recorded(*args, first, **options):
        asked.append(first)
        return [seed(0, 0.0, samples=0)]

    monkeypatch.setattr(runs, "compile_loop", lambda *args, **options: SimpleNamespace(init=lambda key: None))
    monkeypatch.setattr(runs, "run_keys", lambda i: SimpleNamespace(seed=i, init=None))
    monkeypatch.setattr(runs, "train", diverge)
    runs.play(r3gan(Spec((2,))), "ring8", 4, batch=8, seeds=3, samples=4, first=5)
    assert sorted(seen) == [5, 6, 7]
    monkeypatch.setattr(high_quality, "play", recorded)
    monkeypatch.setattr(high_quality, "shown", lambda *args: b"")
    high_quality.main(high_quality.Config({"ring8": 1}, first_seed=7))
    assert asked == [7]


def test_width():
    # Kills: the mean of all modes in place of the own; that of the data; samples between modes; a sum over coordinates.
    x = np.array([[0.1, 0.0], [0.35, 0.0], [1.0, 0.2], [1.0, -0.2], [1.5, 0.0], [5.0, 0.0]])
    assert high_quality.width(x, MODES) == pytest.approx(math.sqrt((0.04 + 0.04) / 6))
    assert high_quality.width(np.zeros((0, 2)), MODES) == 0


def shown():
    """A network that returns what it is given."""
    return Network(lambda key, *xs: (xs, ()), lambda params, state, noise, *xs: (xs, state))


def test_codes():
    # Kills: the first number left among the others; another one read; codes that are not equally likely; one too many.
    codes, z = 7, np.random.default_rng(0).standard_normal((7000, 3)).astype(np.float32)
    z[0, 0], z[1, 0] = 9.0, -9.0
    net = high_quality.coded(shown(), codes)
    for rest, label in (net.apply((), (), None, jnp.asarray(z))[0], net.init(jax.random.key(0), jnp.asarray(z))[0]):
        np.testing.assert_array_equal(rest, z[:, 1:])
        expected = np.minimum(codes * scipy.stats.norm.cdf(z[:, 0].astype(np.float64)), codes - 1e-9).astype(int)
        assert np.mean(np.asarray(label) != expected) < 0.001  # where the product is nearly whole it may be rounded
        assert list(np.asarray(label[:2])) == [codes - 1, 0]
        np.testing.assert_allclose(np.bincount(label), 1000, atol=5 * math.sqrt(1000 * 6 / 7))


def test_waves():
    # Kills: sines alone; multiples in place of octaves; x left out.
    x = np.array([[0.3, -2.0], [1.5, 0.7]], np.float32)
    expected = np.concatenate([x, *(np.sin(n * x) for n in (1, 2, 4)), *(np.cos(n * x) for n in (1, 2, 4))], 1)
    net = high_quality.in_waves(shown(), 3)
    for (seen,) in (net.apply((), (), None, jnp.asarray(x))[0], net.init(jax.random.key(0), jnp.asarray(x))[0]):
        np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-6)


def test_the_rate_falls_to_0():
    # Kills: a rate that stays, or that falls over the burn-in; b2 of the end at the start; b1 of another recipe.
    config = high_quality.Config(steps=8, burn_in=2, rate=0.5)
    plan = high_quality.plan(config, 2)
    one, seen = np.ones(1, np.float32), []
    for player in ("critic", "generator"):
        state = plan.optimizers[player].init(one)
        for n in range(9):
            _, state = plan.optimizers[player].update(one, state)
            if n in (0, 1, 4, 8):
                seen.append([float(state.hyperparams[name]) for name in ("learning_rate", "b1", "b2")])
    half = 0.25 * (1 + math.cos(math.pi / 8))
    np.testing.assert_allclose(
        seen, [[0.5, 0, 0.9], [half, 0, 0.945], [0.25, 0, 0.99], [0, 0, 0.99]] * 2, rtol=1e-5, atol=1e-7
    )


def test_the_networks_fit():
    # Kills: a generator without the code, or of too few numbers of noise; a critic without the waves, or of other ones.
    config = high_quality.Config(codes=6, octaves=3)
    plan = high_quality.plan(config, 2)
    state = abstract_state(plan, Batch(jax.ShapeDtypeStruct((4, 2), jnp.float32)))
    shapes = {player: {leaf.shape for leaf in jax.tree.leaves(state.params[player])} for player in state.params}
    assert (6, 32) in shapes["generator"] and (2 + 32, 64) in shapes["generator"]  # 32 numbers of a code
    assert (2 + 2 * 3 * 2, 64) in shapes["critic"]  # x, and sine and cosine of 3 multiples of 2 numbers
    batch = Batch(jax.ShapeDtypeStruct((2, 4, 2), jnp.float32))
    moved, _ = jax.eval_shape(plan.step().update, state, run_keys(0).noise, batch)
    assert jax.tree.map(lambda leaf: leaf.shape, moved.params) == jax.tree.map(lambda leaf: leaf.shape, state.params)
