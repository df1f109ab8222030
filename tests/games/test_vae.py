"""The one-player game: its loss against NumPy, who is reached by the gradient, what is refused."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from scipy.stats import logistic

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games.vae import vae
from jaxgen.latents import codebook, flow, free_bits, gaussian_prior, hierarchical, quantised, scalars, vamp, vector
from jaxgen.latents.dense import Dense
from jaxgen.nets import networks
from jaxgen.nets.adapters import network
from jaxgen.objectives import (
    BERNOULLI,
    CUT,
    DREG,
    GAUSSIAN,
    LAPLACE,
    LEVELS,
    NUMBERS,
    PATHWISE,
    PIXELS,
    SCORE,
    VECTORS,
    categorical,
    elbo,
    importance,
)

B, D, K = 3, 2, 4
IMAGE = (8, 8, 1)


def build(shape=IMAGE, latent=None, posterior=GAUSSIAN, estimator=PATHWISE, prior=None, **parts):
    nets = networks(shape, width=8)
    latent = latent or vector(D, posterior=posterior, estimator=estimator, prior=prior)
    return vae(nets.encoder(posterior.size * D), nets.generator, latent, **parts), nets


def batch_of(shape, seed=0):
    return Batch(jnp.asarray(np.random.default_rng(seed).uniform(size=(B, *shape)), jnp.float32))


def context(step=0, state=None):
    return Context(jnp.asarray(step), state or {"encoder": {}, "latent": (), "decoder": {}})


EMPTY = {"encoder": {}, "latent": (), "decoder": {}}


def start(game, batch):
    params, _ = game.init(jax.random.key(0), batch)
    # Zero-initialised biases hide mistakes: move every leaf a little.
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(1)
    moved = [leaf + 0.05 * rng.normal(size=leaf.shape).astype("f") for leaf in leaves]
    return jax.tree.unflatten(tree, moved)


def raw_of(nets, params, batch, size=2):
    """What the encoder gives, float64 [B, size D]."""
    variables = {"params": params["vae"]["encoder"]}
    return np.asarray(nets.encoder(size * D).apply(variables, batch.x), np.float64)


def decoded(nets, params, z):
    """What the decoder gives, float64 [K, B, N]."""
    variables = {"params": params["vae"]["decoder"]}
    y = np.stack([nets.generator.apply(variables, jnp.asarray(one, jnp.float32)) for one in z])
    return y.astype(np.float64).reshape(len(z), B, -1)


def parts_by_numpy(nets, params, noise, batch, observation):
    """nll [K, B], log q - log p [K, B] and exact KL [B] in float64, from the networks' raw outputs."""
    own, x = params["vae"], np.asarray(batch.x, np.float64).reshape(B, -1)
    mean, raw = np.split(raw_of(nets, params, batch), 2, -1)
    log_std = 7 * np.tanh(raw / 7)
    noise = noise["latent"] if isinstance(noise, dict) else noise
    z = mean + np.exp(log_std) * np.asarray(noise, np.float64)
    y = decoded(nets, params, z)
    if observation is PIXELS:
        nll = np.sum(np.logaddexp(0, y) - x * y, -1)
    else:
        s = 7 * np.tanh(np.asarray(own["observation"], np.float64) / 7)
        nll = np.sum(0.5 * ((x - y) / np.exp(s)) ** 2 + s + 0.5 * np.log(2 * np.pi), -1)
    log_q = np.sum(-0.5 * np.asarray(noise, np.float64) ** 2 - log_std - 0.5 * np.log(2 * np.pi), -1)
    log_p = np.sum(-0.5 * z**2 - 0.5 * np.log(2 * np.pi), -1)
    exact = np.sum(0.5 * (np.exp(2 * log_std) + mean**2 - 1 - 2 * log_std), -1)
    return nll, log_q - log_p, exact


@pytest.mark.parametrize(("shape", "observation"), [(IMAGE, PIXELS), ((5,), VECTORS)])
@pytest.mark.parametrize("name", ["elbo", "sampled", "importance", "beta", "importance, beta"])
def test_loss_is_the_formula(shape, observation, name):
    # Kills: beta on the likelihood; the divergence outside the log-mean-exp; a sum over the batch; log_std for log_var.
    parts = {
        "elbo": {},
        "sampled": {"bound": elbo, "samples": K},
        "importance": {"bound": importance, "samples": K},
        "beta": {"beta": lambda step: 0.5 * step, "samples": K},
        "importance, beta": {"bound": importance, "beta": lambda step: 0.5 * step, "samples": K},
    }[name]
    game, nets = build(shape, observation=observation, **parts)
    batch = batch_of(shape)
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)
    loss, aux = game.losses["vae"](params, noise, batch, context(step=3))
    nll, ratio, exact = parts_by_numpy(nets, params, noise, batch, observation)
    expected = {
        "elbo": np.mean(nll.mean(0) + exact),
        "sampled": np.mean((nll + ratio).mean(0)),
        "importance": np.mean(-(np.logaddexp.reduce(-(nll + ratio), 0) - np.log(K))),
        "beta": np.mean(nll.mean(0) + 1.5 * exact),
        "importance, beta": np.mean(-(np.logaddexp.reduce(-(nll + 1.5 * ratio), 0) - np.log(K))),
    }[name]
    np.testing.assert_allclose(loss, expected, rtol=2e-5)
    np.testing.assert_allclose(aux.info["nll_nats"], nll.mean(), rtol=2e-5)
    kl = exact.mean() if name in ("elbo", "beta") else ratio.mean()
    np.testing.assert_allclose(aux.info["kl_nats"], kl, rtol=1e-4)
    np.testing.assert_allclose(aux.info["neg_elbo_nats"], nll.mean() + kl, rtol=2e-5)  # whatever beta and the bound are
    assert "bits_per_dim" not in aux.info


@pytest.mark.parametrize(("bound", "samples"), [(None, 1), (elbo, K)])
def test_gradient_is_the_directional_difference(bound, samples):
    # Kills: a stopped sample; a dropped term of the divergence. Noise is held fixed, so the loss is a smooth function.
    game, _ = build(bound=bound, samples=samples)
    batch = batch_of(IMAGE)
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)

    def loss(params):
        return game.losses["vae"](params, noise, batch, context())[0]

    grad = jax.grad(loss)(params)
    rng = np.random.default_rng(2)
    for part in ("encoder", "decoder"):
        away = jax.tree.map(lambda a: jnp.zeros_like(a), params)
        away["vae"][part] = jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape), "f"), params["vae"][part])
        size = 1e-2 / np.sqrt(sum(float(jnp.sum(a**2)) for a in jax.tree.leaves(away)))

        def moved(step, away=away, size=size):
            return float(loss(jax.tree.map(lambda p, d: p + step * size * d, params, away)))

        exact = sum(float(jnp.vdot(g, a)) for g, a in zip(jax.tree.leaves(grad), jax.tree.leaves(away), strict=True))
        np.testing.assert_allclose((moved(1) - moved(-1)) / 2, exact * size, rtol=5e-2, atol=1e-4)


def test_cut_sample_leaves_the_encoder_unreached():
    # Kills: a gradient that leaks through the sample. With the divergence weighted 0 nothing else reaches the encoder.
    batch = batch_of(IMAGE)
    for estimator, reached in ((CUT, False), (PATHWISE, True)):
        game, _ = build(estimator=estimator, beta=0.0)
        params = start(game, batch)
        noise = game.draw(jax.random.key(1), batch)
        grad = jax.grad(lambda p, game=game, noise=noise: game.losses["vae"](p, noise, batch, context())[0])(params)
        for leaf in jax.tree.leaves(grad["vae"]["encoder"]):
            assert bool(jnp.any(leaf != 0)) == reached
        for leaf in jax.tree.leaves(grad["vae"]["decoder"]):
            assert bool(jnp.any(leaf != 0))


def test_value_does_not_depend_on_the_estimator():
    # Kills: an estimator that changes the value. Same noise, so the same number.
    batch = batch_of(IMAGE)
    values = []
    for estimator in (CUT, PATHWISE):
        game, _ = build(estimator=estimator)
        values.append(game.losses["vae"](start(game, batch), game.draw(jax.random.key(1), batch), batch, context())[0])
    np.testing.assert_allclose(*values, rtol=1e-6)


def test_model_speaks_of_the_same_distributions():
    # Kills: a log_weight with the wrong sign or without the prior; encode that samples; scores that count beta; another
    # first score than the reconstruction probability; that with the KL, as a sum over the samples, or with the entropy
    # of greys, by which a dark image is never strange.
    game, nets = build(beta=5.0)
    batch = batch_of(IMAGE)
    params = start(game, batch)
    model = game.model(params, EMPTY)
    noise = model.draw_posterior(jax.random.key(3), K, batch.x)
    nll, ratio, exact = parts_by_numpy(nets, params, noise, batch, PIXELS)
    np.testing.assert_allclose(model.log_weight(noise, batch.x), -(nll + ratio), rtol=1e-5)
    assert next(iter(model.scores)) == "reconstruction probability"
    x = np.asarray(batch.x, np.float64).reshape(B, -1)
    entropy = -np.sum(special.xlogy(x, x) + special.xlogy(1 - x, 1 - x), -1)
    score = model.scores["reconstruction probability"](noise, batch.x)
    np.testing.assert_allclose(score, nll.mean(0) - entropy, rtol=1e-4)
    np.testing.assert_allclose(model.scores["elbo"](noise, batch.x), (nll + ratio).mean(0), rtol=1e-5)
    bound = -(np.logaddexp.reduce(-(nll + ratio), 0) - np.log(K))
    np.testing.assert_allclose(model.scores["importance bound"](noise, batch.x), bound, rtol=1e-5)
    np.testing.assert_allclose(model.scores["divergence"](noise, batch.x), exact, rtol=1e-5)
    again = np.asarray(model.decode(model.encode(batch.x)), np.float64)
    missed = ((again - np.asarray(batch.x, np.float64)) ** 2).reshape(B, -1).sum(-1)
    np.testing.assert_allclose(model.scores["reconstruction"](noise, batch.x), missed, rtol=1e-5)
    samples = model.sample(model.draw(jax.random.key(4), 7))
    assert samples.shape == (7, *IMAGE) and bool(jnp.all((samples > 0) & (samples < 1)))
    assert model.features["encoder"](batch.x).shape == (B, 8)


def test_samples_of_vectors_hold_the_observation_noise():
    # Kills: a sample that is the mean. With z at rest, samples spread by exp(log_std).
    game, _ = build((5,), observation=VECTORS)
    params = start(game, batch_of((5,)))
    params["vae"]["observation"] = jnp.log(jnp.array([0.5, 1.0, 2.0, 1.0, 1.0]))
    model = game.model(params, EMPTY)
    noise = model.draw(jax.random.key(0), 4000)
    x = np.asarray(model.sample({**noise, "z": jnp.zeros_like(noise["z"])}), np.float64)
    np.testing.assert_allclose(x.std(0), [0.5, 1, 2, 1, 1], rtol=5 / np.sqrt(2 * 4000))


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ({"samples": 0}, "samples=0: it must be a whole number of at least 1"),
        ({"samples": 2.0}, "samples=2.0: it must be a whole number"),
        ({"latent": 2}, r"latent must be of the type Latent, such as vector\(20\), not 2"),
        ({"observation": GAUSSIAN}, r"observation must be .*VECTORS or independent\(GAUSSIAN\), not Family"),
        ({"beta": "a"}, "beta must be a finite number of at least 0, or a function of the step, not a"),
        ({"estimator": SCORE}, "at least 2"),
        ({"latent": free_bits(vector(D), 0.1), "bound": importance}, "bound=None"),
        ({"latent": quantised(codebook(4), (2,)), "samples": 2}, "point mass"),
        ({"beta": -1.0}, "at least 0"),
        ({"beta": float("nan")}, "at least 0"),
    ],
)
def test_illegal_combinations_raise_when_the_game_is_built(parts, word):
    # Kills: a check that runs at step 900, or never.
    with pytest.raises(BadRequest, match=word):
        build(**parts)


@pytest.mark.parametrize("bound", [None, elbo, importance, lambda log_w: 2 * importance(log_w / 2)])
@pytest.mark.parametrize("estimator", [PATHWISE, CUT, SCORE, DREG])
@pytest.mark.parametrize(
    "posterior", [GAUSSIAN, pytest.param(LAPLACE, marks=pytest.mark.slow), flow(layers=1, width=4)]
)
def test_everything_that_is_right_is_let_in(posterior, estimator, bound):
    # Kills: a check that refuses too much; a pair of estimator and bound whose values differ from those of PATHWISE.
    game, _ = build((5,), posterior=posterior, estimator=estimator, bound=bound, samples=2, observation=VECTORS)
    batch = batch_of((5,))
    params, state = jax.eval_shape(game.init, jax.random.key(0), batch)
    noise = jax.eval_shape(game.draw, jax.random.key(0), batch)
    loss, aux = jax.eval_shape(game.losses["vae"], params, noise, batch, Context(jnp.asarray(0), state))
    assert loss.shape == () and jax.tree.structure(aux.state) == jax.tree.structure(state)


def test_the_prior_is_the_one_that_is_named():
    # Kills: a prior that is N(0, I) in the samples or the weights, and another in the loss.
    game, nets = build((5,), observation=VECTORS, prior=LAPLACE, samples=K)
    batch = batch_of((5,))
    params = start(game, batch)
    model, eps = game.model(params, EMPTY), game.draw(jax.random.key(1), batch)
    drawn = np.asarray(model.draw(jax.random.key(2), 4000)["z"], np.float64)
    assert stats.kstest(drawn.ravel(), stats.laplace.cdf).pvalue > 1e-3
    other, _ = build((5,), observation=VECTORS, samples=K)
    weights, others = (g.model(params, EMPTY).log_weight(eps["latent"], batch.x) for g in (game, other))
    mean, raw = np.split(raw_of(nets, params, batch), 2, -1)
    z = mean + np.exp(7 * np.tanh(raw / 7)) * np.asarray(eps["latent"], np.float64)
    gap = np.asarray(weights - others, np.float64)
    np.testing.assert_allclose(gap, (stats.laplace.logpdf(z) - stats.norm.logpdf(z)).sum(-1), rtol=1e-4, atol=1e-4)
    loss, _ = game.losses["vae"](params, eps, batch, context())  # no closed form: by samples
    np.testing.assert_allclose(loss, -np.mean(np.asarray(weights)), rtol=1e-5)


def test_coins_for_codes():
    # Kills: a discrete posterior beside a prior of another family. p(x) is the mean over all codes.
    game, _ = build((5,), posterior=BERNOULLI, estimator=SCORE, samples=2, observation=VECTORS)
    batch = batch_of((5,))
    params = start(game, batch)
    params["vae"]["observation"] = jnp.zeros(5)
    model = game.model(params, EMPTY)
    codes = jnp.asarray(list(np.ndindex(*(2,) * D)), jnp.float32)
    mean = np.asarray(model.decode(codes), np.float64)[:, None]
    exact = special.logsumexp(stats.norm.logpdf(np.asarray(batch.x)[None], mean).sum(-1), axis=0) - D * np.log(2)
    weights = np.asarray(model.log_weight(model.draw_posterior(jax.random.key(3), 20_000, batch.x), batch.x), "d")
    ratio = np.exp(weights - exact)
    assert np.all(abs(ratio.mean(0) - 1) < 5 * ratio.std(0) / np.sqrt(len(ratio)))
    samples = model.sample({"z": jnp.array([[0.2, 0.7]]), "x": jnp.zeros((1, 5))})  # noise is pushed to a code
    np.testing.assert_allclose(samples, model.decode(jnp.array([[1.0, 0.0]])), rtol=1e-6)


@pytest.mark.parametrize("bound", [None, elbo])
def test_a_laplace_posterior_by_numpy(bound):
    # Kills: a posterior that is read, pushed or scored as a Gaussian.
    game, nets = build((5,), posterior=LAPLACE, observation=VECTORS, bound=bound, samples=K)
    batch = batch_of((5,))
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)
    e = np.asarray(noise["latent"], np.float64)
    mean, raw = np.split(raw_of(nets, params, batch), 2, -1)
    scale = np.exp(7 * np.tanh(raw / 7))
    z = mean + scale * e
    nll, _, _ = parts_by_numpy(nets, params, noise, batch, VECTORS)  # the same z: only its law is another
    if bound is None:
        kl = np.sum(scale**2 + mean**2 / 2 - np.log(scale) - 1 + np.log(np.pi / 2) / 2, -1)
    else:
        kl = np.sum(-np.abs(e) - np.log(2 * scale) + z**2 / 2 + np.log(2 * np.pi) / 2, -1)
    loss, aux = game.losses["vae"](params, noise, batch, context())
    np.testing.assert_allclose(aux.info["kl_nats"], kl.mean(), rtol=1e-5)
    np.testing.assert_allclose(loss, nll.mean() + kl.mean(), rtol=1e-5)


def test_free_bits_are_paid_and_the_figures_are_the_kl():
    # Kills: a floor that the loss does not pay, or that reaches the figures and the scores; one that beta skips.
    game, nets = build((5,), observation=VECTORS, latent=free_bits(vector(D), 20.0), beta=2.0)
    assert game.couples and not build()[0].couples
    batch = batch_of((5,))
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)
    nll, _, exact = parts_by_numpy(nets, params, noise, batch, VECTORS)
    assert exact.max() < 20  # so every latent is below its floor
    loss, aux = game.losses["vae"](params, noise, batch, context())
    np.testing.assert_allclose(loss, nll.mean() + 2 * D * 20.0, rtol=1e-5)
    np.testing.assert_allclose(aux.info["kl_nats"], exact.mean(), rtol=1e-4)
    np.testing.assert_allclose(aux.info["nll_nats"], nll.mean(), rtol=1e-5)
    np.testing.assert_allclose(aux.info["neg_elbo_nats"], nll.mean() + exact.mean(), rtol=1e-5)
    scored = game.model(params, EMPTY).scores["divergence"](noise["latent"], batch.x)
    np.testing.assert_allclose(scored, exact, rtol=1e-5)


def test_levels_by_numpy():
    # Kills: a location that is y itself; one scale that is read for another pixel; a scale in units of the range.
    game, nets = build(observation=LEVELS, samples=K)
    batch = Batch(jnp.round(batch_of(IMAGE).x * 255) / 255)
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)
    own, level = params["vae"], np.round(np.asarray(batch.x, np.float64) * 255).reshape(B, -1)
    mean, raw = np.split(raw_of(nets, params, batch), 2, -1)
    y = decoded(nets, params, mean + np.exp(7 * np.tanh(raw / 7)) * np.asarray(noise["latent"], np.float64))
    scale = np.exp(7 * np.tanh(np.asarray(own["observation"], np.float64).ravel() / 7))
    law = logistic(255 / (1 + np.exp(-y)), scale)
    above, below = np.where(level == 255, np.inf, level + 0.5), np.where(level == 0, -np.inf, level - 0.5)
    nll = -np.log(law.cdf(above) - law.cdf(below)).sum(-1)
    aux = game.losses["vae"](params, noise, batch, context())[1]
    np.testing.assert_allclose(aux.info["nll_nats"], nll.mean(), rtol=1e-5)
    bits = (nll.mean() + float(aux.info["kl_nats"])) / 64 / np.log(2)
    np.testing.assert_allclose(aux.info["bits_per_dim"], bits, rtol=1e-5)


def test_samples_of_levels_are_levels():
    # Kills: a sample that is the mean; a scale that belongs to another pixel; noise that is no logistic.
    game, _ = build(observation=LEVELS)
    params = start(game, batch_of(IMAGE))
    params["vae"]["observation"] = jnp.linspace(0, 3, 64).reshape(IMAGE)
    model = game.model(params, EMPTY)
    noise = model.draw(jax.random.key(0), 4000)
    noise["z"] = jnp.zeros_like(noise["z"])
    x = np.asarray(model.sample(noise), np.float64).reshape(4000, -1) * 255
    np.testing.assert_allclose(x, np.round(x), atol=1e-4)
    variance = np.exp(7 * np.tanh(np.linspace(0, 3, 64) / 7)) ** 2 * np.pi**2 / 3 + 1 / 12  # rounding adds a twelfth
    np.testing.assert_allclose(x.var(0), variance, rtol=5 * np.sqrt(3.2 / 4000))  # kurtosis 4.2
    middle = np.asarray(model.decode(noise["z"][:1]), np.float64).reshape(-1) * 255
    assert np.all(abs(x.mean(0) - middle) < 5 * x.std(0) / np.sqrt(4000))


def test_what_is_no_network_is_refused():
    # Kills: an AttributeError from deep inside the first trace.
    with pytest.raises(BadRequest, match="is a function without params: pass a Linen module"):
        vae(lambda x: x, networks((5,)).generator, vector(D))


@pytest.mark.parametrize(
    ("name", "encoder", "decoder"), [("encoder", nn.Dense(5), nn.Dense(3)), ("decoder", nn.Dense(4), nn.Dense(2))]
)
def test_a_network_of_another_width_is_named(name, encoder, decoder):
    # Kills: an error from deep within that names shapes and no network.
    game = vae(encoder, decoder, vector(2), observation=VECTORS)
    with pytest.raises(BadRequest, match=f"the {name} gives"):
        jax.eval_shape(game.init, jax.random.key(0), batch_of((3,)))


def test_examples_are_one_array():
    # Kills: an AttributeError about the shape of a dict.
    game, _ = build((5,))
    with pytest.raises(BadRequest, match="takes x as one array, not as dict"):
        jax.eval_shape(game.init, jax.random.key(0), Batch({"a": jnp.zeros((B, 5))}))


def test_outputs_of_the_decoder():
    # Kills: one output per number for an observation of two; axes that are flat where those of x are not.
    decoder = nn.Sequential([nn.Dense(64 * 2), lambda y: y.reshape(-1, 8, 8, 2)])
    nets = networks(IMAGE, width=8)
    batch = batch_of(IMAGE)
    for observation, wanted in (
        (NUMBERS, None),
        (PIXELS, r"must give \[B, 8, 8, 1\]"),
        (categorical(5), r"must give \[B, 8, 8, 5\]"),
    ):
        game = vae(nets.encoder(2 * D), decoder, vector(D), observation=observation)
        if wanted is None:
            jax.eval_shape(game.init, jax.random.key(0), batch)
            continue
        with pytest.raises(BadRequest, match=wanted):
            jax.eval_shape(game.init, jax.random.key(0), batch)


class Both(nn.Module):
    """Inputs side by side, labels as one-hot vectors, then dense; with dropout and batch statistics in training."""

    shape: tuple[int, ...]
    busy: bool = False

    @nn.compact
    def __call__(self, x, label=None, train=False):
        x = x.reshape(x.shape[0], -1)
        if label is not None:
            x = jnp.concatenate([x, jax.nn.one_hot(label, 3)], -1)
        x = nn.Dense(8)(x)
        if self.busy:
            x = nn.BatchNorm(use_running_average=not train)(x)
            x = nn.Dropout(0.5, deterministic=not train)(x)
        return nn.Dense(int(np.prod(self.shape)))(nn.relu(x)).reshape(-1, *self.shape)


LABELS = jnp.array([0, 2, 1])


def test_networks_see_the_condition():
    # Kills: a condition that is dropped, or repeated example after example beside z that is sample after sample.
    game = vae(Both((2 * D,)), Both((5,)), vector(D), observation=VECTORS, samples=K)
    batch = batch_of((5,))._replace(condition=LABELS)
    params = start(game, batch)
    noise, own = game.draw(jax.random.key(1), batch), params["vae"]
    mean, raw = np.split(np.asarray(Both((2 * D,)).apply({"params": own["encoder"]}, *batch), "d"), 2, -1)
    z = mean + np.exp(7 * np.tanh(raw / 7)) * np.asarray(noise["latent"], "d")
    y = np.stack([Both((5,)).apply({"params": own["decoder"]}, jnp.asarray(one, "f"), LABELS) for one in z])
    s = 7 * np.tanh(np.asarray(own["observation"], "d") / 7)
    nll = -stats.norm(y.astype("d"), np.exp(s)).logpdf(np.asarray(batch.x, "d")).sum(-1)
    _, aux = game.losses["vae"](params, noise, batch, context())
    np.testing.assert_allclose(aux.info["nll_nats"], nll.mean(), rtol=1e-5)
    model = game.model(params, EMPTY)
    drawn = model.draw_posterior(jax.random.key(3), K, batch.x, LABELS)
    for condition, other in ((LABELS, (LABELS + 1) % 3),):
        for f in (model.encode, model.maps["reconstruct"]):
            assert np.all(np.any(np.asarray(f(batch.x, condition)) != np.asarray(f(batch.x, other)), -1))
        assert model.log_weight(drawn, batch.x, condition).shape == (K, B)
        for score in model.scores.values():
            assert score(drawn, batch.x, condition).shape == (B,)
    noise = model.draw(jax.random.key(4), B, LABELS)
    assert np.all(np.asarray(model.sample(noise, LABELS)) != np.asarray(model.sample(noise, (LABELS + 1) % 3)))


def test_networks_with_noise_and_state():
    # Kills: a network evaluated in training, or trained in the model; a state that is not handed on, or is named
    # otherwise; noise of the decoder for one sample only.
    busy = [network(Both(shape, busy=True), rngs=("dropout",), couples=True) for shape in ((2 * D,), (5,))]
    game = vae(*busy, vector(D), observation=VECTORS, samples=2)
    batch = batch_of((5,))._replace(condition=LABELS)
    params, state = game.init(jax.random.key(0), batch)
    noise = game.draw(jax.random.key(1), batch)
    loss, aux = game.losses["vae"](params, noise, batch, Context(jnp.asarray(0), state))
    assert set(aux.state) == set(state) == {"encoder", "latent", "decoder"}
    for name in ("encoder", "decoder"):
        new, old = (jax.tree.leaves(s[name]) for s in (aux.state, state))
        assert any(np.any(np.asarray(a) != np.asarray(b)) for a, b in zip(new, old, strict=True))
    other = game.losses["vae"](params, {**noise, "decoder": {"dropout": jax.random.key(9)}}, batch, Context(0, state))[
        0
    ]
    assert loss != other
    np.testing.assert_array_equal(*(game.model(params, state).encode(batch.x, LABELS) for _ in range(2)))


def test_draw_hands_the_decoder_the_shapes_of_all_samples():
    # Kills: noise of B rows for K B inputs of the decoder.
    seen = []

    def draw(key, z, condition):
        seen.append((z.shape, condition.shape))
        return jnp.zeros(z.shape)

    plain = networks((5,), width=8).generator
    decoder = Network(
        init=lambda key, z, condition: (plain.init(key, z)["params"], {}),
        apply=lambda params, state, noise, z, condition: (plain.apply({"params": params}, z), state),
        draw=draw,
    )
    game = vae(Both((2 * D,)), decoder, vector(D), observation=VECTORS, samples=K)
    batch = batch_of((5,))._replace(condition=LABELS)
    assert game.draw(jax.random.key(0), batch)["decoder"].shape == (K * B, D) and seen == [((K * B, D), (K * B,))]


LATENTS = {
    "vamp": (vector(D, prior=vamp(4)), 2 * D, D, {}),
    "flow": (vector(D, posterior=flow(layers=2, width=4)), 2 * D, D, {"bound": importance, "samples": 2}),
    "dreg": (vector(D, estimator=DREG), 2 * D, D, {"bound": importance, "samples": 2}),
    "hierarchical": (hierarchical((2, 1), width=6), 5, 6, {}),
    "free bits by layer": (free_bits(hierarchical((2, 1), width=6), 0.1), 5, 6, {}),
    "codebook": (quantised(codebook(4), (2,)), 2 * 3, (2, 3), {}),
    "scalars": (quantised(scalars(3, 4), (2,)), 2 * 2, (2, 2), {}),
}


@pytest.mark.parametrize("name", LATENTS)
def test_every_latent_trains_encodes_and_samples(name):
    # Kills: a latent that one of the functions of a game or a model cannot use; an encoder that no gradient reaches.
    latent, width, code, parts = LATENTS[name]
    game = vae(Both((width,)), Both((5,)), latent, observation=VECTORS, **parts)
    batch = batch_of((5,))
    params, state = game.init(jax.random.key(0), batch)
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda a: a + 0.1 * rng.normal(size=a.shape).astype("f"), params)
    noise = game.draw(jax.random.key(1), batch)
    loss = jax.value_and_grad(
        lambda p: game.losses["vae"](p, noise, batch, Context(jnp.asarray(0), state)), has_aux=True
    )
    (value, aux), grad = loss(params)
    assert np.isfinite(value) and jax.tree.structure(aux.state) == jax.tree.structure(state)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(grad))
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(grad["vae"]["encoder"]))
    for part in ("decoder", "latent"):  # z may be 0, and then a kernel that reads it has no gradient
        leaves = jax.tree.leaves(grad["vae"][part])
        assert not leaves or any(np.any(leaf != 0) for leaf in leaves)
    np.testing.assert_allclose(aux.info["neg_elbo_nats"], aux.info["nll_nats"] + aux.info["kl_nats"], rtol=1e-6)
    model = game.model(params, aux.state)
    assert model.encode(batch.x).shape == (B, *np.atleast_1d(code))
    assert model.maps["reconstruct"](batch.x).shape == batch.x.shape
    samples = model.sample(model.draw(jax.random.key(2), 7))
    assert samples.shape == (7, 5) and np.all(np.isfinite(samples))
    drawn = model.draw_posterior(jax.random.key(3), 2, batch.x)
    assert model.log_weight(drawn, batch.x).shape[1:] == (B,)
    assert all(score(drawn, batch.x).shape == (B,) for score in model.scores.values())


def test_penalties_are_paid_and_the_figures_leave_them_out():
    # Kills: a commitment that no one pays; one that counts as likelihood.
    game = vae(Both((6,)), Both((5,)), quantised(codebook(4, commitment=0.5), (2,)), observation=VECTORS)
    batch = batch_of((5,))
    params, state = game.init(jax.random.key(0), batch)
    loss, aux = game.losses["vae"](params, game.draw(jax.random.key(1), batch), batch, Context(jnp.asarray(0), state))
    e = np.asarray(Both((6,)).apply({"params": params["vae"]["encoder"]}, batch.x), "d").reshape(B, 2, 3)
    book = np.asarray(state["latent"]["sum"], "d")
    distance = ((e[:, :, None] - book) ** 2).sum(-1).min(-1).sum(-1)
    np.testing.assert_allclose(loss - aux.info["neg_elbo_nats"], 0.5 * distance.mean(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(aux.info["kl_nats"], 2 * np.log(4), rtol=1e-6)


def test_a_prior_of_the_condition_is_learned_by_the_game():
    # Kills: a prior whose params no loss reaches; a condition that is missing where the prior samples.
    encoder, decoder = (Network(*_first(Both(shape))) for shape in ((2 * D,), (5,)))
    prior = gaussian_prior(Dense(2 * D, 4))
    game = vae(encoder, decoder, vector(D, prior=prior), observation=VECTORS)
    batch = batch_of((5,))._replace(condition=jax.nn.one_hot(LABELS, 3))
    params, state = game.init(jax.random.key(0), batch)
    noise = game.draw(jax.random.key(1), batch)
    grad = jax.grad(lambda p: game.losses["vae"](p, noise, batch, Context(jnp.asarray(0), state))[0])(params)
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(grad["vae"]["latent"]["prior"]))
    model = game.model(params, state)
    assert model.sample(model.draw(jax.random.key(2), B, batch.condition), batch.condition).shape == (B, 5)


def _first(module):
    """(init, apply) of a network that leaves the condition out."""
    return (
        lambda key, x, condition: (module.init(key, x)["params"], {}),
        lambda params, state, noise, x, condition: (module.apply({"params": params}, x), state),
    )


def test_couples():
    # Kills: micro-batches of a network or a latent whose examples see each other.
    plain = networks((5,), width=8)
    coupled = network(plain.encoder(2 * D))._replace(couples=True)
    assert not build()[0].couples and vae(coupled, plain.generator, vector(D)).couples
    assert vae(plain.encoder(2 * D), network(plain.generator)._replace(couples=True), vector(D)).couples


def test_bits_per_dim_only_where_they_mean_something():
    # Kills: bits of a cross-entropy of greys, or of a density.
    for observation, printed in ((PIXELS, False), (LEVELS, True), (VECTORS, False)):
        game, _ = build(observation=observation)
        batch = batch_of(IMAGE)
        params, state = jax.eval_shape(game.init, jax.random.key(0), batch)
        noise = jax.eval_shape(game.draw, jax.random.key(0), batch)
        _, aux = jax.eval_shape(game.losses["vae"], params, noise, batch, Context(jnp.asarray(0), state))
        assert ("bits_per_dim" in aux.info) == printed


@pytest.mark.parametrize("bound", [None, importance])
def test_the_estimator_is_told_beta_of_the_step(bound):
    # Kills: a doubly reparametrised gradient with the factor of beta = 1 while the KL warms up, which is biased.
    seen, inner = [], vector(D, estimator=DREG)

    def infer(*args):
        q = inner.infer(*args)

        def reduce(bound, log_w, beta=1.0):
            seen.append(float(beta))
            return q.reduce(bound, log_w, beta)

        return q._replace(reduce=reduce)

    game, _ = build((5,), latent=inner._replace(infer=infer), bound=bound, beta=lambda step: 0.5 * step, samples=2)
    batch = Batch(jnp.zeros((B, 5)))
    params = start(game, batch)
    game.losses["vae"](params, game.draw(jax.random.key(1), batch), batch, context(step=3))
    assert seen == [1.5]
