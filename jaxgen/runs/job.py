"""What a run is asked to do: a configuration with every value filled in, a plan, and data."""

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import optax

from jaxgen import data as sources
from jaxgen import recipes
from jaxgen.core import BadRequest, Game, player
from jaxgen.data import Data
from jaxgen.data import arrays
from jaxgen.recipes import Recipe
from jaxgen.training.program import Plan

BATCH = 128  # where neither the user nor a recipe says


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """A run that a command line can ask for; None stands for the recipe's own value.

    Raises:
      BadRequest: an unknown recipe or weight, a number that cannot be.
    """

    recipe: str
    data: str
    steps: int
    seed: int = 0
    batch_size: int | None = None
    learning_rate: float | None = None
    latent_dim: int | None = None
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        """Refuses what cannot be, before anything is loaded."""
        recipes.find(self.recipe).check(self.weights)
        check_whole("steps", self.steps, least=1)
        check_whole("seed", self.seed, least=0)
        check_whole("batch_size", self.batch_size, least=1)
        check_whole("latent_dim", self.latent_dim, least=1)
        rate = self.learning_rate
        if rate is not None and not (_number(rate) and rate > 0):
            raise BadRequest(f"learning_rate={rate!r}: it must be a number above 0.")


class Job(NamedTuple):
    """What a run needs to start."""

    config: dict[str, Any]  # a Config with every value filled in; "recipe" or "data" is None where only Python knows it
    plan: Plan
    data: Data


def recipe_plan(config: Mapping[str, Any], shape: tuple[int, ...]) -> Plan:
    """The plan of a filled configuration for examples of `shape`."""
    options = {name: config[name] for name in ("latent_dim", "learning_rate")}
    return recipes.find(config["recipe"]).plan(shape, **options, **config["weights"])


def filled(config: dict[str, Any], recipe: Recipe | None, data: Data) -> dict[str, Any]:
    """`config` with the defaults written out: a run does not change when a later version has others."""
    size = min(BATCH if recipe is None else recipe.batch_size, len(data.train.x))
    found = {**config, "batch_size": config["batch_size"] or size}
    if config["recipe"] is not None and recipe is not None:
        own = {name: config.get(name) or getattr(recipe, name) for name in ("learning_rate", "latent_dim")}
        found |= {**own, "weights": {**recipe.weights, **config.get("weights", {})}}
    return found


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


def source_of(data: str | os.PathLike) -> str:
    """A known name, or a path as it stands from everywhere; what is neither stays as it is, to be refused by `load`."""
    data = os.fspath(data)
    path = os.path.abspath(os.path.expanduser(data))
    return path if data and data not in sources.names() and os.path.exists(path) else data


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_whole(name: str, value: Any, *, least: int) -> None:
    """Refuses all but None and whole numbers of at least `least` that fit int32.

    Raises:
      BadRequest: names the option.
    """
    if value is not None and not (_number(value) and isinstance(value, int) and least <= value < 2**31):
        raise BadRequest(f"{name}={value!r}: it must be a whole number of at least {least}, below 2^31.")
