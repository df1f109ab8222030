"""The experiment `gan_optimum`: its verdicts on made-up figures, its laws against SciPy, and its training."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from experiments import critics, laws
from experiments.gan_optimum import QUICK, _training, exact, trained
from jaxgen.games import gan
from jaxgen.objectives import SATURATING

TINY = trained.Config(seeds=2, steps=6, batch=16, width=4, ring_width=4)


def table(**differences):
    rows = {name: {"library": 0.5, "closed_form": 0.25, "difference": d} for name, d in differences.items()}
    return {"games": rows}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (table(a=0.9e-5, b=0.0), "supported", "All 2 agree"),
        (table(a=1.1e-5, b=0.0), "depends", "1 of 2 agree with the closed form, but not a (0.5 against 0.25)."),
        (table(a=1.0, b=math.nan), "not supported", "0 of 2 agree"),
        ({**table(a=0.0), "pairs": table(b=1.0)["games"]}, "depends", "not b"),
    ],
)
def test_agrees(figures, word, says):
    # Kills: a NaN that passes; a second table that is not read; one row enough for "not supported".
    found = exact.agrees(figures)
    assert found.word == word and says in found.because


def bounds(**rows):
    return {"bounds": {name: {"difference": d, "nearest_other": other} for name, (d, other) in rows.items()}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (bounds(a=(0.0, -0.2), b=(0.9e-5, -0.1)), "supported", "by 0.1 at least"),
        (bounds(a=(0.0, -0.2), b=(1.1e-5, -0.1)), "depends", "Not tight: b."),
        (bounds(a=(0.0, -0.2), b=(0.0, 0.0)), "depends", "Not below: b."),
        (bounds(a=(1.0, -0.2), b=(0.0, 0.1)), "not supported", "Not tight: a. Not below: b."),
    ],
)
def test_tight(figures, word, says):
    # Kills: a bound that meets its divergence everywhere; a loose one among tight ones.
    found = exact.tight(figures)
    assert found.word == word and says in found.because


def ends(**gaps):
    return {"cases": {n: {"nats_below_mean": mean, "nats_below_best_seed": best} for n, (mean, best) in gaps.items()}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (ends(a=(0.02, 0.0), b=(0.001, 0.0)), "supported", "In 2 of 2 cases critics end at most 0.02 nats below."),
        (ends(a=(0.021, 0.0), b=(0.001, 0.0)), "depends", "Short of it by 0.021 nats: a."),
        (ends(a=(0.3, 0.0)), "not supported", "Short of it by 0.3 nats: a."),
        (ends(a=(math.nan, math.nan), b=(0.0, 0.0)), "depends", "Short of it by nan"),
        (ends(a=(0.01, -2e-5), b=(0.0, 0.0)), "not supported", "above what can be reached: a."),
    ],
)
def test_approaches(figures, word, says):
    # Kills: a sign, by which a critic above its optimum would be the best; a diverged critic that counts as there.
    found = trained.approaches(figures)
    assert found.word == word and says in found.because


def test_a_short_run_says_so():
    # Kills: a quick run that does not say so; a full one that does.
    case = {"a": {"nats_below_mean": 0.0, "nats_below_best_seed": 0.0}}
    assert _training(case, QUICK).limits.startswith("Unfinished: 400 steps of 3,000.")
    assert "Unfinished" not in _training(case, trained.Config()).limits


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "pearson", "hellinger", "jensen_shannon", "total_variation"])
def test_divergences_of_gaussians(name):
    # Kills: p and q exchanged; a term of another row; a half lost.
    f = {
        "kl": lambda u: u * np.log(u),
        "reverse_kl": lambda u: -np.log(u),
        "pearson": lambda u: (u - 1) ** 2,
        "hellinger": lambda u: (np.sqrt(u) - 1) ** 2,
        "jensen_shannon": lambda u: u * np.log(u) - (u + 1) * np.log((u + 1) / 2),
        "total_variation": lambda u: abs(u - 1) / 2,
    }[name]
    p, q = norm(0.0, 1.0), norm(0.8, 1.3)
    expected = quad(lambda x: q.pdf(x) * f(p.pdf(x) / q.pdf(x)), -9, 11, points=[-2.2, 0.9], epsabs=1e-11, limit=200)[0]
    found = laws.divergence(name, laws.gaussian(0.0, 1.0), laws.gaussian(0.8, 1.3))
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_divergences_of_letters():
    # Kills: a letter of share zero that makes a NaN, or that is left out of the other law.
    p, q = laws.letters([0.5, 0.5, 0.0]), laws.letters([0.5, 0.0, 0.5])
    # On the common letter both halves are 0; elsewhere each law is log 2 from the mean.
    np.testing.assert_allclose(laws.divergence("jensen_shannon", p, q), math.log(2), rtol=1e-12)
    np.testing.assert_allclose(laws.divergence("total_variation", p, q), 0.5, rtol=1e-12)


def test_a_mixture_is_its_density_and_its_points():
    # Kills: a factor of the density; points of unequal weights; a mean that stands twice and counts once.
    means = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.5]])
    law = laws.mixture(means, 0.05)
    log_density, cell = law.space()
    assert abs(np.exp(log_density).sum() * cell - 1) < 1e-9 and abs(law.weights.sum() - 1) < 1e-12
    np.testing.assert_allclose(law.weights @ law.points, [1 / 3, 1 / 6], rtol=1e-9)
    at = law.points[:: len(law.points) // 50]
    each = [norm(m[0], 0.05).pdf(at[:, 0]) * norm(m[1], 0.05).pdf(at[:, 1]) for m in means]
    np.testing.assert_allclose(np.exp(law.log_density(at)), np.mean(each, 0), rtol=1e-9)


def test_values_of_the_literature():
    # Kills: a closed form that is compared with itself: these numbers stand in no code here.
    q = laws.gaussian(0.8, 1.0)
    logits = [laws.log_ratio(exact.DATA, q, law.points) for law in (exact.DATA, q)]
    value = -exact.expected(SATURATING.critic, *logits, exact.DATA, q)
    slopes = exact.slopes()
    found = [value, slopes["saturating: 2 JS"]["library"], slopes["non-saturating: KL(q, p) - 2 JS"]["library"]]
    np.testing.assert_allclose(found, [-1.237938, 0.344259, 0.455741], rtol=2e-6)
    assert [n for n, row in slopes.items() if row["difference"] > exact.CLOSE] == ["f-GAN: total_variation"]


def test_pairs_of_letters_have_their_own_weights():
    # Kills: letters of two laws that are paired one to one although their shares differ.
    p, q = laws.letters([0.9, 0.1]), laws.letters([0.2, 0.8])
    found = exact.expected(lambda r, f: 10 * r + f, np.array([0.0, 1.0]), np.array([0.0, 1.0]), p, q)
    np.testing.assert_allclose(found, 10 * 0.1 + 0.8, rtol=1e-6)


def test_only_the_critic_moves_and_runs_are_their_own():
    # Kills: a generator that is trained; a run whose start or data depend on how many there are; stops counted twice.
    def played(means, stops):
        game = gan(critics.located(), critics.dense(4), latent_dim=1, loss=SATURATING)
        given = {"mean": jnp.array(means)[:, None], "log_std": jnp.zeros((len(means), 1))}

        def draw(key):
            return jax.random.normal(key, (8, 1))

        return list(critics.approach(game, optax.sgd(0.1), draw, given, runs=len(means), stops=stops))

    first, _, last = played([0.5, 2.0], (0, 1, 3))
    assert last.context.step.tolist() == [3, 3] and first.context.step.tolist() == [0, 0]
    np.testing.assert_array_equal(last.params["generator"]["mean"][:, 0], [0.5, 2.0])
    (alone,) = played([0.5], (3,))
    leaves = [jax.tree.leaves(s.params["critic"]) for s in (alone, last, first)]
    for one, both in zip(*leaves[:2], strict=True):
        np.testing.assert_allclose(one[0], both[0], rtol=1e-5, atol=1e-7)
        assert not np.array_equal(both[0], both[1])
    assert any(not np.array_equal(both, start) for both, start in zip(leaves[1], leaves[2], strict=True))


def test_the_ring_generator_makes_the_law_that_it_is_judged_by():
    # Kills: a generator of other modes, or another width, than the mixture whose divergence stands beside it.
    family = trained._rings(TINY)
    z = jax.random.normal(jax.random.key(0), (20_000, 3))
    for i, name in enumerate(family.cases):
        params = jax.tree.map(lambda leaf, i=i: jnp.float32(leaf[i]), family.params)
        x = np.asarray(family.generator.apply(params, (), None, z)[0], np.float64)
        law = exact.pairs()[name][1]
        scores = law.log_density(x)
        exact_mean, exact_square = (law.weights @ law.log_density(law.points) ** k for k in (1, 2))
        assert abs(scores.mean() - exact_mean) < 5 * math.sqrt((exact_square - exact_mean**2) / len(x))


def test_smallest_run():
    # Kills: a case without its law; a value over samples, which may be above the optimum.
    found = trained.courses(TINY)
    rows = trained.rows(found)
    assert set(rows) == {*trained.LINES, *trained.RINGS} and set(rows) < set(exact.pairs())
    assert all(row["nats_below_best_seed"] > 0 for row in rows.values())
