"""Spectral normalisation: a function from a game to the same game with a player whose kernels have norm 1 as matrices.

A dense layer is then 1-Lipschitz. A convolution need not be: its windows overlap, and with 4x4 kernels at stride 2 the
map from image to image may be up to twice as steep.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Batch, Game, Memo, player
from jaxgen.system.threefry import straight


def spectral_norm(game: Game, *, of: str = "critic", out: int = 0) -> Game:
    """`game` in which every kernel W of one player stands as W / sigma(W), sigma = u^T W v its largest singular value.

    Each turn of that player first takes one step of power iteration, v = W^T u / |W^T u|, u = W v / |W v|; (u, v) live
    in the carry, no gradient passes them, and other turns and the model read them as they are. The gradient passes
    sigma: d(W / sigma) = (dW - (u^T dW v) W / sigma) / sigma. Miyato et al. 2018, arXiv 1802.05957, algorithm 1.

    Args:
      game: any game. Its losses and its model see the normalised player only.
      of: the player.
      out: where a kernel has more than two axes, the one of the outputs: it becomes the matrix [out, the rest]. 0 in
        `jaxgen.nets`; -1 in Linen's own convolutions.

    Returns:
      The game; a kernel is a leaf of at least two axes. One of zeros stays as it is. The moving average of the params
      is normalised by the vectors of the params themselves: near 1, not exactly.

    Raises:
      BadRequest: by `init`, where the player has no kernel, or is none.
    """
    entry = f"spectral_norm_{of}"

    def init(key, batch: Batch):
        k_game, k_vectors = jax.random.split(key)
        params, carry = game.init(k_game, batch)
        if of not in params:
            raise BadRequest(f"the game has no player {of!r} to normalise: it has {', '.join(sorted(params))}.")
        return params, {**carry, entry: draw_vectors(k_vectors, params[of], out)}

    def normalised(params, vectors):
        return {**params, of: _divided(params[of], vectors, out)}

    def played(turn):
        def loss(params, noise, batch: Batch, memo: Memo):
            vectors = memo.carry[entry]
            if player(turn) != of:
                return game.losses[turn](normalised(params, vectors), noise, batch, memo)
            vectors = power_iteration(params[of], vectors, out)
            value, note = game.losses[turn](normalised(params, vectors), noise, batch, memo)
            return value, note._replace(carry={**note.carry, entry: vectors})

        return loss

    def model(params, carry):
        return game.model(normalised(params, carry[entry]), carry)

    return game._replace(init=init, losses={turn: played(turn) for turn in game.losses}, model=model)


def draw_vectors(key: Array, params: Any, out: int) -> Any:
    """For each kernel of `params` (u [out], v [the rest]): one step of power iteration from a random u ~ N(0, I)."""
    leaves, tree = jax.tree.flatten(params)
    if not any(map(_is_kernel, leaves)):
        raise BadRequest("spectral_norm divides kernels, leaves of at least two axes, and this player has none.")

    def draw_start(key, w):
        return jax.random.normal(straight(key), (w.shape[out],)), jnp.zeros(w.size // w.shape[out])

    starts = [draw_start(jax.random.fold_in(key, i), w) if _is_kernel(w) else () for i, w in enumerate(leaves)]
    return power_iteration(params, jax.tree.unflatten(tree, starts), out)


def power_iteration(params: Any, vectors: Any, out: int) -> Any:
    """One step for every kernel: v = W^T u and u = W v, each divided by its length; no gradient."""

    def step(w, pair):
        if not _is_kernel(w):
            return pair
        rows, (u, v) = _matrix(w, out), pair
        v = _unit(u @ rows, v)
        return _unit(rows @ v, u), v

    return jax.lax.stop_gradient(jax.tree.map(step, params, vectors))


def _divided(params: Any, vectors: Any, out: int) -> Any:
    def divide(w, pair):
        if not _is_kernel(w):
            return w
        u, v = pair
        sigma = u @ _matrix(w, out) @ v
        return w / jnp.where(sigma > 0, sigma, 1.0)

    return jax.tree.map(divide, params, vectors)


def _is_kernel(leaf: Array) -> bool:
    return leaf.ndim >= 2


def _matrix(w: Array, out: int) -> Array:
    return jnp.moveaxis(w, out, 0).reshape(w.shape[out], -1)


def _unit(x: Array, otherwise: Array) -> Array:
    # A vector that a kernel of zeros makes has no direction: the old one stays, or nothing would ever move it again.
    length = jnp.linalg.norm(x)
    return jnp.where(length > 0, x / jnp.where(length > 0, length, 1.0), otherwise)
