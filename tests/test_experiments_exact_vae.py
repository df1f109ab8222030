"""The experiment `exact_vae`: its verdicts on made-up figures, its closed forms, and a short run."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from experiments.exact_vae import model, sampling, training, verdicts
from experiments.exact_vae.model import Config
from jaxgen.core import Context

SMALL = Config(betas=(1.0, 20.0), seeds=2, draws=2000, counts=(1, 5), temperatures=(5,), chains=2)
LEFT = "elbo_lacks_after_training,_"


def tight(value=0.0, gradient=0.0, exactly=0.0, drawn=0.0):
    left = {f"{LEFT}{training.EXACT}": exactly, f"{LEFT}{training.DRAWN}": drawn}
    row = {"at_the_optimum": value, "gradient_error": gradient, **left}
    return {"seeds": {"seed 0": dict.fromkeys(row, 0.0), "seed 1": row}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (tight(9e-5, 9e-5, 9e-5, 9e-4), "supported", "9e-05 nats with noise averaged exactly; 0.0009 nats with noise"),
        (tight(2e-4), "not supported", "differ by 0.0002 nats"),
        (tight(gradient=2e-4), "depends", "off by 0.0002"),
        (tight(exactly=2e-4), "depends", "0.0002 nats with noise averaged exactly"),
        (tight(exactly=-2e-4), "depends", "-0.0002 nats with noise averaged exactly"),
        (tight(drawn=2e-3), "depends", "0.002 nats with noise as drawn"),
        (tight(drawn=-2e-4), "depends", "-0.0002 nats with noise as drawn"),
    ],
)
def test_tight(figures, word, says):
    # Kills: the first seed for the worst; an ELBO above log p(x) that passes; a wrong gradient that passes;
    # the better of two ways of training for both; the limit of drawn noise for noise that is averaged.
    found = verdicts.tight(figures)
    assert found.word == word and says in found.because


@pytest.mark.parametrize(
    ("agree", "word", "says"),
    [((10, 10), "supported", "20 of 20"), ((10, 9), "depends", "others: b."), ((5, 5), "not supported", "a; b")],
)
def test_collapses(agree, word, says):
    # Kills: a share of units in place of all of them; the case that is off left unsaid.
    rows = zip("ab", agree, strict=True)
    found = verdicts.collapses({"cases": {name: {"units_as_the_rule_says": n, "units": 10} for name, n in rows}})
    assert found.word == word and says in found.because


def made_counts(*rows):
    return {
        "counts": {
            f"K = {k}": {"gap_nats": [gap, gap - half, gap + half], "gap_over_formula": share}
            for k, gap, half, share in rows
        }
    }


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (made_counts((1, 0.3, 0.01, 0.7), (50, 0.01, 0.001, 0.96)), "supported", "0.7 (K = 1), 0.96 (K = 50)"),
        (made_counts((1, 0.3, 0.01, 0.7), (50, 0.01, 0.001, 0.94)), "depends", "above the one"),
        (made_counts((1, 0.3, 0.01, 0.7), (50, 0.01, 0.02, 1.0)), "depends", "out of order"),
        (made_counts((1, 0.3, 0.2, 0.7), (50, 0.2, 0.01, 1.0)), "depends", "out of order"),
        (made_counts((1, 0.3, 0.01, 0.7), (50, 0.4, 0.01, 2.0)), "not supported", "out of order"),
        (made_counts((1, 0.3, 0.01, 1.0), (5, 0.1, 0.01, 1.0)), "depends", "above the one"),
    ],
)
def test_importance(figures, word, says):
    # Kills: intervals that overlap called an order; a bound above log p(x); the formula asked of few samples, or of
    # none at all.
    found = verdicts.importance(figures)
    assert found.word == word and says in found.because


def made_chains(*rows, half=0.05):
    """Rows of (forward, reverse), with intervals of +-half, and the fewest temperatures first."""
    return {
        "chains": {
            f"{9 * 10**i} temperatures": {
                "forward": [low, low - half, low + half],
                "reverse": [high, high - half, high + half],
                "reverse_minus_forward": [high - low, high - low - half, high - low + half],
            }
            for i, (low, high) in enumerate(rows)
        }
    }


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (made_chains((-0.1, 0.4), (-0.02, 0.03)), "supported", "-0.1 (-0.15 to -0.05) and 0.4 (0.35 to 0.45) with 9 "),
        (made_chains((-0.1, 0.4), (0.002, 0.001)), "supported", "0.002 (-0.048 to 0.052) and 0.001"),
        (made_chains((0.4, -0.1), (0.03, -0.02)), "not supported", "With 9 temperatures at least one is surely on"),
        (made_chains((0.1, 0.4), (-0.02, 0.03)), "not supported", "surely on the wrong side"),
        (made_chains((-0.4, -0.1), (-0.02, 0.03)), "not supported", "surely on the wrong side"),
        (made_chains((0.0, 0.01), (0.0, 0.0)), "depends", "at least one is not surely on its side"),
        (made_chains((-0.04, 0.4), (-0.02, 0.03)), "depends", "not surely on its side"),
        (made_chains((-0.1, 0.04), (-0.02, 0.03)), "depends", "not surely on its side"),
        (made_chains((-0.1, 0.4), (-0.06, 0.03)), "not supported", "not within 0.1 nats"),
        (made_chains((-0.1, 0.4), (-0.02, 0.06)), "not supported", "not within 0.1 nats"),
        (made_chains((-0.1, 0.1), (-0.2, 0.3), (0.0, 0.0)), "depends", "does not fall"),
        (made_chains((-0.02, 0.02), half=0.01), "depends", "does not fall"),
    ],
)
def test_brackets(figures, word, says):
    # Kills: forward and reverse swapped; noise without a bias that passes; means in place of whole intervals; the sign
    # asked of the longest chains, or their nearness of the shortest; a fall seen in a single number of temperatures, or
    # from the first to the last alone; a seed that is not refuted called one that is inside.
    found = verdicts.brackets(figures)
    assert found.word == word and says in found.because and "inside" not in found.because


def test_the_closed_form_is_the_likelihood():
    # Kills: a covariance without its noise; s for s^2; examples that are not exact in mean and covariance.
    config = Config()
    data = model.draw_data(config, 3)
    columns = model.best_columns(config, data)
    covariance = columns.T @ columns + config.variance * np.eye(6)
    exact = stats.multivariate_normal(data.mean, covariance).logpdf(data.x)
    np.testing.assert_allclose(model.log_p(config, columns, data.mean, data.x), exact, rtol=1e-10)
    np.testing.assert_allclose(data.x.mean(0), data.mean, atol=1e-12)
    np.testing.assert_allclose(np.linalg.eigvalsh(np.cov(data.x.T, bias=True))[::-1], config.eigenvalues, rtol=1e-9)
    # The largest likelihood: every other weight of a column is worse.
    for factor in (0.98, 1.02):
        worse = model.log_p(config, columns * np.array([factor, 1, 1, 1, 1])[:, None], data.mean, data.x)
        assert worse.mean() < exact.mean()


def test_every_direction_is_as_good_as_all_noise():
    # Kills: points whose covariance is not I.
    noise = np.asarray(model.every_direction(Config())["latent"][:, 0])
    np.testing.assert_allclose(noise.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(noise.T @ noise / len(noise), np.eye(5), atol=1e-6)


def test_units_are_counted_by_the_rule():
    # Kills: a unit that is active where it should not be and the other way round cancelling; KL of active units in
    # the largest of collapsed ones.
    config = Config(eigenvalues=(3.0, 1.0), units=2, variance=0.5, betas=(1.0,))
    found = training.Trained(np.array([[2.5, 0.5], [2.4, 0.0]]), np.array([[1.0, 0.4], [0.9, 0.001]]), np.zeros(2))
    by_hand = {
        "units_active_by_the_rule": 2,
        "fewest_active": 1,
        "most_active": 2,
        "units_as_the_rule_says": 3,
        "units": 4,
        "largest_kl_of_a_collapsed_unit": 0.0,
        "largest_error_of_w2": 0.5,
    }
    assert training.unit_rows(config, {"x": {1.0: found}})["beta 1, x"] == pytest.approx(by_hand)
    rows = training.unit_rows(dataclasses.replace(config, betas=(8.0,)), {"x": {8.0: found}})["beta 8, x"]
    assert rows["units_as_the_rule_says"] == 1 and rows["largest_kl_of_a_collapsed_unit"] == 1.0


def test_brackets_become_figures():
    # Kills: a sign; examples for seeds in the interval, which are not independent of each other; a difference whose
    # interval is not of pairs; rows in the order of the config rather than of the temperatures.
    forward = np.array([[-0.1, -0.3], [-0.3, -0.5], [-0.5, -0.7]])
    rows = sampling.bracket_rows(
        {70: sampling.Bracket(forward, forward, 0.5), 7: sampling.Bracket(forward, forward + 1, 0.5)}
    )
    assert list(rows) == ["7 temperatures", "70 temperatures"]
    half = stats.t.ppf(0.975, 2) * 0.2 / np.sqrt(3)
    found = rows["7 temperatures"]
    assert found["forward"] == pytest.approx([-0.4, -0.4 - half, -0.4 + half])
    assert found["reverse"] == pytest.approx([0.6, 0.6 - half, 0.6 + half])
    assert found["reverse_minus_forward"] == pytest.approx([1, 1, 1])


def test_chains_are_surely_on_their_sides_and_not_when_swapped():
    # Kills: the chains of one direction handed out as those of the other; a rule that passes them either way.
    found = sampling.brackets(dataclasses.replace(SMALL, seeds=8))
    row = sampling.bracket_rows(found)["5 temperatures"]
    assert row["forward"][2] < 0 < row["reverse"][1] and 0 < row["moves_taken"] <= 1
    swapped = {steps: sampling.Bracket(one.reverse, one.forward, one.accepted) for steps, one in found.items()}
    told = verdicts.brackets({"chains": sampling.bracket_rows(swapped)})
    assert told.word == "not supported" and "wrong side" in told.because


def test_what_needs_no_training_is_exact():
    # Kills: an optimum of another model; params in another order; a gradient by hand that is not of this loss, or of
    # another beta; a bound that loses its samples.
    rows = training.tight_rows(SMALL, {})
    assert all(row["at_the_optimum"] < 1e-4 and row["gradient_error"] < 1e-4 for row in rows.values())
    counts = sampling.count_rows(SMALL, sampling.gaps(SMALL))
    assert counts["K = 1"]["gap_nats"][0] == pytest.approx(0.3, abs=0.02)
    assert counts["K = 5"]["gap_over_formula"] == pytest.approx(0.89, abs=0.05)


def test_the_noise_of_the_gradient_is_what_the_rule_says():
    # Kills: a limit for drawn noise that rests on another batch, another number of samples or other params.
    config = Config()
    data = model.draw_data(config, 0)
    game, batch = model.build(config, samples=config.samples), model.batch_of(data)
    context = Context(jnp.zeros(()), training.STATE)

    def loss(params, key):
        return game.losses["vae"](params, game.draw(key, batch), batch, context)[0]

    slopes = jax.vmap(jax.grad(loss), (None, 0))(model.optimum(config, data), jax.random.split(jax.random.key(0), 300))
    summed = sum(float(np.std(leaf, 0).sum()) for leaf in jax.tree.leaves(slopes["vae"]))
    assert summed == pytest.approx(verdicts.GRADIENT_NOISE, rel=0.03)


def test_a_seed_is_the_same_whatever_their_number():
    # Kills: keys that are split by how many there are; one key for two uses.
    data = jax.random.key_data
    assert np.array_equal(data(model.keys(2, 1)), data(model.keys(5, 1))[:2])
    assert not np.array_equal(data(model.keys(2, 1)), data(model.keys(2, 2)))
