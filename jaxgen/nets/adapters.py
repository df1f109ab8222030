"""Adapters that turn modules of other libraries into a `Network`: pure functions, with noise and state as arguments.

This file has those for Linen and Haiku, whose modules do not contain params. The adapters for Flax NNX and Equinox,
whose modules contain their params, are in `jaxgen.nets.objects`. No library is imported that the user did not import.
"""

import inspect
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import flax.errors
import flax.linen as nn
import jax

from jaxgen.core import BadRequest, Network, nothing
from jaxgen.nets.calls import has_features, is_object, mode, name, parameters, with_both
from jaxgen.nets.checks import checked


def network(module: Any, *, rngs: tuple[str, ...] = (), couples: bool | None = None) -> Network:
    """Turns `module` into a `Network`, which all games accept; a `Network` is returned as it is.

    `module` can be one of these:

    - a Linen module. Its collections other than "params", such as "batch_stats", are the state. `rngs` names the
      streams that it draws from in training, such as ("dropout",).
    - `hk.transform(f)` or `hk.transform_with_state(f)` of Haiku.
    - a function with one argument called `rngs` that returns a Flax NNX module: `lambda rngs: Net(64, rngs=rngs)`. Its
      `nnx.Param`s are the params, other variables are the state, and its `Rngs` are seeded anew in each call.
    - a function with one argument called `key` that returns an Equinox module: `lambda key: Net(64, key=key)`. The
      module is called on one example and vmapped over the batch, with the axis name "batch". A function that returns
      `(module, eqx.nn.State)`, as `eqx.nn.make_with_state(Net)` does, has a state.
    - an NNX or Equinox module itself. Its own params are the initial params for every key and so for every seed. Its
      arrays are copied and never changed.

    If `__call__` has an argument train, training, is_training, deterministic, inference or use_running_average, it is
    set to training if there is noise, and to evaluation if the noise is None. NNX and Equinox modules are put into the
    same mode. Running statistics change in training only. If the module has a method `hidden` with the arguments of
    `__call__`, its output is the network's features.

    Modules of these libraries draw random numbers inside their computation. So the noise of such a network is not an
    array of numbers but the key or keys from which the module draws in `apply`. Its random numbers can be repeated, but
    they are not visible as arguments.

    Args:
      module: one of the above.
      rngs: the random streams of a Linen module; other libraries need none.
      couples: whether the output of an example depends on the rest of its batch in training, as with batch
        normalisation, so that a step cannot split the batch. By default it is True if an NNX or Equinox module has a
        `BatchNorm` of its library. For Linen and Haiku only `init` can detect batch norm, and it then requires
        `couples`; False is right if the statistics never change.

    Returns:
      A network whose `init` also traces one call in training and one in evaluation, to report early what would fail.

    Raises:
      BadRequest: for anything else, such as a class or a plain function; in `init`, for a module that cannot be called
        with the inputs, returns a tuple, draws from a stream that `rngs` does not name, draws or changes its state in
        evaluation, changes the shapes of its state, or has batch norm without `couples`.

    >>> import flax.linen as nn, jax.numpy as jnp
    >>> net = network(nn.Sequential([nn.Dense(8), nn.relu, nn.Dense(1)]))
    >>> params, state = net.init(jax.random.key(0), jnp.zeros((5, 3)))
    >>> net.apply(params, state, None, jnp.zeros((5, 3)))[0].shape
    (5, 1)
    """
    return _adapted(module, rngs, couples, tuples=False)


def _adapted(module: Any, rngs: tuple[str, ...], couples: bool | None, tuples: bool) -> Network:
    """`network`, for modules that with `tuples` may return several arrays."""
    if isinstance(rngs, str):
        raise BadRequest(f"rngs is a tuple of names, not {rngs!r}: pass rngs=({rngs!r},).")
    if isinstance(module, Network):
        if rngs:
            raise BadRequest("rngs names the streams of a Linen module, and this is a Network, which draws its noise.")
        return module._replace(couples=module.couples or bool(couples))
    if isinstance(module, nn.Module):
        return checked(_linen(module, rngs), module, couples, tuples)
    if rngs:
        raise BadRequest(f"rngs names the streams of a Linen module, and {name(module)} is none: leave rngs out.")
    if getattr(module, "_fields", None) == ("init", "apply") and type(module).__name__.startswith("Transformed"):
        return checked(_haiku(module), module, couples, tuples)
    library = _library(module)
    if library is None:
        raise BadRequest(_refusal(module))
    from jaxgen.nets import objects

    return checked(getattr(objects, library)(module), module, couples, tuples)


def pure(module: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(init, apply) of a small network inside a part, without noise and state: `apply(params, *xs) -> y`.

    Unlike the output of a `network`, y may be a tuple of arrays.

    Raises:
      BadRequest: as in `network`; in `init`, for a network that has noise or state, which the part would lose.
    """
    net = _adapted(module, (), couples=False, tuples=True)  # with state it is refused below, whatever it is for

    def init(key, *xs):
        params, state = net.init(key, *xs)
        if jax.tree.leaves(state) or net.draw is not nothing:
            raise BadRequest(f"{name(module)} has noise or state, and a network of this part can have neither.")
        return params

    return init, lambda params, *xs: net.apply(params, {}, None, *xs)[0]


def _linen(module: nn.Module, rngs: tuple[str, ...]) -> Network:
    def init(key, *xs):
        streams = {name: jax.random.fold_in(key, i) for i, name in enumerate(rngs)}
        variables = dict(module.init({"params": key} | streams, *xs, **mode(module.__call__)(False)))
        return variables.pop("params", {}), variables

    def is_hidden(part, method):
        return method == "hidden" and not part.path

    def call(method, params, state, noise, *xs, keeps=False):
        """Calls a method; with `keeps` it also returns a tuple of the outputs of `hidden` during this call."""
        train = noise is not None
        options = mode(getattr(module, method))(train) | ({"rngs": noise} if train and rngs else {})
        mutable = list(state) if train and state else False
        capture = {"capture_intermediates": is_hidden} if keeps else {}
        try:
            out = module.apply({"params": params, **state}, *xs, method=method, mutable=mutable, **options, **capture)
        except flax.errors.InvalidRngError as error:
            raise BadRequest(_stream(module, str(error), train)) from None
        except flax.errors.ModifyScopeVariableError:
            raise BadRequest(
                f"{name(module)} changes its state in evaluation too: give its __call__ an argument train, and change "
                f"the state only if that is True."
            ) from None
        if not keeps:
            return (out[0], dict(out[1])) if mutable else (out, state)
        hidden = out[1].get("intermediates", {}).get("hidden", ())
        return (out[0], hidden), {name: out[1][name] for name in state} if mutable else state

    def both(params, state, noise, *xs):
        (y, hidden), new = call("__call__", params, state, noise, *xs, keeps=True)
        if len(hidden) != 1:  # its __call__ does not call it, or more than once
            hidden = (call("hidden", params, state, noise, *xs)[0],)
        return (y, hidden[0]), new

    def draw(key, *xs):
        return {name: jax.random.fold_in(key, i) for i, name in enumerate(rngs)}

    features = partial(call, "hidden") if has_features(type(module)) else None
    return with_both(Network(init, partial(call, "__call__"), draw if rngs else nothing, features), both)


def _stream(module: Any, error: str, train: bool) -> str:
    match = re.search(r'PRNG for "(\w+)"', error)
    stream = repr(match[1] if match else error)
    if train:
        return f"{name(module)} draws from the stream {stream}: name it, network(module, rngs=({stream},))."
    return (
        f"{name(module)} draws from the stream {stream} in evaluation too: give its __call__ an argument train, and "
        f"draw only if it is True."
    )


def _haiku(module: Any) -> Network:
    names = parameters(module.apply, required=False)
    stateful = type(module).__name__ == "TransformedWithState"
    takes_rng = names[1 + stateful : 2 + stateful] == ["rng"]  # False after `hk.without_apply_rng`
    options = mode(module.apply)

    def init(key, *xs):
        # Only a call in training creates the statistics of batch norm.
        variables = module.init(key, *xs, **options(True))
        return variables if stateful else (variables, {})

    def apply(params, state, noise, *xs):
        train = noise is not None
        before = ((state,) if stateful else ()) + ((noise if train else None,) if takes_rng else ())
        try:
            out = module.apply(params, *before, *xs, **options(train))
        except ValueError as error:
            if train or "PRNG" not in str(error):
                raise
            raise BadRequest(
                "this Haiku network draws random numbers in evaluation too: give its function an argument is_training, "
                "and draw only if it is True."
            ) from None
        return (out[0], out[1] if train else state) if stateful else (out, state)

    return Network(init, apply, (lambda key, *xs: key) if takes_rng else nothing)


def _library(module: Any) -> str | None:
    """The function of `jaxgen.nets.objects` that adapts a module with params, or a function that makes one; or None."""
    for library, argument in (("flax.nnx", "rngs"), ("equinox", "key")):
        if is_object(module, library) or parameters(module) == [argument]:
            return library.removeprefix("flax.")
    return None


def _refusal(module: Any) -> str:
    module = module.func if isinstance(module, partial) else module
    called = name(module)
    if inspect.isclass(module):
        objects = {
            "flax.nnx": f"lambda rngs: {called}(..., rngs=rngs)",
            "equinox": f"lambda key: {called}(..., key=key)",
        }
        for library, factory in objects.items():
            if library in sys.modules and issubclass(module, sys.modules[library].Module):
                return f"{called} is a class: pass {factory}."
        return f"{called} is a class: pass an instance, {called}(...)."
    if type(module).__name__ == "MultiTransformed":
        return "hk.multi_transform makes several functions: pass hk.transform(f) of one."
    if inspect.isroutine(module):
        return (
            f"{called} is a function without params: pass a Linen module, hk.transform({called}) or a jaxgen.Network."
        )
    return f"{called} is no network: pass a Linen, NNX or Equinox module, hk.transform(f), or a jaxgen.Network."
