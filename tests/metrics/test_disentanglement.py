"""Codes whose disentanglement is known, and independent arithmetic of both measures."""

import itertools

import numpy as np
import pytest
from scipy.stats import entropy

from jaxgen.metrics import dci, mutual_information_gap
from jaxgen.metrics.disentanglement import _disentangled

RNG = np.random.default_rng(0)
FACTORS = np.array(list(itertools.product(range(3), range(4), range(5))) * 20)
ROTATION = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]


def noisy(codes):
    return codes + 1e-3 * RNG.normal(size=codes.shape)


def both(codes, factors=FACTORS):
    half = len(factors) // 2
    order = np.random.default_rng(2).permutation(len(factors))
    codes, factors = codes[order], factors[order]
    return dci(codes[:half], factors[:half], codes[half:], factors[half:]), mutual_information_gap(codes, factors)


def test_factors_in_any_order_and_scale_are_disentangled():
    # Kills: entropies to another base; importances of an axis exchanged; a code that must be in the factors' order.
    codes = noisy(np.array([-3.0, 0.1, 20.0]) * FACTORS[:, [2, 0, 1]])
    measured, gap = both(codes)
    assert min(measured) > 0.97 and gap > 0.97


def test_a_rotated_code_is_informative_and_entangled():
    # Kills: informativeness in place of disentanglement; a gap between a factor and its own best code.
    measured, gap = both(noisy(FACTORS @ ROTATION))
    assert measured.informativeness > 0.9
    assert max(measured.disentanglement, measured.completeness) < 0.6 and gap < 0.3


def test_a_random_code_says_nothing():
    # Kills: a share of right answers on the examples that the trees were grown on; information that bins make up.
    measured, gap = both(RNG.normal(size=(len(FACTORS), 3)))
    assert abs(measured.informativeness - np.mean([1 / 3, 1 / 4, 1 / 5])) < 0.07
    assert max(measured.disentanglement, measured.completeness) < 0.2 and gap < 0.05


def test_a_code_twice_is_disentangled_and_not_complete():
    # Kills: completeness and disentanglement exchanged; the gap to the third best number.
    codes = noisy(np.concatenate([FACTORS, FACTORS], 1).astype(float))
    measured, gap = both(codes)
    assert measured.disentanglement > 0.97 and measured.completeness < 0.8 and gap < 0.1
    sums = (FACTORS @ np.array([[1.0], [3.0], [12.0]])) * np.eye(1, 3)  # one number tells all, the others nothing
    measured, _ = both(sums)
    assert measured.completeness > 0.9 > 0.5 > measured.disentanglement and measured.informativeness > 0.9


def test_a_code_that_never_varies():
    # Kills: a division by zero; a dead number that is counted as disentangled.
    measured, gap = both(np.zeros((len(FACTORS), 4)))
    assert measured[:2] == (0, 0) and gap == 0
    dead = np.concatenate([noisy(FACTORS.astype(float)), np.zeros((len(FACTORS), 2))], 1)
    assert min(both(dead)[0]) > 0.97


def test_disentanglement_and_completeness_of_importances():
    # Kills: rho left out (a dead code then counts as much as a live one), a natural logarithm, base K for base L.
    importance = np.array([[4.0, 0.0, 1.0], [0.0, 2.0, 2.0], [0.0, 0.0, 0.0], [0.5, 0.0, 1.5]])
    rho = importance.sum(1) / importance.sum()
    by_code = [1 - entropy(row, base=3) if row.sum() else 0 for row in importance]
    by_factor = [1 - entropy(column, base=4) for column in importance.T]
    np.testing.assert_allclose(_disentangled(importance), (rho @ by_code, np.mean(by_factor)), rtol=1e-12)


def test_the_gap_is_that_of_the_table_of_counts():
    # Kills: bins of equal counts, 20 edges for 20 bins, a gap that is not divided by the entropy, bits for nats in one.
    codes, factors = RNG.gamma(2.0, size=(500, 3)), RNG.integers(4, size=(500, 2))
    codes[:, 1] += factors[:, 0]
    gaps = []
    for k in range(2):
        p = np.bincount(factors[:, k], minlength=4) / 500
        information = []
        for code in codes.T:
            at = np.minimum((20 * (code - code.min()) / (code.max() - code.min())).astype(int), 19)
            joint = np.zeros((20, 4))
            np.add.at(joint, (at, factors[:, k]), 1 / 500)
            product = joint.sum(1, keepdims=True) * p[None]
            information.append(np.sum(joint[joint > 0] * np.log(joint[joint > 0] / product[joint > 0])))
        information.sort()
        gaps.append((information[-1] - information[-2]) / entropy(p))
    assert mutual_information_gap(codes, factors) == pytest.approx(np.mean(gaps), rel=1e-9)
    constant = np.concatenate([factors, np.zeros((500, 1), int)], 1)
    assert mutual_information_gap(codes, constant) == pytest.approx(np.mean(gaps), rel=1e-9)
