"""Data that stay on the disk are the data that would be loaded: same splits, same order, same numbers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamed import autoencoder

from jaxgen.core import BadRequest
from jaxgen.data import load, streams
from jaxgen.data.datasets import of_dataset
from jaxgen.data.streams import GIB, Stored, limit, sampled
from jaxgen.training import checkpoint
from jaxgen.training import sources as sources_of
from jaxgen.training.loop import train
from jaxgen.training.program import compile_loop, run_keys

X = np.random.default_rng(0).integers(0, 256, (40, 8, 9, 3), np.uint8)


def refused(call, *says):
    with pytest.raises(BadRequest) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and all(s in message for s in says), message


def assert_same_data(streamed, resident):
    """The same examples and labels in the same splits; the one on the disk, the other in memory."""
    for one, other in zip(streamed.splits.values(), resident.splits.values(), strict=True):
        assert isinstance(one.x, Stored) and one.x.dtype == other.x.dtype and one.x.shape == other.x.shape
        np.testing.assert_array_equal(one.x[:], other.x)
        np.testing.assert_array_equal(one.label, other.label)
    assert (streamed.kind, streamed.classes, streamed.shape) == (resident.kind, resident.classes, resident.shape)
    assert streamed.notes == resident.notes


@pytest.mark.parametrize(
    "at", [3, -1, slice(2, 9, 3), np.array([5, 0, 5]), np.array([[1, 2], [3, 4]]), np.arange(30) < 4]
)
def test_what_is_stored_is_indexed_like_an_array(at):
    # Kills: positions of the file taken for positions of the split; an order that the reader changes.
    place = np.random.default_rng(1).permutation(40)[:30]
    stored, array = Stored(lambda at: X[at], place, X.shape[1:], X.dtype), X[place]
    np.testing.assert_array_equal(stored[at], array[at])
    assert stored[at].shape == array[at].shape
    assert (len(stored), stored.shape, stored.nbytes, stored.ndim) == (30, array.shape, array.nbytes, 4)
    np.testing.assert_array_equal(stored.part(slice(4, 9))[1:], array[5:9])


def test_what_is_stored_is_never_read_as_a_whole():
    # Kills: a task that reads all of it into memory in silence.
    stored = Stored(lambda at: X[at], np.arange(40), X.shape[1:], X.dtype)
    refused(lambda: np.asarray(stored), "40 examples are streamed", "sampled(data)")


def test_limit_is_a_share_of_the_memory():
    # Kills: the memory of the host forgotten beside that of a device, or the other way round.
    assert limit(None, 16 * GIB) == 4 * GIB and limit(16 * GIB, 1024 * GIB) == 8 * GIB
    assert limit(80 * GIB, 16 * GIB) == 4 * GIB
    assert streams.room(True) == 0 and streams.room(False) == float("inf")
    assert 2**20 < streams.room(None) < 2**50


@pytest.mark.parametrize(
    "x",
    [X, X[..., 0], (X > 128), X.astype(np.int16), (X / 255).astype(np.float32), X // 128],
    ids=["uint8", "grey", "bool", "int16", "float", "ones"],
)
def test_a_mapped_file_is_the_loaded_one(tmp_path, x):
    # Kills: pixels of a block scaled by the range of that block; channels forgotten; another split or order.
    path = str(tmp_path / "x.npy")
    np.save(path, x)
    assert_same_data(load(path, room=100), load(path))
    assert isinstance(load(path, room=X.size).train.x, np.ndarray)


def test_mapped_files_are_looked_at_as_loaded_ones_are(tmp_path, monkeypatch):
    # Kills: a look at the first block only; what `load` refuses let through.
    monkeypatch.setattr("jaxgen.data.array_files.BLOCK", 16)
    path = str(tmp_path / "x.npy")
    for place, value, says in ((33, np.nan, "NaN or infinite"), (3, -1, "run from -1"), (17, 1.5, "run from")):
        x = (X / 255).astype(np.float32)
        x[place, 0, 0, 0] = value
        np.save(path, x)
        refused(lambda: load(path, room=100), path, says)
    np.save(path, X.transpose(0, 3, 1, 2))
    refused(lambda: load(path, room=100), "[N, C, H, W]")


def test_a_folder_is_decoded_as_it_is_asked_for(tmp_path):
    # Kills: images in the order in which the threads end; an error in a thread that is lost.
    for i, x in enumerate(X):
        folder = tmp_path / "data" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x).save(folder / f"{i:02}.png")
    path = str(tmp_path / "data")
    data = load(path, room=100)
    assert_same_data(data, load(path))
    (tmp_path / "data" / "a" / "00.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    refused(lambda: [split.x[:] for split in data.splits.values()], "00.png cannot be read as an image")


def test_a_prepared_set_is_mapped_after_it_is_decoded_once(root):
    # Kills: a set that is held in memory while it is decoded, or later; what is not whole left behind.
    data = load("toy", room=100)
    resident = load("toy")
    assert_same_data(data, resident)
    assert not list(root.rglob("*partial*"))
    assert load("toy", room=100).digest == data.digest != resident.digest


def test_the_digest_tells_other_data(tmp_path):
    # Kills: a digest of the shape alone, or of the name.
    path = str(tmp_path / "x.npy")
    digests = []
    for x in (X, 255 - X, X[:-1], X):
        np.save(path, x)
        digests.append(load(path, room=0).digest)
    assert digests[0] == digests[3] and len(set(digests)) == 3


def test_a_sample_is_in_memory(tmp_path, monkeypatch):
    # Kills: all of the data read for a look at some; labels of other examples.
    path = str(tmp_path / "x.npy")
    np.save(path, X)
    data = load(path, room=0)
    monkeypatch.setattr(streams, "SAMPLE", 5)
    some = sampled(data)
    assert isinstance(some.train.x, np.ndarray) and len(some.train.x) == 5 and len(some.valid.x) == 4
    np.testing.assert_array_equal(some.train.x, data.train.x[:5])
    assert some.digest == data.digest and "first 5 examples" in some.notes[-1]
    resident = load(path)
    assert sampled(resident) is resident


LABELS = [int(i) for i in np.arange(40) % 3]


@pytest.mark.parametrize("form", ["x", "pair", "dict"])
def test_a_map_dataset_is_data(form):
    # Kills: a label taken for a part of x; labels that leave their x.
    grain = pytest.importorskip("grain")
    make = {"x": lambda i: X[i], "pair": lambda i: (X[i], LABELS[i]), "dict": lambda i: {"x": X[i], "label": LABELS[i]}}
    data = of_dataset(grain.MapDataset.source(range(40)).map(make[form]))
    np.testing.assert_array_equal(data.train.x[:], X)
    assert (data.kind, data.shape, len(data.test.x), len(data.valid.x)) == ("image", (8, 9, 3), 0, 0)
    if form == "x":
        assert data.train.label is None and data.classes == ()
    else:
        assert data.train.label.tolist() == LABELS and data.classes == ("0", "1", "2")


def test_a_map_dataset_draws_anew_in_each_epoch():
    # Kills: one augmentation for good; the labels of the first epoch's order in later ones.
    grain = pytest.importorskip("grain")

    def drawn(i, rng):
        return np.array([i, rng.integers(2**20)], np.float32), i % 3

    data = of_dataset(grain.MapDataset.source(range(40)).shuffle(seed=1).random_map(drawn, seed=2))
    epochs = [data.train.x.anew(np.arange(40) + 40 * epoch) for epoch in range(2)]
    for x, label in epochs:
        assert sorted(x[:, 0].tolist()) == list(range(40)) and (x[:, 0] % 3 == label).all()
    assert (epochs[0][0] != epochs[1][0]).any(0).all()
    np.testing.assert_array_equal(data.train.x.anew(np.array([41, 3]))[0], [epochs[1][0][1], epochs[0][0][3]])


def test_data_sets_that_cannot_be_trained_on_are_refused():
    # Kills: a traceback, or an endless pass, in place of a line.
    grain = pytest.importorskip("grain")
    source = grain.MapDataset.source(range(40))
    images = source.map(lambda i: X[i])
    refused(lambda: of_dataset(images.to_iter_dataset()), "cannot be read by position", "MapDataset")
    refused(lambda: of_dataset(images.repeat()), "one epoch", "without repeat()")
    refused(lambda: of_dataset(images[:0]), "none of items")
    refused(lambda: of_dataset(source.map(lambda i: X[i].astype(np.int64))), "uint8 or float32", "int64[8, 9, 3]")
    refused(lambda: of_dataset(source.map(lambda i: (X[i], 0.5))), "label of item 0 is 0.5")
    refused(lambda: of_dataset(source.map(lambda i: {"image": X[i]})), "item 0 has image")
    refused(lambda: of_dataset(images, label=np.arange(3)), "one for each of its 40 items")
    refused(lambda: of_dataset(images, label=np.array(LABELS), classes=("a", "b")), "label 2 has no name")
    ragged = source.map(lambda i: X[i, : 8 - (i == 7)])
    refused(lambda: of_dataset(ragged).train.x[5:9], "item 7 of the data set is uint8[7, 9, 3]", "one shape")


COUNT = 100_000  # images of 64x64x3, 1.2 GB


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "x.npy"
    x = np.lib.format.open_memmap(path, "w+", np.uint8, (COUNT, 64, 64, 3))
    rng = np.random.default_rng(0)
    for i in range(0, COUNT, 1000):
        x[i : i + 1000] = rng.integers(0, 256, (1000, 64, 64, 3), np.uint8)
    x.flush()
    del x
    yield path
    path.unlink()


def begin(out, path, steps, log):
    words = [str(Path(__file__).with_name("streamed.py")), str(out), str(path), str(steps)]
    with open(log, "w") as told:
        return subprocess.Popen([sys.executable, *words], stdout=told, stderr=told)


@pytest.mark.slow
def test_a_large_stream_takes_little_memory_and_survives_a_kill(large, tmp_path):
    # Kills: data that are loaded after all; batches that are kept; an order or a read that differs after a resume.
    # 300 steps of 64 images: `pytest -m slow -s tests/data/test_streams.py -k large`.
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "log"
    assert begin(whole, large, 300, log).wait(600) == 0, log.read_text()
    taken = [int(line.split()[1]) for line in log.read_text().splitlines() if line[0].isdigit()]
    print(f"{len(taken)} chunks: {min(taken[2:]) / 2**20:.0f} to {max(taken) / 2**20:.0f} MiB")
    assert max(taken) < 0.7 * 2**30 and max(taken[2:]) - min(taken[2:]) < 100 * 2**20
    process, limit = begin(killed, large, 300, log), time.monotonic() + 300
    while (checkpoint.steps(killed / "checkpoints") or [0])[-1] < 100:
        assert process.poll() is None and time.monotonic() < limit, log.read_text()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 100 <= checkpoint.steps(killed / "checkpoints")[-1] < 300
    assert begin(killed, large, 300, log).wait(600) == 0, log.read_text()
    assert "resumed at" in log.read_text()
    records = [json.loads((out / "checkpoints" / "300" / "record.json").read_text()) for out in (whole, killed)]
    assert records[0]["leaves"] == records[1]["leaves"]


@pytest.mark.slow
def test_a_large_stream_is_nearly_as_fast_as_resident_data(large):
    # Kills: reads that the device waits for; a reader that takes one image at a time.
    # Chunks in turns, so that a busy machine slows both: `pytest -m slow -s tests/data/test_streams.py -k fast`.
    data = load(str(large), room=0)
    assert isinstance(data.train.x, Stored)
    keys, plan = run_keys(0), autoencoder()
    sources = {"stream": sources_of.stream(data.train.x), "resident": sources_of.arrays(data.train.x[:])}
    runs = {}
    for name, source in sources.items():
        program = compile_loop(plan, source, chunk=10)
        runs[name] = train(program, program.init(keys.init), keys, steps=400)
    seconds = {name: [] for name in runs}
    for _ in range(40):
        for name, chunks in runs.items():
            began = time.perf_counter()
            next(chunks)
            seconds[name].append(time.perf_counter() - began)
    rates = {name: 640 / np.median(times[4:]) for name, times in seconds.items()}
    print(f"images/s: {rates}, ratio {rates['stream'] / rates['resident']:.3f}, load {os.getloadavg()[0]:.1f}")
    assert rates["stream"] >= 0.9 * rates["resident"]
