"""Prepared sets of TFDS, made here by builders of our own: as official ones, but small."""

import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from toy_sets import CLASSES, TRAIN, X, Y, examples, mnist, png, prepare, splits

from jaxgen.core import BadRequest
from jaxgen.data import load
from jaxgen.data.tfds import records


def pairs(split):
    return sorted(np.concatenate([split.x.reshape(len(split.x), -1), split.label[:, None]], 1).tolist())


def expected(x, y):
    return sorted(np.concatenate([x.reshape(len(x), -1), y[:, None]], 1).tolist())


def refused(source, *says):
    with pytest.raises(BadRequest) as caught:
        load(str(source))
    message = str(caught.value)
    assert "\n" not in message and all(s in message for s in says), message


def test_images_labels_classes_and_splits(root):
    # Kills: labels that leave their images, official splits mixed, classes as numbers, one item lost per block.
    data = load("toy")
    assert (data.name, data.kind, data.shape, data.classes) == ("toy", "image", (28, 28, 1), tuple(CLASSES))
    assert data.train.x.dtype == np.uint8 and data.train.label.dtype == np.int32
    assert pairs(data.test) == expected(X[TRAIN:], Y[TRAIN:])
    assert sorted(pairs(data.train) + pairs(data.valid)) == expected(X[:TRAIN], Y[:TRAIN])
    assert len(data.valid.x) == 10
    assert data.notes == ("80 images of 28x28, grey.", "test: the source's own.")


@pytest.mark.parametrize("size", [7, 59])
def test_blocks_do_not_matter(root, monkeypatch, size):
    # Kills: a block left out, read twice or out of place; the last record, where it is a block of its own.
    digest = load("toy").digest
    shutil.rmtree(root)
    shutil.rmtree(root.parent / "cache")
    prepare(root, splits(train=TRAIN, test=20), mnist)
    monkeypatch.setattr(records, "BLOCK", size)
    assert load("toy").digest == digest


def test_the_second_reading_takes_the_arrays_that_the_first_kept(root, monkeypatch, capsys):
    # Kills: arrays never written or never read; a copy in memory beside the one that is asked for; other notes.
    first = load("toy")
    kept = root.parent / "cache"
    assert capsys.readouterr().err == f"reading 80 images of toy/1.0.0, once: 0.1 MB are kept in {kept}\n"
    monkeypatch.setattr(records, "_records", None)
    second = load("toy")
    assert second.digest == first.digest and second.notes == first.notes and capsys.readouterr().err == ""
    assert type(second.train.x) is np.ndarray and second.train.x.flags.writeable
    assert not list((root / "toy" / "1.0.0").glob("jaxgen*"))
    assert sorted(path.suffix for path in kept.iterdir()) == [".json", ".npy"]


def test_other_records_are_read_anew(root):
    # Kills: a key of the place alone, of a set that was prepared again there.
    load("toy")
    file = next((root / "toy" / "1.0.0").glob("*.array_record*"))
    os.utime(file, ns=(1, 1))
    load("toy")
    assert len(list((root.parent / "cache").glob("*.json"))) == 2


def test_a_size_is_decoded_from_the_records(root):
    # Kills: a size of what was kept at another one; one that is dropped.
    assert load("toy").shape == (28, 28, 1)
    data = load("toy", size=14)
    assert data.shape == (14, 14, 1) and data.notes[0] == "80 images, centre square at 14x14, grey."
    means = X.reshape(80, 14, 2, 14, 2).mean((2, 4))
    assert all(min(np.abs(x[..., 0] - mean).max() for mean in means) <= 1 for x in data.train.x)


def test_tfds_still_reads_what_arrays_lie_beside(root):
    # Kills: files that TFDS takes for its own.
    load("toy")
    source = records.tfds().builder_from_directory(str(root / "toy" / "1.0.0")).as_data_source("test")
    assert len(source) == 20


def test_official_validation_splits_are_kept(root):
    # Kills: validation taken for test, or thrown back into train; splits of other names used in silence.
    prepare(root, splits(train=40, validation=15, test=20, extra=5), mnist, name="three")
    prepare(root, splits(train=60, val=20), mnist, name="two")
    three, two = load("three"), load("two")
    assert pairs(three.valid) == expected(X[40:55], Y[40:55]) and pairs(three.test) == expected(X[55:75], Y[55:75])
    assert three.notes[1:] == ("splits not used: extra.", "valid and test: the source's own.")
    assert pairs(two.valid) == expected(X[60:], Y[60:]) and len(two.test.x) == 10  # of each class of 6, round(12 / 9)
    prepare(root, splits(test=80), mnist, name="none")
    refused("none", "no train split: there are test")


def test_other_sizes_follow_the_rule_of_folders(root, tmp_path):
    # Kills: sizes of the first image for all, squeezing, a filter of its own, colour dropped.
    rng = np.random.default_rng(1)
    photos = [rng.integers(0, 256, (70 + i % 3, 90, 3), dtype=np.uint8) for i in range(20)]
    for i, photo in enumerate(photos):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(photo).save(tmp_path / "photos" / f"{i:02}.png")
    wanted = load(str(tmp_path / "photos"))

    def free(kinds):
        return kinds.FeaturesDict({"image": kinds.Image()})

    prepare(root, {"train": [{"image": io.BytesIO(png(photo))} for photo in photos]}, free, name="photos")
    data = load("photos")
    assert data.shape == (64, 64, 3) and data.train.label is None and data.classes == ()
    assert data.notes == ("20 images, centre square at 64x64, RGB.",)
    everything = [np.concatenate([split.x for split in (d.train, d.valid, d.test)]) for d in (data, wanted)]
    assert sorted(x.tobytes() for x in everything[0]) == sorted(x.tobytes() for x in everything[1])

    def celebrities(kinds):  # celeb_a: one size for all, too large; the features beside the image are not needed
        flags = {name: np.bool_ for name in ("smiling", "young")}
        return kinds.FeaturesDict(
            {"image": kinds.Image(shape=(200, 128, 3)), "attributes": flags, "name": kinds.Text()}
        )

    face = rng.integers(0, 256, (200, 128, 3), dtype=np.uint8)
    about = {"attributes": {"smiling": True, "young": False}, "name": "x"}
    faces = [{"image": io.BytesIO(png(face)), **about} for _ in range(20)]
    prepare(root, {"train": faces}, celebrities, name="faces")
    data = load("faces")
    assert data.shape == (64, 64, 3) and "20 images, centre square at 64x64, RGB." in data.notes
    box = face[36:164].reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(data.train.x[0] - box).max() <= 1


def test_which_feature_is_the_image_and_which_the_label(root):
    # Kills: the first image feature (a mask), the first label (the coarse one), labels where two could be meant.
    def many(kinds):
        return kinds.FeaturesDict(
            {
                "a_mask": kinds.Image(shape=(28, 28, 1)),
                "coarse": kinds.ClassLabel(num_classes=2),
                "image": kinds.Image(shape=(28, 28, 1)),
                "label": kinds.ClassLabel(names=CLASSES),
            }
        )

    mask = png(np.zeros((28, 28), np.uint8))
    rows = [{"a_mask": io.BytesIO(mask), "coarse": 0, **example} for example in examples(X, Y)]
    prepare(root, {"train": rows}, many, name="many")
    data = load("many")
    both = [np.concatenate(arrays) for arrays in zip(data.train[:2], data.valid[:2], data.test[:2], strict=True)]
    assert pairs(data.train._replace(x=both[0], label=both[1])) == expected(X, Y)

    def unclear(kinds):
        return kinds.FeaturesDict(
            {
                "photo": kinds.Image(shape=(28, 28, 1)),
                "a": kinds.ClassLabel(num_classes=2),
                "b": kinds.ClassLabel(num_classes=2),
            }
        )

    prepare(root, {"train": [{"photo": io.BytesIO(png(x)), "a": 0, "b": 1} for x in X]}, unclear, name="unclear")
    assert load("unclear").train.label is None

    def table(kinds):
        return kinds.FeaturesDict({"text": kinds.Text(), "x": kinds.Tensor(shape=(3,), dtype=np.float32)})

    prepare(root, {"train": [{"text": "a", "x": np.zeros(3, np.float32)}] * 20}, table, name="table")
    refused("table", "no set of plain images", "text, x")


def test_withheld_labels_are_not_classes(root):
    # Kills: -1 read as the last class.
    rows = splits(train=60, test=20)
    rows["test"] = [{**example, "label": -1} for example in rows["test"]]
    prepare(root, rows, mnist, name="withheld")
    data = load("withheld")
    assert data.train.label is None and data.classes == () and "withheld" in data.notes[1]


def test_damaged_sets_are_refused_in_a_line(root):
    # Kills: any exception of TFDS, protobuf or array_record that is not caught.
    folder = root / "toy" / "1.0.0"
    for name in ("dataset_info.json", "features.json", "toy-train.array_record-00000-of-00001"):
        whole = (folder / name).read_bytes()
        for content in (b"", whole[: len(whole) // 2], whole[:-1] if name.endswith("json") else whole[:1000]):
            (folder / name).write_bytes(content)
            refused("toy", str(folder))
            assert not list(folder.glob("jaxgen*"))
        (folder / name).unlink()
        refused("toy", "toy")
        (folder / name).write_bytes(whole)
    assert len(load("toy").test.x) == 20
    for file in folder.glob("*.array_record*"):
        file.rename(folder / file.name.replace("array_record", "tfrecord"))
    refused("toy", "no array_record", "--file_format=array_record")
