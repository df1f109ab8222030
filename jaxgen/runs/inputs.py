"""What a caller may hand in to be trained, or to be trained on, as a plan and as data."""

import os

import numpy as np
import optax

from jaxgen import data as sources
from jaxgen.core import BadRequest, Game, player
from jaxgen.data import Data, arrays
from jaxgen.data.divide import assemble
from jaxgen.recipes import Recipe
from jaxgen.training.program import Plan


def plan_of(what: Recipe | Plan | Game, shape: tuple[int, ...]) -> Plan:
    """The plan that `what` stands for: a game gets Adam(1e-3) per player and a turn per loss.

    Raises:
      BadRequest: anything else.
    """
    if isinstance(what, Plan):
        return what
    if isinstance(what, Game):
        adam = {player(turn): optax.adam(1e-3) for turn in what.losses}
        return Plan(what, adam, tuple((turn,) for turn in what.losses))
    if isinstance(what, Recipe):
        return what.plan(shape)
    raise BadRequest(f"{type(what).__name__} cannot be trained: pass a recipe or its name, a plan or a game.")


def data_of(data: str | os.PathLike | Data | np.ndarray | tuple[np.ndarray, np.ndarray]) -> Data:
    """The data that `data` stands for: a name, a path, or an array (or examples and labels), all of it for training.

    `jaxgen.data.arrays.for_training` says what an array may hold, and what becomes of it.

    Raises:
      BadRequest: nothing of that name; whatever is refused in a file or in an array.
    """
    if isinstance(data, Data):
        return data
    if isinstance(data, str | os.PathLike):
        return sources.load(os.fspath(data))
    x, label = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    return arrays.for_training(x, label)


def divided(data: str | os.PathLike | Data | np.ndarray | tuple[np.ndarray, np.ndarray]) -> Data:
    """The data that `data` stands for, part of it held out to choose by and to be measured on.

    An array (or examples and labels) is divided, and a table standardised, as if it stood in a file: the splits are
    those of `jaxgen.data.load` on an `.npz` of the same arrays. A `Data` is taken as it is.

    Raises:
      BadRequest: as `data_of`.
    """
    if isinstance(data, Data | str | os.PathLike):
        return data_of(data)
    x, label = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    kind, examples = arrays.examples("the array", arrays.as_array(x), None if label is None else arrays.as_array(label))
    return assemble("array", kind, examples, seed=0)


def source_of(data: str | os.PathLike) -> str:
    """A known name, or a path as it stands from everywhere; what is neither stays as it is, to be refused by `load`."""
    data = os.fspath(data)
    path = os.path.abspath(os.path.expanduser(data))
    return path if data and data not in sources.names() and os.path.exists(path) else data
