"""Draws samples of a run and examples of its data as pictures, and writes samples as arrays."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen.core import Array, BadRequest, Model, as_float, inputs
from jaxgen.data import Data
from jaxgen.runs import conditions, restore
from jaxgen.runs.conditions import Condition
from jaxgen.runs.config import check_whole
from jaxgen.system import files, png
from jaxgen.training.program import Keys, run_keys

SHOWN = {"image": 64, "table": 64, "points": 1000}  # number of examples in a picture, by kind of data
BLOCK = 512  # number of samples that are computed at a time


def picture(kind: str, x: Any, like: Any = None) -> bytes:
    """Examples `x` as a PNG: images side by side, points over those of `like`, rows of a table as a heat-map."""
    x = np.asarray(x)
    if kind == "image":
        return png.png_grid(x)
    if kind == "points":
        return png.png_points(x, like)
    return png.png_table(x.reshape(len(x), -1))


def write_data_picture(out: Path, data: Data) -> None:
    """Writes `samples/data.png`: examples in the form that the networks get."""
    x = np.asarray(as_float(data.train.x[: SHOWN[data.kind]]))
    (out / "samples").mkdir(exist_ok=True)
    files.write(out / "samples" / "data.png", picture(data.kind, x[:0] if data.kind == "points" else x, x))


def recurring(data: Data, condition: Condition | None, keys: Keys) -> Callable[[Model], bytes | None]:
    """A function that draws a picture of a model from the same noise each time, so that pictures can be compared.

    If the model translates and has no samples, the picture shows training examples and their translations.
    """
    like = data.train.x[: SHOWN[data.kind]]

    def png(model: Model) -> bytes | None:
        if model.draw is not None and model.sample is not None:
            given = None if condition is None else conditions.given(condition, data, SHOWN[data.kind])
            return picture(data.kind, draw(model, SHOWN[data.kind], keys.evaluation, given), like)
        if model.maps and condition is None and data.kind == "image":
            rows = [part for name, map_of in model.maps.items() for part in _translated(name, map_of, data)]
            return picture("image", np.concatenate(rows)) if rows else None
        return None

    return png


def _translated(name: str, map_of: Callable[..., Any], data: Data) -> list[np.ndarray]:
    """Eight examples of the source domain of a map `a_to_b`, and their translations."""
    source = next((c for c in data.classes if name.startswith(f"{c}_to_")), None)
    if source is None or data.train.label is None:
        return []
    x = np.asarray(as_float(data.train.x[np.flatnonzero(data.train.label == data.classes.index(source))[:8]]))
    return [x, np.asarray(map_of(x))]


def write_samples(
    out: str | os.PathLike, file: str | os.PathLike, *, n: int = 64, seed: int = 0, label: str | None = None
) -> None:
    """Draws `n` samples of the run in `out` into a file: a picture for `.png`, an array `x` for `.npz`.

    A picture is a grid of images, points over the real ones, or rows of a table; an array of a table is in the units of
    its data. If the run has labels as its condition, samples are drawn for all labels in turn, or only for `label`; if
    it has small images, samples are drawn for those of the test examples in turn.

    Raises:
      BadRequest: for the reasons of `load`, if the file cannot be written, or if the run has no such label.
    """
    check_whole("n", n, least=1)
    check_whole("seed", seed, least=0)
    out, file = Path(out), Path(file)
    meta, plan, state = restore.last(out)
    model, kind, key = restore.model_of(plan, state), meta["data"]["kind"], run_keys(seed).evaluation
    if model.draw is None or model.sample is None:
        raise BadRequest(f"the model of {out} draws no samples: it has {', '.join(model.maps)}; use jaxgen.load(DIR).")
    data, condition = None, None
    if meta["config"]["condition"] is not None or kind != "image":
        data = restore.load_data(out)[0]
        condition = restore.condition_for(meta["config"], data)
    which = _label(label, meta["data"]["classes"], condition)
    given = None if condition is None or data is None else conditions.given(condition, data, n, which)
    x = draw(model, n, key, given)
    if file.suffix.lower() == ".png":
        like = data.train.x[: SHOWN[kind]] if kind == "points" and data is not None else x
        files.write_output(file, picture(kind, x, like))
        return
    if kind == "table" and data is not None:
        mean, std = data.scale or (0, 1)
        x = x * std + mean
    content = io.BytesIO()
    np.savez(content, x=x)
    files.write_output(file, content.getvalue())


def _label(name: str | None, classes: list[str], condition: Condition | None) -> int | None:
    if name is None:
        return None
    if condition is None or not isinstance(condition.form, int):
        raise BadRequest(f"label {name!r}: this run was not trained with --condition label; leave --label out.")
    if name in classes:
        return classes.index(name)
    raise BadRequest(f"label {name!r}: there are {', '.join(classes[:20])}{' ...' if len(classes) > 20 else ''}.")


def draw(model: Model, n: int, key: Array, given: Any = None) -> np.ndarray:
    """`n` samples for the conditions `given`, computed in blocks to save memory; the noise is drawn at once."""
    assert model.draw is not None and model.sample is not None
    called = inputs(model.draw(key, *inputs(n, given)), given)
    blocks = (jax.tree.map(lambda a, i=i: a[i : i + BLOCK], called) for i in range(0, n, BLOCK))
    return np.concatenate([np.asarray(model.sample(*block)) for block in blocks])
