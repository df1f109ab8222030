"""DRAGAN and consistency on a small explicit critic, value and gradient in its weights, against float64 arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import passed, quotients
from scipy import stats

from jaxgen.core import BadRequest, Batch
from jaxgen.nets.augmentation import Pipe
from jaxgen.objectives import consistency, dragan

RNG = np.random.default_rng(5)
B, EVENT, WIDTH, STEP = 3, (2, 3, 1), 4, 3
REAL, FAKE = (RNG.normal(size=(B, *EVENT)).astype("f") for _ in range(2))
W, V = (RNG.normal(size=s).astype("f") * 0.7 for s in ((6, WIDTH), (WIDTH,)))
N, M = (RNG.normal(size=(B, *EVENT)).astype("f") for _ in range(2))
SHIFT = Pipe(
    draw=lambda key, x: jax.random.normal(key, x.shape),
    apply=lambda x, noise, p: x + p * 0.3 * noise,
)


def critic(w):
    return lambda x: jnp.tanh(x.reshape(len(x), -1) @ w) @ V


def logit(w, x):
    return np.tanh(x.reshape(len(x), -1).astype("d") @ w) @ V.astype("d")


def length(w, x):
    """|grad_x of the critic| by hand, [B] float64."""
    flat = x.reshape(len(x), -1).astype("d")
    return np.sqrt(((((1 - np.tanh(flat @ w) ** 2) * V.astype("d")) @ w.T) ** 2).sum(-1))


def apart(w, x, noise):
    return (logit(w, x.astype("d") + 0.3 * noise.astype("d")) - logit(w, x)) ** 2


ROWS = {  # penalty, its noise, the same in float64; all at step 3
    "dragan": (dragan(), N, lambda w: 10 * (length(w, REAL + 0.5 * N.astype("d")) - 1) ** 2),
    "dragan, schedules": (
        dragan(lambda n: n, std=lambda n: n / 2, target=lambda n: n / 10),
        N,
        lambda w: 3 * (length(w, REAL + 1.5 * N.astype("d")) - 0.3) ** 2,
    ),
    "consistency": (
        consistency(SHIFT),
        {"real": N, "fake": M},
        lambda w: 10 * apart(w, REAL, N) + 10 * apart(w, FAKE, M),
    ),
    "consistency, schedules": (
        consistency(SHIFT, real=lambda n: n, fake=lambda n: 2 * n),
        {"real": N, "fake": M},
        lambda w: 3 * apart(w, REAL, N) + 6 * apart(w, FAKE, M),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_value_and_gradient(name):
    # Kills: a mean before the norm; noise at the fake examples, or not at all; std^2 for std; a norm that is not
    # moved by the target; a stopped gradient in the weights, of either logit; a square that is left out; one noise for
    # both sides; a schedule read at step 0.
    penalty, noise, exact = ROWS[name]
    noise = jax.tree.map(jnp.asarray, noise)

    def total(w, step):
        view = passed(critic(w), jnp.asarray(REAL), jnp.asarray(FAKE))
        out, _ = penalty.value(view, noise, penalty.init(), step)
        return out.sum(), out

    grad, value = jax.jit(jax.grad(total, has_aux=True))(jnp.asarray(W), STEP)
    np.testing.assert_allclose(value, exact(W.astype("d")), rtol=1e-4)
    expected = quotients(lambda w: exact(w).sum(), W)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(grad, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_flat_critic():
    # Kills: a bare sqrt, whose gradient at zero is NaN.
    x = jnp.asarray(REAL)

    def total(w):
        view = passed(lambda x: jax.nn.relu(critic(w)(x) - 1e6), x, x + 1)
        out, _ = dragan(10.0, target=0.3).value(view, jnp.asarray(N), (), 0)
        return out.sum(), out

    grad, value = jax.grad(total, has_aux=True)(jnp.asarray(W))
    np.testing.assert_allclose(value, np.full(B, 0.9), rtol=1e-6)
    np.testing.assert_array_equal(grad, np.zeros_like(W))


def test_steep_critic_and_large_examples_stay_finite():
    # Kills: a square that overflows before the root is taken, or the other way round.
    view = passed(lambda x: 1e6 * x.reshape(B, -1).sum(-1), 1e4 * jnp.asarray(REAL), 1e4 * jnp.asarray(FAKE))
    for penalty, noise in ((dragan(), jnp.asarray(N)), (consistency(SHIFT), {"real": N, "fake": M})):
        assert np.all(np.isfinite(penalty.value(view, noise, (), 0)[0]))


def test_each_side_has_its_own_critic():
    # Kills: the fake examples judged at the noise of the real ones.
    view = passed(lambda x: x.reshape(B, -1).sum(-1), jnp.asarray(REAL), jnp.asarray(FAKE))
    view = view._replace(critic_fake=lambda x: 2 * view.critic_real(x), fake_logits=2 * view.fake_logits)
    noise = {"real": jnp.asarray(N), "fake": jnp.asarray(M)}
    by_hand = [(0.3 * size * n.astype("d").reshape(B, -1).sum(-1)) ** 2 for size, n in ((1, N), (2, M))]
    found = consistency(SHIFT, real=1.0, fake=1.0).value(view, noise, (), 0)[0]
    np.testing.assert_allclose(found, sum(by_hand), rtol=1e-3, atol=1e-4)


def test_patches_and_trees():
    # Kills: patches that are summed or paid one by one; a leaf of a tree without noise.
    x = {"a": jnp.ones((B, 2)), "b": jnp.zeros((B, 3))}
    noise = dragan().draw(jax.random.key(0), Batch(x))
    assert {name: leaf.shape for name, leaf in noise.items()} == {"a": (B, 2), "b": (B, 3)}
    assert not np.any(np.asarray(noise["a"]) == np.asarray(noise["b"])[:, :2])

    def patches(x):
        return x[:, :, None] * jnp.array([1.0, 2.0])[None, None]

    real = jnp.ones((B, 2))
    pipe = SHIFT._replace(apply=lambda x, noise, p: x + p)
    view = passed(patches, real, 2 * real)
    found = consistency(pipe, real=1.0, fake=3.0).value(view, {"real": (), "fake": ()}, (), 0)[0]
    np.testing.assert_allclose(found, np.full(B, 4 * (1 + 4) / 2), rtol=1e-6)


def test_noise_is_normal():
    # Kills: uniform noise; one draw for the batch, or for both sides.
    batch = Batch(jnp.zeros((5000, 2)))
    noise = np.asarray(dragan().draw(jax.random.key(0), batch), np.float64)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    both = consistency(SHIFT).draw(jax.random.key(0), batch)
    assert not np.any(np.asarray(both["real"]) == np.asarray(both["fake"]))


def test_refusals():
    # Kills: a function in the place of a pipe, which fails inside of a trace; logits that broadcast.
    for change in (lambda x: x, None, SHIFT.apply):
        with pytest.raises(BadRequest, match="draw"):
            consistency(change)
    view = passed(critic(jnp.asarray(W)), jnp.asarray(REAL), jnp.asarray(FAKE[:1]))
    with pytest.raises(BadRequest, match="of one shape"):
        consistency(SHIFT).value(view, {"real": N, "fake": M[:1]}, (), 0)
