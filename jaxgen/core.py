"""The basic types of the package. Every generative model is trained as a differentiable game.

A VAE is a game with one player, a GAN has two, and an adversarial autoencoder has two players and three networks.
Randomness is data: random numbers are drawn in functions called `draw`, and everything else is a deterministic function
of (params, noise, batch, context). For a module of another library that draws random numbers itself, such as a Linen
module with dropout, the noise is the key that it draws from. Networks take their noise and their state as arguments, as
losses do.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array
Params = dict[str, Any]

_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # control characters, half characters


def one_line(text: str) -> str:
    """Text without what would break a line, change a terminal, or could not be written as UTF-8.

    >>> one_line("a\\nb\\x1b[31m")
    'a b\ufffd[31m'
    """
    return _UNSHOWN.sub(lambda found: " " if found[0].isspace() else "\N{REPLACEMENT CHARACTER}", text)


class BadRequest(ValueError):
    """The request is invalid or cannot be served. The message is one line that says what to do. Exit code 2."""

    def __init__(self, message: object):
        """Names of files and keys that the message holds are shown as far as they can be (`one_line`)."""
        super().__init__(one_line(str(message)))


class Batch(NamedTuple):
    """Examples as the networks see them; every leaf is [B, ...]."""

    x: Any  # an array, images NHWC in [0, 1], or a pytree of arrays such as {"a": ..., "b": ...}
    condition: Any = None  # further input of the model: labels i32[B], small images, any pytree


class Context(NamedTuple):
    """The inputs of a loss other than params, noise and batch."""

    step: Array  # i32[], set by the step function; schedules are functions of it
    state: dict[str, Any]  # values without gradients, by network or part: running statistics, codebooks


class Aux(NamedTuple):
    """What a loss returns in addition to its value."""

    info: dict[str, Array] = {}  # figures for the log, f32[] each
    state: dict[str, Any] = {}  # new entries of `context.state`; losses of one turn must not have the same entries


class Game(NamedTuple):
    """A game: its players, the losses that they minimise, and the noise of a turn."""

    init: Callable[..., tuple[Params, dict[str, Any]]]  # (key, batch) -> (params by player, state by network or part)
    draw: Callable[..., Any]  # (key, batch) -> noise: all randomness of a turn
    losses: Mapping[str, Callable[..., tuple[Array, Aux]]]
    """"player" or "player:term" -> loss (params, noise, batch, context) -> (f32[], Aux), minimised in that player's
    params."""
    model: Callable[..., "Model"]  # (params, state) -> Model
    couples: bool = False  # True if the loss of an example depends on the rest of its batch
    range: tuple[float, float] | None = None  # the interval that must contain all numbers of x; None: any number
    turns: tuple[tuple[str, ...], ...] | None = None
    """The turns of a step, if a plan has none; None: one turn for each loss, in their order. A game sets them if some
    of its losses are terms of another loss, which would count twice otherwise."""


class Model(NamedTuple):
    """A trained model, as deterministic functions. A function that a model cannot have is None, or missing in a dict.

    `condition` is that of `Batch` and always the last argument. If the game was trained with a condition, pass it to
    both `draw` and `sample`; otherwise leave it out.
    """

    draw: Callable[..., Any] | None = None  # (key, n, condition) -> noise of n samples
    sample: Callable[..., Any] | None = None  # (noise, condition) -> x [n, ...], in the range of the data
    decode: Callable[..., Any] | None = None  # (z [B, ...], condition) -> x
    encode: Callable[..., Array] | None = None  # (x, condition) -> z [B, ...]
    draw_posterior: Callable[..., Any] | None = None  # (key, K, x, condition) -> noise of K posterior samples each
    log_weight: Callable[..., Array] | None = None  # (noise, x, condition) -> f32[K, B] nats, log p(x, z) - log q(z|x)
    scores: Mapping[str, Callable[..., Array]] = {}
    """Name -> (noise, x, condition) -> f32[B], an anomaly score: the higher, the more anomalous. The first score is the
    one that the literature uses for such a model, as the docstring of its game says."""
    features: Mapping[str, Callable[..., Array]] = {}  # name -> (x, condition) -> f32[B, F], for a linear probe
    maps: Mapping[str, Callable[..., Any]] = {}  # name -> (x, condition) -> x: reconstruct, restore, translate

    def __repr__(self) -> str:
        """The names of its functions only, because printing the functions would print all params."""
        parts = (
            f"{name}: {'/'.join(part)}" if isinstance(part, Mapping) else name
            for name, part in zip(self._fields, self, strict=True)
            if part
        )
        return f"Model({', '.join(parts)})"


def nothing(*args: Any) -> tuple:
    """No noise, no params, no state: the empty pytree ()."""
    return ()


class Both(NamedTuple):
    """A function that computes the output and the features of a network in one evaluation.

    It is ignored if `apply` or `features` of the network are not these, so a wrapper that replaces them need not know
    it.
    """

    apply: Callable[..., tuple[Any, Any]]
    features: Callable[..., tuple[Array, Any]]
    call: Callable[..., tuple[Any, Any]]  # as apply, for ((y, features), state)


class Network(NamedTuple):
    """A network as pure functions, as in `haiku.transform_with_state`, but with noise in place of the rng.

    Noise is the randomness of training, such as that of dropout and augmentation. With noise None, `apply` is in
    evaluation mode: it is not random, and it uses running statistics without updating them. The latent z from which a
    sample is generated is no noise in this sense but an input.
    """

    init: Callable[..., tuple[Any, Any]]  # (key, *inputs) -> (params, state)
    apply: Callable[..., tuple[Any, Any]]  # (params, state, noise or None, *inputs) -> (y, state)
    draw: Callable[..., Any] = nothing  # (key, *inputs) -> noise; reads the shapes of its inputs only
    features: Callable[..., tuple[Array, Any]] | None = None  # as apply, for the layer below the last: f32[B, F]
    couples: bool = False  # True if in training the output of an example depends on the rest of its batch
    both: Both | None = None  # see `jaxgen.nets.calls.together`


def inputs(x: Any, condition: Any = None) -> tuple[Any, ...]:
    """The inputs of a network: `(x,)` without a condition, `(x, condition)` with one."""
    return (x,) if condition is None else (x, condition)


def rows(tree: Any) -> int:
    """The length of the leading axis of a batch, B.

    >>> rows(Batch(jnp.zeros((3, 2))))
    3
    """
    return jax.tree.leaves(tree)[0].shape[0]


def at(schedule: Any, step: Array) -> Any:
    """The value of a constant, or of a function of the step; never of float64, which would make the loss that.

    >>> at(0.5, 3), at(lambda step: 2 * step, 3)
    (0.5, 6)
    """
    value = schedule(step) if callable(schedule) else schedule
    if isinstance(value, float):
        return float(value)  # of NumPy's kind as well, whose float64 is none of Python's to JAX
    return jnp.asarray(value, jnp.float32) if getattr(value, "dtype", None) == jnp.float64 else value


def draw_each(key: Array, **calls: tuple) -> dict[str, Any]:
    """`{name: draw(own_key, *args)}` for `name=(draw, *args)`; the key is split among the functions that draw anything.

    >>> draw_each(jax.random.key(0), z=(jax.random.normal, (2,)), dropout=(nothing,))["dropout"]
    ()
    """
    drawn = [name for name, (draw, *_) in calls.items() if draw is not nothing]
    keys = dict(zip(drawn, [key] if len(drawn) == 1 else jax.random.split(key, len(drawn)), strict=True))
    return {name: draw(keys.get(name, key), *args) for name, (draw, *args) in calls.items()}


def repeat(tree: Any, samples: int) -> Any:
    """Leaves [B, ...] -> [samples * B, ...], by repeating the whole batch; None stays None."""
    if samples == 1:
        return tree
    return jax.tree.map(lambda a: jnp.broadcast_to(a, (samples, *a.shape)).reshape(-1, *a.shape[1:]), tree)


def merge(tree: Any) -> Any:
    """Leaves [K, B, ...] -> [K * B, ...]."""
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), tree)


def split(tree: Any, samples: int) -> Any:
    """Leaves [K * B, ...] -> [K, B, ...] with K = `samples`."""
    return jax.tree.map(lambda a: a.reshape(samples, -1, *a.shape[1:]), tree)


def player(name: str) -> str:
    """The player that minimises a loss: `critic:penalty` is a loss of `critic`.

    >>> player("critic:penalty"), player("generator")
    ('critic', 'generator')
    """
    return name.partition(":")[0]


def whole(name: str, value: Any, least: int) -> int:
    """`value` as an int, if it is a whole number of Python or NumPy (no boolean) and at least `least`.

    Raises:
      BadRequest: otherwise; the message names the argument.

    >>> whole("latent_dim", np.int64(2), 1)
    2
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or isinstance(value, bool):
        raise BadRequest(f"{name}={value!r}: it must be a whole number of at least {least}.")
    return number


def wholes(name: str, values: Any, least: int) -> tuple[int, ...]:
    """`values` as a tuple of at least one whole number, each at least `least`.

    Raises:
      BadRequest: otherwise; the message names the argument.

    >>> wholes("positions", [7, 7], 1)
    (7, 7)
    """
    if not isinstance(values, tuple | list) or not values:
        raise BadRequest(f"{name}={values!r}: it must be a tuple of at least one whole number, such as (7,).")
    return tuple(whole(f"each of {name}", value, least) for value in values)


def check_type(name: str, value: Any, kinds: type | tuple[type, ...], example: str) -> None:
    """Checks the type of a part.

    Raises:
      BadRequest: if it is of another type; the message names the argument and both types, and gives `example`.
    """
    if isinstance(value, kinds):
        return
    wanted = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
    plain = isinstance(value, str | int | float) or value is None
    given = repr(value) if plain else getattr(value, "__name__", type(value).__name__)
    raise BadRequest(f"{name} must be of the type {wanted}, such as {example}, not {given}.")


def as_float(x: Any) -> Any:
    """Examples as inputs of networks: uint8 pixels become float32 in [0, 1] (x / 255), float32 does not change.

    It takes NumPy and JAX arrays, also inside a compiled function.

    Raises:
      BadRequest: for any other dtype.

    >>> as_float(np.array([0, 51, 255], np.uint8)).tolist() == [0.0, float(np.float32(0.2)), 1.0]
    True
    """
    if x.dtype == np.uint8:
        return x.astype(np.float32) / np.float32(255)
    if x.dtype == np.float32:
        return x
    raise BadRequest(f"data must be uint8 or float32, not {x.dtype}: jaxgen.data.load returns one of these.")
