"""What reads a critic's features, by hand and at a known optimum."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import Critic
from scipy import integrate, stats

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games import gan
from jaxgen.nets import (
    ada,
    augmented,
    branched,
    cast,
    instance_noise,
    mapped,
    network,
    packed,
    projected,
    remat,
    spectral,
)
from jaxgen.nets.calls import together

KEY, B, CLASSES = jax.random.key(0), 4, 3
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(B, 5)), jnp.float32)
LABEL, VECTOR = jnp.array([2, 0, 2, 1]), jnp.asarray(RNG.normal(size=(B, 2)), jnp.float32)


def by_numpy(params, x, v):
    """(logit, features) of `players.Critic` plus <v, features>, in float64."""
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), params["net"])
    f = np.tanh(np.asarray(x, np.float64) @ p["first"]["kernel"] + p["first"]["bias"])
    return f @ p["last"]["kernel"][:, 0] + p["last"]["bias"][0] + np.sum(v * f, -1), f


@pytest.mark.parametrize(("condition", "y"), [(CLASSES, LABEL), ((2,), VECTOR)], ids=["labels", "vectors"])
def test_projection_by_hand(condition, y):
    # Kills: the row of another label; features of another layer; a table without a gradient, or one that all labels
    # share; a state that is lost; features that change with the label.
    net = projected(Critic(), condition)
    params, state = net.init(KEY, X, y)
    table = np.asarray(params["embedding"], np.float64)
    given = np.eye(CLASSES)[np.asarray(y)] if condition == CLASSES else np.asarray(y, np.float64)
    logits, features = by_numpy(params, X, given @ table)

    @jax.jit
    def play(params):
        ours = net.apply(params, state, (), X, y)[0]
        return ours @ jnp.arange(1.0, 5.0), ours

    (value, found), grad = jax.value_and_grad(play, has_aux=True)(params)
    np.testing.assert_allclose(found, logits, rtol=1e-5)
    np.testing.assert_allclose(value, logits @ np.arange(1, 5), rtol=1e-5)
    np.testing.assert_allclose(grad["embedding"], given.T @ (features * np.arange(1, 5)[:, None]), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(net.features(params, state, None, X, y)[0], features, rtol=1e-5)
    limit = np.sqrt(6 / sum(table.shape))  # Glorot's
    assert table.shape == (len(given.T), 6) and 0.3 * limit < np.abs(table).max() <= limit


def test_the_state_is_that_of_the_logits():
    # Kills: a state that is lost, or moved twice.
    counting = AFFINE._replace(apply=lambda params, state, noise, x: (jnp.zeros(len(x)), state + 1))
    net = projected(counting, CLASSES)
    params, _ = net.init(KEY, X, LABEL)
    assert net.apply(params, 5, (), X, LABEL)[1] == 6


def test_each_logit_of_an_example_gets_the_product():
    # Kills: a product that is added to the logits of other examples where there are several.
    params, state = (net := projected(Critic((4,)), CLASSES)).init(KEY, X, LABEL)
    bare = network(Critic((4,))).apply(params["net"], state, None, X)[0]
    added = net.apply(params, state, None, X, LABEL)[0] - bare
    np.testing.assert_allclose(added, np.repeat(np.asarray(added)[:, :1], 4, 1), atol=1e-6)
    assert np.all(np.abs(np.ptp(np.asarray(added), 0)) > 1e-3)


# The label is 0 or 1, as probable; x given it is N(m_y, 1) in the data and N(n_y, 1) in the model. So log p(x, y) -
# log q(x, y) = (m_y - n_y) x - (m_y^2 - n_y^2) / 2, which is <v_y, (x, 1)> of the features (x, 1).
REAL, FAKE = np.array([-1.0, 2.0]), np.array([0.5, 1.0])
OPTIMUM = np.stack([REAL - FAKE, (FAKE**2 - REAL**2) / 2], -1)
AFFINE = Network(
    lambda key, x: ((), ()),
    lambda params, state, noise, x: (jnp.zeros(len(x)), state),
    features=lambda params, state, noise, x: (jnp.concatenate([x, jnp.ones_like(x)], -1), state),
)


def test_the_optimum_of_the_classifier_is_the_log_ratio_of_the_joint_densities():
    # Kills: a label that only one of real and fake gets; logits of p(x) alone. At the optimum the slope of the critic's
    # loss is zero, and its value is log 4 - 2 JS of the joint densities, by quadrature.
    n = 2000  # quantiles of each Gaussian in place of draws
    normal = stats.norm.ppf((np.arange(n) + 0.5) / n)
    y = np.repeat([0, 1], n)
    shift = Network(
        lambda key, z, y: ((), ()),
        lambda params, state, noise, z, y: (z + jnp.asarray(FAKE, jnp.float32)[y][:, None], state),
    )
    game = gan(shift, projected(AFFINE, 2), latent_dim=1)
    batch = Batch(jnp.asarray((REAL[y] + np.tile(normal, 2))[:, None], jnp.float32), jnp.asarray(y))
    params, state = game.init(KEY, batch)
    noise = game.draw(KEY, batch) | {"z": jnp.asarray(np.tile(normal, 2)[:, None], jnp.float32)}

    @jax.jit
    def play(table):
        at = {**params, "critic": {**params["critic"], "embedding": table}}
        return game.losses["critic"](at, noise, batch, Context(0, state))[0]

    value, slope = jax.value_and_grad(play)(jnp.asarray(OPTIMUM, jnp.float32))

    def both(x):
        pairs = [(stats.norm.pdf(x, m), stats.norm.pdf(x, f)) for m, f in zip(REAL, FAKE, strict=True)]
        return sum(-0.5 * (p * np.log(p / (p + q)) + q * np.log(q / (p + q))) for p, q in pairs)

    assert value == pytest.approx(integrate.quad(both, -12, 12)[0], abs=1e-3)
    assert np.abs(slope).max() < 2e-3
    assert np.abs(jax.grad(play)(jnp.asarray(OPTIMUM[::-1], jnp.float32))).max() > 0.1


WRAPPERS = {
    "mapped": lambda net: mapped(net, lambda y: 2 * y),
    "cast": cast,
    "remat": remat,
    "spectral": lambda net: spectral(net, exclude=()),
    "augmented": lambda net: augmented(net, instance_noise(0.1)),
    "ada": lambda net: ada(net, instance_noise(0.1)),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_projection_around_and_inside(name):
    # Kills: a label that goes to the critic inside; a table that spectral norm leaves out; noise of another form.
    wrap = WRAPPERS[name]
    for net in (wrap(projected(Critic(), CLASSES)), projected(wrap(Critic()), CLASSES)):

        def play(net=net):
            params, state = net.init(KEY, X, LABEL)
            noise = net.draw(KEY, X, LABEL)
            return net.apply(params, state, noise, X, LABEL), state, net.features(params, state, None, X, LABEL)[0]

        (y, new), state, features = jax.eval_shape(play)
        assert y.shape == (B,) and features.shape == (B, 6) and new == state
    if name == "spectral":
        assert "embedding" in jax.eval_shape(wrap(projected(Critic(), CLASSES)).init, KEY, X, LABEL)[1]["u"]


def products(net, *xs):
    """How many products of matrices the gradient of its outputs in its params takes, forward pass included."""

    params, state = net.init(KEY, *xs)
    noise = net.draw(KEY, *xs)

    def total(params):
        return sum(jnp.sum(y**2) for y in jax.tree.leaves(net.apply(params, state, noise, *xs)[0]))

    return str(jax.make_jaxpr(jax.grad(total))(params)).count("dot_general")


@pytest.mark.parametrize("name", WRAPPERS)
def test_the_critic_is_evaluated_once(name):
    # Kills: a trunk that is computed for the logits and again for the features, whose transposes no compiler merges; a
    # wrapper that loses the function for both. The head has three products of its own, the table two.
    wrap = WRAPPERS[name]
    bare = products(wrap(Critic()), X)
    assert products(branched(wrap(Critic()), 7), X) == bare + 3
    assert products(projected(wrap(Critic()), CLASSES), X, LABEL) == bare + 2


class Aside(Critic):
    """A critic whose features are not what its last layer reads."""

    def __call__(self, x):
        return self.last(self.first(x)).reshape(-1)


class Twice(Critic):
    """A critic that reads its features at two inputs."""

    def __call__(self, x):
        return self.last(self.hidden(-x) + self.hidden(2 * x)).reshape(-1)


@pytest.mark.parametrize("module", [Critic, Aside, Twice])
def test_features_are_those_of_the_input(module):
    # Kills: features that are missing, or those of another input, where `__call__` does not call `hidden` once.
    net = branched(module(), 2)
    params, state = net.init(KEY, X)
    bare, head = network(module()), params["head"]
    (logits, more), _ = net.apply(params, state, (), X)
    np.testing.assert_allclose(logits, bare.apply(params["net"], state, (), X)[0], rtol=1e-5)
    hidden = bare.features(params["net"], state, (), X)[0]
    np.testing.assert_allclose(more, np.asarray(hidden) @ np.asarray(head["kernel"]), rtol=1e-4, atol=1e-6)


class Normalised(nn.Module):
    """A critic with batch statistics, dropout and features."""

    def setup(self):
        self.norm, self.last = nn.BatchNorm(), nn.Dense(1)
        self.drop = nn.Dropout(0.5)

    def hidden(self, x, train):
        return self.drop(self.norm(x, use_running_average=not train), deterministic=not train)

    def __call__(self, x, train):
        return self.last(self.hidden(x, train))[:, 0]


@pytest.mark.parametrize("train", [True, False])
def test_one_evaluation_has_the_state_and_noise_of_two(train):
    # Kills: statistics that are lost, or moved in evaluation; what was kept left in the state; dropout drawn anew.
    net = network(Normalised(), rngs=("dropout",), couples=True)
    params, state = net.init(KEY, X)
    noise = net.draw(KEY, X) if train else None
    (logits, features), new = together(net)(params, state, noise, X)
    wanted, moved = net.apply(params, state, noise, X)
    np.testing.assert_array_equal(logits, wanted)
    np.testing.assert_array_equal(features, net.features(params, state, noise, X)[0])
    jax.tree.map(np.testing.assert_array_equal, new, moved)
    assert (np.any(np.asarray(features) == 0)) == train


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: projected(packed(Critic(), 2), 3), "features of a critic"),
        (lambda: projected(Critic(), 1), "at least 2"),
        (lambda: projected(Critic(), None), r"the shape \(N,\)"),
        (lambda: projected(Critic(), (4, 4, 1)), r"the shape \(N,\)"),
        (lambda: projected(Critic(), 3).apply((), (), None, X, VECTOR), "labels"),
    ],
)
def test_projection_refuses(build, word):
    # Kills: a label per pack; a product with an image.
    with pytest.raises(BadRequest, match=word):
        build()
