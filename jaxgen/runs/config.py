"""What a run is asked to do: a configuration with every value filled in."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxgen import recipes
from jaxgen.core import BadRequest
from jaxgen.data import Data
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


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_whole(name: str, value: Any, *, least: int) -> None:
    """Refuses all but None and whole numbers of at least `least` that fit int32.

    Raises:
      BadRequest: names the option.
    """
    if value is not None and not (_number(value) and isinstance(value, int) and least <= value < 2**31):
        raise BadRequest(f"{name}={value!r}: it must be a whole number of at least {least}, below 2^31.")
