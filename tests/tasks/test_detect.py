"""Anomalies: one score is fixed beforehand; another is chosen on validation data and nowhere else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from jaxgen.core import Model
from jaxgen.data import load
from jaxgen.metrics import outliers
from jaxgen.tasks import DETECT, Reference, detect, evaluation
from jaxgen.tasks.unseen import scored_set

KEY = jax.random.key(0)


def model(scores, **parts):
    return Model(draw=lambda key, n: None, sample=lambda noise: None, scores=scores, **parts)


def test_fixed_and_chosen_scores(table):
    # Kills: the best score on test; the chosen one for the fixed; the last for the first; the lowest on validation;
    # labels of another class; an average precision of the chosen score.
    scored = scored_set(table, (2,))
    secret = {row.tobytes(): kind for row, kind in zip(scored.x, scored.anomalous, strict=True)}

    def planted(noise, x):  # perfect on what is scored, worthless on validation
        return jnp.asarray([float(secret.get(np.asarray(row).tobytes(), False)) for row in x])

    scores = {
        "useless": lambda noise, x: x[:, 3],
        "planted": planted,
        "good": lambda noise, x: x[:, 0],
        "opposite": lambda noise, x: -x[:, 0],
    }
    figures, chosen = detect.read(model(scores), table, (2,), KEY)
    assert chosen == "good"
    exact = {i: roc_auc_score(scored.anomalous, scored.x[:, i]) for i in (0, 3)}
    np.testing.assert_allclose([figures["auroc"], figures["auroc[useless]"]], exact[3], rtol=1e-12)
    np.testing.assert_allclose([figures["auroc_chosen"], figures["auroc[good]"]], exact[0], rtol=1e-12)
    precision = average_precision_score(scored.anomalous, scored.x[:, 3])
    np.testing.assert_allclose(figures["average_precision"], precision, rtol=1e-12)
    np.testing.assert_allclose(figures["auroc[opposite]"], 1 - exact[0], rtol=1e-12)
    assert figures["auroc[planted]"] == 1
    assert set(figures) == {*detect.METRICS, *(f"auroc[{name}]" for name in scores)}


def test_nothing_is_chosen_without_validation_anomalies(table):
    # Kills: a headline that needs a choice; a choice by normal examples alone.
    data = table._replace(valid=table.valid._replace(label=0 * table.valid.label))
    figures, chosen = detect.read(
        model({"a": lambda noise, x: x[:, 0], "b": lambda noise, x: x[:, 1]}), data, (2,), KEY
    )
    assert chosen == "" and set(figures) == {"auroc", "average_precision", "auroc[a]", "auroc[b]"}


def test_a_stage_reads_the_fixed_score_alone(table):
    # Kills: all scores computed where only the headline is kept; another figure than that at the end.
    seen = []
    scores = {"a": lambda noise, x: x[:, 0], "b": lambda noise, x: seen.append(x) or x[:, 1]}
    data = table._replace(anomalies=("c",))
    stage, end = (DETECT.measure(model(scores), Reference(data, None), 0, KEY, stage).figures for stage in ("25", None))
    assert len(seen) == 1 and stage["auroc"] == end["auroc"] and "auroc_chosen" not in stage


def test_noise(table):
    # Kills: one noise for all batches; noise that a score draws itself; a key that does not matter; K other than 16.
    def draw_posterior(key, k, x):
        return jax.random.normal(key, (k, *x.shape))

    scores = {"noisy": lambda noise, x: x[:, 0] + 3 * jnp.mean(noise[:, :, 0], 0) * jnp.sqrt(16.0)}
    noisy = model(scores, draw_posterior=draw_posterior)
    first, again, other = (detect.read(noisy, table, (2,), jax.random.key(seed)) for seed in (0, 0, 1))
    assert first == again != other
    assert 0.6 < first.figures["auroc"] < 1
    seen = []
    detect.read(model({"look": lambda noise, x: seen.append(noise) or x[:, 0]}), table, (2,), KEY)
    assert seen == [None]


def test_scores_that_are_no_numbers(table):
    # Kills: NaN ranked as if it were strange; another score that stands in for the fixed one; a figure for a model
    # without scores.
    nan = {"nan": lambda noise, x: jnp.where(x[:, 0] > 5, jnp.nan, x[:, 0])}
    fine = {"fine": lambda noise, x: x[:, 0]}
    assert set(detect.read(model({**nan, **fine}), table, (2,), KEY).figures) == {"auroc[fine]", "auroc_chosen"}
    assert detect.read(model(nan), table, (2,), KEY) == detect.read(model({}), table, (2,), KEY) == ({}, "")


@pytest.mark.parametrize("kind", ["table", "image"])
def test_baselines(table, kind, monkeypatch):
    # Kills: anomalies among the references; images standardised, or a table not; more normal examples than the limit;
    # a seed that does not reach the forest; a figure of another baseline.
    data, scored = table._replace(kind=kind), scored_set(table, (2,))
    normal = table.train.x[table.train.label != 2]
    x, own = scored.x, normal
    if kind == "table":
        x, own = ((a - normal.mean(0)) / normal.std(0) for a in (x, normal))
    by_hand = {
        "distance from the mean": np.linalg.norm((scored.x - normal.mean(0)) / normal.std(0), axis=1),
        "nearest neighbours": outliers.neighbour_distance(own, x),
        "PCA": outliers.reconstruction_error(own, x),
        "isolation forest": outliers.isolation(own.astype(np.float32), x.astype(np.float32), seed=3),
    }
    found = detect.baselines(data, (2,), 3)
    assert list(found) == [f"baseline: {name}" for name in by_hand]
    for name, score in by_hand.items():
        figures = found[f"baseline: {name}"]
        atol = 0.02 if name == "isolation forest" else 1e-3  # a cut between two roundings of one number
        np.testing.assert_allclose(figures["auroc"], roc_auc_score(scored.anomalous, score), atol=atol)
        precision = average_precision_score(scored.anomalous, score)
        np.testing.assert_allclose(figures["average_precision"], precision, atol=atol)
    sizes = []
    monkeypatch.setattr(outliers, "ROWS", 50)
    monkeypatch.setattr(outliers, "neighbour_distance", lambda normal, x: sizes.append(len(normal)) or x[:, 0])
    detect.baselines(data, (2,), 3)
    assert sizes == [50]


def test_what_a_reader_must_know(table):
    # Kills: a class of another seed; counts of one split; the group that a report names for a seed.
    assert [DETECT.group(table, seed) for seed in range(4)] == ["a", "b", "c", "a"]
    _, by_seed, counts = DETECT.notes(table, range(4))
    assert by_seed == "Class left out, by seed: 0: a, 1: b, 2: c, 3: a."
    assert "60 normal examples and 90 anomalies" in counts
    named = DETECT.notes(load("cancer"), (5, 6))
    assert named[1] == "Anomalies are: malignant." and "71 normal examples and 191 anomalies" in named[2]


def test_large_examples_are_scored_in_part(table, monkeypatch):
    # Kills: all of them decoded at each stage; a stage that also scores what chooses; as few at the end; sixteen
    # samples of each; anomalies lost from a part.
    monkeypatch.setattr(evaluation, "LOOKED", table.test.x[0].size * 80)
    monkeypatch.setattr(evaluation, "FEWEST", 4)
    monkeypatch.setattr(detect, "SAMPLED", 5 * table.test.x[0].size)
    seen = []

    def draw_posterior(key, k, x):
        seen.append((k, len(x)))
        return jnp.zeros(k)

    one = model({"a": lambda noise, x: x[:, 0], "b": lambda noise, x: x[:, 1]}, draw_posterior=draw_posterior)
    reference = Reference(table._replace(anomalies=("c",)), None)
    end = DETECT.measure(one, reference, 0, KEY, None)
    assert seen == [(5, 40 + 10)] and end.chosen
    stage = DETECT.measure(one, reference, 0, KEY, "25")
    assert seen[1:] == [(5, 10)] and 0 < stage.figures["auroc"] <= 1
