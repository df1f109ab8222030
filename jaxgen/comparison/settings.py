"""The settings of a comparison, and the recipes that they name."""

import dataclasses
import difflib
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.comparison.statistics import FEWEST_SEEDS
from jaxgen.core import BadRequest
from jaxgen.data.decode import check_size
from jaxgen.recipes import Recipe, check, find, options
from jaxgen.tasks import BASELINE, SETTINGS

SECONDS = 2.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a comparison, as report.json holds them.

    `data` or `models` are None if they were passed as Python objects, which have no name in a file.

    Raises:
      BadRequest: if a recipe is unknown or named twice, or if a number is out of range.
    """

    data: str | None = "digits"
    models: tuple[str, ...] | None = ("vae", "r3gan")
    out: str | None = None  # None: a fresh runs/compare-N
    seconds_per_model: float = SECONDS  # of the main training of one model on one seed; others take a share of it
    seeds: int = FEWEST_SEEDS
    seed: int = 0  # the first of them
    anomaly: tuple[str, ...] = ()  # the anomalous classes; (): those that the data name, or each class in turn
    domains: tuple[str, ...] = ()  # two classes to translate between, or a style; (): the default style
    settings: tuple[str, ...] = ()  # words of the settings to measure; (): all that the data can serve
    size: int | None = None  # the side of the squares to resize images to; None: as they are, or as their folder needs
    labels: str | None = None  # a CSV file with the labels of a folder of images

    def __post_init__(self):
        """Refuses invalid values before anything is loaded."""
        if self.models is not None:
            recipes_of(self.models)
        words = [setting.word for setting in SETTINGS]
        for word in self.settings:
            if word not in words:
                near = difflib.get_close_matches(word, words, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise BadRequest(f"setting {word!r}: {hint}There are {', '.join(words)}.")
        seconds = self.seconds_per_model
        if not (isinstance(seconds, int | float) and math.isfinite(seconds) and seconds > 0):
            raise BadRequest(f"seconds={seconds!r}, the training time of one model, must be a number above 0.")
        for name, least in (("seeds", 1), ("seed", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise BadRequest(f"{name}={getattr(self, name)!r}: it must be a whole number of at least {least}.")
        if self.size is not None:
            check_size(self.size)
        if self.seed + self.seeds > 2**31:
            raise BadRequest(f"seed={self.seed!r}: the last of {self.seeds} seeds must be below 2147483648.")


def recipes_of(models: Sequence[str] | Mapping[str, Recipe | str]) -> dict[str, Recipe]:
    """The recipes by their names in the report, from a sequence of names or a mapping from names to recipes.

    A name may be followed by options, `name:option=value`, and an option may have several values: `r3gan:gamma=0.1|1`
    gives two models, `r3gan:gamma=0.1` and `r3gan:gamma=1`, both of which are candidates of their side.

    Raises:
      BadRequest: if no recipe is given, a recipe or option is unknown, one is named twice, or an entry is no recipe.

    >>> list(recipes_of(("vae", "r3gan:gamma=0.1|1"))), recipes_of({"mine": "iwae"})["mine"].__name__
    (['vae', 'r3gan:gamma=0.1', 'r3gan:gamma=1'], 'iwae')
    """
    if isinstance(models, str) or not isinstance(models, Sequence | Mapping):
        raise BadRequest(f"models={models!r}: pass a tuple of names, such as ('vae', 'r3gan'), or a dict of recipes.")
    if not models:
        raise BadRequest("models: name at least one recipe, for instance vae,r3gan.")
    if not isinstance(models, Mapping):
        names = [name for text in models for name in candidates(text)]
        for name in names:
            if names.count(name) > 1:
                raise BadRequest(f"models: {name} is named twice; to repeat a training, use more seeds.")
        return {name: _named(name) for name in names}
    recipes = {}
    for name, recipe in models.items():
        recipe = _named(recipe) if isinstance(recipe, str) else recipe
        if not callable(recipe):
            raise BadRequest(f"models: {name!r} is a {type(recipe).__name__}: pass a recipe, or the name of one.")
        if not isinstance(name, str) or not name.strip(".") or name.startswith(BASELINE) or set(name) & set("/\\"):
            raise BadRequest(f"models: {name!r} cannot be the name of a model: choose another word.")
        recipes[name] = recipe
    return recipes


def candidates(text: str) -> list[str]:
    """The models that a text names: one for each combination of the values of its options.

    Raises:
      BadRequest: if a part is not `option=value`.

    >>> candidates("r3gan:gamma=0.1|1:ema=0")
    ['r3gan:gamma=0.1:ema=0', 'r3gan:gamma=1:ema=0']
    """
    name, *parts = text.split(":")
    for part in parts:
        option, equals, values = part.partition("=")
        if not (option and equals and all(values.split("|"))):
            raise BadRequest(f"models: {part!r} of {text!r} is no option=value, such as r3gan:gamma=0.1|1.")
    choices = [[f"{p.partition('=')[0]}={value}" for value in p.partition("=")[2].split("|")] for p in parts]
    return [":".join([name, *chosen]) for chosen in itertools.product(*choices)]


def _named(text: str) -> Recipe:
    """The recipe of a name that has one value for each of its options."""
    name, *parts = text.split(":")
    recipe, given = find(name), {}
    if not parts:
        return recipe
    for part in parts:
        option, _, value = part.partition("=")
        option = option.replace("-", "_")
        about = options(recipe).get(option)
        given[option] = value if about is None else _value(text, about.annotation, value)
    return functools.partial(recipe, **check(recipe, given))


def _value(text: str, kind: Any, value: str) -> Any:
    if kind is bool:
        if value.lower() not in ("true", "false"):
            raise BadRequest(f"models: {value!r} of {text!r} must be true or false.")
        return value.lower() == "true"
    if kind not in (int, float):
        return value
    try:
        return kind(value)
    except ValueError as error:
        what = "a whole number" if kind is int else "a number"
        raise BadRequest(f"models: {value!r} of {text!r} must be {what}.") from error


def known(recipes: Mapping[str, Recipe]) -> tuple[str, ...] | None:
    """The names of the recipes if a later process can find each recipe by its name, else None."""
    return tuple(recipes) if all(_found(name, recipe) for name, recipe in recipes.items()) else None


def _found(name: str, recipe: Recipe) -> bool:
    try:
        named = _named(name)
    except BadRequest:
        return False
    return named is recipe or (
        isinstance(named, functools.partial)
        and isinstance(recipe, functools.partial)
        and (named.func, named.args, named.keywords) == (recipe.func, recipe.args, recipe.keywords)
    )
