"""Every estimator under every bound, with a Gaussian posterior and a flow: mean gradients beside those of PATHWISE."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import Batch
from jaxgen.latents import Given, flow, vector
from jaxgen.objectives import CUT, DREG, GAUSSIAN, PATHWISE, SCORE, elbo, importance

K, D = 3, 2
ESTIMATORS = {"PATHWISE": PATHWISE, "SCORE": SCORE, "DREG": DREG, "CUT": CUT}
POSTERIORS = {"gaussian": GAUSSIAN, "flow": flow(layers=2, width=4)}
BOUNDS = {  # and the weight of log q - log p in the log-weights
    "elbo": (elbo, 1.0),
    "importance": (importance, 1.0),
    "renyi": (lambda log_w: 2 * importance(log_w / 2), 1.0),  # of order 1/2, arXiv 1602.02311: a user's own
    "importance, beta 2": (importance, 2.0),
}
H, W = jnp.array([[0.3, -0.5, -0.4, 0.2]]), jnp.array([0.8, 1.1])  # of an encoder, and of a decoder


@functools.lru_cache
def gradients(posterior, estimator, draws):
    """One gradient per draw and bound in h, the posterior's params and the decoder's: float64 [bounds, draws, J]."""
    latent = vector(D, posterior=POSTERIORS[posterior], estimator=ESTIMATORS[estimator])
    params, _ = latent.init(jax.random.key(0), H, Batch(H))
    rng = np.random.default_rng(1)  # a flow starts as its base
    params = jax.tree.map(lambda a: a + 0.3 * rng.normal(size=a.shape).astype("f"), params)

    def values(theta, noise):
        params, h, w = theta
        out = []
        for bound, beta in BOUNDS.values():
            q = latent.infer(params, (), noise, h, Given(None, None))
            log_x = -jnp.sum((1.5 - jnp.tanh(q.z) * w.reshape(1, 1, -1)) ** 2, -1)
            out.append(jnp.sum(q.reduce(bound, log_x - beta * (q.log_q - q.log_p), beta)))
        return jnp.stack(out)

    def one(noise):
        grads = jax.jacrev(values)((params, H, W), noise)
        return jnp.concatenate([g.reshape(len(BOUNDS), -1) for g in jax.tree.leaves(grads)], -1)

    noise = latent.draw(jax.random.key(1), K, draws).swapaxes(0, 1)[:, :, None]
    return np.asarray(jax.jit(jax.vmap(one))(noise), np.float64).swapaxes(0, 1)


def apart(a, b):
    """The largest distance of the mean gradients in standard errors of their difference: both have the same noise."""
    difference = a - b
    error = difference.std(0, ddof=1) / np.sqrt(len(a))
    return np.max(np.abs(difference.mean(0)) / np.maximum(error, 1e-7))


@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("estimator", ["SCORE", "DREG"])
def test_unbiased_under_every_bound(posterior, estimator):
    # Kills: sticking the landing under another bound than the ELBO; DREG with a factor that forgets beta; a score
    # function whose advantage is that of the ELBO; a flow's density at params that are not stopped.
    ours, exact = gradients(posterior, estimator, 20_000), gradients(posterior, "PATHWISE", 20_000)
    off = {name: apart(ours[i], exact[i]) for i, name in enumerate(BOUNDS)}
    assert max(off.values()) < 5, off


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_cut_is_off_under_every_bound(posterior):
    # Kills: a test of means that passes whatever it is given; a cut through which the gradient still flows.
    cut, exact = gradients(posterior, "CUT", 20_000), gradients(posterior, "PATHWISE", 20_000)
    assert min(apart(cut[i], exact[i]) for i in range(len(BOUNDS))) > 20


@pytest.mark.slow
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_variances(posterior, capsys):
    # Kills: a doubly reparametrised gradient that is noisier than the pathwise one. Encoder's part, 200,000 draws.
    by_name = {name: gradients(posterior, name, 200_000) for name in ESTIMATORS}
    with capsys.disabled():
        print(f"\n{posterior}: variance over that of PATHWISE, and standard errors off")
        for i, bound in enumerate(BOUNDS):
            exact = by_name["PATHWISE"][i]
            total = exact[:, :-D].var(0).sum()
            rows = (
                f"{n} {g[i][:, :-D].var(0).sum() / total:.3f}, {apart(g[i], exact):.1f}" for n, g in by_name.items()
            )
            print(f"  {bound:20}", "; ".join(rows))
    for i, bound in enumerate(BOUNDS):
        assert max(apart(by_name[n][i], by_name["PATHWISE"][i]) for n in ("SCORE", "DREG")) < 5
        if posterior == "gaussian" and "beta" not in bound:
            assert by_name["DREG"][i][:, :-D].var(0).sum() < by_name["PATHWISE"][i][:, :-D].var(0).sum()
