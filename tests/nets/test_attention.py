"""Self-attention by NumPy, its start, and its kernels under spectral norm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import quotients
from scipy import special

from jaxgen.core import BadRequest
from jaxgen.nets import SelfAttention, network, networks, spectral

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 2, 3, 16)).astype("f")
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


@pytest.mark.parametrize(("shape", "channels"), [((8, 8, 1), 2), pytest.param((32, 32, 1), 4, marks=pytest.mark.slow)])
def test_networks_attend_at_8_by_8_or_at_4_by_4(shape, channels):
    # Kills: attention at another layer, in one of the two networks, or none; small images that do not convolve; a layer
    # that changes what the networks are before its gain has moved; one that never does. Of base 2 the layers of 32x32
    # have 2, 4, 8 channels at 16x16, 8x8, 4x4.
    plain, own = (networks(shape, width=16, attention=on) for on in (False, True))
    z, x = jnp.asarray(RNG.normal(size=(2, 3)), "f"), jnp.asarray(RNG.random((2, *shape)), "f")
    for name, given in (("generator", z), ("critic", x)):
        module = getattr(own, name)
        params = jax.jit(module.init)(KEY, given)["params"]
        inner = params["trunk"] if name == "critic" else params
        attention = inner["SelfAttention_0"]
        assert attention["v"]["kernel"].shape[1] == channels and "SelfAttention_1" not in inner

        def at(gain, module=module, params=params, name=name, given=given):
            inner = params["trunk"] if name == "critic" else params
            inner = {**inner, "SelfAttention_0": {**inner["SelfAttention_0"], "gain": jnp.float32(gain)}}
            return module.apply({"params": {**params, "trunk": inner} if name == "critic" else inner}, given)

        y, moved = jax.jit(at)(0.0), jax.jit(at)(1.0)
        assert np.abs(y - moved).max() > 1e-4
        if shape != (8, 8, 1):  # of which the plain networks are dense
            inner = {key: value for key, value in inner.items() if key != "SelfAttention_0"}
            rest = {**params, "trunk": inner} if name == "critic" else inner
            np.testing.assert_allclose(y, jax.jit(getattr(plain, name).apply)({"params": rest}, given), atol=1e-5)
    assert networks((5,), attention=True).critic == networks((5,)).critic


@pytest.mark.parametrize("condition", [pytest.param(None, marks=pytest.mark.slow), 3])
def test_z_is_in_every_layer_with_skip(condition):
    # Kills: z that only starts the generator; a label that is lost beside it. Its first layer is silent here.
    module = networks((16, 16, 1), width=16, condition=condition, skip=True).generator
    z, given = jnp.asarray(RNG.normal(size=(2, 3)), "f"), () if condition is None else (jnp.array([0, 2]),)
    params = jax.jit(module.init)(KEY, z, *given)["params"]
    assert {len(p["Dense_0"]["kernel"]) for n, p in params.items() if n.startswith("Modulate")} == {3 + 32 * len(given)}
    params["Dense_0"] = jax.tree.map(jnp.zeros_like, params["Dense_0"])

    def made(z, *given):
        return jax.jit(module.apply)({"params": params}, z, *given)

    assert np.abs(made(z, *given) - made(-z, *given)).max() > 1e-4
    if given:
        assert np.abs(made(z, *given) - made(z, given[0] - 1 + 2 * (given[0] == 0))).max() > 1e-4
