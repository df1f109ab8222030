"""Functions Network -> Network. Each takes any module that `network()` takes, they compose, and work in any game.

The outermost acts first: `spectral(cast(net))` divides kernels in float32 and hands the quotients to a network that
computes in bfloat16. Augmentation is in `jaxgen.nets.augmentation`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Network, rows
from jaxgen.nets.adapters import network
from jaxgen.nets.calls import together, whole, with_both

Call = Callable[..., tuple[Any, Any]]  # as `Network.apply`
SHIFTS_AND_SCALES = ("bias", "b", "scale", "offset")  # last names of leaves that are no kernels, whatever their shape


def wrapped(net: Any, wrap: Callable[[Call], Call], **changes: Any) -> Network:
    """`net` with `wrap` around `apply` and `features`, which are called alike; `changes` replace other fields.

    It is put around the function for both too, so what `wrap` is given returns an array, or (y, features).
    """
    net = network(net)
    features, both = (call and wrap(call) for call in (net.features, together(net)))
    return with_both(net._replace(**{"apply": wrap(net.apply), "features": features, **changes}), both)


def mapped(net: Any, after: Callable[[Any], Any]) -> Network:
    """`after` of its output: `mapped(generator, jax.nn.sigmoid)` makes images in [0, 1] of unconstrained numbers.

    Features are those of `net`.
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

    Neighbours of the batch stand side by side on the last axis, [B, ..., C] -> [B / m, ..., m C], and labels [B] become
    [B / m, m]. Examples then see each other: the game has no score and no features of single examples. Augmentation
    goes outside, `ada(packed(critic, m), pipe)`: inside it would change and count packs.

    Raises:
      BadRequest: for an m that is no positive whole number; by `init`, `draw` and `apply`, if m does not divide B.

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
    """`net` computed in `dtype`: its params and inputs are cast, where they are floats. The output is float32.

    Params stay float32 outside, and with them gradients, optimiser and moving averages. State is handed in and kept in
    its own dtype, so that running statistics and the p of `ada` do not stop moving. Noise keeps its dtype too: rounded,
    a uniform number below 1 may be 1, and one operation in 512 would not be done at p = 1. A network of your own that
    adds float32 noise to its layers casts it, `noise.astype(x.dtype)`, or computes in float32 from there on.
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
    """`net` whose forward pass is computed again in the backward pass, at the same noise: less memory, more time."""
    return wrapped(net, jax.checkpoint)


def spectral(net: Any, *, out: int = -1, exclude: tuple[str, ...] = ("embedding", "embeddings")) -> Network:
    """Puts W / sigma(W) in place of every kernel W, sigma its largest singular value by power iteration.

    u, of one number per output, is in the state. Each application takes v = W^T u / |W^T u| and sigma = |W v|; one with
    noise leaves u = W v / |W v|, one that evaluates leaves u as it is. So sigma cannot be negative, and is zero for a
    kernel of zeros only, which stays as it is. The gradient does not pass through u and v, but through sigma:
    d(W / sigma) = (dW - (u^T dW v) W / sigma) / sigma. Miyato et al. 2018, arXiv 1802.05957, algorithm 1.

    A kernel is a leaf of two axes or more that is called neither bias, b, scale nor offset, which have such axes in
    attention and in batch norm, and that is not excluded by name.

    A dense layer is then 1-Lipschitz. A convolution need not be: its windows overlap, and with 4x4 kernels at stride 2
    the map from image to image may be up to twice as steep.

    Args:
      net: a network or module. Around `cast` its kernels are float32: `spectral(cast(net))`.
      out: the axis of a kernel's outputs: W is the matrix [out, the rest]. The last one in Linen, NNX, Haiku and
        `jaxgen.nets`; 0 in Equinox.
      exclude: names in the path of leaves that are no kernels. With `()` the tables of embeddings are divided too, as
        in the projection critic of Miyato and Koyama 2018. Equinox calls the table of an `Embedding` and the scale of
        a `LayerNorm` weight, as it does its kernels: name the attributes that hold such layers, `exclude=("table",)`.

    Raises:
      BadRequest: by `init`, if there is no kernel, or one without an axis `out`.
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
    """Keeps every kernel as W / c and uses c (W / c), c = sqrt(2 / fan-in): equalised learning rate.

    Under an optimiser whose steps do not depend on the size of a gradient, such as Adam, all kernels then move by the
    same part of their size. The network starts as the function that `net` starts as; a kernel that starts He-normal is
    kept as N(0, 1). Karras et al. 2018, arXiv 1710.10196. Kernels, `out` and `exclude` are as of `spectral`, which goes
    inside, `equalised(spectral(net))`: outside it would leave kernels of norm c.

    Raises:
      BadRequest: by `init`, if there is no kernel, or one without an axis `out`.
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
    scale = jnp.where(largest > 0, largest, 1.0)  # of W / scale the squares neither underflow nor overflow
    matrix = jnp.moveaxis(w, out, 0).reshape(w.shape[out], -1) / scale
    held = jax.lax.stop_gradient(matrix)
    row = held[jnp.argmax(jnp.sum(held**2, -1))]  # for a u that W^T takes to zero: |W row| is not zero
    v = _unit(u @ held, _unit(row, row))
    stretched = matrix @ v
    square = jnp.sum(stretched**2)
    sigma = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 1.0)
    return (w / (scale * sigma)).astype(w.dtype), _unit(jax.lax.stop_gradient(stretched), u)


def _unit(x: Array, otherwise: Array) -> Array:
    # The image of a kernel of zeros has no direction: the old u stays, or nothing would ever move it again.
    length = jnp.linalg.norm(x)
    return jnp.where(length > 0, x / jnp.where(length > 0, length, 1.0), otherwise)


def minibatch_std(h: Array, *, group: int = 4) -> Array:
    """Appends a channel: how much a group of examples differ. f32[B, ..., C] -> [B, ..., C + 1].

    The standard deviation over `group` neighbours of the batch, or all of it if it is smaller, averaged over all
    positions and channels. Karras et al. 2018, arXiv 1710.10196, section 3. Groups of 4 as in StyleGAN2's code, which
    takes examples B / group apart where this takes neighbours: in batches of random order either will do. Call it in
    a critic's module before its last layers, and hand the module over with `network(module, couples=True)`.

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
