"""Augmentations: by hand, the law of their noise, and how much of them is done."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import Critic
from scipy import stats

from jaxgen.core import BadRequest, Network
from jaxgen.nets.adapters import network
from jaxgen.nets.augmentation import ada, augmented, diffaugment, instance_noise

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(4, 3)), jnp.float32)
LOGITS = Network(lambda key, x: ((), ()), lambda params, state, noise, x: (x[:, 0], state))  # the first number of each


# --- instance noise


def test_instance_noise_by_hand():
    # Kills: a variance for the std; noise that the example scales; a path to the generator that is stopped; a p that is
    # left out; one noise for both leaves of a tree.
    pipe = instance_noise(0.7)
    noise = pipe.draw(KEY, X)
    for p in (1.0, 0.25):
        expected = np.asarray(X, np.float64) + p * 0.7 * np.asarray(noise, np.float64)
        np.testing.assert_allclose(pipe.apply(X, noise, p), expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(jax.grad(lambda x, p=p: pipe.apply(x, noise, p).sum())(X), np.ones_like(X))
    tree = pipe.draw(KEY, {"a": X, "b": X})
    assert not np.any(np.asarray(tree["a"]) == np.asarray(tree["b"]))


def test_noise_is_standard_normal():
    # Kills: uniform noise; one number per example.
    noise = np.asarray(instance_noise(0.1).draw(KEY, jnp.zeros((10_000, 2))), np.float64)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(noise.T)[0, 1]) < 5 / np.sqrt(len(noise))


@pytest.mark.parametrize("std", [-0.1, float("nan"), float("inf"), lambda step: 0.1])
def test_instance_noise_refuses(std):
    # Kills: a negative std that is taken for its size; one that ends a run; a schedule that fails when it is traced.
    with pytest.raises(BadRequest, match="std must be"):
        instance_noise(std)


# --- augmented


def test_augmented_sees_the_pipe_in_training_only():
    # Kills: an evaluation with noise; an example and its noise swapped; the state inside lost; noise that
    # is drawn for the network alone.
    net = augmented(LOGITS, instance_noise(0.5), p=0.5)
    params, state = net.init(KEY, X)
    noise = net.draw(KEY, X)
    assert set(noise) == {"pipe", "net"} and set(state) == {"net", "p"}
    y, new = net.apply(params, state, noise, X)
    np.testing.assert_allclose(y, (X + 0.25 * noise["pipe"])[:, 0], rtol=1e-6)
    assert new["p"] == 0.5
    y, kept = net.apply(params, state, None, X)
    np.testing.assert_array_equal(y, X[:, 0])
    assert kept is state


def test_a_change_that_fades():
    # Kills: a p that stands still, or that features and evaluations move; a gradient into the state.
    net = augmented(Critic(), instance_noise(1.0), adapt=lambda p, logits: jnp.maximum(p - 0.4 + 0 * logits.sum(), 0.0))
    params, state = net.init(KEY, X)
    noise = net.draw(KEY, X)
    for expected in (0.6, 0.2, 0.0, 0.0):
        state = net.apply(params, state, noise, X)[1]
        np.testing.assert_allclose(state["p"], expected, atol=1e-6)
    np.testing.assert_allclose(
        net.apply(params, state, noise, X)[0], network(Critic()).apply(params, {}, None, X)[0], rtol=1e-6
    )
    full = {**state, "p": jnp.ones(())}
    assert net.features(params, full, noise, X)[1]["p"] == 1
    grad = jax.grad(lambda params: net.apply(params, state, noise, X)[1]["p"])(params)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(grad))


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_augmented_refuses(p):
    # Kills: a probability that is none.
    with pytest.raises(BadRequest, match="from 0 to 1"):
        augmented(Critic(), instance_noise(1.0), p=p)


# --- ada


def test_p_by_hand():
    # Kills: a p that follows the mean logit; one that goes the other way; a move in each turn, or of one turn's
    # examples; signs that are not forgotten after a move; a p outside [0, 1]. Four turns between moves, of 4 examples.
    net = ada(LOGITS, instance_noise(0.0), target=0.6, images=40)
    params, state = net.init(KEY, X)
    noise = net.draw(KEY, X)

    def turn(*logits):
        nonlocal state
        state = net.apply(params, state, noise, jnp.array(logits)[:, None])[1]
        return float(state["p"])

    sure, half, wrong = (0.1, 1.0, 2.0, 0.2), (5.0, 5.0, -0.1, -0.1), (-9.0, -9.0, -9.0, 0.1)  # r: 1, 0, -.5
    assert [turn(*sure), turn(*sure), turn(*sure)] == [0, 0, 0]
    np.testing.assert_allclose(turn(*half), 0.4, rtol=1e-6)  # r = .75 > .6: 16 examples of 40
    assert [state["signs"], state["turns"]] == [0, 0]
    np.testing.assert_allclose([turn(*sure), turn(*sure), turn(*half)], 0.4, rtol=1e-6)
    np.testing.assert_allclose(turn(*half), 0.0, atol=1e-6)  # r = .5
    for expected in (0.4, 0.8, 1.0, 1.0):
        p = [turn(*sure) for _ in range(4)][-1]
        np.testing.assert_allclose(p, expected, rtol=1e-6)
    np.testing.assert_allclose([turn(*wrong) for _ in range(4)][-1], 0.6, rtol=1e-6)
    assert net.apply(params, state, None, X)[1] is state


def test_p_counts_examples_and_not_packs():
    # Kills: a p that moves at the speed of the logits where these are packs or patches.
    for shape in ((2,), (4, 3)):
        inner = Network(lambda key, x: ((), ()), lambda p, s, noise, x, shape=shape: (jnp.ones(shape), s))
        net = ada(inner, instance_noise(0.0), images=8, interval=1)
        params, state = net.init(KEY, X)
        np.testing.assert_allclose(net.apply(params, state, net.draw(KEY, X), X)[1]["p"], 0.5)


@pytest.mark.parametrize("options", [{"target": 1.0}, {"target": -2}, {"images": 0}, {"interval": 0}])
def test_ada_refuses(options):
    # Kills: a p that can only go one way.
    with pytest.raises(BadRequest, match="ada"):
        ada(Critic(), diffaugment(), **options)


# --- diffaugment

SIZES = {"brightness": 0.0, "saturation": 0.0, "contrast": 0.0, "translation": 0.0, "cutout": 0.0}
IMAGES = RNG.uniform(size=(6, 5, 8, 3))


def changed(p=1.0, fill=0.5, noise=None, **sizes):
    """(images after the pipe in float64, its noise) with one operation alone."""
    pipe = diffaugment(**{**SIZES, **sizes}, fill=fill)
    noise = pipe.draw(jax.random.key(3), IMAGES) if noise is None else noise
    out = pipe.apply(jnp.asarray(IMAGES, jnp.float32), noise, p)
    return np.asarray(out, np.float64), jax.tree.map(lambda a: np.asarray(a, np.float64), noise)


def test_colour_by_hand():
    # Kills: one number for the batch; channels averaged with positions, or the other way; a factor that is added.
    out, noise = changed(brightness=0.25)
    change = 0.25 * (2 * noise["amount"]["brightness"] - 1)
    np.testing.assert_allclose(out, IMAGES + change[:, None, None, None], rtol=1e-5, atol=1e-6)
    out, noise = changed(saturation=1.0)
    mean = IMAGES.mean(-1, keepdims=True)
    factor = 2 * noise["amount"]["saturation"][:, None, None, None]
    np.testing.assert_allclose(out, mean + (IMAGES - mean) * factor, rtol=1e-5, atol=1e-6)
    out, noise = changed(contrast=0.5)
    mean = IMAGES.mean((1, 2, 3), keepdims=True)
    factor = 0.5 + noise["amount"]["contrast"][:, None, None, None]
    np.testing.assert_allclose(out, mean + (IMAGES - mean) * factor, rtol=1e-5, atol=1e-6)


def test_translation_by_hand():
    # Kills: an image that comes round at the other side; rows and columns swapped; a shift out of reach.
    out, noise = changed(translation=0.25, fill=0.9)  # up to 1 row and 2 columns
    seen = set()
    for b in range(6):
        down = 1 - int(np.floor(3 * noise["amount"]["down"][b]))
        right = 2 - int(np.floor(5 * noise["amount"]["right"][b]))
        expected = np.full((5, 8, 3), 0.9)
        for row in range(5):
            for column in range(8):
                if 0 <= row - down < 5 and 0 <= column - right < 8:
                    expected[row, column] = IMAGES[b, row - down, column - right]
        np.testing.assert_allclose(out[b], expected, rtol=1e-6)
        seen.add((down, right))
    assert len(seen) > 3


def test_cutout_by_hand():
    # Kills: a hole of another size; one that never leaves the image; one that keeps to a corner; a black one.
    out, noise = changed(cutout=0.5, fill=0.2)  # 3 rows of 5, 4 columns of 8
    for b in range(6):
        top = int(np.floor(5 * noise["amount"]["hole_row"][b])) - 1
        left = int(np.floor(9 * noise["amount"]["hole_column"][b])) - 2
        expected = IMAGES[b].copy()
        expected[max(top, 0) : top + 3, max(left, 0) : left + 4] = 0.2
        np.testing.assert_allclose(out[b], expected, rtol=1e-6)


def test_each_operation_is_done_with_probability_p():
    # Kills: all or none for an image; a p that is read as its complement; operations that share a coin; a last value of
    # u that is out of reach.
    pipe = diffaugment()
    noise = pipe.draw(KEY, jnp.zeros((5000, 4, 4, 1)))
    for name, u in noise["on"].items():
        assert abs(np.mean(np.asarray(u) < 0.3) - 0.3) < 5 * np.sqrt(0.21 / 5000), name
    coins = np.corrcoef(np.stack([np.asarray(u) < 0.5 for u in noise["on"].values()]))
    assert np.abs(coins - np.eye(5)).max() < 5 / np.sqrt(5000)
    for name, u in noise["amount"].items():
        assert stats.kstest(np.asarray(u), "uniform").pvalue > 1e-6, name  # five standard errors, seven times
    x = jnp.asarray(IMAGES, jnp.float32)
    np.testing.assert_allclose(pipe.apply(x, pipe.draw(KEY, x), 0.0), x, rtol=1e-5, atol=1e-6)
    for end in (0.0, 1 - 2**-23):
        extreme = jax.tree.map(lambda u, end=end: jnp.full_like(u, end), pipe.draw(KEY, x)["amount"])
        on = jax.tree.map(jnp.zeros_like, pipe.draw(KEY, x)["on"])
        out, _ = changed(noise={"on": on, "amount": extreme}, translation=0.25, fill=0.0)
        rows = slice(0, 4) if end else slice(1, 5)  # by a row down at the least u, a row up at the largest
        assert np.all(out[:, rows].sum((1, 2, 3)) > 0) and np.all(np.isfinite(out))


def test_the_gradient_passes_the_pipe():
    # Kills: a generator that does not learn through the augmentation; a second derivative that is lost, as R1 needs it.
    pipe, x = diffaugment(), jnp.asarray(IMAGES[:2], jnp.float32)
    noise = pipe.draw(KEY, x)

    def total(x):
        return jnp.sum(pipe.apply(x, noise, 1.0) ** 3)

    grad = jax.grad(total)(x)
    direction = jnp.asarray(RNG.normal(size=x.shape), jnp.float32)
    slope, curve = jnp.vdot(grad, direction), jax.jvp(jax.grad(total), (x,), (direction,))[1]
    step = 1e-2
    above, below = total(x + step * direction), total(x - step * direction)
    np.testing.assert_allclose(slope, (above - below) / (2 * step), rtol=5e-3)
    np.testing.assert_allclose(jnp.vdot(curve, direction), (above + below - 2 * total(x)) / step**2, rtol=5e-2)


@pytest.mark.parametrize("sizes", [{"brightness": -1}, {"contrast": float("nan")}, {"translation": 1.5}, {"cutout": 2}])
def test_diffaugment_refuses(sizes):
    # Kills: a hole that is larger than the image; vectors that are taken for images.
    with pytest.raises(BadRequest, match=next(iter(sizes))):
        diffaugment(**sizes)
    for x in (X, {"a": X}):
        with pytest.raises(BadRequest, match=r"images \[B, H, W, C\]"):
            diffaugment().draw(KEY, x)


@pytest.mark.parametrize("pipe", [instance_noise(0.5), diffaugment()])
def test_an_example_depends_on_itself_alone(pipe):
    # Kills: noise shared between examples; a mean over the batch.
    x = jnp.asarray(IMAGES, jnp.float32)
    noise = pipe.draw(KEY, x)
    whole = pipe.apply(x, noise, 1.0)
    assert whole.shape == x.shape
    for b in range(len(x)):
        one = pipe.apply(x[b : b + 1], jax.tree.map(lambda u, b=b: u[b : b + 1], noise), 1.0)
        np.testing.assert_allclose(one[0], whole[b], rtol=1e-5, atol=1e-6)
