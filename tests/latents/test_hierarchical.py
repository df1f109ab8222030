"""Layers of latents: densities by NumPy, exact KLs against samples, priors that generate what they score."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.core import BadRequest, Batch
from jaxgen.latents import Given, TopDown, hierarchical

B, K, DIMS, WIDTH = 2, 3, (2, 3), 6
H = jnp.asarray(np.random.default_rng(0).normal(size=(B, 5)), "f")
ALONE = Given(None, None)
LATENT = hierarchical(DIMS, width=WIDTH, layers=(TopDown(8),) * 2)


def start(latent=LATENT):
    params, state = latent.init(jax.random.key(0), H, Batch(H))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda a: a + 0.1 * rng.normal(size=a.shape).astype("f"), params), state


def by_numpy(params, noise):
    """s, and (mean q, std q, mean p, std p, z) by layer, from the networks by themselves, one sample after another."""

    def dense(layer_params, *inputs):
        x = np.concatenate(inputs, -1)
        for i in range(2):
            x = x @ np.asarray(layer_params[f"Dense_{i}"]["kernel"], "d") + np.asarray(
                layer_params[f"Dense_{i}"]["bias"], "d"
            )
            x = np.where(x > 0, x, 0.2 * x)
        return x @ np.asarray(layer_params["Dense_2"]["kernel"], "d") + np.asarray(layer_params["Dense_2"]["bias"], "d")

    def gaussian(raw):
        mean, raw = np.split(raw, 2, -1)
        return mean, np.exp(7 * np.tanh(raw / 7))

    h, s, rows = np.asarray(H, "d"), np.zeros((B, WIDTH)), []
    for layer_params, eps in zip(params, noise, strict=True):
        p, q = gaussian(dense(layer_params["prior"], s)), gaussian(dense(layer_params["posterior"], s, h))
        z = q[0] + q[1] * np.asarray(eps, "d")
        rows.append((*q, *p, z))
        s = s + dense(layer_params["merge"], s, z)
    return s, rows


def test_inference_by_numpy():
    # Kills: a prior that sees h; a layer that does not see the one above; KLs summed over layers; KL(p || q).
    params, state = start()
    noise = LATENT.draw(jax.random.key(1), K, B)
    q = LATENT.infer(params, state, noise, H, ALONE)
    kls = []
    for k in range(K):
        s, rows = by_numpy(params, [eps[k] for eps in noise])
        np.testing.assert_allclose(q.z[k], s, rtol=1e-4, atol=1e-5)
        log_q = sum(stats.norm(m, d).logpdf(z).sum(-1) for m, d, _, _, z in rows)
        log_p = sum(stats.norm(m, d).logpdf(z).sum(-1) for _, _, m, d, z in rows)
        np.testing.assert_allclose(q.log_q[k], log_q, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(q.log_p[k], log_p, rtol=1e-4, atol=1e-4)
        kls.append([((d**2 + (m - n) ** 2) / e**2 / 2 - 0.5 - np.log(d / e)).sum(-1) for m, d, n, e, _ in rows])
    np.testing.assert_allclose(q.kl, np.mean(kls, 0).T, rtol=1e-3, atol=1e-5)
    assert q.kl.shape == (B, len(DIMS))


@pytest.mark.slow
def test_kl_is_the_mean_of_a_million_log_ratios():
    # Kills: a KL that is not that of the posterior that is sampled; one that leaves a layer out. 5 standard errors.
    params, state = start()

    @jax.jit
    def one(key):
        q = LATENT.infer(params, state, LATENT.draw(key, 10_000, B), H, ALONE)
        ratio = q.log_q - q.log_p
        return jnp.mean(ratio, 0), jnp.mean(ratio**2, 0), jnp.sum(q.kl, -1)

    mean, square, exact = (np.asarray(a, "d") for a in jax.lax.map(one, jax.random.split(jax.random.key(0), 100)))
    spread = np.sqrt(square.mean(0) - mean.mean(0) ** 2)
    # The mean of the exact KLs over the samples above is itself random; its error is measured between the 100 parts.
    error = np.sqrt(spread**2 / 1e6 + exact.var(0, ddof=1) / 100)
    assert np.all(abs(mean.mean(0) - exact.mean(0)) < 5 * error), (mean.mean(0), exact.mean(0), error)


def test_kl_is_the_mean_of_the_log_ratio():
    # Kills: as above, with 20,000 samples.
    params, state = start()
    q = LATENT.infer(params, state, LATENT.draw(jax.random.key(0), 20_000, B), H, ALONE)
    ratio = np.asarray(q.log_q - q.log_p, "d")
    off = ratio.mean(0) - np.asarray(q.kl, "d").sum(-1)
    assert np.all(abs(off) < 5 * ratio.std(0) / np.sqrt(20_000)), off


def test_samples_are_those_of_the_prior_that_is_scored():
    # Kills: a posterior network read where there is no h; noise of one layer for another. With q = p, log_p is known.
    params, state = start()
    noise = LATENT.draw_prior(jax.random.key(1), B)
    assert [n.shape for n in noise] == [(B, d) for d in DIMS]
    s = LATENT.generate(params, state, noise, ALONE)
    twin = [{**layer_params, "posterior": layer_params["prior"]} for layer_params in params]
    for layer_params in twin:  # the posterior's first layer has inputs for h as well: give them no weight
        kernel = layer_params["prior"]["Dense_0"]["kernel"]
        layer_params["posterior"] = {
            **layer_params["prior"],
            "Dense_0": {
                "kernel": jnp.concatenate([kernel, jnp.zeros((H.shape[1], kernel.shape[1]))]),
                "bias": layer_params["prior"]["Dense_0"]["bias"],
            },
        }
    q = LATENT.infer(twin, state, [n[None] for n in noise], H, ALONE)
    np.testing.assert_allclose(q.z[0], s, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(q.kl, 0, atol=1e-6)
    np.testing.assert_allclose(q.log_p, q.log_q, rtol=1e-6)


def test_code_is_the_posterior_at_rest():
    # Kills: a code that is a sample, or the prior's.
    params, state = start()
    noise = [jnp.zeros((1, B, d)) for d in DIMS]
    np.testing.assert_allclose(
        LATENT.encode(params, state, H), LATENT.infer(params, state, noise, H, ALONE).z[0], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: hierarchical(()), r"latent_dims=\(\): it must be a tuple of at least one whole number"),
        (lambda: hierarchical(3), r"latent_dims=3: it must be a tuple.*\(7,\)"),
        (lambda: hierarchical((2, 0)), "each of latent_dims=0"),
        (lambda: hierarchical((2,), width=2.5), "width=2.5: it must be a whole number"),
        (lambda: hierarchical((2, 2), layers=(TopDown(),)), "1 layers for"),
        (
            lambda: hierarchical((2,)).init(jax.random.key(0), jnp.zeros((B, 2, 2)), None),
            r"\[2, 2, 2\] but must give \[B, N\]",
        ),
    ],
)
def test_refusals(build, word):
    # Kills: an error from deep inside the first trace.
    with pytest.raises(BadRequest, match=word):
        build()
