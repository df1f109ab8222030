"""Self-attention by NumPy, its start, and its kernels under spectral norm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import quotients
from scipy import special

from jaxgen.core import BadRequest
from jaxgen.nets import SelfAttention, network, spectral

X = np.random.default_rng(0).normal(size=(2, 2, 3, 16)).astype("f")
KEY = jax.random.key(0)


def by_numpy(p, x):
    """For each position its own sum over all others, in float64."""
    out = x.astype("d").copy()
    for b in range(len(x)):
        at = x[b].reshape(-1, x.shape[-1]).astype("d")
        f, g, h = (at @ p[name]["kernel"] for name in "fgh")
        for j in range(len(at)):
            share = special.softmax(f @ g[j])
            out[b].reshape(-1, x.shape[-1])[j] += p["gain"] * ((share @ h) @ p["v"]["kernel"])
    return out


def test_values_and_gradient_by_hand():
    # Kills: a softmax over the other axis; keys and queries exchanged; examples that see each other; no residual.
    net = network(SelfAttention())
    params, state = net.init(KEY, X)
    assert {name: params[name]["kernel"].shape for name in "fghv"} == {
        "f": (16, 2),
        "g": (16, 2),
        "h": (16, 8),
        "v": (8, 16),
    }
    np.testing.assert_array_equal(net.apply(params, state, None, X)[0], X)
    params = params | {"gain": jnp.float32(0.7)}
    wide = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    np.testing.assert_allclose(net.apply(params, state, None, X)[0], by_numpy(wide, X), rtol=1e-4, atol=1e-5)
    weight = np.cos(np.arange(X.size)).reshape(X.shape)

    def total(kernel):
        return np.sum(weight * by_numpy(wide | {"f": {"kernel": kernel}}, X))

    grad = jax.jit(jax.grad(lambda p: jnp.sum(jnp.asarray(weight, "f") * net.apply(p, state, None, X)[0])))(params)
    np.testing.assert_allclose(grad["f"]["kernel"], quotients(total, wide["f"]["kernel"]), rtol=1e-3, atol=1e-4)


def test_spectral_norm_takes_its_kernels():
    # Kills: a gain that is divided by itself; a kernel that is left out.
    state = jax.eval_shape(spectral(SelfAttention()).init, KEY, X)[1]
    assert set(state["u"]) == {f"{name}/kernel" for name in "fghv"}


def test_few_channels_and_vectors():
    # Kills: layers of no channels; a vector as an image of one row.
    x = X[..., :3]
    assert jax.eval_shape(lambda: network(SelfAttention()).init(KEY, x))[0]["f"]["kernel"].shape == (3, 1)
    with pytest.raises(BadRequest, match=r"\[B, h, w, C\]"):
        SelfAttention().init(KEY, X[0, 0])
