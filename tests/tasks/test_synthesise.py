"""Synthesise: a copy, real data and noise get the figures they deserve."""

import numpy as np
import pytest

from jaxgen.data import Split, load
from jaxgen.metrics import feature_space, frechet, nearest_ratio
from jaxgen.metrics.features import held_out
from jaxgen.tasks import BASELINE, Reference, synthesise


@pytest.fixture(scope="module")
def ring():
    data = load("ring8")
    small = data._replace(
        train=data.train._replace(x=data.train.x[:4000], label=data.train.label[:4000]),
        test=data.test._replace(x=data.test.x[:800], label=data.test.label[:800]),
    )
    return Reference(small, feature_space(small))


@pytest.fixture
def bare(table):
    """The table without labels: its features are its principal components."""
    table = table._replace(train=table.train._replace(label=None))
    return Reference(table, feature_space(table))


def headline_of(reference):
    return next(name for name, metric in synthesise.metrics(reference.data).items() if metric.headline)


def test_real_data_reach_the_ceiling(bare):
    # Kills: the ceiling of train against train; sizes that differ from those of samples; a biased distance.
    top = synthesise.ceiling(bare)
    fresh = synthesise.measure(bare, bare.data.valid.x)
    assert set(top) == set(fresh) == set(synthesise.metrics(bare.data))
    assert top["near_copies"] < 0.2
    for name in ("precision", "recall", "coverage"):
        assert abs(top[name] - fresh[name]) < 0.25
    biased = frechet(bare.test, bare.features.embed(bare.data.valid.x))
    assert abs(top["frechet"]) < biased / 2 and abs(fresh["frechet"]) < biased
    assert abs(top["two_sample"] - 0.5) < 0.15
    noise = synthesise.measure(bare, 9 + bare.data.valid.x)
    assert noise["precision"] == noise["coverage"] == 0 and noise["frechet"] > 100 and noise["two_sample"] == 1


@pytest.mark.parametrize("n, lacking", [(4, "precision recall density coverage"), (1, "all but near_copies"), (6, "")])
def test_few_examples_have_the_figures_that_they_can_have(bare, n, lacking):
    # Kills: all figures refused for the neighbours of some; a limit that is off by one; a line that leaves one out; a
    # ceiling that fails where there are fewer real examples than a figure needs.
    few = Split(bare.data.test.x[:n], None)
    data = bare.data._replace(test=few, valid=few, train=bare.data.train._replace(x=bare.data.train.x[:14]))
    reference = Reference(data, bare.features)
    measured = synthesise.measure(reference, bare.data.valid.x[:n])
    names = set(synthesise.metrics(data))
    absent = names - {"near_copies"} if n == 1 else set(lacking.split())
    assert set(measured) == names - absent and np.isfinite(list(measured.values())).all()
    assert {"near_copies"} <= set(synthesise.ceiling(reference)) <= set(measured)
    said = synthesise.unmeasured(data)
    assert all(any(name in line for line in said) == (name in absent) for name in names)
    if n == 4:
        assert said == [
            "not measured: precision, recall, density, coverage, for they need 6 test examples and there are 4."
        ]


def test_the_ceiling_is_of_examples_that_nothing_was_fitted_on(bare):
    # Kills: examples of test, or of that part of train which the feature space knows.
    data = bare.data
    expected = np.concatenate([data.valid.x, data.train.x[held_out(180)]])
    np.testing.assert_array_equal(synthesise.unseen(data), expected)
    assert len(expected) == 60 + 36


def test_a_ceiling_is_a_mean_over_parts(bare, monkeypatch):
    # Kills: one part for all, by which a small split's ceiling is half of it or twice; the last part for the mean.
    alone, compare = [], synthesise._compare

    def watched(*args):
        alone.append(compare(*args))
        return alone[-1]

    monkeypatch.setattr(synthesise, "_compare", watched)
    monkeypatch.setattr(synthesise, "sample_count", lambda data: 50)
    top = synthesise.ceiling(bare)
    assert len(alone) == 20 and len({part["frechet"] for part in alone}) == 20
    assert top["frechet"] == pytest.approx(np.mean([part["frechet"] for part in alone]))
    monkeypatch.setattr(synthesise, "EXAMPLES", 3 * 50)
    alone.clear()
    synthesise.ceiling(bare)
    assert len(alone) == 3
    alone.clear()
    monkeypatch.setattr(synthesise, "sample_count", lambda data: 5000)
    synthesise.ceiling(bare)
    assert len(alone) == 1  # there is but one part that holds all


def test_the_headline_alone_is_that_of_all_figures(ring, bare):
    # Kills: a stage that is read by another metric, or in another feature space, than the end.
    for reference, x in [(bare, bare.data.valid.x), (ring, ring.data.valid.x[:500])]:
        name = headline_of(reference)
        assert synthesise.headline(reference, x) == {name: synthesise.measure(reference, x)[name]}
        assert synthesise.headline(reference, x * np.nan) == {}


def test_near_copies(bare):
    # Kills: a distance to the test set; ratios of samples to samples; new examples that count as copies.
    rng, data = np.random.default_rng(0), bare.data
    copies = data.train.x[:80] + 1e-3 * rng.normal(size=(80, 6)).astype(np.float32)
    assert synthesise.measure(bare, copies)["near_copies"] == 1
    assert synthesise.measure(bare, data.test.x)["near_copies"] <= 0.06  # the 5th percentile itself
    mixed = np.concatenate([copies[:40], data.valid.x[:40]])
    ratio = nearest_ratio(data.valid.x[:40], data.train.x)  # the components are the table itself, turned
    usual = np.quantile(nearest_ratio(data.test.x, data.train.x), 0.05)
    expected = 0.5 + np.mean(ratio < usual) / 2
    assert synthesise.measure(bare, mixed)["near_copies"] == pytest.approx(expected)


def test_what_the_data_alone_decide_is_computed_once(bare, monkeypatch):
    # Kills: features of test, or of all training examples, computed again for each model and seed.
    seen, embed = [], bare.features.embed
    watched = Reference(bare.data, bare.features._replace(embed=lambda x: seen.append(len(x)) or embed(x)))
    for _ in range(3):
        synthesise.measure(watched, bare.data.valid.x)
    assert sorted(seen) == [60, 60, 60, 90, 180]


def test_baselines(bare, ring, monkeypatch):
    # Kills: a copying baseline that a verdict can name as better than all models; one that near-copies do not expose; a
    # baseline that is the same for all seeds; a Gaussian with other moments.
    for reference in (bare, ring):
        first, again, other = (synthesise.baselines(reference, seed) for seed in (0, 0, 1))
        gaussian, copied = f"{BASELINE}Gaussian of the values", f"{BASELINE}training examples plus noise"
        assert first == again != other and set(first) == {gaussian, copied}
        assert set(first[gaussian]) == set(synthesise.metrics(reference.data))
        assert set(synthesise.metrics(reference.data)) - set(first[copied]) == {headline_of(reference)}
    plain = synthesise.baselines(bare, 0)
    assert plain[copied]["near_copies"] == 1 and plain[gaussian]["near_copies"] < 0.2
    assert synthesise.baselines(ring, 0)[gaussian]["coverage"] < 0.5 * synthesise.ceiling(ring)["coverage"]


def test_baselines_of_images():
    # Kills: baselines in another range than images; a Gaussian that reaches real images.
    rng = np.random.default_rng(0)
    images = np.where(rng.random((400, 8, 8, 1)) < 0.2, 255, 20).astype(np.uint8)
    parts = [Split(part, None) for part in np.split(images, [240, 300])]
    data = load("digits")._replace(train=parts[0], valid=parts[1], test=parts[2], classes=())
    reference = Reference(data, feature_space(data))
    found = synthesise.baselines(reference, 0)
    assert set(found) == {f"{BASELINE}Gaussian of the pixels", f"{BASELINE}training examples plus noise"}
    made = reference.gaussian(0, 50)
    assert made.shape == (50, 8, 8, 1) and made.dtype == np.float32 and made.min() == 0 and made.max() <= 1
    real = synthesise.ceiling(reference)["frechet"]
    assert found[f"{BASELINE}Gaussian of the pixels"]["frechet"] > 10 * max(real, 1)


def test_modes(ring):
    # Kills: figures of modes from features in place of coordinates; a headline that noise, or one mode alone, passes.
    data = ring.data
    rng = np.random.default_rng(0)
    assert synthesise.sample_count(data) == 2500
    samples = data.modes.means[rng.integers(6, size=2500)] + data.modes.std * rng.normal(size=(2500, 2))
    found = synthesise.measure(ring, samples.astype(np.float32))
    assert found["modes"] == 6
    assert abs(found["high_quality_percent"] - 98.89) < 5 * 100 * np.sqrt(0.0111 / 2500)
    np.testing.assert_allclose(found["reverse_kl"], np.log(8 / 6), atol=0.01)
    top = synthesise.ceiling(ring)
    noise = synthesise.measure(ring, rng.uniform(-1.2, 1.2, size=(2500, 2)).astype(np.float32))
    one = data.modes.means[np.zeros(2500, int)] + data.modes.std * rng.normal(size=(2500, 2))
    one = synthesise.measure(ring, one.astype(np.float32))
    name = headline_of(ring)
    # One of eight modes holds an eighth of the data: nothing that misses seven may come near the ceiling.
    assert max(noise[name], one[name]) < 0.25 * top[name]


def test_no_figures_of_a_diverged_model(bare):
    # Kills: NaN among the figures, which no JSON holds.
    x = bare.data.valid.x
    assert synthesise.measure(bare, np.where(x > 3, np.nan, x)) == {}


def test_servable(table):
    # Kills: k neighbours among k points.
    assert synthesise.servable(table) is None
    few = table._replace(test=table.test._replace(x=table.test.x[:5]))
    assert "5 examples" in synthesise.servable(few)
