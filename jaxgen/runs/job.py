"""What a run is asked to do: a configuration with every value filled in, a plan, and data."""

import dataclasses
import math
import os
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import optax

from jaxgen import data as sources
from jaxgen import recipes
from jaxgen.core import BadRequest, Game, player
from jaxgen.data import Data, Split, subset
from jaxgen.data import arrays
from jaxgen.data.splits import digest
from jaxgen.recipes import Recipe
from jaxgen.training.program import Plan

FAR = 100.0  # from unit scale, beyond which the columns of an array are not what rates and networks are made for
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

    `[N, H, W]` and `[N, H, W, C]` are images and `[N, D]` a table, as in a file (`jaxgen.data.arrays.read`). Floats stay
    as they are: those of a table are not standardised, pixels from 0 to 1 not rounded (those from 0 to 255 are). A
    table far from unit scale is warned of, for in a file it would have been standardised.

    Raises:
      BadRequest: nothing of that name; an array of no numbers or of another shape, or not finite; whatever is refused
        in a file.
    """
    if isinstance(data, Data):
        return data
    if isinstance(data, str | os.PathLike):
        return sources.load(os.fspath(data))
    x, label = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    x = _array(x)
    if x.dtype.kind not in "biuf" or x.ndim < 2 or x.size == 0:
        raise BadRequest(
            f"an array to train on holds numbers, [N, ...], and this is {x.dtype}{list(x.shape)}; with labels it is "
            "(x, label)."
        )
    name, notes = "the array", list[str]()
    arrays.check_finite(name, x)
    if x.ndim in (3, 4) and not (x.dtype.kind == "f" and x.min() >= 0 and x.max() <= 1):
        x, notes = arrays.pixels(name, x)
    elif x.ndim in (3, 4):
        x = arrays.with_channels(name, x)
    if x.dtype != np.uint8:
        with np.errstate(over="ignore"):  # it is looked at next
            x = x.astype(np.float32)
        arrays.check_finite(f"{name} as float32", x)
        if x.ndim == 2:
            _warn_of_units(x)
    classes: tuple[str, ...] = ()
    if label is not None:
        label, classes = arrays.labels(name, _array(label), len(x))
    kind = "image" if x.ndim == 4 else "points" if x.shape[1:] == (2,) else "table"
    whole = Split(x, label)
    none = subset(whole, np.arange(0))
    splits = (whole, none, none)
    return Data("array", kind, *splits, classes, None, None, digest(splits), tuple(notes))


def _warn_of_units(x: np.ndarray) -> None:
    top = np.sqrt(np.square(x, dtype=np.float64).mean(0).max())
    if top and not 1 / FAR <= top <= FAR:
        warnings.warn(
            f"the columns of the array are taken as they are, and the largest has a root mean square of {top:.3g}: "
            "standardise them, or save them as .npz and pass its path, which does that.",
            stacklevel=4,  # whoever called fit
        )


def _array(value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise BadRequest(f"{type(value).__name__} is no array to train on ({error}): pass one of NumPy's.") from error


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
