"""How the gradients of a turn become a move of its players: `make_step(..., rule=...)`.

A rule is `(field, apply, params, opts) -> (params, opts, Field)`. `field(params) -> Field` holds noise, batch and
context fixed; `apply(field, params, opts) -> (params, opts)` runs the optimisers on its gradients and losses, and
returns both as they are if the field is not finite. The step keeps the info and the state of the `Field` that a rule
returns.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxgen.core import Array, Aux, BadRequest, Params
from jaxgen.objectives.schedules import as_number
from jaxgen.objectives.stops import unstopped


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


def consensus(weight: float = 1.0) -> Callable:
    """A rule that also descends on the size of the field: p' = p - h (F + weight J^T F) with SGD of rate h.

    F holds the gradients of all players of the turn and J = dF/dp is its Jacobian in their params, at the same noise
    and batch; J^T F is the gradient of |F|^2 / 2. If J = i w, a rotation, the factor of a step is
    1 - h (i w + weight w^2): damped for small h. If the players move in turns of their own, J is the Hessian of one
    loss: give both one turn.

    It may draw the players to an unstable equilibrium: near one of F = -c p it multiplies p by 1 - h c (weight c - 1).
    Away from equilibria it stops only where F is an eigenvector of J^T with the eigenvalue -1 / weight.

    `stop_gradient` is the identity in J, as in `jaxgen.training.dynamics`: what a gradient holds fixed, such as the
    vectors of spectral normalisation, still changes with the params. Under `micro` F and J are those of the whole
    batch, and the gradients of each part are computed again for J^T F, which saves their memory.

    Reverse mode alone (one product more than the gradients), so networks of any convolution will do. The info is that
    of the point p, and its grad_norm that of F. A turn in which J^T F is not finite moves nothing.

    Mescheder et al. 2017, arXiv 1705.10461, whose v is -F.

    Args:
      weight: a finite number of at least 0; 0 is `descend`.

    Raises:
      BadRequest: another weight.
    """
    return _adjusted(weight, lambda here, transposed, direct: transposed)


def symplectic(weight: float = 1.0) -> Callable:
    """A rule that turns the field towards the equilibrium: p' = p - h (F + weight A^T F), A = (J - J^T) / 2.

    F and J are those of `consensus`. A is the rotating part of J: a field of which all players descend on one
    function has none, and the rule is `descend` there, also in turns that move one player. If J is all rotation, as in
    `bilinear`, then A^T F = J^T F. Where F points away from an unstable equilibrium, the adjustment may draw the
    players to it: see `symplectic_aligned`.

    A^T F = (J^T F - J F) / 2, both by reverse mode (J F is the derivative of J^T u in u), so networks of any
    convolution will do; one product more than `consensus`. The info is that of the point p. A turn in which A^T F is
    not finite moves nothing.

    Symplectic gradient adjustment: Balduzzi et al. 2018, arXiv 1802.05642.

    Args:
      weight: a finite number of at least 0; 0 is `descend`.

    Raises:
      BadRequest: another weight.
    """
    return _adjusted(weight, lambda here, transposed, direct: _antisymmetric(transposed, direct))


def symplectic_aligned(weight: float = 1.0) -> Callable:
    """`symplectic` with the sign of its adjustment chosen: p' = p - h (F + weight s A^T F).

    s = sign((F . g) (A^T F . g) / d + 1 / 10), g = J^T F the gradient of |F|^2 / 2, d the number of params that move.
    So the adjustment draws to equilibria that F nears, and pushes from those that F leaves. Where the product is small
    s = 1.

    Balduzzi et al. 2018, arXiv 1802.05642: their algorithm where it aligns.

    Args:
      weight: a finite number of at least 0; 0 is `descend`.

    Raises:
      BadRequest: another weight.
    """

    def adjustment(here, transposed, direct):
        adjusted = _antisymmetric(transposed, direct)
        size = sum(leaf.size for leaf in jax.tree.leaves(here))
        product = _dot(here, transposed) * _dot(adjusted, transposed) / size
        return jax.tree.map(lambda a: jnp.sign(product + 0.1).astype(a.dtype) * a, adjusted)

    return _adjusted(weight, adjustment)


def _adjusted(weight: float, adjustment: Callable) -> Callable:
    """The rule F + weight adjustment(F, J^T F, () -> J F), all of them {player: tree}."""
    number = as_number(weight)
    if number is None or not 0 <= number < math.inf:
        raise BadRequest(
            f"weight must be a finite number of at least 0, not {weight}: an update rule has no step to schedule by."
        )

    def rule(field, apply, params, opts):
        program, shape = jax.make_jaxpr(field, return_shape=True)(params)
        whole = core.jaxpr_as_fun(program.replace(jaxpr=unstopped(program.jaxpr)))

        def slopes(params):
            here = jax.tree.unflatten(jax.tree.structure(shape), whole(*jax.tree.leaves(params)))
            return here.grads, here

        grads, back, here = jax.vjp(slopes, params, has_aux=True)

        def transposed(u):
            slope = back(u)[0]
            return {name: slope[name] for name in grads}  # players that do not move are held fixed

        def direct():
            # J^T u is linear in u, and the transpose of that is J: for networks that have no forward derivative.
            return jax.vjp(transposed, grads)[1](grads)[0]

        extra = adjustment(grads, transposed(grads), direct)
        adjusted = jax.tree.map(lambda g, a: g + number * a, grads, extra)
        end = here._replace(grads=adjusted, finite=here.finite & jnp.isfinite(_dot(adjusted, adjusted)))
        return (*apply(end, params, opts), end)

    return rule


def _antisymmetric(transposed: Any, direct: Callable) -> Any:
    """A^T F."""
    return jax.tree.map(lambda t, d: (t - d) / 2, transposed, direct())


def _dot(a: Any, b: Any) -> Array:
    products = jax.tree.map(lambda x, y: jnp.vdot(x, y).astype(jnp.float32), a, b)
    return sum(jax.tree.leaves(products), jnp.zeros((), dtype=jnp.float32))
