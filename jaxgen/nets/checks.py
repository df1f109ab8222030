"""Checks of a module when it is initialised, to report early what would fail in training or in evaluation."""

import inspect
from typing import Any

import flax.linen as nn
import jax

from jaxgen.core import BadRequest, Network, nothing
from jaxgen.nets.calls import mode, name


def checked(net: Network, module: Any, couples: bool | None, tuples: bool) -> Network:
    """`net` with an `init` that also traces a call in training and one in evaluation.

    Args:
      net: the network of `module`.
      module: for messages.
      couples: replaces `net.couples`, unless it is None.
      tuples: whether the module may return a tuple.

    Raises:
      BadRequest: in `init`, as described in `jaxgen.nets.network`.
    """

    def init(key, *xs):
        _check_inputs(module, xs)
        try:
            params, state = _tried(net, module, tuples, key, *xs)
        except BadRequest:
            raise
        except (TypeError, ValueError) as error:
            shapes = " and ".join(str(leaf.shape) for leaf in jax.tree.leaves(xs))
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise BadRequest(f"{name(module)} fails on inputs of shapes {shapes}: {reason}") from error
        if couples is None and not net.couples and _normalises_batches(state):
            raise BadRequest(
                f"{name(module)} has batch statistics, so the examples of a batch depend on each other in training: "
                f"use network(module, couples=True)."
            )
        return params, state

    return net._replace(init=init, couples=net.couples if couples is None else couples)


def _tried(net: Network, module: Any, tuples: bool, key: Any, *xs: Any) -> tuple[Any, Any]:
    """(params, state), after a call in training and one in evaluation."""
    params, state = net.init(key, *xs)
    noise = jax.eval_shape(net.draw, key, *xs)
    y, moved = jax.eval_shape(net.apply, params, state, noise, *xs)
    if jax.tree.leaves(state) or net.draw is not nothing:
        jax.eval_shape(lambda params, state, *xs: net.apply(params, state, None, *xs), params, state, *xs)
    if _outline(moved) != _outline(state):
        raise BadRequest(f"{name(module)} changes the shapes or dtypes of its state when it is trained: fix them.")
    if type(y) in (tuple, list) and not tuples:
        raise BadRequest(
            f"{name(module)} returns a {type(y).__name__} of {len(y)}: let it return one array, or a dict of arrays."
        )
    return params, state


def _outline(tree: Any) -> tuple:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(leaf.shape, leaf.dtype) for leaf in leaves]


def _normalises_batches(state: Any) -> bool:
    """Whether the state has the running mean of a batch norm of Linen or Haiku; Linen's spectral norm has none."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    paths = [jax.tree_util.keystr(path, simple=True, separator="/").split("/") for path, _ in leaves]
    return any(("batch_stats" in path and path[-1] == "mean") or "mean_ema" in path for path in paths)


def _check_inputs(module: Any, xs: tuple) -> None:
    """Checks the inputs of a Linen module; modules of other libraries are functions, or are created later."""
    if isinstance(module, nn.Module):
        signature = inspect.signature(module.__call__)
        try:
            signature.bind(*xs, **mode(module.__call__)(True))
        except TypeError:
            given = "(x, condition)" if len(xs) == 2 else f"{len(xs)} inputs"
            raise BadRequest(
                f"{name(module)}.__call__{signature} is called with {given}: give it as many arguments as it has "
                f"inputs, and train by name only."
            ) from None
