"""Samples of a run, and its data: as pictures and as arrays."""

import io
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen.core import Model, as_float
from jaxgen.data import Data
from jaxgen.runs import folder, restore
from jaxgen.runs.config import check_whole
from jaxgen.runs.inputs import data_of
from jaxgen.system import files, png
from jaxgen.training.program import run_keys

SHOWN = {"image": 64, "table": 64, "points": 1000}  # examples of a picture, by kind of data
BLOCK = 512  # samples that are made at a time


def picture(kind: str, x: Any, like: Any) -> bytes:
    """Examples `x` as a PNG: images side by side, points over those of `like`, rows of a table as a heat-map."""
    x = np.asarray(x)
    if kind == "image":
        return png.png_grid(x)
    if kind == "points":
        return png.png_points(x, like)
    return png.png_table(x.reshape(len(x), -1))


def write_data_picture(out: Path, data: Data) -> None:
    """`samples/data.png`: the data as the nets see it."""
    x = np.asarray(as_float(data.train.x[: SHOWN[data.kind]]))
    (out / "samples").mkdir(exist_ok=True)
    files.write(out / "samples" / "data.png", picture(data.kind, x[:0] if data.kind == "points" else x, x))


def write_picture(out: str | os.PathLike, file: str | os.PathLike, *, n: int = 64, seed: int = 0) -> None:
    """Draws `n` samples of the run in `out` as a PNG: a grid of images, points over the real ones, rows of a table.

    Raises:
      BadRequest: as `load`; a file that cannot be written.
    """
    check_whole("n", n, least=1)
    check_whole("seed", seed, least=0)
    meta, plan, state = restore.last(Path(out))
    model, kind, source = restore.model_of(plan, state), meta["data"]["kind"], meta["config"]["data"]
    x = model.sample(model.draw(run_keys(seed).evaluation, n))
    like = data_of(source).train.x[: SHOWN[kind]] if kind == "points" and source else x
    files.write_output(Path(file), picture(kind, x, like))


def write_array(out: str | os.PathLike, file: str | os.PathLike, *, n: int = 64, seed: int = 0) -> None:
    """Draws `n` samples of the run in `out` as an array `x` in an `.npz`, a table in the units of its data.

    Raises:
      BadRequest: as `restore.load`.
    """
    out = Path(out)
    x = draw(restore.load(out), n, seed=seed)
    if folder.read_settings(out)["data"]["kind"] == "table":
        mean, std = restore.load_data(out)[0].scale or (0, 1)
        x = x * std + mean
    content = io.BytesIO()
    np.savez(content, x=x)
    files.write(Path(file), content.getvalue())


def draw(model: Model, n: int, *, seed: int) -> np.ndarray:
    """`n` samples, made in blocks: the noise of many images is small, and the images are not."""
    assert model.draw is not None and model.sample is not None
    noise = model.draw(run_keys(seed).evaluation, n)
    blocks = (jax.tree.map(lambda a, i=i: a[i : i + BLOCK], noise) for i in range(0, n, BLOCK))
    return np.concatenate([np.asarray(model.sample(block)) for block in blocks])
