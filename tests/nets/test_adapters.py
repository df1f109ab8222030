"""Networks of four libraries against direct use of each: values, gradients, and what is random or moves when."""

import subprocess
import sys
from functools import partial

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxgen.core import BadRequest, Network
from jaxgen.nets.adapters import network, pure

KEY = jax.random.key(3)
X = jax.random.normal(jax.random.key(4), (8, 4))


class Linen(nn.Module):
    """Like every network here: a dense layer, batch norm and dropout, and a dense layer to one number."""

    hidden_size: int = 16

    @nn.compact
    def __call__(self, x, train: bool = False):
        y = nn.BatchNorm(use_running_average=not train, momentum=0.9)(nn.Dense(self.hidden_size)(x))
        return nn.Dense(1)(nn.Dropout(0.5, deterministic=not train)(nn.relu(y)))


class NNX(nnx.Module):
    def __init__(self, width, rngs):
        self.first, self.last = nnx.Linear(4, width, rngs=rngs), nnx.Linear(width, 1, rngs=rngs)
        self.norm, self.drop = nnx.BatchNorm(width, momentum=0.9, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)

    def hidden(self, x):
        return self.drop(nnx.relu(self.norm(self.first(x))))

    def __call__(self, x):
        return self.last(self.hidden(x))


class Equinox(eqx.Module):
    first: eqx.nn.Linear
    last: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    drop: eqx.nn.Dropout
    calls: jax.Array  # whole numbers are no params

    def __init__(self, key):
        a, b = jax.random.split(key)
        self.first, self.last = eqx.nn.Linear(4, 16, key=a), eqx.nn.Linear(16, 1, key=b)
        self.norm, self.drop = eqx.nn.BatchNorm(16, "batch", momentum=0.9, mode="batch"), eqx.nn.Dropout(0.5)
        self.calls = jnp.arange(3)

    def __call__(self, x, state, *, key=None):
        y, state = self.norm(self.first(x), state)
        return self.last(self.drop(jax.nn.relu(y), key=key)), state


def haiku_function(x, is_training):
    y = jax.nn.relu(hk.BatchNorm(True, True, 0.9)(hk.Linear(16)(x), is_training))
    return hk.Linear(1)(hk.dropout(hk.next_rng_key(), 0.5, y) if is_training else y)


HAIKU = hk.transform_with_state(haiku_function)
make_equinox = eqx.nn.make_with_state(Equinox)

NETWORKS = {
    "linen": lambda: network(Linen(), rngs=("dropout",), couples=True),
    "nnx": lambda: network(lambda rngs: NNX(16, rngs)),
    "equinox": lambda: network(lambda key: make_equinox(key)),
    "haiku": lambda: network(HAIKU, couples=True),
}


def squares(y):
    return jnp.mean((y - X[:, :1]) ** 2)


def direct_linen():
    variables = Linen().init({"params": KEY}, X)
    stats = {"batch_stats": variables["batch_stats"]}
    loss = jax.value_and_grad(lambda params: squares(Linen().apply({"params": params, **stats}, X)))
    value, grads = loss(variables["params"])
    return value, grads["Dense_0"]["kernel"], grads["Dense_1"]["kernel"]


def direct_nnx():
    module = NNX(16, nnx.Rngs(KEY))
    module.eval()
    value, grads = nnx.value_and_grad(lambda module: squares(module(X)))(module)
    return value, grads["first"]["kernel"][...], grads["last"]["kernel"][...]


def direct_equinox():
    module, state = make_equinox(KEY)

    def loss(module):
        call = jax.vmap(eqx.nn.inference_mode(module), in_axes=(0, None), out_axes=(0, None), axis_name="batch")
        return squares(call(X, state)[0])

    value, grads = eqx.filter_value_and_grad(loss)(module)
    return value, grads.first.weight, grads.last.weight


def direct_haiku():
    params, state = HAIKU.init(KEY, X, True)
    value, grads = jax.value_and_grad(lambda params: squares(HAIKU.apply(params, state, None, X, False)[0]))(params)
    return value, grads["linear"]["w"], grads["linear_1"]["w"]


DIRECT = {
    "linen": (direct_linen, lambda g: (g["Dense_0"]["kernel"], g["Dense_1"]["kernel"])),
    "nnx": (direct_nnx, lambda g: (g["first/kernel"], g["last/kernel"])),
    "equinox": (direct_equinox, lambda g: (g["first/weight"], g["last/weight"])),
    "haiku": (direct_haiku, lambda g: (g["linear"]["w"], g["linear_1"]["w"])),
}


@pytest.mark.parametrize("name", DIRECT)
def test_evaluation_is_the_library_s_own(name):
    # Kills: params in another order than their paths; another key in init; training mode without noise.
    net, (direct, kernels) = NETWORKS[name](), DIRECT[name]
    params, state = net.init(KEY, X)
    value, grads = jax.value_and_grad(lambda params: squares(net.apply(params, state, None, X)[0]))(params)
    for got, want in zip((value, *kernels(grads)), direct(), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7)  # one library, compiled twice


@pytest.mark.parametrize("name", NETWORKS)
def test_training_and_evaluation(name):
    # Kills: statistics that move in evaluation or stay in training; dropout without noise; noise that is not used; a
    # gradient that does not reach a leaf; a state whose arrays change their dtype.
    net = NETWORKS[name]()
    params, state = net.init(KEY, X)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves((params, state)))
    noises = [net.draw(jax.random.key(i), X) for i in (0, 1)]
    (y0, moved), (y1, _) = (net.apply(params, state, noise, X) for noise in noises)
    assert jax.tree.structure(moved) == jax.tree.structure(state)
    assert [leaf.dtype for leaf in jax.tree.leaves(moved)] == [leaf.dtype for leaf in jax.tree.leaves(state)]
    assert any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (moved, state)), strict=True))
    assert (y0 != y1).any()
    np.testing.assert_array_equal(y0, net.apply(params, state, noises[0], X)[0])
    y, kept = net.apply(params, moved, None, X)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), kept, moved))
    np.testing.assert_allclose(y[:1], net.apply(params, moved, None, X[:1])[0], rtol=1e-5, atol=1e-6)
    grads = jax.grad(lambda params: squares(net.apply(params, state, noises[0], X)[0]))(params)
    biases = 2  # batch norm takes away the mean, so the bias before it has no gradient; dropout can hide others
    assert sum(bool((g != 0).any()) for g in jax.tree.leaves(grads)) >= len(jax.tree.leaves(params)) - biases


@pytest.mark.parametrize("name", NETWORKS)
def test_training_lowers_the_loss(name):
    # Kills: a traced value that outlives its trace, in a scan under grad; params that the gradient does not move.
    net, tx = NETWORKS[name](), optax.adam(0.01)

    @jax.jit
    def train(key):
        params, state = net.init(key, X)

        def step(carry, key):
            params, state, memory = carry

            def loss(params):
                y, moved = net.apply(params, state, net.draw(key, X), X)
                return squares(y), moved

            (value, state_), grads = jax.value_and_grad(loss, has_aux=True)(params)
            updates, memory = tx.update(grads, memory)
            return (optax.apply_updates(params, updates), state_, memory), value

        carry, values = jax.lax.scan(step, (params, state, tx.init(params)), jax.random.split(key, 100))
        return values, squares(net.apply(*carry[:2], None, X)[0])

    values, last = train(KEY)
    assert last < 0.3 * values[0]


def test_statistics_of_haiku():
    # Kills: state left behind, or taken from evaluation.
    net = network(HAIKU, couples=True)
    params, state = net.init(KEY, X)
    _, moved = net.apply(params, state, net.draw(KEY, X), X)
    _, direct = HAIKU.apply(params, state, KEY, X, True)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), moved, direct)
    np.testing.assert_allclose(
        net.apply(params, moved, None, X)[0], HAIKU.apply(params, direct, None, X, False)[0], rtol=1e-5
    )


def test_haiku_without_state_or_rng():
    # Kills: x taken for the rng, which `hk.transform` puts before it.
    plain = hk.transform(lambda x: hk.Linear(2)(x))
    for transformed in (plain, hk.without_apply_rng(plain)):
        net = network(transformed)
        params, state = net.init(KEY, X)
        y, _ = net.apply(params, state, net.draw(KEY, X), X)
        np.testing.assert_allclose(y, plain.apply(params, None, X), rtol=1e-6)
        np.testing.assert_array_equal(y, net.apply(params, state, None, X)[0])


def test_a_module_starts_from_its_own_params_and_a_function_from_the_key():
    # Kills: one start for all seeds; arrays of the user's module that a donating step would delete.
    one, mlp = NNX(16, nnx.Rngs(0)), eqx.nn.MLP(4, "scalar", 8, 1, key=KEY)
    for given, own, name in (
        (one, one.first.kernel[...], "first/kernel"),
        (mlp, mlp.layers[0].weight, "layers/0/weight"),
    ):
        params = network(given).init(KEY, X)[0]
        np.testing.assert_array_equal(params[name], own)
        assert params[name] is not own and params[name].unsafe_buffer_pointer() != own.unsafe_buffer_pointer()
    for make, name in (
        (lambda rngs: NNX(16, rngs), "first/kernel"),
        (lambda key: eqx.nn.MLP(4, "scalar", 8, 1, key=key), "layers/0/weight"),
    ):
        a, b = (network(make).init(jax.random.key(i), X)[0][name] for i in (0, 1))
        assert (a != b).any()


def test_equinox_sees_one_example_and_nnx_the_batch():
    # Kills: a module of one example called on the batch.
    net = network(lambda key: eqx.nn.MLP(4, "scalar", 8, 1, key=key))
    assert jax.eval_shape(net.apply, *net.init(KEY, X), None, X)[0].shape == (8,)
    assert net.features is None


class Wide(nn.Module):
    hidden: int = 8  # a field, and no method

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.hidden)(x)


def squared(x):
    return x**2


class Activated(nn.Module):
    hidden: object = squared  # a field that can be called, and no method

    def __call__(self, x):
        return self.hidden(x)


class WithFeatures(nn.Module):
    def setup(self):
        self.first, self.norm, self.last = nn.Dense(5), nn.BatchNorm(momentum=0.5), nn.Dense(1)

    def hidden(self, x, train: bool = False):
        return self.norm(self.first(x), use_running_average=not train)

    def __call__(self, x, train: bool = False):
        return self.last(self.hidden(x, train))


def test_features_are_a_method_and_no_field():
    # Kills: hasattr for a method, so that a width named hidden becomes features; features that ignore the mode.
    assert network(Wide()).features is None and network(Activated()).features is None
    net = network(WithFeatures(), couples=True)
    params, state = net.init(KEY, X)
    f, moved = net.features(params, state, (), X)
    assert f.shape == (8, 5) and net.couples
    np.testing.assert_allclose(f.mean(0), 0, atol=1e-6)  # normalised by the batch
    again = net.apply(params, state, (), X)[1]
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), moved, again)
    module = network(lambda rngs: NNX(16, rngs))
    assert module.features(*module.init(KEY, X), None, X)[0].shape == (8, 16)


class TwoInputs(nn.Module):
    @nn.compact
    def __call__(self, x, condition, *, deterministic: bool):
        y = nn.Dense(4)(jnp.concatenate([x, condition], -1))
        return nn.Dropout(0.9)(y, deterministic=deterministic)


def test_a_condition_is_an_input_and_deterministic_is_a_switch():
    # Kills: the second input taken for the switch; deterministic taken for train.
    net = network(TwoInputs(), rngs=("dropout",))
    params, state = net.init(KEY, X, X)
    y = net.apply(params, state, None, X, X)[0]
    assert (y != 0).all() and (net.apply(params, state, net.draw(KEY, X, X), X, X)[0] == 0).any()


class Frozen(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = False):
        return nn.SpectralNorm(nn.Dense(1))(x, update_stats=train)  # its vectors are in batch_stats too


def test_batch_norm_couples_examples():
    # Kills: a module with batch norm whose batch a step would split in silence; one without it that is refused.
    assert network(lambda rngs: NNX(16, rngs)).couples and network(lambda key: make_equinox(key)).couples
    assert network(NNX(16, nnx.Rngs(0))).couples and not network(NNX(16, nnx.Rngs(0)), couples=False).couples
    assert not network(lambda rngs: nnx.Linear(4, 1, rngs=rngs)).couples
    assert not network(lambda key: eqx.nn.MLP(4, "scalar", 8, 1, key=key)).couples
    for module, rngs in ((Linen(), ("dropout",)), (HAIKU, ())):
        with pytest.raises(BadRequest, match=r"depend on each other in training: use network\(module, couples=True\)"):
            jax.eval_shape(network(module, rngs=rngs).init, KEY, X)
        declared = network(module, rngs=rngs, couples=False)
        assert jax.eval_shape(declared.init, KEY, X) and not declared.couples
    assert jax.eval_shape(network(Frozen()).init, KEY, X)


class Pair(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(x), x


class Restless(nnx.Module):
    def __init__(self, rngs):
        self.rngs = rngs

    def __call__(self, x):
        return x + self.rngs.normal(x.shape)


class Counting(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = nn.BatchNorm(use_running_average=False)(x)
        return nn.Dense(1)(y)


class Growing(nn.Module):
    @nn.compact
    def __call__(self, x):
        sum_ = self.variable("sums", "sum", lambda: jnp.zeros((), jnp.float32))
        if not self.is_initializing() and self.is_mutable_collection("sums"):
            sum_.value = jnp.sum(x, 0)
        return nn.Dense(1)(x)


@pytest.mark.parametrize(
    "module, match",
    [
        (Linen, r"Linen is a class: pass an instance, Linen\(...\)"),
        (NNX, "lambda rngs: NNX"),
        (partial(NNX, 16), "lambda rngs: NNX"),
        (Equinox, "lambda key: Equinox"),
        (lambda x: x, "hk.transform"),
        (jnp.tanh, "hk.transform"),
        (3, "int is no network"),
        (None, "NoneType is no network"),
        ((lambda key: 0, lambda params: 0), "tuple is no network"),
        (hk.multi_transform(lambda: (lambda: 0, (lambda: 0,))), "multi_transform"),
        (lambda rngs: 3, "nnx.Module"),
        (lambda key: 3, "eqx.Module"),
    ],
)
def test_what_is_no_network_is_refused_at_once(module, match):
    # Kills: an error of a library, in the middle of training.
    with pytest.raises(BadRequest, match=match) as said:
        network(module)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("rngs, module", [("dropout", Linen()), (("dropout",), HAIKU), (("a",), network(Wide()))])
def test_rngs_are_names_of_linen(rngs, module):
    # Kills: rngs that are dropped without a word; "dropout" read as seven streams.
    with pytest.raises(BadRequest, match="rngs"):
        network(module, rngs=rngs)


@pytest.mark.parametrize(
    "module, rngs, inputs, match",
    [
        (Linen(), (), 1, r"'dropout': name it, network\(module, rngs=\('dropout',\)\)"),
        (Linen(), ("noise",), 1, "'dropout': name it"),
        (nn.Dropout(0.5, deterministic=False), ("dropout",), 1, "in evaluation too"),
        (Wide(), (), 2, r"called with \(x, condition\)"),
        (Linen(), (), 2, r"called with \(x, condition\)"),
        (lambda rngs: Restless(rngs), (), 1, "in evaluation too"),
        (hk.transform(lambda x: x + jax.random.normal(hk.next_rng_key(), x.shape)), (), 1, "in evaluation too"),
        (Counting(), (), 1, "changes its state in evaluation too"),
        (Growing(), (), 1, "shapes or dtypes of its state"),
        (Pair(), (), 1, "Pair returns a tuple of 2: let it return one array"),
        (lambda rngs: nnx.Linear(3, 1, rngs=rngs), (), 1, r"fails on inputs of shapes \(8, 4\): dot_general requires"),
        (hk.transform(lambda x: hk.Linear(1)(x) @ x), (), 1, r"fails on inputs of shapes \(8, 4\): "),
    ],
)
def test_what_would_fail_in_training_is_refused_in_init(module, rngs, inputs, match):
    # Kills: a stream that nobody named until the first step; a condition taken for `train`; a state that scan refuses.
    net = network(module, rngs=rngs)
    with pytest.raises(BadRequest, match=match) as said:
        net.init(KEY, *[X] * inputs)
    assert "\n" not in str(said.value)


def test_a_network_stays_itself():
    # Kills: a network wrapped twice; `couples` that is lost.
    net = Network(lambda key, x: ({}, {}), lambda params, state, noise, x: (x, state))
    assert network(net) is not None and network(net) == net
    assert network(net, couples=True).couples and network(net._replace(couples=True)).couples


def test_pure_networks_have_no_noise_and_no_state():
    # Kills: batch statistics of a prior's network that nobody keeps; several outputs that a part cannot have.
    init, apply = pure(Wide())
    assert apply(init(KEY, X), X).shape == (8, 8)
    init, apply = pure(Pair())
    assert len(apply(init(KEY, X), X)) == 2
    for module in (WithFeatures(), hk.transform(lambda x: hk.Linear(1)(x))):
        with pytest.raises(BadRequest, match="noise or state"):
            pure(module)[0](KEY, X)


def test_optional_libraries_are_not_imported():
    # Kills: an import at the top, which costs a second of every start.
    code = "import sys, jaxgen.nets; print([m for m in ('flax.nnx', 'equinox', 'haiku') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
