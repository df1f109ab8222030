"""What a comparison is asked to do, and which recipes it compares."""

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
    """What report.json says of a comparison that was asked for; None stands for what only Python knows.

    Raises:
      BadRequest: an unknown recipe, one named twice, a number that cannot be.
    """

    data: str | None = "digits"
    models: tuple[str, ...] | None = ("vae", "r3gan")
    out: str | None = None  # None: a fresh runs/compare-N
    seconds_per_model: float = SECONDS  # of the main training of one model on one seed; others take their share
    seeds: int = FEWEST_SEEDS
    seed: int = 0  # the first of them
    anomaly: tuple[str, ...] = ()  # the classes that are anomalies; (): those that the data name, or each in turn
    domains: tuple[str, ...] = ()  # two classes to translate between, or a style; (): the usual style
    settings: tuple[str, ...] = ()  # the words of those that are measured; (): all that the data serve
    size: int | None = None  # the side of the squares that images become; None: as they are, or as their folder says
    labels: str | None = None  # a CSV file with the labels of a folder of images

    def __post_init__(self):
        """Refuses what cannot be, before anything is loaded."""
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
            raise BadRequest(f"seconds={seconds!r} of training for one model: it must be a number above 0.")
        for name, least in (("seeds", 1), ("seed", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise BadRequest(f"{name}={getattr(self, name)!r}: it must be a whole number of at least {least}.")
        if self.size is not None:
            check_size(self.size)
        if self.seed + self.seeds > 2**31:
            raise BadRequest(f"seed={self.seed!r}: it must be below 2147483648, with all {self.seeds} seeds.")


def recipes_of(models: Sequence[str] | Mapping[str, Recipe | str]) -> dict[str, Recipe]:
    """Recipes by the name that the report gives them: of names, or of a mapping from names to recipes.

    A name may be followed by options, `name:option=value`, and each option by several values: `r3gan:gamma=0.1|1` are
    two models, `r3gan:gamma=0.1` and `r3gan:gamma=1`, both of them candidates of their side.

    Raises:
      BadRequest: none at all, an unknown recipe or option, one named twice, what is no recipe.

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
                raise BadRequest(f"models: {name} is named twice; seeds, not names, repeat a training.")
        return {name: _named(name) for name in names}
    recipes = {}
    for name, recipe in models.items():
        recipe = _named(recipe) if isinstance(recipe, str) else recipe
        if not callable(recipe):
            raise BadRequest(f"models: {name!r} is a {type(recipe).__name__}: pass a recipe, or the name of one.")
        if not isinstance(name, str) or not name.strip(".") or name.startswith(BASELINE) or set(name) & set("/\\"):
            raise BadRequest(f"models: {name!r} cannot be the name of a model: take a word of your own.")
        recipes[name] = recipe
    return recipes


def candidates(text: str) -> list[str]:
    """The models that a text names: one for each combination of the values of its options.

    Raises:
      BadRequest: a part that is no `option=value`.

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
    """The recipe that a name, with one value for each of its options, stands for."""
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
    """The names of recipes that a later process finds under them, or None."""
    return tuple(recipes) if all(_found(name, recipe) for name, recipe in recipes.items()) else None


def _found(name: str, recipe: Recipe) -> bool:
    try:
        there = _named(name)
    except BadRequest:
        return False
    return there is recipe or (
        isinstance(there, functools.partial)
        and isinstance(recipe, functools.partial)
        and (there.func, there.args, there.keywords) == (recipe.func, recipe.args, recipe.keywords)
    )
