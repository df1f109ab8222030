"""The audit knows rounding from bias, keeps nothing of an earlier audit, and asks each draw at a point of its own."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.testing import assert_sound, audit, faults
from jaxgen.testing.measure import draw_chunks, draw_directions
from jaxgen.testing.reference import Line, rough, segment

RNG = np.random.default_rng(3)
ROWS = jnp.asarray(RNG.normal(size=(32, 8)), jnp.float32)
WEIGHTS = {
    "w": jnp.asarray(RNG.normal(size=(8, 16)) / 3, jnp.float32),
    "v": jnp.asarray(RNG.normal(size=(16, 1)) / 4, jnp.float32),
}


def four(key, batch):
    return jax.random.normal(key, (4,))


def like(key, batch):
    return jax.random.normal(key, batch.shape)


def cancelled(params, eps, x):
    return jnp.mean(x @ params["a"] + 1e4) - jnp.mean(jnp.full(32, 1e4)) + jnp.mean((params["c"] + eps) ** 2)


def mixed_precision(params, eps, x):
    w, v = (params[name].astype(jnp.bfloat16) for name in ("w", "v"))
    out = jnp.tanh((x + 0.1 * eps).astype(jnp.bfloat16) @ w) @ v
    return jnp.mean((out.astype(jnp.float32) - 1) ** 2)


@pytest.mark.parametrize(
    ("loss", "params", "draw"),
    [
        (cancelled, {"a": jnp.linspace(0.1, 0.7, 8), "c": jnp.ones(4)}, four),
        (mixed_precision, WEIGHTS, like),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_rounding_that_all_draws_share_is_no_bias(loss, params, draw, seed):
    # Kills: rounding taken from the size of the loss alone, which may be what is left of larger numbers.
    assert faults(audit(loss, params, draw, ROWS, seed=seed, draws=64)) == ()


def test_what_cancels_has_no_path():
    # Kills: rounding that moves the loss of a draw taken for an effect of the leaf: this one cancels.
    def critic(params, x):
        return jnp.tanh(x @ params["w"]) @ params["v"][:, 0] + params["b"]

    def loss(params, z, x):
        return jnp.mean(critic(params, 1.1 * z)) - jnp.mean(critic(params, x))

    report = audit(loss, {**WEIGHTS, "b": jnp.float32(30)}, like, ROWS, draws=64)
    assert [leaf.reach for leaf in report.leaves] == ["no path", "reached", "reached"], str(report)


def test_rounding_is_what_draws_have_in_common():
    # Kills: jumps, which come to each draw elsewhere, taken for shared rounding; a slope or bend taken for it.
    params, steps = {"a": jnp.full((3,), 0.5)}, 1e-3
    directions = draw_directions(jax.random.key(0), [params["a"]])[0]
    chunks = draw_chunks(lambda key, x: jax.random.uniform(key, (3,)), jax.random.key(1), 8, 8, None)

    def roughness(loss):
        return rough(Line(loss, params, None, 0, directions, 0.0), chunks, 0.5)

    smooth = roughness(lambda q, u, x: jnp.sum((q["a"] - u) ** 2))
    assert smooth.common < 1e-7 and smooth.single < 3e-7
    jumps = roughness(lambda q, u, x: jnp.mean(jnp.floor((q["a"] - u) / steps)) * steps)
    assert jumps.single > 0.1 * steps and jumps.common < 0.2 * jumps.single
    stairs = roughness(lambda q, u, x: jnp.mean(jnp.floor(q["a"] / steps)) * steps + jnp.mean(u))
    np.testing.assert_allclose([stairs.common, stairs.single], steps / np.sqrt(12 * 3), rtol=0.5)


def test_each_draw_has_a_point_of_its_own():
    # Kills: one point for all draws of a chunk, which counts as many draws where a loss is fast.
    params = {"a": jnp.float32(0.5)}
    line = Line(lambda q, eps, x: eps * jnp.sin(50 * q["a"]), params, None, 0, [np.float32(1)], 0.0)
    chunks = draw_chunks(lambda key, x: jax.random.normal(key), jax.random.key(2), 16, 8, None)
    offsets = np.linspace(-0.9, 0.9, 16)
    eps = np.concatenate([noise for _, noise in chunks])
    drawn = segment(line, chunks, 0, 0.1, offsets)
    np.testing.assert_allclose(drawn.slope, eps * 50 * np.cos(50 * (0.5 + 0.1 * offsets)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(drawn.rise, eps * (np.sin(30) - np.sin(20)) / 0.2, rtol=1e-3, atol=1e-3)


def test_float64_is_judged_as_such():
    # Kills: float32's last place in a float64 loss, below which everything would go unseen.
    def loss(params, eps, x):
        return jnp.sum(jax.lax.stop_gradient(params["a"]) ** 2) + 1e8 + 100 * jnp.mean(params["b"] * eps)

    with jax.enable_x64(True):
        report = audit(loss, {"a": jnp.linspace(0.1, 0.7, 4), "b": jnp.ones(4)}, four, None, draws=64)
    assert [leaf.reach for leaf in report.leaves] == ["cut", "reached"], str(report)


def test_a_changed_loss_is_audited_anew():
    # Kills: programs that are kept by the function, whose closure has changed.
    held = {"stop": True, "scale": 1.0}

    def loss(params, eps, x):
        mean = jax.lax.stop_gradient(params["a"]) if held["stop"] else params["a"]
        return held["scale"] * jnp.mean((mean + eps) ** 2)

    first = audit(loss, {"a": jnp.ones(4)}, four, None, draws=64)
    held |= {"stop": False, "scale": 10.0}
    second = audit(loss, {"a": jnp.ones(4)}, four, None, draws=64)
    assert first.leaves[0].reach == "cut" and faults(second) == ()
    np.testing.assert_allclose(second.loss, 10 * first.loss, rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_small_hidden_randomness_in_a_large_loss(seed):
    # Kills: a tolerance of a share of the loss; an infinite loss that hides all others.
    rng = np.random.default_rng(seed)

    def shifted(params, eps, x):
        return 1000 + jnp.mean((params["a"] + eps - 0.1 * jnp.asarray(rng.normal(size=4), jnp.float32)) ** 2)

    def infinite(params, eps, x):
        return jnp.where(eps[0] < -0.5, jnp.inf, jnp.mean((params["a"] + eps + rng.normal()) ** 2))

    for loss in (shifted, infinite):
        assert not audit(loss, {"a": jnp.ones(4)}, four, None, draws=64, seed=seed).repeats
    assert audit(lambda q, eps, x: jnp.sum(q["a"]) * jnp.nan, {"a": jnp.ones(4)}, four, None, draws=64).repeats


def test_at_an_optimum_two_zero_gradients_agree():
    # Kills: a gradient of rounding held to a share of another; a floor so high that a wrong gradient passes.
    table = RNG.normal(size=(50, 4))
    target = table @ RNG.normal(size=4) + RNG.normal(size=50)
    best = np.linalg.lstsq(table, target, rcond=None)[0]
    rows, to, gram, cross = (
        jnp.asarray(a, jnp.float32) for a in (table, target, table.T @ table / 50, table.T @ target / 50)
    )

    def loss(params, eps, x):
        return jnp.mean((rows @ params["w"] - to) ** 2) + jnp.mean((params["s"] * eps - 1) ** 2)

    def value(params, x):
        square = params["w"] @ gram @ params["w"] - 2 * cross @ params["w"] + float(np.mean(target**2))
        return square + jnp.mean(params["s"] ** 2) + 1

    params = {"w": jnp.asarray(best, jnp.float32), "s": jnp.ones(4)}
    assert faults(audit(loss, params, four, None, value=value)) == ()
    off = audit(loss, params, four, None, value=lambda q, x: value(q, x) + 1e-4 * jnp.sum(q["w"]))
    assert "biased: w" in faults(off)[0]


def test_positive_leaves_of_any_size():
    # Kills: a shortest step that takes a small scale below zero.
    def loss(params, eps, x):
        return 1e6 * jnp.mean((eps[:3] * params["s"]) ** 2) - jnp.sum(jnp.log(params["s"]))

    assert faults(audit(loss, {"s": jnp.full((3,), 1e-4)}, four, None)) == ()


def test_half_a_gradient_under_much_noise_is_reached():
    # Kills: a mean gradient about zero by chance called cut, though it is half of what it should be.
    def loss(params, eps, x):
        half = 0.5 * params["a"] ** 2 + jax.lax.stop_gradient(0.5 * params["a"] ** 2)
        return jnp.sum(half + 10 * eps * params["a"])

    (leaf,) = audit(loss, {"a": jnp.ones(4)}, four, None).leaves
    assert leaf.reach == "reached" and abs(leaf.z) > 100


def test_a_systematic_sample_is_meant():
    # Kills: entries of one leaf that share a number on purpose called a fault; silence about them.
    def draw(key, batch):
        ours, more = jax.random.split(key)
        times = (jax.random.uniform(ours) + jnp.arange(64) / 64) % 1
        return {"t": times, "eps": jax.random.normal(more, (64,))}

    report = audit(
        lambda q, noise, x: jnp.mean((q["a"] * noise["t"] + noise["eps"]) ** 2), {"a": jnp.ones(64)}, draw, None
    )
    assert_sound(report)
    assert "entries of t rise and fall with others of it" in " ".join(str(report).split())


def test_what_stands_side_by_side_is_bounded():
    # Kills: eight draws at once whatever their size.
    chunk = importlib.import_module("jaxgen.testing.audit")._chunk
    assert [chunk(jnp.zeros(2**n), jnp.zeros(1), None) for n in (10, 20, 23)] == [8, 2, 1]
