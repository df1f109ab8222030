"""One model on one seed: the examples and keys that its four trainings see. Programs are hollow, the loop is not."""

import functools
import gc
import threading

import jax
import numpy as np
import pytest
from jax.stages import Lowered

from jaxgen.comparison import contender as module
from jaxgen.comparison import player
from jaxgen.comparison.contender import Contender, Seconds, Steps, invertible
from jaxgen.comparison.outcome import STAGES, empty, measure, trainings
from jaxgen.comparison.player import play
from jaxgen.core import Context, Model
from jaxgen.data import Data, Split
from jaxgen.recipes import RECIPES
from jaxgen.tasks import DETECT, MAIN, REPRESENT, SYNTHESISE, Metric, Reading, Reference, Task, Training
from jaxgen.tasks.task import Form
from jaxgen.training import compiled as compiling
from jaxgen.training import sources
from jaxgen.training.loop import Chunk, Diverged
from jaxgen.training.pool import Pool
from jaxgen.training.program import Program, run_keys
from jaxgen.training.sources import positions
from jaxgen.training.step import State

TURNS, BATCH = 2, 8
SEED, LEFT_OUT = 4, 1


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    splits = [
        Split(rng.normal(size=(n, 3)).astype(np.float32), (np.arange(n) % 3).astype(np.int32)) for n in (90, 30, 45)
    ]
    return Data("toy", "table", *splits, ("a", "b", "c"), None, None, "", ())


def hollow(name, examples, seen):
    """A program that plays nothing and notes which keys and which examples reach it."""

    def init(key):
        seen.append((name, "init", key, None))
        zero = np.int32(0)
        return State({"net": np.zeros(1)}, {}, Context(zero, {}), {}, zero, zero)

    def advance(state, key, at):
        seen.append((name, "noise", key, at))
        context = state.context._replace(step=state.context.step + len(at))
        return state._replace(context=context), {"net": {"loss": np.zeros(len(at))}}

    def fetch(key, step, count, other=None):
        return (other or positions(examples))(key, step * TURNS * BATCH, (count, TURNS, BATCH), 0, 1)

    size = (TURNS, BATCH)
    compiled = (lambda count: None, lambda state: state, size, examples, 2, "scanned", {})
    return Program(init, fetch, advance, *compiled, lambda source: None, None, lambda: None)


@pytest.fixture
def seen(data, monkeypatch):
    """What reached the programs of a GAN on one seed: (program, use, key, indices), in order."""
    found, measured = [], []
    programs = [hollow(name, len(data.train.x), found) for name in ("gan", "encoder")]

    def watched(order):
        def indices(key, *args, **kwargs):
            found.append(("order", "data", key, None))
            return order(key, *args, **kwargs)

        return indices

    monkeypatch.setattr(sources, "indices", watched(sources.indices))

    def measure(outcome, model, training, reference, seed, tasks, stage):
        measured.append((training.name, stage))

    monkeypatch.setattr(player, "measure", measure)
    monkeypatch.setattr(player, "draw_pictures", lambda *args: None)
    contender = Contender(None, programs[0], lambda *args: "a GAN", programs[1], lambda *args: "with an encoder", {})
    lengths = {"main": Steps(8, 4, (2, 4)), "detect": Steps(16, 12, (4, 8))}
    outcome = play(contender, Reference(data, None), lengths, SEED, tasks=(SYNTHESISE, DETECT, REPRESENT))
    assert outcome.failed == "" and outcome.steps == lengths
    assert measured == [(name, stage) for name in ("main", "detect") for stage in (*STAGES, None)]
    return found


def test_the_model_that_never_saw_a_class_never_saw_it(seen, data):
    # Kills: the subset dropped on its way from the task to the program, in either of the two trainings that need it;
    # another class left out than the one that is then looked for; a subset in the main training.
    at = [(name, np.unique(data.train.label[indices])) for name, _, _, indices in seen if indices is not None]
    assert [name for name, _ in at] == ["gan"] * 4 + ["encoder"] * 2 + ["gan"] * 8 + ["encoder"] * 6
    everything, without = np.arange(3), np.array([0, 2])
    for i, (_, classes) in enumerate(at):
        np.testing.assert_array_equal(classes, everything if i < 6 else without)
    indices = np.concatenate([a.ravel() for *_, a in seen if a is not None][6:])
    assert set(indices) == set(np.flatnonzero(data.train.label != LEFT_OUT))


def test_no_key_of_one_training_is_a_key_of_another(seen):
    # Kills: one set of keys for the four trainings of a seed; the key of a round of one as the noise key of another;
    # keys that are those of `jaxgen train`, or of the seed beside it.
    trainings, own = [], {}
    for name, use, key, _ in seen:
        if use == "init":
            own = {}
            trainings.append((name, own))
        own[use] = key
    assert [name for name, _ in trainings] == ["gan", "encoder", "gan", "encoder"]
    used = []
    for _, keys in trainings:
        assert set(keys) == {"init", "data", "noise"}
        derived = [jax.random.fold_in(keys["noise"], n) for n in range(20)]
        used.append({jax.random.key_data(key).tobytes() for key in (*keys.values(), *derived)})
        assert len(used[-1]) == 23
    alone = [*run_keys(SEED), *run_keys(SEED + 1), *(jax.random.fold_in(run_keys(SEED).noise, n) for n in range(20))]
    used.append({jax.random.key_data(key).tobytes() for key in alone})
    beside = [player.training_keys(SEED + 1, stream) for stream in range(4)]
    used.append({jax.random.key_data(key).tobytes() for keys in beside for key in keys})
    assert len(set.union(*used)) == sum(map(len, used))


def test_the_tasks_of_a_training_are_measured_on_its_model(data):
    # Kills: a task measured on the model of another training; figures at a stage for the final ones; a stage that
    # keeps another figure than the headline; a task that was not asked for.
    def task(name, training):
        def measure(model, reference, seed, key, stage):
            seen.append((name, model, stage, jax.random.key_data(key).tolist()))
            return Reading({"good": 1.0, "other": 2.0}, f"chosen by {name}")

        metrics = {"other": Metric(True, False, "", ""), "good": Metric(True, True, "", "")}
        return Task(name, name, name, "", training, lambda data: None, lambda data: metrics, measure)

    seen, elsewhere = [], Training("elsewhere", "elsewhere", 1.0, (5, 6))
    tasks, outcome = (task("a", MAIN), task("b", elsewhere), task("c", MAIN)), empty()
    assert trainings(tasks) == (MAIN, elsewhere)
    for stage in ("25", None):
        measure(outcome, "model", MAIN, Reference(data, None), SEED, tasks, stage)
    assert [(name, stage) for name, _, stage, _ in seen] == [("a", "25"), ("c", "25"), ("a", None), ("c", None)]
    assert outcome.stages == {"a": {"25": 1.0}, "c": {"25": 1.0}} and outcome.figures["a"] == {
        "good": 1.0,
        "other": 2.0,
    }
    assert outcome.chosen == {"a": "chosen by a", "c": "chosen by c"}
    measure(outcome, "model", elsewhere, Reference(data, None), SEED, tasks, None)
    assert set(outcome.figures) == {"a", "b", "c"} and seen[-1][3] != seen[0][3]


def test_a_training_that_diverges_costs_its_own_tasks_alone(data, monkeypatch):
    # Kills: a seed that is lost with one of its trainings; a failure without a word of which training it was.
    def diverging(contender, data, training, steps, seed, measure, on_trained):
        if training == MAIN:
            raise Diverged("ten in a row.")
        return player._Trained("model", {"step": []}, 2.0, ["its encoder: lost."])

    monkeypatch.setattr(player, "_train", diverging)
    lengths = {"main": Steps(8), "detect": Steps(8)}
    contender = Contender(None, None, None, None, None, {})
    outcome = play(contender, Reference(data, None), lengths, SEED, tasks=(SYNTHESISE, DETECT, REPRESENT))
    assert outcome.failed == "main training: ten in a row.; its encoder: lost."
    assert outcome.seconds == 2.0 and outcome.curve == {} and outcome.pictures == {}


@pytest.mark.parametrize(
    ("each", "model", "stages", "encoder"),
    [(0.3, 8, (2, 4), 4), (0.26, 8, (4, 6), 4), (0.24, 10, (4, 6), 4), (2.0, 2, (2, 2), 2)],
)
def test_a_training_ends_nearest_to_its_time(monkeypatch, each, model, stages, encoder):
    # Kills: a training that ends before its time, or a whole chunk after it; stages by steps that nobody knows; a
    # stage that is not read where one chunk is longer than all of the time; the time of the model for the encoder.
    def train(program, state, keys, *, steps, fetch):
        assert steps is None
        yield from (Chunk(step, "state", {}, 2, each) for step in range(2, 100, 2))

    monkeypatch.setattr(player, "train", train)
    played, spent, read = player._Played(Seconds(1.1, 0.5)), 0.0, []
    for chunk in played.chunks("model", None, None, None, None):
        spent += chunk.seconds
        read += played.stages(spent)
    assert read == ["25", "50"] and list(played.chunks("encoder", None, None, None, None))
    assert played.steps == Steps(model, encoder, stages)
    assert abs(spent - 1.1) <= max(each / 2, each - 1.1) + 1e-9


def test_what_was_played_is_played_again(seen, data, monkeypatch):
    # Kills: a repetition that looks at the clock; stages that are read elsewhere than they were.
    played, read = player._Played(Steps(6, 4, (2, 2))), []
    program = hollow("again", len(data.train.x), [])
    keys = player.training_keys(SEED, 0)
    for _ in played.chunks("model", program, program.init(None), keys, None):
        read.append(played.stages(1e9))
    assert read == [["25", "50"], [], []] and played.steps == Steps(6, 0, (2, 2))


def test_a_batch_is_a_multiple_of_a_pack(data, monkeypatch):
    # Kills: a batch cut to the 90 examples, which packs of 7 do not divide.
    class Seen(Exception):
        pass

    def seen(plan, *_, **__):
        raise Seen(plan.batch_size)

    monkeypatch.setattr(module, "compile_loop", seen)
    with pytest.raises(Seen, match="^84$"):
        module.compiled(functools.partial(RECIPES["pacgan"], pack=7), data)


def test_a_training_of_its_own_form_has_its_own_examples_condition_and_recipe(data):
    # Kills: a condition that does not reach the networks; the examples of the main training; a split of the first seed
    # for all; a recipe without such a form that ends the comparison.
    def told(side, recipe, data):
        return recipe, "label"

    form = Form("doubled", lambda data: data._replace(train=data.train._replace(x=2 * data.train.x)), told)
    training = Training("doubled", "doubled", 0.5, (4, 5), form=form)
    contender = module.compiled(RECIPES["vae"], data, (MAIN, training))
    own = contender.of(training)
    assert contender.plays(training) and contender.of(MAIN) is contender and own.side == "vae"
    model = own.model(*evaluated_start(own))
    label = jax.numpy.zeros(2, int)
    assert model.sample(model.draw(jax.random.key(0), 2, label), label).shape == (2, 3)
    other = data._replace(train=data.train._replace(x=data.train.x + 1))
    x, _ = own.source(Reference(other, None).formed(form)).resident
    np.testing.assert_array_equal(x, 2 * (data.train.x + 1))
    np.testing.assert_array_equal(contender.source(other).resident[0], other.train.x)
    without = module.compiled(RECIPES["vamp_vae"], data, (training,))
    assert not without.plays(training) and "condition" in without.forms["doubled"]


def evaluated_start(contender):
    return module.evaluated(contender.program.init(run_keys(0).init))


def test_a_bare_contender_holds_no_examples(data):
    # Kills: the examples of the first seed held by its programs, or by those of a form, while the others are played.
    form = Form("same", lambda data: data, lambda side, recipe, data: (recipe, None))
    training = Training("same", "again", 0.5, (4, 5), form=form)
    pool = Pool.of([data.train.x])
    own = data._replace(train=data.train._replace(x=pool.rows(np.arange(len(data.train.x)))))
    contender = module.compiled(RECIPES["vae"], own, (MAIN, training))
    shape = pool.x.shape

    def resident():
        return [array for array in jax.live_arrays() if array.shape == shape]

    assert resident()
    bare = contender.bare()
    del contender, pool, own
    gc.collect()
    assert not resident() and bare.of(training) is not bare and bare.plays(training)
    state = bare.on(data).program.init(run_keys(0).init)
    assert np.all(np.isfinite(jax.tree.leaves(state.params)[0]))


def test_what_does_not_decode_has_no_encoder_trained():
    # Kills: a recipe of the user's own that makes images of images refused, for no encoder can be trained for it.
    def anything(*args):
        raise AssertionError("called")

    assert invertible(Model(draw=anything, sample=anything, decode=anything))
    assert not invertible(Model(draw=anything, sample=anything))
    assert not invertible(Model(draw=anything, decode=anything, encode=anything))


def test_programs_are_compiled_side_by_side(data, monkeypatch):
    # Kills: each program awaited before the next one is traced; a program of one recipe handed to another; an error of
    # the compiler that is lost in its thread.
    events, compile_lowered, meeting = [], Lowered.compile, threading.Barrier(2)

    def compile_slowly(self, **options):
        events.append("compiling")
        meeting.wait(60)  # two of them are compiled at the same time
        compiled = compile_lowered(self, **options)
        events.append("compiled")
        return compiled

    monkeypatch.setattr(Lowered, "compile", compile_slowly)
    monkeypatch.setattr(compiling, "processors", lambda: 2)
    recipes = {"a": RECIPES["vae"], "b": RECIPES["iwae"]}
    both = module.compiled_together(recipes, data)
    assert events.count("compiled") == 4
    for name, contender in both.items():
        alone = module.compiled(recipes[name], data)
        ours, theirs = (one.on(data).program.init(run_keys(0).init) for one in (contender, alone))
        jax.tree.map(np.testing.assert_array_equal, ours.params, theirs.params)
        assert ours.params.keys() == contender.parameters.keys()

    def fail(self, **options):
        raise ValueError("the compiler")

    monkeypatch.setattr(Lowered, "compile", fail)
    with pytest.raises(ValueError, match="^the compiler$"):
        module.compiled(RECIPES["vae"], data)
