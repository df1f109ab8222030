"""The private names of TFDS that are patched, and what stands in for TensorFlow."""

import importlib.metadata
import importlib.util
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from jaxgen.core import BadRequest
from jaxgen.data.tfds.patches import KNOWN, offline
from jaxgen.data.tfds.records import tfds

KNOWN_AGAIN = f"pip install tensorflow-datasets=={KNOWN[-1]}"
no_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed, and then it is used"
)


def private_names():
    from tensorflow_datasets.core.download.download_manager import DownloadManager
    from tensorflow_datasets.core.features.image_feature import _ImageEncoder
    from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow as lazy

    return (
        DownloadManager._download,
        _ImageEncoder._encode_image,
        object.__getattribute__(lazy, "__dict__").get("_module"),
    )


def refuse(url):
    return BadRequest(f"no download of {url}")


@no_tensorflow
def test_the_patch_covers_what_it_says_and_is_gone_afterwards():
    # Kills: a private name that moved with another version; a patch that stays; one that stays after a failure.
    before = private_names()
    assert before[2] is None
    with offline(refuse):
        assert all(now is not then for now, then in zip(private_names(), before, strict=True))
        assert "tensorflow" not in sys.modules
    assert private_names() == before
    with pytest.raises(ZeroDivisionError), offline(refuse):
        raise ZeroDivisionError
    assert private_names() == before


@no_tensorflow
def test_the_stub_does_what_builders_ask_of_it(tmp_path):
    # Kills: a file closed before a lazy reader is through; text for bytes; PNG of another depth; silence on the rest.
    from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow as tf

    rng = np.random.default_rng(0)
    arrays = {"a": rng.integers(0, 256, (5, 4, 3), dtype=np.uint8), "b": np.arange(3)}
    with open(tmp_path / "a.npz", "wb") as file:
        np.savez(file, **arrays)
    with offline(refuse):
        with tf.io.gfile.GFile(tmp_path / "a.npz", "rb") as file:
            found = np.load(file)
        np.testing.assert_array_equal(found["a"], arrays["a"])
        found.close()
        file.close()
        with tf.io.gfile.GFile(str(tmp_path / "b.txt"), "w") as file:
            file.write("text")
        with tf.io.gfile.GFile(tmp_path / "b.txt") as file:
            assert file.read() == "text"
        assert tf.io.gfile.exists(tmp_path / "b.txt") and sorted(tf.io.gfile.listdir(tmp_path)) == ["a.npz", "b.txt"]
        for shape, dtype in (
            ((5, 4, 1), np.uint8),
            ((5, 4, 3), np.uint8),
            ((5, 4, 4), np.uint8),
            ((5, 4, 1), np.uint16),
        ):
            feature = tfds().features.Image(shape=shape, dtype=dtype)
            array = rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
            encoded = feature.encode_example(array)
            assert encoded[:4] == b"\x89PNG"
            if dtype == np.uint8:
                np.testing.assert_array_equal(feature.decode_example_np(encoded), array)
        with pytest.raises(ValueError, match="dtype"):
            tfds().features.Image(shape=(5, 4, 3)).encode_example(np.zeros((5, 4, 3)))
        for ask, says in ((lambda: tf.data, "TensorFlow itself.*data"), (lambda: tf.io.gfile.copy, "copy")):
            with pytest.raises(BadRequest, match=says):
                ask()


def test_the_range_of_the_dependency_begins_at_a_version_that_is_known():
    # Kills: a pin; a version that is tried by nobody; the one at hand left out, or installed and too old.
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (needed,) = (one for one in map(Requirement, project["dependencies"]) if one.name == "tensorflow-datasets")
    assert importlib.metadata.version("tensorflow-datasets") in KNOWN and all(map(needed.specifier.contains, KNOWN))
    assert needed.specifier.contains("4.9.99") and not needed.specifier.contains("4.9.9")


def test_another_version_is_tried_or_refused_in_a_line(monkeypatch, capsys):
    # Kills: a version that moved a private name, and a traceback; silence on one that nobody tried.
    from tensorflow_datasets.core.features.image_feature import _ImageEncoder

    with offline(refuse):
        assert capsys.readouterr().err == ""
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "4.9.99")
    with offline(refuse):
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"tensorflow-datasets 4.9.99 has not been tried: if this fails, {KNOWN_AGAIN}"
    monkeypatch.delattr(_ImageEncoder, "_encode_image")
    with pytest.raises(BadRequest, match=rf"4.9.99 \(.*_encode_image.*\): {KNOWN_AGAIN}.$"), offline(refuse):
        raise AssertionError
