"""What the tasks share."""

import numpy as np
import pytest

from jaxgen import tasks
from jaxgen.data import Split, load
from jaxgen.tasks import anomalies, in_batches, looked_at, represent, synthesise


@pytest.mark.parametrize("n", [1, 511, 512, 513, 1700])
@pytest.mark.parametrize("copies", [1, 16])
def test_in_batches(monkeypatch, n, copies):
    # Kills: padding left in the answer; a last batch of another shape (a second program); examples out of order.
    monkeypatch.setattr(tasks, "NUMBERS", 16 * 3 * 300)
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    shapes, seen = set(), []

    def fn(i, part):
        shapes.add(part.shape)
        seen.append(i)
        return np.asarray(part).sum(1) * 2

    np.testing.assert_array_equal(in_batches(fn, x, copies=copies), x.sum(1) * 2)
    assert len(shapes) == 1 and seen == list(range(len(seen)))
    assert max(shapes)[0] <= (300 if copies == 16 else 512)


def test_looked_at(monkeypatch):
    # Kills: the first examples in place of random ones (a split may be sorted by class); x and label apart; bytes.
    monkeypatch.setattr(tasks, "LIMIT", 40)
    label = np.repeat(np.arange(2), 50).astype(np.int32)
    found = looked_at(Split(label[:, None].astype(np.uint8) * 255, label))
    assert found.x.dtype == np.float32 and len(found.x) == 40
    np.testing.assert_array_equal(found.x[:, 0], found.label)
    assert 8 < found.label.sum() < 32
    assert len(looked_at(Split(label[:30, None].astype(np.float32), None)).x) == 30


@pytest.mark.parametrize("task", [anomalies, represent])
def test_labels_are_needed(table, task):
    # Kills: a task that fails in the middle of a comparison in place of saying why it cannot be served.
    assert task.servable(table) is None
    bare = table._replace(test=table.test._replace(label=None))
    alike = table._replace(valid=table.valid._replace(label=0 * table.valid.label))
    assert "no labels" in task.servable(bare)
    assert "validation" in task.servable(alike)


def test_one_headline(table):
    # Kills: a task with no figure, or two, to rest its verdict on.
    for metrics in (synthesise.metrics(table), anomalies.METRICS, represent.METRICS):
        assert sum(metric.headline for metric in metrics.values()) == 1


def test_figures_stay_within_their_bounds(table):
    # Kills: a distance below zero, a share above one, nine modes of eight; the kernel distance, which may be negative,
    # cut at zero.
    ring = load("ring8")
    found = {**synthesise.metrics(ring), **anomalies.METRICS, **represent.METRICS}
    assert [name for name, metric in found.items() if metric.bounds is None] == ["kernel_distance"]
    assert synthesise.metrics(table).keys() < found.keys()
    assert found["modes"].bounds == (0, 8) and found["reverse_kl"].bounds == (0, np.log(8))
    assert found["path_ratio"].bounds == (1, np.inf) and found["frechet"].bounds == (0, np.inf)
