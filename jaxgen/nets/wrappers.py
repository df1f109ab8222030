"""Wrappers: functions Network -> Network. Each accepts what `network()` accepts. They compose and work in any game.

The outermost wrapper acts first on params: `spectral(cast(net))` divides kernels in float32 and passes the quotients to
a network that computes in bfloat16. Augmentation is in `jaxgen.nets.augmentation`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Network, rows
from jaxgen.nets.adapters import network
from jaxgen.nets.calls import together, whole, with_both

Call = Callable[..., tuple[Any, Any]]  # with the signature of `Network.apply`
SHIFTS_AND_SCALES = ("bias", "b", "scale", "offset")  # leaves with these names are no kernels, whatever their shape


def wrapped(net: Any, wrap: Callable[[Call], Call], **changes: Any) -> Network:
    """`net` with `wrap` applied to `apply` and `features`, which have one signature; `changes` replace other fields.

    `wrap` is also applied to the function that computes both. So the function that it receives returns an array or
    (y, features).
    """
    net = network(net)
    features, both = (call and wrap(call) for call in (net.features, together(net)))
    return with_both(net._replace(**{"apply": wrap(net.apply), "features": features, **changes}), both)


def mapped(net: Any, after: Callable[[Any], Any]) -> Network:
    """Applies `after` to the output of `net`: `mapped(generator, jax.nn.sigmoid)` returns images in [0, 1].

    Its features are those of `net`.
    """
    net = network(net)

    def apply(params, state, noise, *xs):
        y, state = net.apply(params, state, noise, *xs)
        return after(y), state

    inner = together(net)

    def both(params, state, noise, *xs):
        (y, features), state = inner(params, state, noise, *xs)
        return (after(y), features), state

    return with_both(net._replace(apply=apply), inner and both)


def packed(critic: Any, m: int) -> Network:
    """PacGAN: one logit for m examples, m >= 1. Lin et al. 2018, arXiv 1712.04086.

    Consecutive examples of the batch are concatenated on the last axis, [B, ..., C] -> [B / m, ..., m C], and labels
    [B] become [B / m, m]. The critic then couples examples, so the game has neither scores nor features of single
    examples. Apply augmentation outside, `ada(packed(critic, m), pipe)`; inside it would augment and count packs.

    Raises:
      BadRequest: if m is no positive whole number; in `init`, `draw` and `apply`, if m does not divide B.

    >>> net = packed(Network(lambda key, x: ((), ()), lambda params, state, noise, x: (x, state)), 2)
    >>> net.apply((), (), None, jnp.array([[1], [2], [3], [4]]))[0].tolist()
    [[1, 2], [3, 4]]
    """
    critic, size = network(critic), whole(m)
    if size is None or size < 1:
        raise BadRequest(f"a pack has a whole number of examples, at least 1, not {m}.")

    def pack(xs):
        if rows(xs) % size:
            raise BadRequest(f"packs of {size} do not divide a batch of {rows(xs)}: choose a multiple of {size}.")

        def side_by_side(a):
            last = a.shape[-1] if a.ndim > 1 else 1
            parts = jnp.moveaxis(a.reshape(-1, size, *a.shape[1:-1], last), 1, -2)
            return parts.reshape(*parts.shape[:-2], size * last)

        return jax.tree.map(side_by_side, xs)

    return critic._replace(
        init=lambda key, *xs: critic.init(key, *pack(xs)),
        apply=lambda params, state, noise, *xs: critic.apply(params, state, noise, *pack(xs)),
        draw=lambda key, *xs: critic.draw(key, *jax.eval_shape(pack, xs)),
        features=None,
        couples=True,
    )


def cast(net: Any, dtype: Any = jnp.bfloat16) -> Network:
    """Computes `net` in `dtype`: float params and inputs are cast to it. The output is float32.

    Outside, params stay float32, and so do gradients, optimiser and moving averages. State keeps its dtype, because
    in low precision running statistics and the p of `ada` would stop changing. Noise keeps its dtype too, because a
    uniform number below 1 may round to 1, and then one operation in 512 would be skipped at p = 1. If your own network
    adds float32 noise to its layers, cast it with `noise.astype(x.dtype)`; otherwise all later layers compute in
    float32.
    """

    def to(dtype):
        return lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a

    def wrap(call):
        def apply(params, state, noise, *xs):
            params, xs = jax.tree.map(to(dtype), (params, xs))
            y, new = call(params, state, noise, *xs)
            return jax.tree.map(to(jnp.float32), y), jax.tree.map(lambda a, old: a.astype(old.dtype), new, state)

        return apply

    return wrapped(net, wrap)


def remat(net: Any) -> Network:
    """`net` whose forward pass is repeated in the backward pass, with the same noise: less memory, more time."""
    return wrapped(net, jax.checkpoint)


def spectral(net: Any, *, out: int = -1, exclude: tuple[str, ...] = ("embedding", "embeddings")) -> Network:
    """Spectral normalisation: divides each kernel W by its largest singular value sigma, found by power iteration.

    The state holds u, with one number per output. Each call computes v = W^T u / |W^T u| and sigma = |W v|. In training
    (with noise) the new u is W v / |W v|; in evaluation u does not change. sigma is never negative, and it is zero only
    if W is zero, which is then left unchanged. The gradient passes through sigma but not through u and v:
    d(W / sigma) = (dW - (u^T dW v) W / sigma) / sigma. Miyato et al. 2018, arXiv 1802.05957, algorithm 1.

    A kernel is a leaf with two axes or more whose path has no name in `exclude` and that is not called bias, b, scale
    or offset; such leaves of attention and of batch norm may have two axes.

    A dense layer is then 1-Lipschitz. A convolution need not be, because its windows overlap: with 4x4 kernels at
    stride 2 the Lipschitz constant of the map from image to image may be up to 2.

    Args:
      net: a network or module. To normalise kernels in float32, put it outside of `cast`: `spectral(cast(net))`.
      out: the axis of a kernel's outputs, so that W is the matrix [out, all other axes]. It is the last axis in Linen,
        NNX, Haiku and `jaxgen.nets`, and axis 0 in Equinox.
      exclude: leaves with one of these names in their path are no kernels. With `()` the tables of embeddings are
        divided too, as in the projection critic of Miyato and Koyama 2018. In Equinox the table of an `Embedding` and
        the scale of a `LayerNorm` are called weight, as kernels are; exclude the attributes that hold such layers, as
        in `exclude=("table",)`.

    Raises:
      BadRequest: in `init`, if there is no kernel, or one without an axis `out`.
    """
    net = network(net)

    def kernels(params):
        return {name: w for name, w in _named(params) if _is_kernel(name.split("/"), w, exclude)}

    def draw_start(key, w):
        return jax.random.normal(key, (w.shape[out],), dtype=jnp.float32)

    def init(key, *xs):
        k_net, k_u = jax.random.split(key)
        params, state = net.init(k_net, *xs)
        by_name = kernels(params)
        _check_kernels("spectral() divides", by_name, out)
        keys = zip(by_name.items(), jax.random.split(k_u, len(by_name)), strict=True)
        return params, {"net": state, "u": {name: _power(w, draw_start(k, w), out)[1] for (name, w), k in keys}}

    def wrap(call):
        def apply(params, state, noise, *xs):
            pairs = {name: _power(w, state["u"][name], out) for name, w in kernels(params).items()}
            quotients = {name: quotient for name, (quotient, _) in pairs.items()}
            leaves = [quotients.get(name, leaf) for name, leaf in _named(params)]
            y, inner = call(jax.tree.unflatten(jax.tree.structure(params), leaves), state["net"], noise, *xs)
            new = {"net": inner, "u": {name: u for name, (_, u) in pairs.items()}}
            return y, state if noise is None else new

        return apply

    return wrapped(net, wrap, init=init)


def equalised(net: Any, *, out: int = -1, exclude: tuple[str, ...] = ("embedding", "embeddings")) -> Network:
    """Equalised learning rate: params hold W / c for each kernel W; the network uses c (W / c), c = sqrt(2 / fan-in).

    With an optimiser whose step size does not depend on the size of the gradient, such as Adam, all kernels then change
    by the same relative amount. The initial function is that of `net`; if W is initialised He-normal, W / c is N(0, 1).
    Karras et al. 2018, arXiv 1710.10196. Kernels, `out` and `exclude` are as in `spectral`. Combined with it, use
    `equalised(spectral(net))`, because `spectral` on the outside would leave kernels of norm c.

    Raises:
      BadRequest: in `init`, if there is no kernel, or one without an axis `out`.
    """
    net = network(net)

    def scaled(params, invert):
        def of(path, w):
            if not _is_kernel(path, w, exclude):
                return w
            c = (2 * w.shape[out] / w.size) ** 0.5
            return w / c if invert else w * c

        named = [of(name.split("/"), w) for name, w in _named(params)]
        return jax.tree.unflatten(jax.tree.structure(params), named)

    def init(key, *xs):
        params, state = net.init(key, *xs)
        kernels = {name: w for name, w in _named(params) if _is_kernel(name.split("/"), w, exclude)}
        _check_kernels("equalised() scales", kernels, out)
        return scaled(params, True), state

    return wrapped(net, lambda call: lambda params, *args: call(scaled(params, False), *args), init=init)


def _is_kernel(path: list[str], w: Array, exclude: tuple[str, ...]) -> bool:
    return w.ndim > 1 and path[-1] not in SHIFTS_AND_SCALES and not set(exclude) & set(path)


def _check_kernels(does: str, kernels: dict[str, Array], out: int) -> None:
    if not kernels:
        raise BadRequest(f"{does} kernels, leaves of at least two axes, and this network has none.")
    for name, w in kernels.items():
        if not -w.ndim <= out < w.ndim:
            raise BadRequest(f"the kernel {name} of {w.shape} has no axis {out}: choose another `out`.")


def _named(params: Any) -> list[tuple[str, Array]]:
    """The leaves in their order, each with its path such as `Dense_0/kernel`."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves]


def _power(w: Array, u: Array, out: int) -> tuple[Array, Array]:
    """(W / sigma, the next u), one step of power iteration from u."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(w)).astype(jnp.float32))
    scale = jnp.where(largest > 0, largest, 1.0)  # the squares of W / scale neither underflow nor overflow
    matrix = jnp.moveaxis(w, out, 0).reshape(w.shape[out], -1) / scale
    held = jax.lax.stop_gradient(matrix)
    row = held[jnp.argmax(jnp.sum(held**2, -1))]  # replaces v if W^T u is zero, because |W row| is not zero
    v = _unit(u @ held, _unit(row, row))
    stretched = matrix @ v
    square = jnp.sum(stretched**2)
    sigma = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 1.0)
    return (w / (scale * sigma)).astype(w.dtype), _unit(jax.lax.stop_gradient(stretched), u)


def _unit(x: Array, otherwise: Array) -> Array:
    # If the kernel is zero, W v has no direction. The old u is kept, because a zero u could never change again.
    length = jnp.linalg.norm(x)
    return jnp.where(length > 0, x / jnp.where(length > 0, length, 1.0), otherwise)


def minibatch_std(h: Array, *, group: int = 4) -> Array:
    """Minibatch standard deviation: appends a channel that says how much a group of examples varies.

    f32[B, ..., C] -> [B, ..., C + 1]. The new channel is the standard deviation over `group` consecutive examples (over
    the whole batch if that is smaller), averaged over all positions and channels. Karras et al. 2018, arXiv 1710.10196,
    section 3. Groups of 4 are as in StyleGAN2's code, which groups examples B / group apart; in batches of random order
    this makes no difference. Call it in the module of a critic before its last layers, and pass the module as
    `network(module, couples=True)`.

    Raises:
      BadRequest: if the group does not divide the batch.

    >>> minibatch_std(jnp.array([[1.0], [3.0], [5.0], [5.0]]), group=2).round(2).tolist()
    [[1.0, 1.0], [3.0, 1.0], [5.0, 0.0], [5.0, 0.0]]
    """
    group = min(group, len(h))
    if len(h) % group:
        raise BadRequest(f"groups of {group} do not divide a batch of {len(h)}: choose a multiple of {group}.")
    groups = h.reshape(-1, group, *h.shape[1:])
    spread = jnp.sqrt(jnp.var(groups, axis=1) + 1e-8)  # the root of zero has no gradient
    channel = jnp.repeat(spread.mean(axis=tuple(range(1, spread.ndim))), group).reshape(-1, *[1] * (h.ndim - 1))
    return jnp.concatenate([h, jnp.broadcast_to(channel, (*h.shape[:-1], 1))], -1)
