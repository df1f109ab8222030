"""Update rules: by hand in NumPy on a field that is not linear, and inside the compiled step."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Aux, BadRequest, Batch, Game
from jaxgen.games import gan
from jaxgen.objectives import r1
from jaxgen.objectives.rules import Field, consensus, descend, extragradient, symplectic, symplectic_aligned
from jaxgen.recipes import Spec
from jaxgen.training.step import make_step

KEY = jax.random.key(0)
START, HEAVY = {"a": 0.7, "b": -0.4}, {"a": 0.2, "b": 0.5}


def field(p):
    return Field({"a": p["b"] * p["a"] ** 2, "b": p["b"] ** 3 - p["a"]}, dict(p), True)


def apply(at, params, opts):
    opts = {name: 0.9 * opts[name] + at.grads[name] for name in params}
    return {name: params[name] - 0.1 * opts[name] for name in params}, opts


def close(got, expected, rtol=1e-12):
    assert got.keys() == expected.keys()
    for name in got:
        np.testing.assert_allclose(got[name], expected[name], rtol=rtol)


def test_descend_by_hand():
    # Kills: a step taken twice; one player that sees the other's step.
    params, opts, end = descend(field, apply, START, HEAVY)
    momentum = {"a": 0.9 * 0.2 - 0.4 * 0.49, "b": 0.9 * 0.5 - 0.064 - 0.7}
    close(opts, momentum)
    close(params, {"a": 0.7 - 0.1 * momentum["a"], "b": -0.4 - 0.1 * momentum["b"]})
    close(end.aux, START)


def test_extragradient_by_hand():
    # Kills: the gradient of the point behind; a step from the point ahead; the state of the look-ahead kept, or fed to
    # the second step; the info of the point behind; a look-ahead without the optimiser's momentum.
    ahead_a = 0.7 - 0.1 * (0.9 * 0.2 - 0.4 * 0.49)
    ahead_b = -0.4 - 0.1 * (0.9 * 0.5 - 0.064 - 0.7)
    momentum = {"a": 0.9 * 0.2 + ahead_b * ahead_a**2, "b": 0.9 * 0.5 + ahead_b**3 - ahead_a}
    params, opts, end = extragradient(field, apply, START, HEAVY)
    close(opts, momentum)
    close(params, {"a": 0.7 - 0.1 * momentum["a"], "b": -0.4 - 0.1 * momentum["b"]})
    close(end.aux, {"a": ahead_a, "b": ahead_b})


# --- rules that read the Jacobian of the field: F and J of `field` at the start, in float64

A, B = START.values()
F, J = np.array([B * A**2, B**3 - A]), np.array([[2 * A * B, A**2], [-1, 3 * B**2]])
ROTATING = (J - J.T) / 2
ADJUSTED = {"consensus": (consensus, J.T @ F), "symplectic": (symplectic, ROTATING.T @ F)}


@pytest.mark.parametrize("name", ADJUSTED)
def test_adjusted_rules_by_hand(name):
    # Kills: J for its transpose; the whole or the symmetric part of J; half of a weight, or its sign; an adjustment
    # that replaces the gradient; the momentum fed with the plain gradient; the look of another point.
    make, extra = ADJUSTED[name]
    params, opts, end = make(0.3)(field, apply, START, HEAVY)
    momentum = dict(zip(START, 0.9 * np.array([*HEAVY.values()]) + F + 0.3 * extra, strict=True))
    close(opts, momentum, 1e-5)
    close(params, {name: START[name] - 0.1 * momentum[name] for name in START}, 1e-5)
    close(end.aux, START, 1e-6)
    plain, none = descend(field, apply, START, HEAVY)[0], make(0.0)(field, apply, START, HEAVY)[0]
    close(none, plain, 1e-6)
    assert make()(field, apply, START, HEAVY)[0] == make(1.0)(field, apply, START, HEAVY)[0]


SIGNS = {  # J, and the sign of the adjustment at p = (1/2, 1/4)
    "near": (((3, 1), (-1, 3)), 1),
    "away": (((-3, 1), (-1, -3)), -1),
    "barely away": (((-0.7, 1), (-1, -0.7)), 1),  # (F . g) (A^T F . g) / d is -0.08
    "near, the other factor negative": (((-1, 3), (1, 6)), -1),
}


@pytest.mark.parametrize("name", SIGNS)
def test_the_sign_of_the_alignment(name):
    # Kills: no sign; a sign of one factor alone; a tenth of another sign, or none, where the product is small; a
    # product that is summed over params.
    p, slope, sign = np.array([0.5, 0.25]), np.array(SIGNS[name][0], float), SIGNS[name][1]
    force = slope @ p
    adjusted = (slope - slope.T).T / 2 @ force
    assert np.sign((force @ slope.T @ force) * (adjusted @ slope.T @ force) / 2 + 0.1) == sign

    def linear(q):
        return Field(dict(zip("ab", slope @ jnp.stack([q["a"], q["b"]]), strict=True)), {}, True)

    end = symplectic_aligned(0.5)(
        linear, lambda at, params, opts: (params, at.grads), dict(zip("ab", p, strict=True)), {}
    )[1]
    close(end, dict(zip("ab", force + 0.5 * sign * adjusted, strict=True)), 1e-5)


def test_players_that_do_not_move_are_held_fixed():
    # Kills: the Jacobian in the params of all players. F_a = b a^2 alone: J = 2 a b.
    def only(q):
        return Field({"a": q["b"] * q["a"] ** 2}, {}, True)

    def keep(at, params, opts):
        return params, at.grads

    close(consensus(0.5)(only, keep, START, {})[1], {"a": B * A**2 * (1 + 0.5 * 2 * A * B)}, 1e-5)
    for rule in (symplectic(0.5), symplectic_aligned(0.5)):  # of one player nothing turns
        close(rule(only, keep, START, {})[1], {"a": B * A**2}, 1e-5)


def test_adjusted_rules_need_no_forward_derivative():
    # Kills: a forward derivative, which the convolutions of this package have not.
    @jax.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (square(x), x), lambda x, g: (2 * x * g,))

    def through(q):
        return Field({"a": q["b"] * square(q["a"]), "b": q["b"] ** 3 - q["a"]}, {}, True)

    for rule in (consensus(0.3), symplectic(0.3), symplectic_aligned(0.3)):
        got, expected = (rule(f, apply, START, HEAVY)[1] for f in (through, field))
        close(got, expected, 1e-6)


def test_what_a_loss_stops_counts_in_the_jacobian():
    # Kills: a Jacobian that takes what a gradient holds fixed, such as singular vectors, for a constant.
    def stopping(q):
        return field({name: jax.lax.stop_gradient(value) for name, value in q.items()})

    for rule in (consensus(0.3), symplectic(0.3), symplectic_aligned(0.3)):
        close(rule(stopping, apply, START, HEAVY)[1], rule(field, apply, START, HEAVY)[1], 1e-6)


def test_where_consensus_stops():
    # Kills: a docstring that is wrong about it. F = 1 - a has J = -1 and its equilibrium at 1, which it leaves.
    def leaving(q):
        return Field({"a": 1 - q["a"]}, {}, True)

    def keep(at, params, opts):
        return params, at.grads

    close(consensus(1.0)(leaving, keep, {"a": 0.25}, {})[1], {"a": 0.0})
    close(consensus(2.0)(leaving, keep, {"a": 0.25}, {})[1], {"a": -0.75})  # it draws to 1


@pytest.mark.parametrize("weight", [np.float64(0.5), np.float32(0.5), jnp.float32(0.5)])
def test_weights_keep_the_precision_of_the_params(weight):
    # Kills: a weight of NumPy or JAX that is refused, or that promotes what the optimiser remembers.
    start = {"a": jnp.bfloat16(1)}
    got = consensus(weight)(lambda q: Field(q, {}, True), lambda at, params, opts: (params, at.grads), start, {})[1]
    assert got["a"].dtype == jnp.bfloat16 and got["a"] == 1.5


@pytest.mark.slow
@pytest.mark.parametrize("rule", [consensus(0.1), symplectic_aligned(0.1)])
def test_adjusted_rules_move_convolutions(rule):
    # Kills: a rule that a compiled step of images with a penalty cannot play; one that moves nothing.
    spec, batches = Spec((16, 16, 1), width=16), Batch(jax.random.uniform(KEY, (1, 4, 16, 16, 1)))
    game = gan(spec.generator(), spec.critic(), latent_dim=2, penalty=r1(1.0))
    players = ("critic", "generator")
    step = make_step(game, dict.fromkeys(players, optax.adam(1e-3)), (players,), rule=rule)
    start = step.init(KEY, Batch(batches.x[0]))
    before = jax.tree.map(np.asarray, start.params)
    state, _ = step.update(start, KEY, batches)
    assert state.skipped == 0
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), before, state.params)
    assert all(any(jax.tree.leaves(moved[name])) for name in players)


@pytest.mark.parametrize("make", [consensus, symplectic, symplectic_aligned])
def test_weights_that_are_refused(make):
    # Kills: a weight that is not looked at; a schedule, which a rule has no step for.
    for weight in (-0.1, np.nan, np.inf, "1", True, jnp.float32(-1), lambda step: 1.0):
        with pytest.raises(BadRequest, match="weight must be a finite number"):
            make(weight)


def test_parts_of_a_batch():
    # Kills: the Jacobian of each part with that part's own field; a factor that is stopped in a part; what all parts
    # leave stored at once. loss = a stop(a) mean(x): F = m a, J = m, whose parts differ.
    def loss(params, noise, batch, context):
        through = jnp.tanh(batch.x @ jnp.ones((1, 64)) + params["a"])
        still = params["a"] * jax.lax.stop_gradient(params["a"]) * jnp.mean(batch.x)
        return still + 0 * jnp.mean(jnp.sin(jnp.sin(through))), Aux({})

    x = jnp.linspace(-0.5, 1.5, 4096).reshape(1, -1, 1)  # of mean 1/2
    game = Game(lambda key, batch: ({"a": jnp.float32(1)}, {}), lambda key, batch: (), {"a": loss}, None)
    taken = {}
    for micro in (1, 8):
        step = make_step(game, {"a": optax.sgd(0.1)}, (("a",),), rule=consensus(1.0), micro=micro)
        state = step.init(KEY, Batch(x[0]))
        update = step.update.lower(state, KEY, Batch(x)).compile()
        taken[micro] = update.memory_analysis().temp_size_in_bytes
        np.testing.assert_allclose(update(state, KEY, Batch(x))[0].params["a"], 1 - 0.1 * (0.5 + 0.25), rtol=1e-5)
    assert taken[8] < taken[1] / 3, taken


def logarithm():
    """loss = log(p - 1/2): from p = 1 a step of SGD(0.3) leads to where it is not defined."""

    def loss(params, noise, batch, context):
        return jnp.log(params["p"] - 0.5) + noise, Aux({"noise": noise}, {"moves": context.state["moves"] + 1})

    def init(key, batch):
        return {"p": jnp.float32(1)}, {"moves": jnp.int32(0)}

    return Game(init, lambda key, batch: jax.random.normal(key), {"p": loss}, None)


def one_step(rate, rule, transform=optax.sgd):
    step, batches = make_step(logarithm(), {"p": transform(rate)}, (("p",),), rule=rule), Batch(jnp.zeros((1, 1)))
    return step.update(step.init(KEY, Batch(jnp.zeros(1))), KEY, batches)


def test_one_update_a_turn_inside_the_step():
    # Kills: an optimiser or a state that counts both gradients; two draws of noise in one turn; info of another point.
    state, info = one_step(0.1, extragradient)
    ahead = 1 - 0.1 * 2  # the slope at 1 is 2
    np.testing.assert_allclose(state.params["p"], 1 - 0.1 / (ahead - 0.5), rtol=1e-6)
    np.testing.assert_allclose(info["p"]["loss"] - info["p"]["noise"], np.log(ahead - 0.5), rtol=1e-5)
    np.testing.assert_allclose(info["p"]["noise"], one_step(0.1, descend)[1]["p"]["noise"], rtol=0)
    assert state.context.state["moves"] == 1
    assert one_step(0.1, extragradient, optax.adam)[0].opts["p"][0].count == 1


def test_a_look_ahead_that_is_not_finite_changes_nothing():
    # Kills: a guard of the first gradient alone.
    state, _ = one_step(0.3, extragradient)
    assert state.params["p"] == 1 and state.skipped == 1 and state.context.state["moves"] == 0
    state, _ = one_step(0.3, descend)
    np.testing.assert_allclose(state.params["p"], 0.4, rtol=1e-6)
    assert state.skipped == 0


def test_an_adjustment_that_is_not_finite_changes_nothing():
    # Kills: a guard of the gradient alone. loss = -sqrt(p) q: at p = 1e-30 the gradient is finite, its slope is not.
    def loss(name, params, noise, batch, context):
        value = -jnp.sqrt(params["p"]) * params["q"]
        return (value if name == "p" else -value), Aux({})

    def init(key, batch):
        return {"p": jnp.float32(1e-30), "q": jnp.float32(1)}, {}

    game = Game(init, lambda key, batch: (), {name: partial(loss, name) for name in "pq"}, None)
    for rule, skipped in ((descend, 0), (consensus(1.0), 1), (symplectic(1.0), 1)):
        step = make_step(game, dict.fromkeys("pq", optax.sgd(1e-20)), (("p", "q"),), rule=rule)
        state, _ = step.update(step.init(KEY, Batch(jnp.zeros(1))), KEY, Batch(jnp.zeros((1, 1))))
        assert state.skipped == skipped
        assert (state.params["p"] == jnp.float32(1e-30)) == bool(skipped)
