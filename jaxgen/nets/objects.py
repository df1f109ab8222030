"""Adapters for modules of Flax NNX and Equinox, which contain their params: see `jaxgen.nets.adapters.network`.

A module is split into params, which are trained; other arrays, which are the state, except for the random streams of
NNX; and a static rest. Params and state are flat dicts by path, such as {"layers/0/kernel": ...}, without objects of
the library, so that any checkpoint can store them. A module with batch norm couples the examples of a batch.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import BadRequest, Network, nothing
from jaxgen.nets.calls import has_features, is_object, mode

Parts = tuple[Any, ...]  # trees of one module


def _factory(module: Any, library: str) -> Callable[[Any], Any]:
    """The function that makes the module; for a module itself, a function that copies its arrays."""
    if not is_object(module, library):
        return module
    return lambda _: jax.tree.map(lambda leaf: jnp.array(leaf) if isinstance(leaf, jax.Array) else leaf, module)


def _flat(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="/").removesuffix("/value"): leaf for path, leaf in leaves
    }


def _filled(tree: Any, flat: dict[str, Any]) -> Any:
    """`tree` with the leaves of `flat`, found by path, because JAX sorts the keys of a dict."""
    return jax.tree.unflatten(jax.tree.structure(tree), [flat[name] for name in _flat(tree)])


def _outline(cut: Callable[[Any], Parts], key: Any, arrays: int) -> Parts:
    """The result of `cut(key)` without computing it: the first `arrays` parts are shapes only."""
    static: list[Any] = []

    def traced(key):
        parts = cut(key)
        static[:] = parts[arrays:]
        return parts[:arrays]

    return (*jax.eval_shape(traced, key), *static)


def nnx(module: Any) -> Network:
    """An NNX module, or a function `(rngs) -> module`."""
    from flax import nnx as library

    make = _factory(module, "flax.nnx")

    def cut(key):
        module = make(library.Rngs(key))
        if not isinstance(module, library.Module):
            raise BadRequest(f"the function of `rngs` makes a {type(module).__name__}: let it return an nnx.Module.")
        couples = any(isinstance(part, library.BatchNorm) for _, part in library.iter_modules(module))
        parts = library.split(module, library.Param, library.RngState, ...)[1:]
        return (*parts, library.graphdef(module), type(module), couples)

    shapes, streams, rest, graph, kind, couples = _outline(cut, jax.random.key(0), 3)
    draws = bool(jax.tree.leaves(streams))

    def init(key, *xs):
        params, _, state, *_ = cut(key)
        return _flat(params), _flat(state)

    def seeded(key):
        leaves, structure = jax.tree.flatten(streams)
        filled = []
        for i, leaf in enumerate(leaves):
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                stream_key = jax.random.fold_in(key, i)
                filled.append(jax.random.split(stream_key, leaf.shape) if leaf.shape else stream_key)
            else:
                filled.append(jnp.zeros(leaf.shape, leaf.dtype))  # how often the stream was drawn from
        return jax.tree.unflatten(structure, filled)

    def call(method, params, state, noise, *xs):
        train = noise is not None
        before = seeded(noise if train and draws else jax.random.key(0))
        module = library.merge(graph, _filled(shapes, params), before, _filled(rest, state), copy=True)
        (module.train if train else module.eval)()
        function = getattr(module, method)
        y = function(*xs, **mode(function)(train))
        _, _, after, moved = library.split(module, library.Param, library.RngState, ...)
        if not train and any(a is not b for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True)):
            raise BadRequest(f"{kind.__name__} draws from its rngs in evaluation too: draw only if it trains.")
        moved = _flat(moved)
        return y, {name: moved[name] for name in state} if train else state

    draw = (lambda key, *xs: key) if draws else nothing
    features = partial(call, "hidden") if has_features(kind) else None
    return Network(init, partial(call, "__call__"), draw, features, couples)


def equinox(module: Any) -> Network:
    """An Equinox module of one example, or a function `(key) -> module` or `(key) -> (module, eqx.nn.State)`."""
    import equinox as eqx

    def normalises(built):
        def is_norm(part):
            return isinstance(part, eqx.nn.BatchNorm)

        return any(map(is_norm, jax.tree.leaves(built, is_leaf=is_norm)))

    make = _factory(module, "equinox")

    def cut(key):
        module = make(key)
        built, memory = module if isinstance(module, tuple) and len(module) == 2 else (module, None)
        if not isinstance(built, eqx.Module) or not callable(built):
            raise BadRequest(f"the function of `key` makes a {type(built).__name__}: let it return an eqx.Module.")
        params, others = eqx.partition(built, eqx.is_inexact_array)
        arrays, static = eqx.partition(others, eqx.is_array)
        return params, {"module": arrays, "state": memory}, static, type(built), normalises(built)

    shapes, rest, static, kind, couples = _outline(cut, jax.random.key(0), 2)
    stateful = rest["state"] is not None
    keyed = "key" in inspect.signature(kind.__call__).parameters

    def init(key, *xs):
        params, state, *_ = cut(key)
        return _flat(params), _flat(state)

    def call(method, params, state, noise, *xs):
        train = noise is not None
        others = _filled(rest, state)  # an eqx.nn.State can be used only once, so each call makes its own
        module = eqx.combine(_filled(shapes, params), others["module"], static)
        function = getattr(eqx.nn.inference_mode(module, not train), method)
        options = mode(function)(train)

        def one(memory, key, *xs):
            last = (memory,) if stateful else ()
            y = function(*xs, *last, **options, **({"key": key} if keyed else {}))
            return y if stateful else (y, None)

        keys = noise if train and keyed else None
        mapped = jax.vmap(one, in_axes=(None, 0, *(0 for _ in xs)), out_axes=(0, None), axis_name="batch")
        y, memory = mapped(others["state"], keys, *xs)
        return y, _flat({"module": others["module"], "state": memory}) if train else state

    def draw(key, *xs):
        return jax.random.split(key, jax.tree.leaves(xs)[0].shape[0])

    features = partial(call, "hidden") if has_features(kind) else None
    return Network(init, partial(call, "__call__"), draw if keyed else nothing, features, couples)
