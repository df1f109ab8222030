"""What every latent promises, whatever it is: shapes, no reduction of the batch, finite numbers at the extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import parts
import pytest

from jaxgen import latents
from jaxgen.core import Batch
from jaxgen.latents import Given

B, K = 4, 2
KEY = jax.random.key(0)
ALONE = Given(None, lambda x: x)


def ready(name):
    """(latent, h, params, state), the pseudo-inputs of vamp being examples of h."""
    latent, event = parts.LATENTS[name]
    h = jnp.asarray(np.random.default_rng(0).normal(size=(B, *event)), jnp.float32)
    return latent, h, *latent.init(KEY, h, Batch(h))


def test_every_latent_is_in_the_table():
    # Kills: a latent that no contract test sees.
    rows = " ".join(parts.LATENTS)
    makers = {name for name in latents.__all__ if name.islower()} - {"family_posterior"}  # what `vector` makes itself
    missing = sorted(name for name in makers if name not in rows)
    assert len(makers) > 8 and not missing, f"no name of a row of LATENTS in tests/parts.py holds {missing}"


@pytest.mark.parametrize("name", parts.LATENTS)
def test_shapes(name):
    # Kills: a sum over the samples or the batch; a closed form that is promised and not given; a state of another form.
    latent, h, params, state = ready(name)
    samples = 1 if name.startswith("quantised") else K
    latent.check(None, samples)

    def inferred(key):
        return latent.infer(params, state, latent.draw(key, samples, B), h, ALONE)._replace(reduce=None)

    q = jax.eval_shape(inferred, KEY)
    assert q.log_p.shape == q.log_q.shape == (samples, B)
    assert (q.kl is not None) == latent.closed_form
    assert q.kl is None or (q.kl.ndim, q.kl.shape[0]) == (2, B)
    assert q.cost is None or q.cost.shape == q.kl.shape
    assert jnp.shape(q.penalty) in ((), (B,)) and all(a.shape == () for a in q.info.values())
    assert jax.tree.structure(q.state) == jax.tree.structure(state)
    code = jax.eval_shape(lambda h: latent.encode(params, state, h), h)
    made = jax.eval_shape(lambda key: latent.generate(params, state, latent.draw_prior(key, 7), ALONE), KEY)
    assert q.z.shape == (samples, *code.shape) and made.shape == (7, *code.shape[1:])
    assert made.dtype == code.dtype == q.z.dtype == jnp.float32


@pytest.mark.parametrize("name", [n for n in parts.LATENTS if n != "free_bits"])
def test_examples_do_not_see_each_other(name):
    # Kills: a mean over the batch; noise or components of one example used for another.
    latent, h, params, state = ready(name)
    assert not latent.couples
    noise = latent.draw(KEY, 1, B)
    whole = latent.infer(params, state, noise, h, ALONE)
    for b in range(B):
        one = latent.infer(params, state, jax.tree.map(lambda a, b=b: a[:, b : b + 1], noise), h[b : b + 1], ALONE)
        for field in ("z", "log_p", "log_q"):
            np.testing.assert_allclose(getattr(one, field)[:, 0], getattr(whole, field)[:, b], rtol=1e-4, atol=1e-5)
        if whole.kl is not None:
            np.testing.assert_allclose(one.kl[0], whole.kl[b], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", parts.LATENTS)
def test_finite_at_the_extremes(name):
    # Kills: an unbounded log_std; a distance that overflows into NaN.
    latent, h, params, state = ready(name)
    noise = latent.draw(KEY, 1, B)

    def total(h):
        q = latent.infer(params, state, noise, h, ALONE)
        kl = 0.0 if q.kl is None else jnp.sum(q.kl)
        return jnp.sum(q.log_q - q.log_p) + kl + jnp.sum(q.penalty) + jnp.sum(q.z)

    for far in (-1e4, -30.0, 0.0, 30.0, 1e4):
        value, grad = jax.jit(jax.value_and_grad(total))(jnp.full_like(h, far))
        assert np.isfinite(value) and np.all(np.isfinite(grad)), far
