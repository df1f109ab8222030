"""Annealed importance sampling: bounds on log p(x) from below and from above, for any decoder and any likelihood.

A chain goes from the prior to the posterior through p(z) p(x | z)^b, b from 0 to 1, and its weight w is an unbiased
estimate of p(x): so E log w <= log p(x). A chain that starts at an exact sample of the posterior and goes back has
E 1 / w = 1 / p(x), so E log w >= log p(x) there. An exact posterior sample is known where x was simulated, by the z
that made it: together they bracket log p(x) (bidirectional Monte Carlo). Neal 2001, Statistics and Computing 11;
Grosse et al. 2015, arXiv 1511.02543.
"""

import math
import numbers
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Array, BadRequest, whole


class Target(NamedTuple):
    """The two densities of a model; `given` is any pytree that they read, such as the examples and the params."""

    log_prior: Callable[[Array, Any], Array]  # (z [K, B, D], given) -> log p(z), f32[K, B] nats
    log_likelihood: Callable[[Array, Any], Array]  # (z [K, B, D], given) -> log p(x | z), f32[K, B] nats


class Noise(NamedTuple):
    """All randomness of K chains for each of B examples, at the T - 1 temperatures between 0 and 1."""

    momenta: Array  # f32[T - 1, K, B, D], N(0, 1)
    levels: Array  # f32[T - 1, K, B], U[0, 1): a move is accepted if its number is below the ratio of densities


class Chains(NamedTuple):
    """Where chains ended, and what they weigh."""

    log_w: Array  # f32[K, B] nats
    z: Array  # f32[K, B, D], the last point of each chain
    accepted: Array  # f32[T - 1, B], the share of moves that were taken, by temperature


def draw(key: Array, shape: tuple[int, int, int], temperatures: Any) -> Noise:
    """The noise of chains of shape (K, B, D) over `temperatures`; it needs T - 1 times their memory."""
    k_momenta, k_levels = jax.random.split(key)
    moves = len(temperatures) - 2
    levels = jax.random.uniform(k_levels, (moves, *shape[:2]), dtype=jnp.float32)
    return Noise(jax.random.normal(k_momenta, (moves, *shape), dtype=jnp.float32), levels)


def schedule(steps: int, *, steep: float = 4.0) -> np.ndarray:
    """T + 1 temperatures from 0 to 1, closest together at both ends: f32[steps + 1].

    b_t = (s(d (2 t / T - 1)) - s(-d)) / (s(d) - s(-d)), s the logistic function and d = `steep`. Grosse et al. 2015.

    Raises:
      BadRequest: fewer than 1 step; `steep` not above 0, or so large that float32 cannot tell temperatures apart.

    >>> schedule(4).round(3).tolist()
    [0.0, 0.10499999672174454, 0.5, 0.8949999809265137, 1.0]
    """
    if not isinstance(steep, numbers.Real) or not 0 < steep < math.inf:
        raise BadRequest(f"steep={steep!r}: it must be a finite number above 0.")
    ends = np.tanh(steep / 2)  # s(d) = (1 + tanh(d / 2)) / 2
    at = np.tanh(steep / 2 * np.linspace(-1, 1, whole("steps", steps, 1) + 1))
    betas = ((at / ends + 1) / 2).astype(np.float32)
    if not np.all(np.diff(betas) > 0):
        raise BadRequest(f"steep={steep} puts {steps} steps so close together that some are equal: take a smaller one.")
    return betas


def forward(
    target: Target, start: Array, given: Any, noise: Noise, temperatures: Any, rates: Any, *, leapfrog: int = 1
) -> Chains:
    """Chains from the prior: mean exp(log_w) estimates p(x) without bias, so log_w is too low on average.

    log w = sum_t (b_t - b_{t-1}) log p(x | z_{t-1}), t = 1 .. T, where z_0 is `start` and z_t comes of z_{t-1} by one
    move that leaves p(z) p(x | z)^{b_t} as it is: `leapfrog` steps of size `rates[t]` from a fresh momentum, and a
    Metropolis test. With one step that is the Langevin algorithm with that test, with more it is Hamiltonian.

    Args:
      target: the densities; differentiable in z. A function that is the same object again is not compiled again.
      start: f32[K, B, D], samples of the prior.
      given: what the densities read.
      noise: of `draw`, with the same shape and temperatures.
      temperatures: f32[T + 1], b_0 = 0 to b_T = 1, rising.
      rates: f32[T - 1] for the temperatures between, or f32[T - 1, B]; `tune` finds some. A number stands for all.
      leapfrog: steps of a move.

    Raises:
      BadRequest: temperatures that do not rise from 0 to 1; noise that does not fit; rates that do not, or are not
        above 0; a start that is not [K, B, D]; densities that are not [K, B].
    """
    return _run(target, start, given, noise, temperatures, rates, leapfrog, back=False)


def reverse(
    target: Target, start: Array, given: Any, noise: Noise, temperatures: Any, rates: Any, *, leapfrog: int = 1
) -> Chains:
    """Chains from the posterior: mean exp(-log_w) estimates 1 / p(x) without bias, so log_w is too high on average.

    The moves of `forward` in the other order, with log w summed at the same places. `start` holds exact samples of the
    posterior, f32[K, B, D]: of an x that the model made, the z that made it. One such z serves one chain; K chains from
    the same z are each right but not independent.

    Raises:
      BadRequest: as `forward` does.
    """
    return _run(target, start, given, noise, temperatures, rates, leapfrog, back=True)


def tune(
    target: Target,
    start: Array,
    given: Any,
    noise: Noise,
    temperatures: Any,
    rate: float,
    *,
    leapfrog: int = 1,
    wanted: float = 0.7,
) -> Array:
    """Rates f32[T - 1, B] at which about `wanted` of the moves are taken, from a run of `forward` that moves them.

    After each temperature the rate of an example is multiplied by 1.1^(share of its chains that moved - wanted), so
    that it follows the density from prior to posterior. The weights of that run are of no use, for its moves depend on
    its chains, and are not returned: run `forward` and `reverse` with other noise and these rates.

    Raises:
      BadRequest: as `forward` does; a rate not above 0; `wanted` outside (0, 1).
    """
    if not 0 < rate < math.inf or not 0 < wanted < 1:
        raise BadRequest(f"rate={rate} must be a finite number above 0, and wanted={wanted} must lie in (0, 1).")
    betas, _ = _checked(start, noise, temperatures, rate, leapfrog)
    return _tuned(target, whole("leapfrog", leapfrog, 1), start, given, noise, betas, rate, wanted)


def lower(log_w: Array) -> Array:
    """log mean_k w_k of forward chains, f32[B] nats: on average at most log p(x), and the nearer the more chains."""
    return jax.nn.logsumexp(log_w, 0) - math.log(len(log_w))


def upper(log_w: Array) -> Array:
    """-log mean_k 1 / w_k of reverse chains, f32[B] nats: on average at least log p(x)."""
    return -lower(-log_w)


def _run(target, start, given, noise, temperatures, rates, leapfrog, back: bool) -> Chains:
    betas, steps = _checked(start, noise, temperatures, rates, leapfrog)
    return _chains(target, whole("leapfrog", leapfrog, 1), back, jnp.asarray(start), given, noise, betas, steps)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _chains(target: Target, leapfrog: int, back: bool, z, given, noise: Noise, betas, rates) -> Chains:
    gaps = jnp.diff(betas)

    def body(carry, one):
        (z, log_w), (beta, gap, rate, momentum, level) = carry, one
        z, taken = _move(target, leapfrog, z, given, beta, rate, momentum, level)
        return (z, log_w + gap * target.log_likelihood(z, given)), jnp.mean(taken, 0)

    # Forward weighs at z_0, moves at b_1, weighs at z_1, ...; backward weighs at z_{T-1}, moves at b_{T-1}, ...
    first, rest = (gaps[-1], gaps[:-1]) if back else (gaps[0], gaps[1:])
    moves = (betas[1:-1], rest, rates, noise.momenta, noise.levels)
    log_w = first * target.log_likelihood(z, given)
    (z, log_w), accepted = jax.lax.scan(body, (z, log_w), moves, reverse=back)
    return Chains(log_w, z, accepted)


@partial(jax.jit, static_argnums=(0, 1))
def _tuned(target: Target, leapfrog: int, z, given, noise: Noise, betas, rate, wanted) -> Array:
    def body(carry, one):
        (z, rates), (beta, momentum, level) = carry, one
        z, taken = _move(target, leapfrog, z, given, beta, rates[:, None], momentum, level)
        more = 1.1 ** (jnp.mean(taken, 0) - wanted)
        return (z, rates * more), rates

    start = jnp.full(z.shape[1:2], rate, dtype=jnp.float32)
    _, rates = jax.lax.scan(body, (z, start), (betas[1:-1], noise.momenta, noise.levels))
    return rates


def _move(target: Target, leapfrog: int, z, given, beta, rate, momentum, level) -> tuple[Array, Array]:
    """(z after one move, whether it was taken f32[K, B]); `rate` broadcasts with [B, D]."""

    def log_density(z):
        prior, likelihood = target.log_prior(z, given), target.log_likelihood(z, given)
        for name, values in (("log_prior", prior), ("log_likelihood", likelihood)):
            if jnp.shape(values) != z.shape[:2]:
                raise BadRequest(f"{name} gives a number for each z [K, B, D], {z.shape[:2]}, not {jnp.shape(values)}.")
        value = prior + beta * likelihood
        return jnp.sum(value), value

    slope = jax.value_and_grad(log_density, has_aux=True)
    (_, before), grad = slope(z)

    def step(_, carry):
        z, p, grad, _ = carry
        p = p + rate[None] / 2 * grad
        z = z + rate[None] * p
        (_, value), grad = slope(z)
        return z, p + rate[None] / 2 * grad, grad, value

    end, p, _, after = jax.lax.fori_loop(0, leapfrog, step, (z, momentum, grad, before))
    gain = after - before + (jnp.sum(momentum**2, -1) - jnp.sum(p**2, -1)) / 2
    taken = jnp.log(level) < gain  # of a gain that is NaN no move is taken
    return jnp.where(taken[..., None], end, z), taken.astype(z.dtype)


def _checked(start, noise: Noise, temperatures, rates, leapfrog: int) -> tuple[Array, Array]:
    """(temperatures f32[T + 1], rates f32[T - 1, B or 1, 1])."""
    betas = np.asarray(temperatures, np.float32)
    if betas.ndim != 1 or len(betas) < 2 or betas[0] != 0 or betas[-1] != 1 or not np.all(np.diff(betas) > 0):
        raise BadRequest("temperatures are numbers that rise from 0 to 1: schedule(1000) makes some.")
    moves, shape = len(betas) - 2, jnp.shape(start)
    if len(shape) != 3 or noise.momenta.shape != (moves, *shape) or noise.levels.shape != (moves, *shape[:2]):
        raise BadRequest(
            f"chains start at z [K, B, D] with momenta [{moves}, K, B, D] and levels [{moves}, K, B], not at "
            f"{list(shape)} with {list(noise.momenta.shape)} and {list(noise.levels.shape)}: draw(key, start.shape, "
            "temperatures) makes both."
        )
    rates = jnp.asarray(rates, jnp.float32)
    if rates.shape not in ((), (moves,), (moves, shape[1])):
        raise BadRequest(f"rates are a number, [{moves}] or [{moves}, {shape[1]}], not {list(rates.shape)}.")
    if not isinstance(rates, jax.core.Tracer) and not bool(jnp.all((rates > 0) & (rates < math.inf))):
        raise BadRequest("rates must be finite numbers above 0.")
    columns = shape[1] if rates.ndim == 2 else 1
    return jnp.asarray(betas), jnp.broadcast_to(rates.reshape(-1, columns), (moves, columns))[..., None]
