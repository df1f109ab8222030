"""Whether each number of a code stands for one factor that the examples were made from, and each factor for one number.

Both measures need the factors, and neither needs more than codes: they say nothing of what is decoded from them.
"""

from typing import NamedTuple

import numpy as np

BINS = 20  # of a code's range, for its mutual information with a factor
TREES = 10
LEAF = 5  # examples in a leaf of a tree, at least


class DCI(NamedTuple):
    """Each from 0 to 1, higher is better."""

    disentanglement: float  # 1: no number of the code says anything of two factors
    completeness: float  # 1: no factor is said by two numbers of the code
    informativeness: float  # share of factors that the code tells right


def dci(codes, factors, test_codes, test_factors, *, seed: int = 0) -> DCI:
    """Disentanglement, completeness and informativeness of codes.

      P_lk = R_lk / sum_k R_lk,  D_l = 1 + sum_k P_lk log_K P_lk,   disentanglement = sum_l rho_l D_l
      Q_lk = R_lk / sum_l R_lk,  C_k = 1 + sum_l Q_lk log_L Q_lk,   completeness = mean_k C_k
      rho_l = sum_k R_lk / sum_lk R_lk

    R_lk is the importance of number l of the code for factor k: the impurity that splits on it remove, in 10 trees
    (`RandomForestClassifier`, all numbers tried at each split, leaves of at least 5 examples) that predict the factor.
    Eastwood and Williams 2018 (openreview By-7dz-AZ) used a lasso and random forests; they regress, and the values of
    a factor are taken for classes here, as `disentanglement_lib` does with boosted trees. Informativeness is the share
    of `test_factors` that the trees predict right, averaged over factors; a guess is right with a share of one over the
    number of values. A factor that no split predicts, such as one of codes that never vary, has completeness 0.

    Args:
      codes: [N, L], L of at least 2; numbers that never vary are never split on.
      factors: int [N, K], K of at least 2.
      test_codes: [M, L].
      test_factors: int [M, K].
      seed: of the trees.

    >>> factors = np.array([[a, b] for a in range(4) for b in range(4)] * 20)
    >>> [float(round(part, 3)) for part in dci(10.0 * factors, factors, 10.0 * factors, factors)]
    [1.0, 1.0, 1.0]
    """
    from sklearn.ensemble import RandomForestClassifier

    codes, test_codes = np.asarray(codes, np.float64), np.asarray(test_codes, np.float64)
    importance, right = [], []
    for k in range(factors.shape[1]):
        trees = RandomForestClassifier(TREES, max_features=None, min_samples_leaf=LEAF, random_state=seed)
        trees.fit(codes, factors[:, k])
        importance.append(trees.feature_importances_)
        right.append(np.mean(trees.predict(test_codes) == test_factors[:, k]))
    return DCI(*_disentangled(np.stack(importance, 1)), float(np.mean(right)))


def _disentangled(importance: np.ndarray) -> tuple[float, float]:
    """Disentanglement and completeness of importances [L, K]."""
    from scipy.stats import entropy

    total = importance.sum()
    if total == 0:
        return 0.0, 0.0
    (units, factors), by_code, by_factor = importance.shape, importance.sum(1), importance.sum(0)
    per_code = 1 - entropy(importance[by_code > 0], axis=1, base=factors)  # of each row over its sum
    per_factor = np.zeros(factors)
    per_factor[by_factor > 0] = 1 - entropy(importance[:, by_factor > 0], axis=0, base=units)
    return float(per_code @ by_code[by_code > 0] / total), float(per_factor.mean())


def mutual_information_gap(codes, factors, *, bins: int = BINS) -> float:
    """How much more the best number of a code says of a factor than the second best, averaged over factors: 0 to 1.

      1/K sum_k (I(z_j; v_k) - max_{l != j} I(z_l; v_k)) / H(v_k),   j = argmax_l I(z_l; v_k)

    A number of the code is cut into `bins` bins of equal width between its least and its largest value, and the
    information is that of the table of counts. Chen et al. 2018, arXiv 1802.04942, section 4, who integrate over the
    posterior in place of bins; 20 bins of mean codes are the choice of `disentanglement_lib`. A factor of one value
    says nothing and is left out.

    Args:
      codes: [N, L], L of at least 2.
      factors: int [N, K].
      bins: of each number of the code.

    >>> factors = np.array([[a, b] for a in range(4) for b in range(4)])
    >>> round(mutual_information_gap(factors @ np.eye(2), factors), 3)
    1.0
    """
    from sklearn.metrics import mutual_info_score

    gaps = []
    cut = [_bins(code, bins) for code in np.asarray(codes, np.float64).T]
    for factor in np.asarray(factors).T:
        entropy = mutual_info_score(factor, factor)
        if entropy > 0:
            second, best = np.sort([mutual_info_score(factor, code) for code in cut])[-2:]
            gaps.append((best - second) / entropy)
    return float(np.mean(gaps))


def _bins(code: np.ndarray, bins: int) -> np.ndarray:
    return np.digitize(code, np.histogram_bin_edges(code, bins)[1:-1])
