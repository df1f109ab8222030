"""Checks, leaf by leaf, whether the gradient of a stochastic loss is unbiased: the gradient of its mean."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxgen.core import BadRequest
from jaxgen.testing import measure, noise
from jaxgen.testing.measure import Gradients
from jaxgen.testing.reference import SETTLED, Line, Probe, Reference, differenced, given, grain, probed
from jaxgen.testing.summary import CUT, FALSE_ALARM, NO_PATH, REACHED, STOPPED, Leaf, Report

CHUNK = 8  # the most draws that one call evaluates in parallel
TRIAL = 32  # draws on which the noise is examined; 16 of them, or two chunks, choose the step of a difference
ENTRIES = 2**22  # the most entries of params, noise and batch in one call


def audit(
    loss: Callable[..., Any],
    params: Any,
    draw: Callable[..., Any],
    batch: Any,
    *,
    value: Callable[..., Any] | None = None,
    draws: int = 512,
    seed: int = 0,
) -> Report:
    """Draws the gradient of a stochastic loss `draws` times and compares its mean with a reference.

    For every leaf of params and two random directions d in it, z = <mean gradient - reference, d> / standard error.

    Without `value`, the reference is the central difference of the MEAN loss under common noise,
    mean_n (L(p + h d, noise_n) - L(p - h d, noise_n)) / (2 h). This is exactly the mean derivative over the segment
    from p - h d to p + h d, so the gradient of each draw is taken at a random point of this segment. h is chosen to
    minimise the standard error, which includes the rounding error of the loss, added in quadrature. With `value`, the
    reference is the gradient of `value` at p.

    A leaf is biased if |z| exceeds a quantile of Student's t. The quantile is chosen so that one audit in 10,000 of a
    correct loss reports a bias in any leaf or direction (Bonferroni). This assumes that means are nearly normal. If few
    draws dominate the mean, as with importance weights or the score terms of a steep cost, a correct loss is called
    biased far more often; more draws make that rarer. Without `value`, a leaf is judged by its first 64 draws alone if
    these leave less than 2 % of the derivative uncertain, as they do for most pathwise gradients.

    Args:
      loss: `(params, noise, batch) -> f32[]`, or `(f32[], anything)`: a pure function that jit, grad and vmap accept.
      params: any pytree of float32 arrays. The result is valid at these params only. Layers before a head that is
        initialised with zeros have no gradient at first, so audit after a few training steps.
      draw: `(key, batch) -> noise`, any pytree, which may contain typed keys. It must be all the randomness of the
        loss. `Game.draw` is such a function; for a loss that takes a key use `lambda key, batch: key`.
      batch: any pytree of arrays, or None; the loss may close over anything else. A small batch suffices. An audit
        takes the time of three losses for each draw, and for each leaf that of about a thousand losses, or of ten
        losses for each draw if 64 draws do not decide the leaf.
      value: `(params, batch) -> f32[]`, the exact objective: a closed form, an enumeration, a quadrature. JAX
        differentiates it. A surrogate loss, whose value is not the objective, can be judged only with `value`, because
        finite differences are differences of the loss's value. An example is stop_gradient(cost) * log_prob with a
        sample that is stopped.
      draws: the number of draws, at least 64; it is rounded up to a multiple of 8.
      seed: the seed of the noise and the directions; the report is a function of it.

    An audit does not detect the following. (1) A loss that is not the one you intended, unless you give `value`. (2) A
    bias below `Leaf.unseen`, or in few entries of a large leaf; more draws lower `Leaf.unseen`, and so does `value` for
    a leaf judged by 64 draws. (3) A key that is folded twice with one number inside the loss, or a legacy uint32 key
    (as in Haiku) that is used twice there. (4) A noise leaf that is used twice, which is legal. (5) The intention of a
    `stop_gradient`: one on purpose looks like a mistake unless `value` has it too.

    If the loss is discontinuous in params (argmax, u < p, the rejections of `jax.random.gamma`), give `value`, or
    thousands of draws.

    Raises:
      BadRequest: for params without leaves or with a leaf that is not float, a batch with leaves that are not arrays, a
        loss or value that is not one float, or too few draws.

    >>> import jax, jax.numpy as jnp
    >>> from jaxgen.testing import audit
    >>> def loss(params, eps, x):
    ...     z = jax.lax.stop_gradient(params["mean"] + eps)  # cut
    ...     return jnp.mean((z * params["scale"] - x) ** 2)
    >>> params = {"mean": jnp.array([0.5]), "scale": jnp.array([2.0])}
    >>> report = audit(loss, params, lambda key, x: jax.random.normal(key, x.shape), jnp.ones(8))
    >>> [(leaf.name, leaf.reach) for leaf in report.leaves]
    [('mean', 'cut'), ('scale', 'reached')]
    """
    for name, number in (("draws", draws), ("seed", seed)):
        if not isinstance(number, int | np.integer):
            raise BadRequest(f"{name}={number}: give a whole number.")
    if draws < 64:
        raise BadRequest(f"draws={draws}: an audit needs at least 64 draws.")
    draws = -(-draws // CHUNK) * CHUNK  # a last chunk of another length would need a compilation of its own
    params = _checked_params(params)
    _check_batch(batch)
    key = jax.random.key(seed)
    output = jax.eval_shape(lambda p, k: measure.scalar(loss(p, draw(k, batch), batch)), params, key)
    _check_scalar("loss", output)
    if value is not None:
        _check_scalar("value", jax.eval_shape(value, params, batch))
    # Numbers that are not finite are results here; TF32 would make differences too inexact; common noise reuses a key.
    with np.errstate(all="ignore"), jax.default_matmul_precision("highest"), jax.debug_key_reuse(False):
        with jax.debug_nans(False), jax.debug_infs(False):
            return _audit(loss, params, draw, batch, value, draws, key, float(jnp.finfo(output.dtype).eps))


def _audit(original, params, draw, batch, value, draws, key, eps) -> Report:
    loss, again, draw = _anew(original), _anew(original), _anew(draw)
    leaves, tree = jax.tree.flatten(params)
    names = [measure.name_of(path, "params") for path, _ in jax.tree_util.tree_flatten_with_path(params)[0]]
    main, trial, other, lines, points = (jax.random.fold_in(key, i) for i in range(5))
    chunk = _chunk(params, jax.eval_shape(draw, key, batch), batch)
    chunks = measure.draw_chunks(draw, main, draws, chunk, batch)
    trials, others = (measure.draw_chunks(draw, k, TRIAL, chunk, batch) for k in (trial, other))
    directions = measure.draw_directions(lines, leaves)

    losses, by_leaf = measure.gradients(loss, params, chunks, batch, directions)
    exact = None if value is None else measure.exact_gradient(_anew(value), params, batch)
    limit = float(stats.t.isf(FALSE_ALARM / (2 * sum(map(len, directions))), SETTLED - 1))
    rows, singles = [], []
    for i, (name, leaf) in enumerate(zip(names, leaves, strict=True)):
        line = Line(loss, params, batch, i, directions[i], measure.rounding(losses, eps))
        few = trials[: max(2, 16 // chunk)]
        probe = probed(line, few)
        if exact is None:
            reference = differenced(line, chunks, probe, jax.random.fold_in(points, i), limit)
        else:
            reference = given(jax.tree.leaves(exact[1])[i], directions[i], by_leaf[i], grain(line, few, eps))
        rows.append(_judge(name, leaf.shape, by_leaf[i], reference, probe, limit, exact is not None))
        singles.append(probe.single)

    repeated, alike = noise.repeated(trials)
    first_losses, again_losses = (measure.losses_at(each, params, chunks[0], batch) for each in (loss, again))
    return Report(
        leaves=tuple(rows),
        noise=noise.exchanged(loss, params, trials, others, batch),
        reuse=(*noise.reused_keys(loss, params, draw, batch, key), *repeated),
        alike=alike,
        repeats=_repeats(first_losses, again_losses, max(singles)),
        draws=draws,
        limit=limit,
        loss=float(losses.mean()),
        loss_error=float(losses.std(ddof=1) / math.sqrt(draws)),
        bad_losses=int((~np.isfinite(losses)).sum()),
        value=None if exact is None else float(exact[0]),
        gradient=jax.tree.unflatten(tree, [gradients.mean for gradients in by_leaf]),
    )


def _judge(name, shape, gradients: Gradients, reference: Reference, probe: Probe, limit: float, exact: bool) -> Leaf:
    derivative, bias, error = reference
    scores = np.where(bias == 0, 0.0, bias / error)
    z = float(scores[np.argmax(abs(scores))])
    size, blur = float(derivative @ derivative), float(error @ error)
    share = 1 + float(bias @ derivative) / size if size > limit**2 * blur else math.nan

    n, mean2 = len(gradients.along), float(np.sum(gradients.mean**2))
    chance = limit * gradients.along.std(axis=0, ddof=1) / math.sqrt(n)
    about_zero = bool(np.all(abs(gradients.along.mean(axis=0)) <= chance)) and abs(share) < 0.25
    steady = gradients.variance <= 1e-10 * mean2 and probe.varies
    biased = abs(z) > limit
    if gradients.zero and not probe.sloped:
        reach = CUT if biased else NO_PATH if not probe.moves else STOPPED if exact else CUT
    else:
        reach = CUT if biased and (about_zero or steady) else REACHED
    signal = math.sqrt(max(mean2 - gradients.variance / n, 0.0))  # corrects the norm of a mean for its own variance
    spread = math.sqrt(gradients.variance)
    return Leaf(
        name=name,
        shape=shape,
        reach=reach,
        finite=gradients.finite,
        z=z,
        share=share,
        unseen=limit * math.sqrt(blur / size) if size else math.inf,
        variance=gradients.variance,
        snr=0.0 if gradients.zero else signal / spread if spread else math.inf,
    )


def _repeats(some: np.ndarray, others: np.ndarray, single: float) -> bool:
    # The two programs were traced separately. If the loss drew random numbers while it was traced, they differ.
    finite = np.isfinite(some)
    if not finite.any() or not np.array_equal(finite, np.isfinite(others)):
        return bool(np.array_equal(finite, np.isfinite(others)))
    return bool(np.all(abs(some - others)[finite] <= 4 * single))


def _chunk(params, drawn, batch) -> int:
    sizes = [math.prod(jnp.shape(leaf)) for leaf in jax.tree.leaves((params, drawn, batch))]
    return min(CHUNK, 2 ** int(math.log2(max(1, ENTRIES // max(1, sum(sizes))))))


def _checked_params(params: Any) -> Any:
    named = jax.tree_util.tree_flatten_with_path(params)[0]
    if not named:
        raise BadRequest("params has no leaves: pass the pytree of arrays to differentiate with respect to.")
    for path, leaf in named:
        name, dtype = measure.name_of(path, "params"), getattr(leaf, "dtype", None)
        if isinstance(leaf, float):
            raise BadRequest(f"params leaf {name} is a Python float: make it an array, jnp.asarray({leaf}).")
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating) or not leaf.size:
            raise BadRequest(
                f"params leaf {name} is no float array with entries: keep it out of params, for instance with "
                "equinox.partition(model, equinox.is_inexact_array)."
            )
        if jnp.finfo(dtype).bits < 32:
            raise BadRequest(f"params leaf {name} is {dtype}, too inexact for differences: audit in float32.")
    return jax.tree.map(jnp.asarray, params)


def _check_scalar(what: str, output: Any) -> None:
    if getattr(output, "shape", None) != () or output.dtype not in (jnp.float32, jnp.float64):
        kind = f"{output.dtype}{list(output.shape)}" if hasattr(output, "shape") else type(output).__name__
        raise BadRequest(f"{what} returns {kind}: it must return one float32, averaged over the batch.")


def _check_batch(batch: Any) -> None:
    for path, leaf in jax.tree_util.tree_flatten_with_path(batch)[0]:
        if not hasattr(leaf, "dtype"):
            raise BadRequest(
                f"batch leaf {measure.name_of(path, 'batch')} is of type {type(leaf).__name__}: make numbers that the "
                "loss uses arrays, and close the loss over everything else."
            )


def _anew(function: Any) -> Any:
    """A new function with the same body: JAX caches programs by function, and closed-over values may have changed."""
    return lambda *args: function(*args)
