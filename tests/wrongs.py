"""A folder full of data and runs, most of which somebody has to refuse."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from jaxgen.cli import main


def make(folder: Path) -> None:
    """Fills it."""
    arrays(folder)
    official(folder)
    runs(folder)


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
    (folder / "pictures").mkdir()
    for i in range(3):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(folder / "pictures" / f"{i}.png")
    (folder / "pictures" / "broken.png").write_bytes(b"\x89PNG, and then nothing")
    (folder / "lost.csv").write_text("file,label\n1.png,a\n9.png,b\n")
    shutil.copytree(folder / "pictures", folder / "damages")
    for i in range(1, 6):
        (folder / "damages" / f"{i}.png").write_bytes(b"\x89PNG, and then nothing")
    (folder / "damages" / "broken.png").unlink()


def official(folder: Path) -> None:
    """Folders of idx files that nothing can be read from, files that are not the official ones, and a prepared set."""
    names = [f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]
    images, labels = (bytes((0, 0, 8, rank)) for rank in (3, 1))
    good = [images + b"\0\0\0\x28\0\0\0\x08\0\0\0\x08" + bytes(40 * 64), labels + b"\0\0\0\x28" + bytes(40)] * 2
    for name, at, content in (
        ("idx_cut", 0, good[0][:-1]),
        ("idx_foreign", 1, b"PK\x03\x04"),
        ("idx_missing", 2, None),
    ):
        (folder / name).mkdir()
        for i, file in enumerate(names):
            if i != at:
                (folder / name / file).write_bytes(good[i])
            elif content is not None:
                (folder / name / file).write_bytes(content)
    (folder / "official").mkdir()
    for file in names:
        (folder / "official" / f"{file}.gz").write_bytes(b"\x1f\x8b\x08\0 and so on")
    (folder / "done" / "mnist" / "3.0.1").mkdir(parents=True)
    (folder / "done" / "mnist" / "3.0.1" / "dataset_info.json").write_text("{}")


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
    for name in ("unfinished", "mixed", "scribbled", "damaged", "cut", "edited", "moved", "changed"):
        shutil.copytree(folder / "run", folder / name)
    shutil.rmtree(folder / "unfinished" / "checkpoints")
    (folder / "mixed" / "thesis.txt").write_text("worth keeping")
    for step in (folder / "mixed" / "checkpoints").iterdir():
        shutil.rmtree(step)
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
        record.write_text(json.dumps({**content, "sha256": checkpoint.seal(content)}))
