"""What a game, its optimisers and its losses must be for a round to use them: one line where JAX's says little."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Batch, Game, Memo, Note, player

OURS = ("loss", "grad_norm")  # what a step notes of every loss


def check_plan(game: Game, optimizers: Mapping[str, Any], turns: Sequence[tuple[str, ...]]) -> None:
    """Refuses turns that cannot be played, and optimisers that are none, that lack or that move nobody."""
    if not isinstance(game.losses, Mapping):
        raise BadRequest(f"losses is a {type(game.losses).__name__}: name each, Game(losses={{'vae': loss}}).")
    if not isinstance(optimizers, Mapping) or hasattr(optimizers, "update") and hasattr(optimizers, "init"):
        raise BadRequest("optimizers is one for each player, such as {'vae': optax.adam(1e-3)}.")
    players = dict.fromkeys(map(player, game.losses))
    for slot, tx in optimizers.items():
        if slot not in players and slot not in game.losses:
            raise BadRequest(f"optimiser {slot!r} moves nobody: the players are {', '.join(players)}.")
        if not (hasattr(tx, "init") and hasattr(tx, "update")):
            raise BadRequest(f"optimiser {slot!r} is {tx!r}: pass one of Optax, such as optax.adam(1e-3).")
    if not turns:
        raise BadRequest("a round needs at least one turn, for instance turns=(('critic',), ('generator',)).")
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


def checked_start(game: Game, made: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `game.init` returned: params of every player that a loss names, float arrays all, and a carry."""
    if not (isinstance(made, tuple) and len(made) == 2 and all(isinstance(part, dict) for part in made)):
        raise BadRequest("a game's init returns ({player: params}, carry), both dicts; an empty carry is {}.")
    params, carry = made
    for name in dict.fromkeys(map(player, game.losses)):
        if name not in params:
            raise BadRequest(
                f"init gives params of {', '.join(params) or 'nobody'}, and a loss is for player {name!r}."
            )
    for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
        dtype = getattr(leaf, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            raise BadRequest(
                f"params{jax.tree_util.keystr(path)} is no float array: keep it out of params, for instance with "
                "equinox.partition(model, equinox.is_inexact_array), or put it into the carry."
            )
    return params, carry


def check_batches(batches: Any, turns: int) -> None:
    """Refuses what is no batch for each turn."""
    if not isinstance(batches, Batch):
        raise BadRequest(f"a round takes jaxgen.Batch(x, label, index), not {type(batches).__name__}.")
    if batches.x.shape[:1] != (turns,):
        raise BadRequest(
            f"a round of {turns} turns takes a batch for each, x [{turns}, B, ...], not {list(batches.x.shape)}: "
            f"jax.tree.map(lambda a: jnp.stack([a] * {turns}), batch) gives every turn the same."
        )


def checked_loss(name: str, said: Any, memo: Memo) -> tuple[Array, Note]:
    """What a loss returned, where the rest of a round can use it."""
    if not (isinstance(said, tuple) and len(said) == 2 and isinstance(said[1], Note)):
        found = (
            f"a tuple that ends in {type(said[-1]).__name__}" if isinstance(said, tuple) and said else "a bare value"
        )
        raise BadRequest(f"loss {name!r} returns {found}: return (loss, jaxgen.Note(info, carry)).")
    value, note = said
    if jnp.shape(value) != ():
        raise BadRequest(f"loss {name!r} has shape {list(jnp.shape(value))}, not []: take a mean over the batch.")
    for key, figure in note.info.items():
        if key in OURS:
            raise BadRequest(f"loss {name!r} notes {key!r}, which the step itself does: call it otherwise.")
        if not jax.tree_util.all_leaves([figure]) or jnp.shape(figure) != ():
            raise BadRequest(f"loss {name!r} notes {key!r}, which is no single number: take a mean, or leave it out.")
    if unknown := sorted(set(note.carry) - set(memo.carry)):
        raise BadRequest(f"loss {name!r} carries {unknown[0]!r}, and the game's init gives none of that name.")
    return value, note
