"""Tables whose columns are of different kinds: a likelihood for each."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, whole
from jaxgen.objectives.observation import Observation


def columns(*parts: tuple[int, Observation]) -> Observation:
    """The observation of a table with different kinds of columns: pairs (count, observation), in the order of columns.

    Its `range` is the smallest one that contains those of all parts, or None if a part takes all numbers. In that case
    scale the other columns into their ranges yourself.

    Raises:
      BadRequest: if there is no part, or a part has fewer than 1 column; in `log_prob`, if x has another number of
        columns.

    >>> from jaxgen.objectives import BERNOULLI, VECTORS, categorical, independent
    >>> table = columns((2, VECTORS), (1, independent(BERNOULLI)), (1, categorical(4)))  # two numbers, a bit, one of 4
    >>> table.outputs(4)
    7
    """
    if not parts:
        raise BadRequest("columns(...) needs at least one pair (count, observation).")
    counts = [whole("count", count, 1) for count, _ in parts]
    widths = [part.outputs(count) for count, part in parts]

    def cut(a: Array, sizes: list[int]) -> list[Array]:
        return jnp.split(a, list(itertools.accumulate(sizes))[:-1], -1)

    def each(function: Callable, *args: Any) -> list[Any]:
        return [function(part, *arg) for (_, part), *arg in zip(parts, *args, strict=True)]

    def log_prob(params, y, x):
        if x.shape[-1] != sum(counts):
            raise BadRequest(f"columns(...) describes {sum(counts)} columns, and x has {x.shape[-1]}.")
        return sum(each(lambda part, *args: part.log_prob(*args), params, cut(y, widths), cut(x, counts)))

    def draw(key, y):
        shapes = [jax.ShapeDtypeStruct((*y.shape[:-1], width), y.dtype) for width in widths]
        return each(lambda part, *args: part.draw(*args), list(jax.random.split(key, len(parts))), shapes)

    def sample(params, noise, y):
        def one(part, params, noise, y):
            return part.mean(params, y) if part.sample is None else part.sample(params, noise, y)

        return jnp.concatenate(each(one, params, noise, cut(y, widths)), -1)

    return Observation(
        outputs=lambda channels: sum(widths),
        log_prob=log_prob,
        mean=lambda params, y: jnp.concatenate(each(lambda part, *args: part.mean(*args), params, cut(y, widths)), -1),
        draw=draw,
        sample=sample,
        init=lambda shape: [part.init((*shape[:-1], count)) for count, part in parts],
        range=_hull([part.range for _, part in parts]),
    )


def _hull(ranges: list) -> tuple[float, float] | None:
    ends = [ends for ends in ranges if ends is not None]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if len(ends) == len(ranges) else None
