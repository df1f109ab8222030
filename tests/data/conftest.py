"""A small set as TFDS prepares it."""

import shutil

import pytest
from toy_sets import TRAIN, mnist, prepare, splits


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    prepare(root, splits(train=TRAIN, test=20), mnist)
    return root


@pytest.fixture
def root(made, tmp_path, monkeypatch):
    """A data folder with the set `toy` that nothing has been read from."""
    shutil.copytree(made, tmp_path / "data")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data"
