"""A game's model as compiled functions that take the params as an argument."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax

from jaxgen.core import Game, Model
from jaxgen.system.threefry import straight


class Scores(dict):
    """The compiled scores of a model, by name."""

    def __init__(self, each: Mapping[str, Callable], together: Callable[..., dict[str, Any]]):
        """`each` holds the scores by name; `together` computes several of them at once."""
        super().__init__(each)
        self._together = together

    def together(self, names: Sequence[str], noise: Any, x: Any) -> dict[str, Any]:
        """Several scores of x in one program, so that a decoding that they share is computed once."""
        return self._together(tuple(names), noise, x)


class Layers(dict):
    """The compiled features of a model, by name."""

    def __init__(self, each: Mapping[str, Callable], with_code: Callable[[Any], tuple[Any, dict[str, Any]]]):
        """`each` holds the features by name; `with_code` computes them together with the code."""
        super().__init__(each)
        self._with_code = with_code

    def with_code(self, x: Any) -> tuple[Any, dict[str, Any]]:
        """The code of x (None without an encoder) and all features by name, computed together."""
        return self._with_code(x)


def compile_model(game: Game) -> Callable[[Any, Any], Model]:
    """`(params, state) -> Model` whose functions are compiled once for all params of the same shapes.

    What the model of `game` lacks stays None, or absent among `scores`, `features` and `maps`.
    """
    compiled: dict[tuple[str, ...], Callable] = {}

    def function(field: str, *name: str) -> Callable:
        def call(params, state, *args, **options):
            part = getattr(game.model(params, state), field)
            return (part[name[0]] if name else part)(*args, **options)

        # A number of samples is a shape. It has its name here, by which it may be handed over.
        def draw(params, state, key, n, *args, **options):
            return call(params, state, straight(key), n, *args, **options)

        def draw_posterior(params, state, key, K, *args, **options):
            return call(params, state, straight(key), K, *args, **options)

        if (field, *name) not in compiled:
            draws = {"draw": draw, "draw_posterior": draw_posterior}
            static = 3 if field in draws else ()
            compiled[field, *name] = jax.jit(draws.get(field, call), static_argnums=static)
        return compiled[field, *name]

    @partial(jax.jit, static_argnums=0)
    def together(names, params, state, noise, x):
        scores = game.model(params, state).scores
        return {name: scores[name](noise, x) for name in names}

    @jax.jit
    def with_code(params, state, x):
        model = game.model(params, state)
        code = None if model.encode is None else model.encode(x)
        return code, {name: layer(x) for name, layer in model.features.items()}

    def bind(params, state) -> Model:
        def part(field, value):
            if isinstance(value, Mapping):
                each = {name: partial(function(field, name), params, state) for name in value}
                if field == "scores":
                    return Scores(each, lambda names, noise, x: together(names, params, state, noise, x))
                return Layers(each, partial(with_code, params, state)) if field == "features" else each
            return value if value is None else partial(function(field), params, state)

        has = game.model(params, state)
        return Model(*(part(field, value) for field, value in zip(Model._fields, has, strict=True)))

    return bind
