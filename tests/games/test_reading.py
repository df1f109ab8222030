"""Games whose critic reads labels or codes: losses by NumPy, known biases by quadrature, what the critic sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import Critic, Generator, counter
from scipy import integrate, special, stats

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games import acgan, infogan
from jaxgen.nets import network, packed
from jaxgen.nets.readouts import branched
from jaxgen.objectives import CLASSIFIER, DISCRIMINATIVE_CLASSIFIER, HINGE

B, D, SHAPE, CLASSES = 4, 3, (5,), 3
KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
BATCH = Batch(jnp.asarray(RNG.normal(size=(B, *SHAPE)), jnp.float32), jnp.array([2, 0, 1, 2]))


def softplus(x):
    return np.logaddexp(0, x)


def played(game, batch):
    params, state = game.init(KEY, batch)
    noise = game.draw(jax.random.key(1), batch)
    losses = {name: jax.jit(loss)(params, noise, batch, Context(0, state)) for name, loss in game.losses.items()}
    return params, state, noise, losses


def judged(params, x):
    """(logits, scores) of `branched(Critic())` in float64."""
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), params["critic"])
    f = np.tanh(np.asarray(x, np.float64) @ p["net"]["first"]["kernel"] + p["net"]["first"]["bias"])
    logits = f @ p["net"]["last"]["kernel"][:, 0] + p["net"]["last"]["bias"][0]
    return logits, f @ p["head"]["kernel"] + p["head"]["bias"]


def test_acgan_by_hand():
    # Kills: a label that the critic sees; a classifier of real examples alone; a weight on the wrong term; the
    # generator's part in the critic's loss, or the other way round; the loss handed in that is not read.
    game = acgan(Generator(SHAPE), Critic(), classes=CLASSES, latent_dim=D, loss=HINGE, weight=0.5)
    params, _, noise, losses = played(game, BATCH)
    fake = network(Generator(SHAPE)).apply(params["generator"], {}, None, noise["z"], BATCH.condition)[0]
    (real, real_scores), (made, made_scores) = judged(params, BATCH.x), judged(params, fake)
    at, y = np.arange(B), np.asarray(BATCH.condition)
    read = [-special.log_softmax(scores, -1)[at, y] for scores in (real_scores, made_scores)]
    critic = np.mean(np.maximum(0, 1 - real) + np.maximum(0, 1 + made)) + 0.5 * np.mean(read[0] + read[1])
    np.testing.assert_allclose(losses["critic"][0], critic, rtol=1e-5)
    np.testing.assert_allclose(losses["generator"][0], np.mean(-made) + 0.5 * np.mean(read[1]), rtol=1e-5)
    info = losses["critic"][1].info
    np.testing.assert_allclose(info["classifier"], np.mean(read[0] + read[1]), rtol=1e-5)
    np.testing.assert_allclose([info["real_logit"], info["fake_logit"]], [real.mean(), made.mean()], rtol=1e-4)
    assert np.shape(params["critic"]["head"]["kernel"]) == (6, CLASSES)


def test_infogan_by_hand():
    # Kills: a code that the generator does not get, or in another place; information with the other sign, or of the
    # real examples; a weight that is dropped; an info of the loss in place of nats.
    game = infogan(Generator(SHAPE), Critic(), latent_dim=D, categories=4, numbers=1, weight=0.5)
    params, state, noise, losses = played(game, BATCH._replace(condition=None))
    z = np.asarray(noise["z"], np.float64)
    fake = network(Generator(SHAPE)).apply(params["generator"], {}, None, noise["z"])[0]
    (real, _), (made, scores) = judged(params, BATCH.x), judged(params, fake)
    kind, number = z[:, D : D + 4].argmax(-1), z[:, -1]
    gained = special.log_softmax(scores[:, :4], -1)[np.arange(B), kind] + np.log(4)
    gained = np.mean(gained + stats.norm.logpdf(number, scores[:, 4]) + np.log(2))
    np.testing.assert_allclose(losses["critic"][0], np.mean(softplus(-real) + softplus(made)) - gained / 2, rtol=1e-5)
    np.testing.assert_allclose(losses["generator"][0], np.mean(softplus(-made)) - gained / 2, rtol=1e-5)
    np.testing.assert_allclose(losses["critic"][1].info["information_nats"], gained, rtol=1e-4)
    model = game.model(params, state)
    code = np.concatenate([special.log_softmax(scores[:, :4], -1), scores[:, 4:]], -1)
    np.testing.assert_allclose(model.features["code"](fake), code, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.scores["critic"](None, fake), -made, rtol=1e-4)


def test_codes_are_drawn_from_their_prior():
    # Kills: categories of another probability, numbers in (0, 1), a normal number in the code; parts that share a key.
    n = 20_000
    game = infogan(Generator(SHAPE), Critic(), latent_dim=1, categories=3, numbers=1)
    z = np.asarray(game.model(*game.init(KEY, BATCH._replace(condition=None))).draw(KEY, n), np.float64)
    assert z.shape == (n, 5) and np.all(z[:, 1:4].sum(1) == 1) and set(np.unique(z[:, 1:4])) == {0, 1}
    assert np.all(np.abs(z[:, 1:4].mean(0) - 1 / 3) < 5 * np.sqrt(2 / 9 / n))
    assert stats.kstest(z[:, 0], stats.norm.cdf).pvalue > 1e-6
    assert stats.kstest(z[:, 4], stats.uniform(-1, 2).cdf).pvalue > 1e-6 and np.abs(z[:, 4]).max() <= 1
    apart = np.corrcoef(z[:, 0], z[:, 4])[0, 1], np.corrcoef(z[:, 1], z[:, 4])[0, 1]
    assert np.max(np.abs(apart)) < 5 / np.sqrt(n)


def pull_on_the_means(auxiliary, scores, gap, n=4000):
    """The slope in a of the generator's loss for x = +-a + z at a = `gap`, z at quantiles of N(0, 1), D silent."""
    normal = stats.norm.ppf((np.arange(n) + 0.5) / n)
    label = np.repeat([0, 1], n)
    apart = Network(
        lambda key, z, y: (jnp.float32(gap), ()),
        lambda a, state, noise, z, y: (z + a * (2.0 * y - 1)[:, None], state),
    )
    silent = Network(
        lambda key, x: ((), ()),
        lambda params, state, noise, x: (jnp.zeros(len(x)), state),
        features=lambda params, state, noise, x: (jnp.concatenate([x, x**2, jnp.ones_like(x)], -1), state),
    )
    game = acgan(apart, silent, classes=2, latent_dim=1, auxiliary=auxiliary)
    batch = Batch(jnp.zeros((2 * n, 1)), jnp.asarray(label))
    params, state = game.init(KEY, batch)
    params["critic"]["head"] = {"kernel": jnp.asarray(scores.T, jnp.float32), "bias": jnp.zeros(len(scores))}
    noise = game.draw(KEY, batch) | {"z": jnp.asarray(np.tile(normal, 2)[:, None], jnp.float32)}
    slope = jax.jit(jax.grad(lambda p: game.losses["generator"](p, noise, batch, Context(0, state))[0]))(params)
    return float(slope["generator"])


def test_the_optimum_of_acgan_is_biased_where_classes_overlap():
    # Kills: a discriminative classifier that pulls as AC-GAN's does, or in the wrong direction. The data are N(-m, 1)
    # and N(m, 1), and the model is the data. AC-GAN's exact classifier, sigmoid(2 m x), pulls the means apart by
    # -2 m E sigmoid(-2 m (m + z)), by quadrature. An exact discriminative one, log p(x, y) twice, does not pull.
    m = 0.7
    exact = integrate.quad(lambda z: -2 * m * special.expit(-2 * m * (m + z)) * stats.norm.pdf(z), -12, 12)[0]
    density = np.array([[-m, -0.5, 0.0], [m, -0.5, 0.0]])  # log p(x|y) and a constant, of the features (x, x^2, 1)
    assert exact < -0.1
    assert pull_on_the_means(CLASSIFIER, density, m) == pytest.approx(exact, rel=1e-3)
    assert pull_on_the_means(DISCRIMINATIVE_CLASSIFIER, np.tile(density, (2, 1)), m) == pytest.approx(0, abs=1e-5)
    # If the model's means are too near or too far apart, it pulls them to the data's: of the label y = -1 or 1 the
    # slope of log p - log q in x = y a + z is y (m - a), and that of the loss in a is -(m - a).
    for a in (0.5, 1.0):
        both = np.concatenate([density, [[-a, -0.5, 0.0], [a, -0.5, 0.0]]])
        both[:, 2] = [-(m**2) / 2] * 2 + [-(a**2) / 2] * 2
        assert pull_on_the_means(DISCRIMINATIVE_CLASSIFIER, both, a) == pytest.approx(-(m - a), rel=1e-3)


def test_whose_state_is_kept_and_what_couples():
    # Kills: a critic's state that the generator's turn replaces, or that of its call on fakes; a score of packs.
    plain = network(Critic())
    critic = counter(plain)._replace(features=lambda params, state, noise, *xs: plain.features(params, {}, None, *xs))
    game = infogan(counter(network(Generator(SHAPE))), critic, latent_dim=D, categories=2, numbers=0)
    params, _, noise, losses = played(game, BATCH)
    assert set(losses["critic"][1].state) == {"critic"} and set(losses["generator"][1].state) == {"generator"}
    assert losses["generator"][1].state["generator"]["calls"] == 1
    np.testing.assert_allclose(losses["critic"][1].state["critic"]["mean"], np.mean(BATCH.x), rtol=1e-5)
    coupled = infogan(Generator(SHAPE), network(Critic())._replace(couples=True), latent_dim=D)
    assert coupled.couples and not game.couples
    params, state = coupled.init(KEY, BATCH)
    model = coupled.model(params, state)
    assert model.scores == {} and model.features == {}


def build(game, shape=SHAPE, **parts):
    start = {"latent_dim": D} | ({"classes": CLASSES} if game is acgan else {})
    return lambda batch=BATCH: played(game(Generator(shape), Critic(), **{**start, **parts}), batch)


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (build(acgan, classes=1), "classes=1"),
        (build(acgan, auxiliary="classifier"), "auxiliary must be of the type Auxiliary"),
        (build(acgan, weight=-1.0), "weight must be"),
        (build(acgan, loss="hinge"), "loss must be"),
        (build(infogan, categories=1), "at least 2 categories"),
        (build(infogan, categories=0, numbers=0), "at least 2 categories"),
        (lambda: build(acgan)(BATCH._replace(condition=None)), "acgan.. predicts labels"),
        (lambda: build(acgan)(BATCH._replace(condition=BATCH.x)), "acgan.. predicts labels"),
        (build(acgan, shape=(4,)), "the generator gives x of"),
        (lambda: acgan(Generator(SHAPE), packed(Critic(), 2), classes=2, latent_dim=D), "features of a critic"),
        (lambda: branched(Critic(), 0), "outputs=0"),
    ],
)
def test_what_does_not_fit_is_refused(act, word):
    # Kills: a mistake that comes to light when the step is traced, or never.
    with pytest.raises(BadRequest, match=word):
        act()
