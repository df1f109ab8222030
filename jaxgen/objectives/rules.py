"""How the gradients of a turn become a step of its movers: `make_step(..., rule=...)`.

A rule is `(field, apply, params, opts) -> (params, opts, notes)`. `field(params) -> ({player: grad}, notes)` holds
noise, batch and memo fixed, and `apply(grads, params, opts) -> (params, opts)` runs the optimisers.
"""

from collections.abc import Callable

from jaxgen.core import Params


def descend(field: Callable, apply: Callable, params: Params, opts: dict) -> tuple[Params, dict, dict]:
    """The plain rule: all movers of the turn step from the same point. p' = p - h F(p) with SGD of rate h."""
    grads, notes = field(params)
    return (*apply(grads, params, opts), notes)


def extragradient(field: Callable, apply: Callable, params: Params, opts: dict) -> tuple[Params, dict, dict]:
    """Looks ahead, takes the gradient there, and steps from where it stood: two gradients a turn.

    half = p - h F(p), p' = p - h F(half) with SGD of rate h, F the gradients of all movers, both times of the same
    noise and batch. Where F p = -s p, p' = (1 + h s + h^2 s^2) p: a rotation, s = i w, is damped for 0 < h w < 1.

    An optimiser with memory makes both steps from the same state; kept is the state after the second gradient, so it
    counts one update a turn. (Extra-Adam as its authors wrote it moves its moments at both points.) The notes are those
    of the point ahead. A gradient that is not finite at either point stops the round.

    Korpelevich 1976; for GANs Gidel et al. 2019, arXiv 1802.10551.
    """
    ahead, _ = apply(field(params)[0], params, opts)
    grads, notes = field(ahead)
    return (*apply(grads, params, opts), notes)
