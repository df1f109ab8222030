"""Who finds anomalies: the verdict on made-up figures, and the protocol of the published ones on made-up tables."""

import math

import numpy as np
import pytest

from experiments import anomaly_detection
from experiments.anomaly_detection import difference, main, row, tables, verdict
from jaxgen.core import BadRequest
from jaxgen.data import load


def made_up(data, seconds, seeds):
    """What `measure` gives, without training anything."""
    means = {"vae": 0.8, "r3gan": 0.7, "nearest neighbours": 0.75, "distance from the mean": 0.6}
    return {name: {seed: mean + 0.01 * seed for seed in range(seeds)} for name, mean in means.items()}


def scores(**means):
    spread = (0.0, 0.01, -0.01, 0.005)
    wobble = {"vae": 1.0, "r3gan": 0.5}
    return {name: {i: m + wobble.get(name, 0.1) * s for i, s in enumerate(spread)} for name, m in means.items()}


@pytest.mark.parametrize(
    ("means", "ahead"),
    [
        ({"vae": 0.9, "r3gan": 0.8, "PCA": 0.85}, "vae"),
        ({"vae": 0.7, "r3gan": 0.8, "PCA": 0.6}, "r3gan"),
        ({"vae": 0.8, "r3gan": 0.801, "PCA": 0.6}, "open"),
        ({"vae": 0.9, "r3gan": 0.8, "PCA": 0.95}, "PCA"),
        ({"vae": 0.9, "r3gan": 0.8, "PCA": 0.901}, "vae"),  # no baseline is ahead of it by the interval
        ({"vae": math.nan, "r3gan": 0.8, "PCA": 0.6}, "open"),
    ],
)
def test_who_is_ahead(means, ahead):
    # Kills: signs of the difference; a baseline that beats one of the two; one that is ahead by chance; a training
    # that diverged counted as a figure.
    own = row(scores(**means))
    assert own["ahead"] == ahead and own["PCA"] == pytest.approx(means["PCA"], abs=1e-3)


def test_difference_is_students():
    # Kills: an interval of unpaired seeds, or of another level; a seed that only one of them has.
    from scipy.stats import ttest_rel

    a, b = {0: 0.5, 1: 0.7, 2: 0.9, 3: math.nan}, {0: 0.4, 1: 0.65, 2: 0.7, 3: 0.9}
    low, high = ttest_rel([0.5, 0.7, 0.9], [0.4, 0.65, 0.7]).confidence_interval(0.95)
    np.testing.assert_allclose(difference(a, b), [0.35 / 3, low, high], rtol=1e-12)
    assert difference({0: 1.0}, {0: 0.0})[1:] == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("ahead", "word"),
    [(("vae", "vae"), "supported"), (("vae", "PCA"), "depends"), (("open", "r3gan"), "not supported")],
)
def test_verdict(ahead, word):
    # Kills: a set that is open counted for either; a baseline's set that is not named.
    found = verdict({f"set {i}": {"ahead": one} for i, one in enumerate(ahead)})
    assert found.word == word
    assert ("A baseline, PCA, is ahead of both on set 1." in found.because) == ("PCA" in ahead)


@pytest.fixture
def folder(tmp_path):
    x = np.arange(100.0)[:, None] * [1.0, -2.0] + [[5.0, 0.0]]
    x[[7, 60]] = [300.0, 0.0]
    y = np.zeros(100, int)
    y[[7, 60]] = 1
    np.savez(tmp_path / "thyroid.npz", X=x, y=y)
    return tmp_path


def test_the_protocol_of_the_published_figures(folder):
    # Kills: random rows in place of the first; mean or deviation of all rows; an anomaly that is trained on, or not
    # tested; a random half that is the first.
    (data,) = tables.load(str(folder)).values()
    normal = np.delete(np.arange(100.0), [7, 60])
    assert len(data.train.x) == 49 and len(data.test.x) == 51 and data.test.label.tolist() == [0] * 49 + [1] * 2
    expected = (normal - normal[:49].mean()) / normal[:49].std()
    np.testing.assert_allclose(data.train.x[:, 0], expected[:49], rtol=1e-5)
    np.testing.assert_allclose(data.test.x[:49, 0], expected[49:], rtol=1e-5)
    other = tables.split(folder / "thyroid.npz", np.random.default_rng(0))
    assert len(other.train.x) == 49 and not np.allclose(np.sort(other.train.x[:, 0]), data.train.x[:, 0])
    assert data.anomalies == ("anomaly",) and tables.shuffled(str(folder), "thyroid", 2) == 100
    with pytest.raises(BadRequest, match="holds none of thyroid.npz"):
        tables.load(str(folder / "nowhere"))


def test_tables_are_added(folder, monkeypatch):
    # Kills: a folder that is named and not read; published figures of another table.
    monkeypatch.setattr(anomaly_detection, "measure", made_up)
    (claim,) = main(anomaly_detection.Config(digits=2, seeds=2, tables=str(folder))).claims
    assert list(claim.figures["sets"]) == ["digits", "cancer", "thyroid"]
    beside = claim.figures["published"]["thyroid"]
    assert beside["kNN_published"] == 98.68 and beside["kNN"] == pytest.approx(75.5) and beside["vae"] > 80
    assert "leak" in claim.limits and claim.verdict.word == "supported"
    assert claim.figures["digits"]["digit 1"]["vae"] == pytest.approx(0.81)


@pytest.mark.slow
def test_real_models_are_measured():
    # Kills: a training of all classes; baselines of another seed or set.
    found = anomaly_detection.measure(load("cancer"), 0.05, 2)
    assert list(found)[:2] == ["vae", "r3gan"] and len(found) == 6
    assert all(0 <= value <= 1 for by_seed in found.values() for value in by_seed.values())
    assert found["distance from the mean"][0] == found["distance from the mean"][1] > 0.8
