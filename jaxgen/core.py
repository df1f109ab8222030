"""The one shape of every objective here: a generative model is trained by playing a differentiable game.

A VAE is the game with one player, a GAN has two, an adversarial autoencoder two players and three networks.
Randomness is data: a key becomes numbers in `Game.draw`, and everything else is a deterministic function of
(params, noise, batch, memo).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

Array = jax.Array
Params = dict[str, Any]


class BadRequest(ValueError):
    """What was asked for cannot be done; the message is one line that says what to do. Exit code 2."""


class Batch(NamedTuple):
    """Examples as the nets see them."""

    x: Array  # f32[B, ...]; images are NHWC in [0, 1]
    label: Array | None = None  # i32[B]
    index: Array | None = None  # type: ignore[assignment]  # i32[B], position in the training split


class Memo(NamedTuple):
    """What a game remembers besides params."""

    round: Array  # i32[], set by the step; schedules are functions of it
    carry: dict[str, Any]  # state that no gradient touches, by name


class Note(NamedTuple):
    """What a loss says beside its value."""

    info: dict[str, Array]  # figures to look at, f32[] each
    carry: dict[str, Any] = {}  # entries of `memo.carry` that it replaces; two losses of one turn write different ones


class Model(NamedTuple):
    """What tasks and users see of a trained game: deterministic, noise first; None or {} where it lacks one."""

    draw: Callable[..., Any]  # (key, n) -> noise of n samples
    sample: Callable[..., Array]  # noise -> x [n, ...], in the range of the data
    decode: Callable[..., Array] | None = None  # f32[B, D] -> x
    encode: Callable[..., Array] | None = None  # x -> f32[B, D]
    draw_posterior: Callable[..., Any] | None = None  # (key, K, x) -> noise of K posterior samples for each example
    log_weight: Callable[..., Array] | None = None  # (noise, x) -> f32[K, B] nats: log p(x, z) - log q(z|x)
    scores: Mapping[str, Callable[..., Array]] = {}  # name -> ((noise, x) -> f32[B]); higher is stranger
    features: Mapping[str, Callable[..., Array]] = {}  # name -> (x -> f32[B, F]); what a linear probe may read

    def __repr__(self) -> str:
        """What it can do; its functions hold all of the params, and would print them."""
        parts = (
            f"{name}: {'/'.join(part)}" if isinstance(part, Mapping) else name
            for name, part in zip(self._fields, self, strict=True)
            if part
        )
        return f"Model({', '.join(parts)})"


class Game(NamedTuple):
    """Who plays, for what, and with which randomness."""

    init: Callable[..., tuple[Params, dict[str, Any]]]  # (key, batch) -> (params by player, carry)
    draw: Callable[..., Any]  # (key, batch) -> noise: all randomness of a turn
    losses: Mapping[str, Callable[..., tuple[Array, Note]]]  # turn -> (params, noise, batch, memo) -> (f32[], Note)
    model: Callable[..., Model]  # (params, carry) -> Model
    couples: bool = False  # True where examples of a batch see each other
    range: tuple[float, float] | None = None  # where its losses take every number of x from; None: anywhere


class Network(NamedTuple):
    """A network as pure functions: no randomness, no state."""

    init: Callable[..., Any]  # (key, x) -> params
    apply: Callable[..., Any]  # (params, x) -> y
    hidden: Callable[..., Array] | None = None  # (params, x) -> f32[B, F], the layer below the last


def network(module: Any) -> Network:
    """Any module with `init(key, x)` and `apply(params, x)` as a `Network`: Linen, Haiku, or a `Network` itself.

    A Linen module with a method `hidden` also tells its last hidden layer. A module that asks for randomness of its
    own fails at its first application: nothing here hands it an `rngs`.

    Raises:
      BadRequest: where `module` has no `init` or no `apply`.
    """
    if isinstance(module, Network):
        return module
    if not (hasattr(module, "init") and hasattr(module, "apply")):
        raise BadRequest(
            f"{type(module).__name__} is no network: pass a Linen module, or jaxgen.Network(init, apply) with "
            "init(key, x) -> params and apply(params, x) -> y, as equinox.partition or flax.nnx.split gives them."
        )
    hidden = None
    if hasattr(module, "hidden"):

        def hidden(params, x):
            return module.apply(params, x, method="hidden")

    return Network(module.init, module.apply, hidden)


def player(turn: str) -> str:
    """The player that a turn moves: `critic:r1` is another loss of `critic`.

    >>> player("critic:r1"), player("generator")
    ('critic', 'generator')
    """
    return turn.partition(":")[0]


def as_float(x: Any) -> Any:
    """Examples as the nets see them: uint8 pixels as float32 in [0, 1] (x / 255), float32 as it is.

    Takes NumPy and JAX arrays, also inside a compiled function.

    Raises:
      BadRequest: any other dtype.

    >>> as_float(np.array([0, 51, 255], np.uint8)).tolist() == [0.0, float(np.float32(0.2)), 1.0]
    True
    """
    if x.dtype == np.uint8:
        return x.astype(np.float32) / np.float32(255)
    if x.dtype == np.float32:
        return x
    raise BadRequest(f"data are uint8 or float32, and this is {x.dtype}: jaxgen.data.load makes the one or the other.")
