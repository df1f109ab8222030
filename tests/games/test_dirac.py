"""Games of two numbers: losses, gradients and the eigenvalues of their field, against formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import Batch, Context
from jaxgen.games import bilinear, dirac, lq
from jaxgen.nets.augmentation import instance_noise
from jaxgen.objectives import NON_SATURATING, SATURATING, r1, r2

KEY, PSI, THETA = jax.random.key(0), 0.7, -0.4
SIGMOID = 1 / (1 + np.exp(-PSI * THETA))
ZEROS = Batch(jnp.zeros((2, 1)))
GAMES = {  # game, slope in psi, slope in theta, the critic's loss
    "saturating": (dirac(), SIGMOID * THETA, -SIGMOID * PSI, np.log(2) - np.log(1 - SIGMOID)),
    "non-saturating": (
        dirac(loss=NON_SATURATING),
        SIGMOID * THETA,
        -(1 - SIGMOID) * PSI,
        np.log(2) - np.log(1 - SIGMOID),
    ),
    "r1": (
        dirac(penalty=r1(0.3)),
        SIGMOID * THETA + 0.3 * PSI,
        -SIGMOID * PSI,
        np.log(2) - np.log(1 - SIGMOID) + 0.15 * PSI**2,
    ),
    "bilinear": (bilinear(), THETA, -PSI, PSI * THETA),
}


def field(game, noise, batch=ZEROS):
    """(psi, theta) -> (slope of the critic's loss in psi, of the generator's in theta)."""
    _, state = game.init(KEY, batch)

    def slopes(point):
        params = {"critic": point[0], "generator": point[1]}
        grads = [
            jax.grad(lambda p, loss=game.losses[name]: loss(p, noise, batch, Context(0, state))[0])(params)[name]
            for name in ("critic", "generator")
        ]
        return jnp.stack(grads)

    return slopes


@pytest.mark.parametrize("name", GAMES)
def test_losses_and_slopes(name):
    # Kills: real and fake swapped; a penalty forgotten; a generator that depends on z; another start than (1, 1).
    game, in_psi, in_theta, value = GAMES[name]
    params, state = game.init(KEY, ZEROS)
    assert jax.tree.map(float, params) == {"critic": 1, "generator": 1}
    noise = game.draw(KEY, ZEROS)
    slopes = field(game, noise)(jnp.array([PSI, THETA]))
    np.testing.assert_allclose(slopes, [in_psi, in_theta], rtol=1e-5)
    params = {"critic": jnp.float32(PSI), "generator": jnp.float32(THETA)}
    loss, _ = game.losses["critic"](params, noise, ZEROS, Context(0, state))
    np.testing.assert_allclose(loss, value, rtol=1e-5)


def noisy(even):
    """Instance noise of std 0.7, drawn, or exactly of mean 0 and variance 1: (game, noise, batch)."""
    game = dirac(augment=instance_noise(0.7))
    batch = ZEROS if even else Batch(jnp.zeros((20_000, 1)))
    noise = game.draw(KEY, batch)
    if even:
        two = {"pipe": jnp.array([[1.0], [-1.0]]), "net": ()}
        noise = {**noise, "real": two, "fake": two}
    return game, noise, batch


SPECTRA = {  # game, the eigenvalues of the flow -field at the origin
    "circles": (dirac(), 0.5j),
    "non-saturating": (dirac(loss=NON_SATURATING), 0.5j),
    "r1": (dirac(penalty=r1(0.3)), -0.15 + 0.5j * np.sqrt(1 - 0.3**2)),
    "r2": (dirac(penalty=r2(0.3)), -0.15 + 0.5j * np.sqrt(1 - 0.3**2)),
    "r1 that grows": (dirac(penalty=r1(lambda step: 0.3 + step)), -0.15 + 0.5j * np.sqrt(1 - 0.3**2)),
    "bilinear": (bilinear(), 1j),
    "bilinear, r1": (bilinear(penalty=r1(0.3)), -0.15 + 1j * np.sqrt(1 - 0.15**2)),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_eigenvalues_at_the_equilibrium(name):
    # Kills: gamma for gamma/2; a slope that is stopped between the players. Mescheder et al. 2018, sections 2 and 4.
    game, upper = SPECTRA[name]
    jacobian = -jax.jacfwd(field(game, game.draw(KEY, ZEROS)))(jnp.zeros(2))
    eigenvalues = sorted(np.linalg.eigvals(np.asarray(jacobian, np.float64)), key=lambda v: v.imag)
    np.testing.assert_allclose(eigenvalues, [np.conj(upper), upper], rtol=1e-5, atol=1e-7)


def test_instance_noise_acts_like_r1():
    # Kills: noise on the real or on the fake examples alone; one noise for both; a std for its square. With noise of
    # +-1 the moments are exact; as it is drawn, the damping is s^2 / 4 times two mean squares of n normal numbers.
    damped = -jax.jacfwd(field(*noisy(even=True)))(jnp.zeros(2))
    np.testing.assert_allclose(damped, [[-(0.7**2) / 2, -0.5], [0.5, 0.0]], rtol=1e-5, atol=1e-7)
    r1_game = dirac(penalty=r1(0.7**2 / 2))
    same = -jax.jacfwd(field(r1_game, r1_game.draw(KEY, ZEROS)))(jnp.zeros(2))
    np.testing.assert_allclose(damped, same, rtol=1e-5, atol=1e-7)
    eigenvalue = -(0.7**2) / 4 + 0.5j * np.sqrt(1 - 0.7**4 / 4)
    eigenvalues = np.linalg.eigvals(np.asarray(damped, np.float64))
    np.testing.assert_allclose(eigenvalues[np.argmax(eigenvalues.imag)], eigenvalue, rtol=1e-5)
    game, noise, batch = noisy(even=False)
    drawn = -jax.jacfwd(field(game, noise, batch))(jnp.zeros(2))
    assert abs(-drawn[0, 0] - 0.7**2 / 2) < 5 * 0.7**2 / 4 * np.sqrt(2 * 2 / 20_000)


def test_samples_are_the_point():
    # Kills: a sample of another shape, or one that the noise moves.
    game = dirac()
    model = game.model({"critic": jnp.float32(1), "generator": jnp.float32(0.25)}, game.init(KEY, ZEROS)[1])
    np.testing.assert_array_equal(model.sample(model.draw(KEY, 3)), np.full((3, 1), 0.25))


# --- the LQ-GAN: examples m - s and m + s, z = -1 and 1

M, S = 0.5, 1.5
LINE = Batch(jnp.array([[M - S], [M + S]]))


def lq_slopes(game, w1, w2, a, b):
    """(slopes of each player's loss, the critic's loss) at four numbers."""
    state = game.init(KEY, LINE)[1]
    noise = {**game.draw(KEY, LINE), "z": jnp.array([[-1.0], [1.0]])}
    params = {"critic": {"w1": w1, "w2": w2}, "generator": {"a": a, "b": b}}
    params = jax.tree.map(jnp.float32, params)

    def slope(name):
        def loss(own):
            return game.losses[name]({**params, name: own}, noise, LINE, Context(0, state))[0]

        return jax.value_and_grad(loss)(params[name])

    (value, critic), (_, generator) = slope("critic"), slope("generator")
    return [float(g) for g in (critic["w1"], critic["w2"], generator["a"], generator["b"])], value


def test_lq_losses_and_slopes():
    # Kills: a and b exchanged, or w1 and w2; a square left out; a generator that does not read z; another start; a
    # penalty forgotten. E x^2 = m^2 + s^2, and R1 is gamma/2 E (2 w2 x + w1)^2.
    w1, w2, a, b = 0.3, -0.2, 0.8, 0.4
    squares, means = a**2 + b**2 - M**2 - S**2, b - M
    expected = [means, squares, -2 * w2 * a, -(2 * w2 * b + w1)]
    slopes, value = lq_slopes(lq(), w1, w2, a, b)
    np.testing.assert_allclose(slopes, expected, rtol=1e-5)
    np.testing.assert_allclose(value, w2 * squares + w1 * means, rtol=1e-5)
    slopes, value = lq_slopes(lq(penalty=r1(0.7)), w1, w2, a, b)
    damping = 0.7 * np.array([[1, 2 * M], [2 * M, 4 * (S**2 + M**2)]]) @ [w1, w2]
    np.testing.assert_allclose(slopes, expected + np.array([*damping, 0, 0]), rtol=1e-5)
    params, _ = lq().init(KEY, LINE)
    assert jax.tree.leaves(params) == [1, 1, 1, 1] and {*params["critic"], *params["generator"]} == {*"ab", "w1", "w2"}
    logistic, _ = lq_slopes(lq(loss=SATURATING), 0.0, 0.0, a, b)  # where D = 0, half of it
    np.testing.assert_allclose(logistic, [means / 2, squares / 2, 0, 0], rtol=1e-5, atol=1e-7)


def test_lq_is_at_rest_where_the_generator_is_the_data():
    # Kills: a stationary point elsewhere. a = -s is the other one.
    for a in (S, -S):
        np.testing.assert_allclose(lq_slopes(lq(penalty=r1(0.7)), 0.0, 0.0, a, M)[0], [0, 0, 0, 0], atol=1e-6)
    model = lq().model({"generator": {"a": jnp.float32(S), "b": jnp.float32(M)}, "critic": {}}, lq().init(KEY, LINE)[1])
    np.testing.assert_allclose(model.sample(jnp.array([[2.0]])), [[2 * S + M]], rtol=1e-6)
