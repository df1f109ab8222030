"""Functions Network -> Network: what the network inside sees, by hand, and that each fits around each."""

import itertools

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import Critic, Generator, counter

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games import gan
from jaxgen.nets.adapters import network
from jaxgen.nets.augmentation import ada, augmented, diffaugment, instance_noise
from jaxgen.nets.calls import together
from jaxgen.nets.wrappers import cast, equalised, mapped, minibatch_std, packed, remat, spectral
from jaxgen.objectives import r1

KEY, B = jax.random.key(0), 4
RNG = np.random.default_rng(0)


class Convolutional(nn.Module):
    """Two convolutions and a dense layer; a table of labels, and batch statistics."""

    @nn.compact
    def __call__(self, x, label=None, train=False):
        h = jnp.tanh(nn.Conv(3, (3, 3))(x))
        h = jnp.tanh(nn.BatchNorm(use_running_average=not train)(nn.Conv(4, (3, 3), strides=2)(h)))
        if label is not None:
            h = h + nn.Embed(5, 4)(label).reshape(-1, 1, 1, 4)
        return nn.Dense(1)(h.reshape(len(h), -1))[:, 0]


class Dropping(nn.Module):
    """A critic with dropout."""

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(1)(nn.Dropout(0.5, deterministic=not train)(x.reshape(len(x), -1)))[:, 0]


IMAGES = jnp.asarray(RNG.uniform(size=(B, 6, 6, 1)), jnp.float32)


# --- mapped, remat, cast


def test_mapped():
    # Kills: a map of the features; a map that forgets the state, or is left out.
    plain, net = network(Critic()), mapped(Critic(), jnp.exp)
    params, state = net.init(KEY, IMAGES)
    features = plain.features(params, state, None, IMAGES)[0]
    wanted = np.exp(plain.apply(params, state, None, IMAGES)[0])
    np.testing.assert_allclose(net.apply(params, state, None, IMAGES)[0], wanted, rtol=1e-6)  # two exponentials
    np.testing.assert_allclose(net.features(params, state, None, IMAGES)[0], features)
    counting = mapped(counter(plain), jnp.exp)
    params, state = counting.init(KEY, IMAGES)
    assert counting.apply(params, state, (), IMAGES)[1]["calls"] == 1


def test_remat_is_the_same_function():
    # Kills: another noise in the backward pass; a pass that is not computed again.
    plain = network(Dropping(), rngs=("dropout",))
    net = remat(plain)
    params, state = net.init(KEY, IMAGES)
    noise = net.draw(jax.random.key(1), IMAGES)

    def loss(net):
        return lambda p: jnp.sum(net.apply(p, state, noise, IMAGES)[0] ** 2)

    for a, b in zip(*(jax.tree.leaves(jax.value_and_grad(loss(n))(params)) for n in (net, plain)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert "remat" in str(jax.make_jaxpr(jax.grad(loss(net)))(params))
    assert remat(Critic()).features is not None and net.features is None


def test_cast_computes_in_half_and_keeps_the_rest():
    # Kills: params, gradients, state or outputs in bfloat16; a network that is handed float32; labels or keys cast.
    seen = []
    plain = network(Convolutional(), couples=True)

    def apply(params, state, noise, *xs):
        seen.extend(a.dtype for a in jax.tree.leaves((params, noise, xs)) if jnp.issubdtype(a.dtype, jnp.floating))
        return plain.apply(params, state, noise, *xs)

    net, label = cast(plain._replace(apply=apply)), jnp.arange(B)
    params, state = net.init(KEY, IMAGES, label)

    def loss(p, net=net):
        y, new = net.apply(p, state, (), IMAGES, label)
        return jnp.sum(y**2), (y, new)

    (_, (y, new)), grads = jax.value_and_grad(loss, has_aux=True)(params)
    assert {str(d) for d in seen} == {"bfloat16"}
    assert {str(a.dtype) for a in jax.tree.leaves((params, state, y, new, grads))} == {"float32"}
    (_, (exact, moved)), wide = jax.value_and_grad(lambda p: loss(p, plain), has_aux=True)(params)
    np.testing.assert_allclose(y, exact, atol=0.05 * np.abs(exact).max())  # eight bits, three layers
    assert np.any(np.asarray(y) != np.asarray(exact))
    for ours, theirs in ((grads, wide), (new, moved)):  # whole vectors: a bias before batch statistics has no slope
        a, b = (np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)]) for tree in (ours, theirs))
        assert 0 < np.linalg.norm(a - b) <= 0.1 * np.linalg.norm(b)
    assert net.couples and cast(Critic(), jnp.float16).features is not None


def test_cast_does_not_stop_what_moves_slowly():
    # Kills: state cast to bfloat16, where p = 0.5 + 1e-4 is 0.5, in either order of the wrappers.
    for build in (lambda net, wrap: cast(wrap(net)), lambda net, wrap: wrap(cast(net))):
        net = build(Critic(), lambda net: augmented(net, instance_noise(0.1), p=0.5, adapt=lambda p, _: p - 1e-4))
        params, state = net.init(KEY, IMAGES)
        noise = net.draw(KEY, IMAGES)
        for _ in range(3):
            y, state = net.apply(params, state, noise, IMAGES)
        np.testing.assert_allclose(state["p"], 0.5 - 3e-4, rtol=1e-6)
        assert y.dtype == jnp.float32


def test_cast_leaves_uniform_noise_below_one():
    # Kills: noise in bfloat16, where one u in 512 is 1, and an operation at p = 1 is not done.
    images = jnp.asarray(RNG.uniform(size=(512, 4, 4, 1)), jnp.float32)
    image = Network(lambda key, x: ((), ()), lambda params, state, noise, x: (x, state))
    net = cast(augmented(image, diffaugment(brightness=5.0, saturation=0, contrast=0, translation=0, cutout=0)))
    params, state = net.init(KEY, images)
    noise = net.draw(KEY, images)
    noise["pipe"]["on"]["brightness"] = 1 - jnp.arange(1, 513) * 2.0**-24  # the largest of all numbers below 1
    y, _ = net.apply(params, state, noise, images)
    moved = 5 * (2 * np.asarray(noise["pipe"]["amount"]["brightness"], "d") - 1)
    np.testing.assert_allclose(np.mean(y - images, (1, 2, 3)), moved, atol=0.05)  # eight bits of 6


@pytest.mark.parametrize("name", ["spectral", "augmented", "diffaugment", "ada", "remat"])
def test_cast_reaches_through_other_wrappers(name):
    # Kills: a float32 sigma, p or noise that turns the params or the input of a network in bfloat16 into float32.
    seen = []
    plain = network(Critic())

    def apply(params, state, noise, x):
        seen.extend(str(a.dtype) for a in jax.tree.leaves((params, x)))
        return plain.apply(params, state, noise, x)

    net = cast(WRAPPERS[name](plain._replace(apply=apply)))
    params, state = net.init(KEY, IMAGES)
    net.apply(params, state, net.draw(KEY, IMAGES), IMAGES)
    assert set(seen) == {"bfloat16"}


# --- packed


def test_packs_stand_side_by_side():
    # Kills: examples that are strided over the batch; channels of two examples mixed; labels of the first one only.
    seen = {}

    def apply(params, state, noise, x, label):
        seen.update(x=x, label=label)
        return x[:, 0, 0, 0], state

    inner = Network(lambda key, *xs: (jax.tree.map(jnp.shape, xs), ()), apply, draw=lambda key, x, label: x.shape)
    net = packed(inner, 2)
    images = jnp.arange(4 * 2 * 3 * 2.0).reshape(4, 2, 3, 2)
    assert net.init(KEY, images, jnp.arange(4))[0] == ((2, 2, 3, 4), (2, 2))
    assert net.draw(KEY, images, jnp.arange(4)) == (2, 2, 3, 4)
    y, _ = net.apply((), (), None, images, jnp.arange(4))
    x = np.asarray(images)
    np.testing.assert_array_equal(
        seen["x"], np.stack([np.concatenate([x[0], x[1]], -1), np.concatenate([x[2], x[3]], -1)])
    )
    np.testing.assert_array_equal(seen["label"], [[0, 1], [2, 3]])
    assert y.shape == (2,) and net.couples and net.features is None
    grad = jax.grad(lambda x: net.apply((), (), None, x, jnp.arange(4))[0].sum())(images)
    assert grad[0, 0, 0, 0] == grad[2, 0, 0, 0] == 1 and np.sum(grad) == 2


def test_a_pack_has_a_whole_number_of_numpy_too():
    # Kills: a size from NumPy that is refused as "not 2".
    shape = Network(lambda key, x: ((), ()), lambda params, state, noise, x: (x, state))
    assert packed(shape, np.int64(2)).apply((), (), None, IMAGES)[0].shape == (2, 6, 6, 2)


@pytest.mark.parametrize("m", [0, -1, 2.0, True])
def test_packs_refuse(m):
    # Kills: half a pack; examples left over.
    with pytest.raises(BadRequest, match="whole number of examples"):
        packed(Critic(), m)
    with pytest.raises(BadRequest, match="packs of 3 do not divide a batch of 4"):
        packed(Critic(), 3).init(KEY, IMAGES)


# --- spectral


def kernels(params):
    """Leaves of two axes or more, each as the matrix [out, the rest] with the outputs on the last axis, in float64."""
    leaves = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    return [np.moveaxis(np.asarray(w, np.float64), -1, 0).reshape(w.shape[-1], -1) for w in leaves]


def spy(net: Network) -> tuple[Network, list]:
    """The network, and the list to which each call appends the params that it was handed."""
    seen = []

    def apply(params, *args):
        seen.append(params)
        return net.apply(params, *args)

    return net._replace(apply=apply), seen


def test_every_kernel_is_divided_by_its_largest_singular_value():
    # Kills: the Frobenius norm; a convolution as another matrix; a layer left out; biases or a table of labels divided;
    # an iteration that starts anew in each call; features of the bare kernels; an evaluation that moves the state.
    inner, seen = spy(network(Convolutional(), couples=True))
    net, label = spectral(inner), jnp.arange(B)
    params, state = net.init(KEY, IMAGES, label)
    params = jax.tree.map(lambda a: a + 0.1, params)
    step = jax.jit(lambda state: net.apply(params, state, (), IMAGES, label)[1])
    for _ in range(300):
        state = step(state)
    seen.clear()
    y, kept = net.apply(params, state, None, IMAGES, label)
    assert kept is state
    table = {"Embed_0"}
    exact = [w / np.linalg.norm(w, 2) for w in kernels({k: v for k, v in params.items() if k not in table})]
    divided = kernels({k: v for k, v in seen[0].items() if k not in table})
    assert len(exact) == len(divided) == len(state["u"]) == 3
    for w, e in zip(divided, exact, strict=True):
        np.testing.assert_allclose(np.linalg.norm(w, 2), 1, rtol=1e-4)
        np.testing.assert_allclose(w, e, atol=1e-4)
    np.testing.assert_array_equal(seen[0]["Embed_0"]["embedding"], params["Embed_0"]["embedding"])
    for layer in ("Conv_0", "Dense_0", "BatchNorm_0"):
        np.testing.assert_array_equal(seen[0][layer]["bias"], params[layer]["bias"])
    whole = spectral(network(Convolutional(), couples=True), exclude=())
    assert "Embed_0/embedding" in whole.init(KEY, IMAGES, label)[1]["u"]


class Conv(eqx.Module):
    conv: eqx.nn.Conv2d

    def __init__(self, key):
        self.conv = eqx.nn.Conv2d(2, 3, 3, key=key)

    def __call__(self, x):
        return self.conv(x)


@hk.transform_with_state
def normed(x):
    return hk.Linear(2)(hk.BatchNorm(True, True, 0.9)(x, True))


NO_KERNELS = {
    "conv/bias": (lambda key: Conv(key), jnp.ones((B, 2, 5, 5)), 0),  # (C, 1, 1)
    "batch_norm/scale": (normed, jnp.asarray(RNG.normal(size=(B, 3)), jnp.float32), -1),  # (1, C)
    "batch_norm/offset": (normed, jnp.asarray(RNG.normal(size=(B, 3)), jnp.float32), -1),
    "value/bias": (nn.MultiHeadAttention(2, qkv_features=6), jnp.ones((B, 3, 4)), -1),  # (heads, D)
}


@pytest.mark.parametrize("leaf", NO_KERNELS)
def test_biases_and_scales_of_several_axes_are_no_kernels(leaf):
    # Kills: a bias or a scale that is divided by its own length, so that its size does not act.
    module, x, out = NO_KERNELS[leaf]
    net = spectral(network(module, couples=True), out=out)
    params, state = net.init(KEY, x)
    assert state["u"] and {name.split("/")[-1] for name in state["u"]} <= {"weight", "w", "kernel"}

    def filled(size):
        def fill(path, w):
            return jnp.full_like(w, size) if jax.tree_util.keystr(path, simple=True, separator="/") == leaf else w

        return jax.jit(net.apply)(jax.tree_util.tree_map_with_path(fill, params), state, None, x)[0]

    assert np.abs(filled(100.0) - filled(0.001)).max() > 1


def test_a_critic_s_last_layer_is_a_kernel():
    # Kills: kernels told from biases by their axes of length 1.
    state = jax.eval_shape(spectral(nn.Sequential([nn.Dense(1), nn.Dense(3)])).init, KEY, jnp.ones((B, 4)))[1]
    assert {name: u.shape for name, u in state["u"].items()} == {"layers_0/kernel": (1,), "layers_1/kernel": (3,)}


def test_spectral_gradient_by_hand():
    # Kills: a sigma that is stopped; a gradient through u and v; vectors of the turn before; a whole gradient that is
    # that of W / |W|. Away from convergence, where each of these differs: this is the first call.
    weights = {"kernel": jnp.asarray(RNG.normal(size=(2, 5, 3)), jnp.float32), "bias": jnp.ones(3)}
    cotangent = RNG.normal(size=(2, 5, 3))
    inner = Network(
        lambda key, x: (weights, ()),
        lambda p, state, noise, x: (jnp.sum(p["kernel"] * jnp.asarray(cotangent, jnp.float32)), state),
    )
    net = spectral(inner)
    params, state = net.init(KEY, None)
    (value, new), grad = jax.jit(jax.value_and_grad(lambda p: net.apply(p, state, (), None), has_aux=True))(params)
    (w,), (c,), (g,) = (kernels({"kernel": a}) for a in (weights["kernel"], cotangent, grad["kernel"]))
    before, after = (np.asarray(s["u"]["kernel"], np.float64) for s in (state, new))
    v = before @ w / np.linalg.norm(before @ w)
    u = w @ v / np.linalg.norm(w @ v)
    sigma = u @ w @ v
    assert sigma < 0.999 * np.linalg.norm(w, 2)
    np.testing.assert_allclose(after, u, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, np.sum(c * w) / sigma, rtol=1e-4)
    np.testing.assert_allclose(g, (c - np.sum(c * w) / sigma * np.outer(u, v)) / sigma, rtol=1e-3, atol=1e-4)


def divided(w, u, out=-1):
    """(W / sigma, the new u) as a network sees them."""
    inner, seen = spy(Network(lambda key, x: ({"kernel": w}, ()), lambda p, state, noise, x: (jnp.zeros(1), state)))
    net = spectral(inner, out=out)
    _, state = net.init(KEY, None)
    state = state if u is None else {**state, "u": {"kernel": u}}
    _, state = net.apply({"kernel": w}, state, (), None)
    return np.asarray(seen[0]["kernel"], np.float64), state["u"]["kernel"]


def test_sigma_is_never_off():
    # Kills: a stale u at right angles to the kernel, or with the other sign, that leaves the kernel undivided; squares
    # that underflow or overflow; 0 / 0; a u that a kernel of zeros turns to zeros for good.
    w = np.zeros((3, 4), "f")
    w[:, 1], w[:, 2] = [3.0, 4.0, 0.0], [0.0, 0.0, 1.0]
    blind = jnp.array([1.0, 0.0, 0.0, 0.0])  # the first output has no weights
    for u in (blind, -jnp.array([0.0, 0.6, 0.8, 0.0]), None):
        for scale in (1.0, 1e-30, 1e30):
            kernel, new = jnp.asarray(w * np.float32(scale)), u
            for _ in range(60):
                quotient, new = divided(kernel, new)
            np.testing.assert_allclose(np.linalg.norm(quotient, 2), 1, rtol=1e-4)
            first, _ = divided(kernel, u)
            assert 1 - 1e-4 < np.linalg.norm(first, 2) <= 5.001  # never less than a row's length: 5 to 1
    quotient, kept = divided(jnp.zeros((3, 4)), blind)
    np.testing.assert_array_equal(quotient, 0)
    np.testing.assert_array_equal(kept, blind)
    grad = jax.grad(lambda w: jnp.sum(spectral_sum(w)))(jnp.zeros((3, 4)))
    assert np.all(np.isfinite(grad))


def spectral_sum(w):
    net = spectral(Network(lambda key, x: (w, ()), lambda p, state, noise, x: (jnp.sum(p), state)))
    return net.apply(w, net.init(KEY, None)[1], (), None)[0]


@pytest.mark.parametrize("out", [0, 1, -1])
def test_outputs_on_another_axis(out):
    # Kills: an argument that is not read; a kernel that comes back with its axes changed.
    w = jnp.asarray(RNG.normal(size=(3, 2, 4)), "f")
    u = None
    for _ in range(200):
        quotient, u = divided(w, u, out)
    rest = np.moveaxis(np.asarray(w, np.float64), out, 0).reshape(w.shape[out], -1)
    assert u.shape == (w.shape[out],)
    np.testing.assert_allclose(quotient, np.asarray(w) / np.linalg.norm(rest, 2), rtol=1e-4)


def test_spectral_refuses():
    # Kills: a network that is silently left as it was.
    bias = Network(lambda key, x: ({"bias": jnp.zeros(3)}, ()), lambda p, state, noise, x: (x, state))
    with pytest.raises(BadRequest, match="this network has none"):
        spectral(bias).init(KEY, IMAGES)
    with pytest.raises(BadRequest, match="this network has none"):
        spectral(nn.Embed(3, 2)).init(KEY, jnp.arange(3))
    with pytest.raises(BadRequest, match=r"kernel of \(36, 6\) has no axis 5"):
        equalised(Critic(), out=5).init(KEY, IMAGES)
    with pytest.raises(BadRequest, match=r"kernel of \(36, 6\) has no axis 2"):
        spectral(Critic(), out=2).init(KEY, IMAGES)


def test_only_the_critics_own_call_on_real_moves_u():
    # Kills: vectors that the generator's turn replaces, or that stand still; real and fake divided by two sigmas.
    game = gan(Generator((6, 6, 1)), spectral(Critic()), latent_dim=2)
    batch = Batch(IMAGES)
    params, state = game.init(KEY, batch)
    noise, context = game.draw(KEY, batch), Context(0, state)
    assert "critic" not in game.losses["generator"](params, noise, batch, context)[1].state
    new = game.losses["critic"](params, noise, batch, context)[1].state["critic"]["u"]
    assert set(new) == {"first/kernel", "last/kernel"}
    assert np.any(np.asarray(new["first/kernel"]) != np.asarray(state["critic"]["u"]["first/kernel"]))
    seeds = jax.random.split(KEY, 3)
    together = jax.eval_shape(jax.vmap(game.init, (0, None)), seeds, batch)
    assert jax.tree.leaves(together[1]["critic"]["u"])[0].shape[0] == 3


# --- equalised


@pytest.mark.parametrize("out", [0, -1])
def test_equalised_by_hand(out):
    # Kills: a kernel that is kept as it is, or used so; the fan-out; a bias that is scaled; a slope without c.
    w = RNG.normal(size=(2, 5, 3))
    cotangent = RNG.normal(size=w.shape)
    inner = Network(
        lambda key, x: ({"kernel": jnp.asarray(w, jnp.float32), "bias": jnp.full(3, 2.0)}, ()),
        lambda p, state, noise, x: (jnp.sum(p["kernel"] * jnp.asarray(cotangent, "f")) + p["bias"].sum(), state),
    )
    net = equalised(inner, out=out)
    params, state = net.init(KEY, None)
    c = np.sqrt(2 / (w.size / w.shape[out]))
    np.testing.assert_allclose(params["kernel"], w / c, rtol=1e-5)
    np.testing.assert_array_equal(params["bias"], 2.0)
    value, grad = jax.value_and_grad(lambda p: net.apply(p, state, None, None)[0])(params)
    np.testing.assert_allclose(value, np.sum(w * cotangent) + 6, rtol=1e-5)
    np.testing.assert_allclose(grad["kernel"], c * cotangent, rtol=1e-5)
    np.testing.assert_array_equal(grad["bias"], 1.0)


def test_equalised_starts_as_the_same_function():
    # Kills: He-normal kernels that are kept at another size than 1; features of the bare params; embeddings scaled.
    plain, label = network(Convolutional(), couples=True), jnp.arange(B)
    net = equalised(plain)
    (params, state), (bare, _) = net.init(KEY, IMAGES, label), plain.init(KEY, IMAGES, label)
    y, wanted = (n.apply(p, state, None, IMAGES, label)[0] for n, p in ((net, params), (plain, bare)))
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(params["Embed_0"]["embedding"], bare["Embed_0"]["embedding"])
    wide = equalised(nn.Dense(400, kernel_init=nn.initializers.he_normal()))
    kept = np.asarray(wide.init(KEY, jnp.ones((1, 300)))[0]["kernel"], np.float64)
    assert abs(np.mean(kept**2) - 1) < 5 * np.sqrt(2 / kept.size)
    with pytest.raises(BadRequest, match="this network has none"):
        equalised(nn.Embed(3, 2)).init(KEY, jnp.arange(3))


# --- minibatch_std


class Spread(nn.Module):
    """A critic that sees how much its batch differs."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(minibatch_std(x).reshape(len(x), -1))[:, 0]


def test_minibatch_std_by_hand():
    # Kills: a variance; a std of each position; groups that are strided; an unbiased std; NaN where all are alike.
    h = RNG.normal(size=(8, 2, 3, 5))
    got = minibatch_std(jnp.asarray(h, jnp.float32))
    assert got.shape == (8, 2, 3, 6)
    for group in range(2):
        spread = h[4 * group : 4 * group + 4].std(0).mean()
        np.testing.assert_allclose(got[4 * group : 4 * group + 4, ..., 5], spread, rtol=1e-5)
    np.testing.assert_array_equal(got[..., :5], h.astype("f"))
    assert np.all(np.isfinite(jax.grad(lambda h: minibatch_std(h).sum())(jnp.ones((4, 3)))))
    assert minibatch_std(jnp.ones((3, 2))).shape == (3, 3)  # all of a batch that is smaller
    with pytest.raises(BadRequest, match="groups of 4 do not divide a batch of 6"):
        minibatch_std(jnp.ones((6, 2)))


def test_a_critic_with_minibatch_std_couples():
    # Kills: a score of one example that depends on its neighbours.
    game = gan(Generator((6, 6, 1)), network(Spread(), couples=True), latent_dim=2, penalty=r1(1.0))
    params, state = game.init(KEY, Batch(IMAGES))
    assert game.couples and game.model(params, state).scores == {}
    value, _ = game.losses["critic"](params, game.draw(KEY, Batch(IMAGES)), Batch(IMAGES), Context(0, state))
    assert np.isfinite(value)


# --- each around each

WRAPPERS = {
    "mapped": lambda net: mapped(net, lambda y: 2 * y),
    "packed": lambda net: packed(net, 2),
    "cast": cast,
    "remat": remat,
    "spectral": spectral,
    "equalised": equalised,
    "augmented": lambda net: augmented(net, instance_noise(0.1), adapt=lambda p, logits: 0.9 * p),
    "diffaugment": lambda net: augmented(net, diffaugment()),
    "ada": lambda net: ada(net, diffaugment()),
}


def played(critic, evaluate):
    """Value, gradients and state of the critic's loss with R1, for a batch with labels."""
    game = gan(Generator((6, 6, 1)), critic, latent_dim=2, penalty=r1(1.0))

    def play():
        batch = Batch(IMAGES, jnp.arange(B))
        params, state = game.init(KEY, batch)
        noise = game.draw(KEY, batch)
        context = Context(jnp.zeros((), jnp.int32), state)
        value, grads = jax.value_and_grad(lambda p: game.losses["critic"](p, noise, batch, context), has_aux=True)(
            params
        )
        return value, grads, params, state, game.model(params, state).scores.get("critic", lambda *a: ())(None, *batch)

    return evaluate(play)


def neighbours_first():
    """All pairs of wrappers; in the default suite each of them is once outside and once inside."""
    names = list(WRAPPERS)
    pairs = set(zip(names, names[1:] + names[:1], strict=True))
    for pair in itertools.product(names, repeat=2):
        yield pytest.param(*pair, marks=[] if pair in pairs else pytest.mark.slow)


@pytest.mark.parametrize("outer, inner", list(neighbours_first()))
def test_every_wrapper_fits_around_every_other(outer, inner):
    # Kills: a wrapper that forgets an argument, the state of the one inside, or the dtype; one that takes no module.
    (value, aux), grads, params, state, score = played(WRAPPERS[outer](WRAPPERS[inner](Critic())), jax.eval_shape)
    assert value.shape == () and value.dtype == jnp.float32
    assert grads == params
    assert aux.state["critic"] == state["critic"]
    assert score == () if "packed" in (outer, inner) else score.shape == (B,)


@pytest.mark.parametrize("name", WRAPPERS)
def test_keys_go_through_every_wrapper(name):
    # Kills: a key that is cast, or a stream of dropout that the network inside does not get.
    net = WRAPPERS[name](network(Dropping(), rngs=("dropout",)))

    def play():
        params, state = net.init(KEY, IMAGES)
        return net.apply(params, state, net.draw(KEY, IMAGES), IMAGES)[0]

    y = jax.eval_shape(play)
    assert y.shape == (2 if name == "packed" else B,) and y.dtype == jnp.float32


def test_a_tower_of_wrappers_is_finite():
    # Kills: NaN in a second derivative of one wrapper through another.
    tower = ada(spectral(cast(remat(mapped(Critic(), jnp.tanh)))), diffaugment())
    result = played(packed(tower, 2), lambda play: jax.jit(play)())
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(result))


@pytest.mark.parametrize("name", [n for n in WRAPPERS if n != "packed"])
def test_features_go_through_the_wrapper(name):
    # Kills: features that are called with another state than the network; features in bfloat16; a state that they move.
    # Together with the logits: a wrapper that is left out of that call, that maps the features too, or counts them as
    # logits.
    net = WRAPPERS[name](Critic())
    params, state = net.init(KEY, IMAGES)
    noise = net.draw(KEY, IMAGES)
    (logits, features), moved = together(net)(params, state, noise, IMAGES)
    for ours, other in ((logits, net.apply), (features, net.features)):
        np.testing.assert_allclose(ours, other(params, state, noise, IMAGES)[0], rtol=1e-6)
    assert str(moved) == str(net.apply(params, state, noise, IMAGES)[1])
    y, kept = net.features(params, state, None, IMAGES)
    assert y.shape == (B, 6) and y.dtype == jnp.float32
    assert jax.tree.structure(kept) == jax.tree.structure(state)
    for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_replaces_the_network_forgets_what_it_gave_together():
    # Kills: logits of the network inside in place of those of a wrapper that knows of `apply` or `features` alone.
    net = network(Critic())
    assert together(net._replace(init=None)) is not None
    assert together(counter(net)) is None and together(net._replace(features=lambda *args: args)) is None
