"""Synthesise: a copy, real data and noise get the figures they deserve."""

import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.metrics import feature_space
from jaxgen.tasks import synthesise


@pytest.fixture(scope="module")
def ring():
    data = load("ring8")
    small = data._replace(
        train=data.train._replace(x=data.train.x[:4000], label=data.train.label[:4000]),
        test=data.test._replace(x=data.test.x[:800], label=data.test.label[:800]),
    )
    return small, feature_space(small)


def test_real_data_reach_the_ceiling(table):
    # Kills: the ceiling of train against train; sizes that differ from those of samples.
    space = feature_space(table._replace(train=table.train._replace(label=None)))
    top = synthesise.ceiling(space, table)
    fresh = synthesise.measure(space, table, table.valid.x)
    assert set(top) == set(fresh) == set(synthesise.metrics(table))
    assert top["memorisation"] == 1
    for name in ("precision", "recall", "coverage"):
        assert abs(top[name] - fresh[name]) < 0.25
    assert 0 < top["frechet"] < 3  # not the distance of a set to itself
    noise = synthesise.measure(space, table, 9 + table.valid.x)
    assert noise["precision"] == noise["coverage"] == 0 and noise["frechet"] > 100


def test_a_ceiling_is_a_mean_over_parts(table, monkeypatch):
    # Kills: one part for all, by which a small split's ceiling is half of it or twice; the last part for the mean.
    space = feature_space(table._replace(train=table.train._replace(label=None)))
    alone, compare = [], synthesise._compare

    def watched(*args):
        alone.append(compare(*args))
        return alone[-1]

    monkeypatch.setattr(synthesise, "_compare", watched)
    top = synthesise.ceiling(space, table)
    assert len(alone) == 20 and len({part["frechet"] for part in alone}) == 20
    assert top["frechet"] == pytest.approx(np.mean([part["frechet"] for part in alone]))
    monkeypatch.setattr(synthesise, "EXAMPLES", 3 * len(table.test.x))
    alone.clear()
    synthesise.ceiling(space, table)
    assert len(alone) == 3


def test_the_headline_alone_is_that_of_all_figures(ring, table):
    # Kills: a stage that is read by another metric, or in another feature space, than the end.
    space = feature_space(table._replace(train=table.train._replace(label=None)))
    for features, data, x in [(space, table, table.valid.x), (ring[1], ring[0], ring[0].valid.x[:500])]:
        (name,) = (name for name, metric in synthesise.metrics(data).items() if metric.headline)
        assert synthesise.headline(features, data, x) == {name: synthesise.measure(features, data, x)[name]}
        assert synthesise.headline(features, data, x * np.nan) == {}


def test_memorisation(table):
    # Kills: distance to the test set; a mean in place of a median (one outlier here); the ratio upside down.
    space = feature_space(table._replace(train=table.train._replace(label=None)))
    copies = np.concatenate([table.train.x[:89], 1e6 + table.train.x[:1]])
    assert synthesise.measure(space, table, copies)["memorisation"] == 0
    assert synthesise.measure(space, table, table.test.x)["memorisation"] == 1
    assert synthesise.measure(space, table, 3 * table.test.x)["memorisation"] > 2


def test_memorisation_undefined(table):
    # Kills: a division by zero where test examples are copies of training ones.
    space = feature_space(table._replace(train=table.train._replace(label=None)))
    same = table._replace(test=table.train)
    assert "memorisation" not in synthesise.measure(space, same, table.valid.x)


def test_modes(ring):
    # Kills: figures of modes from features in place of coordinates; a headline that noise, or one mode alone, passes.
    data, space = ring
    rng = np.random.default_rng(0)
    assert synthesise.sample_count(data) == 2500
    samples = data.modes.means[rng.integers(6, size=2500)] + data.modes.std * rng.normal(size=(2500, 2))
    found = synthesise.measure(space, data, samples.astype(np.float32))
    assert found["modes"] == 6
    assert abs(found["high_quality_percent"] - 98.89) < 5 * 100 * np.sqrt(0.0111 / 2500)
    np.testing.assert_allclose(found["reverse_kl"], np.log(8 / 6), atol=0.01)
    top = synthesise.ceiling(space, data)
    noise = synthesise.measure(space, data, rng.uniform(-1.2, 1.2, size=(2500, 2)).astype(np.float32))
    one = data.modes.means[np.zeros(2500, int)] + data.modes.std * rng.normal(size=(2500, 2))
    one = synthesise.measure(space, data, one.astype(np.float32))
    (name,) = (name for name, metric in synthesise.metrics(data).items() if metric.headline)
    # One of eight modes holds an eighth of the data: nothing that misses seven may come near the ceiling.
    assert max(noise[name], one[name]) < 0.25 * top[name]


def test_no_figures_of_a_diverged_model(table):
    # Kills: NaN among the figures, which no JSON holds.
    space = feature_space(table._replace(train=table.train._replace(label=None)))
    assert synthesise.measure(space, table, np.where(table.valid.x > 3, np.nan, table.valid.x)) == {}


def test_servable(table):
    # Kills: k neighbours among k points.
    assert synthesise.servable(table) is None
    few = table._replace(test=table.test._replace(x=table.test.x[:5]))
    assert "5 examples" in synthesise.servable(few)
