"""Heads that read the features of a critic, in addition to its own last layer."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax.linen import initializers

from jaxgen.core import Array, BadRequest, Network, nothing, whole
from jaxgen.nets.adapters import network
from jaxgen.nets.calls import together
from jaxgen.nets.conditions import check_condition, check_given


def projected(critic: Any, condition: int | tuple[int, ...]) -> Network:
    """D(x, y) = D(x) + <v_y, f(x)>, with the features f and the logits D of a critic that does not see y.

    v_y is the row y of a table V [classes, F], or y V for a vector y. If log p(y|x) - log q(y|x) of data and model is
    linear in f(x), as for a softmax, the optimum under the classifier's loss has this form, with D(x) = log p(x)/q(x).
    Miyato and Koyama 2018, arXiv 1802.05637. Params are {"net", "embedding"}; the table is initialised Glorot-uniform,
    as theirs. A label outside of 0 ... classes - 1 adds nothing.

    Use spectral normalisation outside: `spectral(projected(critic, 10), exclude=())` divides the table too, as they do.

    Args:
      critic: a network x -> logits [B, ...] with features [B, F], such as `Critic` of `jaxgen.nets`. The inner product
        is added to each logit of an example.
      condition: a number of classes, for labels i32[B], or the shape (N,) of a vector.

    Returns:
      A network (x, y) -> logits, whose features are those of `critic`. It evaluates `critic` once if that is a Linen
      module whose `__call__` calls its `hidden` once, in any wrappers of `jaxgen.nets`. For other critics the layers
      below the last are computed twice, at least in the backward pass.

    Raises:
      BadRequest: for a critic without features, or another kind of condition; when it is traced, for another y.

    >>> from jaxgen.nets import networks
    >>> net = projected(networks((2,)).critic, 3)
    >>> x, label = jnp.ones((3, 2)), jnp.arange(3)
    >>> jax.eval_shape(lambda: net.apply(*net.init(jax.random.key(0), x, label), None, x, label)[0]).shape
    (3,)
    """
    net, hidden, both = _with_features("projected", critic)
    form = check_condition(condition)
    if form is None or (isinstance(form, tuple) and len(form) != 1):
        raise BadRequest(f"projected() takes a number of classes or the shape (N,) of a vector, not {condition!r}.")
    rows = form if isinstance(form, int) else form[0]

    def init(key, x, y):
        k_net, k_table = jax.random.split(key)
        params, state = net.init(k_net, x)
        width = jax.eval_shape(hidden, params, state, None, x)[0].shape[-1]
        table = initializers.glorot_uniform()(k_table, (rows, width), jnp.float32)
        return {"net": params, "embedding": table}, state

    def apply(params, state, noise, x, y):
        check_given(form, y)
        (logits, features), new = both(params["net"], state, noise, x)
        added = jnp.sum(_rows(params["embedding"], y) * features, -1)
        return logits + added.reshape(-1, *[1] * (logits.ndim - 1)), new

    return net._replace(
        init=init,
        apply=apply,
        draw=nothing if net.draw is nothing else lambda key, x, y: net.draw(key, x),
        features=lambda params, state, noise, x, y=None: hidden(params["net"], state, noise, x),
    )


def branched(critic: Any, outputs: int) -> Network:
    """(D(x), f(x) W + b): the logits of a critic, and `outputs` further numbers that are linear in its features f.

    Both share all layers below the last, as the classifier of AC-GAN and the Q of InfoGAN do. Params are {"net",
    "head"}; in the head W is initialised with variance 1 / F and b with zero. The head is no part of `critic`:
    `branched(spectral(critic), O)` does not normalise it, but `spectral(branched(critic, O))` does.

    Args:
      critic: a network (x, ...) -> logits with features [B, F]; it may be augmented or spectrally normalised.
      outputs: O.

    Returns:
      A network (x, ...) -> (logits, f32[B, O]), whose features are those of `critic`, which is evaluated as often as in
      `projected`.

    Raises:
      BadRequest: for a critic without features, or an O that is no whole number of at least 1.
    """
    net, hidden, both = _with_features("branched", critic)
    outputs = whole("outputs", outputs, 1)

    def init(key, *xs):
        k_net, k_head = jax.random.split(key)
        params, state = net.init(k_net, *xs)
        width = jax.eval_shape(hidden, params, state, None, *xs)[0].shape[-1]
        kernel = initializers.lecun_normal()(k_head, (width, outputs), jnp.float32)
        return {"net": params, "head": {"kernel": kernel, "bias": jnp.zeros(outputs, dtype=jnp.float32)}}, state

    def apply(params, state, noise, *xs):
        (logits, features), new = both(params["net"], state, noise, *xs)
        return (logits, features @ params["head"]["kernel"] + params["head"]["bias"][None]), new

    return net._replace(
        init=init,
        apply=apply,
        features=lambda params, state, noise, *xs: hidden(params["net"], state, noise, *xs),
    )


def _with_features(name: str, critic: Any) -> tuple[Network, Callable[..., Any], Callable[..., Any]]:
    """(net, its features, its logits and features)."""
    net = network(critic)
    hidden = net.features
    if hidden is None:
        raise BadRequest(f"{name}() needs the features of a critic: give its module a method `hidden`.")

    def twice(params, state, noise, *xs):
        logits, new = net.apply(params, state, noise, *xs)
        return (logits, hidden(params, state, noise, *xs)[0]), new

    return net, hidden, together(net) or twice


def _rows(table: Array, y: Array) -> Array:
    """[B, F]: a product and no gather, whose gradient would be a slow scatter on CPU."""
    given = jax.nn.one_hot(y, len(table), dtype=jnp.float32) if jnp.issubdtype(y.dtype, jnp.integer) else y
    return given.astype(table.dtype) @ table
