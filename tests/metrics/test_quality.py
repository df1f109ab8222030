"""Overlap and distances of two sets, each against a computation of the plainest kind."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from jaxgen.core import BadRequest
from jaxgen.metrics import quality
from jaxgen.metrics.frechet import frechet, unbiased_frechet
from jaxgen.metrics.quality import (
    kernel_distance,
    near_copies,
    nearest_distance,
    nearest_ratio,
    prdc,
    two_sample,
)


def sets(seed=0, n=23, m=31, f=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, f)), 0.3 + 0.8 * rng.normal(size=(m, f))


def plain_prdc(real, fake, k):
    def reach(points):
        return [
            sorted(np.linalg.norm(p - q) for j, q in enumerate(points) if j != i)[k - 1] for i, p in enumerate(points)
        ]

    real_reach, fake_reach = reach(real), reach(fake)
    in_real = [[np.linalg.norm(f - r) <= s for r, s in zip(real, real_reach, strict=True)] for f in fake]
    in_fake = [[np.linalg.norm(r - f) <= s for f, s in zip(fake, fake_reach, strict=True)] for r in real]
    precision = sum(any(row) for row in in_real) / len(fake)
    recall = sum(any(row) for row in in_fake) / len(real)
    density = sum(sum(row) for row in in_real) / k / len(fake)
    coverage = sum(any(row[i] for row in in_real) for i in range(len(real))) / len(real)
    return precision, recall, density, coverage


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("block", [quality.BLOCK, 50])
def test_prdc(monkeypatch, k, block):
    # Kills: a point that counts as its own neighbour; radii of the fakes for precision; a density not divided by k;
    # a block that forgets the ones before it, or takes the wrong diagonal.
    monkeypatch.setattr(quality, "BLOCK", block)
    real, fake = sets()
    np.testing.assert_allclose(prdc(real, fake, k=k), plain_prdc(real, fake, k), rtol=1e-12)


def test_prdc_of_copies():
    # Kills: open balls, or rounding, under which copies (far from the origin, too) are in or out by chance.
    real = 1e7 + np.random.default_rng(0).normal(size=(40, 6))
    found = prdc(real, real[::-1], k=4)
    assert found == (1.0, 1.0, 5 / 4, 1.0)  # its own ball and those of its neighbours: k + 1 in each
    repeated = np.repeat(np.random.default_rng(1).normal(size=(9, 50)), 5, axis=0)
    assert prdc(repeated, repeated[::-1], k=4) == (1.0, 1.0, 5 / 4, 1.0)  # balls of radius zero


def test_prdc_moves_and_turns():
    # Kills: a distance that is not Euclidean, or that depends on the origin.
    real, fake = sets(1)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    np.testing.assert_allclose(prdc(7 * real @ turn - 5, 7 * fake @ turn - 5), prdc(real, fake), rtol=1e-12)


def test_prdc_far_fakes():
    # Kills: a tolerance that grows with an outlier and takes in the rest.
    real, fake = sets()
    far = np.concatenate([fake, [[1e8, 0, 0]]])
    np.testing.assert_allclose(prdc(real, far, k=3), plain_prdc(real, far, 3), rtol=1e-12)


@pytest.mark.parametrize(("n", "k"), [(3, 3), (3, 5), (9, 0)])
def test_prdc_needs_neighbours(n, k):
    # Kills: the k-th neighbour of too few, which is at infinity.
    with pytest.raises(BadRequest, match="nearest neighbours"):
        prdc(np.zeros((n, 2)), np.zeros((20, 2)), k=k)


@pytest.mark.slow
def test_prdc_published():
    # Kills: a point counted among its own neighbours, in the protocol of the published figures.
    # Two sets of 10,000 from N(0, I_1000), k = 5: one draw, as the authors' code prints it. In 1000 dimensions all
    # distances are nearly equal, so the figures of a draw vary: `spread` is their standard deviation over five draws.
    rng = np.random.default_rng(0)
    found = prdc(rng.normal(size=(10_000, 1000)), rng.normal(size=(10_000, 1000)), k=5)
    published, spread = np.array([0.4772, 0.4705, 1.0555, 0.9735]), np.array([0.015, 0.0075, 0.06, 0.0067])
    np.testing.assert_array_less(np.abs(found - published), 4 * spread)


def test_frechet():
    # Kills: a missing factor 2; standard deviations for variances; a root of one covariance only.
    a, b = sets(n=40, m=50)
    ca, cb = np.cov(a.T), np.cov(b.T)
    exact = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    np.testing.assert_allclose(frechet(a, b), exact, rtol=1e-9)
    np.testing.assert_allclose(frechet(b, a), exact, rtol=1e-9)


def test_frechet_singular():
    # Kills: no clipping, which makes a root of a rounded negative eigenvalue NaN.
    rng = np.random.default_rng(0)
    a, b = (np.maximum(rng.normal(size=(30, 5)) @ rng.normal(size=(5, 64)), 0) * (np.arange(64) > 9) for _ in range(2))
    diag = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[0.0, 3.0], [0.0, -3.0]])
    assert np.isfinite(frechet(a, b))
    assert frechet(a, a) < 1e-6 * np.trace(np.cov(a.T))
    np.testing.assert_allclose(frechet(*diag), 2 + 18, rtol=1e-12)  # disjoint supports: both traces, no cross term


def test_kernel_distance(monkeypatch):
    # Kills: the diagonal left in (biased); the cross term counted once; x.y not divided by F.
    monkeypatch.setattr(quality, "BLOCK", 100)
    a, b = sets(n=12, m=9)

    def kernel(x, y):
        return (sum(p * q for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def pairs(s):
        return np.mean([kernel(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j])

    exact = pairs(a) + pairs(b) - 2 * np.mean([kernel(x, y) for x in a for y in b])
    np.testing.assert_allclose(kernel_distance(a, b), exact, rtol=1e-10)


def test_kernel_distance_unbiased():
    # Kills: the biased estimate, whose mean over equal distributions is positive by 9 standard errors here.
    rng = np.random.default_rng(0)
    values = [kernel_distance(rng.normal(size=(8, 2)), rng.normal(size=(8, 2))) for _ in range(2000)]
    assert abs(np.mean(values)) < 5 * np.std(values) / np.sqrt(len(values))


def test_unbiased_frechet():
    # Kills: halves of one set only; a mean of one half; halves that overlap; a line in N in place of 1 / N.
    a, b = sets(n=41, m=30)
    rng, halves = np.random.default_rng(7), []
    for _ in range(3):
        i, j = rng.permutation(41), rng.permutation(30)
        halves += [frechet(a[i[:21]], b[j[:15]]), frechet(a[i[21:]], b[j[15:]])]
    # The line through (1 / N, whole) and (2 / N, half) at 0.
    slope = (np.mean(halves) - frechet(a, b)) / (2 / 41 - 1 / 41)
    exact = frechet(a, b) - slope / 41
    np.testing.assert_allclose(unbiased_frechet(a, b, halvings=3, seed=7), exact, rtol=1e-9)
    with pytest.raises(BadRequest, match="at least 4 points"):
        unbiased_frechet(a[:3], b)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_unbiased_frechet_of_gaussians(shift):
    # Kills: the distance of finite sets, which is too large by 0.3 here and by 40 standard errors.
    rng = np.random.default_rng(0)
    found = [
        unbiased_frechet(rng.normal(size=(200, 8)), shift + 1.5 * rng.normal(size=(200, 8)), halvings=2)
        for _ in range(150)
    ]
    exact = 8 * (shift**2 + 0.5**2)
    assert abs(np.mean(found) - exact) < 5 * np.std(found) / np.sqrt(150)


@pytest.mark.parametrize("block", [quality.BLOCK, 50])
def test_two_sample(monkeypatch, block):
    # Kills: a point that is its own neighbour; one kind counted; sets of unequal size, by which the larger wins.
    monkeypatch.setattr(quality, "BLOCK", block)
    real, fake = sets(n=40, m=40)
    x, kind = np.concatenate([real, fake]), np.repeat([0, 1], 40)
    right = []
    for i in range(80):
        apart = np.linalg.norm(x - x[i], axis=1)
        apart[i] = np.inf
        right.append(kind[apart.argmin()] == kind[i])
    np.testing.assert_allclose(two_sample(real, fake), np.mean(right), rtol=1e-12)
    assert two_sample(real, real + 100) == 1 and two_sample(real, real + 1e-9) == 0
    assert two_sample(np.zeros((5, 3)), np.zeros((5, 3))) == 0.5  # nothing but ties
    with pytest.raises(BadRequest, match="two points"):
        two_sample(real[:1], fake)


def test_two_sample_of_equal_distributions():
    # Kills: an expectation other than a half where one set is larger.
    rng = np.random.default_rng(0)
    found = [two_sample(rng.normal(size=(60, 4)), rng.normal(size=(200, 4))) for _ in range(100)]
    assert abs(np.mean(found) - 59 / 119) < 5 * np.std(found) / 10


@pytest.mark.parametrize("f", [2, 12])  # by tree, and by products
def test_nearest_ratio(monkeypatch, f):
    # Kills: the second over the first; squares; 0 / 0 where a copy has two originals.
    monkeypatch.setattr(quality, "BLOCK", 60)
    rng = np.random.default_rng(0)
    q, r = rng.normal(size=(17, f)), rng.normal(size=(29, f))
    q[3] = r[20] = r[21]
    ordered = np.sort([[np.linalg.norm(p - s) for s in r] for p in q], axis=1)
    expected = np.where(ordered[:, 0] > 0, ordered[:, 0] / np.maximum(ordered[:, 1], 1e-30), 0)
    np.testing.assert_allclose(nearest_ratio(q, r), expected, rtol=1e-9)
    with pytest.raises(BadRequest, match="2 nearest neighbours need 2 references"):
        nearest_ratio(q, r[:1])


def test_near_copies():
    # Kills: the median, or the 95th percentile, of what is usual; distances in place of ratios, which call samples
    # copies where training examples are dense, and miss copies where they are sparse.
    rng = np.random.default_rng(0)
    scale = np.where(np.arange(600) % 2, 1.0, 100.0)[:, None]
    train, new, usual = (scale * rng.normal(size=(600, 5)) + 1e3 * (scale > 1) for _ in range(3))
    ratio = nearest_ratio(usual, train)
    assert near_copies(ratio, ratio) == np.mean(ratio < np.quantile(ratio, 0.05)) == 0.05
    share = near_copies(nearest_ratio(new, train), ratio)
    assert abs(share - 0.05) < 5 * np.sqrt(2 * 0.05 * 0.95 / 600)
    copies = train + 0.01 * scale * rng.normal(size=train.shape)
    assert near_copies(nearest_ratio(copies, train), ratio) > 0.95
    half = np.concatenate([copies[:300], new[300:]])
    assert 0.45 < near_copies(nearest_ratio(half, train), ratio) < 0.6


@pytest.mark.parametrize("distance", [frechet, kernel_distance])
def test_two_points(distance):
    # Kills: a covariance or a mean over no pairs.
    with pytest.raises(BadRequest, match="two points"):
        distance(np.zeros((1, 2)), np.zeros((5, 2)))


@pytest.mark.parametrize("f", [2, 12])  # by tree, and by products
def test_nearest_distance(monkeypatch, f):
    # Kills: the root left out; rounding in place of 0 for a copy far from the origin; the neighbour of another block.
    monkeypatch.setattr(quality, "BLOCK", 60)
    rng = np.random.default_rng(0)
    q, r = 1e5 + rng.normal(size=(17, f)), 1e5 + rng.normal(size=(29, f))
    q[3] = r[20]
    found = nearest_distance(q, r)
    np.testing.assert_allclose(found, [min(np.linalg.norm(p - s) for s in r) for p in q], rtol=1e-9)
    assert found[3] == 0
    np.testing.assert_allclose(nearest_distance(q.reshape(17, f, 1), r.reshape(29, 1, f)), found)


def test_one_point_far_away_costs_the_others_no_digits():
    # Kills: a centre that one outlier moves; norms shrunk by more than their rounding.
    rng = np.random.default_rng(0)
    near, fake = 1e-5 * rng.normal(size=(50, 3)), 1e-5 * rng.normal(size=(50, 3))
    far = np.concatenate([near, np.full((1, 3), 1e3)])
    alone, beside = prdc(near, fake), prdc(far, fake)
    assert alone.density <= beside.density <= alone.density + 1 / 5 + 1e-9  # the far ball may hold every sample
    assert 50 * alone.coverage <= 51 * beside.coverage <= 50 * alone.coverage + 1 + 1e-9


@pytest.mark.parametrize("n, m", [(400, 400), (800, 200)])
def test_coverage_of_two_equal_distributions(n, m):
    # Kills: an expectation that holds for sets of one size only (the docstring's formula).
    rng = np.random.default_rng(1)
    found = [prdc(rng.normal(size=(n, 2)), rng.normal(size=(m, 2))).coverage for _ in range(20)]
    assert abs(np.mean(found) - (1 - (n / (n + m)) ** 5)) < 5 * np.std(found) / np.sqrt(20) + 0.005
