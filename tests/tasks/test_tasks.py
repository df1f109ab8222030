"""What the tasks share."""

import jax
import numpy as np
import pytest

from jaxgen.core import Model
from jaxgen.data import Split, load, with_domains
from jaxgen.metrics import natural
from jaxgen.tasks import SETTINGS, TASKS, detect, evaluation, represent, restore, synthesise
from jaxgen.tasks.evaluation import decoded, drawn, in_batches, looked_at
from jaxgen.tasks.task import Form, Reference


@pytest.mark.parametrize("n", [1, 511, 512, 513, 1700])
@pytest.mark.parametrize("copies", [1, 16])
def test_in_batches(monkeypatch, n, copies):
    # Kills: padding left in the answer; a last batch of another shape (a second program); examples out of order.
    monkeypatch.setattr(evaluation, "NUMBERS", 16 * 3 * 300)
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    shapes, seen = set(), []

    def fn(i, part):
        shapes.add(part.shape)
        seen.append(i)
        return np.asarray(part).sum(1) * 2

    np.testing.assert_array_equal(in_batches(fn, x, copies=copies), x.sum(1) * 2)
    assert len(shapes) == 1 and seen == list(range(len(seen)))
    assert max(shapes)[0] <= (300 if copies == 16 else 512)


def test_sets_of_nearly_one_length_share_a_shape():
    # Kills: a model compiled anew for each class that is left out, for classes differ in their numbers of examples.
    shapes = set()
    for n in (650, 663, 700, 768):
        in_batches(lambda i, x: shapes.add(x.shape) or x, np.zeros((n, 3), np.float32))
    assert shapes == {(384, 3)}


def test_batches_of_several_arrays():
    # Kills: padding left in one of them; a batch of one array beside another of the next.
    x = np.arange(1500, dtype=np.float32)[:, None]
    found = in_batches(lambda i, part: {"once": part, "twice": 2 * part[:, 0]}, x)
    np.testing.assert_array_equal(found["once"], x)
    np.testing.assert_array_equal(found["twice"], 2 * x[:, 0])


@pytest.mark.parametrize(("n", "sizes"), [(3, [3]), (512, [512]), (513, [257, 257]), (1500, [500, 500, 500])])
def test_drawn(monkeypatch, n, sizes):
    # Kills: blocks of large samples as long as those of small ones; all samples in one call; a last block of another
    # shape (a second program); one block of noise for all.
    seen = []

    def sample(noise):
        seen.append(len(noise["z"]))
        return noise["z"] + noise["more"][:, None]

    def draw(key, n):
        return {"z": jax.random.normal(key, (n, 2)), "more": jax.numpy.arange(n)}

    found = drawn(Model(draw=draw, sample=sample), jax.random.key(0), n, (2,))
    np.testing.assert_array_equal(found, sample(draw(jax.random.key(0), sum(sizes)))[:n])
    assert seen[:-1] == sizes
    seen.clear()
    monkeypatch.setattr(evaluation, "NUMBERS", 400)
    drawn(Model(draw=draw, sample=sample), jax.random.key(0), n, (2,))
    assert max(seen) <= 200 and len(set(seen)) == 1


def test_looked_at(monkeypatch):
    # Kills: the first examples in place of random ones (a split may be sorted by class); x and label apart; bytes.
    monkeypatch.setattr(evaluation, "LIMIT", 40)
    label = np.repeat(np.arange(2), 50).astype(np.int32)
    found = looked_at(Split(label[:, None].astype(np.uint8) * 255, label))
    assert found.x.dtype == np.float32 and len(found.x) == 40
    np.testing.assert_array_equal(found.x[:, 0], found.label)
    assert 8 < found.label.sum() < 32
    assert len(looked_at(Split(label[:30, None].astype(np.float32), None)).x) == 30


@pytest.mark.parametrize("task", [detect, represent])
def test_labels_are_needed(table, task):
    # Kills: a task that fails in the middle of a comparison in place of saying why it cannot be served.
    assert task.servable(table) is None
    bare = table._replace(test=table.test._replace(label=None))
    alike = table._replace(valid=table.valid._replace(label=0 * table.valid.label))
    assert "no labels" in task.servable(bare)
    assert ("validation" in (task.servable(alike) or "")) == (task is represent)  # no anomaly need be known there


def test_one_headline(table):
    # Kills: a task with no figure, or two, to rest its verdict on.
    for task in TASKS:
        assert sum(metric.headline for metric in task.metrics(table).values()) == 1


def test_figures_stay_within_their_bounds(table):
    # Kills: a share above one, nine modes of eight; an unbiased distance, or decibels, cut at zero.
    ring = load("ring8")
    found = {**synthesise.metrics(ring), **detect.METRICS, **represent.METRICS}
    rows = [*found.items(), *restore.METRICS.items()]
    assert [n for n, metric in rows if metric.bounds is None] == ["frechet", "kernel_distance", "psnr", "psnr_mean"]
    assert synthesise.metrics(table).keys() < found.keys()
    assert found["modes"].bounds == (0, 8) and found["reverse_kl"].bounds == (0, np.log(8))
    assert found["path_ratio"].bounds == (1, np.inf)


def test_every_task_decides_a_setting_of_its_own():
    # Kills: a row whose setting is misspelt, so that its answer never appears; two tasks that decide one setting, or
    # share the name under which report.json keeps their figures.
    settings, names = [task.setting for task in TASKS], {task.name for task in TASKS}
    assert set(settings) <= {setting.name for setting in SETTINGS}
    assert len(set(settings)) == len(names) == len(TASKS)
    assert len({picture.title for task in TASKS for picture in task.pictures}) == sum(len(t.pictures) for t in TASKS)


def test_no_two_trainings_share_random_numbers_or_names():
    # Kills: a new training with the streams of another, whose models then start from the same weights; two rows that
    # differ and have one name, of which the second takes the steps of the first.
    trainings = {task.training for task in TASKS}
    streams = [stream for training in trainings for stream in training.streams]
    assert len(set(streams)) == len(streams)
    assert len({training.name for training in trainings}) == len(trainings)
    assert all(training.share > 0 for training in trainings)


def test_titles_are_of_metrics_that_there_are(table, monkeypatch):
    # Kills: a title under a name that no metric has, which is never shown.
    monkeypatch.setattr(natural, "serves", lambda data: data is table)
    kinds = table, load("ring8"), with_domains(load("digits"), ("3", "8"))
    for task in TASKS:
        assert set(task.titles) <= {name for data in kinds for name in task.metrics(data)}


def test_large_examples_share_a_shape(monkeypatch):
    # Kills: a model that decodes many copies compiled anew for a stage or for pictures, for their sets are smaller;
    # batches of codes as large as codes are small; samples in another shape.
    monkeypatch.setattr(evaluation, "NUMBERS", 3 * 85)
    shapes = set()
    for n in (2, 129, 512, 1536):
        in_batches(lambda i, x: shapes.add(x.shape) or x, np.zeros((n, 3), np.float32))
    decoded(Model(decode=lambda z: shapes.add((len(z), 3)) or z), np.zeros((200, 2), np.float32), (4,))
    drawn(Model(draw=lambda key, n: np.zeros((n, 3)), sample=lambda z: shapes.add(z.shape) or z), None, 90, (3,))
    shapes ^= {(63, 3)}  # of examples of 4 numbers, told as 2 copies of a code
    monkeypatch.setattr(evaluation, "NUMBERS", 3 * 341)
    for n in (512, 2048):
        in_batches(lambda i, x: shapes.add(x.shape) or x, np.zeros((n, 3), np.float32))
    assert shapes == {(85, 3), (256, 3)}


def test_a_reference_computes_once_and_lets_go(monkeypatch):
    # Kills: data in the form of a training made for each model; one form's for another; what is held after a seed.
    made = []
    form, other = (Form(name, lambda data, n=name: made.append(n) or (n, data), None) for name in ("a", "b"))
    reference = Reference("data", None)
    assert reference.formed(None) == "data" and reference.formed(form) is reference.formed(form) == ("a", "data")
    assert reference.formed(other) == ("b", "data") and made == ["a", "b"]

    def counted(reference):
        made.append(reference)
        return "counted"

    assert reference.once(counted) == reference.once(counted) == "counted" and made[2:] == [reference]
    reference.release()
    assert reference.formed(form) == ("a", "data") and made[3:] == ["a"]
