"""Streams see what resident data would see, from any step on and in any number of processes."""

import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toys import gan_plan, linear

import jaxgen
from jaxgen.cli import main
from jaxgen.core import BadRequest, Model
from jaxgen.data.streams import Stored
from jaxgen.runs import play, run
from jaxgen.runs.restore import load_data
from jaxgen.system.signals import Stopped
from jaxgen.training import sources
from jaxgen.training.loop import train
from jaxgen.training.program import compile_loop, run_keys

X = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
LABEL = (np.arange(50) % 3).astype(np.int32)
KEYS = run_keys(5)


def stored(x):
    return Stored(lambda at: x[at], np.arange(len(x)), x.shape[1:], x.dtype)


@pytest.fixture(scope="module")
def streamed():
    return compile_loop(gan_plan(), sources.stream(stored(X)), batch_size=16, chunk=5)


def end(program, steps=10, start=None):
    state = program.init(KEYS.init) if start is None else program.place(jax.tree.map(np.asarray, start))
    *_, last = train(program, state, KEYS, steps=steps)
    return last.state


def assert_close(a, b, **tolerance):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize("label", [None, LABEL])
def test_a_stream_sees_what_resident_data_see(label):
    # Kills: another order than `order.indices`; a process that reads the part of another; labels that leave their x.
    condition = None if label is None else (lambda x, label: label)
    make = (sources.stream(stored(X), label, condition=condition), sources.arrays(X, label, condition=condition))
    parts = []
    for process in range(2):
        place = (KEYS.data, 96, (4, 2, 8), process, 2)
        parts.append([s.batch(s.resident, jax.tree.map(lambda a: a[0], s.fetch(*place))) for s in make])
        assert_close(*parts[-1], rtol=0)
    whole = make[0].fetch(KEYS.data, 96, (4, 2, 8), 0, 1)[0][0]
    np.testing.assert_array_equal(np.concatenate([one.x for one, _ in parts], 1), whole)


def test_training_on_a_stream_is_training_on_resident_data(streamed):
    # Kills: a batch that is fetched for another step; a chunk fetched ahead that is played twice or not at all.
    # Two programs of one arithmetic, so a tolerance.
    resident = compile_loop(gan_plan(), sources.arrays(X), batch_size=16, chunk=5)
    assert_close(end(streamed), end(resident), rtol=1e-5, atol=1e-6)


def test_a_stream_goes_on_in_the_middle_of_an_epoch_bit_for_bit(streamed):
    # Kills: a position that is counted from the start of the process; an order that begins again.
    turns, size = streamed.shape
    assert 5 * turns * size % len(X)
    assert_close(end(streamed, start=end(streamed, steps=5)), end(streamed), rtol=0)


def test_each_domain_of_a_stream_has_its_own_examples():
    # Kills: positions among the examples of a domain taken for positions in the data.
    at = {name: np.flatnonzero(LABEL == i) for i, name in enumerate("ab")}
    streamed = sources.unpaired(**{name: sources.stream(stored(X), subset=at[name]) for name in at})
    resident = sources.unpaired(**{name: sources.arrays(X[at[name]]) for name in at})
    place = (KEYS.data, 0, (1, 2, 8), 0, 1)
    one, other = (s.batch(s.resident, jax.tree.map(lambda a: a[0], s.fetch(*place))) for s in (streamed, resident))
    assert_close(one, other, rtol=0)


def test_examples_that_are_new_in_each_epoch():
    # Kills: the epoch of the first example of a fetch taken for that of all; labels of another epoch.
    def anew(at):
        return np.stack([at // 10, at % 10], 1).astype(np.float32), (at // 10).astype(np.int32)

    x = Stored(lambda at: anew(at)[0], np.arange(10), (2,), np.float32, anew=anew)
    rows, label = sources.stream(x, np.zeros(10, np.int32)).fetch(KEYS.data, 5, (2, 2, 5), 0, 1)
    np.testing.assert_array_equal(rows[..., 0].ravel(), [0] * 5 + [1] * 10 + [2] * 5)
    np.testing.assert_array_equal(label, rows[..., 0])
    assert sorted(rows[..., 1].ravel()[5:15].tolist()) == list(range(10))


def test_what_cannot_be_streamed_is_refused():
    # Kills: labels of another length; numbers that the game does not take, noticed in training or never.
    with pytest.raises(BadRequest, match="not of 50 and 49"):
        sources.stream(stored(X), LABEL[:49])
    with pytest.raises(BadRequest, match="takes 0 to 1"):
        bounded = gan_plan()._replace(game=gan_plan().game._replace(range=(0.0, 1.0)))
        compile_loop(bounded, sources.stream(stored(X)), batch_size=8, chunk=1)


def images(n=60):
    return np.random.default_rng(0).integers(0, 256, (n, 8, 8, 1), np.uint8)


def same_params(a, b, **tolerance):
    assert_close(a.state.params, b.state.params, **tolerance)


def test_a_run_on_a_file_that_does_not_fit(tmp_path, monkeypatch, capsys):
    # Kills: a file that is loaded in spite of its size; silence; another split than that of resident data; a run that
    # cannot go on, or not in the middle of an epoch; samples or a picture that need all of the data.
    path, out = tmp_path / "x.npy", tmp_path / "run"
    np.save(path, images())
    options = {"batch_size": 16, "seed": 2}
    resident = jaxgen.fit(linear_of_images(), str(path), steps=7, **options)
    assert not resident.config["stream"]
    monkeypatch.setattr("jaxgen.data.streams.memory_limit", lambda: 2000)
    record = run.recorder.record

    def killing(chunk, **more):
        os.kill(os.getpid(), 15)
        return record(chunk, **more)

    monkeypatch.setattr(play, "default_chunk", lambda shape: 3)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(run.recorder, "record", killing)
        jaxgen.fit(linear_of_images(), str(path), steps=7, out=out, quiet=False, **options)
    printed = capsys.readouterr().err
    assert "streamed: 42 examples of 8x8x1 (2.5e-06 GiB) do not fit in the 1.86e-06 GiB of host memory" in printed
    gone_on = jaxgen.resume(out, what=linear_of_images())
    assert isinstance(gone_on.data.train.x, Stored) and gone_on.config["stream"] and gone_on.state.context.step == 7
    same_params(gone_on, resident, rtol=1e-5, atol=1e-7)
    whole = jaxgen.fit(linear_of_images(), str(path), steps=7, **options)
    same_params(gone_on, whole, rtol=0)
    monkeypatch.undo()  # on a machine with more memory it stays what it was: the digest is of a stream
    assert jaxgen.resume(out, what=linear_of_images(), steps=8).config["stream"]
    np.save(path, images()[::-1])
    with pytest.raises(BadRequest, match="has changed"):
        jaxgen.resume(out, what=linear_of_images(), steps=9)


def test_the_command_line_streams_and_samples(tmp_path, capsys):
    # Kills: a flag that is not passed on; a configuration that does not say what was done; samples that need the data.
    path, out, picture = tmp_path / "x.npy", tmp_path / "run", tmp_path / "x.png"
    np.save(path, images())
    words = ("vae", "--data", path, "--out", out, "--steps", 2, "--batch-size", 8, "--stream")
    assert main(["train", *map(str, words)]) == 0
    assert json.loads((out / "config.json").read_text())["config"]["stream"] is True
    assert "streamed: 42 examples of 8x8x1 (2.5e-06 GiB), as the run was asked to" in capsys.readouterr().err
    assert main(["sample", str(out), "--out", str(picture)]) == 0 and picture.stat().st_size
    assert main(["train", "--resume", str(out), "--steps", "3"]) == 0
    data, _ = load_data(out)
    assert isinstance(data.train.x, np.ndarray) and len(data.train.x) == 42


def linear_of_images():
    """The plan `linear` on the mean brightness of two rows of images; its model draws nothing."""
    plan = linear()
    losses = {name: _on_rows(loss) for name, loss in plan.game.losses.items()}
    init = plan.game.init
    game = plan.game._replace(
        losses=losses,
        init=lambda key, batch: init(key, batch._replace(x=_rows(batch.x))),
        draw=_drawn(plan.game.draw),
        model=lambda params, state: Model(),
    )
    return plan._replace(game=game)


def _rows(x):
    return jnp.mean(x, (1, 3))[:, :2]


def _on_rows(loss):
    return lambda params, noise, batch, context: loss(params, noise, batch._replace(x=_rows(batch.x)), context)


def _drawn(draw):
    return lambda key, batch: draw(key, batch._replace(x=_rows(batch.x)))


def test_arrays_in_memory_are_streamed_if_asked():
    # Kills: `stream` that is not passed on; another order.
    x = images()
    runs = [jaxgen.fit(linear_of_images(), x, steps=4, batch_size=16, stream=stream) for stream in (True, False)]
    assert [r.config["stream"] for r in runs] == [True, False]
    same_params(*runs, rtol=1e-5, atol=1e-7)


def test_a_data_set_of_python(tmp_path):
    # Kills: a MapDataset refused, or trained on in another order than an array.
    grain = pytest.importorskip("grain")
    x = images()
    dataset = grain.MapDataset.source(range(60)).map(lambda i: {"x": x[i], "label": i % 3})
    a = jaxgen.fit(linear_of_images(), dataset, steps=4, batch_size=16)
    same_params(a, jaxgen.fit(linear_of_images(), (x, np.arange(60) % 3), steps=4, batch_size=16), rtol=1e-5, atol=1e-7)
    assert a.data.classes == ("0", "1", "2") and a.config["stream"]
