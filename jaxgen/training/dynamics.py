"""A game as a vector field: the Jacobian and spectrum of a step, and the rate at which a run nears its equilibrium.

One step is a map of the params, with noise, batches and context held fixed. If it has a fixed point, the distance of a
run from it goes like |mu|^n, mu the largest eigenvalue of the map's Jacobian there. For simultaneous SGD of rate h,
mu = 1 + h s with s an eigenvalue of the field, the negative gradients of all players.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.flatten_util import ravel_pytree
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs

from jaxgen.core import Array, BadRequest, Batch
from jaxgen.training.step import State, Step

LIMIT = 1024  # params of the largest full Jacobian: the time for its eigenvalues grows with their cube
SLOW = 1e-3  # radians per step: float32 splits a double eigenvalue into a pair of angle sqrt(eps), which is no turning
TOGETHER = 64  # columns of a Jacobian computed at once


def jacobian(step: Step, state: State, key: Array, batches: Batch) -> np.ndarray:
    """d params' / d params of the step that `step.update(state, key, batches)` would play, f64[N, N].

    Params are one vector, in the order of `jax.flatten_util.ravel_pytree`. `state` is not consumed. `stop_gradient` is
    the identity here: what a loss holds fixed in its gradient still changes with the params from step to step.

    Raises:
      BadRequest: more than 1024 params; an optimiser with memory, or a step that changes the state of the game, here or
        close by, because the next step then depends on more than params; a step that is not finite; networks without a
        forward derivative.
    """
    push, point = _linearised(step, state, key, batches)
    if point.size > LIMIT:
        raise BadRequest(f"a full Jacobian of {point.size} params is too large (limit {LIMIT}): use leading().")
    rows = jnp.eye(point.size, dtype=point.dtype)
    with _forward_mode():
        columns = jax.jit(lambda rows: jax.lax.map(push, rows, batch_size=TOGETHER))(rows)
    return _finite(columns).T


def spectrum(step: Step, state: State, key: Array, batches: Batch) -> np.ndarray:
    """All eigenvalues of `jacobian`, complex128[N], by falling modulus.

    Raises:
      BadRequest: as `jacobian` does.
    """
    return _sorted(np.linalg.eigvals(jacobian(step, state, key, batches)))


def leading(step: Step, state: State, key: Array, batches: Batch, *, k: int = 6) -> np.ndarray:
    """The k eigenvalues of largest modulus, complex128[k], by falling modulus: Jacobian-vector products, no matrix.

    Arnoldi's method (ARPACK, by `scipy.sparse.linalg.eigs`) from a fixed start. The last of the k may be one half of a
    conjugate pair, and an eigenvalue with several eigenvectors may be found only once.

    Raises:
      BadRequest: unless 1 <= k <= N - 2; where the method fails; else as `jacobian`, for any N.
    """
    push, point = _linearised(step, state, key, batches)
    n, precision = point.size, 10 * float(jnp.finfo(point.dtype).eps)
    if not isinstance(k, int | np.integer) or not 1 <= k <= n - 2:
        raise BadRequest(f"k={k} of {n} eigenvalues: leading() finds 1 to N - 2 of them, spectrum() all.")

    def product(v):
        with _forward_mode():
            return _finite(push(jnp.asarray(v.ravel(), point.dtype)))

    operator = LinearOperator((n, n), product, dtype=np.float64)
    try:
        eigenvalues = eigs(operator, k, v0=_start(n), ncv=min(n, 4 * k + 20), tol=precision, return_eigenvectors=False)
    except ArpackError as error:
        raise BadRequest(f"{k} eigenvalues of {n} were not found: ask for another k, or use spectrum().") from error
    return _sorted(eigenvalues)


def log_rate(eigenvalues: Any) -> float:
    """The predicted log rate per step, log max |mu|: negative where a run converges; -inf where all mu are zero.

    Raises:
      BadRequest: no eigenvalues, or one that is not finite.

    >>> round(log_rate([1 + 0.1j, 1 - 0.1j]), 5)
    0.00498
    """
    largest = abs(_largest(eigenvalues))
    return math.log(largest) if largest > 0 else -math.inf


def trajectory(step: Step, state: State, key: Array, batches: Batch, *, steps: int) -> np.ndarray:
    """The params before the first and after each of `steps` steps on the same batches, f64[steps + 1, N].

    Columns are in the order of `jacobian`; noise differs by step. `state` is not consumed.

    Raises:
      BadRequest: fewer than one step; a step that was not finite, and so did not move.
    """
    if not isinstance(steps, int | np.integer) or steps < 1:
        raise BadRequest(f"steps={steps}: a trajectory has at least one step, and whole ones.")

    def body(state, _):
        state, _ = step.update(state, key, batches)
        return state, ravel_pytree(state.params)[0]

    end, path = jax.jit(lambda state: jax.lax.scan(body, state, length=steps))(state)
    if lost := int(end.skipped - state.skipped):
        raise BadRequest(f"{lost} of {steps} steps were not finite: start nearer the equilibrium, or play fewer.")
    return np.concatenate([ravel_pytree(state.params)[0][None], path]).astype(np.float64)


def fitted_log_rate(distances: Any, eigenvalues: Any) -> float:
    """The log rate per step of a run with `distances` f[T] from its equilibrium after steps that follow each other.

    The mean of log(distance) over the later half, less that over the earlier, per step between them. Each half is the
    largest whole number of periods 2 pi / |arg mu| of the largest eigenvalue that fits, so that turning averages out.
    Give it the tail of a run: what the other eigenvalues add has to be gone. |arg mu| up to 1e-3 counts as none.

    Raises:
      BadRequest: distances that are not positive finite numbers [T], or fewer of them than two periods.

    >>> n = np.arange(300)
    >>> round(fitted_log_rate(0.99**n * (1 + 0.2 * np.cos(0.2 * n)), [0.99 * np.exp(0.1j)]), 5)
    -0.01005
    """
    distances = np.asarray(distances, np.float64)
    if distances.ndim != 1 or not np.all((distances > 0) & np.isfinite(distances)):
        raise BadRequest("distances are positive finite numbers [T]: where a run ends in zero, fit the part before.")
    angle = abs(np.angle(_largest(eigenvalues)))
    period = 2 * np.pi / angle if angle > SLOW else 1.0
    half = int(len(distances) / 2 // period * period)
    if half < 1:
        raise BadRequest(f"{len(distances)} steps are not two periods of {period:.4g}: play more of them.")
    early, late = np.log(distances[-2 * half :]).reshape(2, half).mean(1)
    return float((late - early) / half)


def _linearised(step: Step, state: State, key: Array, batches: Batch) -> tuple[Callable, Array]:
    """v [N] -> J v [N] at the params of `state`, and these params as one vector [N]."""
    point, restore = ravel_pytree(state.params)

    def play(flat):
        after, _ = step.update(state._replace(params=restore(flat)), key, batches)
        return ravel_pytree(after.params)[0], (after.skipped, after.opts, after.context.state)

    program, shapes = jax.make_jaxpr(play, return_shape=True)(point)
    moves = core.jaxpr_as_fun(program.replace(jaxpr=_unstopped(program.jaxpr)))

    def played(flat):
        return jax.tree.unflatten(jax.tree.structure(shapes), moves(flat))

    # Compiled as a whole: called by itself, `update` would consume the state.
    @jax.jit
    def push(flat, v):
        _, moved, (skipped, *kept) = jax.jvp(played, (flat,), (v,), has_aux=True)
        return jnp.where(skipped == state.skipped, moved, jnp.nan), kept  # a skipped step would pass for the identity

    _check_alone(push, state, point)
    return lambda v: push(point, v)[0], point


def _check_alone(push: Callable, state: State, point: Array) -> None:
    """Refuses a step that changes more than params; tested close by, because at an equilibrium nothing changes."""
    reach = 1e-3 * max(float(jnp.sqrt(jnp.mean(point**2))), 0.1)
    away = jnp.asarray(reach * _start(point.size), point.dtype)
    for flat in (point, point + away, point - away):
        with _forward_mode():
            _, (opts, kept_state) = push(flat, away)
        if _moved(state.opts, opts):
            raise BadRequest(
                "an optimiser here remembers more than params: build the step with optax.sgd, no momentum."
            )
        if _moved(state.context.state, kept_state):
            raise BadRequest(
                "a step here moves the state of the game, so the params alone are not the point: there is no spectrum "
                "of a game that keeps averages or spectral-norm vectors there."
            )


def _moved(before: Any, after: Any) -> bool:
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    return any(jnp.issubdtype(a.dtype, jnp.inexact) and not np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def _unstopped(jaxpr: core.Jaxpr) -> core.Jaxpr:
    """The program without its `stop_gradient`s; the gradients inside it were already taken with them."""

    def through(value):
        if isinstance(value, core.ClosedJaxpr):
            return value.replace(jaxpr=_unstopped(value.jaxpr))
        if isinstance(value, core.Jaxpr):
            return _unstopped(value)
        return tuple(map(through, value)) if type(value) is tuple else value

    def passing(eqn):
        stops = eqn.primitive is core.primitives.stop_gradient_p
        params = {name: through(value) for name, value in eqn.params.items()}
        return eqn.replace(primitive=core.primitives.copy_p if stops else eqn.primitive, params=params)

    return jaxpr.replace(eqns=[passing(eqn) for eqn in jaxpr.eqns])


@contextlib.contextmanager
def _forward_mode() -> Iterator[None]:
    try:
        yield
    except TypeError as error:  # JAX raises it when a program is lowered, not when it is traced
        if "forward-mode" not in str(error):
            raise
        raise BadRequest("a network here has no forward derivative: build it with convolve=jaxgen.nets.LAX.") from error


def _finite(numbers: Array) -> np.ndarray:
    if not np.all(np.isfinite(numbers)):
        raise BadRequest("the step is not finite at these params, or its derivative is not: choose another point.")
    return np.asarray(numbers, np.float64)


def _start(n: int) -> np.ndarray:
    # Fixed, so that results repeat, and without the symmetries that would hide an eigenvector from Arnoldi's method.
    return np.cos(np.arange(1.0, n + 1) ** 2)


def _largest(eigenvalues: Any) -> complex:
    eigenvalues = np.asarray(eigenvalues)
    if eigenvalues.ndim != 1 or not eigenvalues.size or not np.all(np.isfinite(eigenvalues)):
        raise BadRequest("eigenvalues are finite numbers [N], at least one: take those of spectrum() or leading().")
    return eigenvalues[np.argmax(abs(eigenvalues))]


def _sorted(eigenvalues: np.ndarray) -> np.ndarray:
    return eigenvalues[np.lexsort((-eigenvalues.imag, -eigenvalues.real, -abs(eigenvalues)))].astype(np.complex128)
