"""Which kernel is the last: of the library's own decoders, in wrappers, of several branches."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxgen.core import BadRequest, Network
from jaxgen.nets import network, networks
from jaxgen.nets.last import last_kernels
from jaxgen.nets.wrappers import cast, mapped, remat, spectral


def chosen(net, *xs):
    """The paths of the last kernels."""
    net = network(net)
    params, state = jax.eval_shape(net.init, jax.random.key(0), *xs)
    params, state = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), (params, state))
    flags = last_kernels(lambda p: net.apply(p, state, net.draw(jax.random.key(0), *xs), *xs)[0], params)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(params)[0]]
    return [path for path, flag in zip(paths, flags, strict=True) if flag]


DENSE = networks((8, 8, 1), width=8).decoder(1)
UP = networks((32, 32, 1), width=8).decoder(1)
Z = jnp.zeros((2, 3))


@pytest.mark.parametrize(
    ("net", "xs", "expected"),
    [
        (DENSE, (Z,), "['Dense_0']['kernel']"),
        (networks((8, 8, 1), condition=10, width=8).decoder(1), (Z, jnp.zeros(2, jnp.int32)), "['Dense_0']['kernel']"),
        (UP, (Z,), "['Up_2']['kernel']"),
        (spectral(DENSE), (Z,), "['Dense_0']['kernel']"),
        (mapped(remat(cast(UP)), jax.nn.sigmoid), (Z,), "['Up_2']['kernel']"),
    ],
    ids=["dense", "labels", "convolutions", "spectral", "wrapped"],
)
def test_the_last_kernel_of_decoders(net, xs, expected):
    # Kills: the first kernel, or the last by name (Dense_0 of a generator stands after its trunk, which has its own);
    # a bias; programs inside a program that count as one operation, so that in remat all kernels are last.
    assert chosen(net, *xs) == [expected]


def test_a_last_kernel_that_is_divided_by_its_norm():
    # Kills: operations on params alone as layers that follow, so that the kernel before the last has fewer of them.
    class Normed(nn.Module):
        @nn.compact
        def __call__(self, z):
            last = self.param("last", nn.initializers.normal(1.0), (4, 2))
            return jnp.tanh(nn.Dense(4)(z)) @ jax.jit(lambda w: w / jnp.linalg.norm(w, axis=0, keepdims=True))(last)

    assert chosen(Normed(), Z) == ["['last']"]


def test_branches_of_one_depth_are_both_last_and_what_is_not_used_is_not():
    # Kills: one of two kernels that stand side by side; a kernel on which nothing depends.
    def apply(p, state, noise, x):
        h = jnp.tanh(x @ p["first"])
        return jnp.concatenate([h @ p["left"], h @ p["right"]], -1), state

    shapes = {"first": (3, 4), "left": (4, 1), "right": (4, 1), "unused": (4, 4)}
    net = Network(lambda key, x: ({name: jnp.ones(shape) for name, shape in shapes.items()}, ()), apply)
    assert chosen(net, Z) == ["['left']", "['right']"]


def test_without_a_kernel():
    # Kills: the minimum of nothing.
    with pytest.raises(BadRequest, match="has no kernel"):
        last_kernels(lambda p: p * Z, jnp.ones(()))
