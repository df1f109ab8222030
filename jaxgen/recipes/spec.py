"""What a recipe gets: the data as a `Spec`, and options from a command line."""

import inspect
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import BadRequest, Network, nothing
from jaxgen.nets import network, networks
from jaxgen.nets.wrappers import cast, mapped, remat
from jaxgen.objectives import PIXELS, VECTORS, Observation
from jaxgen.training.program import Plan

Recipe = Callable[..., Plan]  # (spec, *, options) -> Plan
PRECISIONS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


class Spec(NamedTuple):
    """What a recipe gets: the shape of an example, its condition, and how networks compute.

    >>> Spec((8, 8, 1)).is_image, Spec((2,)).is_image
    (True, False)
    """

    shape: tuple[int, ...]  # of one example: (N,), or (H, W, C) in [0, 1]
    condition: int | tuple[int, ...] | None = None  # a number of classes, the shape of an array, or none
    width: int | None = None  # of the networks; None: 64 for vectors, 256 for images
    precision: str = "float32"  # a name in PRECISIONS: what networks compute in; params and losses stay float32
    remat: bool = False  # networks compute their forward pass again in the backward pass: less memory, more time
    domains: tuple[str, ...] = ()  # names of the sets of examples to translate between, if the data have them

    @property
    def is_image(self) -> bool:
        """True for (H, W, C), False for vectors."""
        return len(self.shape) == 3

    @property
    def observation(self) -> Observation:
        """The default likelihood of a recipe: Bernoulli pixels, or Gaussian columns."""
        return PIXELS if self.is_image else VECTORS

    def encoder(self, outputs: int | tuple[int, ...]) -> Network:
        """x, condition -> f32[B, outputs], or f32[B, *outputs]."""
        if isinstance(outputs, int):
            return self.computed(self._nets().encoder(outputs))
        return mapped(self.encoder(math.prod(outputs)), lambda y: y.reshape(-1, *outputs))

    def decoder(self, outputs: int | None = None, residual: str | None = "logits") -> Network:
        """z, condition -> unconstrained numbers shaped as x, of `outputs` channels on the last axis if given.

        `residual` is what it adds of a condition that is an image, see `jaxgen.nets.networks`.
        """
        return self.computed(self._nets().decoder(outputs or self.shape[-1], residual))

    def decoder_for(self, observation: Observation) -> Network:
        """z, condition -> the numbers that `observation` reads.

        An image as condition is added to the mean where each number of x has one: as logits if the mean is a sigmoid,
        which that of every observation in [0, 1] is, and as it is otherwise.
        """
        channels = self.shape[-1]
        outputs = observation.outputs(channels)
        if outputs != channels:
            return self.decoder(outputs, None)
        return self.decoder(outputs, "values" if observation.range is None else "logits")

    def generator(self) -> Network:
        """z, condition -> x, in the range of the data: the sigmoid of the decoder for images."""
        return mapped(self.decoder(), jax.nn.sigmoid) if self.is_image else self.decoder()

    def critic(self) -> Network:
        """x, condition -> logits f32[B]."""
        return self.computed(self._nets().critic)

    def latent_critic(self) -> Network:
        """z, condition -> logits f32[B]."""
        return self.computed(self._nets().latent_critic)

    def _nets(self) -> Any:
        return networks(self.shape, condition=self.condition, width=self.width)

    def computed(self, module: Any) -> Network:
        """`module` in the precision asked for: the innermost wrapper, so that spectral norm around it sees float32."""
        net = network(module)
        net = net if self.precision == "float32" else cast(net, PRECISIONS[self.precision])
        return remat(net) if self.remat else net


def flattened(net: Network) -> Network:
    """`net` of a first input [B, ...] that it sees as [B, N]: codes at several positions, as one vector."""

    def flat(x: Any, rest: tuple) -> tuple:
        return (x.reshape(x.shape[0], -1), *rest)

    def draw(key, x, *rest):
        return net.draw(key, jax.ShapeDtypeStruct((x.shape[0], math.prod(x.shape[1:])), x.dtype), *rest)

    return net._replace(
        init=lambda key, x, *rest: net.init(key, *flat(x, rest)),
        apply=lambda params, state, noise, x, *rest: net.apply(params, state, noise, *flat(x, rest)),
        draw=net.draw if net.draw is nothing else draw,
    )


def options(recipe: Recipe) -> dict[str, inspect.Parameter]:
    """The options of a recipe that a command line can give, by name: those annotated int, float, bool or str."""
    parameters = inspect.signature(recipe).parameters.values()
    return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY and p.annotation in (int, float, bool, str)}


def defaults(recipe: Recipe) -> dict[str, Any]:
    """The options of a recipe with their defaults."""
    return {name: parameter.default for name, parameter in options(recipe).items()}


def build(recipe: Recipe, spec: Spec, given: Mapping[str, Any]) -> Plan:
    """The plan of a recipe for data of `spec`, with the options in `given`.

    Raises:
      BadRequest: as `check`; a precision that there is not; whatever the recipe refuses; what is not a `Plan`.
    """
    if spec.precision not in PRECISIONS:
        raise BadRequest(f"precision {spec.precision!r}: there are {' and '.join(PRECISIONS)}.")
    plan = recipe(spec, **check(recipe, given))
    if not isinstance(plan, Plan):
        raise BadRequest(f"recipe {name_of(recipe)} returns {type(plan).__name__}: return a jaxgen.Plan.")
    return plan


def check(recipe: Recipe, given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` as plain Python values of the types that the signature of the recipe names.

    Raises:
      BadRequest: an option that the recipe does not have; a number that is negative or not finite; a fraction for a
        whole number; another type.
    """
    known = inspect.signature(recipe).parameters
    checked = {}
    for name, value in given.items():
        if name not in known or known[name].kind is not inspect.Parameter.KEYWORD_ONLY:
            flags = ", ".join(f"--{option.replace('_', '-')}" for option in options(recipe)) or "no options"
            raise BadRequest(f"recipe {name_of(recipe)} has no option {name!r}: it takes {flags}.")
        kind = known[name].annotation
        checked[name] = _typed(name, value, kind) if kind in (int, float, bool, str) else value
    return checked


def _typed(name: str, value: Any, kind: type) -> Any:
    if kind in (bool, str):
        if isinstance(value, kind):
            return value
        raise BadRequest(f"{name}={value!r}: it must be {'True or False' if kind is bool else 'text'}.")
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    real = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not real or value < 0 or (kind is int and value != int(value)):
        wanted = "a whole number" if kind is int else "a finite number"
        raise BadRequest(f"{name}={value!r}: it must be {wanted} of at least 0.")
    return kind(value)


def name_of(recipe: Recipe) -> str:
    """The name of the function, or of the one that a `functools.partial` holds."""
    return str(getattr(recipe, "__name__", None) or getattr(getattr(recipe, "func", None), "__name__", "recipe"))


def at_least(least: float, **values: float) -> None:
    """Refuses options below `least`, or of 0 if `least` is 0: `at_least(1, latent_dim=latent_dim)`.

    Raises:
      BadRequest: names the option.
    """
    for name, value in values.items():
        if value < least or (least == 0 and value == 0):
            raise BadRequest(f"{name}={value!r}: it must be {f'at least {least:g}' if least else 'above 0'}.")
