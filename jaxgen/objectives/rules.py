"""Update rules: how the players of a turn are updated from their gradients, `make_step(..., rule=...)`.

A rule is `(field, apply, params, opts) -> (params, opts, Field)`. `field(params) -> Field` computes the gradients, with
noise, batch and context fixed. `apply(field, params, opts) -> (params, opts)` runs the optimisers on the gradients and
losses of a `Field`; it returns params and opts unchanged if the field is not finite. The step uses the info and the
state of the `Field` that a rule returns.
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
    """The gradients of the players of a turn, at one point of params."""

    grads: dict[str, Any]  # by player, each like its params
    aux: dict[str, Aux]  # by loss
    finite: Array  # bool[], True if every loss, every gradient and every new state is finite


def descend(field: Callable, apply: Callable, params: Params, opts: dict) -> tuple[Params, dict, Field]:
    """The plain rule: all players of a turn are updated from the same point. p' = p - h F(p) for SGD with rate h."""
    gradients = field(params)
    return (*apply(gradients, params, opts), gradients)


def extragradient(field: Callable, apply: Callable, params: Params, opts: dict) -> tuple[Params, dict, Field]:
    """Extragradient: takes the gradient at a look-ahead point and applies it at the start; two gradients per turn.

    half = p - h F(p), p' = p - h F(half) for SGD with rate h, F the gradients of all players of the turn, both times
    with the same noise and batch. If F p = -s p, then p' = (1 + h s + h^2 s^2) p: a rotation, s = i w, is damped for
    0 < h w < 1.

    Both updates of an optimiser with memory start from the same state, and its state after the second gradient is kept,
    so it counts one update per turn. (Extra-Adam of the authors updates its moments at both points.) The info is that
    of the look-ahead point. If the field is not finite at either point, the turn changes nothing.

    Korpelevich 1976; for GANs Gidel et al. 2019, arXiv 1802.10551.
    """
    ahead = field(apply(field(params), params, opts)[0])
    return (*apply(ahead, params, opts), ahead)


def consensus(weight: float = 1.0) -> Callable:
    """A rule that also descends on the size of the field: p' = p - h (F + weight J^T F) with SGD of rate h.

    F holds the gradients of all players of the turn, and J = dF/dp is its Jacobian in their params, with the same noise
    and batch; J^T F is the gradient of |F|^2 / 2. If J = i w, a rotation, a step multiplies p by
    1 - h (i w + weight w^2), which is damped for small h. Put both players into one turn, because in turns of a single
    player J is just the Hessian of one loss.

    The rule can attract the players to an unstable equilibrium: near one with F = -c p it multiplies p by
    1 - h c (weight c - 1). Outside equilibria it stops only if F is an eigenvector of J^T with eigenvalue -1 / weight.

    In J, `stop_gradient` is the identity, as in `jaxgen.training.dynamics`, because values that a gradient holds fixed,
    such as the vectors of spectral normalisation, still change with the params. With `micro`, F and J are those of the
    whole batch, and the gradients of each micro-batch are computed again for J^T F, which saves memory.

    It needs reverse mode only (one product more than the gradients), so it works with all convolutions. The info is
    that of the point p, and its grad_norm that of F. A turn in which J^T F is not finite changes nothing.

    Mescheder et al. 2017, arXiv 1705.10461, whose v is -F.

    Args:
      weight: a finite number of at least 0; 0 is `descend`.

    Raises:
      BadRequest: another weight.
    """
    return _adjusted(weight, lambda here, transposed, direct: transposed)


def symplectic(weight: float = 1.0) -> Callable:
    """A rule that turns the field towards the equilibrium: p' = p - h (F + weight A^T F), A = (J - J^T) / 2.

    F and J are those of `consensus`. A is the antisymmetric part of J. It is zero if all players minimise one function
    and in turns of a single player, and the rule is then `descend`. If J is antisymmetric, as in `bilinear`, then
    A^T F = J^T F. If F points away from an unstable equilibrium, the adjustment may attract the players to it; see
    `symplectic_aligned`.

    A^T F = (J^T F - J F) / 2, both by reverse mode (J F is the derivative of J^T u in u), so it works with all
    convolutions. It needs one product more than `consensus`. The info is that of the point p. A turn in which A^T F is
    not finite changes nothing.

    Symplectic gradient adjustment: Balduzzi et al. 2018, arXiv 1802.05642.

    Args:
      weight: a finite number of at least 0; 0 is `descend`.

    Raises:
      BadRequest: another weight.
    """
    return _adjusted(weight, lambda here, transposed, direct: _antisymmetric(transposed, direct))


def symplectic_aligned(weight: float = 1.0) -> Callable:
    """`symplectic` with a sign s that adapts to the equilibrium: p' = p - h (F + weight s A^T F).

    s = sign((F . g) (A^T F . g) / d + 1 / 10), with g = J^T F the gradient of |F|^2 / 2 and d the number of params of
    the turn. So the adjustment attracts to equilibria that F approaches and repels from those that F leaves. If the
    product is small, s = 1.

    Balduzzi et al. 2018, arXiv 1802.05642, their algorithm with alignment.

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
            f"weight must be a finite number of at least 0, not {weight}: an update rule cannot take a schedule."
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
            # J^T u is linear in u, and its transpose is J. This avoids forward mode, which some networks do not have.
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
