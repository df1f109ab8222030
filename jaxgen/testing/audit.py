"""Is the gradient of a stochastic loss the gradient of its mean? Leaf by leaf, for any network library."""

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

CHUNK = 8  # draws that stand side by side, at most
TRIAL = 32  # draws on which the noise is looked at; steps are chosen on 16 of them, or on two chunks
ENTRIES = 2**22  # entries of params, noise and batch that stand side by side in one call


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
    Without `value` the gradient of each draw is taken at a point of its own in a short segment p - h d to p + h d, and
    the reference is the central difference of the MEAN loss under common noise,
    mean_n (L(p + h d, noise_n) - L(p - h d, noise_n)) / (2 h): the mean derivative over that segment, exactly. h is
    chosen by its standard error, to which rounding, as the loss shows it, is added in quadrature. With `value` the
    reference is its gradient at p. A leaf is biased if |z| exceeds a quantile of Student's t, chosen so that one audit
    in 10,000 calls a correct loss biased in any leaf or direction (Bonferroni). Without `value` a leaf is judged on its
    first 64 draws alone if these leave less than 2 % of the derivative open, as they do for most pathwise gradients.
    The one in 10,000 assumes means that are nearly normal. If a few draws outweigh the rest, as under importance
    weights or score terms of a steep cost, a correct loss is called biased far more often; more draws make that rarer.

    Args:
      loss: `(params, noise, batch) -> f32[]`, or `(f32[], anything)`; pure, and fit for jit, grad and vmap.
      params: any pytree of float32 arrays; the result holds at these params only. Nothing behind a head that starts at
        zero has a gradient yet, so audit after a few steps.
      draw: `(key, batch) -> noise`, any pytree, typed keys among it: all randomness of the loss. `Game.draw` is one;
        for a loss that takes a key it is `lambda key, batch: key`.
      batch: any pytree of arrays, or None; close the loss over anything else. A small one will do: an audit takes the
        time of three losses for each draw and about a thousand for each leaf, or ten for each draw where 64 do not
        settle the leaf.
      value: `(params, batch) -> f32[]`, the exact objective: a closed form, an enumeration, a quadrature. JAX
        differentiates it. A surrogate whose value is not the objective, such as stop_gradient(cost) * log_prob beside
        a stopped sample, can be judged by this alone: finite differences are of what the loss returns.
      draws: how many, at least 64; it is rounded up to a multiple of 8, by which they are drawn.
      seed: of the noise and the directions; the report is a function of it.

    What it does not see: that the loss is not the one you meant (give `value`); a bias below `Leaf.unseen` (more draws,
    or `value` for a settled leaf, show less), or in few entries of a large leaf; one key folded twice with one number
    inside the loss, or a legacy uint32 key (Haiku's) used twice there; one noise leaf read twice, which is legal. A
    `stop_gradient` on purpose looks like one by mistake, unless `value` has it too. Where the loss jumps with params
    (argmax, u < p, the rejections of `jax.random.gamma`), finite differences want thousands of draws, or `value`.

    Raises:
      BadRequest: params without leaves or with one that is not float; a batch that holds more than arrays; a loss or
        value that is not one float; few draws.

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
        raise BadRequest(f"an audit of {draws} draws says nothing: ask for 64 or more.")
    draws = -(-draws // CHUNK) * CHUNK  # a last chunk of another length would be compiled for itself
    params = _checked_params(params)
    _check_batch(batch)
    key = jax.random.key(seed)
    output = jax.eval_shape(lambda p, k: measure.scalar(loss(p, draw(k, batch), batch)), params, key)
    _check_scalar("loss", output)
    if value is not None:
        _check_scalar("value", jax.eval_shape(value, params, batch))
    # Non-finite numbers are findings; TF32 would drown differences; common noise uses one key again, on purpose.
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
    signal = math.sqrt(max(mean2 - gradients.variance / n, 0.0))  # a mean over draws is too long by its own noise
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
    # The two were traced apart, and what a loss drew for itself was frozen in each; the programs are alike otherwise.
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
        raise BadRequest("params has no leaves: pass the pytree of arrays that the loss is differentiated in.")
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
            raise BadRequest(f"params leaf {name} is {dtype}, too coarse for differences: audit at float32.")
    return jax.tree.map(jnp.asarray, params)


def _check_scalar(what: str, output: Any) -> None:
    if getattr(output, "shape", None) != () or output.dtype not in (jnp.float32, jnp.float64):
        kind = f"{output.dtype}{list(output.shape)}" if hasattr(output, "shape") else type(output).__name__
        raise BadRequest(f"{what} gives {kind}: return one float32, averaged over the batch.")


def _check_batch(batch: Any) -> None:
    for path, leaf in jax.tree_util.tree_flatten_with_path(batch)[0]:
        if not hasattr(leaf, "dtype"):
            raise BadRequest(
                f"batch leaf {measure.name_of(path, 'batch')} is of type {type(leaf).__name__}: make a number that the "
                "loss computes with an array, and close the loss over all else."
            )


def _anew(function: Any) -> Any:
    """The function under another name: programs are kept by function, and what one closes over may have changed."""
    return lambda *args: function(*args)
