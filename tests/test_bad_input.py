"""What cannot be done is refused: exit code 2, one line on stderr that says what to do, nothing written.

The table runs in this process by default; a few rows of it, and with `-m slow` all, from a process of their own.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from jaxgen.cli import main


class Row(NamedTuple):
    """A command line in the folder that `world` makes, and a word that its refusal must hold."""

    words: str
    says: str


TRAIN = "train vae --data ring8 --out new --steps 3"
ROWS = [
    # names
    Row("trian", "train"),
    Row("--verison", "--version"),
    Row("train vea --out new --steps 3", "'vae'"),
    Row("train vae --data digitz --out new --steps 3", "'digits'"),
    Row("train vae --data cancre --out new --steps 3", "'cancer'"),
    Row(f"{TRAIN} --step 3", "--steps"),
    Row(f"{TRAIN} --batchsize 3", "--batch-size"),
    Row(f"{TRAIN} --rounds 3", "--steps"),
    Row(f"{TRAIN} --lr 3", "--learning-rate"),
    Row(f"{TRAIN} --gama 3", "--gamma"),
    Row(f"{TRAIN} --gamma 3", "vae"),
    Row(f"{TRAIN} surplus", "surplus"),
    Row("compare --modles vae", "--models"),
    Row("compare --models vae,r3gn", "'r3gan'"),
    Row("compare --models vae,vae", "twice"),
    Row("compare --models ,", "vae,r3gan"),
    Row("recipes --all", "--help"),
    # what is missing
    Row("train", "RECIPE"),
    Row("train vae --steps 3", "--out"),
    Row("train vae --out new", "--steps"),
    Row("train vae --out new --steps", "value"),
    Row("sample run", "--out"),
    Row("sample --out a.png", "DIR"),
    Row("export run", "FILE"),
    Row("evaluate", "DIR"),
    # numbers
    *(
        Row(f"train vae --out new {flag} {value}" + ("" if flag == "--steps" else " --steps 3"), flag)
        for flag in ("--steps", "--batch-size", "--latent-dim")
        for value in ("0", "-3", "2.5", "nan", "inf", "ten", "99999999999")
    ),
    *(Row(f"{TRAIN} --learning-rate {value}", "--learning-rate") for value in ("0", "-1", "nan", "inf", "fast")),
    *(Row(f"{TRAIN} --seed {value}", "--seed") for value in ("-1", "0.5", "x", "4294967296")),
    *(
        Row(f"train r3gan --data ring8 --out new --steps 3 --gamma {value}", "--gamma")
        for value in ("-1", "nan", "inf", "x")
    ),
    *(Row(f"train iwae --data ring8 --out new --steps 3 --samples {value}", "samples") for value in ("0", "1.5", "-2")),
    *(Row(f"compare --seconds-per-model {value}", "--seconds-per-model") for value in ("0", "-1", "nan", "inf", "x")),
    *(Row(f"compare --seeds {value}", "--seeds") for value in ("0", "-1", "1.5", "nan", "x")),
    *(Row(f"compare --seed {value}", "--seed") for value in ("-1", "x")),
    *(Row(f"sample run --out a.png --n {value}", "--n") for value in ("0", "-1", "1.5", "nan", "x")),
    *(Row(f"sample run --out a.png --seed {value}", "--seed") for value in ("-1", "x")),
    # data
    *(
        Row(f"{command} --data {name} --out new", says)
        for command in ("train vae --steps 3", "compare")
        for name, says in (
            ("nowhere.npz", "exist"),
            ("empty", "no images"),
            ("other.txt", ".npz"),
            ("broken.npz", "damaged"),
            ("empty.npy", "damaged"),
            ("text.npz", "plain numbers"),
            ("objects.npy", "objects"),
            ("nan.npz", "NaN"),
            ("inf.npy", "infinite"),
            ("labels.npz", "(40,)"),
            ("range.npz", "rescale"),
            ("tiny.npy", "resize"),
            ("huge.npy", "resize"),
            ("pictures", "broken.png"),
        )
    ),
    Row(f"{TRAIN} --batch-size 20001", "20000"),
    Row("train vae --data noted.npy --out new --steps 3 --batch-size 41", "training examples"),
    # where to write
    *(
        Row(f"{command} --data ring8 --out {out}", says)
        for command in ("train vae --steps 3", "compare")
        for out, says in (("run", "not empty"), ("other.txt", "file"), ("other.txt/below", "other.txt"))
    ),
    Row("train vae --data noted.npy --out run --steps 3", "not empty"),
    Row("sample run --out other.txt/a.png", "folder"),
    *(Row(f"sample run --out nowhere/a.{ending}", "make it first") for ending in ("png", "npz")),
    *(Row(f"sample run --out folder.{ending}", "is a folder") for ending in ("png", "npz")),
    Row("sample run --out a.jpg", ".png"),
    Row("export run a.txt", ".npz"),
    Row("export run nowhere/a.npz", "nowhere"),
    # runs
    *(
        Row(words.format(folder), says)
        for words in (
            "train --resume {}",
            "evaluate {}",
            "sample {} --out a.png",
            "sample {} --out a.npz",
            "export {} a.npz",
        )
        for folder, says in (
            ("nowhere", "no run"),
            ("empty", "no run"),
            ("other.txt", "no run"),
            ("unfinished", "checkpoint"),
            ("scribbled", "damaged"),
            ("damaged", "damaged"),
            ("cut", "damaged"),
            ("edited", "learning_rate"),
        )
    ),
    *(Row(words.format("moved"), "table.npy") for words in ("train --resume {}", "evaluate {}")),
    *(Row(words.format("changed"), "data set") for words in ("train --resume {}", "evaluate {}")),
    Row("evaluate small", "Use more data"),
    Row("train --resume run --steps 9", "--resume"),
    Row("train vae --resume run", "--resume"),
    Row("compare --repeat run", "report.json"),
    Row("compare --repeat nowhere", "report.json"),
    Row("compare --repeat run --seeds 3", "--repeat"),
]
ALONE = [
    Row("train vea --out new --steps 3", "'vae'"),
    Row("train vae --steps 3 --data nan.npz --out new", "NaN"),
    Row("train vae --steps 3 --data ring8 --out run", "not empty"),
    Row("evaluate damaged", "damaged"),
    Row("sample run --out a.png --n 0", "--n"),
]
assert set(ALONE) <= set(ROWS)


def damage(folder: Path, cut: bool) -> None:
    """One flipped byte in the largest array file of the last checkpoint, or its second half gone."""
    last = max((folder / "checkpoints").iterdir(), key=lambda path: int(path.name))
    file = max((path for path in (last / "state").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content[: len(content) // 2] if cut else content)


def arrays(folder: Path) -> None:
    """Files and folders of data, most of them bad."""
    rng = np.random.default_rng(0)
    table, images = rng.normal(size=(40, 3)), rng.random((40, 8, 8)).astype(np.float32)
    np.save(folder / "table.npy", table)
    (folder / "empty").mkdir()
    (folder / "folder.png").mkdir()
    (folder / "folder.npz").mkdir()
    (folder / "other.txt").write_text("no data")
    (folder / "text.npz").write_text("no archive")
    (folder / "empty.npy").write_bytes(b"")
    np.savez(folder / "broken.npz", x=images)
    (folder / "broken.npz").write_bytes((folder / "broken.npz").read_bytes()[:500])
    np.save(folder / "objects.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    images[3, 2, 1] = np.nan
    np.savez(folder / "nan.npz", x=images)
    images[3, 2, 1] = 0
    np.save(folder / "inf.npy", np.where(np.arange(3) == 1, np.inf, table))
    np.savez(folder / "labels.npz", x=images, y=np.zeros(39, int))
    np.savez(folder / "range.npz", x=images * 700)
    np.save(folder / "noted.npy", (np.nan_to_num(images) * 99).round())
    np.save(folder / "tiny.npy", np.zeros((40, 4, 4), np.uint8))
    np.save(folder / "huge.npy", np.zeros((40, 80, 80), np.uint8))
    (folder / "pictures").mkdir()
    for i in range(3):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(folder / "pictures" / f"{i}.png")
    (folder / "pictures" / "broken.png").write_bytes(b"\x89PNG, and then nothing")


def runs(folder: Path) -> None:
    """Folders of runs: a good one, and others that came to harm."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        for name, size in (("run", 40), ("small", 24)):
            np.save(f"{name}.npy", np.random.default_rng(0).normal(size=(size, 3)))
            words = f"train vae --data {name}.npy --out {name} --steps 2 --batch-size 4 --latent-dim 2"
            assert main(words.split()) == 0
    finally:
        os.chdir(here)
    for name in ("unfinished", "scribbled", "damaged", "cut", "edited", "moved", "changed"):
        shutil.copytree(folder / "run", folder / name)
    shutil.rmtree(folder / "unfinished" / "checkpoints")
    (folder / "scribbled" / "config.json").write_text("{")
    damage(folder / "damaged", cut=False)
    damage(folder / "cut", cut=True)
    config = json.loads((folder / "run" / "config.json").read_text())
    config["config"]["learning_rate"] = 0.5
    (folder / "edited" / "config.json").write_text(json.dumps(config))
    for name, source in (("moved", "gone/table.npy"), ("changed", "small.npy")):
        point_at(folder / name, str(folder / source))


def point_at(run: Path, source: str) -> None:
    """Makes a run believe, in its configuration and in its checkpoints, that its data are at `source`."""
    from jaxgen.training import checkpoint

    text = (run / "config.json").read_text()
    old = json.loads(text)["config"]["data"]
    (run / "config.json").write_text(text.replace(json.dumps(old), json.dumps(source)))
    for record in (run / "checkpoints").glob("*/record.json"):
        content = json.loads(record.read_text())
        content.pop("sha256")
        content["meta"]["config"]["data"] = source
        record.write_text(json.dumps({**content, "sha256": checkpoint._seal(content)}))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    arrays(folder)
    runs(folder)
    return folder


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")
    }


def refused(code: int, out: str, err: str, says: str) -> None:
    assert code == 2, (code, err)
    assert out == ""
    assert err.endswith("\n") and err.count("\n") == 1, err
    assert err.startswith("jaxgen: ") and says.lower() in err.lower() and "Traceback" not in err
    assert len(err) < 400


def test_rows_are_told_apart():
    assert len(set(ROWS)) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_refused(row, world, monkeypatch, capsys):
    # Kills: each check, one row or more: a traceback, another code, two lines, or something left behind in its place.
    monkeypatch.chdir(world)
    before = listing(world)
    code = main(row.words.split())
    refused(code, *capsys.readouterr(), row.says)
    assert listing(world) == before


def alone(row, world):
    before = listing(world)
    words = [sys.executable, "-m", "jaxgen", *row.words.split()]
    found = subprocess.run(words, cwd=world, capture_output=True, text=True, timeout=120)
    refused(found.returncode, found.stdout, found.stderr, row.says)
    assert listing(world) == before


@pytest.mark.parametrize("row", ALONE, ids=lambda row: row.words)
def test_refused_by_a_process(row, world):
    # Kills: a warning or a log line beside the one line; an exit code that main returns and the process does not.
    alone(row, world)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_every_row_refused_by_a_process(row, world):
    alone(row, world)


def test_an_unreadable_file(world, monkeypatch, capsys):
    # Kills: a PermissionError that comes out as a traceback. Skipped for root, who may read everything.
    secret = world / "secret.npy"
    shutil.copy(world / "table.npy", secret)
    secret.chmod(0)
    try:
        if os.access(secret, os.R_OK):
            pytest.skip("this user may read every file")
        code = main(["train", "vae", "--data", str(secret), "--out", str(world / "new"), "--steps", "1"])
    finally:
        secret.unlink()
    refused(code, *capsys.readouterr(), "permission")
