"""A game as a vector field: the Jacobian and spectrum of a step, and the rate at which a run nears its equilibrium.

One step is a map of a point, with noise, batches and step count held fixed. The point is the params, and the memory of
the step beside them: the momentum of an optimiser, the moving average that a penalty reads. If the map has a fixed
point, the distance of a run from it goes like |mu|^n, mu the largest eigenvalue of the map's Jacobian there. For
simultaneous SGD of rate h, mu = 1 + h s with s an eigenvalue of the field, the negative gradients of all players.

Along training there is no fixed point: eigenvalues then say what the step does to small differences between two runs.
A loop of one's own records them, as the state is not consumed:

>>> import optax
>>> from jaxgen.games import bilinear
>>> from jaxgen.training.step import make_step
>>> both = (("critic", "generator"),)
>>> step = make_step(bilinear(), dict.fromkeys(both[0], optax.sgd(0.2, momentum=-0.5)), both)
>>> key, batches = jax.random.key(0), Batch(jnp.zeros((1, 1, 1)))  # one for each turn
>>> state, records = step.init(key, Batch(batches.x[0])), []
>>> for n in range(3):
...     eigenvalues = leading(step, state, key, batches, k=1)
...     records.append((n, round(float(abs(eigenvalues[0])), 4), round(rotation(eigenvalues), 4)))
...     state, info = step.update(state, key, batches)
>>> records[-1]
(2, 1.003, 0.9997)

So does one over `jaxgen.training.loop.train`, whose chunks hold the state, with `plan.step()` of the same plan. Make
the step once: what is compiled for it serves all of its states.
"""

import cmath
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs

from jaxgen.core import Array, BadRequest, Batch
from jaxgen.training.linear import direction, finite, forward_mode, linearised
from jaxgen.training.step import State, Step

LIMIT = 1024  # numbers in the point of the largest full Jacobian: the time for its eigenvalues grows with their cube
SLOW = 1e-3  # radians per step: float32 splits a double eigenvalue into a pair of angle sqrt(eps), which is no turning
TOGETHER = 64  # columns of a Jacobian computed at once


def jacobian(step: Step, state: State, key: Array, batches: Batch) -> np.ndarray:
    """d point' / d point of the step that `step.update(state, key, batches)` would play, f64[M, M].

    The point is a vector: the params, in the order of `jax.flatten_util.ravel_pytree`, then every float array of the
    optimisers and of the game's state that a step moves and that the params of a later step depend on, in the order of
    `jax.tree.leaves((opts, context.state))`. With SGD and no such state these are the params alone. Whole numbers and
    flags are held as they are: the count in Adam's correction of its start, and that Optax's optimistic descent begins
    with a plain step, so play one step first. The moving average of the params is no part, as no step reads it.
    `state` is not consumed. `stop_gradient` is the identity here: what a loss holds fixed in its gradient still changes
    with the params from step to step.

    As counts are held, one step does not tell the rate of an optimiser that acts in some steps only: `optax.MultiSteps`
    and `optax.apply_every` are refused in steps in which they move nothing, and in others this is the part of one step.

    Adam divides by the root of its second moment, which has no derivative at an equilibrium, where that is 0: give it
    an `eps_root`, or look along training.

    Raises:
      BadRequest: more than 1024 numbers; a step that is not finite, or whose derivative is not; networks without a
        forward derivative; an optimiser whose memory moves in a step that leaves its player where it is.
    """
    linear = linearised(step, state, key, batches)
    if (n := linear.point.size) > LIMIT:
        raise BadRequest(f"a full Jacobian of {n} numbers is too large (limit {LIMIT}): use leading().")
    with forward_mode():
        return finite(linear.columns(TOGETHER)).T


def spectrum(step: Step, state: State, key: Array, batches: Batch) -> np.ndarray:
    """All eigenvalues of `jacobian`, complex128[M], by falling modulus.

    Raises:
      BadRequest: as `jacobian` does.
    """
    return _sorted(np.linalg.eigvals(jacobian(step, state, key, batches)))


def leading(step: Step, state: State, key: Array, batches: Batch, *, k: int = 6) -> np.ndarray:
    """The k eigenvalues of largest modulus, complex128[k], by falling modulus: Jacobian-vector products, no matrix.

    Arnoldi's method (ARPACK, by `scipy.sparse.linalg.eigs`) from a fixed start. The last of the k may be one half of a
    conjugate pair, and an eigenvalue with several eigenvectors may be found only once.

    Raises:
      BadRequest: unless 1 <= k <= M - 2; where the method fails; else as `jacobian`, for any M.
    """
    linear = linearised(step, state, key, batches)
    point = linear.point
    n, precision = point.size, 10 * float(jnp.finfo(point.dtype).eps)
    if not isinstance(k, int | np.integer) or not 1 <= k <= n - 2:
        raise BadRequest(f"k={k} of {n} eigenvalues: leading() finds 1 to N - 2 of them, spectrum() all.")

    def product(v):
        with forward_mode():
            return finite(linear.product(v.ravel()))

    operator = LinearOperator((n, n), product, dtype=np.float64)
    try:
        eigenvalues = eigs(
            operator, k, v0=direction(n), ncv=min(n, 4 * k + 20), tol=precision, return_eigenvectors=False
        )
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


def rotation(eigenvalues: Any) -> float:
    """How much of what a step does is turning, |arg mu| / |log mu| of the largest eigenvalue mu, from 0 to 1.

    log mu = log |mu| + i arg mu with |arg mu| <= pi is the eigenvalue of the flow that does in a unit of time what the
    step does at once: |log |mu|| is how far it goes straight, to the equilibrium or away from it, |arg mu| how far it
    goes around. 0: straight; 1: around, at one distance. A negative mu changes sides at each step, which is half a
    turn: it has a value near 1, unless |mu| is so small that the step nearly ends the run. 0 where mu is 1 or 0.

    For small rates h of simultaneous SGD log mu is h s, s an eigenvalue of the field, and this is |Im s| / |s|, as
    Mescheder et al. 2017, arXiv 1705.10461, look at it.

    Raises:
      BadRequest: no eigenvalues, or one that is not finite.

    >>> round(rotation([0.97 + 0.04j, 0.97 - 0.04j, 0.2]), 4), round(rotation([-1.2]), 4), rotation([0.9])
    (0.8121, 0.9983, 0.0)
    """
    largest = complex(_largest(eigenvalues))
    if largest == 0:
        return 0.0
    whole = cmath.log(largest)
    return abs(whole.imag) / abs(whole) if whole != 0 else 0.0


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


def _largest(eigenvalues: Any) -> complex:
    eigenvalues = np.asarray(eigenvalues)
    if eigenvalues.ndim != 1 or not eigenvalues.size or not np.all(np.isfinite(eigenvalues)):
        raise BadRequest("eigenvalues are finite numbers [N], at least one: take those of spectrum() or leading().")
    return eigenvalues[np.argmax(abs(eigenvalues))]


def _sorted(eigenvalues: np.ndarray) -> np.ndarray:
    return eigenvalues[np.lexsort((-eigenvalues.imag, -eigenvalues.real, -abs(eigenvalues)))].astype(np.complex128)
