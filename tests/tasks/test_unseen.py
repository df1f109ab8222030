"""Anomalies: who is trained on, who is tested on. No example that is scored was trained on."""

import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.data import load, with_anomalies
from jaxgen.data.data import Examples
from jaxgen.data.divide import assemble
from jaxgen.tasks import evaluation, unseen


def of_classes(*counts, anomalies=()):
    """Rows of so many classes, split as every table is."""
    label = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    x = np.random.default_rng(0).normal(size=(len(label), 4)).astype(np.float32)
    examples = Examples(len(x), lambda at: x[at], label, tuple(map(str, range(len(counts)))))
    return assemble("rows", "table", examples, seed=0)._replace(anomalies=anomalies)


def rows(x):
    return sorted(row.tobytes() for row in x)


def of(split, *classes):
    return rows(split.x[np.isin(split.label, classes)])


@pytest.mark.parametrize("anomalies", [(2,), (0, 2)])
def test_who_is_trained_on_and_who_is_scored(table, anomalies):
    # Kills: an anomaly trained on; anomalies of train that nobody scores; normal training examples that are scored;
    # an example both chosen by and scored; a second anomalous class that counts as normal.
    normal = [c for c in range(3) if c not in anomalies]
    at = unseen.normal_indices(table, anomalies)
    assert rows(table.train.x[at]) == of(table.train, *normal)
    scored, choice = unseen.scored_set(table, anomalies), unseen.choice_set(table, anomalies)
    assert rows(scored.x[~scored.anomalous]) == of(table.test, *normal)
    assert rows(scored.x[scored.anomalous]) == sorted(of(table.train, *anomalies) + of(table.test, *anomalies))
    assert rows(choice.x) == rows(table.valid.x)
    assert rows(choice.x[choice.anomalous]) == of(table.valid, *anomalies)
    assert unseen.tested(table, anomalies) == ((~scored.anomalous).sum(), scored.anomalous.sum())


@pytest.mark.parametrize(("in_valid", "chooses"), [(0, False), (2, False), (3, True)])
def test_validation_anomalies_are_scored_where_they_are_too_few_to_choose_by(table, in_valid, chooses):
    # Kills: a choice by two anomalies; those of the validation split that nobody uses, or that are used twice.
    label = np.where(np.arange(len(table.valid.x)) < in_valid, 2, 0).astype(np.int32)
    data = table._replace(valid=table.valid._replace(label=label))
    scored = unseen.scored_set(data, (2,))
    assert (unseen.choice_set(data, (2,)) is not None) == chooses
    beside = [] if chooses else of(data.valid, 2)
    assert rows(scored.x[scored.anomalous]) == sorted(of(data.train, 2) + of(data.test, 2) + beside)


@pytest.mark.parametrize(
    ("normal", "anomalous", "kept"), [(400, 4, (36, 4)), (400, 300, (20, 20)), (10, 300, (10, 20))]
)
def test_at_most_so_many_are_scored(monkeypatch, normal, anomalous, kept):
    # Kills: a handful of anomalies lost among thousands of normal examples; anomalies alone; more than the limit; the
    # first examples in place of random ones; a cut that differs from call to call.
    monkeypatch.setattr(evaluation, "LIMIT", 40)
    data = of_classes(*[normal * 5, anomalous])
    scored, again = (unseen.scored_set(data, (1,)) for _ in range(2))
    assert ((~scored.anomalous).sum(), scored.anomalous.sum()) == kept
    np.testing.assert_array_equal(scored.x, again.x)
    assert set(rows(scored.x[~scored.anomalous])) <= set(of(data.test, 0))
    if normal == 400:
        assert rows(scored.x[~scored.anomalous]) != rows(data.test.x[data.test.label == 0][: kept[0]])


@pytest.mark.parametrize(
    ("counts", "served"),
    [
        ((116, 4), []),  # 2 normal examples to learn from, or 4 anomalies to find
        ((116, 5), [1]),
        ((180, 30), [0, 1]),
        ((180, 26), [1]),  # beside the first, 18 remain in train
        ((20, 30), [0]),  # beside the second, 14
        ((59, 71, 48), [0, 1, 2]),  # wine
        ((300, 60, 8), [0, 1, 2]),
        ((25, 0), []),
    ],
)
def test_a_class_is_left_out_where_enough_remains_to_learn_and_to_test(counts, served):
    # Kills: an AUROC of four anomalies, or of a model of two examples; validation anomalies demanded.
    data = of_classes(*counts)
    assert {unseen.anomaly_classes(data, seed) for seed in range(6) if served} == {(c,) for c in served}
    assert (unseen.servable(data) is None) == bool(served)
    if not served:
        assert "20 training" in unseen.servable(data)
        with pytest.raises(BadRequest, match="cannot be looked for"):
            unseen.anomaly_classes(data, 0)


def test_named_anomalies():
    # Kills: a class by seed where the anomalies are named; a set with ten of them refused; too few of them served.
    few, fewer = of_classes(357, 10, anomalies=("1",)), of_classes(357, 4, anomalies=("1",))
    assert {unseen.anomaly_classes(few, seed) for seed in range(4)} == {(1,)}
    assert unseen.servable(few) is None and unseen.tested(few, (1,)) == (71, 10)
    assert "the class 1 of rows cannot be looked for" in unseen.servable(fewer)
    assert unseen.anomaly_classes(of_classes(90, 90, 90, anomalies=("2", "0")), 1) == (2, 0)
    assert "no labels" in unseen.servable(few._replace(test=few.test._replace(label=None)))


def test_each_limit_is_the_limit(table):
    # Kills: a limit off by one, on either kind, or read from another split.
    for split, classes, enough in (("train", (0, 1), 20), ("test", (0, 1), 5)):
        for n in (enough - 1, enough):
            own = getattr(table, split)
            at = np.r_[np.flatnonzero(np.isin(own.label, classes))[:n], np.flatnonzero(own.label == 2)]
            data = table._replace(**{split: own._replace(x=own.x[at], label=own.label[at])}, anomalies=("c",))
            assert (unseen.servable(data) is None) == (n == enough)


def test_the_known_sets_are_served():
    # Kills: limits that leave a shipped set without its task; benign tumours called the anomaly.
    digits, cancer = load("digits"), load("cancer")
    assert {unseen.anomaly_classes(digits, seed) for seed in range(10)} == {(c,) for c in range(10)}
    assert [cancer.classes[c] for c in unseen.anomaly_classes(cancer, 1)] == ["malignant"]
    assert unseen.anomaly_classes(with_anomalies(digits, ("7", "1")), 3) == (7, 1)
