"""What a caller may hand in to be trained, or to be trained on, as a plan and as data."""

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

# The last is a data set with random access, such as a grain.MapDataset.
Trained = str | os.PathLike | Data | np.ndarray | tuple[np.ndarray, np.ndarray] | Mapping[str, np.ndarray] | Any


def plan_of(what: Any) -> Plan:
    """The plan that a plan or a game stands for: a game gets Adam(1e-3) for each player, and its own turns.

    These are `Game.turns`, or one for each loss where the game names none.

    Raises:
      BadRequest: anything else.
    """
    if isinstance(what, Plan):
        return what
    if isinstance(what, Game):
        adam = {player(loss): optax.adam(1e-3) for loss in what.losses}
        return Plan(what, adam, what.turns or tuple((loss,) for loss in what.losses))
    raise BadRequest(f"{type(what).__name__} cannot be trained: pass a recipe or its name, a plan or a game.")


def recipe_of(what: Any) -> Recipe | None:
    """The recipe that `what` names or is; None of a plan or a game.

    Raises:
      BadRequest: an unknown name.
    """
    if isinstance(what, str):
        return recipes.find(what)
    return what if callable(what) and not isinstance(what, Plan | Game) else None


def data_of(
    data: Trained, *, stream: bool | None = None, size: int | None = None, labels: str | os.PathLike | None = None
) -> Data:
    """The data that `data` stands for: a name, a path, arrays or a data set of Python, all of them for training.

    `stream` as for `jaxgen.data.streams.room`. A data set is one with random access, such as a `grain.MapDataset`
    (`jaxgen.data.datasets.of_dataset`); it is always streamed.

    Arrays are x, (x, label), or {name: x} of several sets of examples, whose names become the classes.
    `jaxgen.data.arrays.for_training` says what an array may hold, and what becomes of it. `size` and `labels` as for
    `jaxgen.data.load`; a size may go with whatever holds images.

    Raises:
      BadRequest: nothing of that name; whatever is refused in a file or in an array.
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
    """Examples, and labels or None.

    Raises:
      BadRequest: a frame and labels of pandas whose rows have other names: position by position they might not belong
        together.
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
    """Whether the examples of `data` travel to the devices in batches: as asked, or because all would not fit."""
    return isinstance(data.train.x, streams.Stored) or data.train.x.nbytes > streams.room(stream)


def source_for(plan: Plan, data: Data, condition: Condition | None, *, stream: bool = False) -> Source:
    """The training examples of `data` as `plan` takes them, resident or streamed.

    Raises:
      BadRequest: domains of a plan that are no classes of the data.
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
        return array_source(x, subset=at) if isinstance(x, Rows) else array_source(x[at])  # a pool is resident once

    return unpaired(**{name: domain(positions_of) for name, positions_of in at.items()})


def divided(
    data: str | os.PathLike | Data | np.ndarray | tuple[np.ndarray, np.ndarray],
    *,
    size: int | None = None,
    labels: str | os.PathLike | None = None,
) -> Data:
    """The data that `data` stands for, part of it held out to choose by and to be measured on.

    An array (or examples and labels) is divided, and a table standardised, as if it stood in a file: the splits are
    those of `jaxgen.data.load` on an `.npz` of the same arrays. A `Data` is taken as it is.

    Raises:
      BadRequest: as `data_of`.
    """
    if labels is not None or isinstance(data, Data | str | os.PathLike):
        return data_of(data, size=size, labels=labels)
    x, label = _pair(data)
    label = None if label is None else frames.label_array(label)
    kind, examples = arrays.examples("the array", frames.as_array(x), label)
    whole = assemble("array", kind, examples, seed=0)
    return whole if size is None else resized(whole, size)


def fitted(data: Data, size: int | None) -> tuple[Data, int | None]:
    """The data as networks take them, and the size that brings them to that, if one was needed or asked for.

    Images with a side above 64 become squares of the side that a folder of them gets (`resize.for_networks`).
    """
    needed = for_networks(data) if size is None else None
    return (data, size) if needed is None else (resized(data, needed), needed)


def source_of(data: str | os.PathLike) -> str:
    """A known name, or a path as it stands from everywhere; what is neither stays as it is, to be refused by `load`."""
    data = os.fspath(data)
    return data if not data or data in sources.names() else place_of(data)


def place_of(path: str | os.PathLike) -> str:
    """A path as it stands from everywhere, if something is there."""
    path = os.fspath(path)
    whole = os.path.abspath(os.path.expanduser(path))
    return whole if os.path.exists(whole) else path
