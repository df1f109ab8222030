"""Odd files: a few of each reader here, all of them by `python tests/fuzz/fuzz.py`."""

import random
from pathlib import Path

import fuzz
import pytest
from fuzz_case import Case, Fault, tried

from jaxgen.core import BadRequest

FEW = 6  # of each reader, for each of its shares


@pytest.mark.parametrize("reader", fuzz.READERS)
def test_a_few_inputs(reader, tmp_path):
    # Kills: a reader that raises another exception, or refuses without the name of a file, at one of the first inputs.
    outcomes = [fuzz.attempt(reader, 0, i, tmp_path) for i in range(FEW * fuzz.READERS[reader][1])]
    assert not [outcome for outcome in outcomes if outcome.startswith("FAULT")]
    assert len(set(outcomes)) == 2, "all were read, or all were refused: these inputs prove nothing"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_twenty_thousand_inputs():
    # Kills: whatever a reader does wrong at one of them; memory beyond the bound.
    assert fuzz.main([]) == 0


def raising(error: BaseException):
    def read() -> int:
        raise error

    return read


@pytest.mark.parametrize(
    "read, says",
    [
        (raising(KeyError("x")), "KeyError"),
        (raising(BadRequest("nothing to be seen")), "names none"),
        (raising(BadRequest("")), "no line"),
        (lambda: 3, "3 examples of 4"),
    ],
)
def test_faults_are_seen(read, says):
    # Kills: a harness that calls everything right.
    with pytest.raises(Fault, match=says):
        tried(Case(read, ("a.npz",), lambda: 4))


def test_memory_is_seen():
    # Kills: a refusal that only says that memory ran out, taken for one that was meant.
    def read() -> int:
        try:
            raise MemoryError
        except MemoryError as error:
            raise BadRequest("a.npz is damaged") from error

    with pytest.raises(Fault, match="more memory"):
        tried(Case(read, ("a.npz",), lambda: None))


def test_inputs_depend_on_their_number_alone(tmp_path):
    # Kills: a generator that draws from anything but its own random numbers, so that a fault cannot be tried again.
    def content(folder: Path) -> dict[str, bytes]:
        return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    for reader in ("arrays", "image", "labels"):
        made = []
        for name in "ab":
            root = tmp_path / f"{reader}{name}"
            root.mkdir()
            fuzz.READERS[reader][0](random.Random(f"{reader} 0 3"), root)
            made.append(content(root))
        assert made[0] == made[1] != {}
