"""Test examples that all seeds share, without a group of them at a time."""

from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from jaxgen.comparison.outcome import empty, measure_without
from jaxgen.comparison.statistics import jackknife
from jaxgen.data import Data, Split
from jaxgen.metrics import Features, halves_of, unbiased_frechet
from jaxgen.tasks import (
    DETECT,
    MAIN,
    MANIPULATE,
    REPRESENT,
    RESTORE,
    SYNTHESISE,
    TRANSLATE,
    Metric,
    Reading,
    Reference,
    translate,
)
from jaxgen.tasks.distances import distance
from jaxgen.tasks.evaluation import LIMIT
from jaxgen.tasks.groups import GROUPS, Groups, groups_of


def reference(n, official=("test",), classes=2):
    label = np.arange(n, dtype=np.int32) % classes
    x = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    split = Split(x, label)
    names = tuple(map(str, range(classes)))
    return Reference(Data("toy", "table", split, split, split, names, None, None, "", (), official=official), None)


def test_each_example_is_left_out_once_and_classes_keep_their_shares():
    # Kills: groups that follow the order of the file; a class that a part has lost; an example that is never left out.
    whole = reference(60, classes=3)
    parts = groups_of(whole).without
    assert len(parts) == GROUPS
    out = [set(whole.data.test.x[:, 0]) - set(part.data.test.x[:, 0]) for part in parts]
    assert sorted(x for own in out for x in own) == whole.data.test.x[:, 0].tolist()
    for part in parts:
        assert np.bincount(part.data.test.label).tolist() == [18, 18, 18]
        assert part.data.train is whole.data.train
    assert any(len(set(np.diff(sorted(own)))) > 1 for own in out)


def test_only_what_evaluation_looks_at_is_grouped():
    # Kills: replicates of other random 5,000 examples each, whose differences are not those of leaving out a tenth; a
    # part that some task halves again.
    groups = groups_of(reference(LIMIT + 100))
    assert {len(part.data.test.x) for part in groups.without} == {LIMIT - LIMIT // GROUPS} and groups.size == LIMIT
    large = reference(600)
    images = np.broadcast_to(np.zeros((64, 64, 3), np.uint8), (600, 64, 64, 3))
    data = large.data._replace(**{name: split._replace(x=images) for name, split in large.data.splits.items()})
    groups = groups_of(Reference(data, None))
    # The smallest part that a task looks at, at a stage, is 256 of these 600.
    assert {len(part.data.test.x) for part in groups.without} == {230, 231} and groups.size == 256


def test_none_where_seeds_have_test_examples_of_their_own_and_of_few():
    # Kills: test examples counted twice, by the splits and by the groups; groups of one example.
    assert groups_of(reference(60, official=())) is None and groups_of(reference(60, ("valid",))) is None
    assert groups_of(reference(19)) is None and len(groups_of(reference(20)).without) == GROUPS


def test_headlines_of_the_tasks_of_a_training_that_all_parts_serve():
    # Kills: the spread of a part taken for that of all; figures without the last group alone; the figures of another
    # training; a figure that is not finite, or of examples that no group holds.

    def measured(model, part, seed, key, stage):
        assert (model, seed, stage) == ("model", 3, "100")
        return Reading({"a": float(part.data), "b": 9.0}, "")

    def task(name, fails=None, training=MAIN, measure=measured, grouped=lambda data: data == "whole"):
        metrics = {"b": Metric(True, False, "", ""), "a": Metric(True, True, "", "")}
        return SYNTHESISE._replace(
            name=name,
            servable=lambda data: "no" if data == fails else None,
            metrics=lambda data: metrics,
            measure=measure,
            training=training,
            grouped=grouped,
            tested=lambda data: 400,
        )

    groups = Groups("whole", tuple(SimpleNamespace(data=i) for i in (1, 2, 3)), 100)
    tasks = (
        task("served"),
        task("not by one", fails=2),
        task("of another", training=REPRESENT.training._replace(name="other")),
        task("of other examples", grouped=lambda data: False),
        task("not finite", measure=lambda *args: Reading({}, "")),
    )
    outcome = empty()
    measure_without(outcome, "model", MAIN, groups, 3, tasks)
    assert outcome.without == {"served": [1.5, 2.0, 2.5]}


def test_which_headlines_are_figures_of_the_test_split_alone():
    # Kills: groups that lack none of the anomalies, for these are of other splits; a class left out that is another one
    # in a part; edits of images that are drawn anew from each part; two classes with a part of their own each.
    whole = reference(60, classes=3).data
    named = whole._replace(anomalies=("2",))
    assert not DETECT.grouped(whole) and not DETECT.grouped(named)
    normal = Split(whole.train.x[:40], whole.train.label[:40] % 2)
    assert DETECT.grouped(named._replace(train=normal, valid=normal))
    assert not DETECT.grouped(named._replace(train=normal)) and not MANIPULATE.grouped(whole)
    assert REPRESENT.grouped(whole) and SYNTHESISE.grouped(whole) and RESTORE.grouped(whole)
    images = np.broadcast_to(np.zeros((64, 64, 3), np.uint8), (300, 64, 64, 3))
    large = whole._replace(kind="image", test=Split(images, np.zeros(300, np.int32)), train=Split(images, None))
    assert TRANSLATE.grouped(large) and not TRANSLATE.grouped(large._replace(domains=("0", "1")))
    few = large._replace(domains=("0", "1"), test=Split(images[:256], np.zeros(256, np.int32)))
    assert TRANSLATE.grouped(few)


def jackknifed(a, fakes, halves):
    """Variance of the difference of two distances, without each of ten groups of real examples."""
    group = np.arange(len(a)) % GROUPS
    values = []
    for i in range(GROUPS):
        kept = group != i
        own = Reference(None, None, halves=None if halves is None else halves[:, kept])
        values.append(np.subtract(*[distance(own, a[kept], fake) for fake in fakes]))
    return jackknife(values).variance


@pytest.mark.slow
@threadpool_limits.wrap(limits=1, user_api="blas")
def test_halves_that_stay_do_not_inflate_the_variance():
    # Kills: halves that each part draws anew, by which the variance is nearly twice the true one; halves of samples
    # that move with the number of test examples. Measured is the difference of two models, nearly equal; the true
    # variance is that over 150 sets of test examples, with a standard error of 12 % (the root of 2 / 149).
    rng, sets, n = np.random.default_rng(5), 150, 200
    fakes = rng.normal(size=(2, n, 6))
    differences, before, after = [], [], []
    for _ in range(sets):
        a = rng.normal(size=(n, 6))
        differences.append(np.subtract(*[unbiased_frechet(a, fake) for fake in fakes]))
        before.append(jackknifed(a, fakes, None))
        after.append(jackknifed(a, fakes, halves_of(n)))
    true = np.var(differences, ddof=1)
    ratios = np.mean(before) / true, np.mean(after) / true
    print("mean estimated variance over the true one, before and after:", *ratios)
    assert ratios[0] > 1.6 and 0.7 < ratios[1] < 1.4


def test_parts_keep_the_halves():
    # Kills: halves that a part draws itself; a figure of all examples whose halves have changed.
    whole = reference(60, classes=3)
    parts = groups_of(whole).without
    halves = halves_of(60, label=whole.data.test.label)
    first = {x: h for x, h in zip(whole.data.test.x[:, 0], halves.T.tolist(), strict=True)}
    for part in parts:
        assert part.halves.T.tolist() == [first[x] for x in part.data.test.x[:, 0]]
    assert whole.halves is None


def test_classes_are_halved():
    # Kills: halves of all examples, of which a small class has nearly none in one, so that no distance is left; the
    # same halves twice; members that are halved in the order of the file.
    label = np.arange(60) % 6 == 0
    for seed in range(100):
        halves = halves_of(60, label=label, seed=seed)
        assert halves.sum(1).tolist() == [30, 30] and (halves[:, label].sum(1) == 5).all()
    drawn = np.array([halves_of(60, label=label, seed=seed)[:, label] for seed in range(400)])
    assert abs(drawn.mean(0) - 0.5).max() < 5 * 0.5 / 20 and 0 < (drawn[:, 0] == drawn[:, 1]).mean() < 1


def test_two_classes_keep_their_halves(monkeypatch):
    # Kills: halves of one class for the other, or drawn anew, in the distance of translations of a part.
    rng = np.random.default_rng(0)
    images = [Split(rng.integers(0, 256, (60, 8, 8, 1), np.uint8), np.arange(60, dtype=np.int32) % 3) for _ in range(3)]
    data = Data("toy", "image", *images, ("a", "b", "c"), None, None, "", (), domains=("a", "c"), official=("test",))
    monkeypatch.setattr(translate, "translated", lambda model, data, x, **_: x / 2)
    space = Features(lambda x: np.asarray(x, np.float64)[:, :3, 0, 0], "three pixels")
    part = groups_of(Reference(data, space)).without[4]
    first, second = (part.data.test.label == place for place in (0, 2))
    x = part.data.test.x / np.float32(255)
    halves = part.halves[:, second], part.halves[:, first]
    wanted = unbiased_frechet(space.embed(x[second]), space.embed(x[first] / 2), halves=halves)
    found = TRANSLATE.measure(None, part, 0, None, "100").figures
    np.testing.assert_allclose(found["frechet"], wanted, rtol=1e-6)
