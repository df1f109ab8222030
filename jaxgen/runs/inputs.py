"""Converts what a caller passes to `fit` into a plan and data."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import optax

from jaxgen import data as sources
from jaxgen import recipes
from jaxgen.core import BadRequest, Game, player
from jaxgen.data import Data, arrays, datasets, frames, streams
from jaxgen.data.divide import assemble
from jaxgen.data.resize import for_networks, resized
from jaxgen.recipes import Recipe
from jaxgen.runs.conditions import Condition
from jaxgen.training.pool import Rows
from jaxgen.training.program import Plan
from jaxgen.training.sources import Source, unpaired
from jaxgen.training.sources import arrays as array_source
from jaxgen.training.sources import stream as stream_source

# `Any` stands for a data set with random access, such as a grain.MapDataset.
Trained = str | os.PathLike | Data | np.ndarray | tuple[np.ndarray, np.ndarray] | Mapping[str, np.ndarray] | Any


def plan_of(what: Any) -> Plan:
    """A plan as it is, or the plan of a game: Adam(1e-3) for each player, and the turns of the game.

    The turns are `Game.turns`, or one turn for each loss if the game names none.

    Raises:
      BadRequest: if `what` is neither a plan nor a game.
    """
    if isinstance(what, Plan):
        return what
    if isinstance(what, Game):
        adam = {player(loss): optax.adam(1e-3) for loss in what.losses}
        return Plan(what, adam, what.turns or tuple((loss,) for loss in what.losses))
    raise BadRequest(f"{type(what).__name__} cannot be trained: pass a recipe or its name, a plan or a game.")


def recipe_of(what: Any) -> Recipe | None:
    """The recipe that `what` names or is; None if `what` is a plan or a game.

    Raises:
      BadRequest: if no recipe has that name.
    """
    if isinstance(what, str):
        return recipes.find(what)
    return what if callable(what) and not isinstance(what, Plan | Game) else None


def data_of(
    data: Trained, *, stream: bool | None = None, size: int | None = None, labels: str | os.PathLike | None = None
) -> Data:
    """Loads or converts `data`: a name, a path, arrays or a data set. Arrays and data sets are training data only.

    `stream` is that of `jaxgen.data.streams.room`. A data set has random access, such as a `grain.MapDataset`
    (`jaxgen.data.datasets.of_dataset`); it is always streamed.

    Arrays are x, (x, label), or {name: x} of several sets of examples, whose names become the classes.
    `jaxgen.data.arrays.for_training` describes which arrays are valid and how they are converted. `size` and `labels`
    are those of `jaxgen.data.load`; a size may be given for all data that are images.

    Raises:
      BadRequest: if no data have that name, or if a file or an array is invalid.
    """
    if isinstance(data, str | os.PathLike):
        return sources.load(os.fspath(data), room=streams.room(stream), size=size, labels=labels)
    if labels is not None:
        raise BadRequest("labels from a file are those of a folder of images: hand an array in as (x, label).")
    whole = data if isinstance(data, Data) else _in_memory(data)
    return whole if size is None else resized(whole, size)


def _in_memory(data: Any) -> Data:
    if isinstance(data, Mapping):
        return _sets(data)
    if not isinstance(data, list | tuple) and not hasattr(data, "__array__"):
        return datasets.of_dataset(data)
    if isinstance(data, list):
        _check_alike(data)
    return arrays.for_training(*_pair(data))


def _pair(data: Any) -> tuple[Any, Any]:
    """The examples, and their labels or None.

    Raises:
      BadRequest: if a pandas frame and its labels have different indices, so that equal positions need not be the same
        example.
    """
    x, label = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    index, label_index = getattr(x, "index", None), getattr(label, "index", None)
    equals = getattr(index, "equals", None)
    if equals is not None and hasattr(label_index, "equals") and not equals(label_index):
        raise BadRequest("the labels have another index than the examples: hand in y.loc[x.index], or y.to_numpy().")
    return x, label


def _check_alike(parts: list) -> None:
    shapes = [part.shape for part in parts if hasattr(part, "shape")]
    if len(set(shapes)) > 1:
        raise BadRequest(
            f"a list holds examples, all of one shape, and here are {shapes[0]} and "
            f"{next(shape for shape in shapes if shape != shapes[0])}: examples with labels are a tuple, (x, label)."
        )


def _sets(sets: Mapping[str, Any]) -> Data:
    parts = {name: frames.as_array(x) for name, x in sets.items()}
    shapes = {(x.shape[1:], x.dtype) for x in parts.values()}
    if len(shapes) != 1:
        raise BadRequest(f"{{name: x}} takes arrays of one shape and type of example, not {len(shapes)} of them.")
    label = np.repeat(list(parts), [len(x) for x in parts.values()])
    return arrays.for_training(np.concatenate(list(parts.values())), label)


def is_streamed(data: Data, stream: bool | None) -> bool:
    """Whether batches of `data` are copied to the devices one by one: if `stream` says so, or if all would not fit."""
    return isinstance(data.train.x, streams.Stored) or data.train.x.nbytes > streams.room(stream)


def source_for(plan: Plan, data: Data, condition: Condition | None, *, stream: bool = False) -> Source:
    """The training examples of `data` in the form that `plan` takes, resident on the devices or streamed.

    Raises:
      BadRequest: if a domain of the plan is not a class of the data.
    """
    x, label = data.train.x, data.train.label
    source = stream_source if stream else array_source
    if not plan.domains:
        return source(x, label, condition=None if condition is None else condition.of)
    if label is None or set(plan.domains) - set(data.classes):
        raise BadRequest(
            f"this plan translates between {' and '.join(plan.domains)}, and the data have the classes "
            f"{', '.join(data.classes) or 'none'}."
        )
    at = {name: np.flatnonzero(label == data.classes.index(name)) for name in plan.domains}

    def domain(at: np.ndarray) -> Source:
        if stream:
            return stream_source(x, subset=at)
        return (
            array_source(x, subset=at) if isinstance(x, Rows) else array_source(x[at])
        )  # a pool is copied to the devices once

    return unpaired(**{name: domain(positions_of) for name, positions_of in at.items()})


def divided(
    data: str | os.PathLike | Data | np.ndarray | tuple[np.ndarray, np.ndarray],
    *,
    size: int | None = None,
    labels: str | os.PathLike | None = None,
) -> Data:
    """Loads or converts `data`, and divides it into training, validation and test examples.

    An array (or examples and labels) is divided, and a table standardised, as if it were read from a file: the splits
    are those of `jaxgen.data.load` for an `.npz` of the same arrays. A `Data` is returned as it is.

    Raises:
      BadRequest: for the reasons of `data_of`.
    """
    if labels is not None or isinstance(data, Data | str | os.PathLike):
        return data_of(data, size=size, labels=labels)
    x, label = _pair(data)
    label = None if label is None else frames.label_array(label)
    kind, examples = arrays.examples("the array", frames.as_array(x), label)
    whole = assemble("array", kind, examples, seed=0)
    return whole if size is None else resized(whole, size)


def fitted(data: Data, size: int | None) -> tuple[Data, int | None]:
    """The data in a shape that the networks of recipes take, and the size of their images if they were resized.

    Images with a side above 64 are resized to the size that a folder of them gets (`resize.for_networks`).
    """
    needed = for_networks(data) if size is None else None
    return (data, size) if needed is None else (resized(data, needed), needed)


def source_of(data: str | os.PathLike) -> str:
    """A known name, or the absolute path; another string is returned as it is, and `load` refuses it."""
    data = os.fspath(data)
    return data if not data or data in sources.names() else place_of(data)


def place_of(path: str | os.PathLike) -> str:
    """The absolute path if it exists, else `path`."""
    path = os.fspath(path)
    whole = os.path.abspath(os.path.expanduser(path))
    return whole if os.path.exists(whole) else path
