"""How often a comparison of copies of one recipe names a winner, and how often a true difference is found.

pytest -m slow -s tests/comparison/test_false_winners.py
"""

import functools

import numpy as np
import pytest

from jaxgen.comparison.contender import Steps, compiled
from jaxgen.comparison.contest import Contest
from jaxgen.comparison.decision import decide
from jaxgen.comparison.outcome import evaluation_key, trainings
from jaxgen.comparison.player import play
from jaxgen.data import load
from jaxgen.data.redivide import redivide
from jaxgen.metrics.features import feature_space
from jaxgen.recipes import find
from jaxgen.tasks import TASKS, Reference
from jaxgen.tasks.task import headline

POOL, COPIES, STEPS = 40, 3, 150
SEEDS, REPETITIONS = 6, 4000


def copied(task):
    """The task for copies: what copy i of seed s trains on and is measured with is that of s, as its seed is 3 s + i.

    The networks' start, their batches and their noise are drawn from 3 s + i.
    """
    training = task.training
    if keep := training.keep:
        training = training._replace(keep=lambda data, seed: keep(data, seed // COPIES))

    def measure(model, reference, seed, key, stage):
        own = seed // COPIES
        return task.measure(model, reference, own, evaluation_key(own, task.training), stage)

    return task._replace(training=training, measure=measure)


@functools.cache
def figures():
    """Headlines [task, seed, copy] of copies of one VAE on digits: each seed has its split, class and labels."""
    data = load("digits")
    tasks = [copied(task) for task in TASKS]
    contender, found = compiled(find("vae"), data, trainings(tasks)), np.empty((len(TASKS), POOL, COPIES))
    lengths = {training.name: Steps(STEPS) for training in trainings(tasks)}
    for seed in range(POOL):
        own = redivide(data, seed)
        reference = Reference(own, feature_space(own))
        there = contender.on(own)
        for copy in range(COPIES):
            outcome = play(there, reference, lengths, COPIES * seed + copy, tasks=tasks)
            assert not outcome.failed, outcome.failed
            found[:, seed, copy] = [outcome.figures[task.name][headline(task.metrics(own))] for task in TASKS]
    return found


def signs():
    """1 for each task where more of the headline is better, else -1."""
    metrics = [task.metrics(load("digits")) for task in TASKS]
    return np.array([1 if own[headline(own)].higher_is_better else -1 for own in metrics])


def contests(drawn, paired):
    """Of the figures [task, seed, 3]: two models and a baseline."""
    made = {}
    for task, by_seed in zip(TASKS, drawn, strict=True):
        (metric,) = [metric for metric in task.metrics(load("digits")).values() if metric.headline]
        vae, gan, baseline = (dict(enumerate(by_seed[:, i].tolist())) for i in range(3))
        models = {"a": vae, "b": gan}
        made[task.name] = Contest(
            task.name,
            bool(metric.higher_is_better),
            models,
            {"a": "vae", "b": "gan"},
            {"c": baseline},
            paired=paired,
            margin=metric.margin,
        )
    return made


def drawn(rng, pool, paired):
    """Six seeds, their copies in an order of their own; or, unpaired, each model's figures from other seeds."""
    if paired:
        at = rng.choice(POOL, SEEDS, replace=False)
        order = np.stack([rng.permutation(COPIES) for _ in at])
        return np.take_along_axis(pool[:, at], order[None], 2)
    at = rng.choice(POOL, (SEEDS, COPIES), replace=False)
    return np.stack([pool[:, at[:, i], i] for i in range(COPIES)], -1)


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
def test_copies_of_one_recipe_seldom_have_a_winner(paired):
    # Kills: three tests at 5 % each; a baseline with two models, or five, to beat by chance; a law of the figures that
    # they do not follow.
    pool, rng, winners, equal = figures(), np.random.default_rng(0), 0, 0
    for _ in range(REPETITIONS):
        found = [decision.choose for decision in decide(contests(drawn(rng, pool, paired), paired)).values()]
        winners += bool({"vae", "gan", "neither"}.intersection(found))
        equal += found.count("either")
    share, settings = winners / REPETITIONS, len(TASKS)
    print(
        f"false winners, {'paired' if paired else 'unpaired'}: {share:.1%} of {REPETITIONS} comparisons of {settings} "
        f"settings; {equal / REPETITIONS / settings:.0%} of the settings equal, the rest undecided"
    )
    assert share <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / REPETITIONS)


@pytest.mark.slow
def test_a_true_difference_is_found():
    # Kills: a rule under which nothing is ever decided; the wrong side of a difference; equality of what differs.
    pool, rng, found = figures(), np.random.default_rng(1), {}
    spread = np.std(pool[..., 0] - pool[..., 1], axis=1)
    for size in (1, 2, 3, 4):
        chosen = []
        for _ in range(1000):
            made = drawn(rng, pool, True)
            made[..., 2] = np.nan
            made[:, :, 1] += (size * signs() * spread)[:, None]
            without = {
                name: contest._replace(baselines={}, margin=None) for name, contest in contests(made, True).items()
            }
            chosen.append([decision.choose for decision in decide(without).values()])
        found[size] = np.mean(np.array(chosen) == "gan", axis=0)
        assert np.mean(np.array(chosen) == "vae") < 0.01
        shares = ", ".join(f"{task.name} {share:.0%}" for task, share in zip(TASKS, found[size], strict=True))
        print(f"a difference of {size} standard deviations of the paired difference is found: {shares}")
    assert (np.diff([found[size] for size in sorted(found)], axis=0) > -0.02).all() and (found[4] > 0.9).all()
