"""The types that everything here is made of: a generative model is trained by playing a differentiable game.

A VAE is the game with one player, a GAN has two, an adversarial autoencoder two players and three networks.
Randomness is data: a key becomes numbers in `draw`, and everything else is a deterministic function of
(params, noise, batch, context). Of adapted modules, such as one of Linen with dropout, noise is the key that the module
draws from itself. What changes while a game is played is an argument too: a network takes its noise and its state as
arguments, as a loss does.
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
    """What was asked for cannot be done; the message is one line that says what to do. Exit code 2."""

    def __init__(self, message: object):
        """Names of files and keys that the message holds are shown as far as they can be (`one_line`)."""
        super().__init__(one_line(str(message)))


class Batch(NamedTuple):
    """Examples as the networks see them; every leaf is [B, ...]."""

    x: Any  # an array, images NHWC in [0, 1], or a pytree of arrays such as {"a": ..., "b": ...}
    condition: Any = None  # what the model is given beside the noise: labels i32[B], small images, any pytree


class Context(NamedTuple):
    """What a loss reads besides params, noise and batch."""

    step: Array  # i32[], set by the step function; schedules are functions of it
    state: dict[str, Any]  # what no gradient touches, by network or part: running statistics, codebooks


class Aux(NamedTuple):
    """What a loss returns beside its value."""

    info: dict[str, Array] = {}  # figures to look at, f32[] each
    state: dict[str, Any] = {}  # the entries of `context.state` that it replaces; losses of one turn replace others


class Game(NamedTuple):
    """Players, what each of them minimises, and all randomness of a turn."""

    init: Callable[..., tuple[Params, dict[str, Any]]]  # (key, batch) -> (params by player, state by network or part)
    draw: Callable[..., Any]  # (key, batch) -> noise: all randomness of a turn
    losses: Mapping[str, Callable[..., tuple[Array, Aux]]]
    """"player" or "player:term" -> loss (params, noise, batch, context) -> (f32[], Aux), minimised in that player's
    params."""
    model: Callable[..., "Model"]  # (params, state) -> Model
    couples: bool = False  # True if the examples of a batch see each other
    range: tuple[float, float] | None = None  # where its losses take every number of x from; None: anywhere
    turns: tuple[tuple[str, ...], ...] | None = None
    """The turns of a step that no plan says; None: one for each loss, in their order. A game names them where some of
    its losses are parts of another, which its player would pay twice."""


class Model(NamedTuple):
    """A trained game: deterministic functions. None or {} if it lacks one.

    `condition` is that of `Batch`, last everywhere: left out if the game was trained without one, given to `draw` and
    `sample` alike if it was trained with one.
    """

    draw: Callable[..., Any] | None = None  # (key, n, condition) -> noise of n samples
    sample: Callable[..., Any] | None = None  # (noise, condition) -> x [n, ...], in the range of the data
    decode: Callable[..., Any] | None = None  # (z [B, ...], condition) -> x
    encode: Callable[..., Array] | None = None  # (x, condition) -> z [B, ...]
    draw_posterior: Callable[..., Any] | None = None  # (key, K, x, condition) -> noise of K posterior samples each
    log_weight: Callable[..., Array] | None = None  # (noise, x, condition) -> f32[K, B] nats, log p(x, z) - log q(z|x)
    scores: Mapping[str, Callable[..., Array]] = {}
    """Name -> (noise, x, condition) -> f32[B], higher is stranger. The first is the one that the literature uses for
    such a model, as the docstring of its game says; it is used if no labelled anomalies choose another."""
    features: Mapping[str, Callable[..., Array]] = {}  # name -> (x, condition) -> f32[B, F], for a linear probe
    maps: Mapping[str, Callable[..., Any]] = {}  # name -> (x, condition) -> x: reconstruct, restore, translate

    def __repr__(self) -> str:
        """The names of what it has; its functions hold all of the params, and would print them."""
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
    """One evaluation for the output and the features of a network, which has these `apply` and `features`.

    In a network whose `apply` or `features` was replaced it counts for nothing, so a wrapper need not know of it.
    """

    apply: Callable[..., tuple[Any, Any]]
    features: Callable[..., tuple[Array, Any]]
    call: Callable[..., tuple[Any, Any]]  # as apply, for ((y, features), state)


class Network(NamedTuple):
    """A network as pure functions, in the manner of `haiku.transform_with_state` with noise in place of the rng.

    Noise is the randomness of training, such as that of dropout and augmentation. `apply` with noise None evaluates:
    nothing is random, and statistics are read but not moved. What a sample is made of is not noise in this sense but
    an input, z.
    """

    init: Callable[..., tuple[Any, Any]]  # (key, *inputs) -> (params, state)
    apply: Callable[..., tuple[Any, Any]]  # (params, state, noise or None, *inputs) -> (y, state)
    draw: Callable[..., Any] = nothing  # (key, *inputs) -> noise; reads the shapes of its inputs only
    features: Callable[..., tuple[Array, Any]] | None = None  # as apply, for the layer below the last: f32[B, F]
    couples: bool = False  # True if the examples of a batch see each other in training
    both: Both | None = None  # see `jaxgen.nets.calls.together`


def inputs(x: Any, condition: Any = None) -> tuple[Any, ...]:
    """What a network is called with: `(x,)` without a condition, `(x, condition)` with one."""
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
    """`{name: draw(own key, *args)}` of `name=(draw, *args)`; only those that draw anything share the key.

    >>> draw_each(jax.random.key(0), z=(jax.random.normal, (2,)), dropout=(nothing,))["dropout"]
    ()
    """
    drawn = [name for name, (draw, *_) in calls.items() if draw is not nothing]
    keys = dict(zip(drawn, [key] if len(drawn) == 1 else jax.random.split(key, len(drawn)), strict=True))
    return {name: draw(keys.get(name, key), *args) for name, (draw, *args) in calls.items()}


def repeat(tree: Any, samples: int) -> Any:
    """Leaves [B, ...] -> [samples * B, ...], sample after sample; None stays None."""
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
    """The player whose params a loss is minimised in: `critic:penalty` is another loss of `critic`.

    >>> player("critic:penalty"), player("generator")
    ('critic', 'generator')
    """
    return name.partition(":")[0]


def whole(name: str, value: Any, least: int) -> int:
    """`value` as an int: a whole number of at least `least`, of Python or NumPy; True and False are none.

    Raises:
      BadRequest: names the argument.

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
    """A tuple of at least one whole number, each at least `least`.

    Raises:
      BadRequest: names the argument.

    >>> wholes("positions", [7, 7], 1)
    (7, 7)
    """
    if not isinstance(values, tuple | list) or not values:
        raise BadRequest(f"{name}={values!r}: it must be a tuple of at least one whole number, such as (7,).")
    return tuple(whole(f"each of {name}", value, least) for value in values)


def check_type(name: str, value: Any, kinds: type | tuple[type, ...], example: str) -> None:
    """Refuses a part of another type.

    Raises:
      BadRequest: names the argument, the types and what was found; `example` says what to write.
    """
    if isinstance(value, kinds):
        return
    wanted = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
    plain = isinstance(value, str | int | float) or value is None
    given = repr(value) if plain else getattr(value, "__name__", type(value).__name__)
    raise BadRequest(f"{name} must be of the type {wanted}, such as {example}, not {given}.")


def as_float(x: Any) -> Any:
    """Examples as the networks see them: uint8 pixels as float32 in [0, 1] (x / 255), float32 as it is.

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
