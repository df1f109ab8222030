import contextlib
import inspect
import json
import os
import re
import shutil
import signal
import sys
import textwrap
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from players import Critic, Generator
from toys import linear

import jaxgen
from jaxgen.cli import main
from jaxgen.core import Aux, BadRequest, Game, Model
from jaxgen.runs import folder, restore, run, samples
from jaxgen.runs.inputs import plan_of
from jaxgen.runs.restore import settled_plan
from jaxgen.runs.run import Config, fit, resume
from jaxgen.system.lock import owned
from jaxgen.system.signals import Stopped
from jaxgen.training import checkpoint
from jaxgen.training.loop import Diverged
from jaxgen.training.program import Plan
from jaxgen.training.step import evaluation_params

X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
STEPS = 200  # two chunks


UNTOLD = {
    "size": None,
    "labels": None,
    "condition": None,
    "domains": [],
    "precision": "float32",
    "micro_batches": 1,
    "remat": False,
    "stream": False,
    "options": {},
    "replaced": [],
}


def plan(**options):
    """Momentum, Adam, an average and a carry: all that a resume could lose."""
    own = linear(ema=0.05, **options)
    return own._replace(optimizers={**own.optimizers, "a": optax.adam(0.1)})


def go(out=None, **options):
    return fit(plan(), X, steps=STEPS, out=out, **{"batch_size": 16, "seed": 3, **options})


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "done"
    return out, go(out)


@pytest.fixture
def copy(done, tmp_path):
    shutil.copytree(done[0], tmp_path / "run")
    return tmp_path / "run"


def assert_same_bits(a, b):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def figures(history):
    return [{name: value for name, value in line.items() if name not in ("seconds", "steps_per_s")} for line in history]


def stop_at(monkeypatch, step, number=signal.SIGTERM):
    """Sends a signal to this process when that step has been played."""
    record = run.recorder.record

    def killing(chunk, **more):
        if chunk.step == step:
            os.kill(os.getpid(), number)
        return record(chunk, **more)

    monkeypatch.setattr(run.recorder, "record", killing)


def test_fit_with_and_without_a_folder_is_one_loop(done):
    # Kills: a loop of its own for a folder; a seed that is not used; a model of the params in place of their average.
    _, written = done
    alone = go()
    assert_same_bits(alone.state, written.state)
    assert figures(alone.history) == figures(written.history)
    assert [line["step"] for line in alone.history] == [100, 200]
    noise = alone.model.draw(jax.random.key(0), 5)
    average = alone.plan.game.model(evaluation_params(alone.state), {})
    assert (np.asarray(alone.state.ema["b"]) != np.asarray(alone.state.params["b"])).any()
    np.testing.assert_allclose(alone.model.sample(noise), average.sample(noise), rtol=1e-5)
    other = go(seed=4)
    assert (np.asarray(other.state.params["b"]) != np.asarray(alone.state.params["b"])).any()


def test_a_run_and_its_model_print_in_a_line(done, copy):
    # Kills: arrays printed by the thousand line; params of the average or the optimisers counted; what a model lacks.
    game = linear().game
    count = sum(np.size(leaf) for leaf in jax.tree.leaves(game.init(jax.random.key(0), jaxgen.Batch(X))[0]))
    assert repr(done[1]) == f"Run(a/b on array, steps=200, params={count})"
    resumed = resume(copy, what=plan(), data=X)
    assert repr(resumed) == repr(done[1]) and repr(resumed.model) == "Model(draw, sample)"
    vae = fit("beta_vae", X, steps=1, batch_size=8)
    assert repr(vae).startswith("Run(beta_vae on array, steps=1, ")
    said = repr(vae.model)
    assert said.startswith("Model(draw, sample, decode, encode, ") and "scores: " in said and len(said) < 200


def test_what_the_folder_holds(done):
    # Kills: a config that is no JSON or says too little; pictures that are missing; a checkpoint left out at the end.
    out, _ = done
    assert sorted(os.listdir(out)) == ["checkpoints", "config.json", "lock", "metrics.jsonl", "samples"]
    settings = json.loads((out / "config.json").read_text())
    assert settings["config"] == {"recipe": None, "data": None, "steps": 200, "seed": 3, "batch_size": 16, **UNTOLD}
    assert settings["chunk"] == 100 and settings["form"] == "scanned" and len(settings["data"]["digest"]) == 64
    assert {"jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "jaxgen", "python"} == set(
        settings["versions"]
    )
    assert settings["threads"] >= 1 and settings["device"].startswith("cpu")
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [100, 200] and lines[0]["a/loss"] < 0
    assert checkpoint.steps(out / "checkpoints") == [0, 200]
    assert sorted(os.listdir(out / "samples")) == ["100.png", "200.png", "data.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (out / "samples").iterdir())


def test_signal_stops_with_a_checkpoint_and_resume_changes_no_bit(done, tmp_path, monkeypatch, capsys):
    # Kills: optimiser, average, carry or position lost; later metrics kept twice; handlers that stay.
    _, whole = done
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        stop_at(patch, 100)
        with pytest.raises(Stopped) as stopped:
            go(tmp_path / "run")
    assert stopped.value.signal == signal.SIGTERM and "step 100 is saved" in str(stopped.value)
    assert signal.getsignal(signal.SIGTERM) is before
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [0, 100]
    with open(tmp_path / "run" / "metrics.jsonl", "a") as metrics:  # as a run killed later would have left them
        metrics.write('{"step": 200, "steps_per_s": 1.0, "finite": true}\n{"step": 2')
    resumed = resume(tmp_path / "run", what=plan(), data=X)
    assert "resumed at 100\n" in capsys.readouterr().err
    assert_same_bits(resumed.state, whole.state)
    assert figures(resumed.history) == figures(whole.history)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert figures(map(json.loads, lines)) == figures(whole.history)


def test_a_stopped_run_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    # Kills: a command that then refuses; a refusal that names no function; an argument that is not needed, or lacks.
    np.save(tmp_path / "x.npy", X)
    for source, lacking in ((str(tmp_path / "x.npy"), "what=..."), (X, "what=..., data=...")):
        out = tmp_path / str(len(lacking))
        with monkeypatch.context() as patch:
            stop_at(patch, 100)
            with pytest.raises(Stopped) as stopped:
                fit(plan(), source, steps=STEPS, batch_size=16, out=out)
        advice = f"jaxgen.resume('{out}', {lacking}) in Python"
        assert str(stopped.value).endswith(f"Go on with: {advice}")
        assert main(["train", "--resume", str(out)]) == 2
        assert capsys.readouterr().err.endswith(f"go on with {advice}.\n")
    assert jaxgen.resume is resume


def test_resume_of_a_run_that_is_done(copy, done, capsys, monkeypatch):
    # Kills: a program compiled for nothing.
    monkeypatch.setattr(run, "compiled", None)
    again = resume(copy, what=plan(), data=X)
    assert "resumed at 200" in capsys.readouterr().err
    assert_same_bits(again.state, done[1].state)


def test_resume_with_a_damaged_line_of_metrics(copy, done, capsys):
    # Kills: a run whose checkpoints are whole, and which cannot be resumed.
    metrics = copy / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace('{"step": 100', '{"rou', 1))
    again = resume(copy, what=plan(), data=X)
    assert_same_bits(again.state, done[1].state)
    assert [line["step"] for line in again.history] == [200] and "damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", 4), ("batch_size", 8), ("data", "digits"), ("recipe", "vae"), ("beta", 2.0)],
)
def test_resume_refuses_another_configuration(copy, field, value, monkeypatch):
    # Kills: a field that is not compared; a comparison after the arrays were read.
    settings = json.loads((copy / "config.json").read_text())
    old = settings["config"].get(field)
    settings["config"][field] = value
    (copy / "config.json").write_text(json.dumps(settings))
    monkeypatch.setattr(checkpoint, "restore", None)
    with pytest.raises(BadRequest, match=f"{field} was {old!r} and is {value!r}"):
        resume(copy, what=plan(), data=X)


def test_resume_refuses_other_data_and_other_plans(copy, monkeypatch):
    # Kills: data compared by shape alone; a plan that is not compared with what was saved.
    with pytest.raises(BadRequest, match="^the data given has changed since the run was started"):
        resume(copy, what=plan(), data=X + 1)
    with pytest.raises(BadRequest, match="another model"):
        resume(copy, what=plan(size=3), data=X)
    with pytest.raises(BadRequest, match="with a plan of its own"):
        resume(copy, data=X)
    with pytest.raises(BadRequest, match="with data of its own"):
        resume(copy, what=plan())
    with owned(copy, new=False):
        with pytest.raises(BadRequest, match="another process"):
            resume(copy, what=plan(), data=X)
    settings = json.loads((copy / "config.json").read_text())
    settings["data"]["digest"] = "0" * 64
    (copy / "config.json").write_text(json.dumps(settings))
    with pytest.raises(BadRequest, match="config.json says of the data has changed"):
        resume(copy, what=plan(), data=X)


def test_a_run_that_has_saved_nothing_is_told_from_one_that_cannot(copy):
    # Kills: a run at work that is to be removed; a run that finds its own lock; a folder removed that may not be ours.
    shutil.rmtree(copy / "checkpoints")
    uses = (restore.load, resume, lambda out: go(out))
    for held, says in ((True, "is running, and has saved nothing yet"), (False, "remove that folder")):
        with owned(copy, new=False) if held else contextlib.nullcontext():
            for use in uses:
                with pytest.raises(BadRequest, match=says):
                    use(copy)
    (copy / "lock").unlink()  # perhaps no folder of ours
    for use in uses:
        with pytest.raises(BadRequest, match="again in another folder"):
            use(copy)


DEEP = pytest.param("[" * 100_000, id="deep")


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", '{"format": 1, "config": 3}', '{"format": NaN}', DEEP])
def test_a_folder_that_is_no_run(copy, content):
    # Kills: an error of the reader let through.
    (copy / "config.json").unlink()
    if content is not None:
        (copy / "config.json").write_text(content)
    for use in (resume, restore.load):
        with pytest.raises(BadRequest, match="is no run|is damaged"):
            use(copy)


def test_settings_that_are_too_large_are_not_read(copy, monkeypatch):
    # Kills: a file of any size read into memory.
    monkeypatch.setattr(folder, "LARGEST", 100)
    with pytest.raises(BadRequest, match="is damaged .it is too large."):
        restore.load(copy)


def test_data_are_those_that_the_checkpoint_names(copy):
    # Kills: data read by what config.json says, before it is known that the checkpoint says the same.
    settings = json.loads((copy / "config.json").read_text())
    settings["config"]["data"] = 5
    (copy / "config.json").write_text(json.dumps(settings))
    with pytest.raises(BadRequest, match="another configuration: data was None and is 5"):
        restore.load_data(copy)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_lock_that_is_none(copy):
    # Kills: a pipe in its place that is waited for.
    shutil.rmtree(copy / "checkpoints")
    (copy / "lock").unlink()
    os.mkfifo(copy / "lock")
    with pytest.raises(BadRequest, match="no checkpoint was saved"):
        restore.load(copy)


def test_resume_says_when_versions_or_the_machine_changed(copy, capsys):
    # Kills: a device or a thread count that is recorded and never looked at.
    settings = json.loads((copy / "config.json").read_text())
    settings["versions"]["jax"] = "0.0.1"
    settings |= {"device": "tpu v9", "threads": 0, "matmul_precision": "highest"}
    (copy / "config.json").write_text(json.dumps(settings))
    resume(copy, what=plan(), data=X)
    said = capsys.readouterr().err
    assert "jax 0.0.1 then" in said and "device tpu v9 then, cpu" in said and "threads 0 then" in said
    assert "matmul_precision highest then, default now" in said and "threefry" not in said


def test_load_and_export(copy, done, tmp_path):
    # Kills: params in place of their average; names that do not lead to their leaf; a file that is half there.
    _, whole = done
    model = restore.load(copy, what=plan())
    noise = model.draw(jax.random.key(0), 5)
    np.testing.assert_array_equal(model.sample(noise), whole.model.sample(noise))
    restore.export(copy, tmp_path / "params.npz", what=plan())
    with np.load(tmp_path / "params.npz") as arrays:
        assert set(arrays) == {"a", "b"}
        np.testing.assert_array_equal(arrays["b"], whole.state.ema["b"])
    with pytest.raises(BadRequest, match="cannot be written"):
        restore.export(copy, tmp_path / "no" / "params.npz", what=plan())


def test_a_signal_never_ends_a_run_that_is_not_saved(tmp_path, monkeypatch):
    # Kills: signals read twice after a chunk: one that comes between finds no checkpoint due, and ends the run.
    waiting = []
    append = run.recorder.append

    def appended(path, line):
        append(path, line)
        waiting[:] = [line["step"]]

    def monotonic():
        if waiting == [200]:
            waiting.clear()
            os.kill(os.getpid(), signal.SIGTERM)
        return 0.0

    monkeypatch.setattr(run.recorder, "append", appended)
    monkeypatch.setattr(run.recorder, "time", SimpleNamespace(monotonic=monotonic))
    with pytest.raises(Stopped, match="step 300 is saved"):
        fit(plan(), X, steps=500, batch_size=16, out=tmp_path / "run")
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [0, 300]


def test_checkpoints_when_they_are_due(tmp_path, monkeypatch):
    # Kills: a checkpoint a chunk; none between start and end; a clock that is never set back.
    saved, now = [], [0.0]
    save, record = checkpoint.save, run.recorder.record
    monkeypatch.setattr(checkpoint, "save", lambda folder, step, *rest: (saved.append(step), save(folder, step, *rest)))
    monkeypatch.setattr(run.recorder, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def ticking(chunk, **more):
        now[0] = 0.2 * chunk.step
        return record(chunk, **more)

    monkeypatch.setattr(run.recorder, "record", ticking)
    fit(plan(), X, steps=500, batch_size=16, out=tmp_path / "run")
    assert saved == [0, 200, 400, 500]  # every 20 s there is a chunk, every 30 s a checkpoint is due


def test_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    # Kills: an error that is swallowed; a step that is announced and not there.
    def full(*args):
        raise OSError(28, "No space left on device")

    write = checkpoint.write_arrays
    monkeypatch.setattr(run, "SECONDS", 0.0)
    monkeypatch.setattr(
        checkpoint, "write_arrays", lambda path, leaves: full() if ".200" in str(path) else write(path, leaves)
    )
    with pytest.raises(OSError, match="No space left"):
        go(tmp_path / "run")
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [0, 100]
    restore.load(tmp_path / "run", what=plan())


def explosive(at):
    """NaN from step `at` on; from the start where that is negative."""

    def loss(params, noise, batch, context):
        return jnp.where(context.step >= at, jnp.nan, jnp.sum((params["p"] - 1) ** 2)), Aux({})

    def init(key, batch):
        return {"p": jnp.zeros(2) if at >= 0 else jnp.full(2, jnp.nan)}, {}

    game = Game(init, lambda key, batch: (), {"p": loss}, lambda params, state: Model())
    return Plan(game, {"p": optax.adam(0.1)}, (("p",),))


def test_divergence_ends_with_the_last_finite_state(tmp_path):
    # Kills: no checkpoint of what was reached; pictures that stop the run; a non-finite state saved.
    with pytest.raises(Diverged, match="10 steps in a row"):
        fit(explosive(107), X, steps=1000, batch_size=8, out=tmp_path / "run")
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [0, 200]
    healthy = fit(explosive(1000), X, steps=107, batch_size=8)
    saved, _ = checkpoint.restore(tmp_path / "run" / "checkpoints", healthy.state)
    assert_same_bits(saved.params, healthy.state.params)
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["finite"] is False and last["p/loss"] is None
    with pytest.raises(Diverged, match="by step 200"):  # and not "trained", or ten steps of grace
        resume(tmp_path / "run", what=explosive(107), data=X)


def test_first_state_that_is_not_finite_is_refused(tmp_path):
    with pytest.raises(BadRequest, match="params/p"):
        fit(explosive(-1), X, steps=10, batch_size=8, out=tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_bare_game_gets_adam_and_its_losses_in_order():
    # Kills: another rate; turns that move together; options that are passed over.
    game = plan().game
    bare = fit(game, X, steps=3, batch_size=8)
    assert bare.plan.turns == (("a",), ("b",)) and set(bare.plan.optimizers) == {"a", "b"}
    adams = {"a": optax.adam(1e-3), "b": optax.adam(1e-3)}
    told = fit(plan(), X, steps=3, batch_size=8, turns=(("a",), ("b",)), optimizers=adams)
    assert_same_bits(told.state.params, bare.state.params)


def test_a_game_gets_the_turns_that_it_names():
    # Kills: a turn for each loss of a GAN with a penalty, whose critic then pays it twice; turns of a game dropped; a
    # second loss of a player left out because of its colon.
    game = plan().game
    assert plan_of(game._replace(turns=(("b", "a"),))).turns == (("b", "a"),)
    noisy = game._replace(losses={**game.losses, "a:again": game.losses["a"]})
    assert plan_of(noisy).turns == (("a",), ("b",), ("a:again",))
    nets = {"generator": Generator((2,)), "critic": Critic(), "latent_dim": 2}
    for parts in ({}, {"penalty": jaxgen.objectives.r1(1.0)}):
        assert plan_of(jaxgen.games.gan(**nets, **parts)).turns == (("critic",), ("generator",))


REPLACED = {
    "optimizers": {"a": optax.sgd(0.03), "b": optax.sgd(0.03)},
    "turns": (("b",), ("a",), ("b",)),
    "rule": jaxgen.objectives.extragradient,
}


def test_what_was_replaced_is_handed_in_again(tmp_path, monkeypatch):
    # Kills: a resume with Adam(1e-3) in place of the optimisers that `fit` was given; turns or a rule of the
    # plan; a part that is recorded and not used; one handed to a run that has its plan's.
    whole = fit(plan(), X, steps=STEPS, batch_size=16, seed=3, **REPLACED)
    with monkeypatch.context() as patch:
        stop_at(patch, 100)
        with pytest.raises(
            Stopped, match=r"what=\.\.\., data=\.\.\., optimizers=\.\.\., turns=\.\.\., rule=\.\.\.\) in"
        ):
            fit(plan(), X, steps=STEPS, batch_size=16, seed=3, out=tmp_path / "run", **REPLACED)
    for name in REPLACED:
        others = {other: part for other, part in REPLACED.items() if other != name}
        with pytest.raises(BadRequest, match=f"with {name} of its own: go on with jaxgen.resume.*{name}=..."):
            resume(tmp_path / "run", what=plan(), data=X, **others)
    again = resume(tmp_path / "run", what=plan(), data=X, **REPLACED)
    assert_same_bits(again.state, whole.state)
    assert again.config["replaced"] == list(REPLACED) and again.plan.turns == REPLACED["turns"]


def test_a_part_that_was_not_replaced_is_not_handed_in(copy, done):
    # Kills: optimisers changed in the middle of a run; a run of a version that did not write it down, refused.
    with pytest.raises(BadRequest, match="with the turns of its plan: leave turns out"):
        resume(copy, what=plan(), data=X, turns=(("a",), ("b",)))
    step, meta = checkpoint.read_meta(copy / "checkpoints")
    settings = json.loads((copy / "config.json").read_text())
    for config in (meta["config"], settings["config"]):
        config.pop("replaced")
    checkpoint.rewrite_meta(copy / "checkpoints", step, meta)
    (copy / "config.json").write_text(json.dumps(settings))
    for parts in ({}, {"turns": plan().turns}):
        assert_same_bits(resume(copy, what=plan(), data=X, **parts).state, done[1].state)
    assert restore.load(copy, what=plan()).sample is not None


def test_a_model_is_loaded_without_its_optimisers(tmp_path):
    # Kills: moments asked for as the optimisers of `what` have them; an optimiser that counts
    # from an infinite loss refused, or one that holds NaN taken.
    game = plan().game
    plateau = optax.chain(optax.adam(0.1), optax.contrib.reduce_on_plateau())
    trained = fit(game, X, steps=3, batch_size=8, out=tmp_path / "run", optimizers={"a": plateau, "b": optax.sgd(0.1)})
    noise = trained.model.draw(jax.random.key(0), 5)
    model = restore.load(tmp_path / "run", what=game)
    np.testing.assert_array_equal(model.sample(noise), trained.model.sample(noise))
    assert checkpoint.not_finite({"opts": {"best_value": jnp.inf}}) is None
    assert checkpoint.not_finite({"opts": {"best_value": jnp.nan}}) == "opts/best_value"
    assert checkpoint.not_finite({"opts": {"a": jnp.inf}}) == "opts/a"


def test_parts_of_a_batch_are_the_plans_unless_told(monkeypatch):
    # Kills: `Plan.micro` overwritten by 1; None in the configuration; a number that divides by zero.
    monkeypatch.setattr(run, "begin", lambda job, out, *_: job)
    own = plan()._replace(micro=4)
    for told, micro in ((None, 4), (2, 2)):
        job = fit(own, X, steps=3, micro_batches=told)
        assert (job.plan.micro, job.config["micro_batches"], job.config["batch_size"]) == (micro, micro, 60)
    assert fit("vae", X, steps=3).config["micro_batches"] == 1
    with pytest.raises(BadRequest, match="micro=0"):
        fit(own._replace(micro=0), X, steps=3)


def test_domains_of_a_plan_are_those_told(monkeypatch):
    # Kills: domains that are recorded and dropped.
    monkeypatch.setattr(run, "begin", lambda job, out, *_: job)
    job = fit(plan(), {"p": X, "q": X, "r": X}, steps=3, domains=("r", "p"))
    assert job.plan.domains == ("r", "p") and job.config["domains"] == ["r", "p"]
    assert settled_plan({"config": job.config}, plan()).domains == ("r", "p")


@pytest.mark.parametrize(("told", "streamed"), [(None, False), (True, True), (False, False)])
def test_a_run_says_whether_it_streams(told, streamed, monkeypatch):
    # Kills: config["stream"] left as it was given, None, which another machine may read otherwise.
    monkeypatch.setattr(run, "begin", lambda job, out, *_: job)
    job = run.train(Config(recipe="vae", data="ring8", steps=3, stream=told), "nowhere")
    assert job.config["stream"] is streamed
    assert fit("vae", X, steps=3, stream=told).config["stream"] is streamed


@pytest.mark.parametrize(("examples", "size"), [(60, 60), (200, 126), (5, 3)])
def test_a_batch_is_a_multiple_of_a_pack(examples, size, monkeypatch):
    # Kills: a default that packs do not divide; one that they do, and then cut to the number of the examples.
    monkeypatch.setattr(run, "begin", lambda job, out, *_: job)
    x = np.random.default_rng(0).normal(size=(examples, 2))
    assert fit("pacgan", x, steps=3, options={"pack": 3}).config["batch_size"] == size


def test_packs_are_trained():
    # Kills: packs that do not divide the first batch, or that of a step.
    assert fit("pacgan", X, steps=1, options={"pack": 7}).state.skipped == 0


def test_a_rule_is_a_part_of_the_plan(monkeypatch):
    # Kills: a rule that is dropped; one that the configuration forgets, so that a resume would play another.
    rule = jaxgen.objectives.extragradient
    monkeypatch.setattr(run, "begin", lambda job, out, *_: job)
    for what, recipe in (("vae", "vae"), (plan(), None)):
        assert fit(what, X, steps=3).config["recipe"] == recipe
        job = fit(what, X, steps=3, rule=rule)
        assert job.plan.rule is rule and job.config["recipe"] is None


BAD = {
    "unknown recipe": (lambda out: fit("vea", X, steps=3, out=out), "did you mean 'vae'"),
    "unknown data": (lambda out: fit(plan(), "digitz", steps=3, out=out), "did you mean 'digits'"),
    "no steps": (lambda out: fit(plan(), X, steps=0, out=out), "steps=0"),
    "half a step": (lambda out: fit(plan(), X, steps=1.5, out=out), "steps=1.5"),
    "large batch": (lambda out: fit(plan(), X, steps=3, batch_size=61, out=out), "the 60 training examples"),
    "no batch": (lambda out: fit(plan(), X, steps=3, batch_size=0, out=out), "batch_size=0"),
    "negative seed": (lambda out: fit(plan(), X, steps=3, seed=-1, out=out), "seed=-1"),
    "strings": (lambda out: fit(plan(), X.astype(str), steps=3, out=out), "holds numbers"),
    "NaN": (lambda out: fit(plan(), X * np.nan, steps=3, out=out), "120 values are NaN or infinite"),
    "beyond float32": (lambda out: fit(plan(), X.astype(float) * 1e300, steps=3, out=out), "as float32"),
    "a list of none": (lambda out: fit(plan(), X[:0], steps=3, out=out), "holds numbers"),
    "a ragged list": (lambda out: fit(plan(), [[1.0], [1.0, 2.0]], steps=3, out=out), "list is no array"),
    "labels of fewer": (lambda out: fit(plan(), (X, np.zeros(59)), steps=3, out=out), "labels have shape"),
    "three arrays": (lambda out: fit(plan(), (X, X, X[:5]), steps=3, out=out), "no array"),
    "channels first": (lambda out: fit(plan(), np.ones((60, 3, 8, 8)), steps=3, out=out), "N, H, W, C"),
    "pixels below 0": (lambda out: fit(plan(), np.full((60, 8, 8), -1.0), steps=3, out=out), "pixels run from -1"),
    "no turns": (lambda out: fit(plan(), X, steps=3, turns=(), out=out), "at least one turn"),
    "turns of names": (lambda out: fit(plan(), X, steps=3, turns=("a", "b"), out=out), "tuple of losses"),
    "no optimisers": (lambda out: fit(plan(), X, steps=3, optimizers={}, out=out), "no optimiser"),
    "a rule by name": (lambda out: fit(plan(), X, steps=3, rule="extragradient", out=out), "rule='extragradient'"),
    "options of a game": (lambda out: fit(plan().game, X, steps=3, options={"beta": 1}, out=out), "options are those"),
    "precision of a plan": (lambda out: fit(plan(), X, steps=3, precision="bfloat16", out=out), "jaxgen.nets.cast"),
    "remat of a game": (
        lambda out: fit(plan().game, X, steps=3, remat=True, out=out),
        "remat=True is for the networks",
    ),
    "domains of a vae": (
        lambda out: fit("vae", {"p": X, "q": X}, steps=3, domains=("p", "q"), out=out),
        "p, q: this recipe translates between none",
    ),
    "domains by the command": (
        lambda out: run.train(Config(recipe="vae", data="digits", steps=3, domains=("0", "1")), out),
        "0, 1: this recipe translates between none",
    ),
    "a list of x and y": (lambda out: fit(plan(), [X, X[:, 0]], steps=3, out=out), r"are a tuple, \(x, label\)"),
    "something else": (lambda out: fit(3, X, steps=3, out=out), "int cannot be trained"),
    "another player's optimiser": (
        lambda out: fit(plan(), X, steps=3, optimizers={"x": 1}, out=out),
        "belongs to no player: the players are a, b",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests_write_nothing(name, tmp_path):
    # Kills: a folder made before all is known.
    call, says = BAD[name]
    with pytest.raises(BadRequest, match=says):
        call(tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(BadRequest, match="not empty"):
        go(tmp_path)
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"recipe": "wgan_pg"}, "did you mean 'wgan_gp'"),
        ({"options": {"gamma": 1.0}}, "no option 'gamma'"),
        ({"options": {"weight": -1.0}}, "weight=-1.0"),
        ({"options": {"weight": float("nan")}}, "weight=nan"),
        ({"options": {"weight": "3"}}, "weight='3'"),
        ({"steps": 0}, "steps=0"),
        ({"steps": True}, "steps=True"),
        ({"steps": 2**31}, "below 2\\^31"),
        ({"seed": -1}, "seed=-1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"options": {"latent_dim": 2.5}}, "latent_dim=2.5"),
        ({"options": {"learning_rate": float("inf")}}, "learning_rate=inf"),
        ({"options": {"learning_rate": "fast"}}, "learning_rate='fast'"),
        ({"condition": "labels"}, "condition 'labels': use label"),
        ({"condition": "small:0"}, "small:SIDE"),
        ({"precision": "float16"}, "precision 'float16'"),
        ({"micro_batches": 0}, "micro_batches=0"),
    ],
)
def test_configurations_that_cannot_be(change, says):
    # Kills: a number that passes because it compares; an option that is looked at later.
    with pytest.raises(BadRequest, match=says):
        Config(**{"recipe": "wgan_gp", "data": "ring8", "steps": 10, **change})


def test_a_recipe_from_start_to_picture(tmp_path, capsys, monkeypatch):
    # Kills: defaults that are not written down; a path that holds only from here; a resume that needs Python.
    np.save(tmp_path / "points.npy", X)
    monkeypatch.chdir(tmp_path)
    config = Config(
        recipe="beta_vae", data="points.npy", steps=200, batch_size=16, options={"latent_dim": 2, "beta": 2}
    )
    with monkeypatch.context() as patch:
        stop_at(patch, 100, signal.SIGINT)
        with pytest.raises(Stopped, match="SIGINT: step 100 is saved. Go on with: jaxgen train --resume run$"):
            run.train(config, "run")
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert settings == {
        "recipe": "beta_vae",
        "data": str(tmp_path / "points.npy"),
        "steps": 200,
        "seed": 0,
        "batch_size": 16,
        **UNTOLD,
        "options": {"beta": 2.0, "likelihood": "default", "latent_dim": 2, "learning_rate": 1e-3},
    }
    monkeypatch.chdir("/")
    resumed = resume(tmp_path / "run")
    assert "step 200/200" in capsys.readouterr().err and resumed.state.context.step == 200
    samples.write_samples(tmp_path / "run", tmp_path / "samples.png", n=9, seed=1)
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")
    assert restore.load(tmp_path / "run").encode(jnp.zeros((3, 2))).shape == (3, 2)


def test_a_run_goes_on_beyond_its_end(copy, done, capsys):
    # Kills: a longer run that is another run; a config that still says the old end; fewer steps than were played.
    whole = fit(plan(), X, steps=300, batch_size=16, seed=3)
    longer = resume(copy, what=plan(), data=X, steps=300)
    assert_same_bits(longer.state, whole.state)
    assert json.loads((copy / "config.json").read_text())["config"]["steps"] == 300
    assert checkpoint.steps(copy / "checkpoints")[-1] == 300
    with pytest.raises(BadRequest, match="has played 300 steps, and --steps 250 is fewer"):
        resume(copy, what=plan(), data=X, steps=250)


def test_records_are_handed_over(tmp_path):
    # Kills: a callback that is called once, or with something else than the history; one that can change it.
    lines = []
    trained = fit(
        plan(), X, steps=STEPS, batch_size=16, on_record=lambda line: (lines.append(dict(line)), line.clear())
    )
    assert lines == trained.history and [line["step"] for line in lines] == [100, 200]


def test_seconds_go_on_where_a_run_goes_on(copy, done):
    # Kills: a clock that begins again at each resume; the time between two runs counted as training; the time of a
    # chunk for that since the first step; lines that do not say of which seed they are.
    before = done[1].history
    assert all(line["seed"] == 3 for line in before)
    for one, line in zip([0.0, *(line["seconds"] for line in before)], before, strict=False):
        assert line["seconds"] - one == pytest.approx(100 / line["steps_per_s"], rel=1e-3, abs=2e-6)
    (copy / "metrics.jsonl").write_text("".join(json.dumps({**line, "seconds": 1000.0}) + "\n" for line in before))
    after = resume(copy, what=plan(), data=X, steps=300).history
    assert [line["seconds"] for line in after[:-1]] == [1000.0, 1000.0]
    assert after[-1]["seconds"] == pytest.approx(1000.0 + 100 / after[-1]["steps_per_s"], abs=2e-6)
    assert after[-1]["seconds"] > 1000.0


def test_what_a_callback_raises_ends_the_run_after_a_checkpoint(done, tmp_path):
    # Kills: steps lost with the connection of a logger; an error that reads as one of training; one that is swallowed.
    def fail(line):
        raise OSError("no connection")

    with pytest.raises(OSError, match="no connection") as error:
        go(tmp_path / "run", on_record=fail)
    (note,) = error.value.__notes__
    assert note.startswith("on_record raised this, after step 100. Step 100 is saved. Go on with: ")
    assert str(tmp_path / "run") in note and checkpoint.steps(tmp_path / "run" / "checkpoints") == [0, 100]
    resumed = resume(tmp_path / "run", what=plan(), data=X)
    assert_same_bits(resumed.state, done[1].state)
    assert figures(resumed.history) == figures(done[1].history)
    with pytest.raises(OSError, match="no connection") as error:
        go(on_record=fail)
    assert error.value.__notes__ == [
        "on_record raised this, after step 100. The run has no folder (out=...), so nothing is saved."
    ]


def test_loggers_of_others_take_a_line_each(monkeypatch):
    # Kills: a line of the history that a logger of numbers does not take, such as one with a loss that is not finite;
    # words of the docstring that do not run.
    scalars, metrics, rows = [], [], []

    def number(value):
        assert isinstance(value, int | float), value
        return float(value)

    class SummaryWriter:
        def __init__(self, logdir=None):
            assert logdir == "logs"

        def add_scalar(self, tag, scalar_value, global_step=None):
            scalars.append((tag, number(scalar_value), global_step))

    def log_metrics(metrics_of_step, step=None):
        metrics.append(({name: number(value) for name, value in metrics_of_step.items()}, step))

    def log(data, step=None, commit=None):
        rows.append(dict(data))

    def fitted(recipe, data, *, steps, on_record):
        record = run.recorder.record
        with monkeypatch.context() as patch:
            patch.setattr(run.recorder, "record", lambda chunk, **more: {**record(chunk, **more), "a/bad": None})
            return fit(plan(), X, steps=STEPS, batch_size=16, on_record=on_record)

    for name, module in (
        ("wandb", SimpleNamespace(init=lambda project: None, log=log)),
        ("mlflow", SimpleNamespace(log_metrics=log_metrics)),
        ("tensorboardX", SimpleNamespace(SummaryWriter=SummaryWriter)),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    _, *blocks = re.split(r"^ +# .*\n", inspect.getdoc(fit).partition("`on_record` can log it:")[2], flags=re.MULTILINE)
    assert len(blocks) == 3
    for block in blocks:
        exec(textwrap.dedent(block), {"jaxgen": SimpleNamespace(fit=fitted)})  # noqa: S102  # our own words
    assert [row["step"] for row in rows] == [step for _, step in metrics] == [100, 200]
    last = {name: value for name, value, step in scalars if step == 200}
    assert last.keys() == metrics[-1][0].keys() == rows[-1].keys() - {"a/bad"}
    assert last["step"] == 200 and last["seed"] == 0 and last["seconds"] > 0
