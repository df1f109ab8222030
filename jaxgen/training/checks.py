"""Checks of a game, its optimisers and its losses, which give one clear line in place of an error from inside JAX."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, BadRequest, Batch, Context, Game, player, rows

OURS = ("loss", "grad_norm")  # the figures that a step itself adds to the info of every loss


def check_plan(game: Game, optimizers: Mapping[str, Any], turns: Sequence[tuple[str, ...]], ema: Any) -> None:
    """Checks turns, that every player has an optimiser, and that optimisers and averages belong to players."""
    if not isinstance(game.losses, Mapping):
        raise BadRequest(f"losses is a {type(game.losses).__name__}: name each, Game(losses={{'vae': loss}}).")
    if not isinstance(optimizers, Mapping) or hasattr(optimizers, "update") and hasattr(optimizers, "init"):
        raise BadRequest("optimizers must be a dict with one for each player, such as {'vae': optax.adam(1e-3)}.")
    players = dict.fromkeys(map(player, game.losses))
    for slot, tx in optimizers.items():
        if slot not in players and slot not in game.losses:
            raise BadRequest(f"optimiser {slot!r} belongs to no player: the players are {', '.join(players)}.")
        if not (hasattr(tx, "init") and hasattr(tx, "update")):
            raise BadRequest(f"optimiser {slot!r} is {tx!r}: pass one of Optax, such as optax.adam(1e-3).")
    if not turns:
        raise BadRequest("a step needs at least one turn, for instance turns=(('critic',), ('generator',)).")
    for turn in turns:
        if not isinstance(turn, tuple):
            name = turn if isinstance(turn, str) and turn in game.losses else next(iter(game.losses))
            raise BadRequest(f"turn {turn!r} is no tuple: each turn is a tuple of losses, such as ({name!r},).")
        for name in turn:
            if name not in game.losses:
                raise BadRequest(f"turn {name!r} is no loss of this game: it has {', '.join(sorted(game.losses))}.")
            if name not in optimizers and player(name) not in optimizers:
                raise BadRequest(f"player {player(name)!r} has no optimiser: add optimizers[{player(name)!r}].")
        if len({player(name) for name in turn}) < len(turn):
            raise BadRequest(f"turn {turn} moves one player twice: put its losses into two turns, or into one loss.")
    for name in () if ema is None or ema.players is None else ema.players:
        if name not in players:
            raise BadRequest(f"an average is kept of {name!r}, which is no player: there are {', '.join(players)}.")
    if ema is not None:
        _check_rate(ema.rate)


def _check_rate(rate: Any) -> None:
    if callable(rate):
        return
    if not isinstance(rate, numbers.Real) or isinstance(rate, bool) or not 0 < float(rate) <= 1:
        raise BadRequest(
            f"ema={rate!r}: it is the share of the new params in each step, 1 - decay, above 0 and at most 1; "
            "for a decay of 0.999 pass 0.001, for no average None."
        )


def check_micro(game: Game, micro: Any) -> None:
    """Refuses micro-batches if the mean of their gradients would not be the gradient of the batch."""
    if not isinstance(micro, int) or isinstance(micro, bool) or micro < 1:
        raise BadRequest(f"micro={micro!r}: it must be a whole number of at least 1.")
    if micro > 1 and game.couples:
        raise BadRequest(
            "this game couples the examples of a batch, so the mean gradient of micro-batches is not that of the "
            "batch: use micro=1."
        )


def checked_start(game: Game, start: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The result of `game.init`, after checks: float params for every player of a loss, and a state without keys."""
    if not (isinstance(start, tuple) and len(start) == 2 and all(isinstance(part, dict) for part in start)):
        raise BadRequest("a game's init returns ({player: params}, state), both dicts; an empty state is {}.")
    params, state = start
    for name in dict.fromkeys(map(player, game.losses)):
        if name not in params:
            raise BadRequest(
                f"init gives params of {', '.join(params) or 'no player'}, and a loss is for player {name!r}."
            )
    for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
        dtype = getattr(leaf, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            raise BadRequest(
                f"params{jax.tree_util.keystr(path)} is no float array: keep it out of params, for instance with "
                "equinox.partition(model, equinox.is_inexact_array), or put it into the state."
            )
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        if jnp.issubdtype(getattr(leaf, "dtype", None) or jnp.result_type(leaf), jax.dtypes.prng_key):
            raise BadRequest(
                f"state{jax.tree_util.keystr(path)} is a random key, which checkpoints cannot store: draw in the "
                "game's draw(key, batch), which gets a new key in every turn, or store jax.random.key_data(key)."
            )
    return params, state


def check_examples(batch: Any) -> None:
    """Refuses 8-bit pixels as the x of a batch, because networks would use them as numbers from 0 to 255."""
    for path, leaf in jax.tree_util.tree_flatten_with_path(getattr(batch, "x", ()))[0]:
        if getattr(leaf, "dtype", None) == jnp.uint8:
            raise BadRequest(
                f"batch.x{jax.tree_util.keystr(path)} is uint8, and networks take pixels in [0, 1]: "
                "Batch(jaxgen.data.as_float(x))."
            )


def check_batches(batches: Any, turns: int, micro: int = 1) -> None:
    """Checks that there is one batch for each turn, and that it can be split into `micro` equal parts."""
    if not isinstance(batches, Batch):
        raise BadRequest(f"a step takes jaxgen.Batch(x, condition), not {type(batches).__name__}.")
    check_examples(batches)
    for path, leaf in jax.tree_util.tree_flatten_with_path(batches)[0]:
        if leaf.shape[:1] != (turns,):
            raise BadRequest(
                f"a step of {turns} turns takes a batch for each, leaves [{turns}, B, ...], and "
                f"batch{jax.tree_util.keystr(path)} is {list(leaf.shape)}: jax.tree.map(lambda a: "
                f"jnp.stack([a] * {turns}), batch) gives every turn the same."
            )
    size = rows(jax.tree.map(lambda a: a[0], batches))
    if size % micro:
        raise BadRequest(f"a batch of {size} examples cannot be split into {micro} equal parts: choose another size.")


def checked_loss(name: str, result: Any, context: Context) -> tuple[Array, Aux]:
    """The result of a loss, after checks of its types and shapes."""
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Aux)):
        what = f"a tuple that ends in {type(result[-1]).__name__}" if isinstance(result, tuple) and result else ""
        raise BadRequest(f"loss {name!r} returns {what or 'a bare value'}: return (loss, jaxgen.Aux(info, state)).")
    value, aux = result
    if jnp.shape(value) != ():
        raise BadRequest(f"loss {name!r} has shape {list(jnp.shape(value))}, not []: take a mean over the batch.")
    for key, figure in aux.info.items():
        if key in OURS:
            raise BadRequest(f"loss {name!r} gives the info {key!r}, which the step itself adds: rename it.")
        if not jax.tree_util.all_leaves([figure]) or jnp.shape(figure) != ():
            raise BadRequest(f"loss {name!r} gives the info {key!r}, which is no single number: take a mean.")
    for entry, new in aux.state.items():
        if entry not in context.state:
            raise BadRequest(f"loss {name!r} returns the state {entry!r}, and the game's init gives none of that name.")
        if _form(new) != _form(context.state[entry]):
            raise BadRequest(f"loss {name!r} returns the state {entry!r} in other shapes or types than init gave it.")
    return value, aux


def _form(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]
