"""Which names stand for what, without a network and without TFDS."""

import importlib.util
import shutil
import subprocess
import sys

import pytest

from jaxgen.core import BadRequest
from jaxgen.data import load, names
from jaxgen.data.tfds import catalogue, records
from jaxgen.runs.inputs import source_of


def refused(source, *says):
    with pytest.raises(BadRequest) as caught:
        load(str(source))
    message = str(caught.value)
    assert "\n" not in message and all(s in message for s in says), message


def test_names_and_versions(root, monkeypatch, tmp_path):
    # Kills: versions compared as text, a half-prepared version, downloads or plain folders taken for sets.
    assert names() == ("digits", "shapes", "shapes64", "ring8", "grid25", "stacked_digits", "cancer", "toy")
    for version in ("1.9.0", "1.10.0", "2.0.0.incompleteABC", "latest"):
        shutil.copytree(root / "toy" / "1.0.0", root / "toy" / version)
    (root / "toy" / "3.0.0").mkdir()
    assert catalogue.find("toy") == str(root / "toy" / "1.10.0")
    shutil.copytree(root / "toy" / "1.0.0", root / "emnist" / "letters" / "3.1.0")
    shutil.copytree(root / "toy" / "1.0.0", root / "downloads" / "toy" / "1.0.0")
    (root / "plain.txt").write_text("")
    assert catalogue.names() == ("emnist/letters", "toy")
    assert load("emnist/letters").name == "emnist/letters"
    refused("emnist", "say which, of emnist/letters")
    for name in ("", ".", "..", "toy/1.0.0", "toy/..", "../data/toy", "downloads", "/toy", "toy/", "a\0b"):
        assert catalogue.find(name) is None, name
    refused("toy/", "no data 'toy/': 'toy' is prepared. Leave out what comes after 'toy'.")
    refused("toy/big", "'toy' is prepared, without a configuration 'big'.")
    monkeypatch.setenv("TFDS_DATA_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.move(root, tmp_path / "tensorflow_datasets")
    assert catalogue.names() == ("emnist/letters", "toy")


def test_a_prepared_name_wins_over_a_path_and_says_so(root, tmp_path, monkeypatch):
    # Kills: the path first; a silent choice; a run that records a name as a path, or a path that holds only here;
    # the folder one stands in for a name that is empty.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy").mkdir()
    assert "./toy" in load("toy").notes[-1]
    refused("./toy", "no images")
    assert source_of("") == ""  # no variable that was never set means this folder
    assert source_of("toy") == "toy" and source_of("./toy") == str(tmp_path / "toy")
    assert source_of("fashion_mnist") == "fashion_mnist" and source_of("nowhere.npz") == "nowhere.npz"


def test_unprepared_names_are_refused_at_once():
    # Kills: a search on the network; an import of TFDS, which takes a second; a message that does not say what to do.
    code = """
import sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(event)
sys.addaudithook(refuse)
from jaxgen.data import load
for name in ("fashion_mnist", "mnist", "cifar10", "celeb_a", "pneumonia_mnist", "emnist/letters", "fashon_mnist"):
    try:
        load(name)
    except ValueError as error:
        print(error)
assert not {"tensorflow_datasets", "tensorflow", "PIL"} & set(sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    *lines, typo = found.stdout.splitlines()
    assert len(lines) == 6 and all("is not prepared in" in line and "jaxgen prepare" in line for line in lines)
    assert "did you mean 'fashion_mnist'?" in typo


def test_where_nothing_is_prepared_is_said(root, monkeypatch):
    # Kills: a variable that is said to be set and is not.
    refused("mnist", "(set by TFDS_DATA_DIR): ")
    for unset in (lambda: monkeypatch.setenv("TFDS_DATA_DIR", ""), lambda: monkeypatch.delenv("TFDS_DATA_DIR")):
        unset()
        refused("mnist", "tensorflow_datasets (TFDS_DATA_DIR can name another folder): ")


def test_registered_names_are_those_of_the_package():
    # Kills: names of files that are no sets; sets left out that people ask for.
    known = set(records.tfds().list_builders(with_community_datasets=False))
    found = set(catalogue.registered())
    assert {
        "mnist",
        "fashion_mnist",
        "kmnist",
        "emnist",
        "cifar10",
        "cifar100",
        "celeb_a",
        "svhn_cropped",
    } <= found & known
    assert len(found & known) > 200 and not [name for name in found if not name.isidentifier()]


def test_without_the_package_no_name_is_registered(monkeypatch):
    # Kills: a traceback where TFDS is not installed.
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert catalogue.registered() == ()
    refused("fashion_mnist", "must exist")
