"""How the gradients of a turn become a move of its players: `make_step(..., rule=...)`.

A rule is `(field, apply, params, opts) -> (params, opts, Field)`. `field(params) -> Field` holds noise, batch and
context fixed; `apply(field, params, opts) -> (params, opts)` runs the optimisers on its gradients and losses, and
returns both as they are if the field is not finite. The step keeps the info and the state of the `Field` that a rule
returns.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxgen.core import Array, Aux, Params


class Field(NamedTuple):
    """The gradients of the players that a turn moves, at one point."""

    grads: dict[str, Any]  # by player, each like its params
    aux: dict[str, Aux]  # by loss
    finite: Array  # bool[], True if every loss, every gradient and every new state is finite


def descend(field: Callable, apply: Callable, params: Params, opts: dict) -> tuple[Params, dict, Field]:
    """The plain rule: all players of a turn move from the same point. p' = p - h F(p) with SGD of rate h."""
    here = field(params)
    return (*apply(here, params, opts), here)


def extragradient(field: Callable, apply: Callable, params: Params, opts: dict) -> tuple[Params, dict, Field]:
    """Looks ahead, takes the gradient there, and moves from where it stood: two gradients a turn.

    half = p - h F(p), p' = p - h F(half) with SGD of rate h, F the gradients of all players of the turn, both times for
    the same noise and batch. If F p = -s p, then p' = (1 + h s + h^2 s^2) p: a rotation, s = i w, is damped for
    0 < h w < 1.

    An optimiser with memory makes both moves from the same state; the state after the second gradient is kept, so it
    counts one update a turn. (Extra-Adam as its authors wrote it moves its moments at both points.) The info is that of
    the point ahead. If the field is not finite at either point, the turn moves nothing.

    Korpelevich 1976; for GANs Gidel et al. 2019, arXiv 1802.10551.
    """
    ahead = field(apply(field(params), params, opts)[0])
    return (*apply(ahead, params, opts), ahead)
