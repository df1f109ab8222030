"""Latent vectors: what is refused, priors against SciPy, a flow against its inverse and its Jacobian."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.core import BadRequest, Batch
from jaxgen.latents import Given, family_prior, flow, free_bits, gaussian_mixture, gaussian_prior, vamp, vector
from jaxgen.latents.dense import Dense
from jaxgen.objectives import BERNOULLI, CUT, DREG, GAUSSIAN, LAPLACE, SCORE, Support, elbo

B, D, K = 4, 3, 5
RNG = np.random.default_rng(0)
H = jnp.asarray(RNG.normal(size=(B, 2 * D)), "f")
ALONE = Given(None, lambda x: x)


def moved(params, by=0.3):
    """The params a little elsewhere: a flow starts as its base, and zero biases hide mistakes."""
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(1)
    return jax.tree.unflatten(tree, [a + by * rng.normal(size=a.shape).astype("f") for a in leaves])


def inferred(latent, h=H, given=ALONE, batch=None, samples=K):
    params, state = latent.init(jax.random.key(0), h, batch or Batch(h))
    params = moved(params)
    noise = latent.draw(jax.random.key(1), samples, len(h))
    return latent.infer(params, state, noise, h, given), params, noise


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ({"posterior": BERNOULLI}, "use estimator=SCORE"),
        ({"posterior": BERNOULLI, "estimator": DREG}, "use estimator=SCORE"),
        ({"posterior": BERNOULLI, "prior": GAUSSIAN, "estimator": SCORE}, "numbers 1 apart.*prior on all numbers"),
        ({"prior": BERNOULLI}, "posterior lies on all numbers"),
        ({"posterior": GAUSSIAN, "prior": GAUSSIAN._replace(support=Support(0.0))}, "from 0 to inf"),
        ({"latent_dim": 0}, "latent_dim=0: it must be a whole number of at least 1"),
        ({"latent_dim": 2.5}, "latent_dim=2.5: it must be a whole number"),
        ({"posterior": "gaussian"}, "posterior must be of the type Posterior or Family.*not 'gaussian'"),
        ({"estimator": "score"}, "estimator must be of the type Estimator, such as SCORE, not 'score'"),
        ({"prior": Dense(2 * D, 8)}, r"prior must be .*such as gaussian_prior\(net\), not Dense"),
        ({"posterior": LAPLACE, "prior": vamp(5)}, r"vamp\(5, family=LAPLACE\)"),
        ({"posterior": GAUSSIAN, "prior": vamp(5, family=LAPLACE)}, "this posterior has another"),
        ({"posterior": flow(), "prior": vamp(5)}, "with a flow use another prior"),
    ],
)
def test_parts_that_do_not_go_together(parts, word):
    # Kills: a check that runs at step 900, or never; pseudo-inputs whose h is read as another family's, so that the
    # prior is not the mean of the posteriors.
    with pytest.raises(BadRequest, match=word):
        vector(**{"latent_dim": D, **parts})


def test_legal_neighbours_of_the_illegal_ones():
    # Kills: a check that refuses too much: a continuous family without a path called discrete, a positive posterior.
    bits = [vector(D, posterior=BERNOULLI, estimator=estimator) for estimator in (SCORE, CUT)]
    numbers = [
        vector(D, posterior=GAUSSIAN._replace(pathwise=False), estimator=SCORE),
        vector(D, posterior=GAUSSIAN._replace(support=Support(0.0))),
        vector(np.int64(D), posterior=LAPLACE, prior=vamp(np.int32(B), family=LAPLACE)),
    ]
    for latent, h in [(latent, H[:, :D]) for latent in bits] + [(latent, H) for latent in numbers]:
        answer, *_ = inferred(latent, h)
        assert answer.z.shape == (K, B, D) and np.all(np.isfinite(answer.log_p - answer.log_q))
    assert [vector(D, estimator=SCORE).check(bound, 2) for bound in (None, elbo)] == [None, None]


def test_score_asks_for_two_samples():
    # Kills: 0 / 0 at the first step.
    with pytest.raises(BadRequest, match="samples=1: this estimator needs at least 2"):
        vector(D, estimator=SCORE).check(None, 1)


def test_width_of_the_encoder():
    # Kills: a split of an odd number of outputs, or latents that are fewer than asked for.
    with pytest.raises(BadRequest, match=r"the encoder gives \[4, 5\] but must give \[B, 6\], 2 for each latent"):
        vector(D).init(jax.random.key(0), H[:, :5], Batch(H))
    with pytest.raises(BadRequest, match=r"\[B, 3\], 1 for each"):
        inferred(vector(D, posterior=BERNOULLI, estimator=SCORE))


LAWS = {GAUSSIAN: stats.norm, LAPLACE: stats.laplace}


@pytest.mark.parametrize("posterior", [GAUSSIAN, LAPLACE])
@pytest.mark.parametrize("prior", [None, GAUSSIAN, LAPLACE])
def test_densities_and_kl_by_scipy(posterior, prior):
    # Kills: one family's density at both places; a prior that is N(0, I) whatever was named; a KL of another pair.
    q, _, noise = inferred(vector(D, posterior=posterior, prior=prior))
    mean, raw = np.split(np.asarray(H, "d"), 2, -1)
    scale = np.exp(7 * np.tanh(raw / 7))
    z = mean + scale * np.asarray(noise, "d")
    np.testing.assert_allclose(q.z, z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(q.log_q, LAWS[posterior](mean, scale).logpdf(z).sum(-1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(q.log_p, LAWS[prior or GAUSSIAN].logpdf(z).sum(-1), rtol=1e-5)
    if posterior is GAUSSIAN and prior is LAPLACE:
        assert q.kl is None
    elif posterior is GAUSSIAN:
        np.testing.assert_allclose(q.kl, (scale**2 + mean**2 - 1) / 2 - np.log(scale), rtol=1e-4, atol=1e-6)
    else:
        assert q.kl.shape == (B, D)


def test_dreg_leaves_the_closed_form_out():
    # Kills: sticking the landing around a KL in closed form, which passes log q by.
    assert not vector(D, estimator=DREG).closed_form and inferred(vector(D, estimator=DREG))[0].kl is None
    assert vector(D).closed_form and not vector(D, posterior=flow()).closed_form


def test_coins():
    # Kills: a discrete posterior beside a prior of another family; a prior of coins that are not fair.
    h = H[:, :D]
    q, *_ = inferred(vector(D, posterior=BERNOULLI, estimator=SCORE), h)
    p = special.expit(np.asarray(h, "d"))
    np.testing.assert_allclose(q.kl, p * np.log(2 * p) + (1 - p) * np.log(2 - 2 * p), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(q.log_p, np.full((K, B), -D * np.log(2)), rtol=1e-6)
    assert set(np.unique(q.z)) == {0.0, 1.0}


def test_prior_of_a_condition():
    # Kills: a prior that does not read the condition, or reads that of another example; means and log-scales exchanged.
    condition = jnp.asarray(RNG.normal(size=(B, 2)), "f")
    net = Dense(2 * D, 8)
    prior = gaussian_prior(net)
    latent = vector(D, prior=prior)
    given = Given(condition, lambda x: x)
    q, params, _ = inferred(latent, given=given, batch=Batch(H, condition))
    mean, raw = np.split(np.asarray(net.apply({"params": params["prior"]}, condition), "d"), 2, -1)
    std = np.exp(7 * np.tanh(raw / 7))
    np.testing.assert_allclose(q.log_p, stats.norm(mean, std).logpdf(np.asarray(q.z, "d")).sum(-1), rtol=1e-4)
    m, s = np.split(np.asarray(H, "d"), 2, -1)
    s = np.exp(7 * np.tanh(s / 7))
    np.testing.assert_allclose(
        q.kl, (s**2 + (m - mean) ** 2) / std**2 / 2 - 0.5 - np.log(s / std), rtol=1e-4, atol=1e-5
    )
    noise = latent.draw_prior(jax.random.key(2), B)
    z = latent.generate(params, (), noise, given)
    np.testing.assert_allclose(z, mean + std * np.asarray(noise, "d"), rtol=1e-4, atol=1e-5)
    with pytest.raises(BadRequest, match="needs a condition"):
        latent.init(jax.random.key(0), H, Batch(H))
    with pytest.raises(BadRequest, match="needs a condition"):
        latent.generate(params, (), noise, ALONE)
    with pytest.raises(BadRequest, match=r"prior gives \[4, 5\] but must give \[B, 6\]"):
        inferred(vector(D, prior=gaussian_prior(Dense(5, 8))), given=given, batch=Batch(H, condition))


def test_standard_members():
    # Kills: a standard member of another scale; draws of another law than that of the density.
    for family, law in LAWS.items():
        prior = family_prior(family)
        z = prior.sample((), prior.draw(jax.random.key(0), (4000, D)), ALONE)
        assert stats.kstest(np.asarray(z, "d").ravel(), law.cdf).pvalue > 0.01


def test_vamp_by_scipy():
    # Kills: a mean of logs for the log of a mean; a missing log C; samples of one component; noise that is shared.
    pseudo = jnp.asarray(RNG.normal(size=(3, 2 * D)) * 2, "f")
    prior, given = vamp(3), Given(None, lambda x: x)
    mean, raw = np.split(np.asarray(pseudo, "d"), 2, -1)
    std = np.exp(7 * np.tanh(raw / 7))
    z = RNG.normal(size=(K, B, D)).astype("f")
    each = stats.norm(mean[:, None, None], std[:, None, None]).logpdf(z.astype("d")).sum(-1)
    expected = special.logsumexp(each, axis=0) - np.log(3)
    np.testing.assert_allclose(prior.log_prob(pseudo, jnp.asarray(z), given), expected, rtol=1e-4)
    n = 20_000
    draws = np.asarray(prior.sample(pseudo, prior.draw(jax.random.key(0), (n, D)), given), "d")
    for d in range(D):
        law = lambda x, d=d: stats.norm(mean[:, d], std[:, d]).cdf(x[:, None]).mean(-1)  # noqa: E731
        assert stats.kstest(draws[:, d], law).pvalue > 0.01
    # The same component in all numbers of a draw: the density of the draws is the mixture's, on average over them.
    ours = np.asarray(prior.log_prob(pseudo, jnp.asarray(draws, "f")[None], given), "d")[0]
    part = RNG.integers(0, 3, n)
    other = mean[part] + std[part] * RNG.normal(size=(n, D))
    theirs = special.logsumexp(stats.norm(mean[:, None], std[:, None]).logpdf(other).sum(-1), axis=0) - np.log(3)
    assert abs(ours.mean() - theirs.mean()) < 5 * np.sqrt((ours.var() + theirs.var()) / n)


def test_gaussian_mixture_by_scipy():
    # Kills: weights that are all alike, or not normalised; a mean of logs for the log of a mean; an unbounded log_std;
    # the least likely component for the most; one component for all draws, or one for each number of a draw.
    prior = gaussian_mixture(3)
    mean, raw, logits = RNG.normal(size=(3, D)) * 2, RNG.normal(size=(3, D)) * 2, np.array([0.5, -1.0, 2.0])
    params = {"means": mean, "raw_log_stds": raw, "logits": logits}
    params = jax.tree.map(lambda a: jnp.asarray(a, "f"), params)
    std, weight = np.exp(7 * np.tanh(raw / 7)), special.softmax(logits)

    def density(z):  # [..., D] -> [...]
        return special.logsumexp(stats.norm(mean, std).logpdf(z[..., None, :]).sum(-1) + np.log(weight), axis=-1)

    z = RNG.normal(size=(K, B, D)).astype("f")
    np.testing.assert_allclose(prior.log_prob(params, jnp.asarray(z), ALONE), density(z.astype("d")), rtol=1e-4)
    n = 20_000
    draws = np.asarray(prior.sample(params, prior.draw(jax.random.key(0), (n, D)), ALONE), "d")
    for d in range(D):
        law = lambda x, d=d: stats.norm(mean[:, d], std[:, d]).cdf(x[:, None]) @ weight  # noqa: E731
        assert stats.kstest(draws[:, d], law).pvalue > 0.01
    # The same component in all numbers of a draw, as for vamp.
    ours, part = density(draws), RNG.choice(3, n, p=weight)
    theirs = density(mean[part] + std[part] * RNG.normal(size=(n, D)))
    assert abs(ours.mean() - theirs.mean()) < 5 * np.sqrt((ours.var() + theirs.var()) / n)


def test_gaussian_mixture_starts_apart_and_is_learned():
    # Kills: components that start alike and stay so; params that no gradient of the density reaches; no component.
    prior = gaussian_mixture(3)
    params = prior.init(jax.random.key(0), D, Batch(H))
    assert jax.tree.map(jnp.shape, params) == {"means": (3, D), "raw_log_stds": (3, D), "logits": (3,)}
    assert np.all(np.std(params["means"], axis=0) > 0.05)
    z = jnp.asarray(RNG.normal(size=(K, B, D)), "f")
    slopes = jax.grad(lambda params: prior.log_prob(params, z, ALONE).sum())(params)
    assert all(np.all(leaf != 0) for leaf in jax.tree.leaves(slopes))
    with pytest.raises(BadRequest, match="at least 1"):
        gaussian_mixture(0)


def test_vamp_starts_at_examples_and_has_no_condition():
    # Kills: pseudo-inputs of zeros, which are all alike; a condition that the encoder would miss.
    x = jnp.asarray(RNG.uniform(size=(B, 8)), "f")
    u = vamp(50).init(jax.random.key(0), D, Batch(x))
    assert u.shape == (50, 8) and abs(np.asarray(u)[:, None] - np.asarray(x)).max(-1).min(-1).max() < 0.1
    with pytest.raises(BadRequest, match="no condition"):
        vamp(3).init(jax.random.key(0), D, Batch(x, jnp.zeros(B, int)))
    for components in (0, 2.5, True):
        with pytest.raises(BadRequest, match=f"components={components}: it must be a whole number of at least 1"):
            vamp(components)
    with pytest.raises(BadRequest, match="family must be of the type Family, such as GAUSSIAN, not 'laplace'"):
        vamp(3, "laplace")


@pytest.mark.parametrize("latent_dim, base", [(2, GAUSSIAN), (3, GAUSSIAN), (3, LAPLACE)])
def test_density_of_a_flow(latent_dim, base):
    # Kills: log scales added for subtracted; a half that is kept and moved; layers undone in the same order; a density
    # of the noise. Against the inverse, and against the determinant of the Jacobian of noise -> z.
    posterior, h = flow(layers=3, width=8, base=base), H[:, : 2 * latent_dim]
    params = moved(posterior.init(jax.random.key(0), h, latent_dim), 0.4)
    noise = posterior.draw(jax.random.key(1), (K, B, latent_dim))
    z, log_q = posterior.sample(params, h, noise)
    np.testing.assert_allclose(posterior.log_prob(params, h, z), log_q, rtol=1e-4, atol=1e-4)

    def one(e, row):
        return posterior.sample(params, row[None], e[None, None])[0][0, 0]

    jacobian = jax.vmap(jax.vmap(jax.jacfwd(one)), (0, None))(noise, h)
    log_det = np.linalg.slogdet(np.asarray(jacobian, "d"))[1]
    expected = LAWS[base].logpdf(np.asarray(noise, "d")).sum(-1) - log_det
    np.testing.assert_allclose(log_q, expected, rtol=1e-4, atol=1e-4)
    assert abs(np.asarray(z - base.push(base.theta(h), noise))).max(axis=(0, 1)).min() > 0.01  # every number is moved


def test_flow_starts_as_its_base_and_has_a_middle():
    # Kills: a flow that starts anywhere; a mean that is a sample.
    posterior = flow(layers=2, width=8)
    params = posterior.init(jax.random.key(0), H, D)
    noise = posterior.draw(jax.random.key(1), (K, B, D))
    np.testing.assert_allclose(
        posterior.sample(params, H, noise)[0], GAUSSIAN.push(GAUSSIAN.theta(H), noise), rtol=1e-6
    )
    params = moved(params)
    middle = posterior.sample(params, H, jnp.zeros((1, B, D)))[0][0]
    np.testing.assert_allclose(posterior.mean(params, H), middle, rtol=1e-5)
    for build in (
        lambda: flow(layers=0),
        lambda: flow(width=2.5),
        lambda: flow(base="gaussian"),
        lambda: flow(base=BERNOULLI),
        lambda: posterior.init(jax.random.key(0), H, 1),
    ):
        with pytest.raises(BadRequest):
            build()


def test_free_bits_by_hand():
    # Kills: a maximum for each example; a maximum of the sum over latents; a gradient below the floor, or none above; a
    # floor that is added; a sum over the batch inside the maximum; free bits that change the KL.
    h = jnp.asarray(np.concatenate([RNG.normal(size=(4, 6)), RNG.uniform(-1, 1, (4, 6))], -1), "f")
    m, s = (np.asarray(a, "d") for a in GAUSSIAN.theta(h))
    each = 0.5 * (np.exp(2 * s) + m**2 - 1) - s
    means = np.sort(each.mean(0))
    noise = jnp.zeros((1, 4, 6))
    for nats in (0.0, (means[2] + means[3]) / 2, means[5] + 1):
        latent = free_bits(vector(6), float(nats))
        params, _ = latent.init(jax.random.key(0), h, Batch(h))

        def total(mean, latent=latent, params=params):
            q = latent.infer(params, (), noise, jnp.concatenate([mean, h[:, 6:]], -1), ALONE)
            return q.cost.sum(-1).mean()

        dear = each.mean(0) > nats
        np.testing.assert_allclose(total(h[:, :6]), np.maximum(each.mean(0), nats).sum(), rtol=1e-5)
        np.testing.assert_allclose(jax.grad(total)(h[:, :6]), dear * m / 4, rtol=1e-5, atol=1e-7)
        q = latent.infer(params, (), noise, h, ALONE)
        np.testing.assert_allclose(q.cost, np.where(dear, each, nats), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(q.kl, each, rtol=1e-5, atol=1e-6)
        assert latent.couples and not vector(6).couples


def test_free_bits_refuses():
    # Kills: a floor under samples, whose terms are negative half of the time; a floor of nan; one that is not paid.
    for latent in (vector(D, estimator=DREG), vector(D, posterior=flow()), vector(D, prior=vamp(3))):
        with pytest.raises(BadRequest, match="closed form"):
            free_bits(latent, 0.1)
    for nats in (-0.1, float("nan"), float("inf")):
        with pytest.raises(BadRequest, match="at least 0"):
            free_bits(vector(D), nats)
    with pytest.raises(BadRequest, match="bound=None"):
        free_bits(vector(D), 0.1).check(elbo, 1)
    with pytest.raises(BadRequest, match="at least 2"):
        free_bits(vector(D, estimator=SCORE), 0.1).check(None, 1)
