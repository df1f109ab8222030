"""Penalties on a small explicit critic, value and gradient in its weights, against float64 arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import passed, quotients
from scipy import integrate, stats

from jaxgen.core import BadRequest, Batch
from jaxgen.objectives import WASSERSTEIN, add, content, gradient_penalty, lecam, path_length, r1, r2

RNG = np.random.default_rng(4)
B, EVENT, WIDTH = 3, (2, 3, 1), 4
REAL, FAKE = (RNG.normal(size=(B, *EVENT)).astype("f") for _ in range(2))
W, V = (RNG.normal(size=s).astype("f") * 0.7 for s in ((6, WIDTH), (WIDTH,)))
U = np.array([0.1, 0.55, 0.95], "f")


def critic(w):
    return lambda x: jnp.tanh(x.reshape(len(x), -1) @ w) @ V


def slope(w, x):
    """grad_x of the critic by hand, [B, 6] float64."""
    flat = x.reshape(len(x), -1).astype("d")
    return ((1 - np.tanh(flat @ w) ** 2) * V.astype("d")) @ w.T


def square(w, x):
    return (slope(w, x) ** 2).sum(-1)


def wgan(weight, target):
    u = U.astype("d")[:, None, None, None]
    mixed = u * REAL.astype("d") + (1 - u) * FAKE.astype("d")
    return lambda w: weight * (np.sqrt(square(w, mixed)) - target) ** 2


def logit(w, x):
    return np.tanh(x.reshape(len(x), -1).astype("d") @ w) @ V.astype("d")


STEP = 3
ROWS = {  # penalty, its noise, the same in float64; all at step 3
    "r1": (r1(2.5), (), lambda w: 1.25 * square(w, REAL)),
    "r2": (r2(0.8), (), lambda w: 0.4 * square(w, FAKE)),
    "schedules of the step": (
        add(r1(lambda n: 0.5 * n), r2(lambda n: 6 / n), gradient_penalty(lambda n: n, target=lambda n: n / 10)),
        {"0": (), "1": (), "2": U},
        lambda w: 0.75 * square(w, REAL) + square(w, FAKE) + wgan(3, 0.3)(w),
    ),
    "no weight": (
        add(r1(0), r2(0.0), gradient_penalty(1.0, target=0)),
        {"0": (), "1": (), "2": U},
        wgan(1, 0),
    ),
    "gradient_penalty": (gradient_penalty(10.0), U, wgan(10, 1)),
    "gradient_penalty, target 0.3": (gradient_penalty(2.0, target=0.3), U, wgan(2, 0.3)),
    "lecam": (lecam(2.5), (), lambda w: 2.5 * (logit(w, REAL) ** 2 + logit(w, FAKE) ** 2)),
    "lecam, a schedule": (lecam(lambda n: n / 2), (), lambda w: 1.5 * (logit(w, REAL) ** 2 + logit(w, FAKE) ** 2)),
    "add": (
        add(r1(1.0), r2(2.0), gradient_penalty(3.0)),
        {"0": (), "1": (), "2": U},
        lambda w: 0.5 * square(w, REAL) + square(w, FAKE) + wgan(3, 1)(w),
    ),
    "add without noise": (add(r1(1.0), r2(2.0)), (), lambda w: 0.5 * square(w, REAL) + square(w, FAKE)),
}


@pytest.mark.parametrize("name", ROWS)
def test_value_and_gradient(name):
    # Kills: a mean before the norm; a norm over one axis; gamma for gamma/2; real for fake; a norm that is not
    # squared, as R3GAN's printed eq. 12; u on the fake side; one u for the batch; a stopped gradient in the weights; a
    # schedule that is divided by two as a function, or read at step 0.
    penalty, noise, exact = ROWS[name]
    noise = jax.tree.map(jnp.asarray, noise)

    def total(w, step):
        view = passed(critic(w), jnp.asarray(REAL), jnp.asarray(FAKE))
        out, _ = penalty.value(view, noise, penalty.init(), step)
        return out.sum(), out

    grad, value = jax.jit(jax.grad(total, has_aux=True))(jnp.asarray(W), STEP)
    np.testing.assert_allclose(value, exact(W.astype("d")), rtol=1e-5)
    expected = quotients(lambda w: exact(w).sum(), W)
    np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_linear_critic():
    # Kills: an eps inside the root that biases the norm; a norm that grows with the batch.
    a = np.array([3.0, 0.0, 4.0], "f")
    x = jnp.asarray(RNG.normal(size=(B, 3)), "f")
    for penalty, exact in [(r1(2.0), 25.0), (r2(2.0), 25.0), (gradient_penalty(10.0), 160.0)]:
        noise = penalty.draw(jax.random.key(0), Batch(x))
        value, _ = penalty.value(passed(lambda x: x @ a, x, x + 1), noise, penalty.init(), 0)
        np.testing.assert_allclose(value, np.full(B, exact), rtol=1e-5)


def test_flat_critic():
    # Kills: a bare sqrt, whose gradient at zero is NaN; a norm of one where the gradient is zero.
    for penalty, exact in [(r1(2.0), 0.0), (r2(2.0), 0.0), (gradient_penalty(10.0, target=0.3), 0.9)]:
        x = jnp.asarray(REAL)
        noise = penalty.draw(jax.random.key(0), Batch(x))

        def total(w, penalty=penalty, x=x, noise=noise):
            out, _ = penalty.value(passed(lambda x: jax.nn.relu(critic(w)(x) - 1e6), x, x + 1), noise, (), 0)
            return out.sum(), out

        grad, value = jax.grad(total, has_aux=True)(jnp.asarray(W))
        np.testing.assert_allclose(value, np.full(B, exact), rtol=1e-6)
        np.testing.assert_array_equal(grad, np.zeros_like(W))


def test_each_side_has_its_own_critic_and_examples():
    # Kills: R2 at the noise of the real examples; a penalty on one side that reads the other, or has its size.
    def scaled(by):
        return lambda x: by * x.sum(-1)

    view = passed(scaled(1.0), jnp.ones((2, 3)), jnp.ones((4, 3)))._replace(critic_fake=scaled(2.0))
    np.testing.assert_allclose(r1(2.0).value(view, (), (), 0)[0], np.full(2, 3.0))
    np.testing.assert_allclose(r2(2.0).value(view, (), (), 0)[0], np.full(4, 12.0))


def test_packs_and_patches_have_the_slope_of_their_entry():
    # Kills: a slope by example where the logits are packs; one u for each example of a pack, which leaves the line
    # between two packs; patches that are averaged, or paid one by one.
    a = np.array([[[3.0, 4.0], [1.0, 2.0]]], "f")  # D(x_1, x_2) = a_1 x_1^2 / 2 + a_2 x_2^2 / 2
    real, fake = (RNG.normal(size=(4, 2)).astype("f") for _ in range(2))

    def pack(x):
        return (0.5 * a * x.reshape(-1, 2, 2) ** 2).sum((1, 2))

    def by_hand(x):
        return ((a * x.reshape(2, 2, 2)).astype("d") ** 2).sum((1, 2))

    view, u = passed(pack, jnp.asarray(real), jnp.asarray(fake)), jnp.asarray([0.25, 0.75, 0.1, 0.9])
    np.testing.assert_allclose(r1(2.0).value(view, (), (), 0)[0], by_hand(real), rtol=1e-5)
    part = np.repeat([0.25, 0.75], 2)[:, None]
    exact = 10 * (np.sqrt(by_hand(part * real + (1 - part) * fake)) - 1) ** 2
    np.testing.assert_allclose(gradient_penalty().value(view, u, (), 0)[0], exact, rtol=1e-5)

    def patch(x):  # [4, 2, 3]
        return x[:, :, None] * jnp.arange(3.0)[None, None]

    patches = passed(patch, jnp.asarray(real), jnp.asarray(fake))
    np.testing.assert_allclose(r1(2.0).value(patches, (), (), 0)[0], np.full(4, 2 * 3.0**2), rtol=1e-5)


def test_examples_may_be_trees():
    # Kills: one leaf of a table left out of the norm; leaves that are mixed by different numbers.
    tree = {"a": jnp.asarray(REAL), "b": jnp.asarray(RNG.normal(size=(B, 2)), jnp.float32)}
    other = jax.tree.map(lambda x: x + 1, tree)

    def both(x):
        return 2 * x["a"].reshape(B, -1).sum(-1) + 3 * x["b"].sum(-1)

    view = passed(both, tree, other, z=jnp.ones((B, 1)), generate=lambda z: other)
    length = np.sqrt(6 * 4 + 2 * 9)
    np.testing.assert_allclose(r1(2.0).value(view, (), (), 0)[0], np.full(B, length**2), rtol=1e-5)
    np.testing.assert_allclose(
        gradient_penalty().value(view, jnp.asarray(U), (), 0)[0], 10 * (length - 1) ** 2, rtol=1e-5
    )
    np.testing.assert_allclose(content(3.0).value(view, (), (), 0)[0], np.full(B, 3.0), rtol=1e-6)
    noise = path_length().draw(jax.random.key(0), Batch(tree))
    assert jax.tree.map(jnp.shape, noise) == jax.tree.map(jnp.shape, tree)


def test_content_is_the_mean_distance():
    # Kills: a square; a sum over pixels; a gradient with the other sign; the schedule's step.
    def total(fake):
        out, _ = content(lambda n: 2.0 * n).value(passed(critic(W), jnp.asarray(REAL), fake), (), (), STEP)
        return out.sum(), out

    grad, value = jax.grad(total, has_aux=True)(jnp.asarray(FAKE))
    np.testing.assert_allclose(value, 6 * np.abs(FAKE.astype("d") - REAL).mean((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(grad, np.sign(FAKE - REAL), rtol=1e-6)  # six times, over six numbers


def test_path_length_by_hand():
    # Kills: an average of before this batch; a gradient through the average; the slope of the mean image; y that is not
    # divided by the root of the positions, or by that of all numbers; channels counted as positions.
    part = path_length(5.0, decay=0.25)
    matrix = RNG.normal(size=(2, 2 * 3 * 2))
    z, y = RNG.normal(size=(B, 2)), RNG.normal(size=(B, 2, 3, 2))

    def lengths(scale):  # G(z) = scale (z^2 / 2) M: J^T y = scale z * (M y)
        return np.linalg.norm(scale * z * (y.reshape(B, -1) / np.sqrt(6) @ matrix.T), axis=-1)

    def total(scale):
        def generate(z):
            return (scale * (z**2 / 2) @ matrix.astype("f")).reshape(B, 2, 3, 2)

        start = jnp.asarray(z, jnp.float32)
        view = passed(lambda x: x.sum((1, 2, 3)), generate(start), generate(start), generate, start)
        out, average = part.value(view, jnp.asarray(y, jnp.float32), jnp.float32(0.8), 0)
        return out.sum(), (out, average)

    grad, (value, average) = jax.grad(total, has_aux=True)(jnp.float32(1.5))
    a = 0.75 * 0.8 + 0.25 * lengths(1.5).mean()
    np.testing.assert_allclose(average, a, rtol=1e-5)
    np.testing.assert_allclose(value, 5 * (lengths(1.5) - a) ** 2, rtol=1e-4)
    np.testing.assert_allclose(grad, np.sum(10 * (lengths(1.5) - a) * lengths(1.0)), rtol=1e-4)
    assert part.init().shape == ()


def test_lecam_by_hand():
    # Kills: real against the average of real; averages with this batch in them; averages of the squares, or exchanged;
    # the share that is kept for the share that comes in; patches that are summed, or paid one by one.
    real, fake = (RNG.normal(size=(B, 2, 2)).astype("f") for _ in range(2))

    def total(scale, state):
        view = passed(lambda x: scale * x, jnp.asarray(real), jnp.asarray(fake))
        out, new = lecam(5.0, decay=0.25).value(view, (), state, 0)
        return out.sum(), (out, new)

    state = {"real": jnp.float32(0.8), "fake": jnp.float32(-0.3)}
    grad, (value, new) = jax.grad(total, has_aux=True)(jnp.float32(1.5), state)
    wide = real.astype("d"), fake.astype("d")
    above, below = 1.5 * wide[0] + 0.3, 1.5 * wide[1] - 0.8
    np.testing.assert_allclose(value, 5 * (above**2 + below**2).mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(grad, 10 * (above * wide[0] + below * wide[1]).mean((1, 2)).sum(), rtol=1e-4)
    np.testing.assert_allclose(new["real"], 0.75 * 0.8 + 0.25 * 1.5 * wide[0].mean(), rtol=1e-5)
    np.testing.assert_allclose(new["fake"], 0.75 * -0.3 + 0.25 * 1.5 * wide[1].mean(), rtol=1e-5)
    assert lecam().init() == {"real": 0, "fake": 0}
    moved = lecam().value(passed(lambda x: x, jnp.ones((B,)), jnp.ones((B,))), (), lecam().init(), 0)[1]
    np.testing.assert_allclose(moved["real"], 0.01, rtol=1e-6)


def test_lecam_optimum_by_quadrature():
    # Kills: an anchor of the other side; a weight that is halved or squared; a square of real or fake alone. Under the
    # Wasserstein loss D* = k (p - q) / (p + q), k = 1 / (2 weight) - alpha with the anchors +-alpha, and then
    # E_p D - E_q D = k Delta, loss = 2 weight alpha^2 - weight k^2 Delta, Delta the integral of (p - q)^2 / (p + q).
    # Tseng et al. 2021, arXiv 2104.03310.
    weight, alpha, p, q = 0.3, 0.25, stats.norm(0, 1), stats.norm(0.8, 1.3)
    x, anchors = np.linspace(-9, 11, 801), {"real": jnp.float32(alpha), "fake": jnp.float32(-alpha)}
    real, fake = (jnp.asarray(law.pdf(x), jnp.float32) for law in (p, q))

    def loss(d):
        """What the critic minimises at each x: a logit at its own anchor costs nothing, so each side is taken alone."""

        def alone(view):
            return lecam(weight).value(passed(lambda x: x, *view), (), anchors, 0)[0]

        at_real, at_fake = alone((d, jnp.full_like(d, alpha))), alone((jnp.full_like(d, -alpha), d))
        wasserstein = real * WASSERSTEIN.critic(d, 0 * d) + fake * WASSERSTEIN.critic(0 * d, d)
        return wasserstein + real * at_real + fake * at_fake

    slope = jax.grad(lambda d: loss(d).sum())
    start = jnp.full_like(real, 0.1)
    curvature = jax.jvp(slope, (start,), (jnp.ones_like(start),))[1]
    best = start - slope(start) / curvature  # each loss is a parabola
    k = 1 / (2 * weight) - alpha
    exact = k * (p.pdf(x) - q.pdf(x)) / (p.pdf(x) + q.pdf(x))
    np.testing.assert_allclose(best, exact, rtol=1e-5, atol=1e-5)

    def integrand(x):
        return (p.pdf(x) - q.pdf(x)) ** 2 / (p.pdf(x) + q.pdf(x))

    delta = integrate.quad(integrand, -9, 11, epsabs=1e-12)[0]
    gap = integrate.trapezoid(np.asarray((real - fake) * best, "d"), x)
    np.testing.assert_allclose(gap, k * delta, rtol=1e-5)
    least = integrate.trapezoid(np.asarray(loss(best), "d"), x)
    np.testing.assert_allclose(least, 2 * weight * alpha**2 - weight * k**2 * delta, rtol=1e-5)


def test_path_length_draws_an_image_for_each_example():
    # Kills: uniform noise; one image for the batch.
    y = np.asarray(path_length().draw(jax.random.key(0), Batch(jnp.zeros((200, 4, 5, 2)))), np.float64)
    assert stats.kstest(y.ravel(), "norm").pvalue > 0.01
    assert np.all(np.std(y, axis=0) > 0.5)


def test_mixing_is_uniform():
    # Kills: normal noise for the mixing weights; one number for the batch; noise of the image's size.
    u = gradient_penalty(1.0).draw(jax.random.key(0), Batch(jnp.zeros((20_000, 2, 2, 1))))
    assert u.shape == (20_000,)
    assert stats.kstest(np.asarray(u), "uniform").pvalue > 0.01


def test_added_penalties_draw_for_themselves():
    # Kills: one key for two draws; a state that the neighbour gets.
    noise = add(gradient_penalty(1.0), gradient_penalty(1.0)).draw(jax.random.key(0), Batch(jnp.zeros((B, 2))))
    assert not np.any(np.asarray(noise["0"]) == np.asarray(noise["1"]))
    z = jnp.ones((B, 2))
    view = passed(lambda x: x.sum(-1), z, 2 * z, lambda z: 2 * z, z)
    both = add(r1(1.0), path_length(1.0, decay=1.0))
    value, state = both.value(view, {"0": (), "1": jnp.ones((B, 2))}, both.init(), 0)
    np.testing.assert_allclose(value, np.ones(B), rtol=1e-5)  # half of 1^2 + 1^2; all paths have one length
    np.testing.assert_allclose(state[1], np.sqrt(8), rtol=1e-6)
    assert state[0] == ()


def test_added_penalties_want_a_noise_each():
    # Kills: a penalty that drops out of the sum without a word.
    both = add(r1(1.0), gradient_penalty(2.0))
    view = passed(critic(jnp.asarray(W)), jnp.asarray(REAL), jnp.asarray(FAKE))
    for noise in ({}, {"0": ()}):
        with pytest.raises(KeyError):
            both.value(view, noise, both.init(), 0)
    with pytest.raises(BadRequest, match="at least one"):
        add()
    wide = r1(1.0)._replace(value=lambda *args: (jnp.zeros((B, 1)), ()))
    with pytest.raises(BadRequest, match=r"one number for each entry.*\(3, 1\)"):
        add(r1(1.0), wide).value(view, (), ((), ()), 0)


def test_a_path_needs_latents():
    # Kills: a slope in no latent at all.
    empty = passed(lambda x: x.sum(-1), jnp.ones((B, 2)), jnp.ones((B, 2)), z=jnp.zeros((B, 0)))
    with pytest.raises(BadRequest, match="latent_dim=0"):
        path_length().value(empty, jnp.ones((B, 2)), jnp.zeros(()), 0)


def test_real_and_fake_are_compared_one_to_one():
    # Kills: [1, ...] against [B, ...], which broadcasts.
    view = passed(critic(jnp.asarray(W)), jnp.asarray(REAL), jnp.asarray(FAKE[:1]))
    for penalty, noise in ((gradient_penalty(1.0), jnp.asarray(U)), (content(1.0), ())):
        with pytest.raises(BadRequest, match="of one shape"):
            penalty.value(view, noise, (), 0)
    with pytest.raises(BadRequest, match="of one shape"):
        lecam().value(view, (), lecam().init(), 0)
