import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import gan_plan, linear

from jaxgen.core import Aux, BadRequest, Game
from jaxgen.objectives.rules import extragradient
from jaxgen.training import sources
from jaxgen.training.devices import make_mesh
from jaxgen.training.loop import Diverged, default_chunk, train
from jaxgen.training.order import indices
from jaxgen.training.program import Plan, compile_loop, run_keys
from jaxgen.training.sources import arrays, positions

X = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
KEYS = run_keys(5)


@pytest.fixture(scope="module")
def program():
    return compile_loop(gan_plan(), arrays(X), batch_size=16, chunk=5)


def leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def assert_same_bits(a, b):
    for one, other in zip(leaves(a), leaves(b), strict=True):
        np.testing.assert_array_equal(one, other)


def play(program, lengths, keys=KEYS):
    state, start, infos = program.init(keys.init), 0, []
    for count in lengths:
        state, info = program.advance(state, keys.noise, program.fetch(keys.data, start, count))
        infos.append(info)
        start += count
    return state, jax.tree.map(lambda *a: np.concatenate(a), *infos)


def test_chunk_length_changes_no_bit(program):
    # Kills: noise keyed by the position in the dispatch; an order counted from the dispatch.
    whole, info = play(program, [12])
    for lengths in ([5, 5, 2], [1] * 12):
        state, parts = play(program, lengths)
        assert_same_bits(state, whole)
        assert_same_bits(parts, info)


def test_as_many_programs_as_chunk_lengths():
    # Kills: a compilation per dispatch, per run or per seed.
    program = compile_loop(linear(), arrays(X), batch_size=16, chunk=5)
    assert list(program.compile_s) == ["init", 5]
    for _ in train(program, program.init(KEYS.init), KEYS, steps=12):
        assert set(program.compile_s) == {"init", 5, 2}
    compiled = dict(program.compile_s)
    for seed in (1, 2):
        keys = run_keys(seed)
        for chunk in train(program, program.init(keys.init), keys, steps=12, fetch=positions(50, subset=np.arange(20))):
            assert chunk.state.context.step == chunk.step
    assert program.compile_s == compiled
    assert all(seconds > 0 for seconds in compiled.values())


def test_goes_on_where_the_state_is(program):
    # Kills: an order, or a count of steps, that begins again.
    *_, whole = train(program, program.init(KEYS.init), KEYS, steps=12)
    *_, first = train(program, program.init(KEYS.init), KEYS, steps=5)
    copy = program.place(jax.tree.map(np.asarray, first.state))
    rest = list(train(program, copy, KEYS, steps=12))
    assert [chunk.step for chunk in rest] == [10, 12]
    assert_same_bits(rest[-1].state, whole.state)
    assert list(train(program, rest[-1].state, KEYS, steps=12)) == []


def test_info_is_the_mean_over_the_chunk(program):
    # Kills: the last step's figures; a mean over turns.
    _, info = play(program, [5, 5, 2])
    chunks = list(train(program, program.init(KEYS.init), KEYS, steps=12))
    for chunk, part in zip(chunks, (slice(0, 5), slice(5, 10), slice(10, 12)), strict=True):
        np.testing.assert_allclose(chunk.info["critic"]["loss"], info["critic"]["loss"][part].mean(), rtol=1e-6)
    assert [chunk.steps for chunk in chunks] == [5, 5, 2]


def echo(probe):
    """A game whose info is a function of the batch, and whose params stay."""

    def loss(params, noise, batch, context):
        return 0 * params["p"], Aux(probe(batch))

    init = lambda key, batch: ({"p": jnp.float32(1.0)}, {})  # noqa: E731
    return Plan(Game(init, lambda key, batch: (), {"p": loss}, None), {"p": optax.sgd(0.1)}, (("p",), ("p",)))


def test_batches_are_the_examples_of_the_order_as_float():
    # Kills: uint8 that reaches a game; labels of other examples; turns that swap batches.
    pixels = np.random.default_rng(1).integers(0, 256, (30, 2, 2, 1)).astype(np.uint8)
    label = np.arange(30, dtype=np.int32) % 7

    def probe(batch):
        assert batch.x.dtype == jnp.float32 and batch.x.shape == (4, 2, 2, 1)
        return {"sum": batch.x.sum(), "label": batch.condition.sum()}

    source = arrays(pixels, label, condition=lambda x, label: label)
    program = compile_loop(echo(probe), source, batch_size=4, chunk=3)
    at = indices(KEYS.data, 0, (3, 2, 4), 30)
    _, info = program.advance(program.init(KEYS.init), KEYS.noise, at)
    last = at[:, 1]  # of the step's two such turns
    np.testing.assert_allclose(info["p"]["sum"], (pixels[last] / 255).sum((1, 2, 3, 4)), rtol=1e-5)
    np.testing.assert_array_equal(info["p"]["label"], label[last].sum(1))


def test_the_rule_of_a_plan_is_played():
    # Kills: a rule that the loop leaves behind: the plain one gives 0.9^3.
    def loss(params, noise, batch, context):
        return params["p"] ** 2 / 2, Aux({})

    game = Game(lambda key, batch: ({"p": jnp.float32(1.0)}, {}), lambda key, batch: (), {"p": loss}, None)
    plan = Plan(game, {"p": optax.sgd(0.1)}, (("p",),), rule=extragradient)
    program = compile_loop(plan, arrays(X), batch_size=16, chunk=3)
    (chunk,) = train(program, program.init(KEYS.init), KEYS, steps=3)
    np.testing.assert_allclose(chunk.state.params["p"], (1 - 0.1 + 0.1**2) ** 3, rtol=1e-6)


def convolving():
    """A VAE-like regression with one of XLA's own convolutions."""

    def loss(params, noise, batch, context):
        y = jax.lax.conv_general_dilated(
            batch.x, params["p"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return jnp.mean((y - batch.x + 0.1 * noise) ** 2), Aux({"noise": noise[0, 0, 0, 0]})

    def init(key, batch):
        return {"p": jax.random.normal(key, (3, 3, 1, 1))}, {}

    game = Game(init, lambda key, batch: jax.random.normal(key, batch.x.shape), {"p": loss, "p:again": loss}, None)
    return Plan(game, {"p": optax.adam(0.01)}, (("p",), ("p:again",)))


def test_own_convolutions_are_unrolled_one_step_per_dispatch():
    # Kills: a convolution in a while loop on CPU; infos of the last step alone; another order than the scanned form's.
    x = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 1)).astype(np.uint8)
    program = compile_loop(convolving(), arrays(x), batch_size=4, chunk=5)
    assert program.form == "unrolled" and set(program.compile_s) == {"init", 1}
    chunks = list(train(program, program.init(KEYS.init), KEYS, steps=7))
    assert [chunk.step for chunk in chunks] == [5, 7] and set(program.compile_s) == {"init", 1}
    state, info = play(program, [7])
    assert_same_bits(state, chunks[-1].state)
    assert info["p"]["noise"].shape == (7,) and len(np.unique(info["p"]["noise"])) == 7
    assert state.context.step == 7


def test_dense_networks_are_scanned(program):
    assert program.form == "scanned"
    assert default_chunk((32, 32, 1)) == 100 and default_chunk((32, 32, 3)) == 10 and default_chunk((2,)) == 100


def poisoned(bad):
    """A quadratic whose loss is NaN in the steps that `bad` names."""

    def loss(params, noise, batch, context):
        return jnp.where(bad(context.step), jnp.nan, jnp.sum((params["p"] - noise) ** 2)), Aux({})

    def init(key, batch):
        return {"p": jnp.zeros(2)}, {}

    return Plan(
        Game(init, lambda key, batch: jax.random.normal(key, (2,)), {"p": loss}, None),
        {"p": optax.adam(0.1)},
        (("p",),),
    )


def test_ten_steps_in_a_row_that_are_not_finite_end_the_run():
    # Kills: patience counted in all; params touched on the way; no chunk handed out before the error.
    program = compile_loop(poisoned(lambda n: n >= 7), arrays(X), batch_size=4, chunk=5)
    *_, healthy = train(program, program.init(KEYS.init), KEYS, steps=7)
    kept = leaves(healthy.state.params)
    seen = []
    with pytest.raises(Diverged, match="10 steps in a row"):
        for chunk in train(program, program.init(KEYS.init), KEYS, steps=100):
            seen.append(chunk.step)
            last = leaves(chunk.state.params)
    assert seen == [5, 10, 15, 20] and np.isfinite(last[0]).all()
    assert_same_bits(last, kept)


def test_nine_steps_are_forgiven():
    # Kills: a patience of nine; a streak that a finite step does not end.
    program = compile_loop(poisoned(lambda n: n % 10 != 0), arrays(X), batch_size=4, chunk=10)
    *_, chunk = train(program, program.init(KEYS.init), KEYS, steps=30)
    assert chunk.state.skipped == 27 and chunk.state.streak == 9 and not np.isfinite(chunk.info["p"]["loss"])


@pytest.mark.parametrize("size", [0, 51])
def test_batch_size_that_cannot_be(size):
    with pytest.raises(BadRequest, match="between 1 and the 50 training examples"):
        compile_loop(linear(), arrays(X), batch_size=size, chunk=5)


def test_numbers_that_a_game_does_not_take_are_refused():
    # Kills: pixels read into counts or standardised columns; a bound that is not compared; bytes refused.
    x = np.random.default_rng(0).random((50, 3), np.float32)
    plan = echo(lambda batch: {})
    plan = plan._replace(game=plan.game._replace(range=(0.0, 1.0)))
    for wrong in (x - 1e-3 * (x == x.min()) - x.min(), x + 1.001 * (x == x.max())):
        with pytest.raises(BadRequest, match="and this game takes 0 to 1: .*VECTORS"):
            compile_loop(plan, arrays(wrong.astype(np.float32)), batch_size=4, chunk=5)
    assert compile_loop(plan, arrays(x), batch_size=4, chunk=2).size == 50
    assert compile_loop(plan, arrays(np.uint8(255 * x)), batch_size=4, chunk=2).size == 50


def test_domains_are_seen_in_orders_of_their_own():
    # Kills: one order for both domains, which would pair them; the smaller domain cut short or the larger one cut off.
    domains = {"a": np.arange(40, dtype=np.float32)[:, None], "b": np.arange(60, dtype=np.float32)[:, None]}
    source = sources.unpaired(**{name: arrays(x) for name, x in domains.items()})
    at = source.fetch(KEYS.data, 0, (1, 3, 20), 0, 1)
    batch = source.batch(source.resident, jax.tree.map(lambda a: a[0], at))
    a, b = (np.asarray(batch.x[name]).reshape(-1) for name in "ab")
    assert batch.condition is None and source.size == 60
    assert sorted(a[:40].tolist()) == list(range(40)) and sorted(b.tolist()) == list(range(60))
    assert not np.array_equal(a[:40], b[:40])
    with pytest.raises(BadRequest, match="two domains"):
        sources.unpaired(a=arrays(X))


def test_every_process_fetches_its_part():
    # Kills: parts that overlap, or that are those of another number of processes.
    fetch = positions(50)
    whole = fetch(KEYS.data, 7, (2, 3, 8), 0, 1)
    parts = [fetch(KEYS.data, 7, (2, 3, 8), process, 2) for process in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts, -1), whole)


def test_gradients_on_four_devices_agree_with_one(program):
    # Kills: a gradient summed over devices or averaged twice; a batch that each device sees whole; noise by device.
    mesh = make_mesh(jax.devices()[:4])
    with pytest.raises(BadRequest, match="4 devices: use 16 or 20"):
        compile_loop(gan_plan(), arrays(X), batch_size=18, chunk=5, mesh=mesh)
    four = compile_loop(gan_plan(), arrays(X), batch_size=16, chunk=5, mesh=mesh)
    (alone, said), (shared, heard) = play(program, [5]), play(four, [5])
    for a, b in zip(leaves((alone, said)), leaves((shared, heard)), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
    assert len(jax.tree.leaves(shared)[0].sharding.device_set) == 4
    back = four.place(jax.tree.map(np.asarray, shared))  # as from a checkpoint
    four.advance(back, KEYS.noise, four.fetch(KEYS.data, 0, 5))


def test_a_streak_within_a_dispatch_is_not_missed():
    # Kills: a streak looked at between dispatches only, and forgotten by the finite step that ends one.
    program = compile_loop(poisoned(lambda n: (n >= 3) & (n < 15)), arrays(X), batch_size=4, chunk=20)
    with pytest.raises(Diverged, match="by step 20"):
        list(train(program, program.init(KEYS.init), KEYS, steps=40))


@pytest.mark.parametrize(("at", "seen"), [(0, [5]), (7, [5, 10])])
def test_params_that_are_not_finite_end_the_run(at, seen):
    # Kills: params looked at after ten steps in a row only, so that a run which ends before hands out NaN; a chunk that
    # is not handed out before the error; a line that does not say which.
    plan = poisoned(lambda n: n < 0)._replace(
        optimizers={"p": optax.sgd(lambda count: jnp.where(count >= at, jnp.nan, 0.1))}
    )
    program, steps = compile_loop(plan, arrays(X), batch_size=4, chunk=5), []
    with pytest.raises(Diverged, match=f"^params/p is not finite after step {seen[-1]}: look at its optimiser"):
        for chunk in train(program, program.init(KEYS.init), KEYS, steps=10):
            steps.append(chunk.step)
    assert steps == seen
