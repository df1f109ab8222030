import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toys import gan_plan

from jaxgen.core import BadRequest, Batch
from jaxgen.training import checkpoint
from jaxgen.training.checkpoint import CheckpointCorrupt, NotFinite, restore, save, steps
from jaxgen.training.program import abstract_state


@pytest.fixture(scope="module")
def state():
    plan = gan_plan()
    batch = Batch(jnp.ones((4, 2)))
    return plan.step().init(jax.random.key(0), batch)


def assert_same_bits(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_what_is_saved_comes_back(tmp_path, state):
    # Kills: a leaf left out; meta lost; a structure rebuilt in another order.
    save(tmp_path / "c", 3, state, {"a": [1, "ü"]})
    back, meta = restore(tmp_path / "c", abstract_state(gan_plan(), Batch(jax.ShapeDtypeStruct((4, 2), jnp.float32))))
    assert_same_bits(back, state)
    assert meta == {"a": [1, "ü"]} and checkpoint.read_meta(tmp_path / "c") == (3, meta)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(back))


def test_every_dtype_and_shape_comes_back(tmp_path, monkeypatch):
    # Kills: bfloat16 read as float32; arrays without entries refused; a relative folder.
    monkeypatch.chdir(tmp_path)
    tree = {
        "half": jnp.arange(3, dtype=jnp.bfloat16),
        "none": jnp.zeros((0, 2)),
        "scalar": jnp.int32(-1),
        "flag": jnp.array([True, False]),
        "wide": np.arange(4, dtype=np.uint8),
        "empty": {},
    }
    save(Path("c"), 0, tree, {})
    assert_same_bits(restore(Path("c"), tree)[0], {**tree, "wide": jnp.array(tree["wide"])})


def test_keeps_the_last_two(tmp_path, state):
    # Kills: all kept; steps sorted as text; the newest dropped.
    for step in (9, 10, 100):
        save(tmp_path, step, state, {})
    assert steps(tmp_path) == [10, 100] and sorted(os.listdir(tmp_path)) == ["10", "100"]


def test_older_goes_only_after_the_newer_is_there(tmp_path, state, monkeypatch):
    # Kills: removal before the commit.
    save(tmp_path, 1, state, {})
    save(tmp_path, 2, state, {})

    def full(*args):
        raise OSError(28, "No space left on device")

    for name in ("write_arrays", "digest_file"):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, name, full)
            with pytest.raises(OSError, match="No space"):
                save(tmp_path, 3, state, {})
        assert sorted(os.listdir(tmp_path)) == ["1", "2"]
        assert_same_bits(restore(tmp_path, state)[0], state)


def test_a_file_system_that_removes_nothing_costs_a_line(tmp_path, state, monkeypatch, capsys):
    # Kills: a run that ends, after its checkpoint is safe, because an older one is busy; a leftover that ends the next.
    def busy(path):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", busy)
        for step in (1, 2, 3, 4):
            save(tmp_path, step, state, {})
        assert steps(tmp_path) == [3, 4] and "could not be removed (Device or resource busy)" in capsys.readouterr().err
    save(tmp_path, 5, state, {})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["4", "5"]


@pytest.mark.parametrize("name", [".DS_Store", "state/.DS_Store", "Thumbs.db", ".record.json.123"])
def test_strays_are_no_damage(tmp_path, name):
    # Kills: a checkpoint called damaged because its folder was looked at; a stray that any name may be.
    leaves = {"a": jnp.arange(3.0)}
    save(tmp_path, 1, leaves, {})
    (tmp_path / "1" / name).write_text("left by a file browser")
    np.testing.assert_array_equal(restore(tmp_path, leaves)[0]["a"], leaves["a"])
    (tmp_path / "1" / "more").write_text("")
    with pytest.raises(CheckpointCorrupt, match="files were added"):
        restore(tmp_path, leaves)


def test_saves_a_step_once(tmp_path, state):
    # Kills: a second save that is silently dropped.
    save(tmp_path, 1, state, {"first": True})
    with pytest.raises(FileExistsError, match="saved once"):
        save(tmp_path, 1, state, {"first": False})
    assert restore(tmp_path, state)[1] == {"first": True}


def test_a_folder_that_cannot_be_listed_after_a_save_ends_nothing(tmp_path, state, monkeypatch):
    # Kills: a training that ends by what a file system refuses after the new step is there.
    save(tmp_path, 1, state, {})

    def stale(folder):
        raise OSError(errno.ESTALE, "Stale file handle", str(folder))

    monkeypatch.setattr(checkpoint, "steps", stale)
    save(tmp_path, 2, state, {})
    monkeypatch.undo()
    assert checkpoint.steps(tmp_path) == [1, 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_never_saves_what_is_not_finite(tmp_path, bad, dtype):
    # Kills: only params looked at; only NaN looked for.
    with pytest.raises(NotFinite, match="opts/m is not finite"):
        save(tmp_path, 1, {"p": jnp.ones(2), "opts": {"m": jnp.array([0, bad], dtype)}}, {})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("like", "says"),
    [
        ({"p": jnp.zeros((2, 3), jnp.bfloat16), "n": jnp.int32(0)}, r"p is float32\[2, 3\] there and bfloat16\[2, 3\]"),
        ({"p": jnp.zeros((3, 2)), "n": jnp.int32(0)}, r"p is float32\[2, 3\] there and float32\[3, 2\]"),
        ({"p": jnp.zeros((2, 3)), "n": jnp.float32(0)}, r"n is int32\[\] there and float32\[\]"),
        ({"p": jnp.zeros((2, 3))}, r"n is int32\[\] there and nothing here"),
        ({"p": jnp.zeros((2, 3)), "n": jnp.int32(0), "q": jnp.zeros(1)}, r"q is nothing there and float32\[1\] here"),
        ({"p": jax.ShapeDtypeStruct((10**9, 10**3), jnp.float32), "n": jnp.int32(0)}, "p is float32"),
    ],
)
def test_another_structure_is_refused_before_anything_is_read(tmp_path, like, says, monkeypatch):
    # Kills: a cast; a missing or an extra leaf let through; memory taken for what does not fit.
    save(tmp_path, 1, {"p": jnp.ones((2, 3)), "n": jnp.int32(7)}, {})
    monkeypatch.setattr(checkpoint, "read_arrays", None)
    with pytest.raises(BadRequest, match=says):
        restore(tmp_path, like)


def test_no_checkpoint(tmp_path, state):
    with pytest.raises(BadRequest, match="there is no checkpoint in"):
        restore(tmp_path / "nowhere", state)
    save(tmp_path, 4, state, {})
    with pytest.raises(BadRequest, match="no checkpoint of step 5 in .*: there are 4"):
        restore(tmp_path, state, step=5)


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def _truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path):
    path.write_bytes(b"")


def _link(path):
    shutil.move(path, path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


DAMAGE = {"flip": _flip, "truncate": _truncate, "empty": _empty, "delete": os.remove, "link": _link}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_any_file_is_found(tmp_path, state, damage):
    # Kills: a file that no digest covers; a link that is followed; a silent fall back to the older step; a step that
    # is said to be there and is not; "damaged" twice.
    save(tmp_path / "good", 1, state, {})
    save(tmp_path / "good", 2, state, {})
    every = [path.relative_to(tmp_path / "good") for path in (tmp_path / "good" / "2").rglob("*") if path.is_file()]
    assert len(every) > 5
    for i, path in enumerate(every):
        shutil.copytree(tmp_path / "good", tmp_path / str(i))
        DAMAGE[damage](tmp_path / str(i) / path)
        with pytest.raises(CheckpointCorrupt) as found:
            restore(tmp_path / str(i), state)
        message = str(found.value)
        assert "\n" not in message and f"checkpoint {tmp_path / str(i) / '2'} is damaged" in message
        assert message.count("damaged") == 1 and message.endswith(": move that folder away to go on from step 1.")
        assert_same_bits(restore(tmp_path / str(i), state, step=1)[0], state)
        shutil.move(tmp_path / str(i) / "2", tmp_path / f"{i} away")
        assert_same_bits(restore(tmp_path / str(i), state)[0], state)
        DAMAGE[damage](tmp_path / str(i) / "1" / "record.json")
        with pytest.raises(CheckpointCorrupt, match="no earlier one is left: start the run again"):
            restore(tmp_path / str(i), state)


def test_every_byte_of_the_record_counts(tmp_path, state):
    # Kills: a part of the record outside its seal; an error of the JSON reader let through.
    save(tmp_path, 1, {"p": jnp.ones(2)}, {"config": {"beta": 1.0}})
    path = tmp_path / "1" / "record.json"
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.choice(len(content), 150, replace=False):
        for bit in (1, 16, 128):
            changed = bytearray(content)
            changed[position] ^= bit
            path.write_bytes(changed)
            try:
                back, meta = restore(tmp_path, {"p": jnp.ones(2)})
                assert meta == {"config": {"beta": 1.0}} and (back["p"] == 1).all()
            except CheckpointCorrupt:
                continue


def test_leaves_are_checked_against_their_own_digests(tmp_path, monkeypatch):
    # Kills: trust in what Orbax hands back.
    save(tmp_path, 1, {"p": jnp.ones(2)}, {})
    monkeypatch.setattr(checkpoint, "read_arrays", lambda *args: {"p": np.array([1, 2], np.float32)})
    with pytest.raises(CheckpointCorrupt, match="p is not what was saved"):
        restore(tmp_path, {"p": jnp.ones(2)})
    monkeypatch.setattr(checkpoint, "read_arrays", lambda *args: 1 / 0)
    with pytest.raises(CheckpointCorrupt, match="ZeroDivisionError from Orbax"):
        restore(tmp_path, {"p": jnp.ones(2)})


def test_odd_things_are_refused(tmp_path):
    # Kills: a pipe that is waited for; files that were slipped in; a step that is a link.
    tree = {"p": jnp.ones(2)}
    save(tmp_path, 1, tree, {})
    os.mkfifo(tmp_path / "1" / "state" / "pipe")
    with pytest.raises(CheckpointCorrupt, match="pipe"):
        restore(tmp_path, tree)
    os.remove(tmp_path / "1" / "state" / "pipe")
    (tmp_path / "1" / "state" / "more").write_text("")
    with pytest.raises(CheckpointCorrupt, match="added or removed"):
        restore(tmp_path, tree)
    os.remove(tmp_path / "1" / "state" / "more")
    restore(tmp_path, tree)
    shutil.move(tmp_path / "1", tmp_path / "real")
    (tmp_path / "1").symlink_to(tmp_path / "real")
    with pytest.raises(CheckpointCorrupt, match="no plain file or folder"):
        restore(tmp_path, tree)


def test_a_step_renamed_is_not_another_step(tmp_path):
    # Kills: the step read from the name alone.
    save(tmp_path, 1, {"p": jnp.ones(2)}, {})
    (tmp_path / "1").rename(tmp_path / "2")
    with pytest.raises(CheckpointCorrupt, match="not what was written"):
        restore(tmp_path, {"p": jnp.ones(2)})


def test_a_newer_format_says_so(tmp_path):
    # Kills: a format that is written and never read.
    save(tmp_path, 1, {"p": jnp.ones(2)}, {})
    path = tmp_path / "1" / "record.json"
    record = json.loads(path.read_text())
    record.pop("sha256")
    record["format"] = 3
    path.write_text(json.dumps({**record, "sha256": checkpoint.seal(record)}))
    with pytest.raises(BadRequest, match="has format 3, and this version reads 2"):
        restore(tmp_path, {"p": jnp.ones(2)})


def test_unfinished_step_is_none_and_is_cleared_away(tmp_path, state):
    # Kills: a temporary name that looks like a step; leftovers that stay for ever.
    (tmp_path / ".5.partial" / "state").mkdir(parents=True)
    (tmp_path / ".1.removed").mkdir()
    (tmp_path / ".DS_Store").write_text("of a file manager, and none of our business")
    assert steps(tmp_path) == []
    save(tmp_path, 6, state, {})
    assert sorted(os.listdir(tmp_path)) == [".DS_Store", "6"]


def test_names_must_be_unambiguous():
    with pytest.raises(BadRequest, match="must not hold '/'"):
        checkpoint.named({"a/b": 1, "a": {"b": 2}})


def test_orbax_is_imported_when_needed():
    code = "import sys, jaxgen.training.checkpoint; sys.exit(any(m.startswith('orbax') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_steps_are_steps(tmp_path):
    # Kills: a copy of a checkpoint taken for a step that is not there, and the run called damaged for it.
    save(tmp_path, 7, {"p": jnp.ones(2)}, {"a": 1})
    for name in ("008", "9" * 30, "8 copy", "-9"):
        (tmp_path / name).mkdir()
    assert steps(tmp_path) == [7] and restore(tmp_path, {"p": jnp.ones(2)})[1] == {"a": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"meta": None},
        {"leaves": {"p": 3}},
        {"leaves": {"p": [[-1], "float32", ""]}},
        {"leaves": {"p": [[2], "nothing", ""]}},
        {"files": ["a"]},
    ],
)
def test_a_record_that_another_program_sealed(tmp_path, change):
    # Kills: a traceback where a record has a seal that fits, and lacks what is read of it.
    save(tmp_path, 1, {"p": jnp.ones(2)}, {})
    path = tmp_path / "1" / "record.json"
    record = json.loads(path.read_text())
    record.pop("sha256")
    record |= change
    path.write_text(json.dumps({**record, "sha256": checkpoint.seal(record)}))
    for read in (lambda: checkpoint.leaves_of(tmp_path, 1, "p"), lambda: restore(tmp_path, {"p": jnp.ones(2)})):
        with pytest.raises(CheckpointCorrupt, match="record.json"):
            read()
