"""A game's model as compiled functions that take the params as an argument."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax

from jaxgen.core import Game, Model

_COUNTED = ("draw", "draw_posterior")  # (params, carry, key, n, ...): a number of samples is a shape


def compile_model(game: Game) -> Callable[[Any, Any], Model]:
    """`(params, carry) -> Model` whose functions are compiled once for all params of the same shapes.

    What the model of `game` lacks stays None, or absent among `scores` and `features`.
    """
    compiled: dict[tuple[str, ...], Callable] = {}

    def function(field: str, *name: str) -> Callable:
        def call(params, carry, *args):
            part = getattr(game.model(params, carry), field)
            return (part[name[0]] if name else part)(*args)

        if (field, *name) not in compiled:
            compiled[field, *name] = jax.jit(call, static_argnums=3 if field in _COUNTED else ())
        return compiled[field, *name]

    def bind(params, carry) -> Model:
        def part(field, value):
            if isinstance(value, Mapping):
                return {name: partial(function(field, name), params, carry) for name in value}
            return value if value is None else partial(function(field), params, carry)

        has = game.model(params, carry)
        return Model(*(part(field, value) for field, value in zip(Model._fields, has, strict=True)))

    return bind
