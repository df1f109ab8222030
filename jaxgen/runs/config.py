"""The configuration of a run, with every value filled in."""

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
    """The configuration of a run that the command line can start.

    Raises:
      BadRequest: if a recipe, an option, a condition or a precision is unknown, or if a number is out of range.
    """

    recipe: str
    data: str
    steps: int
    seed: int = 0
    batch_size: int | None = None  # None: the recipe's
    condition: str | None = None  # "label" or "small:SIDE"
    domains: tuple[str, ...] = ()  # two classes to translate between; by default those of the data, if there are two
    precision: str = "float32"
    micro_batches: int | None = None  # None: the recipe's
    remat: bool = False
    size: int | None = None  # side in pixels to which images are resized; None: see `jaxgen.runs.run.train`
    labels: str | None = None  # a CSV file with the labels of a folder of images
    stream: bool | None = None  # whether examples are copied batch by batch; None: if memory is short
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the recipe, beside its defaults

    def __post_init__(self):
        """Refuses invalid values before anything is loaded."""
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

    config: dict[str, Any]  # the fields of a Config; "recipe" or "data" is None if it is a Python object
    plan: Plan
    data: Data


def check_settings(precision: str, condition: str | None) -> None:
    """Refuses an unknown precision or condition.

    Raises:
      BadRequest: if one is unknown; the message lists those that exist.
    """
    if precision not in PRECISIONS:
        raise BadRequest(f"precision {precision!r}: there are {' and '.join(PRECISIONS)}.")
    conditions.parse(condition)


def spec_of(config: Mapping[str, Any], summary: Mapping[str, Any]) -> Spec:
    """The specification that a recipe gets for data with this `summary` (`jaxgen.runs.folder.summary`).

    Raises:
      BadRequest: if the data do not have the condition or the domains.
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
    """Refuses arguments that only a recipe takes if a plan or a game is trained.

    Raises:
      BadRequest: if there is such an argument; the message says how to set it in the plan.
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
    """Refuses domains if the plan does not translate between domains.

    Raises:
      BadRequest: if domains are given for such a plan.
    """
    if domains and not plan.domains:
        raise BadRequest(
            f"domains {', '.join(domains)}: this recipe translates between none; leave them out, or train cyclegan."
        )


def replacing(**parts: Any) -> dict[str, Any]:
    """The arguments that replace parts of a plan (optimizers, turns, rule): those that are not None.

    Raises:
      BadRequest: if the rule is not a function.
    """
    rule = parts.get("rule")
    if rule is not None and not callable(rule):
        raise BadRequest(f"rule={rule!r}: pass a function, such as jaxgen.objectives.extragradient.")
    return {name: part for name, part in parts.items() if part is not None}


def settled(plan: Plan, config: Mapping[str, Any], examples: int) -> tuple[Plan, dict[str, Any]]:
    """`plan` and `config` with the same batch size, number of micro-batches and domains.

    A default batch size is reduced to at most the number of examples, and to a size that devices and micro-batches can
    share equally. A batch size or domains that the configuration sets stay as they are, and are refused later if they
    are invalid.

    Raises:
      BadRequest: if there are several micro-batches and the game couples the examples of a batch.
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
    """Refuses values other than None and whole numbers of at least `least` that fit int32.

    Raises:
      BadRequest: if the value is another; the message names the option.
    """
    if value is None:
        return
    real = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (real and value == int(value) and least <= value < 2**31):
        raise BadRequest(f"{name}={value!r}: it must be a whole number of at least {least}, below 2^31.")
