"""States on disk: written by Orbax, sealed by digests of our own, committed by one rename.

`FOLDER/ROUND/state` is what Orbax writes; `FOLDER/ROUND/record.json` holds a SHA-256 of every leaf and of every file,
what the caller wants to remember, and a digest of itself. Both are written under a temporary name, so a step that
exists is whole. Digests speak of integrity, not of who wrote it.
"""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import BadRequest, one_line
from jaxgen.system import files
from jaxgen.system.files import is_stray
from jaxgen.training.digests import check_record, digest, digest_file, seal
from jaxgen.training.storage import read_arrays, write_arrays

FORMAT = 2
STEP = re.compile("0|[1-9][0-9]{0,18}")  # names of folders; others are not of a run
KEPT = 2  # steps; the one before the last is there for someone who has to go back
LARGEST_RECORD = 64 * 2**20


class CheckpointCorrupt(RuntimeError):
    """A checkpoint is not what was written: one line with its path, step and what was found."""

    def __init__(self, message: str):
        """As `BadRequest`."""
        super().__init__(one_line(message))


class NotFinite(ValueError):
    """A state that holds NaN or infinity, which is never saved."""


def named(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by name: `params/critic/Dense_0/kernel`.

    >>> named({"a": (1, {"b": 2})})
    {'a/0': 1, 'a/1/b': 2}
    """
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    names = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
    if len(names) < len(leaves):
        raise BadRequest("two leaves have one name: names of players, params and state entries must not hold '/'.")
    return names


def not_finite(tree: Any) -> str | None:
    """The name of a leaf that holds NaN or infinity, or None. In Optax the best value so far begins infinite."""
    for name, leaf in named(tree).items():
        leaf = np.asarray(leaf)
        wrong = np.isnan if name.endswith("/best_value") else lambda a: ~np.isfinite(a)
        if jnp.issubdtype(leaf.dtype, jnp.inexact) and wrong(leaf.astype(np.float64)).any():
            return name
    return None


def steps(folder: Path) -> list[int]:
    """The committed steps, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(int(entry.name) for entry in folder.iterdir() if STEP.fullmatch(entry.name))


def save(folder: Path, step: int, state: Any, meta: dict[str, Any]) -> None:
    """Commits `state` as `step`, then drops all but the last two. `meta` is strict JSON and comes back on restore.

    Raises:
      NotFinite: a leaf holds NaN or infinity; nothing is written.
      FileExistsError: the step is there already.
      OSError: as the file system says; what was committed before is untouched.
    """
    folder = folder.resolve()
    leaves = {name: np.asarray(leaf) for name, leaf in named(state).items()}
    if bad := not_finite(leaves):
        raise NotFinite(f"step {step} is not saved: {bad} is not finite.")
    target, beside = folder / str(step), folder / f".{step}.partial"
    if target.exists():
        raise FileExistsError(f"{target} exists: a step is saved once.")
    folder.mkdir(parents=True, exist_ok=True)
    for left in (*folder.glob(".*.partial"), *folder.glob(".*.removed")):
        _remove(left)  # by a process that died; one writer at a time is the caller's promise
    try:
        beside.mkdir()
        write_arrays(beside / "state", leaves)
        record = {
            "format": FORMAT,
            "step": step,
            "meta": meta,
            "leaves": {name: [list(leaf.shape), leaf.dtype.name, digest(name, leaf)] for name, leaf in leaves.items()},
            "files": {name: digest_file(beside / "state" / name) for name in _walk(beside / "state")},
        }
        files.write_json(beside / "record.json", {**record, "sha256": seal(record)})
        os.rename(beside, target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    try:
        older = steps(folder)[:-KEPT]
    except OSError:  # what matters is written; the next save looks again
        return
    for old in older:
        _remove(folder / str(old), folder / f".{old}.removed")


def _remove(path: Path, beside: Path | None = None) -> None:
    """Removes a folder; a file system that refuses costs a line, since what matters is written.

    With `beside` it is renamed first: a step that is half removed must not look like one.
    """
    try:
        shutil.rmtree(path if beside is None else path.rename(beside))
    except OSError as error:  # such as EBUSY of NFS while another process reads
        print(
            f"{path} could not be removed ({error.strerror}): the next save tries again.", file=sys.stderr, flush=True
        )


def read_meta(folder: Path, step: int | None = None) -> tuple[int, dict[str, Any]]:
    """(step, meta) of a checkpoint, the last one by default; no array is read.

    Raises:
      BadRequest: there is no such step.
      CheckpointCorrupt: its record is damaged.
    """
    step = _choose(folder, step)
    return step, _read_record(folder.resolve() / str(step), step)["meta"]


def leaves_of(folder: Path, step: int, entry: str) -> dict[str, jax.ShapeDtypeStruct]:
    """The leaves of one entry of a saved state, by name, such as those of "opts"; no array is read.

    Raises:
      BadRequest, CheckpointCorrupt: as `read_meta`.
    """
    saved = _read_record(folder.resolve() / str(_choose(folder, step)), step)["leaves"]
    leaves = {name.removeprefix(f"{entry}/"): leaf for name, leaf in saved.items() if name.startswith(f"{entry}/")}
    return {name: jax.ShapeDtypeStruct(shape, jnp.dtype(dtype)) for name, (shape, dtype, _) in leaves.items()}


def rewrite_meta(folder: Path, step: int, meta: dict[str, Any]) -> None:
    """Replaces what a checkpoint remembers beside its arrays: whole or not at all.

    Raises:
      BadRequest, CheckpointCorrupt: as `read_meta`.
    """
    path = folder.resolve() / str(_choose(folder, step))
    record = {**_read_record(path, step), "meta": meta}
    files.write_json(path / "record.json", {**record, "sha256": seal(record)})


def restore(folder: Path, like: Any, *, step: int | None = None) -> tuple[Any, dict[str, Any]]:
    """(state, meta) of a step: exactly the arrays that were saved, or an error. It never goes back to an older step.

    Args:
      folder: as for `save`.
      like: a tree of arrays or `jax.ShapeDtypeStruct` with the structure, shapes and dtypes to expect. They are
        compared with the record before anything is allocated, and nothing is cast.
      step: which checkpoint; the last one if None.

    Raises:
      BadRequest: there is no such step, or it holds another structure.
      CheckpointCorrupt: it is damaged.
    """
    step = _choose(folder, step)
    path = folder.resolve() / str(step)
    record = _read_record(path, step)
    expected = named(like)
    _compare(path, record["leaves"], expected)
    _check_files(path, record["files"], step)
    try:
        leaves = read_arrays(path / "state", expected)
    except Exception as error:
        raise _corrupt(path, step, f"{type(error).__name__} from Orbax") from error
    for name, (shape, dtype, sealed) in record["leaves"].items():
        leaf = leaves[name]
        if [list(leaf.shape), leaf.dtype.name, digest(name, leaf)] != [shape, dtype, sealed]:
            raise _corrupt(path, step, f"{name} is not what was saved")
    tree = jax.tree.unflatten(jax.tree.structure(like), [jnp.array(leaves[name]) for name in expected])
    return tree, record["meta"]


def _choose(folder: Path, step: int | None) -> int:
    there = steps(folder)
    if not there:
        raise BadRequest(f"there is no checkpoint in {folder}: name the folder of a run, or start it again.")
    if step is not None and step not in there:
        raise BadRequest(f"there is no checkpoint of step {step} in {folder}: there are {', '.join(map(str, there))}.")
    return there[-1] if step is None else step


def _compare(path: Path, stored: dict[str, Any], expected: dict[str, Any]) -> None:
    for name in sorted(stored.keys() | expected.keys()):
        there = "nothing" if name not in stored else f"{stored[name][1]}{stored[name][0]}"
        here = "nothing" if name not in expected else f"{expected[name].dtype.name}{list(expected[name].shape)}"
        if there != here:
            raise BadRequest(f"{path} is of another model: {name} is {there} there and {here} here.")


def _read_record(path: Path, step: int) -> dict[str, Any]:
    try:
        _refuse_odd(path, path / "record.json")
        if (path / "record.json").stat().st_size > LARGEST_RECORD:
            raise ValueError("it is too large")
        record = files.read_json((path / "record.json").read_bytes())
        if record.pop("sha256") != seal(record) or record.get("step", step) != step:
            raise ValueError("it is not what was written")
        if record["format"] == FORMAT:
            check_record(record)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise _corrupt(path, step, f"record.json: {error}") from error
    if record["format"] != FORMAT:
        raise BadRequest(f"{path} has format {record['format']}, and this version reads {FORMAT}.")
    return record


def _check_files(path: Path, recorded: dict[str, str], step: int) -> None:
    try:
        if {entry.name for entry in path.iterdir() if not is_stray(entry.name)} != {"state", "record.json"}:
            raise ValueError("files were added or removed")
        _refuse_odd(path / "state")
        there = {name for name in _walk(path / "state") if name in recorded or not is_stray(os.path.basename(name))}
        if there != set(recorded):
            raise ValueError("files were added or removed")
        for name, digest in recorded.items():
            if digest_file(path / "state" / name) != digest:
                raise ValueError(f"{name} is not what was saved")
    except (OSError, ValueError) as error:
        raise _corrupt(path, step, str(error)) from error


def _walk(folder: Path, under: str = "") -> list[str]:
    names = []
    for entry in sorted(os.scandir(folder / under), key=lambda entry: entry.name):
        name = f"{under}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            names += _walk(folder, f"{name}/")
        else:
            _refuse_odd(folder / name)
            names.append(name)
    return names


def _refuse_odd(*paths: Path) -> None:
    # Orbax would follow a link out of the folder, and wait for ever on a pipe.
    for path in paths:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path.name} is missing, or no plain file or folder")


def _corrupt(path: Path, step: int, cause: str) -> CheckpointCorrupt:
    earlier = [before for before in steps(path.parent) if before < step]
    back = f"move that folder away to go on from step {earlier[-1]}" if earlier else ""
    remedy = back or "no earlier one is left: start the run again"
    return CheckpointCorrupt(f"checkpoint {path} is damaged ({' '.join(cause.split())}): {remedy}.")
