"""Anomalies: the choice of a score is made on validation data and nowhere else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from jaxgen.core import BadRequest, Model
from jaxgen.data import load
from jaxgen.data.data import Examples
from jaxgen.data.divide import assemble
from jaxgen.tasks import detect, evaluation

KEY = jax.random.key(0)


def model(scores, **parts):
    return Model(draw=lambda key, n: None, sample=lambda noise: None, scores=scores, **parts)


def test_auroc():
    # Kills: ties won or lost in place of half; ranks from 0; the two kinds swapped.
    rng = np.random.default_rng(0)
    for scale in (1, 3, 1000):
        scores, anomalous = rng.integers(0, 4 * scale, size=200), rng.random(200) < 0.2
        scores[anomalous] += scale
        np.testing.assert_allclose(detect.auroc(scores, anomalous), roc_auc_score(anomalous, scores), rtol=1e-12)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[anomalous] for b in scores[~anomalous]]
    np.testing.assert_allclose(detect.auroc(scores, anomalous), np.mean(pairs), rtol=1e-12)
    assert detect.auroc([0.0, np.inf, 1.0], [False, True, False]) == 1


def test_choice_on_validation(table):
    # Kills: the best score on test; the first score; the lowest; labels of another class.
    secret = {row.tobytes(): label for row, label in zip(table.test.x, table.test.label, strict=True)}

    def planted(noise, x):  # perfect on test, worthless on validation
        return jnp.asarray([float(secret.get(np.asarray(row).tobytes(), -1) == 2) for row in x])

    scores = {
        "useless": lambda noise, x: x[:, 3],
        "planted": planted,
        "good": lambda noise, x: x[:, 0],
        "opposite": lambda noise, x: -x[:, 0],
    }
    figures, chosen = detect.read(model(scores), table, 2, KEY)
    assert chosen == "good"
    exact = roc_auc_score(table.test.label == 2, table.test.x[:, 0])
    np.testing.assert_allclose(figures["auroc"], exact, rtol=1e-12)
    np.testing.assert_allclose(figures["auroc[opposite]"], 1 - exact, rtol=1e-12)
    assert figures["auroc[planted]"] == 1
    assert set(figures) == {"auroc", *(f"auroc[{name}]" for name in scores)}


def test_noise(table):
    # Kills: one noise for all batches; noise that a score draws itself; a key that does not matter; K other than 16.
    def draw_posterior(key, k, x):
        return jax.random.normal(key, (k, *x.shape))

    scores = {"noisy": lambda noise, x: x[:, 0] + 3 * jnp.mean(noise[:, :, 0], 0) * jnp.sqrt(16.0)}
    noisy = model(scores, draw_posterior=draw_posterior)
    first, again, other = (detect.read(noisy, table, 2, jax.random.key(seed)) for seed in (0, 0, 1))
    assert first == again != other
    assert 0.6 < first.figures["auroc"] < 1
    seen = []
    detect.read(model({"look": lambda noise, x: seen.append(noise) or x[:, 0]}), table, 2, KEY)
    assert seen == [None]


def test_scores_that_are_no_numbers(table):
    # Kills: NaN ranked as if it were strange; a figure for a model without scores.
    broken = {"nan": lambda noise, x: jnp.where(x[:, 0] > 5, jnp.nan, x[:, 0]), "fine": lambda noise, x: x[:, 0]}
    assert set(detect.read(model(broken), table, 2, KEY).figures) == {"auroc", "auroc[fine]"}
    broken.pop("fine")
    assert detect.read(model(broken), table, 2, KEY) == detect.read(model({}), table, 2, KEY) == ({}, "")


def test_which_class(table):
    # Kills: benign called the anomaly; a class that is not there to be found; anomalies trained on.
    cancer = load("cancer")
    assert {cancer.classes[detect.anomaly_class(cancer, seed)] for seed in range(3)} == {"malignant"}
    assert [detect.anomaly_class(table, seed) for seed in range(5)] == [0, 1, 2, 0, 1]
    rare = table._replace(valid=table.valid._replace(label=np.where(table.valid.label == 0, 1, table.valid.label)))
    assert [detect.anomaly_class(rare, seed) for seed in range(3)] == [1, 2, 1]
    normal = detect.normal_indices(table, 2)
    np.testing.assert_array_equal(np.sort(table.train.label), np.sort(np.r_[table.train.label[normal], [2] * 60]))
    assert 2 not in table.train.label[normal]
    apart = table._replace(
        valid=table.valid._replace(label=table.valid.label % 2),
        test=table.test._replace(label=2 + table.test.label % 2),
    )
    with pytest.raises(BadRequest, match="no class of toy can be left out"):
        detect.anomaly_class(apart, 0)


def of_classes(*counts):
    """Rows of so many classes, split as every table is."""
    label = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    x = np.random.default_rng(0).normal(size=(len(label), 4)).astype(np.float32)
    examples = Examples(len(x), lambda at: x[at], label, tuple(map(str, range(len(counts)))))
    return assemble("rows", "table", examples, seed=0)


@pytest.mark.parametrize(
    ("counts", "served"),
    [
        ((116, 4), []),  # 2 normal examples to learn from, or one anomaly to find
        ((180, 30), [0, 1]),
        ((180, 26), [1]),  # beside the first, 18 remain in train
        ((180, 20), []),  # two of the second in valid
        ((59, 71, 48), [0, 1, 2]),  # wine
        ((33, 33, 34), [0, 1, 2]),
        ((14,) * 7, []),
        ((300, 60, 8), [0, 1]),
    ],
)
def test_a_class_is_left_out_where_enough_remains_to_learn_and_to_test(counts, served):
    # Kills: an AUROC of one anomaly, or of a model of two examples; a limit on the anomalies alone, or on one split.
    data = of_classes(*counts)
    assert {detect.anomaly_class(data, seed) for seed in range(3) if served} == set(served)
    assert (detect.servable(data) is None) == bool(served)
    if not served:
        assert "20 training examples of other classes" in detect.servable(data)


@pytest.mark.parametrize(("part", "least"), [("valid", 3), ("test", 5)])
def test_each_split_holds_enough_of_both_kinds(table, part, least):
    # Kills: either limit left out, or off by one, for the class or for the others.
    split = getattr(table, part)
    for few, served in ((least - 1, False), (least, True)):
        label = np.where(np.arange(len(split.x)) < few, 0, 1).astype(np.int32)
        two = [one._replace(label=np.minimum(one.label, 1)) for one in (table.train, table.valid, table.test)]
        data = table._replace(train=two[0], valid=two[1], test=two[2])._replace(**{part: split._replace(label=label)})
        assert (detect.servable(data) is None) == served


def test_what_is_not_looked_at_does_not_count(table, monkeypatch):
    # Kills: anomalies counted that the task itself never sees, so that it fails after all training.
    assert detect.servable(table) is None
    monkeypatch.setattr(evaluation, "LIMIT", 8)
    monkeypatch.setattr(detect, "LIMIT", 8)
    assert detect.servable(table) is not None and "among the 8 that are looked at" in detect.servable(table)


def test_the_known_sets_are_served():
    # Kills: limits that leave a shipped set without its task.
    for name in ("digits", "cancer"):
        assert detect.servable(load(name)) is None
    assert {detect.anomaly_class(load("digits"), seed) for seed in range(10)} == set(range(10))


def test_baselines(table):
    # Kills: anomalies among the references; the error within the components in place of that outside; 16 of 6.
    found = detect.baselines(table, 2)
    normal, anomalous = table.train.x[table.train.label != 2].astype(float), table.test.label == 2
    x = table.test.x.astype(float)
    near = [np.min(np.linalg.norm(row - normal, axis=1)) for row in x]
    assert set(found) == {"baseline: nearest neighbour", "baseline: PCA"}
    nearest = found["baseline: nearest neighbour"]["auroc"]
    np.testing.assert_allclose(nearest, roc_auc_score(anomalous, near), rtol=1e-12)
    mean, vector = normal.mean(0), np.linalg.eigh(np.cov(normal.T))[1][:, ::-1][:, :3]
    missed = np.linalg.norm((x - mean) - (x - mean) @ vector @ vector.T, axis=1)
    np.testing.assert_allclose(found["baseline: PCA"]["auroc"], roc_auc_score(anomalous, missed), rtol=1e-12)
