"""Spectra of steps and rates of runs: by hand, and against reverse mode. The rates of all ways: `test_rates.py`."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from jaxgen.core import Aux, BadRequest, Batch, Game
from jaxgen.games import bilinear, dirac, gan
from jaxgen.nets import LAX, MATMUL, MLP, Critic, Generator, Pyramid, instance_noise, network
from jaxgen.training import dynamics
from jaxgen.training.dynamics import fitted_log_rate, jacobian, leading, log_rate, rotation, spectrum, trajectory
from jaxgen.training.step import make_step

KEY, H = jax.random.key(1), 0.2
TOGETHER, ALTERNATING = (("critic", "generator"),), (("generator",), ("critic",))
SGD = dict.fromkeys(("critic", "generator"), optax.sgd(H))
ZEROS = Batch(jnp.zeros((1, 1)))


def place(step, params):
    return step.init(KEY, ZEROS)._replace(params=params)


def at(value):
    return {"critic": jnp.float32(value), "generator": jnp.float32(value)}


def zeros(turns):
    return Batch(jnp.zeros((len(turns), 1, 1)))


def test_instance_noise_damps():
    # Kills: noise on the real or on the fake examples alone; one noise for both; a std for its square. With noise
    # of +-1 the moments are exact: psi' = psi - h (theta / 2 + s^2 psi / 2), theta' = theta + h psi / 2.
    game, seen = dirac(augment=instance_noise(0.7)), {"pipe": jnp.array([[1.0], [-1.0]]), "net": ()}
    gamma = 0.7**2 / 2
    exact = 1 + H * (-gamma / 2 + np.array([1, -1]) * np.sqrt(gamma**2 / 4 - 0.5**2 + 0j))
    z = jnp.zeros((2, 1))  # idle
    even = game._replace(draw=lambda key, batch: {"z": z, "generator": (), "real": seen, "fake": seen})
    step, batches = make_step(even, SGD, TOGETHER), Batch(jnp.zeros((1, 2, 1)))
    eigenvalues = spectrum(step, place(step, at(0.0)), KEY, batches)
    np.testing.assert_allclose(np.sort_complex(eigenvalues), np.sort_complex(exact), rtol=1e-5)
    predicted = np.log(np.abs(exact).max())
    np.testing.assert_allclose(np.exp(predicted), 0.98031, atol=5e-6)
    # Here two sums of size s cancel: below 1e-7 float32 has no field left.
    path = trajectory(step, place(step, at(1e-2)), KEY, batches, steps=400)
    simulated = fitted_log_rate(np.linalg.norm(path, axis=1)[50:], exact)
    assert abs(simulated - predicted) <= 0.01 * abs(predicted)

    n = 20_000  # as it is drawn: the damping is s^2 / 4 times two mean squares
    step, batches = make_step(game, SGD, TOGETHER), Batch(jnp.zeros((1, n, 1)))
    drawn = jacobian(step, place(step, at(0.0)), KEY, batches)
    assert abs((1 - drawn[0, 0]) / H - 0.7**2 / 2) < 5 * 0.7**2 / 4 * np.sqrt(2 * 2 / n)


def test_jacobian_away_from_the_equilibrium_turns_repeated():
    # Kills: a transposed matrix; the Jacobian at the start or at zero; a turn left out of a step that is a loop.
    turns = (("critic",), ("critic",), ("generator",))
    step = make_step(bilinear(), {"critic": optax.sgd(0.1), "generator": optax.sgd(0.3)}, turns)
    matrix = jacobian(step, place(step, at(0.5)), KEY, zeros(turns))
    critic, generator = np.array([[1, -0.1], [0, 1]]), np.array([[1, 0], [0.3, 1]])
    np.testing.assert_allclose(matrix, generator @ critic @ critic, rtol=1e-5)
    step = make_step(dirac(), SGD, TOGETHER)
    s = 1 / (1 + np.exp(-0.25))  # psi' = psi - h s theta, theta' = theta + h s psi, s = sigmoid(theta psi)
    cross, direct = s + s * (1 - s) * 0.25, s * (1 - s) * 0.25
    expected = np.eye(2) + H * np.array([[-direct, -cross], [cross, direct]])
    np.testing.assert_allclose(jacobian(step, place(step, at(0.5)), KEY, zeros(TOGETHER)), expected, rtol=1e-5)


# --- a dense network


def test_dense_gan_by_products_and_by_its_full_jacobian():
    # Kills: noise or batch of another step or turn; products at another point; eigenvalues of smallest modulus, or in
    # another order; a state that is consumed. The full matrix here is by reverse mode.
    game = gan(Generator((2,), MLP((5,), nn.tanh)), Critic(MLP((5,), nn.tanh)), latent_dim=2)
    step = make_step(game, dict.fromkeys(("critic", "generator"), optax.sgd(1.0)), ALTERNATING)
    batches = Batch(jax.random.normal(jax.random.key(2), (2, 8, 2)))
    state = step.init(KEY, Batch(batches.x[0]))
    state = state._replace(context=state.context._replace(step=jnp.int32(3)))
    point, restore = ravel_pytree(state.params)

    def play(flat):
        return ravel_pytree(step.update(state._replace(params=restore(flat)), KEY, batches)[0].params)[0]

    full = np.asarray(jax.jit(jax.jacrev(play))(point), np.float64)
    np.testing.assert_allclose(jacobian(step, state, KEY, batches), full, atol=1e-5)
    exact = np.linalg.eigvals(full)
    moduli = np.sort(np.abs(exact))[::-1]
    k = next(k for k in (5, 6) if moduli[k - 1] - moduli[k] > 1e-3)  # cuts no pair
    eigenvalues = leading(step, state, KEY, batches, k=k)
    np.testing.assert_allclose(np.abs(eigenvalues), moduli[:k], rtol=1e-4)
    assert max(np.abs(exact - mu).min() for mu in eigenvalues) < 1e-4
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


@pytest.mark.slow
def test_dense_gan_with_adam_by_products_and_by_its_full_jacobian():
    # Kills: products over the params alone; a product whose parts come in another order than the point. Reverse mode.
    game = gan(Generator((1,), MLP((3,), nn.tanh)), Critic(MLP((3,), nn.tanh)), latent_dim=1)
    step = make_step(game, dict.fromkeys(("critic", "generator"), optax.adam(0.05, b1=0.5, b2=0.9)), ALTERNATING)
    batches = Batch(jax.random.normal(jax.random.key(2), (2, 8, 1)))
    state = step.init(KEY, Batch(batches.x[0]))
    for _ in range(3):  # until no moment is zero
        state, _ = step.update(state, KEY, batches)
    leaves, shape = jax.tree.flatten(state.opts)
    floats = [i for i, leaf in enumerate(leaves) if leaf.dtype == jnp.float32]
    point, restore = ravel_pytree((state.params, [leaves[i] for i in floats]))

    def play(flat):
        params, moments = restore(flat)
        filled = dict(zip(floats, moments, strict=True))
        opts = jax.tree.unflatten(shape, [filled.get(i, leaf) for i, leaf in enumerate(leaves)])
        after = step.update(state._replace(params=params, opts=opts), KEY, batches)[0]
        return ravel_pytree((after.params, [jax.tree.leaves(after.opts)[i] for i in floats]))[0]

    full = np.asarray(jax.jit(jax.jacrev(play))(point), np.float64)
    found = jacobian(step, state, KEY, batches)
    np.testing.assert_allclose(found, full, rtol=1e-3, atol=1e-4 * np.abs(full).max())
    moduli = np.sort(np.abs(np.linalg.eigvals(found)))[::-1]
    k = next(k for k in range(3, 8) if moduli[k - 1] - moduli[k] > 1e-3)  # cuts no pair
    np.testing.assert_allclose(np.abs(leading(step, state, KEY, batches, k=k)), moduli[:k], rtol=1e-4)


def test_products_where_all_eigenvalues_are_one_number():
    # Kills: a start that has to span the space; an error of ARPACK's own. The loss is p^2 / 2: J = (1 - rate) I.
    game = Game(
        lambda key, batch: ({"p": jnp.ones(6)}, {}),
        lambda key, batch: (),
        {"p": lambda params, noise, batch, context: (0.5 * jnp.sum(params["p"] ** 2), Aux({}))},
        None,
    )
    turns = (("p",),)
    steps = [make_step(game, {"p": optax.sgd(rate)}, turns) for rate in (0.25, 1.0)]
    state = steps[0].init(KEY, ZEROS)
    np.testing.assert_allclose(leading(steps[0], state, KEY, zeros(turns), k=1), [0.75], rtol=1e-5)
    with pytest.raises(BadRequest, match="spectrum"):
        leading(steps[1], state, KEY, zeros(turns), k=1)
    np.testing.assert_array_equal(spectrum(steps[1], state, KEY, zeros(turns)), np.zeros(6))


def test_convolutions_need_a_forward_derivative():
    # Kills: JAX's own TypeError; a message without what to do; a refusal of convolutions that have one.
    def critic(convolve):
        net = network(Critic(Pyramid(1, convolve)))

        def loss(params, noise, batch, context):
            return jnp.mean(net.apply(params["critic"], {}, None, batch.x)[0] ** 2), Aux({})

        def init(key, batch):
            return {"critic": net.init(key, batch.x)[0]}, {}

        return make_step(
            Game(init, lambda key, batch: (), {"critic": loss}, None), {"critic": optax.sgd(H)}, (("critic",),)
        )

    batches = Batch(jnp.ones((1, 1, 33, 33, 1)))
    for convolve in (MATMUL, LAX):
        step = critic(convolve)
        state = step.init(KEY, Batch(batches.x[0]))
        if convolve is MATMUL:
            with pytest.raises(BadRequest, match="LAX"):
                leading(step, state, KEY, batches, k=1)
        else:
            assert leading(step, state, KEY, batches, k=1).shape == (1,)


# --- rates


@pytest.mark.parametrize("angle", [0.1, 0.37, 2.0, np.pi])
@pytest.mark.parametrize("phase", [0.0, 1.0, 2.0])
def test_turning_averages_out_of_the_fit(angle, phase):
    # Kills: a line through all logarithms; halves that are no whole periods; a rate per period instead of per step.
    n = np.arange(500)
    distances = 3 * np.exp(-0.02 * n) * (1 + 0.4 * np.cos(2 * angle * n + phase))
    assert abs(fitted_log_rate(distances, [0.5, 0.98 * np.exp(1j * angle)]) + 0.02) < 1e-5


def test_rates_without_rotation():
    # Kills: a period of infinity; the mean of the eigenvalues, or the largest real part, in place of the modulus.
    np.testing.assert_allclose(fitted_log_rate(0.9 ** np.arange(20), [0.9, 0.2]), np.log(0.9), rtol=1e-9)
    assert fitted_log_rate([1.0, 0.5], [0.5]) == np.log(0.5)
    np.testing.assert_allclose(log_rate(np.array([0.5, -0.9, 0.3 + 0.4j])), np.log(0.9), rtol=1e-9)
    assert log_rate([0.0]) == -np.inf


@pytest.mark.parametrize(
    ("eigenvalues", "share"),
    [
        ([0.8 + 0.6j, 0.8 - 0.6j], 1),
        ([0.5, 0.4 + 0.2j], 0),
        ([1.1], 0),
        ([-1.2, 1j], np.pi / np.hypot(np.pi, np.log(1.2))),
        ([-0.9], np.pi / np.hypot(np.pi, np.log(0.9))),
        ([0.5j, 0.1], np.pi / 2 / np.hypot(np.pi / 2, np.log(2))),
        ([np.exp(-0.03 - 0.04j), 0.2], 0.8),
        ([1.0], 0),
        ([0.0], 0),
    ],
)
def test_rotation(eigenvalues, share):
    # Kills: the share of another eigenvalue; a sign; changing sides taken for a straight way; the share of mu itself,
    # or of mu - 1; a division by zero; a logarithm of zero.
    np.testing.assert_allclose(rotation(eigenvalues), share, rtol=1e-9)


def test_a_double_eigenvalue_does_not_turn():
    # Kills: the pair that float32 makes of it read as a period of 20,000 steps.
    pair = 0.9 * np.exp(np.array([1j, -1j]) * 3e-4)
    np.testing.assert_allclose(fitted_log_rate(0.9 ** np.arange(20), pair), np.log(0.9), rtol=1e-9)
    with pytest.raises(BadRequest, match="not two periods"):
        fitted_log_rate(0.9 ** np.arange(20), 0.9 * np.exp(np.array([2e-3j])))


def alone(loss, optimiser=None, state=None):
    """A step of one number a, and its state: loss(a, state) -> (f32[], state)."""

    def told(params, noise, batch, context):
        value, state = loss(params["a"], context.state)
        return value, Aux({}, state)

    game = Game(lambda key, batch: ({"a": jnp.float32(0.5)}, state or {}), lambda key, batch: (), {"a": told}, None)
    step = make_step(game, {"a": optimiser or optax.sgd(0.1)}, (("a",),))
    return step, step.init(KEY, ZEROS)


SLOPES = np.array([[0.85, 0.15], [0.1, 0.9]])  # of the game below in (a, average), rate 0.1


def averaging(optimiser=None):
    """The player is pushed by a moving average of itself: a' = a - 0.1 (1.5 a - 1.5 average)."""

    def loss(a, state):
        average = state["average"]
        state = {"average": 0.9 * average + 0.1 * jax.lax.stop_gradient(a), "count": state["count"] + 1}
        return 0.75 * a**2 - 1.5 * a * average, {**state, "shown": 0.99 * state["average"] + 0.5 * average}

    zero = jnp.float32(0)
    return alone(loss, optimiser, {"average": zero, "count": jnp.int32(0), "shown": zero})


@pytest.mark.parametrize("a", [0.0, 0.5])
def test_a_state_that_the_next_step_reads_is_part_of_the_point(a):
    # Kills: the spectrum of the params alone; a state that is asked at the equilibrium only, where it stands still; one
    # that is only shown ("shown", of slope 0.99, is read by no loss); a whole number that is differentiated.
    step, here = averaging()
    here = here._replace(params={"a": jnp.float32(a)})
    np.testing.assert_allclose(jacobian(step, here, KEY, zeros((("a",),))), SLOPES, rtol=1e-5)
    fixed, here = alone(lambda a, state: (a**2 / 2, {}), state={"fixed": jnp.float32(3)})
    np.testing.assert_allclose(spectrum(fixed, here, KEY, zeros((("a",),))), [0.9], rtol=1e-6)


def test_a_chain_of_memory():
    # Kills: memory that the params read through other memory only, left out; one in another order. The loss reads
    # "a second", which follows "b first", which follows a.
    def loss(a, state):
        second = 0.5 * state["a second"] + 0.5 * state["b first"]
        return a**2 / 2 + a * state["a second"], {"a second": second, "b first": 0.7 * state["b first"] + a}

    step, here = alone(loss, state={"a second": jnp.float32(0), "b first": jnp.float32(0)})
    expected = [[0.9, -0.1, 0], [0, 0.5, 0.5], [1, 0, 0.7]]
    np.testing.assert_allclose(jacobian(step, here, KEY, zeros((("a",),))), expected, rtol=1e-5, atol=1e-7)


def test_momentum_beside_a_state():
    # Kills: the optimiser's memory after that of the game; the trace without its decay. trace' = 0.5 trace + gradient.
    step, here = averaging(optax.sgd(0.1, momentum=0.5))
    expected = [[0.85, -0.05, 0.15], [1.5, 0.5, -1.5], [0.1, 0, 0.9]]
    np.testing.assert_allclose(jacobian(step, here, KEY, zeros((("a",),))), expected, rtol=1e-5)


def test_adam_along_training():
    # Kills: the second moment held fixed; a correction of the start that counts from another step; moments without
    # the slope of the gradient. loss = a^4 / 4, by difference quotients of Adam in float64.
    rate, b1, b2, eps, count = 0.1, 0.6, 0.7, 1e-3, 4
    step, here = alone(lambda a, state: (a**4 / 4, {}), optax.adam(rate, b1, b2, eps))
    point = np.array([0.5, 0.02, 0.03])  # a, both moments

    def play(point):
        a, first, second = point
        first, second = b1 * first + (1 - b1) * a**3, b2 * second + (1 - b2) * a**6
        corrected = first / (1 - b1 ** (count + 1)), second / (1 - b2 ** (count + 1))
        return np.array([a - rate * corrected[0] / (np.sqrt(corrected[1]) + eps), first, second])

    inner, rest = here.opts["a"]
    inner = inner._replace(count=jnp.int32(count), mu=jnp.float32(point[1]), nu=jnp.float32(point[2]))
    found = jacobian(step, here._replace(opts={"a": (inner, rest)}), KEY, zeros((("a",),)))
    expected = np.stack([(play(point + d) - play(point - d)) / 2e-6 for d in 1e-6 * np.eye(3)], 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_adam_at_rest_has_no_derivative():
    # Kills: a NaN that passes for memory without effect, or for a spectrum.
    step, here = alone(lambda a, state: (a**2 / 2, {}), optax.adam(0.1))
    with pytest.raises(BadRequest, match="its derivative is not"):
        jacobian(step, here._replace(params={"a": jnp.float32(0)}), KEY, zeros((("a",),)))


def stopped(a):
    return jax.lax.stop_gradient(a)


def looped(a):
    return jax.lax.scan(lambda total, x: (total + x * stopped(a), None), 0.0, jnp.arange(2.0))[0]


@pytest.mark.parametrize("factor", [stopped, jax.jit(stopped), looped, lambda a: jax.lax.cond(a > 0, stopped, abs, a)])
def test_what_a_loss_stops_moves_in_the_step(factor):
    # Kills: a stopped factor taken for a constant of the step. The gradient of a stop(a) is a: a' = 0.9 a.
    step, here = alone(lambda a, state: (a * factor(a), {}))
    np.testing.assert_allclose(jacobian(step, here, KEY, zeros((("a",),))), [[0.9]], rtol=1e-6)


def test_an_optimiser_that_holds_its_rate_has_no_memory():
    # Kills: any number in an optimiser's state taken for memory.
    step, here = alone(lambda a, state: (a**2 / 2, {}), optax.inject_hyperparams(optax.sgd)(learning_rate=0.1))
    np.testing.assert_allclose(spectrum(step, here, KEY, zeros((("a",),))), [0.9], rtol=1e-6)


@pytest.mark.parametrize(
    "optimiser",
    [optax.MultiSteps(optax.sgd(0.1), 2).gradient_transformation(), optax.chain(optax.apply_every(2), optax.sgd(0.1))],
)
def test_an_optimiser_that_only_gathers_is_refused(optimiser):
    # Kills: the identity in place of a part of a longer step; a look at the equilibrium alone, where nothing moves.
    step, here = alone(lambda a, state: (a**2 / 2, {}), optimiser)
    for a in (0.0, 0.5):
        with pytest.raises(BadRequest, match="the optimiser of a remembers and moves nothing"):
            jacobian(step, here._replace(params={"a": jnp.float32(a)}), KEY, zeros((("a",),)))


def test_an_optimiser_beside_a_player_that_moves_by_another():
    # Kills: the memory of one player's optimiser measured by the moves of another's.
    step = make_step(bilinear(), {"critic": optax.sgd(0.1), "generator": optax.sgd(0.0, momentum=0.5)}, TOGETHER)
    with pytest.raises(BadRequest, match="the optimiser of generator remembers"):
        jacobian(step, place(step, at(0.5)), KEY, zeros(TOGETHER))


def test_numbers_of_python_as_params():
    # Kills: an AttributeError of a number without a dtype.
    step, here = alone(lambda a, state: (a**2 / 2, {}))
    np.testing.assert_allclose(
        spectrum(step, here._replace(params={"a": 0.5}), KEY, zeros((("a",),))), [0.9], rtol=1e-6
    )


def test_trajectory_is_the_run():
    # Kills: a path that begins after the first step; columns in another order; noise that stands still; a state that
    # is consumed.
    step = make_step(dirac(), SGD, ALTERNATING)
    state = place(step, {"critic": jnp.float32(0.5), "generator": jnp.float32(-0.25)})
    path = trajectory(step, state, KEY, zeros(ALTERNATING), steps=3)
    assert path.dtype == np.float64 and path.shape == (4, 2)
    np.testing.assert_array_equal(path[0], [0.5, -0.25])
    for row in path[1:]:
        state, _ = step.update(state, KEY, zeros(ALTERNATING))
        np.testing.assert_allclose(row, ravel_pytree(state.params)[0], rtol=1e-5)
    noisy = Game(
        lambda key, batch: ({"p": jnp.zeros(1)}, {}),
        lambda key, batch: jax.random.normal(key),
        {"p": lambda params, noise, batch, context: (noise * params["p"].sum(), Aux({}))},
        None,
    )
    step = make_step(noisy, {"p": optax.sgd(1.0)}, (("p",),))
    path = trajectory(step, step.init(KEY, ZEROS), KEY, zeros((("p",),)), steps=2)
    assert abs(path[2] - 2 * path[1]) > 1e-3


# --- bad input


def test_refuses(monkeypatch):
    # Kills: each check: an identity in place of a spectrum, ARPACK's own error, a rate of nan.
    step = make_step(dirac(), SGD, TOGETHER)
    here = place(step, at(0.0)), KEY, zeros(TOGETHER)
    lost = place(step, {"critic": jnp.float32(jnp.nan), "generator": jnp.float32(0)})
    refusals = {
        "is not finite at these params": lambda: jacobian(step, lost, *here[1:]),
        "k=1 of 2": lambda: leading(step, *here, k=1),
        "k=0.5 of 2": lambda: leading(step, *here, k=0.5),
        "at least one step": lambda: trajectory(step, *here, steps=0),
        "whole ones": lambda: trajectory(step, *here, steps=2.5),
        "2 of 2 steps were not finite": lambda: trajectory(step, lost, *here[1:], steps=2),
        "at least one": lambda: log_rate([]),
        "finite numbers .N.": lambda: rotation([np.inf]),
        "finite numbers": lambda: log_rate([1.0, np.nan]),
        "positive finite": lambda: fitted_log_rate([1.0, 0.0], [1.0]),
        "numbers .T.": lambda: fitted_log_rate(np.ones((2, 2)), [1.0]),
        "not two periods of 6.283": lambda: fitted_log_rate(np.ones(12), [np.exp(1j)]),
    }
    for says, call in refusals.items():
        with pytest.raises(BadRequest, match=says):
            call()
    assert fitted_log_rate(np.ones(13), [np.exp(1j)]) == 0
    monkeypatch.setattr(dynamics, "LIMIT", 1)
    with pytest.raises(BadRequest, match="leading"):
        jacobian(step, *here)
