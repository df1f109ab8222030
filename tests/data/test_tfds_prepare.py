"""The official builder of Fashion-MNIST at a small size: its code, other files, and their checksums registered."""

import gzip
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toy_sets import TRAIN, X, Y, contents, write

from jaxgen.cli import main
from jaxgen.core import BadRequest
from jaxgen.data import idx, load
from jaxgen.data.tfds import prepare as module
from jaxgen.data.tfds.prepare import prepare
from jaxgen.data.tfds.records import tfds

PACKAGE = Path("/usr/share/datasets/fashion-mnist")
FILES = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in contents().items()}
no_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed, and then it is used"
)


@pytest.fixture
def official(monkeypatch):
    """The builder of Fashion-MNIST, whose files are ours."""
    tfds().list_builders(with_community_datasets=False)
    builder = tfds().builder_cls("fashion_mnist")
    module = sys.modules[builder.__module__]
    monkeypatch.setattr(module, "_TRAIN_EXAMPLES", TRAIN)
    monkeypatch.setattr(module, "_TEST_EXAMPLES", len(X) - TRAIN)
    info = type(next(iter(builder.url_infos.values())))
    size = type(next(iter(builder.url_infos.values())).size)
    urls = {
        f"{builder.URL}{name}": info(size(len(content)), hashlib.sha256(content).hexdigest(), name)
        for name, content in FILES.items()
    }
    monkeypatch.setattr(builder, "url_infos", urls)

    def refuse(event, *args):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    return builder


def refused(call, *says):
    with pytest.raises(BadRequest) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and all(s in message for s in says), message


def pairs(x, label):
    return sorted(np.concatenate([x.reshape(len(x), -1), label[:, None]], 1).tolist())


@no_tensorflow
def test_the_official_builder_prepares_our_files(official, tmp_path, monkeypatch):
    # Kills: another builder; TFRecord; images encoded wrongly; what is left of the work beside what was asked for.
    source, root = write(tmp_path / "files", FILES), tmp_path / "new" / "data"
    folder, counts = prepare("fashion_mnist", source, root)
    assert folder == root / "fashion_mnist" / "3.0.1" and counts == {"train": TRAIN, "test": 20}
    assert os.listdir(root) == ["fashion_mnist"] and os.listdir(root / "fashion_mnist") == ["3.0.1"]
    assert {path.name for path in source.iterdir()} == set(FILES)
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    data = load("fashion_mnist")
    assert data.shape == (28, 28, 1) and data.classes[0] == "T-shirt/top" and data.classes[9] == "Ankle boot"
    assert pairs(*data.test[:2]) == pairs(X[TRAIN:], Y[TRAIN:])
    assert "tensorflow" not in sys.modules
    refused(lambda: prepare("fashion_mnist", source, root), "already prepared", str(folder))
    refused(lambda: prepare("fashion_mnist", source), "already prepared")


@no_tensorflow
def test_the_command_says_what_it_wrote_and_what_comes_next(official, tmp_path, monkeypatch, capfd):
    # Kills: an option dropped; TFDS's own chatter on stdout; a hint that does not find what was written.
    source, root = write(tmp_path / "files", FILES), tmp_path / "my data"
    assert main(["prepare", "fashion_mnist", "--from", str(source), "--data-dir", str(root)]) == 0
    out, err = capfd.readouterr()
    folder = root / "fashion_mnist" / "3.0.1"
    hint = f"TFDS_DATA_DIR='{root}' jaxgen compare --data fashion_mnist"
    assert out.splitlines() == [f"prepared: {folder} (60 train, 20 test). Next: {hint}"]
    assert err.splitlines() == ["preparing fashion_mnist/3.0.1"]
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "usual"))
    assert main(["prepare", "fashion_mnist", "--from", str(source)]) == 0
    assert capfd.readouterr().out.endswith("Next: jaxgen compare --data fashion_mnist\n")
    assert (tmp_path / "usual" / "fashion_mnist" / "3.0.1" / "dataset_info.json").is_file()


def test_gzip_headers_are_restored(official, tmp_path, monkeypatch):
    # Kills: a header of other fields; another time or name; the content of a wrong file accepted.
    upstream, debian, times = {}, {}, {}
    for i, (name, content) in enumerate(FILES.items()):
        field = name.removesuffix(".gz").encode() + b"\0"
        upstream[name] = b"\x1f\x8b\x08\x08" + (7 + i).to_bytes(4, "little") + b"\x00\x03" + field + content[10:]
        debian[name] = b"\x1f\x8b\x08\x00" + b"\x11\x22\x33\x44" + b"\x02\x03" + content[10:]
        times[hashlib.sha256(upstream[name]).hexdigest()] = 7 + i
        assert gzip.decompress(upstream[name]) == gzip.decompress(debian[name])
    for url, info in official.url_infos.items():
        content = upstream[info.filename]
        official.url_infos[url] = type(info)(
            type(info.size)(len(content)), hashlib.sha256(content).hexdigest(), info.filename
        )
    monkeypatch.setattr(module, "TIMES", times)
    source = write(tmp_path / "files", debian)
    for name, content in debian.items():
        for bad in (content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], content[:3] + b"\x04" + content[4:], b""):
            (source / name).write_bytes(bad)
            refused(lambda: prepare("fashion_mnist", source, tmp_path / "no"), name, "not the official file")
        (source / name).write_bytes(content)
    assert not (tmp_path / "no").exists()
    assert prepare("fashion_mnist", source, tmp_path / "data").counts["train"] == TRAIN


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_checksum_is_refused_before_anything_is_written(official, tmp_path, name):
    # Kills: checksums off; one file of four left out; a folder made for nothing.
    content = bytearray(FILES[name])
    content[20] ^= 1
    source = write(tmp_path / "files", {**FILES, name: bytes(content)})
    refused(lambda: prepare("fashion_mnist", source, tmp_path / "data"), name, "sha256", "Download it again")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("absent", [*([name] for name in FILES), list(FILES)])
def test_missing_files_are_named_and_no_download_is_tried(official, tmp_path, absent):
    # Kills: a silent wait for a network; half a set left behind; an empty folder that looks like one.
    source = write(tmp_path / "files", {name: content for name, content in FILES.items() if name not in absent})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "other").write_text("stays")
    for root in (tmp_path / "data", tmp_path / "fresh"):
        refused(lambda root=root: prepare("fashion_mnist", source, root), "lacks", *absent)
    assert os.listdir(tmp_path / "data") == ["other"] and not (tmp_path / "fresh").exists()


def test_what_cannot_be_prepared_is_refused(official, tmp_path, monkeypatch):
    # Kills: TFDS's own pages of text; names of the community, for which it would ask the network; no checksums;
    # an OSError.
    source = write(tmp_path / "files", FILES)
    for name, says in (
        ("fashon_mnist", "did you mean 'fashion_mnist'?"),
        ("Fashion_MNIST", "did you mean 'fashion_mnist'?"),
        ("digits", "TFDS has no set 'digits'"),
        ("huggingface:mnist", "TFDS has no set"),
        ("fashion_mnist:3.0.1", "did you mean 'fashion_mnist'?"),
        ("", "TFDS has no set ''"),
        ("fashion_mnist/big", "no configuration 'big'"),
        ("emnist/leters", "letters"),
        ("emnist/letters", "lacks"),
    ):
        refused(lambda name=name: prepare(name, source, tmp_path / "data"), says)
    refused(lambda: prepare("fashion_mnist", tmp_path / "nowhere", tmp_path / "data"), "no folder", "nowhere")
    refused(lambda: prepare("fashion_mnist", source / next(iter(FILES)), tmp_path / "data"), "no folder")
    # A place where no folder can be made, whoever asks.
    refused(lambda: prepare("fashion_mnist", source, source / next(iter(FILES)) / "data"), "cannot be made")
    monkeypatch.setattr(official, "url_infos", None)
    refused(lambda: prepare("fashion_mnist", source, tmp_path / "data"), "registers no checksum")
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
@pytest.mark.skipif(not PACKAGE.is_dir(), reason=f"no {PACKAGE}: apt-get install dataset-fashion-mnist")
def test_the_real_fashion_mnist(tmp_path):
    # Kills: upstream's gzip times mixed up; one image of 70,000 lost, or beside another label; TensorFlow; a network.
    code = """
import sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"a network was asked for: {event} {args}")
sys.addaudithook(refuse)
from jaxgen.cli import main
code = main(sys.argv[1:])
assert "tensorflow" not in sys.modules
sys.exit(code)
"""
    root = tmp_path / "data"
    words = ["prepare", "fashion_mnist", "--from", str(PACKAGE), "--data-dir", str(root)]
    found = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    assert "60000 train" in found.stdout and "10000 test" in found.stdout and str(root) in found.stdout
    reading = """
import sys
import numpy as np
from jaxgen.data import load
data = load("fashion_mnist")
for name, split in zip(("train", "valid", "test"), (data.train, data.valid, data.test)):
    np.savez(f"{sys.argv[1]}/{name}.npz", x=split.x, label=split.label)
"""
    environment = {**os.environ, "TFDS_DATA_DIR": str(root)}
    subprocess.run([sys.executable, "-c", reading, str(tmp_path)], check=True, env=environment, timeout=300)
    raw, read = idx.read(str(PACKAGE)), {name: np.load(tmp_path / f"{name}.npz") for name in ("train", "valid", "test")}

    def rows(x, label):
        return sorted(map(bytes, np.concatenate([x.reshape(len(x), -1), label[:, None].astype(np.uint8)], 1)))

    x = raw.read(np.arange(70_000))
    assert rows(read["test"]["x"], read["test"]["label"]) == rows(x[60_000:], raw.label[60_000:])
    train = [np.concatenate([read[name][what] for name in ("train", "valid")]) for what in ("x", "label")]
    assert rows(*train) == rows(x[:60_000], raw.label[:60_000])
    assert len(read["valid"]["x"]) == 7500
