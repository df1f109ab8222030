"""What a run is asked to do: a configuration with every value filled in."""

import dataclasses
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxgen import recipes
from jaxgen.core import BadRequest
from jaxgen.data import Data
from jaxgen.data.decode import check_size
from jaxgen.recipes import PRECISIONS, Spec
from jaxgen.runs import conditions
from jaxgen.training import devices
from jaxgen.training.checks import check_micro
from jaxgen.training.program import Plan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """A run that a command line can ask for.

    Raises:
      BadRequest: an unknown recipe, option, condition or precision, a number that cannot be.
    """

    recipe: str
    data: str
    steps: int
    seed: int = 0
    batch_size: int | None = None  # None: the recipe's
    condition: str | None = None  # "label", or "small:SIDE"
    domains: tuple[str, ...] = ()  # two classes to translate between; by default those that there are, if two
    precision: str = "float32"
    micro_batches: int | None = None  # None: the recipe's
    remat: bool = False
    size: int | None = None  # the side of the squares that images become; None: as `jaxgen.runs.run.train` says
    labels: str | None = None  # a CSV file with the labels of a folder of images
    stream: bool | None = None  # whether examples travel in batches; None: if they do not fit in memory
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the recipe; the rest are its defaults

    def __post_init__(self):
        """Refuses what cannot be, before anything is loaded."""
        recipes.check(recipes.find(self.recipe), self.options)
        check_settings(self.precision, self.condition)
        check_whole("steps", self.steps, least=1)
        check_whole("seed", self.seed, least=0)
        check_whole("batch_size", self.batch_size, least=1)
        check_whole("micro_batches", self.micro_batches, least=1)
        if self.size is not None:
            check_size(self.size)


class Job(NamedTuple):
    """What a run needs to start."""

    config: dict[str, Any]  # a Config with every value filled in; "recipe" or "data" is None if only Python knows it
    plan: Plan
    data: Data


def check_settings(precision: str, condition: str | None) -> None:
    """Refuses a precision or a condition that there is not.

    Raises:
      BadRequest: says which there are.
    """
    if precision not in PRECISIONS:
        raise BadRequest(f"precision {precision!r}: there are {' and '.join(PRECISIONS)}.")
    conditions.parse(condition)


def spec_of(config: Mapping[str, Any], summary: Mapping[str, Any]) -> Spec:
    """What a recipe is told of data with this `summary` (`jaxgen.runs.folder.summary`).

    Raises:
      BadRequest: a condition or domains that these data do not have.
    """
    shape, classes = tuple(summary["shape"]), tuple(summary["classes"])
    condition = conditions.condition_of(config["condition"], shape, len(classes))
    form = None if condition is None else condition.form
    names = tuple(config["domains"]) or (classes if len(classes) == 2 else ())
    if missing := [name for name in names if name not in classes]:
        raise BadRequest(f"domain {missing[0]!r} is no class of these data: there are {', '.join(classes) or 'none'}.")
    return Spec(shape, form, precision=config["precision"], remat=config["remat"], domains=names)


def recipe_plan(config: Mapping[str, Any], summary: Mapping[str, Any]) -> Plan:
    """The plan of a configuration for data with this `summary`; its recipe is a name or a function."""
    recipe = config["recipe"]
    recipe = recipes.find(recipe) if isinstance(recipe, str) else recipe
    return recipes.build(recipe, spec_of(config, summary), config["options"])


def check_bare(options: Any, precision: str, remat: bool) -> None:
    """Refuses, of a plan or a game, what only a recipe can be told.

    Raises:
      BadRequest: says where it belongs.
    """
    if options:
        raise BadRequest("options are those of a recipe, and this is a plan or a game: build it with them.")
    if precision != "float32" or remat:
        name = "remat=True" if remat else f"precision={precision!r}"
        raise BadRequest(
            f"{name} is for the networks of a recipe, and this is a plan or a game: build it with networks of "
            "jaxgen.nets.cast or jaxgen.nets.remat."
        )


def check_domains(domains: Sequence[str], plan: Plan) -> None:
    """Refuses domains for the plan of a recipe that translates between none.

    Raises:
      BadRequest: says to leave them out.
    """
    if domains and not plan.domains:
        raise BadRequest(
            f"domains {', '.join(domains)}: this recipe translates between none; leave them out, or train cyclegan."
        )


def replacing(**parts: Any) -> dict[str, Any]:
    """The parts of a plan, of optimizers, turns and rule, that a caller brings in place of its own: not None.

    Raises:
      BadRequest: a rule that is no function.
    """
    rule = parts.get("rule")
    if rule is not None and not callable(rule):
        raise BadRequest(f"rule={rule!r}: pass a function, such as jaxgen.objectives.extragradient.")
    return {name: part for name, part in parts.items() if part is not None}


def settled(plan: Plan, config: Mapping[str, Any], examples: int) -> tuple[Plan, dict[str, Any]]:
    """`plan` and `config` with one size of a batch, one number of parts of it, and the domains that were asked for.

    The size that nobody asked for is no larger than the data, and one that devices and parts can share. One that was
    asked for stays as it is, to be refused if it cannot be; so do domains.

    Raises:
      BadRequest: parts of a batch whose examples see each other.
    """
    micro = plan.micro if config["micro_batches"] is None else int(config["micro_batches"])
    check_micro(plan.game, micro)
    size = config["batch_size"]
    if size is None:
        most, mesh = min(plan.batch_size, examples), devices.default_mesh()
        size = devices.shared_size(most, mesh, micro=micro, unit=plan.unit)
    domains = tuple(config["domains"]) or plan.domains
    plan = plan._replace(batch_size=int(size), micro=micro, domains=domains)
    return plan, {**config, "batch_size": plan.batch_size, "micro_batches": micro}


def check_whole(name: str, value: Any, *, least: int) -> None:
    """Refuses all but None and whole numbers of at least `least` that fit int32.

    Raises:
      BadRequest: names the option.
    """
    if value is None:
        return
    real = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (real and value == int(value) and least <= value < 2**31):
        raise BadRequest(f"{name}={value!r}: it must be a whole number of at least {least}, below 2^31.")
