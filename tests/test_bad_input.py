"""What cannot be done is refused: exit code 2, one line on stderr that says what to do, nothing written.

The table runs in this process by default; a few rows of it, and with `-m slow` all, from a process of their own.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import wrongs

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
    Row("compare --data digits --seconds 3", "did you mean --seconds-per-model"),
    Row(f"{TRAIN} --gama 3", "--gamma"),
    Row(f"{TRAIN} --gamma 3", "vae"),
    Row(f"{TRAIN} surplus", "surplus"),
    Row("compare --modles vae", "--models"),
    Row("compare --data_dir photos", "did you mean --data?"),
    Row("prepare mnist --data_dir new", "did you mean --data-dir?"),
    Row("compare --models vae,r3gn", "'r3gan'"),
    Row("compare --models vae,vae", "twice"),
    Row("compare --models ,", "vae,r3gan"),
    Row("compare --anomaly ,", "crack,scratch"),
    Row("compare --data cancer --anomaly malign", "'malign' to be the anomaly: its classes are malignant, benign"),
    Row("compare --domains 3,a", "digits has no class 'a': its classes are 0, 1, 2"),
    Row("compare --domains oil", "'oil' is no style; there are inverted, thick, edges, coloured"),
    Row("compare --domains 1,2,3", "name two classes, A,B, or one style, not 1, 2, 3"),
    Row("compare --domains coloured", "three channels"),
    Row("compare --data cancer --domains malignant,benign", "cancer holds no images"),
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
    # official data sets
    Row("prepare", "NAME"),
    Row("prepare fashion_mnist", "--from"),
    Row("prepare fashion_mnist --from", "value"),
    Row("prepare fashion_mnist --form idx_cut", "--from"),
    Row("prepare fashion_mnist --from nowhere --data-dir new", "no folder nowhere"),
    Row("prepare fashion_mnist --from other.txt --data-dir new", "no folder other.txt"),
    Row("prepare fashon_mnist --from official --data-dir new", "'fashion_mnist'"),
    Row("prepare digits --from official --data-dir new", "no set 'digits'"),
    Row("prepare emnist/leters --from official --data-dir new", "letters"),
    Row("prepare fashion_mnist --from empty --data-dir new", "lacks t10k-images-idx3-ubyte.gz"),
    Row("prepare fashion_mnist --from official --data-dir new", "not the official file"),
    Row("prepare mnist --from official --data-dir done", "already prepared"),
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
    *(
        Row(f"{command} --seed {value}", "at most 2147483647")
        for command in ("sample run --out a.png", "sample run --out a.npz", TRAIN, "compare")
        for value in ("2147483648", "3000000000")
    ),
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
            ("idx_cut", "train-images-idx3-ubyte"),
            ("idx_foreign", "no idx file"),
            ("idx_missing", "lacks t10k-images-idx3-ubyte"),
            ("fashion_mnist", "jaxgen prepare fashion_mnist --from"),
            ("emnist/letters", "is not prepared"),
            ("fashon_mnist", "'fashion_mnist'"),
            ("pictures", "broken.png"),
            ("damages", "5 images cannot be read: 1.png ("),
        )
    ),
    Row(f"{TRAIN} --batch-size 20001", "20000"),
    Row("train vae --data noted.npy --out new --steps 3 --batch-size 41", "training examples"),
    *(
        Row(f"{command} {words}", says)
        for command in ("train vae --steps 3 --out new", "compare --out new")
        for words, says in (
            *((f"--size {size}", "--size") for size in ("7", "65", "0", "-8", "16.5", "x")),
            ("--data ring8 --size 16", "ring8 is a set of vectors"),
            ("--data digits --labels lost.csv", "digits is none"),
            ("--data pictures --labels nowhere.csv", "nowhere.csv cannot be read"),
            ("--data pictures --labels lost.csv", "1 name no image in pictures: '9.png' (line 3)"),
        )
    ),
    *(
        Row(
            f"compare --data ring8 --models vae,{model} --out new",
            f"{model} learns from {what}, which compare does not",
        )
        for model, what in (("acgan", "labels"), ("sr_gan", "small images"), ("cyclegan", "two domains"))
    ),
    # where to write
    *(
        Row(f"{command} --data ring8 --out {out}", says)
        for command in ("train vae --steps 3", "compare")
        for out, says in (("run", "not empty"), ("other.txt", "file"), ("other.txt/below", "other.txt"))
    ),
    Row("train vae --data noted.npy --out run --steps 3", "not empty"),
    Row("train vae --data ring8 --out unfinished --steps 3", "remove that folder"),
    Row("train vae --data ring8 --out mixed --steps 3", "again in another folder"),
    Row("sample run --out other.txt/a.png", "folder"),
    *(Row(f"sample run --out nowhere/a.{ending}", "make it first") for ending in ("png", "npz")),
    *(Row(f"sample run --out folder.{ending}", "is a folder") for ending in ("png", "npz")),
    Row("sample run --out a.jpg", ".png"),
    *(
        Row(words, "/proc")
        for words in (
            "train vae --data ring8 --steps 3 --out /proc/x",
            "compare --out /proc/x",
            "sample run --out /proc/a.png",
            "sample run --out /proc/a.npz",
            "export run /proc/a.npz",
        )
        if os.path.isdir("/proc")
    ),
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
            ("nowhere", "no run: there is no such folder"),
            ("empty", "no run"),
            ("other.txt", "no run"),
            ("unfinished", "remove that folder"),
            ("mixed", "again in another folder"),
            ("scribbled", "damaged"),
            ("damaged", "move that folder away to go on from step 0"),
            ("cut", "damaged"),
            ("edited", "learning_rate"),
        )
    ),
    *(Row(words.format("moved"), "table.npy") for words in ("train --resume {}", "evaluate {}")),
    *(
        Row(words.format("changed"), "small.npy has changed since the run was started")
        for words in ("train --resume {}", "evaluate {}", "sample {} --out a.npz")
    ),
    Row("train --resume run --seed 9", "--resume"),
    Row("train vae --resume run", "--resume"),
    Row("compare --repeat run", "report.json"),
    Row("compare --repeat nowhere", "report.json"),
    Row("compare --repeat run --seeds 3", "--repeat"),
    Row("compare --resume nowhere", "no comparison that finished a seed"),
    Row("compare --resume run --seeds 3", "--resume"),
    Row("compare --settings faces", "setting 'faces'"),
    Row("compare --models r3gan:gamma=x", "must be a number"),
]
ALONE = [
    Row("train vea --out new --steps 3", "'vae'"),
    Row("train vae --steps 3 --data nan.npz --out new", "NaN"),
    Row("compare --data fashion_mnist --out new", "jaxgen prepare fashion_mnist --from"),
    Row("prepare fashion_mnist --from official --data-dir new", "not the official file"),
    Row("train vae --steps 3 --data ring8 --out run", "not empty"),
    Row("evaluate cut", "damaged"),
    Row("sample run --out a.png --n 0", "--n"),
]
assert set(ALONE) <= set(ROWS)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    wrongs.make(folder)
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
