"""The one-player game: its loss against NumPy, who is reached by the gradient, what is refused."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from scipy.stats import logistic

from jaxgen.core import BadRequest, Batch, Memo
from jaxgen.games import LEVELS, PIXELS, VECTORS, vae
from jaxgen.nets import networks
from jaxgen.objectives import (
    BERNOULLI,
    CUT,
    GAUSSIAN,
    IMPORTANCE,
    LAPLACE,
    MEAN,
    PATHWISE,
    SCORE,
    exact_kl,
    free_bits,
    sampled_kl,
)

B, D, K = 3, 2, 4
IMAGE = (8, 8, 1)
SAMPLED = sampled_kl(GAUSSIAN, GAUSSIAN)
COINS = {"posterior": BERNOULLI, "divergence": sampled_kl(BERNOULLI, BERNOULLI), "estimator": SCORE, "samples": 2}


def build(shape=IMAGE, **parts):
    nets = networks(shape, latent_dim=D, width=8)
    return vae(nets.encoder(parts.get("posterior", GAUSSIAN).size * D), nets.generator, latent_dim=D, **parts), nets


def batch_of(shape, seed=0):
    return Batch(jnp.asarray(np.random.default_rng(seed).uniform(size=(B, *shape)), jnp.float32))


def memo(round=0):
    return Memo(jnp.asarray(round), {})


def start(game, batch):
    params, carry = game.init(jax.random.key(0), batch)
    # Zero-initialised biases hide mistakes: move every leaf a little.
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(1)
    moved = [leaf + 0.05 * rng.normal(size=leaf.shape).astype("f") for leaf in leaves]
    return jax.tree.unflatten(tree, moved)


def parts_by_numpy(nets, params, noise, batch, observation):
    """nll [K, B], log q - log p [K, B] and exact KL [B] in float64, from the networks' raw outputs."""
    own, x = params["vae"], np.asarray(batch.x, np.float64).reshape(B, -1)
    mean, raw = np.split(np.asarray(nets.encoder(2 * D).apply(own["encoder"], batch.x), np.float64), 2, -1)
    log_std = 7 * np.tanh(raw / 7)
    z = mean + np.exp(log_std) * np.asarray(noise, np.float64)
    y = np.stack([nets.generator.apply(own["decoder"], jnp.asarray(one, jnp.float32)) for one in z])
    y = y.astype(np.float64).reshape(len(z), B, -1)
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
@pytest.mark.parametrize("name", ["elbo", "sampled", "importance", "beta"])
def test_loss_is_the_formula(shape, observation, name):
    # Kills: beta on the likelihood; the divergence outside the log-mean-exp; a sum over the batch; log_std for log_var.
    parts = {
        "elbo": {},
        "sampled": {"divergence": SAMPLED, "samples": K},
        "importance": {"divergence": SAMPLED, "bound": IMPORTANCE, "samples": K},
        "beta": {"beta": lambda round: 0.5 * round, "samples": K},
    }[name]
    game, nets = build(shape, observation=observation, **parts)
    batch = batch_of(shape)
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)
    loss, note = game.losses["vae"](params, noise, batch, memo(round=3))
    nll, ratio, exact = parts_by_numpy(nets, params, noise, batch, observation)
    expected = {
        "elbo": np.mean(nll.mean(0) + exact),
        "sampled": np.mean((nll + ratio).mean(0)),
        "importance": np.mean(-(np.logaddexp.reduce(-(nll + ratio), 0) - np.log(K))),
        "beta": np.mean(nll.mean(0) + 1.5 * exact),
    }[name]
    np.testing.assert_allclose(loss, expected, rtol=2e-5)
    np.testing.assert_allclose(note.info["nll_nats"], nll.mean(), rtol=2e-5)
    np.testing.assert_allclose(
        note.info["kl_nats"], ratio.mean() if name in ("sampled", "importance") else exact.mean(), rtol=1e-4
    )


@pytest.mark.parametrize(("divergence", "samples"), [(None, 1), (SAMPLED, K)])
def test_gradient_is_the_directional_difference(divergence, samples):
    # Kills: a stopped sample; a dropped term of the divergence. Noise is held fixed, so the loss is a smooth function.
    game, _ = build(divergence=divergence, samples=samples)
    batch = batch_of(IMAGE)
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)

    def loss(params):
        return game.losses["vae"](params, noise, batch, memo())[0]

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
        grad = jax.grad(lambda p, game=game, noise=noise: game.losses["vae"](p, noise, batch, memo())[0])(params)
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
        values.append(game.losses["vae"](start(game, batch), game.draw(jax.random.key(1), batch), batch, memo())[0])
    np.testing.assert_allclose(*values, rtol=1e-6)


def test_model_speaks_of_the_same_distributions():
    # Kills: a log_weight with the wrong sign or without the prior; encode that samples; scores that count beta.
    game, nets = build(beta=5.0)
    batch = batch_of(IMAGE)
    params = start(game, batch)
    model = game.model(params, {})
    noise = model.draw_posterior(jax.random.key(3), K, batch.x)
    nll, ratio, exact = parts_by_numpy(nets, params, noise, batch, PIXELS)
    np.testing.assert_allclose(model.log_weight(noise, batch.x), -(nll + ratio), rtol=1e-5)
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
    model = game.model(params, {})
    noise = model.draw(jax.random.key(0), 4000)
    x = np.asarray(model.sample({**noise, "z": jnp.zeros_like(noise["z"])}), np.float64)
    np.testing.assert_allclose(x.std(0), [0.5, 1, 2, 1, 1], rtol=5 / np.sqrt(2 * 4000))


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ({"bound": IMPORTANCE}, "sampled_kl"),
        ({"bound": IMPORTANCE, "estimator": CUT._replace(linear_only=True), "divergence": SAMPLED}, "bound=MEAN"),
        ({"posterior": BERNOULLI, "divergence": SAMPLED}, "push"),
        ({"samples": 0}, "at least one"),
        ({"estimator": SCORE}, "at least 2"),
        ({"estimator": SCORE, "samples": 2, "divergence": SAMPLED, "bound": IMPORTANCE}, "bound=MEAN"),
        ({"posterior": BERNOULLI}, "sampled_kl"),
        ({"posterior": LAPLACE, "divergence": SAMPLED}, "another family"),
        ({"posterior": LAPLACE, "divergence": exact_kl(GAUSSIAN, GAUSSIAN)}, "another family"),
        ({"divergence": exact_kl(LAPLACE, GAUSSIAN)}, "another family"),
        ({"divergence": sampled_kl(GAUSSIAN, BERNOULLI)}, "discrete"),
        ({**COINS, "divergence": sampled_kl(BERNOULLI, GAUSSIAN)}, "discrete"),
    ],
)
def test_illegal_combinations_raise_when_the_game_is_built(parts, word):
    # Kills: a check that runs at step 900, or never.
    with pytest.raises(BadRequest, match=word):
        build(**parts)


def test_the_prior_is_the_one_that_the_divergence_names():
    # Kills: a prior that is N(0, I) in the samples or the weights, and another in the loss.
    game, nets = build((5,), observation=VECTORS, divergence=sampled_kl(GAUSSIAN, LAPLACE), samples=K)
    batch = batch_of((5,))
    params = start(game, batch)
    model, eps = game.model(params, {}), game.draw(jax.random.key(1), batch)
    drawn = np.asarray(model.draw(jax.random.key(2), 4000)["z"], np.float64)
    assert stats.kstest(drawn.ravel(), stats.laplace.cdf).pvalue > 1e-3
    other, _ = build((5,), observation=VECTORS, samples=K)
    gap = np.asarray(model.log_weight(eps, batch.x) - other.model(params, {}).log_weight(eps, batch.x), np.float64)
    raw = np.asarray(nets.encoder(2 * D).apply(params["vae"]["encoder"], batch.x), np.float64)
    z = raw[:, :D] + np.exp(7 * np.tanh(raw[:, D:] / 7)) * np.asarray(eps, np.float64)
    np.testing.assert_allclose(gap, (stats.laplace.logpdf(z) - stats.norm.logpdf(z)).sum(-1), rtol=1e-4, atol=1e-4)
    loss, note = game.losses["vae"](params, eps, batch, memo())
    np.testing.assert_allclose(loss, -np.mean(np.asarray(model.log_weight(eps, batch.x))), rtol=1e-5)


def test_coins_for_codes():
    # Kills: a discrete posterior beside a prior of another family. p(x) is the mean over all codes.
    game, _ = build((5,), observation=VECTORS, **COINS)
    batch = batch_of((5,))
    params = start(game, batch)
    params["vae"]["observation"] = jnp.zeros(5)
    model = game.model(params, {})
    codes = jnp.asarray(list(np.ndindex(*(2,) * D)), jnp.float32)
    mean = np.asarray(model.decode(codes), np.float64)[:, None]
    exact = special.logsumexp(stats.norm.logpdf(np.asarray(batch.x)[None], mean).sum(-1), axis=0) - D * np.log(2)
    weights = np.asarray(model.log_weight(model.draw_posterior(jax.random.key(3), 20_000, batch.x), batch.x), "d")
    ratio = np.exp(weights - exact)
    assert np.all(abs(ratio.mean(0) - 1) < 5 * ratio.std(0) / np.sqrt(len(ratio)))
    samples = model.sample({"z": jnp.array([[0.2, 0.7]]), "x": jnp.zeros((1, 5))})  # noise is pushed to a code
    np.testing.assert_allclose(samples, model.decode(jnp.array([[1.0, 0.0]])), rtol=1e-6)


@pytest.mark.parametrize("divergence", [None, sampled_kl(LAPLACE, GAUSSIAN)])
def test_a_laplace_posterior_by_numpy(divergence):
    # Kills: a posterior that is read, pushed or scored as a Gaussian.
    game, nets = build((5,), posterior=LAPLACE, observation=VECTORS, divergence=divergence, samples=K)
    batch = batch_of((5,))
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)
    own, e = params["vae"], np.asarray(noise, np.float64)
    mean, raw = np.split(np.asarray(nets.encoder(2 * D).apply(own["encoder"], batch.x), np.float64), 2, -1)
    scale = np.exp(7 * np.tanh(raw / 7))
    z = mean + scale * e
    nll, _, _ = parts_by_numpy(nets, params, noise, batch, VECTORS)  # the same z: only its law is another
    if divergence is None:
        kl = np.sum(scale**2 + mean**2 / 2 - np.log(scale) - 1 + np.log(np.pi / 2) / 2, -1)
    else:
        kl = np.sum(-np.abs(e) - np.log(2 * scale) + z**2 / 2 + np.log(2 * np.pi) / 2, -1)
    loss, note = game.losses["vae"](params, noise, batch, memo())
    np.testing.assert_allclose(note.info["kl_nats"], kl.mean(), rtol=1e-5)
    np.testing.assert_allclose(loss, nll.mean() + kl.mean(), rtol=1e-5)


def test_free_bits_are_paid_and_the_kl_is_told():
    # Kills: a floor that the loss does not pay, or that reaches the figures and the scores; one that beta skips.
    game, nets = build((5,), observation=VECTORS, divergence=free_bits(exact_kl(GAUSSIAN, GAUSSIAN), 20.0), beta=2.0)
    assert game.couples and not build()[0].couples
    batch = batch_of((5,))
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)
    nll, _, exact = parts_by_numpy(nets, params, noise, batch, VECTORS)
    assert exact.max() < 20  # so every latent is below its floor
    loss, note = game.losses["vae"](params, noise, batch, memo())
    np.testing.assert_allclose(loss, nll.mean() + 2 * D * 20.0, rtol=1e-5)
    np.testing.assert_allclose(note.info["kl_nats"], exact.mean(), rtol=1e-4)
    np.testing.assert_allclose(note.info["nll_nats"], nll.mean(), rtol=1e-5)
    np.testing.assert_allclose(game.model(params, {}).scores["divergence"](noise, batch.x), exact, rtol=1e-5)


def test_levels_by_numpy():
    # Kills: a location that is y itself; one scale that is read for another pixel; a scale in units of the range.
    game, nets = build(observation=LEVELS, samples=K)
    batch = Batch(jnp.round(batch_of(IMAGE).x * 255) / 255)
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)
    own, level = params["vae"], np.round(np.asarray(batch.x, np.float64) * 255).reshape(B, -1)
    mean, raw = np.split(np.asarray(nets.encoder(2 * D).apply(own["encoder"], batch.x), np.float64), 2, -1)
    z = mean + np.exp(7 * np.tanh(raw / 7)) * np.asarray(noise, np.float64)
    y = np.stack([nets.generator.apply(own["decoder"], jnp.asarray(one, "f")) for one in z]).reshape(K, B, -1)
    scale = np.exp(7 * np.tanh(np.asarray(own["observation"], np.float64) / 7))
    law = logistic(255 / (1 + np.exp(-y.astype(np.float64))), scale)
    above, below = np.where(level == 255, np.inf, level + 0.5), np.where(level == 0, -np.inf, level - 0.5)
    nll = -np.log(law.cdf(above) - law.cdf(below)).sum(-1)
    note = game.losses["vae"](params, noise, batch, memo())[1]
    np.testing.assert_allclose(note.info["nll_nats"], nll.mean(), rtol=1e-5)


def test_samples_of_levels_are_levels():
    # Kills: a sample that is the mean; a scale that belongs to another pixel; noise that is no logistic.
    game, _ = build(observation=LEVELS)
    params = start(game, batch_of(IMAGE))
    params["vae"]["observation"] = jnp.linspace(0, 3, 64)
    model = game.model(params, {})
    noise = model.draw(jax.random.key(0), 4000)
    noise["z"] = jnp.zeros_like(noise["z"])
    x = np.asarray(model.sample(noise), np.float64).reshape(4000, -1) * 255
    np.testing.assert_allclose(x, np.round(x), atol=1e-4)
    variance = np.exp(7 * np.tanh(np.linspace(0, 3, 64) / 7)) ** 2 * np.pi**2 / 3 + 1 / 12  # rounding adds a twelfth
    np.testing.assert_allclose(x.var(0), variance, rtol=5 * np.sqrt(3.2 / 4000))  # kurtosis 4.2
    middle = np.asarray(model.decode(noise["z"][:1]), np.float64).reshape(-1) * 255
    assert np.all(abs(x.mean(0) - middle) < 5 * x.std(0) / np.sqrt(4000))


def test_legal_neighbours_of_the_illegal_ones_build():
    # Kills: a check that refuses too much.
    build(bound=IMPORTANCE, divergence=SAMPLED, samples=K)
    build(bound=MEAN, divergence=exact_kl(GAUSSIAN, GAUSSIAN))
    build(estimator=SCORE, samples=2)


def test_what_is_no_network_is_refused():
    # Kills: an AttributeError from deep inside the first trace.
    with pytest.raises(BadRequest, match="is no network"):
        vae(lambda x: x, networks((5,), latent_dim=D).generator, latent_dim=D)


@pytest.mark.parametrize(
    ("name", "encoder", "decoder"), [("encoder", nn.Dense(5), nn.Dense(3)), ("decoder", nn.Dense(4), nn.Dense(2))]
)
def test_a_network_of_another_width_is_named(name, encoder, decoder):
    # Kills: an error from deep within that names shapes and no network.
    game, batch = vae(encoder, decoder, latent_dim=2, observation=VECTORS), batch_of((3,))
    params, noise = start(game, batch), game.draw(jax.random.key(1), batch)
    with pytest.raises(BadRequest, match=f"the {name} gives"):
        game.losses["vae"](params, noise, batch, memo())
