import gzip

import numpy as np
import pytest
from toy_sets import TRAIN, X, Y, contents, idx, write

from jaxgen.core import BadRequest
from jaxgen.data import load, streams

FILES = contents()


def pairs(x, label):
    return sorted(np.concatenate([np.asarray(x).reshape(len(x), -1), np.asarray(label)[:, None]], 1).tolist())


def refused(source, *says):
    with pytest.raises(BadRequest) as caught:
        load(str(source))
    message = str(caught.value)
    assert "\n" not in message and all(s in message for s in says), message


@pytest.mark.parametrize("packed", [(), tuple(FILES), ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte")])
def test_images_keep_their_labels_and_the_test_split(tmp_path, packed):
    # Kills: rows and columns swapped, labels of the other file, test examples in train, t10k for train.
    write(tmp_path, FILES, packed)
    (tmp_path / "readme.txt").write_text("beside it")
    data = load(str(tmp_path))
    assert (data.kind, data.shape, data.train.x.dtype) == ("image", (28, 28, 1), np.uint8)
    assert data.classes == tuple("0123456789") and data.train.label.dtype == np.int32
    assert pairs(*data.test[:2]) == pairs(X[TRAIN:], Y[TRAIN:])
    both = [np.concatenate(arrays) for arrays in zip(data.train[:2], data.valid[:2], strict=True)]
    assert pairs(*both) == pairs(X[:TRAIN], Y[:TRAIN])
    assert len(data.valid.x) == 10  # of each class of 6, round(6 / 8)
    assert data.notes == ("test: the source's own.",)


def test_height_comes_before_width(tmp_path):
    # Kills: [N, W, H].
    data = load(str(write(tmp_path, contents(X[:, :5, :9]))))
    assert data.shape == (5, 9, 1)
    assert pairs(*data.test[:2]) == pairs(X[TRAIN:, :5, :9], Y[TRAIN:])


def test_classes_are_the_values_of_the_labels(tmp_path):
    # Kills: classes by position, or each file's own.
    y = Y + np.uint8(3)
    y[:TRAIN] = np.minimum(y[:TRAIN], 11)
    data = load(str(write(tmp_path, contents(y=y))))
    assert data.classes == tuple(map(str, range(3, 13)))
    assert pairs(*data.test[:2]) == pairs(X[TRAIN:], y[TRAIN:] - 3)


def test_labels_and_test_split_may_be_absent(tmp_path):
    # Kills: a file demanded that is not needed; 70, 10, 20 % where a test split stands.
    alone = load(str(write(tmp_path / "a", {"train-images-idx3-ubyte": FILES["train-images-idx3-ubyte"]})))
    assert alone.train.label is None and alone.classes == () and alone.notes == ()
    assert [len(split.x) for split in (alone.train, alone.valid, alone.test)] == [42, 6, 12]
    images = {name: content for name, content in FILES.items() if "images" in name}
    both = load(str(write(tmp_path / "b", images)))
    assert both.test.label is None and [len(s.x) for s in (both.train, both.valid, both.test)] == [52, 8, 20]


@pytest.mark.parametrize(
    "absent", [{"train-images-idx3-ubyte"}, {"t10k-images-idx3-ubyte"}, {"train-labels-idx1-ubyte"}]
)
def test_what_is_missing_is_named(tmp_path, absent):
    # Kills: labels for one split only; a test split trained on because train is not there.
    write(tmp_path, {name: content for name, content in FILES.items() if name not in absent})
    refused(tmp_path, "lacks", *absent)


def test_an_unpacked_file_goes_before_a_packed_one(tmp_path):
    # Kills: a choice that depends on the file system.
    write(tmp_path, FILES)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"no gzip at all")
    assert len(load(str(tmp_path)).test.x) == 20


@pytest.mark.parametrize("packed", [False, True])
def test_a_dot_in_place_of_the_dash(tmp_path, packed):
    # Kills: Kaggle's names taken for a folder without images; a dotted copy that goes before the original.
    wanted = load(str(write(tmp_path / "dash", FILES))).digest
    dotted = {name.replace("-idx", ".idx"): content for name, content in FILES.items()}
    assert load(str(write(tmp_path / "dot", dotted, tuple(dotted) if packed else ()))).digest == wanted
    both = write(tmp_path / "both", {**FILES, **dict.fromkeys(dotted, b"no idx file at all")})
    assert load(str(both)).digest == wanted


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_files_are_named(tmp_path, name, packed):
    # Kills: a truncated file read as far as it goes; bytes beyond the end ignored; gzip's own exceptions.
    whole = gzip.compress(FILES[name]) if packed else FILES[name]
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    for content in (
        b"",
        whole[:3],
        whole[:9],
        whole[: len(whole) // 2],
        whole[:-1],
        *([flipped] if packed else [whole + b"x"]),
    ):
        write(tmp_path, {other: FILES[other] for other in FILES if other != name})
        (tmp_path / f"{name}{'.gz' if packed else ''}").write_bytes(content)
        refused(tmp_path, name, "damaged or no idx file")


def test_foreign_files_are_refused(tmp_path):
    # Kills: int32 or floats read as bytes, labels for images, shapes and lengths that do not fit.
    images, labels, test = "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"
    for name, content, says in (
        (images, FILES[labels], "00000803"),
        (labels, FILES[images], "00000801"),
        (images, idx(X[:TRAIN], kind=0x0D), "00000d03"),
        (images, b"\x89PNG and more", "89504e47"),
        (labels, idx(Y[: TRAIN - 1]), "59 labels for 60 images"),
        (test, idx(X[TRAIN:, :, :9]), "(28, 28)"),
        (images, idx(X[:0]), "holds nothing"),
        (images, bytes((0, 0, 8, 3)) + b"\xff" * 12, "values"),
    ):
        write(tmp_path, {**FILES, name: content})
        refused(tmp_path, says)


def test_no_more_is_unpacked_than_the_header_says(tmp_path, monkeypatch):
    # Kills: a file of a kilobyte that unpacks to a gigabyte, read to the end; a header that asks for any memory.
    name = "train-images-idx3-ubyte"
    unpacked, read = [], gzip.GzipFile.read

    def counted(self, size=-1):
        found = read(self, size)
        unpacked.append(len(found))
        return found

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    write(tmp_path, {name: FILES[name] + bytes(10**7)}, (name,))
    refused(tmp_path, name, "and more are there")
    assert 0 < sum(unpacked) <= len(FILES[name]) + 1
    write(tmp_path, {name: FILES[name]}, (name,))
    monkeypatch.setattr(streams, "host_memory", lambda: len(FILES[name]) // 2)
    refused(tmp_path, name, "GiB, and this machine has")
