"""The experiment `few_digits`: its verdicts on made-up figures, and what is measured of a critic."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import few_digits
from experiments.few_digits import ADAPTIVE, COLOURS, FIXED, NONE, Config, Trained
from jaxgen.core import Context, Network
from jaxgen.data import load
from jaxgen.training.loop import Diverged


@pytest.mark.parametrize(
    ("mean", "p", "word", "says"),
    [
        (1.5, 0.049, "supported", "lower by 1.5 (0.5 to 2.5) than without, corrected p 0.049."),
        (1.5, 0.05, "depends", "The seeds do not tell."),
        (-1.5, 0.01, "not supported", "is higher by 1.5 (0.5 to 2.5) than without"),
        (-1.5, 0.5, "depends", "The seeds do not tell."),
        (1.5, None, "depends", "The seeds do not tell."),
    ],
)
def test_nearer(mean, p, word, says):
    # Kills: a limit that is met at 5 %; the sign; one seed that is sure; a doubt that is not told.
    found = few_digits.nearer({"nearer_by": [mean, mean - 1, mean + 1], "p_corrected": p}, "without")
    assert found.word == word and says in found.because


def seed(distance, sure=0.5, samples=2):
    course = np.array([9.0, distance])
    return Trained(np.array([0.0, sure]), np.array([0.0, 0.3]), course, np.zeros((samples, 8, 8, 1), np.float32))


def lost():
    return seed(math.nan, math.nan, samples=0)


def test_seeds_become_figures():
    # Kills: the first look in place of the last; a diverged seed in a mean, or not counted.
    row = few_digits.row([seed(2.0), seed(4.0, 0.9), lost()])
    assert row["frechet_distance"][0] == 3.0 and row["r_in_the_end"][0] == pytest.approx(0.7)
    assert row["p_in_the_end"][0] == 0.3 and (row["seeds"], row["failed_seeds"]) == (3, 1)


def test_gains_are_paired_and_corrected():
    # Kills: the sign; an unpaired test; a seed that diverged on one side; no correction.
    runs = {NONE: [seed(6.0), seed(7.0), seed(9.0), seed(1.0)], FIXED: [seed(3.0)] * 4}
    runs[ADAPTIVE] = [seed(3.0), seed(3.0), seed(6.0), lost()]
    found = few_digits.gains(runs)
    half = 4.302652729911275 / 3  # t(0.975, 2) s / sqrt(n) of the differences 3, 4, 3
    own = found[f"against {NONE}"]
    np.testing.assert_allclose(own["nearer_by"], [10 / 3, 10 / 3 - half, 10 / 3 + half], rtol=1e-9)
    p = 1 - 10 / math.sqrt(2 + 100)  # Student's law of 2 degrees at t = (10 / 3) / (1 / 3), both sides
    assert own["p_corrected"] == pytest.approx(2 * p, rel=1e-6) and own["pairs"] == 3
    assert found[f"against {FIXED}"]["nearer_by"][0] == -1.0


def test_r_is_the_mean_sign():
    # Kills: the mean logit; r of the raw examples, which the critic does not see.
    def apply(params, state, noise, x):
        return params * x[:, 0] + noise, state

    sure = few_digits.sureness(Network(lambda *args: None, apply))
    state = SimpleNamespace(params={"critic": jnp.float32(2.0)}, context=Context(0, {"critic": ()}))
    x = jnp.array([[-3.0], [0.1], [0.2], [5.0]])
    with jax.disable_jit():
        assert float(sure(state, 0.0, x)) == 0.5
        assert float(sure(state, -0.3, x)) == 0.0


@pytest.mark.parametrize(("way", "p"), [(NONE, 0.0), (FIXED, 1.0), (ADAPTIVE, 0.0)])
def test_the_ways_differ_by_the_pipe_alone(way, p):
    # Kills: p of another way; a critic without the pipe; R1 in every turn.
    critic, x = few_digits.critic_of(way, Config()), jnp.full((4, 8, 8, 1), 0.3)
    params, state = critic.init(jax.random.key(0), x)
    noise = critic.draw(jax.random.key(1), x)
    seen, raw = (critic.apply(params, state, noise, x)[0], critic.apply(params, state, None, x)[0])
    assert float(state["p"]) == p and bool(jnp.allclose(seen, raw)) == (p == 0)
    turns = few_digits.plan_of(way, Config()).turns
    assert turns.count(("critic",)) == 1 and turns.count(("critic:adversarial",)) == 15
    assert turns.count(("generator",)) == 16 and set(COLOURS) == {NONE, FIXED, ADAPTIVE}


def test_a_seed_that_diverges(monkeypatch):
    # Kills: a seed that takes the experiment with it.
    def train(*args, **options):
        raise Diverged("ten steps")

    monkeypatch.setattr(few_digits, "compile_loop", lambda *args, **options: SimpleNamespace(init=lambda key: None))
    monkeypatch.setattr(few_digits, "train", train)
    (found,) = few_digits.measure(NONE, load("digits"), lambda x: 1.0, Config(seeds=1, looks=2))
    assert np.isnan(found.distance).all() and len(found.distance) == 2 and not len(found.samples)
    runs = dict.fromkeys(COLOURS, [found])
    assert few_digits.draw_course(runs, Config(looks=2)) and few_digits.draw_samples(runs, load("digits"))


@pytest.mark.slow
def test_looks_follow_the_training():
    # Kills: a look that is left out, or of the start; p of another place of the state.
    config = Config(seeds=1, updates=64, looks=2, batch=16)
    (found,) = few_digits.measure(FIXED, load("digits"), lambda x: float(np.mean(x)), config)
    assert found.sure.shape == found.distance.shape == (2,) and found.p.tolist() == [1.0, 1.0]
    assert found.distance[0] != found.distance[1] and found.samples.shape == (12, 8, 8, 1)
