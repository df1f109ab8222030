"""Represent: the choice of a layer is made on validation data, and every model sees the same labels."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jaxgen.core import Model
from jaxgen.metrics import feature_space
from jaxgen.tasks import evaluation, probe, represent
from jaxgen.training.models import Layers


@pytest.fixture
def space(table):
    return feature_space(table._replace(train=table.train._replace(label=None)))


def model(encode=None, decode=None, **layers):
    return Model(draw=lambda key, n: None, sample=lambda z: None, encode=encode, decode=decode, features=layers)


def test_labelled():
    # Kills: draws that are not nested; one draw for all; one class short of others; examples twice.
    label = np.repeat(np.arange(3), [40, 30, 3])
    draws = {draw: [probe.labelled(label, n, seed=4, draw=draw) for n in (1, 5, 20)] for draw in range(3)}
    for few, some, many in draws.values():
        assert set(few) < set(some) < set(many)
        assert np.bincount(label[many]).tolist() == [20, 20, 3]
        assert len(set(many)) == 43
    assert len({tuple(few) for few, _, _ in draws.values()}) == 3
    np.testing.assert_array_equal(draws[2][1], probe.labelled(label, 5, seed=4, draw=2))
    assert set(draws[0][2]) != set(probe.labelled(label, 20, seed=5, draw=0))


def test_choice(table, space):
    # Kills: the first layer; figures of another layer than the chosen; labels that do not depend on the seed.
    layers = {"useless": lambda x: x[:, 3:], "good": lambda x: x[:, :1]}
    figures, chosen = represent.probe(space, model(**layers), table, 0)
    assert chosen == "good"
    mean = np.mean([figures[f"accuracy_{n}"] for n in (1, 5, 20)])
    assert figures["accuracy"] == figures["accuracy[good]"] == pytest.approx(mean) and mean > 0.8
    assert figures["accuracy[useless]"] < 0.5
    assert "active_latents" not in figures and "path_ratio" not in figures
    again = represent.probe(space, model(**layers), table, 0)
    assert again == (figures, chosen) != represent.probe(space, model(**layers), table, 1)


def test_planted_on_test(table, space):
    # Kills: choice by accuracy on test. The planted layer is perfect there, and shows a shuffled class on valid.
    answer = {row.tobytes(): label for part in (table.train, table.test) for row, label in zip(*part[:2], strict=True)}
    wrong = {row.tobytes(): (label + 1) % 3 for row, label in zip(*table.valid[:2], strict=True)}

    def planted(x):
        return jnp.asarray(np.eye(3, dtype=np.float32)[[(answer | wrong)[np.asarray(row).tobytes()] for row in x]])

    figures, chosen = represent.probe(space, model(planted=planted, good=lambda x: x[:, :1]), table, 0)
    assert figures["accuracy[planted]"] == 1
    assert chosen == "good" and figures["accuracy"] < 1


def test_accuracy(table):
    # Kills: no standardisation; standardisation by the few labelled examples; an average over counts.
    found = represent.baselines(table, 3)["baseline: raw values"]
    x, y = table.train.x.astype(float), table.train.label
    pool, test = ((z - x.mean(0)) / x.std(0) for z in (x, table.test.x))
    for count in (1, 5, 20):
        right = []
        for draw in range(5):
            at = probe.labelled(y, count, seed=3, draw=draw)
            right.append(LogisticRegression(max_iter=1000).fit(pool[at], y[at]).score(test, table.test.label))
        np.testing.assert_allclose(found[f"accuracy_{count}"], np.mean(right), atol=0.003)


def test_accuracy_is_balanced():
    # Kills: the share of all examples, by which a class of 95 in 100 makes every guess of it look right.
    predicted, label = np.array([0, 0, 0, 1, 1, 0]), np.array([0, 0, 0, 0, 3, 3])
    assert probe.balanced(predicted, label) == np.mean([3 / 4, 0])
    assert probe.balanced(label, label) == 1


def test_a_stage_reads_the_headline_alike(table, space):
    # Kills: another figure under the headline's name at a stage; the time of five draws there.
    every, one = (represent.probe(space, model(good=lambda x: x[:, :1]), table, 0, draws=n).figures for n in (5, 1))
    assert "neighbour_accuracy" in every and "neighbour_accuracy" not in one
    assert one["accuracy"] == pytest.approx(np.mean([one[f"accuracy_{n}"] for n in (1, 5, 20)]))
    x, y = table.train.x.astype(float), table.train.label
    nearest = y[np.abs(x[:, :1] - table.test.x[:, 0].astype(float)).argmin(0)]
    assert every["neighbour_accuracy"] == pytest.approx(probe.balanced(nearest, table.test.label), abs=0.01)


def test_latent(table, space):
    # Kills: active units of the decoder; a decoder fed examples; constant or broken layers that raise or are chosen.
    figures, chosen = represent.probe(
        space,
        model(
            encode=lambda x: x.at[:, 5].set(2.0),
            decode=lambda z: 3 * z,
            constant=lambda x: 0 * x,
            broken=lambda x: jnp.log(x),
        ),
        table,
        0,
    )
    assert chosen == "latent" and figures["active_latents"] == 5
    np.testing.assert_allclose(figures["path_ratio"], 1, rtol=1e-5)
    assert "accuracy[broken]" not in figures and figures["accuracy[constant]"] < 0.4
    bent = represent.probe(space, model(encode=lambda x: x, decode=lambda z: z**2), table, 0)
    assert bent.figures["path_ratio"] > 1.05
    collapsed = represent.probe(space, model(encode=lambda x: x, decode=lambda z: 0 * z), table, 0)
    assert "path_ratio" not in collapsed.figures
    assert represent.probe(space, model(), table, 0) == ({}, "")


def test_layers_of_a_compiled_model_are_read_at_once(table, space):
    # Kills: a network that runs once for each of its layers; a layer under the name of another; a code that is left
    # out, or is a layer of a model that has none.
    layers, runs = {"first": lambda x: x[:, :3], "all": lambda x: x}, []

    def with_code(x):
        runs.append(x)
        return 2 * x, {name: layer(x) for name, layer in layers.items()}

    plain = represent.probe(space, model(encode=lambda x: 2 * x, **layers), table, 0)
    read = represent.probe(space, Model(encode=lambda x: 2 * x, features=Layers(layers, with_code)), table, 0)
    assert read == plain and "accuracy[latent]" in read.figures and len(runs) == 1
    bare = represent.probe(space, Model(features=Layers(layers, lambda x: (None, with_code(x)[1]))), table, 0)
    assert {name for name in bare.figures if "[" in name} == {"accuracy[first]", "accuracy[all]"}


def test_baselines(table, monkeypatch):
    # Kills: a random network, or labels, that are the same for all seeds, or differ for one.
    first, again, other = (represent.baselines(table, seed) for seed in (0, 0, 1))
    assert first == again and set(first) == {
        f"baseline: {name}" for name in ("raw values", "PCA", "random network", "majority class")
    }
    assert set(first.pop("baseline: majority class").values()) == {1 / 3}
    assert all(0.5 < figures["accuracy"] < 1 for figures in first.values())
    assert first["baseline: raw values"] != other["baseline: raw values"]
    fixed = probe.labelled
    monkeypatch.setattr(probe, "labelled", lambda label, count, *, seed, draw: fixed(label, count, seed=0, draw=draw))
    other = represent.baselines(table, 1)
    assert first["baseline: raw values"] == other["baseline: raw values"]
    assert first["baseline: random network"] != other["baseline: random network"]


def test_every_class_is_in_the_pool_alike(table, monkeypatch):
    # Kills: a pool cut at random, by which a figure of 20 labels a class is one of fewer.
    monkeypatch.setattr(evaluation, "LIMIT", 30)
    (pool, _, _) = represent._splits(table)
    assert set(np.bincount(pool.label)) == {20}  # 30 // 3 is fewer than the labels that are asked for
    monkeypatch.setattr(evaluation, "LIMIT", 75)
    assert set(np.bincount(represent._splits(table)[0].label)) == {25} and pool.x.dtype == np.float32


def test_notes(table):
    # Kills: silence about a class of which fewer labels were used than the figure says.
    assert represent.notes(table) == ()
    label = np.where(np.arange(180) < 12, 0, 1 + np.arange(180) % 2).astype(np.int32)
    small = table._replace(train=table.train._replace(label=label))
    assert represent.notes(small) == ("Classes with fewer than 20 training examples, all used: a (12).",)


def test_many_columns_are_probed_in_the_span_of_the_known_rows(monkeypatch):
    # Kills: a basis of other rows than are known; coordinates that are not standardised; neighbours in the span alone.
    rng = np.random.default_rng(0)
    ways = rng.normal(size=(3, 600))
    labels = tuple(np.repeat(np.arange(3), n).astype(np.int32) for n in (30, 20, 40))
    read = [(0.2 * ways[label] + rng.normal(size=(len(label), 600)) + 3).astype(np.float32) for label in labels]
    plain = probe.accuracies(read, labels, 0)
    monkeypatch.setattr(probe, "DIRECT", 100)
    assert probe._spanned(read, *probe._standard(read[0]), np.arange(9))[2].shape == (120, 9)
    monkeypatch.setattr(probe, "BLOCK", 600 * 7)  # 120 rows are no multiple of 7
    spanned = probe.accuracies(read, labels, 0)
    assert 0.4 < plain[1]["accuracy_1"] < plain[1]["accuracy_20"] < 1
    for ours, theirs in zip(spanned, plain, strict=True):
        assert ours == pytest.approx(theirs, abs=0.02)  # the solver stops near the optimum: a row or two may differ
    assert spanned[1]["neighbour_accuracy"] == plain[1]["neighbour_accuracy"]


def test_a_stage_of_large_examples_reads_a_part(space, table, monkeypatch):
    # Kills: all examples encoded at each stage; a part of them at the end, or of the labels.
    size = table.test.x[0].size
    monkeypatch.setattr(evaluation, "LOOKED", 16 * size)
    monkeypatch.setattr(evaluation, "FEWEST", 2)
    pool = len(represent._splits(table)[0].x)
    for draws, each in ((represent.DRAWS, 16), (1, 4)):
        seen = []

        def layer(x, seen=seen):
            seen.append(np.asarray(x))
            return x

        represent.probe(space, model(layer=layer), table, 0, draws=draws)
        assert len(np.unique(np.concatenate(seen), axis=0)) == pool + 2 * each
