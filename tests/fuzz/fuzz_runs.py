"""The folder of a run with its settings, its record or its arrays changed."""

import atexit
import copy
import json
import os
import random
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_bytes import damaged, junk
from fuzz_case import Case, Fault

from jaxgen.runs import folder, recorder, restore
from jaxgen.system import files
from jaxgen.training import checkpoint
from jaxgen.training.digests import seal

STATE = {
    "params": {"net": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.zeros(0, np.int32)},
    "step": np.int32(7),
}
VALUES = (
    None,
    True,
    -1,
    0,
    1.5,
    1e300,
    2**70,
    "",
    "a\nb",
    "\ud800",
    "../..",
    "x" * 5000,
    [],
    {},
    [[]],
    {"a": {}},
    [1, "a"],
)
ODD_STEPS = ("007", "8", "-1", "١", "7.5", "9" * 200, "latest", ".7.partial", "0")


@lru_cache(1)
def whole() -> Path:
    """A folder as a run leaves it, of a tiny table."""
    root = Path(tempfile.mkdtemp(prefix="fuzz-run-"))
    atexit.register(shutil.rmtree, root, True)
    np.savez(root / "table.npz", x=np.random.default_rng(0).normal(size=(30, 3)))
    config = {"recipe": "vae", "data": str(root / "table.npz"), "steps": 7, "seed": 0, "stream": False, "size": None}
    config |= {"labels": None, "condition": None, "domains": [], "options": {}, "batch_size": 8, "precision": "float32"}
    config |= {"micro_batches": 1, "remat": False, "replaced": []}
    from jaxgen.data import load

    meta = {"config": config, "data": folder.summary(load(config["data"]))}
    out = root / "run"
    checkpoint.save(out / "checkpoints", 7, STATE, meta)
    settings = {
        "format": 2,
        **meta,
        "chunk": 1,
        "form": "scan",
        "device": "cpu",
        "threads": 1,
        "versions": {"jax": "1"},
    }
    files.write_json(out / "config.json", settings)
    (out / "lock").touch()
    for step in (3, 7):
        recorder.append(out / "metrics.jsonl", {"step": step, "loss": 1.5})
    return out


def changed(rng: random.Random, tree: Any) -> Any:
    """A JSON value with one to three of its parts changed, left out, or added."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        parts = list(_places(tree))
        parent, key = rng.choice(parts) if parts else (None, None)
        if parent is None:
            return rng.choice(VALUES)
        way = rng.randrange(4)
        if way == 0 or not isinstance(parent, dict):
            parent[key] = rng.choice(VALUES)
        elif way == 1:
            del parent[key]
        elif way == 2:
            parent[rng.choice(("extra", "", "a/b", "params"))] = rng.choice(VALUES)
        else:
            parent[key] = copy.deepcopy(rng.choice(parts)[0])
    return tree


def _places(tree: Any, depth: int = 0):
    if depth < 6:
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
            yield tree, key
            yield from _places(tree[key], depth + 1)


def _written(rng: random.Random, path: Path, original: Any) -> None:
    """A JSON file that says another thing, or is no JSON."""
    way = rng.randrange(6)
    if way < 3:
        text = json.dumps(changed(rng, original))
    elif way == 3:
        text = damaged(rng, path.read_bytes()).decode("latin-1")
    else:
        deep = 10 ** rng.randint(1, 5)
        text = rng.choice(("", "[]", "null", "{", "[" * deep, '{"a":' * deep, "\ufeff{}", "[1e999]", "NaN", "9" * 5000))
    path.write_bytes(text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig")), "surrogatepass"))


def _copied(root: Path) -> Path:
    shutil.copytree(whole(), root / "run")
    return root / "run"


def settings_case(rng: random.Random, root: Path) -> Case:
    """`config.json` and `metrics.jsonl` changed; whatever reads a run reads them."""
    out = _copied(root)
    path = out / "config.json"
    way = rng.random()
    if way < 0.6:
        _written(rng, path, json.loads(path.read_text()))
    elif way < 0.7:
        path.unlink()
        _put(rng, path)
    if rng.random() < 0.4:
        (out / "metrics.jsonl").write_bytes(damaged(rng, (out / "metrics.jsonl").read_bytes()))
    if rng.random() < 0.1:
        shutil.rmtree(out / "checkpoints")
        if rng.random() < 0.5:
            (out / "lock").unlink()
            _put(rng, out / "lock")

    def read() -> None:
        recorder.read(out / "metrics.jsonl")
        settings = folder.read_settings(out)
        if not isinstance(settings["config"], dict):
            raise Fault("settings without a configuration")
        step, meta = restore.read_meta(out)
        if step != 7 or meta != json.loads((whole() / "checkpoints/7/record.json").read_text())["meta"]:
            raise Fault("another meta than was saved")
        restore.load_data(out)

    return Case(read, ("run", "table.npz"), lambda: None)


def _put(rng: random.Random, path: Path) -> None:
    """Something in place of a file."""
    way = rng.randrange(4)
    if way == 0:
        path.mkdir()
    elif way == 1:
        os.mkfifo(path)
    elif way == 2:
        path.symlink_to(rng.choice(("nowhere", path.name, "/dev/zero", "..")))


def checkpoint_case(rng: random.Random, root: Path) -> Case:
    """A checkpoint with its record, its arrays or the folder around it changed."""
    out = _copied(root)
    step = out / "checkpoints" / "7"
    record = step / "record.json"
    arrays = [path for path in sorted((step / "state").rglob("*")) if path.is_file()]
    way = rng.randrange(6)
    if way == 0:
        _written(rng, record, json.loads(record.read_text()))
    elif way == 1:  # a record that is sealed again, as no program of ours would write it
        told = json.loads(record.read_text())
        told.pop("sha256")
        told = changed(rng, told)
        if isinstance(told, dict):
            told = {**told, "sha256": seal(told)}
        record.write_text(json.dumps(told))
    elif way == 2:
        path = rng.choice(arrays)
        path.write_bytes(damaged(rng, path.read_bytes(), [arrays[0].read_bytes()]))
    elif way == 3:
        path = rng.choice((record, *arrays))
        path.unlink()
        _put(rng, path)
    elif way == 4:
        where = rng.choice((out / "checkpoints", step, step / "state"))
        name = rng.choice((*ODD_STEPS, ".DS_Store", "state", "new"))
        if not (where / name).exists():
            (where / name).mkdir() if rng.random() < 0.5 else (where / name).write_bytes(junk(rng))
    else:
        path = rng.choice((step, step / "state"))
        shutil.rmtree(path)
        _put(rng, path)

    def read() -> None:
        found, _ = restore.read_meta(out)
        checkpoint.leaves_of(out / "checkpoints", found, "params")
        state, _ = checkpoint.restore(out / "checkpoints", STATE, step=found)
        same = [np.array_equal(state["params"][name], value) for name, value in STATE["params"].items()]
        if not all(same) or int(state["step"]) != 7:
            raise Fault("other arrays than were saved")

    return Case(read, ("checkpoints", "run"), lambda: None)
