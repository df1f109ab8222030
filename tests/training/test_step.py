import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import dirac, gan_plan, linear

from jaxgen.core import Aux, BadRequest, Batch, Game
from jaxgen.objectives.rules import descend, extragradient, symplectic
from jaxgen.training.step import Ema, ema_rate, evaluation_params, make_step
from jaxgen.training.turns import all_finite

KEY = jax.random.key(1)
TOGETHER, ALTERNATING = (("critic", "generator"),), (("generator",), ("critic",))
LAZY = (("critic",), ("generator",), ("critic:plain",), ("generator",))
SGD = {"critic": optax.sgd(0.2), "generator": optax.sgd(0.2)}


def batches(turns, size=8):
    x = jax.random.normal(jax.random.key(9), (len(turns), size, 2))
    return Batch(x)


def first(batches):
    return jax.tree.map(lambda a: a[0], batches)


@functools.cache
def compiled(plan_of):
    """The step of a plan, a state maker and batches; shared by tests, since compiling is what they wait for."""
    plan = plan_of()
    step, data = plan.step(), batches(plan.turns)
    return step, lambda key=KEY: step.init(key, first(data)), data


def assert_same_bits(a, b):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_traced_once():
    # Kills: a Python number in the state; a shape that depends on the count.
    game, traces = dirac(), []

    def counted(loss):
        def wrapped(*args):
            traces.append(1)
            return loss(*args)

        return wrapped

    game = game._replace(losses={name: counted(loss) for name, loss in game.losses.items()})
    step, data = make_step(game, SGD, LAZY, ema=0.1), batches(LAZY)
    state, _ = step.update(step.init(KEY, first(data)), KEY, data)
    before = len(traces)
    for _ in range(2):
        state, _ = step.update(state, KEY, data)
    assert len(traces) == before > 0


@pytest.mark.parametrize("mover", ["critic", "generator"])
def test_own_player_only(mover):
    # Kills: one gradient taken over both players; an optimiser step for who did not move.
    step = make_step(dirac(), {"critic": optax.adam(0.1), "generator": optax.adam(0.1)}, ((mover,),))
    data = batches(((mover,),))
    before = jax.tree.map(np.asarray, step.init(KEY, first(data)))
    after, _ = step.update(step.init(KEY, first(data)), KEY, data)
    other = {"critic": "generator", "generator": "critic"}[mover]
    assert_same_bits((after.params[other], after.opts[other]), (before.params[other], before.opts[other]))
    assert after.params[mover] != before.params[mover] and after.opts[mover][0].count == 1


def test_gradients_noise_and_batches_are_those_of_the_turn():
    # Kills: another player's params differentiated; noise or batch of another turn; a wrong sign; figures of another
    # point, or of another player.
    step, start, data = compiled(linear)
    state, momentum = start(), np.zeros(2)
    params = jax.tree.map(np.array, state.params)
    for n in range(2):
        noise = [jax.random.normal(jax.random.fold_in(jax.random.fold_in(KEY, n), t), (2,)) for t in range(2)]
        slope = np.asarray(noise[0] + data.x[0, 0])
        expected_info = {"a": {"loss": slope @ params["a"], "grad_norm": np.hypot(*slope), "noise": noise[0][0]}}
        params["a"] = params["a"] - 0.1 * slope
        apart = params["a"] - params["b"]
        slope = np.asarray(noise[1] * apart)
        expected_info["b"] = {"loss": -0.5 * slope @ apart, "grad_norm": np.hypot(*slope), "noise": noise[1][0]}
        momentum = slope + 0.9 * momentum
        params["b"] = params["b"] - 0.1 * momentum
        state, info = step.update(state, KEY, data)
        assert {name: set(figures) for name, figures in info.items()} == {
            name: set(figures) for name, figures in expected_info.items()
        }
        jax.tree.map(lambda ours, exact: np.testing.assert_allclose(ours, exact, rtol=1e-5), info, expected_info)
    assert state.ema == {} and evaluation_params(state).keys() == state.params.keys()
    assert_same_bits(evaluation_params(state), state.params)
    for name in params:
        np.testing.assert_allclose(state.params[name], params[name], rtol=1e-5)


def test_noise_differs_at_every_step_and_turn_and_comes_back():
    # Kills: a key without the step, or without the turn; a key carried and split.
    step, start, data = compiled(gan_plan)

    def run(key):
        state, seen = start(), []
        for _ in range(4):
            state, info = step.update(state, key, data)
            seen += [float(info["critic"]["noise"]), float(info["generator"]["noise"])]
        return seen

    seen = run(KEY)
    assert len(set(seen)) == 8
    assert run(KEY) == seen
    assert not set(run(jax.random.key(2))) & set(seen)


def test_unrolled_and_looped_turns_agree():
    # Kills: turns in another order; info of the first such turn instead of the last.
    looped, start, data = compiled(gan_plan)
    unrolled, ends = make_step(*gan_plan()[:3], ema=gan_plan().ema, unroll=True), []
    for step in (looped, unrolled):
        state = start()
        for _ in range(5):
            state, info = step.update(state, KEY, data)
        ends.append((state, info))
    for a, b in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_a_game_is_handed_the_key_and_the_batch():
    # Kills: an init or a draw that is handed something else; the batch of the whole step for that of the turn.
    def loss(params, noise, batch, context):
        drawn, x = noise
        return jnp.sum(params["p"] * x[0]), Aux({"drawn": drawn, "x": x[0, 0], "seen": batch.x[0, 0]})

    def init(key, batch):
        return {"p": batch.x[0]}, {"number": jax.random.normal(key)}

    game = Game(init, lambda key, batch: (jax.random.normal(key), batch.x), {"p": loss, "p:again": loss}, None)
    turns = (("p",), ("p:again",))
    step, data = make_step(game, {"p": optax.sgd(0.1)}, turns), batches(turns)
    state = step.init(KEY, first(data))
    np.testing.assert_array_equal(state.params["p"], data.x[0, 0])
    np.testing.assert_allclose(state.context.state["number"], jax.random.normal(KEY), rtol=1e-6)
    _, info = step.update(state, KEY, data)
    for t, (name,) in enumerate(turns):
        drawn = jax.random.normal(jax.random.fold_in(jax.random.fold_in(KEY, 0), t))
        np.testing.assert_allclose(info[name]["drawn"], drawn, rtol=1e-6)
        assert info[name]["x"] == info[name]["seen"] == data.x[t, 0, 0]


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("turns, comes_back", [(TOGETHER, False), (ALTERNATING, False), (LAZY, True)])
def test_form(turns, comes_back, unroll):
    # Kills: a loop where no turn comes back, which is slower; none where one does, which compiles long; one although it
    # was asked not to.
    step, data = make_step(dirac(), SGD, turns, unroll=unroll), batches(turns)
    program = jax.make_jaxpr(step.update)(jax.eval_shape(step.init, KEY, first(data)), KEY, data)
    assert ("scan[" in str(program)) == (comes_back and not unroll)


def play(game, turns, steps, *, optimizers=SGD):
    step, nothing = make_step(game, optimizers, turns), Batch(jnp.zeros((len(turns), 1)))
    state = step.init(KEY, first(nothing))
    for _ in range(steps):
        state, _ = step.update(state, KEY, nothing)
    return state


# At step size 0.2, from the linearised map; without a penalty sqrt(1 + 0.2^2 / 4) and 1. Mescheder et al. 2018.
RATES = {TOGETHER: (1.0049876, 0.97468, 0.97321), ALTERNATING: (1.0, 0.96954, 0.97396, 0.92702)}


@pytest.mark.parametrize("turns", RATES, ids=["simultaneous", "alternating"])
def test_dirac_rates(turns):
    # Kills: movers of one turn that see each other's step; turns that do not; a penalty with another weight.
    step = make_step(dirac(), SGD, turns)
    nothing = Batch(jnp.zeros((len(turns), 1)))
    gammas = jnp.array([0.0, 0.3, 2.0, 1.0][: len(RATES[turns])])

    def radii(gamma):
        state = step.init(KEY, nothing)
        state = state._replace(context=state.context._replace(state={**state.context.state, "gamma": gamma}))

        def body(state, _):
            state, _ = step.update(state, KEY, nothing)
            return state, jnp.hypot(state.params["critic"], state.params["generator"])

        return jax.lax.scan(body, state, length=400)[1]

    # A line through the logarithms: the phase of a rotating solution averages out.
    logs = np.log(np.asarray(jax.jit(jax.vmap(radii))(gammas), np.float64))
    rates = np.exp(np.polyfit(np.arange(100, 400), logs[:, 100:].T, 1)[0])
    np.testing.assert_allclose(rates, RATES[turns], atol=1e-4)


def test_state_moves_with_its_turn_alone():
    # Kills: a state that a scan's switch drops; a state written by every turn.
    state = play(dirac(0.3), LAZY, 10)
    assert state.context.state["moves"] == 10 and state.context.step == 10


def test_lazy_turn_is_another_loss_of_the_same_player():
    # Kills: the colon ignored; a second set of params or a second optimiser for it.
    lazy = play(dirac(2.0), (("critic:plain",), ("generator",)), 20)
    free = play(dirac(0.0), (("critic",), ("generator",)), 20)
    assert_same_bits(lazy.params, free.params)
    assert set(lazy.opts) == {"critic", "generator"} and lazy.context.state["moves"] == 0


def test_turn_with_an_optimiser_of_its_own():
    # Kills: the player's optimiser used for it; state written back into the wrong slot.
    adams = {"critic": optax.sgd(0.0, 0.9), "critic:plain": optax.adam(0.1), "generator": optax.sgd(0.1)}
    state = play(dirac(0.0), (("critic",), ("critic:plain",), ("critic:plain",)), 5, optimizers=adams)
    assert state.opts["critic:plain"][0].count == 10 and state.opts["critic"][0].trace != 0
    assert state.params["critic"] != np.float32(0.01)
    still = {**adams, "critic:plain": optax.sgd(0.0)}
    assert play(dirac(0.0), (("critic:plain",), ("generator",)), 5, optimizers=still).params["critic"] == np.float32(
        0.01
    )


def test_vmap_over_seeds():
    # Kills: a Python branch on a state; noise shared between seeds.
    step, start, data = compiled(linear)
    keys = jax.random.split(KEY, 3)
    many, infos = jax.vmap(step.update, (0, 0, None))(jax.vmap(start)(keys), keys, data)
    assert len(set(np.asarray(infos["a"]["noise"]).tolist())) == 3
    for i, key in enumerate(keys):
        alone, _ = step.update(start(key), key, data)
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(many), strict=True):
            np.testing.assert_allclose(a, b[i], rtol=1e-5, atol=1e-7)


FAULTS = {
    "value behind a select": lambda hit, good, bad: jnp.where(hit, jnp.nan, good),
    "value and gradient": lambda hit, good, bad: good + jnp.where(hit, jnp.nan, 0.0) * bad,
    "infinite value": lambda hit, good, bad: good + jnp.where(hit, jnp.inf, 0.0),
    "gradient alone": lambda hit, good, bad: good + jnp.sqrt(jnp.where(hit, 0.0, 1.0) * (1 + 0 * bad)),
}


def faulty():
    """A quadratic; in step 7 it has the fault that the state names, by position in FAULTS."""

    def loss(params, noise, batch, context):
        value = jnp.sum((params["p"] - 1) ** 2)
        for i, fault in enumerate(FAULTS.values()):
            value = fault((context.step == 7) & (context.state["fault"] == i), value, jnp.sum(params["p"]))
        return value, Aux({}, {"seen": context.state["seen"] + 1})

    def init(key, batch):
        return {"p": jnp.zeros(2)}, {"seen": jnp.int32(0), "fault": jnp.int32(-1)}

    return Game(init, lambda key, batch: (), {"p": loss, "p:again": loss}, None)


@pytest.mark.parametrize("turns", [(("p",),), (("p",), ("p:again",))], ids=["one turn", "two turns"])
def test_turns_that_are_not_finite_change_nothing_but_the_counts(turns):
    # Kills: Adam's moments or the state touched; NaN only in the value let through; a streak that a finite step does
    # not end.
    step, data = make_step(faulty(), {"p": optax.adam(0.1)}, turns, ema=0.5), batches(turns)

    def at(steps, fault=-1):
        state = step.init(KEY, first(data))
        state.context.state["fault"] = jnp.int32(fault)
        for _ in range(steps):
            state, _ = step.update(state, KEY, data)
        state.context.state.pop("fault")
        return jax.tree.map(np.asarray, state)

    seven, eleven = at(7), at(11)
    for fault in range(len(FAULTS)):
        eight, twelve = at(8, fault), at(12, fault)
        assert_same_bits(
            (eight.params, eight.opts, eight.context.state), (seven.params, seven.opts, seven.context.state)
        )
        half = jax.tree.map(lambda e, p: e + 0.5 * (p - e), seven.ema, seven.params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), eight.ema, half)
        assert (eight.skipped, eight.streak, eight.context.step) == (1, 1, 8)
        assert (twelve.skipped, twelve.streak, twelve.context.step) == (1, 0, 12)
        assert_same_bits(twelve.params, eleven.params)


def test_a_long_streak_stays():
    # Kills: a patience of nine or eleven; a streak that goes on without an end, or that a finite step cannot end.
    step, data = make_step(faulty(), {"p": optax.sgd(0.1)}, (("p",),)), batches((("p",),))

    def after(streak, fault):
        state = step.init(KEY, first(data))
        entries = {**state.context.state, "fault": jnp.int32(fault)}
        state = state._replace(
            streak=jnp.int32(streak), context=state.context._replace(step=jnp.int32(7), state=entries)
        )
        return step.update(state, KEY, data)[0].streak

    assert [after(streak, -1) for streak in (0, 1, 9, 10)] == [0, 0, 0, 10]
    assert [after(streak, 0) for streak in (0, 1, 9, 10)] == [1, 2, 10, 10]


def both():
    """Two players who share a turn. The loss of the one that the state names is not finite; its gradient is."""

    def loss_of(name):
        def loss(params, noise, batch, context):
            value = jnp.sum((params[name]["w"] - 1) ** 2)
            return value + jnp.where(context.state["fault"] == ord(name), jnp.inf, 0.0), Aux({})

        return loss

    def init(key, batch):  # an empty leaf has no entry that could tell
        return {name: {"empty": jnp.zeros(0), "w": jnp.zeros(2)} for name in "ab"}, {"fault": jnp.int32(0)}

    return Game(init, lambda key, batch: (), {name: loss_of(name) for name in "ab"}, None)


ROUNDS = [(("a", "b"),), (("b", "a"),), (("a",), ("b",)), (("b",), ("a",)), (("a",), ("b",), ("a",))]


@pytest.mark.parametrize("turns", ROUNDS, ids=str)
def test_a_turn_that_is_not_finite_moves_nobody_and_other_turns_move(turns):
    # Kills: a guard of the last mover alone, or one that lets a finite player of the turn move; one that undoes the
    # turns before or stops those after; a step that is counted twice; an empty leaf whose norm is not finite.
    step, data = make_step(both(), {"a": optax.sgd(0.1), "b": optax.sgd(0.1)}, turns), batches(turns)
    for fault in "-ab":
        state = step.init(KEY, first(data))
        state.context.state["fault"] = jnp.int32(ord(fault))
        state, _ = step.update(state, KEY, data)
        for name in "ab":
            moves = sum(name in turn and fault not in turn for turn in turns)
            np.testing.assert_allclose(state.params[name]["w"], [1 - 0.8**moves] * 2, rtol=1e-6)
        assert state.skipped == (fault != "-")


@pytest.mark.parametrize(
    "rule", [descend, extragradient, symplectic(0.0)], ids=["descend", "extragradient", "symplectic"]
)
@pytest.mark.parametrize("micro", [1, 2])
def test_a_state_that_is_not_finite_stops_its_turn(rule, micro):
    # Kills: a state that is not looked at: NaN statistics stay for ever; its params moved all the same, or its step not
    # counted; one looked at in one part of the batch; a whole number taken for a float.
    def loss(params, noise, batch, context):
        seen = {"mean": jnp.mean(batch.x) / (context.step - 1), "count": context.state["count"] + 1}
        return jnp.sum((params["p"] - 1) ** 2), Aux({}, {"statistics": seen["mean"], "count": seen["count"]})

    def init(key, batch):
        return {"p": jnp.zeros(2)}, {"statistics": jnp.zeros(()), "count": jnp.int32(0)}

    turns, game = (("p",),), Game(init, lambda key, batch: (), {"p": loss}, None)
    step, data = make_step(game, {"p": optax.sgd(0.1)}, turns, rule=rule, micro=micro), batches(turns)
    state, _ = step.update(step.init(KEY, first(data)), KEY, data)
    once = jax.tree.map(np.asarray, (state.params, state.context.state))
    assert (state.skipped, state.context.state["count"]) == (0, 1) and state.params["p"][0] > 0
    state, _ = step.update(state, KEY, data)
    assert (state.skipped, state.streak) == (1, 1)
    assert_same_bits((state.params, state.context.state), once)
    state, _ = step.update(state, KEY, data)
    assert (state.skipped, state.streak, state.context.state["count"]) == (1, 0, 2)


def test_an_optimiser_is_handed_the_loss_of_its_turn():
    # Kills: an optimiser that wants a value refused, or one that takes none; the loss of another player of the turn.
    def looks(updates, state, params=None, *, value, **_):
        return jax.tree.map(lambda g: 0 * g - value, updates), value

    def start(params):
        return jnp.zeros(())

    tx = optax.GradientTransformationExtraArgs(start, looks)
    step, data = make_step(linear().game, {"a": tx, "b": optax.chain(tx)}, (("a", "b"),)), batches((("a", "b"),))
    state, info = step.update(step.init(KEY, first(data)), KEY, data)
    assert (state.opts["a"], *state.opts["b"]) == (info["a"]["loss"], info["b"]["loss"])
    assert info["a"]["loss"] != info["b"]["loss"]
    plateau = optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(patience=1, cooldown=0))
    plain = optax.GradientTransformation(lambda params: (), lambda updates, state, params=None: (updates, state))
    step = make_step(both(), {"a": plateau, "b": plain}, (("a", "b"),))
    state, _ = step.update(step.init(KEY, first(data)), KEY, data)
    np.testing.assert_allclose([state.params["a"]["w"], state.params["b"]["w"]], [[0.2] * 2, [-2.0] * 2], rtol=1e-6)


def coupled(couples=False):
    """A loss whose gradient is the mean of x, a state that is the mean of x, one that counts, and noise in the info."""

    def loss(params, noise, batch, context):
        mean = jnp.mean(batch.x, 0)
        state = {"mean": mean, "count": context.state["count"] + 1}
        return jnp.sum(params["p"] * mean), Aux({"noise": noise, "rows": jnp.float32(len(batch.x))}, state)

    def init(key, batch):
        return {"p": jnp.zeros(2)}, {"mean": jnp.zeros(2), "count": jnp.int32(0)}

    return Game(init, lambda key, batch: jax.random.normal(key), {"p": loss}, None, couples=couples)


def test_micro_batches_are_the_batch():
    # Kills: a sum for the mean; parts that leave examples out; a state that is threaded from part to part, so that it
    # counts four; one noise for all parts; a count that becomes a fraction.
    turns = (("p",),)
    data = batches(turns)
    whole, parts = (make_step(coupled(), {"p": optax.sgd(1.0)}, turns, micro=micro) for micro in (1, 4))
    ends = []
    for step in (whole, parts):
        state, info = step.update(step.init(KEY, first(data)), KEY, data)
        ends.append((state.params["p"], state.context.state["mean"], info["p"]["grad_norm"], info["p"]["loss"]))
        assert state.context.state["count"] == 1 and state.context.state["count"].dtype == jnp.int32
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ends[1][0], -np.mean(data.x[0], 0), rtol=1e-5)
    assert info["p"]["rows"] == 2
    key = jax.random.fold_in(jax.random.fold_in(KEY, 0), 0)
    noise = [jax.random.normal(jax.random.fold_in(key, i)) for i in range(4)]
    np.testing.assert_allclose(info["p"]["noise"], np.mean(noise), rtol=1e-5)


@pytest.mark.parametrize(
    ("couples", "micro", "says"),
    [(True, 2, "couples the examples"), (False, 0, "micro=0"), (False, 3, "8 .* into 3 equal")],
)
def test_refuses_micro_batches_that_are_not_the_batch(couples, micro, says):
    # Kills: each check left out: a minibatch statistic of parts; examples that are dropped without a word.
    with pytest.raises(BadRequest, match=says):
        step = make_step(coupled(couples), {"p": optax.sgd(1.0)}, (("p",),), micro=micro)
        data = batches((("p",),))
        step.update(step.init(KEY, first(data)), KEY, data)


def test_average_of_chosen_players_in_float32():
    # Kills: an average in the dtype of params, which at rate 1e-3 never moves in bfloat16; one of every player.
    game = both()

    def init(key, batch):
        params, state = game.init(key, batch)
        return jax.tree.map(lambda a: a.astype(jnp.bfloat16), params), state

    turns = (("a", "b"),)
    sgd = {"a": optax.sgd(1.0), "b": optax.sgd(1.0)}
    step = make_step(game._replace(init=init), sgd, turns, ema=Ema(1e-3, ("b",)))
    data = batches(turns)
    state = step.init(KEY, first(data))
    state, _ = step.update(state, KEY, data)
    assert set(state.ema) == {"b"} and state.ema["b"]["w"].dtype == jnp.float32
    np.testing.assert_allclose(state.ema["b"]["w"], [2e-3, 2e-3], rtol=1e-2)
    params = evaluation_params(state)
    assert params["b"]["w"].dtype == jnp.bfloat16 and params["a"]["w"][0] == 2.0 and params["b"]["w"][0] < 0.01
    with pytest.raises(BadRequest, match="average is kept of 'c'"):
        make_step(game, sgd, turns, ema=Ema(1e-3, ("c",)))


def test_moving_average():
    # Kills: an average that starts at zero, moves per turn, or shares its buffer with the params.
    step, start, data = compiled(gan_plan)
    state = start()
    average = jax.tree.map(np.asarray, state.params)
    for _ in range(3):
        state, _ = step.update(state, KEY, data)
        average = jax.tree.map(lambda a, p: a + 0.05 * (np.asarray(p) - a), average, state.params)
    for a, b in zip(jax.tree.leaves(evaluation_params(state)), jax.tree.leaves(average), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_rate_of_the_average_may_follow_the_step():
    # Kills: the schedule read after the step is counted; a schedule that is ignored.
    step, start, data = compiled(lambda: linear(ema=lambda n: jnp.where(n == 0, 1.0, 0.25)))
    state, _ = step.update(start(), KEY, data)
    assert_same_bits(state.ema, state.params)
    old = np.asarray(state.ema["b"])
    state, _ = step.update(state, KEY, data)
    np.testing.assert_allclose(state.ema["b"], old + 0.25 * (np.asarray(state.params["b"]) - old), rtol=1e-5)
    np.testing.assert_allclose(ema_rate(0.001)(200), 1 - 2 ** (-20 / 200), rtol=1e-4)


@pytest.mark.parametrize("rate", [0, 0.0, -1.0, 1.001, 2, True, float("nan"), "x", None, [0.1]])
def test_refuses_rates_of_an_average_that_are_none(rate):
    # Kills: each end of the range let through: 0 evaluates the first params, 2 and -1 run away; words and flags.
    with pytest.raises(BadRequest, match="share of the new params in each step, 1 - decay"):
        make_step(dirac(), SGD, TOGETHER, ema=Ema(rate))
    for allowed in (1, 0.001, np.float32(0.5), lambda step: 0.0):
        make_step(dirac(), SGD, TOGETHER, ema=Ema(allowed))


def test_state_is_donated():
    # Kills: an update that copies its state.
    step, start, data = compiled(linear)
    state = start()
    step.update(state, KEY, data)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ((("critic", "critic:plain"),), "moves one player twice"),
        ((("discriminator",),), "'discriminator' is no loss of this game: it has critic"),
        ((), "at least one turn"),
        (("generator", "critic"), r"'generator' is no tuple: .* such as \('generator',\)"),
        ("critic", r"'c' is no tuple: .* such as \('critic',\)"),
        ((["critic"],), r"\['critic'\] is no tuple"),
    ],
)
def test_refuses_turns(turns, says):
    # Kills: each check left out; letters of a name taken for losses; a TypeError of what cannot be hashed.
    with pytest.raises(BadRequest, match=says):
        make_step(dirac(), SGD, turns)


def test_a_step_compiles_as_many_turns_as_differ():
    # Kills: a branch for every turn of a step, however often it comes back.
    step, data = make_step(dirac(), {**SGD, "critic:plain": optax.sgd(0.2)}, LAZY), batches(LAZY)
    state = jax.eval_shape(step.init, KEY, first(data))
    branches, rest = [], [jax.make_jaxpr(step.update)(state, KEY, data).jaxpr]
    while rest:
        for equation in rest.pop().eqns:
            branches.append(len(equation.params.get("branches", ())))
            inner = jax.tree.leaves(list(equation.params.values()), is_leaf=lambda v: hasattr(v, "eqns"))
            rest += [getattr(v, "jaxpr", v) for v in inner if hasattr(v, "eqns") or hasattr(v, "jaxpr")]
    assert max(branches) == len(set(LAZY)) < len(LAZY)


@pytest.mark.parametrize("turns", [ALTERNATING, LAZY])
def test_refuses_batches_that_are_not_one_for_each_turn(turns):
    # Kills: batches beyond the turns that are left out without a word; a batch without the axis of turns.
    step, data = make_step(dirac(), {**SGD, "critic:plain": optax.sgd(0.2)}, turns), batches((*turns, *turns))
    state = step.init(KEY, first(data))
    for wrong in (data, first(data)):
        says = re.escape(
            f"a step of {len(turns)} turns takes a batch for each, leaves [{len(turns)}, B, ...], and batch.x"
        )
        with pytest.raises(BadRequest, match=f"{says} is {re.escape(str(list(wrong.x.shape)))}"):
            step.update(state, KEY, wrong)


def test_refuses_a_player_without_an_optimiser():
    with pytest.raises(BadRequest, match="'generator' has no optimiser"):
        make_step(dirac(), {"critic": optax.sgd(0.1)}, TOGETHER)


def small(init=None, loss=None, losses=None):
    return Game(
        init or (lambda key, batch: ({"a": jnp.zeros(())}, {"kept": jnp.zeros(2)})),
        lambda key, batch: jnp.zeros(()),
        losses or {"a": loss or (lambda params, noise, batch, context: (params["a"], Aux({})))},
        lambda *_: None,
    )


BATCH = Batch(jnp.ones((4, 2)))


@pytest.mark.parametrize(
    "loss, says",
    [
        (lambda params, noise, batch, context: params["a"], "a bare value.*jaxgen.Aux"),
        (lambda params, noise, batch, context: (params["a"], {"x": 1.0}), "a tuple that ends in dict.*jaxgen.Aux"),
        (lambda params, noise, batch, context: (params["a"] + batch.x[:, 0], Aux({})), r"shape \[4\]"),
        (lambda params, noise, batch, context: (params["a"], Aux({"grad_norm": noise})), "'grad_norm', which the step"),
        (lambda params, noise, batch, context: (params["a"], Aux({"loss": noise})), "'loss', which the step"),
        (
            lambda params, noise, batch, context: (params["a"], Aux({"far": batch.x[:, 0]})),
            "'far', which is no single number",
        ),
        (lambda params, noise, batch, context: (params["a"], Aux({"all": params})), "'all', which is no single number"),
        (lambda params, noise, batch, context: (params["a"], Aux({}, {"ghost": noise})), "'ghost'"),
        (lambda params, noise, batch, context: (params["a"], Aux({}, {"kept": batch.x})), "'kept' in other shapes"),
    ],
)
def test_refuses_a_loss_that_a_step_cannot_use(loss, says):
    # Kills: each check left out: JAX's own words then name neither the loss nor what it should return; a figure named
    # grad_norm that takes the place of the one which tells a step that is not finite.
    step = make_step(small(loss=loss), {"a": optax.sgd(0.1)}, (("a",),))
    state = step.init(jax.random.key(0), BATCH)
    with pytest.raises(BadRequest, match=f"loss 'a' .*{says}"):
        step.update(state, jax.random.key(1), jax.tree.map(lambda a: a[None], BATCH))


@pytest.mark.parametrize(
    "made, says",
    [
        ({"a": jnp.zeros(())}, "empty state is {}"),
        ((jnp.zeros(()), {}), "both dicts"),
        (({"b": jnp.zeros(())}, {}), "params of b, and a loss is for player 'a'"),
        (({"a": {"w": jnp.zeros(()), "act": jnp.tanh}}, {}), r"params\['a'\]\['act'\] is no float array"),
        (({"a": {"w": jnp.zeros(()), "n": jnp.zeros((), int)}}, {}), r"\['n'\] is no float array"),
        (({"a": "silu"}, {}), r"params\['a'\] is no float array"),
        (
            ({"a": jnp.zeros(())}, {"b": [jax.random.key(0)]}),
            r"state\['b'\]\[0\] is a random key, which checkpoints",
        ),
    ],
)
def test_refuses_an_init_that_a_step_cannot_use(made, says):
    # Kills: each check left out.
    step = make_step(small(init=lambda key, batch: made), {"a": optax.sgd(0.1)}, (("a",),))
    with pytest.raises(BadRequest, match=says):
        step.init(jax.random.key(0), BATCH)


@pytest.mark.parametrize(
    "optimizers, says",
    [
        ({"a": optax.sgd(0.1), "b": optax.sgd(0.1)}, "optimiser 'b' belongs to no player: the players are a"),
        ({"a": 0.1}, "optimiser 'a' is 0.1"),
        (optax.sgd(0.1), "one for each player"),
    ],
)
def test_refuses_optimisers_that_are_none(optimizers, says):
    # Kills: each check left out.
    with pytest.raises(BadRequest, match=says):
        make_step(small(), optimizers, (("a",),))


def test_refuses_losses_without_names_and_batches_that_are_none():
    # Kills: each check left out.
    with pytest.raises(BadRequest, match="losses is a function: name each"):
        make_step(small(losses=lambda: None), {"a": optax.sgd(0.1)}, (("a",),))
    step = make_step(small(), {"a": optax.sgd(0.1)}, (("a",),))
    with pytest.raises(BadRequest, match="jaxgen.Batch"):
        step.update(step.init(jax.random.key(0), BATCH), jax.random.key(1), BATCH.x)


@pytest.mark.parametrize("x", [jnp.ones((4, 2), jnp.uint8), {"a": jnp.ones((4, 2)), "b": jnp.ones((4, 2), jnp.uint8)}])
def test_refuses_pixels_of_8_bits(x):
    # Kills: either check left out: networks then train on numbers from 0 to 255; words or labels refused.
    step = make_step(small(), {"a": optax.sgd(0.1)}, (("a",),))
    with pytest.raises(BadRequest, match="is uint8.*jaxgen.data.as_float"):
        step.init(jax.random.key(0), Batch(x))
    with pytest.raises(BadRequest, match="is uint8.*jaxgen.data.as_float"):
        state = step.init(jax.random.key(0), BATCH)
        step.update(state, jax.random.key(1), jax.tree.map(lambda a: a[None], Batch(x)))
    words = Batch(jnp.ones((4, 2), jnp.int32), jnp.ones(4, jnp.uint8))
    step.update(step.init(jax.random.key(0), words), jax.random.key(1), jax.tree.map(lambda a: a[None], words))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_all_finite(bad):
    # Kills: a compiler that takes 0 * x for 0; a sum of the values themselves, which overflows; the last leaf alone.
    finite = [jnp.ones((3, 4)), jnp.full(2, np.finfo(np.float32).max), jnp.arange(3), jnp.ones(2, jnp.bfloat16)]
    check = jax.jit(all_finite)
    assert check(finite) and all_finite(finite) and all_finite([])
    for i in (0, 1, 3):
        tree = [leaf.at[(0,) * leaf.ndim].set(bad) if i == j else leaf for j, leaf in enumerate(finite)]
        assert not check(tree) and not all_finite(tree)
