"""Penalties in z on a small explicit generator and critic, value and gradient, against float64 arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import passed, quotients

from jaxgen.core import BadRequest, Batch
from jaxgen.objectives import latent_consistency, latent_spread, transport

RNG = np.random.default_rng(7)
B, D, EVENT, STEP = 3, 6, (2, 3, 1), 3
REAL = RNG.normal(size=(B, *EVENT)).astype("f")
Z, E = (RNG.normal(size=(B, D)).astype("f") for _ in range(2))
A, V = (RNG.normal(size=s).astype("f") * 0.7 for s in ((D, 6), (6,)))


def made(a, z):
    return np.tanh(z.astype("d") @ a)


def judged(x):
    return np.sin(x) @ V.astype("d")


def near(a):
    return made(a, Z.astype("d") + 0.2 * E.astype("d"))


ROWS = {  # penalty, the same of the weights a of the generator in float64, at step 3
    "consistency": (latent_consistency(D, 2.0, std=0.2), lambda a: 2 * (judged(near(a)) - judged(made(a, Z))) ** 2),
    "consistency, schedules": (
        latent_consistency(D, lambda n: n, std=lambda n: n / 15),
        lambda a: 3 * (judged(near(a)) - judged(made(a, Z))) ** 2,
    ),
    "spread": (latent_spread(D, 2.0, std=0.2), lambda a: -2 * np.mean((near(a) - made(a, Z)) ** 2, -1)),
    "spread, schedules": (
        latent_spread(D, lambda n: n, std=lambda n: n / 15),
        lambda a: -3 * np.mean((near(a) - made(a, Z)) ** 2, -1),
    ),
    "transport": (transport(2.0), lambda a: 2 * np.mean((made(a, Z) - Z.astype("d")) ** 2, -1)),
    "transport, schedule": (transport(lambda n: n), lambda a: 3 * np.mean((made(a, Z) - Z.astype("d")) ** 2, -1)),
}


def view(a):
    def generate(z):
        return jnp.tanh(z @ a).reshape(-1, *EVENT)

    def critic(x):
        return jnp.sin(x.reshape(len(x), -1)) @ V

    return passed(critic, jnp.asarray(REAL), generate(jnp.asarray(Z)), generate, jnp.asarray(Z))


@pytest.mark.parametrize("name", ROWS)
def test_value_and_gradient(name):
    # Kills: a generator that is paid to shrink what z does, a critic that is paid to see it; a sum over the numbers; a
    # std or a weight that is dropped or read at step 0; a stopped gradient, of either term; the real examples.
    penalty, exact = ROWS[name]

    def total(a, step):
        out, _ = penalty.value(view(a), jnp.asarray(E), penalty.init(), step)
        return out.sum(), out

    grad, value = jax.jit(jax.grad(total, has_aux=True))(jnp.asarray(A), STEP)
    np.testing.assert_allclose(value, exact(A.astype("d")), rtol=1e-3, atol=1e-6)
    expected = quotients(lambda a: exact(a).sum(), A)
    np.testing.assert_allclose(grad, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_noise_is_normal_of_the_size_of_z():
    # Kills: uniform noise; noise of the size of an example.
    e = np.asarray(latent_spread(5).draw(jax.random.key(0), Batch(jnp.zeros((4000, 2)))), "d")
    assert e.shape == (4000, 5)
    assert np.abs(e.mean()) < 5 / np.sqrt(e.size) and np.abs(np.mean(e**2) - 1) < 5 * np.sqrt(2 / e.size)
    assert np.abs(np.mean(e**4) - 3) < 5 * np.sqrt(96 / e.size)


def test_transport_picks_the_optimal_map():
    # Kills: a distance from something else than z. Of the maps that give N(m, s^2), m + s z and m - s z, it asks for
    # the one that moves N(0, 1) least, by W2^2 = m^2 + (s - 1)^2; the other moves it by m^2 + (s + 1)^2.
    m, s, n = 0.4, 1.5, 200_000
    z = jnp.asarray(RNG.normal(size=(n, 1)), jnp.float32)
    costs = []
    for sign in (1, -1):
        forward = passed(lambda x: x[:, 0], z, m + sign * s * z, z=z)
        costs.append(np.mean(np.asarray(transport(1.0).value(forward, (), (), 0)[0], "d")))
    spread = 5 * np.sqrt(8 * (s + 1) ** 4 / n)  # the squares are of two normal numbers
    np.testing.assert_allclose(costs, [m**2 + (s - 1) ** 2, m**2 + (s + 1) ** 2], atol=spread)


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (lambda: latent_consistency(0), "latent_dim=0"),
        (lambda: latent_spread(D, std=-1.0), "std must be"),
        (lambda: latent_spread(D, float("nan")), "weight must be"),
        (lambda: transport(-1.0), "weight must be"),
        (lambda: latent_spread(2).value(view(A), jnp.zeros((B, 2)), (), 0), r"built for z of \(2,\), and z is \(6,\)"),
        (lambda: transport().value(view(A)._replace(z=jnp.zeros((B, 2))), (), (), 0), "as many numbers"),
    ],
)
def test_what_does_not_fit_is_refused(act, word):
    # Kills: noise that broadcasts against z; a z that is compared with a part of an example.
    with pytest.raises(BadRequest, match=word):
        act()
