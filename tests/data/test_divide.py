import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.data import Data, Split, load, subset, with_anomalies
from jaxgen.data.data import Examples
from jaxgen.data.divide import assemble, digest, divide
from jaxgen.data.redivide import redivide


def examples(x, label=None, classes=()):
    return Examples(len(x), x.__getitem__, label, classes)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_splits_are_disjoint_complete_and_stratified(seed):
    # Kills: overlapping slices, a dropped remainder, proportions of the whole instead of each class.
    label = np.random.default_rng(seed).choice(5, 997, p=[0.6, 0.3, 0.07, 0.02, 0.01]).astype(np.int32)
    parts = divide(997, label, seed=seed)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(997))
    for c, n in enumerate(np.bincount(label)):
        for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
            assert abs((label[part] == c).sum() - share * n) <= 1


def test_each_prefix_of_a_split_is_mixed():
    # Kills: splits that stand in the order of their classes or of the file.
    label = np.repeat(np.arange(2, dtype=np.int32), 500)
    for part in divide(1000, label, seed=0):
        half = label[part[: len(part) // 2]]
        assert abs(half.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(half))


def test_small_classes():
    # Kills: an empty valid split, a class of two torn apart.
    label = np.array([0] * 30 + [1] * 3 + [2] * 2 + [3], np.int32)
    data = assemble("t", "table", examples(np.arange(36.0)[:, None], label, ("a", "b", "c", "d")), seed=0)
    counts = [np.bincount(s.label, minlength=4).tolist() for s in (data.train, data.valid, data.test)]
    assert counts == [[21, 1, 2, 1], [3, 1, 0, 0], [6, 1, 0, 0]]
    assert data.notes == ("'c', 'd': fewer than 3 examples, so in train only.",)


def test_labels_that_hold_nothing_out_are_refused():
    # Kills: empty valid and test splits where every label is its own.
    with pytest.raises(BadRequest, match="identifiers"):
        divide(40, np.arange(40, dtype=np.int32) // 2, seed=0)
    assert [len(p) for p in divide(20, None, seed=0)] == [14, 2, 4]
    with pytest.raises(BadRequest, match="19 examples: at least 20"):
        divide(19, None, seed=0)


def test_official_splits_are_kept_and_what_is_missing_is_held_out_of_train():
    # Kills: a test example trained on; 10 % of all in place of an eighth of train; two ninths; splits left unshuffled.
    label = (np.arange(400) % 2).astype(np.int32)

    def parts(*sizes):
        return divide(400, label, seed=0, official=np.repeat(np.arange(3, dtype=np.int8), sizes))

    for sizes, counts in (
        ((240, 0, 160), (210, 30, 160)),
        ((240, 160, 0), (186, 160, 54)),
        ((300, 40, 60), (300, 40, 60)),
    ):
        found = parts(*sizes)
        assert tuple(map(len, found)) == counts
        assert np.array_equal(np.sort(np.concatenate(found)), np.arange(400))
        ends = np.cumsum(sizes)
        for i in (1, 2):
            if sizes[i]:
                assert np.array_equal(np.sort(found[i]), np.arange(ends[i - 1], ends[i]))
                assert not np.array_equal(found[i], np.sort(found[i]))
            else:
                assert (label[found[i]] == 0).sum() * 2 == counts[i]
    same = divide(400, label, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(parts(400, 0, 0), same, strict=True))
    with pytest.raises(BadRequest, match="19 examples in its train split"):
        parts(19, 0, 381)
    with pytest.raises(BadRequest, match="identifiers"):
        divide(40, np.arange(40, dtype=np.int32), seed=0, official=np.repeat(np.array([0, 2], np.int8), 20))


def test_rows_keep_their_labels_and_are_read_once_in_final_order():
    # Kills: labels in the order of the file beside shuffled rows; a source read twice.
    asked = []

    def read(order):
        asked.append(order)
        return order.astype(np.float64)[:, None]

    label = (np.arange(50) % 3).astype(np.int32)
    data = assemble("t", "table", Examples(50, read, label, ("a", "b", "c")), seed=0)
    mean, std = data.scale
    assert len(asked) == 1
    for split in (data.train, data.valid, data.test):
        rows = np.rint(split.x[:, 0] * std[0] + mean[0]).astype(int)
        assert np.array_equal(rows % 3, split.label)


def test_constant_columns_become_zero_without_nan():
    # Kills: 0 / 0; a mean of 0.1s that is not 0.1 divided by a std of 1e-17.
    x = np.random.default_rng(0).normal(5, 2, (101, 3))
    x[:, 1] = 0.1
    data = assemble("t", "table", examples(x), seed=0)
    for split in (data.train, data.valid, data.test):
        assert np.all(split.x[:, 1] == 0) and np.all(np.isfinite(split.x))
    assert "constant in train" in data.notes[0] and data.notes[0].endswith(": 1.")
    mean, std = data.scale
    assert mean[1] == 0.1 and std[1] == 1


@pytest.mark.parametrize("unit", [1e-300, 1e-180, 1.0, 1e17])
def test_a_unit_changes_nothing(unit):
    # Kills: squares of small numbers that are 0, and a division by that; a scale that does not lead back.
    x = np.random.default_rng(0).uniform(size=(60, 2)) ** 4
    data = assemble("t", "table", examples(x * [unit, 1.0]), seed=0)
    np.testing.assert_allclose(data.train.x, assemble("t", "table", examples(x), seed=0).train.x, rtol=1e-6)
    mean, std = data.scale
    back = np.concatenate([split.x * std + mean for split in (data.train, data.valid, data.test)])
    np.testing.assert_allclose(np.sort(back[:, 0]) / unit, np.sort(x[:, 0]), rtol=1e-5, atol=1e-6)


def test_scaling_changes_no_bit():
    # Kills: a unit that is no power of two, so that earlier runs find other data.
    x = np.random.default_rng(0).lognormal(size=(60, 3)) * [1e-5, 1, 1e5]
    train, valid, test = divide(60, None, seed=0)
    data = assemble("t", "table", examples(x), seed=0)
    mean, std = x[train].mean(0), x[train].std(0)
    for split, part in ((data.train, train), (data.valid, valid), (data.test, test)):
        np.testing.assert_array_equal(split.x, ((x[part] - mean) / std).astype(np.float32))


@pytest.mark.parametrize("small, far", [(1e-300, 1.0), (1e-320, 0.0), (1e-20, 1.0)])
def test_columns_that_cannot_be_standardised_are_refused(small, far):
    # Kills: infinity in a held-out example; a standard deviation that is 0 in the user's unit.
    x = np.random.default_rng(0).uniform(1, 2, (60, 3))
    x[:, 2] *= small
    x[divide(60, None, seed=0)[2][0], 2] += far
    with pytest.raises(BadRequest, match="column 2"):
        assemble("t", "table", examples(x), seed=0)


def test_a_tiny_constant_column():
    # Kills: its unit, 1, in units that float64 does not reach.
    x = np.random.default_rng(0).uniform(size=(60, 2))
    x[:, 1] = 1e-310
    data = assemble("t", "table", examples(x), seed=0)
    assert np.all(data.train.x[:, 1] == 0) and data.scale[0][1] == 1e-310 and data.scale[1][1] == 1


def test_columns_beyond_float32_are_refused():
    # Kills: a std that overflows to infinity and standardises everything to 0.
    x = np.ones((30, 2))
    x[3, 1] = -1e200
    with pytest.raises(BadRequest, match="column 1"):
        assemble("t", "table", examples(x), seed=0)


def test_duplicates_across_splits_are_counted_and_kept():
    # Kills: duplicates within a split counted, removal, one direction missing.
    x = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
    train, valid, test = divide(40, None, seed=0)
    x[test[:3]] = x[train[0]]
    x[test[3]] = x[valid[1]]
    x[train[5]] = x[train[6]]
    data = assemble("t", "image", examples(x), seed=0)
    assert data.notes == (
        "3 of 8 test examples also stand in train.",
        "1 of 8 test examples also stand in valid.",
    )
    assert [len(s.x) for s in (data.train, data.valid, data.test)] == [28, 4, 8]


def test_dim_images_are_said():
    # Kills: digits of 0..16 that train as black images without a word.
    x = np.random.default_rng(0).integers(0, 17, (40, 4, 4, 1), dtype=np.uint8)
    assert "brightest pixel is 16" in assemble("t", "image", examples(x), seed=0).notes[0]
    x[0] = 128
    assert assemble("t", "image", examples(x), seed=0).notes == ()


def test_digest_changes_with_anything():
    # Kills: a digest of one split, of x without labels, of bytes without shape or dtype, or without split borders.
    def make(n=4, shape=(2, 2, 1)):
        return [Split(np.zeros((n, *shape), np.uint8), np.zeros(n, np.int32)) for _ in range(3)]

    seen = {digest(tuple(make()))}
    assert len(seen) == 1 and digest(tuple(make())) in seen

    def changed(split, **new):
        splits = make()
        splits[split] = splits[split]._replace(**new)
        return digest(tuple(splits))

    for i in range(3):
        for spot in ((0, 0, 0, 0), (3, 1, 1, 0)):
            x = make()[i].x
            x[spot] = 1
            seen.add(changed(i, x=x))
        for at in (0, 3):
            label = make()[i].label
            label[at] = 1
            seen.add(changed(i, label=label))
        seen.add(changed(i, label=None))
        seen.add(changed(i, x=np.zeros((4, 1, 4, 1), np.uint8)))
        seen.add(changed(i, x=np.zeros((4, 2, 2, 1), np.int8)))
        seen.add(changed(i, label=np.zeros(4, np.uint32)))
    moved = [Split(np.zeros((n, 2, 2, 1), np.uint8), np.zeros(n, np.int32)) for n in (5, 3, 4)]
    seen.add(digest(tuple(moved)))
    swapped = make()
    swapped[0].x[:] = 7
    seen.add(digest(tuple(swapped)))
    seen.add(digest((swapped[1], swapped[0], swapped[2])))
    assert len(seen) == 1 + 3 * 8 + 3


def test_subset_takes_positions_and_masks():
    # Kills: labels left as they were.
    split = Split(np.arange(5, dtype=np.float32)[:, None], np.arange(5, dtype=np.int32))
    for keep in (np.array([1, 3]), split.label % 2 == 1):
        got = subset(split, keep)
        assert got.x[:, 0].tolist() == [1, 3] and got.label.tolist() == [1, 3]
    assert subset(split._replace(label=None), np.array([2])).label is None


def official(train, test, names="abc"):
    """Rows with these labels in the source's own train and test split."""
    label = np.array([*train, *test], np.int32)
    part = np.repeat(np.array([0, 2], np.int8), [len(train), len(test)])
    x = np.arange(float(len(label)))[:, None]
    return assemble("t", "table", examples(x, label, tuple(names))._replace(official=part), seed=0)


def test_classes_that_a_train_split_of_one_class_lacks_are_anomalies():
    # Kills: anomalies where train holds several classes, or all that test has; splits of our own taken for the
    # source's; the class of train among them; a class of two test examples said to be in train.
    data = official([1] * 40, [0, 0, 1, 1, 1, 1, 2, 2, 2])
    assert data.anomalies == ("a", "c")
    assert data.notes == ("test: the source's own.", "anomalies: 'a', 'c', for train holds 'b' alone.")
    several = official([0, 1] * 20, [0, 1, 2] * 3)
    assert several.anomalies == () and "in test but never in train: 'c'." in several.notes
    assert official([0] * 40, [0] * 9, "a").anomalies == ()
    alone = np.repeat(np.arange(2, dtype=np.int32), [40, 2])
    assert assemble("t", "table", examples(np.arange(42.0)[:, None], alone, ("a", "b")), seed=0).anomalies == ()


def test_anomalies_are_named():
    # Kills: a name that is no class let through; no class left that is normal; names of data without labels; one named
    # twice; the names of the source kept beside the caller's.
    data = official([1] * 40, [0, 0, 1, 1, 1, 1, 2, 2, 2])
    assert with_anomalies(data, ("c", "c")) == data._replace(anomalies=("c",))
    for names, says in (
        (("d",), "no class 'd' to be the anomaly: its classes are a, b, c."),
        (("a", "b", "c"), "some are anomalies and some are not"),
        ((), "some are anomalies"),
    ):
        with pytest.raises(BadRequest, match=says):
            with_anomalies(data, names)
    with pytest.raises(BadRequest, match="t has no labels, and so no class a to be the anomaly"):
        with_anomalies(assemble("t", "table", examples(np.arange(40.0)[:, None]), seed=0), ("a",))
    many = data._replace(classes=tuple(map(str, range(25))))
    with pytest.raises(BadRequest, match="18, 19 and 5 more"):
        with_anomalies(many, ("d",))


@pytest.mark.parametrize("source", ["ring8", "own splits"])
def test_splits_of_another_seed_are_of_the_same_sizes(source):
    # Kills: splits of 70, 10 and 20 % in place of those that were handed in, for which programs are compiled; classes
    # in other proportions; an official split that moves; the same split again; an example in two splits.
    if source == "ring8":
        data = load("ring8")
    else:
        rng, label = np.random.default_rng(0), np.arange(200) % 3
        x = rng.integers(0, 256, (200, 8, 8, 1), dtype=np.uint8)
        at = np.split(rng.permutation(200), [170, 180])
        parts = [Split(x[part], label[part].astype(np.int32)) for part in at]
        data = Data("mine", "image", *parts, ("a", "b", "c"), None, None, "", (), (), ("test",))
    other = redivide(data, 1)
    assert [len(split.x) for split in other.splits.values()] == [len(split.x) for split in data.splits.values()]
    whole, again = (
        np.concatenate([split.x.reshape(len(split.x), -1) for split in d.splits.values()]) for d in (data, other)
    )
    np.testing.assert_array_equal(np.unique(whole, axis=0), np.unique(again, axis=0))
    assert np.mean(other.train.x == data.train.x) < 0.9
    if source == "own splits":
        for split, redrawn in zip(data.splits.values(), other.splits.values(), strict=True):
            np.testing.assert_array_equal(np.bincount(split.label), np.bincount(redrawn.label))
        assert sorted(map(bytes, other.test.x)) == sorted(map(bytes, data.test.x))
        assert sorted(map(bytes, other.valid.x)) != sorted(map(bytes, data.valid.x))
