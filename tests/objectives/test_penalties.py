"""Penalties on a small explicit critic, value and gradient in its weights, against float64 arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.core import BadRequest
from jaxgen.objectives import NO_PENALTY, add, gradient_penalty, r1, r2

RNG = np.random.default_rng(4)
B, EVENT, WIDTH = 3, (2, 3, 1), 4
REAL, FAKE = (RNG.normal(size=(B, *EVENT)).astype("f") for _ in range(2))
W, V = (RNG.normal(size=s).astype("f") * 0.7 for s in ((6, WIDTH), (WIDTH,)))
U = np.array([0.1, 0.55, 0.95], "f")


def see(w):
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


ROWS = {  # penalty, its noise, the same in float64
    "none": (NO_PENALTY, (), lambda w: np.zeros(B)),
    "r1": (r1(2.5), (), lambda w: 1.25 * square(w, REAL)),
    "r2": (r2(0.8), (), lambda w: 0.4 * square(w, FAKE)),
    "no weight": (add(r1(0), r2(0.0), gradient_penalty(1.0, target=0)), ((), (), U), wgan(1, 0)),
    "gradient_penalty": (gradient_penalty(10.0), U, wgan(10, 1)),
    "gradient_penalty, target 0.3": (gradient_penalty(2.0, target=0.3), U, wgan(2, 0.3)),
    "add": (
        add(r1(1.0), r2(2.0), gradient_penalty(3.0)),
        ((), (), U),
        lambda w: 0.5 * square(w, REAL) + square(w, FAKE) + wgan(3, 1)(w),
    ),
    "add nothing": (add(), (), lambda w: np.zeros(B)),
}


@pytest.mark.parametrize("name", ROWS)
def test_value_and_gradient(name):
    # Kills: a mean before the norm; a norm over one axis; gamma for gamma/2; real for fake; a norm that is not
    # squared, as R3GAN's printed eq. 12; u on the fake side; one u for the batch; a stopped gradient in the weights.
    penalty, noise, exact = ROWS[name]
    noise = jax.tree.map(jnp.asarray, noise)

    def total(w):
        out = penalty.value(see(w), jnp.asarray(REAL), jnp.asarray(FAKE), noise)
        return out.sum(), out

    grad, value = jax.jit(jax.grad(total, has_aux=True))(jnp.asarray(W))
    wide, step = W.astype("d"), 1e-6
    np.testing.assert_allclose(value, exact(wide), rtol=1e-5)
    expected = np.zeros_like(wide)
    for at in np.ndindex(wide.shape):
        nudge = np.zeros_like(wide)
        nudge[at] = step
        expected[at] = (exact(wide + nudge) - exact(wide - nudge)).sum() / (2 * step)
    np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_linear_critic():
    # Kills: an eps inside the root that biases the norm; a norm that grows with the batch.
    a = np.array([3.0, 0.0, 4.0], "f")
    x = jnp.asarray(RNG.normal(size=(B, 3)), "f")
    for penalty, exact in [(r1(2.0), 25.0), (r2(2.0), 25.0), (gradient_penalty(10.0), 160.0)]:
        value = penalty.value(lambda x: x @ a, x, x + 1, penalty.draw(jax.random.key(0), x))
        np.testing.assert_allclose(value, np.full(B, exact), rtol=1e-5)


def test_flat_critic():
    # Kills: a bare sqrt, whose gradient at zero is NaN; a norm of one where the gradient is zero.
    for penalty, exact in [(r1(2.0), 0.0), (r2(2.0), 0.0), (gradient_penalty(10.0, target=0.3), 0.9)]:
        x = jnp.asarray(REAL)
        noise = penalty.draw(jax.random.key(0), x)

        def total(w, penalty=penalty, x=x, noise=noise):
            out = penalty.value(lambda x: jax.nn.relu(see(w)(x) - 1e6), x, x + 1, noise)
            return out.sum(), out

        grad, value = jax.grad(total, has_aux=True)(jnp.asarray(W))
        np.testing.assert_allclose(value, np.full(B, exact), rtol=1e-6)
        np.testing.assert_array_equal(grad, np.zeros_like(W))


@pytest.mark.parametrize("penalty, side", [(NO_PENALTY, 0), (add(), 0), (r1(2.0), 0), (add(r1(2.0)), 0), (r2(2.0), 1)])
def test_one_side_alone_counts_its_own_examples(penalty, side):
    # Kills: a penalty on one side whose size is that of the other, or that reads the other.
    noise = penalty.draw(jax.random.key(0), jnp.asarray(REAL))
    for numbers in ((2, 1), (1, 3)):
        given = [jnp.asarray(x[:n]) for x, n in zip((REAL, FAKE), numbers, strict=True)]
        full = penalty.value(see(jnp.asarray(W)), jnp.asarray(REAL), jnp.asarray(FAKE), noise)
        value = penalty.value(see(jnp.asarray(W)), *given, noise)
        np.testing.assert_allclose(value, full[: numbers[side]], rtol=1e-5)


def test_mixing_is_uniform():
    # Kills: normal noise for the mixing weights; one number for the batch; noise of the image's size.
    u = gradient_penalty(1.0).draw(jax.random.key(0), jnp.zeros((20_000, 2, 2, 1)))
    assert u.shape == (20_000,)
    assert stats.kstest(np.asarray(u), "uniform").pvalue > 0.01


def test_added_penalties_draw_for_themselves():
    # Kills: one key for two draws.
    one, two = add(gradient_penalty(1.0), gradient_penalty(1.0)).draw(jax.random.key(0), jnp.zeros((B, 2)))
    assert not np.any(np.asarray(one) == np.asarray(two))


def test_added_penalties_want_a_noise_each():
    # Kills: a penalty that drops out of the sum without a word.
    for noise in ((), ((),), ((), (), ())):
        with pytest.raises(ValueError, match="zip"):
            add(r1(1.0), r2(1.0)).value(see(jnp.asarray(W)), jnp.asarray(REAL), jnp.asarray(FAKE), noise)


def test_weights_may_be_schedules():
    # Kills: a check of the weight that needs its value while the step is traced.
    def value(gamma):
        return add(r1(gamma), gradient_penalty(gamma, target=gamma)).value(
            see(jnp.asarray(W)), jnp.asarray(REAL), jnp.asarray(FAKE), ((), jnp.asarray(U))
        )

    wide = W.astype("d")
    np.testing.assert_allclose(jax.jit(value)(2.0), square(wide, REAL) + wgan(2, 2)(wide), rtol=1e-5)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), -1, np.float32(-1)])
def test_bad_weights(bad):
    # Kills: a penalty that pays the critic for steepness.
    for make in (r1, r2, gradient_penalty, lambda bad: gradient_penalty(1.0, target=bad)):
        with pytest.raises(BadRequest, match="finite number"):
            make(bad)


def test_mixing_needs_as_many_real_as_fake():
    # Kills: [1, ...] against [B, ...], which broadcasts.
    with pytest.raises(BadRequest, match="one to one"):
        gradient_penalty(1.0).value(see(jnp.asarray(W)), jnp.asarray(REAL), jnp.asarray(FAKE[:1]), jnp.asarray(U))
