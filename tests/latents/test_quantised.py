"""Codes: the straight-through gradient, the commitment and the moving codebook by hand; finite scalars by the paper."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest, Batch
from jaxgen.latents import Given, codebook, quantised, scalars

ALONE = Given(None, None)
BOOK = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 2.0]])  # three codes of two channels
E = np.array([[[0.2, 0.1], [0.9, 1.3]], [[0.6, 0.7], [0.1, -0.3]]])  # two examples of two positions
NEAREST = np.array([[0, 1], [1, 0]])
STATE = {"sum": jnp.asarray(BOOK * [[2.0], [0.5], [1.0]], "f"), "count": jnp.array([2.0, 0.5, 1.0])}
LATENT = quantised(codebook(3, commitment=0.25, decay=0.9), (2,))


def test_codebook_by_hand():
    # Kills: the farthest code; a commitment after the straight-through, which is zero; a mean over positions; a prior
    # that is not uniform.
    q = LATENT.infer((), STATE, (), jnp.asarray(E, "f"), ALONE)
    np.testing.assert_allclose(q.z, BOOK[NEAREST][None], atol=1e-6)
    np.testing.assert_allclose(q.penalty, 0.25 * ((E - BOOK[NEAREST]) ** 2).sum((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(q.kl, np.full((2, 1), 2 * np.log(3)), rtol=1e-6)
    np.testing.assert_allclose(q.log_q - q.log_p, np.full((1, 2), 2 * np.log(3)), rtol=1e-6)
    assert q.info["codes_used"] == 2
    np.testing.assert_allclose(q.info["code_perplexity"], 2, rtol=1e-5)


def test_gradients_of_a_codebook_by_hand():
    # Kills: no gradient to the encoder; one through the distance to the code; a commitment that pulls the other way or
    # moves the code; a gradient of the state.
    w = np.random.default_rng(0).normal(size=E.shape)

    def value(e, state, part):
        q = LATENT.infer((), state, (), e, ALONE)
        return jnp.sum(q.z[0] * w.astype("f")) if part == "z" else jnp.sum(q.penalty)

    grad = jax.grad(value, argnums=(0, 1))
    by_z, state = grad(jnp.asarray(E, "f"), STATE, "z")
    np.testing.assert_allclose(by_z, w, rtol=1e-6)
    assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves(state))
    np.testing.assert_allclose(grad(jnp.asarray(E, "f"), STATE, "")[0], 0.5 * (E - BOOK[NEAREST]), rtol=1e-5)


def test_moving_codebook_by_hand():
    # Kills: averages of codes in place of sums and counts; decay on the wrong side; a sum over the batch that makes the
    # step depend on its size. Counts are in units of even use: 4 vectors for 3 codes make 3 / 4 each.
    new = LATENT.infer((), STATE, (), jnp.asarray(E, "f"), ALONE).state
    flat, code = E.reshape(-1, 2), NEAREST.ravel()
    for c in range(3):
        count = 0.9 * float(STATE["count"][c]) + 0.1 * 0.75 * np.sum(code == c)
        total = 0.9 * np.asarray(STATE["sum"][c], "d") + 0.1 * 0.75 * flat[code == c].sum(0)
        np.testing.assert_allclose(new["count"][c], count, rtol=1e-6)
        np.testing.assert_allclose(new["sum"][c], total, rtol=1e-5, atol=1e-7)
    both = [LATENT.infer((), STATE, (), jnp.asarray(E[i : i + 1], "f"), ALONE).state for i in range(2)]
    for name in new:  # micro-batches: the mean of the new states of the parts is that of the whole
        np.testing.assert_allclose((both[0][name] + both[1][name]) / 2, new[name], rtol=1e-5, atol=1e-7)


def test_a_code_that_nothing_chooses_keeps_its_place():
    # Kills: a count that underflows to 0 / 0; a code that drifts to the origin, or can never be chosen again.
    latent = quantised(codebook(3, decay=0.5), (2,))
    step = jax.jit(lambda state, e: latent.infer((), state, (), e, ALONE).state)
    state = STATE
    for _ in range(300):  # 0.5^300 is far below the smallest float32
        state = step(state, jnp.asarray(E, "f"))
    np.testing.assert_allclose(state["sum"][2] / state["count"][2], BOOK[2], rtol=1e-6)
    assert float(state["count"][2]) > 1e-8
    state = step(state, jnp.asarray([[[-1.2, 2.4]] * 2], "f"))
    np.testing.assert_allclose(state["sum"][2] / state["count"][2], [-1.2, 2.4], rtol=1e-4)


@pytest.mark.parametrize("decay", [0.0, 1e-5, 0.5])
def test_a_code_stays_before_its_count_is_lost(decay):
    # Kills: 0 / 0 in one step without a memory; a count that is looked at before the step that loses it. Products with
    # .5 are exact, so there the place is that of before to the last bit.
    latent = quantised(codebook(3, decay=decay), (2,))
    state, flat = STATE, E.reshape(-1, 2)
    for _ in range(40):
        state = latent.infer((), state, (), jnp.asarray(E, "f"), ALONE).state
        assert float(state["count"][2]) >= 1e-6
    np.testing.assert_allclose(state["sum"][2] / state["count"][2], BOOK[2], rtol=0 if decay != 1e-5 else 1e-6)
    for c in range(2):
        np.testing.assert_allclose(
            state["sum"][c] / state["count"][c], flat[NEAREST.ravel() == c].mean(0), rtol=1e-5, atol=1e-7
        )


def test_a_rare_code_that_is_chosen_moves():
    # Kills: a code of a small count that stays although a vector chose it. One of 4,000 vectors adds 3 / 4000 / 1000.
    latent = quantised(codebook(3, decay=0.999), (2,))
    state = {"sum": jnp.asarray(BOOK * [[1.0], [1.0], [1e-7]], "f"), "count": jnp.array([1.0, 1.0, 1e-7])}
    e = np.tile(E[0, 0], (2000, 2, 1))
    e[7, 1] = -1.2, 2.4
    state = latent.infer((), state, (), jnp.asarray(e, "f"), ALONE).state
    weights = 0.999 * 1e-7, 0.001 * 3 / 4000
    expected = np.average([BOOK[2], e[7, 1]], axis=0, weights=weights)
    np.testing.assert_allclose(state["sum"][2] / state["count"][2], expected, rtol=1e-4)


def test_codebook_learns_the_means_of_its_clusters():
    # Kills: a codebook that stays where it began. k-means of two clusters, whose means are known.
    rng = np.random.default_rng(0)
    latent = quantised(codebook(2, decay=0.8), (1,))
    e = jnp.asarray(np.r_[rng.normal(3, 0.1, (50, 1, 2)), rng.normal(-3, 0.1, (50, 1, 2))], "f")
    state = {"sum": jnp.array([[0.1, 0.0], [-0.1, 0.0]]), "count": jnp.ones(2)}
    for _ in range(80):
        state = latent.infer((), state, (), e, ALONE).state
    book = np.asarray(state["sum"] / state["count"][:, None])
    np.testing.assert_allclose(book, np.asarray(e, "d").reshape(2, 50, 2).mean(1), rtol=1e-4)


def test_codes_start_apart_at_vectors_of_the_encoder():
    # Kills: codes of zeros; equal codes, of which the second is never chosen.
    _, state = quantised(codebook(10), (2,)).init(jax.random.key(0), jnp.asarray(E, "f"), Batch(E))
    book = np.asarray(state["sum"] / state["count"][:, None])
    assert abs(book[:, None] - E.reshape(-1, 2)).max(-1).min(-1).max() < 0.01
    assert len(np.unique(book, axis=0)) == 10


def paper(z, levels):
    """Mentzer et al. 2024, appendix A.1, in NumPy: (quantised and scaled to [-1, 1], bounded, code)."""
    levels = np.asarray(levels)
    half_l = (levels - 1) * (1 - 1e-3) / 2
    offset = np.where(levels % 2 == 1, 0.0, 0.5)
    bound = np.tanh(z + np.tan(offset / half_l)) * half_l - offset
    half_width = levels // 2
    basis = np.concatenate(([1], np.cumprod(levels[:-1])))
    return np.round(bound) / half_width, bound, ((np.round(bound) + half_width) * basis).sum(-1)


@pytest.mark.parametrize("levels", [(3, 5), (2, 4), (8, 5, 5, 5), (7, 6)])
def test_scalars_by_the_paper(levels):
    # Kills: an even number of levels without its offset, which then has one level more; codes that run the other way; a
    # gradient of zero, or one that leaves the tanh out.
    e = np.random.default_rng(0).normal(size=(40, 3, len(levels))) * 3
    latent = quantised(scalars(*levels), (3,))
    z, bound, code = paper(e, levels)
    q = latent.infer((), (), (), jnp.asarray(e, "f"), ALONE)
    np.testing.assert_allclose(q.z[0], z, atol=1e-5)
    np.testing.assert_allclose(scalars(*levels).apply((), jnp.asarray(e, "f"))[1], code)
    for c, n in enumerate(levels):
        assert len(np.unique(np.round(np.asarray(q.z)[..., c] * (n // 2)))) == n
    half = (np.asarray(levels) - 1) * (1 - 1e-3) / 2
    slope = (
        (1 - ((bound + np.where(np.asarray(levels) % 2 == 1, 0, 0.5)) / half) ** 2) * half / (np.asarray(levels) // 2)
    )
    grad = jax.grad(lambda e: jnp.sum(latent.infer((), (), (), e, ALONE).z))(jnp.asarray(e, "f"))
    np.testing.assert_allclose(grad, slope, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(q.kl, np.full((40, 1), 3 * np.log(np.prod(levels))), rtol=1e-6)
    assert not np.any(q.penalty)


@pytest.mark.parametrize("levels", [(3, 5), (2, 4)])
def test_every_code_has_a_vector_and_back(levels):
    # Kills: a lookup in another base; samples that no encoder could give.
    part = scalars(*levels)
    code = jnp.arange(part.codes).reshape(1, -1)
    z = part.lookup((), code)
    assert len(np.unique(np.asarray(z)[0], axis=0)) == part.codes == np.prod(levels)
    digits = np.round(np.asarray(z, "d") * (np.asarray(levels) // 2)) + np.asarray(levels) // 2
    np.testing.assert_array_equal((digits * [1, levels[0]]).sum(-1), code)


def test_samples_are_codes_of_the_prior():
    # Kills: a prior that leaves a code out; a lookup in another table.
    noise = LATENT.draw_prior(jax.random.key(0), 300)
    assert noise.shape == (300, 2) and set(np.unique(noise)) == {0, 1, 2}
    np.testing.assert_allclose(LATENT.generate((), STATE, noise, ALONE), BOOK[np.asarray(noise)], rtol=1e-6)
    np.testing.assert_allclose(LATENT.encode((), STATE, jnp.asarray(E, "f")), BOOK[NEAREST], atol=1e-6)


def test_flat_encoders():
    # Kills: positions and channels exchanged.
    q = LATENT.infer((), STATE, (), jnp.asarray(E.reshape(2, 4), "f"), ALONE)
    np.testing.assert_allclose(q.z, BOOK[NEAREST][None], atol=1e-6)


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: codebook(0), "codes=0: it must be a whole number of at least 1"),
        (lambda: codebook(4.5), "codes=4.5: it must be a whole number"),
        (lambda: codebook(3, decay=1.0), r"decay in \[0, 1\)"),
        (lambda: codebook(3, commitment=float("nan")), "finite commitment"),
        (lambda: scalars(), "levels=.*at least one whole number"),
        (lambda: scalars(3, 1), "each of levels=1: it must be a whole number of at least 2"),
        (lambda: quantised(codebook(3), ()), r"positions=\(\): it must be a tuple"),
        (lambda: quantised(codebook(3), 8), r"positions=8: it must be a tuple.*\(7,\)"),
        (lambda: quantised(3, (8,)), r"quantiser must be of the type Quantiser, such as codebook\(64\), not 3"),
        (lambda: LATENT.check(None, 2), "samples=2: this posterior is a point mass"),
        (lambda: LATENT.init(jax.random.key(0), jnp.zeros((2, 5)), None), r"\[2, 5\] but must give \[B, 2, C\]"),
        (lambda: quantised(scalars(3, 5), (2,)).init(jax.random.key(0), jnp.zeros((2, 2, 3)), None), r"\[B, 2, 2\]"),
        (lambda: LATENT.init(jax.random.key(0), jnp.zeros((2, 3, 4)), None), r"\[B, 2, C\]"),
    ],
)
def test_refusals(build, word):
    # Kills: an error from deep inside the first trace.
    with pytest.raises(BadRequest, match=word):
        build()
