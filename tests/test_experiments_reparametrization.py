"""The experiment `reparametrization`: its verdicts on made-up figures, and its closed forms."""

import math

import numpy as np
import pytest
from scipy import integrate

from experiments.reparametrization import cut, fit, gradient


def ways(leak=0.0, moved=0.0, decoder=0.5, end=20.0, kl=0.1):
    row = {"largest_encoder_gradient": leak, "smallest_decoder_gradient": decoder, "encoder_moved": moved}
    row |= {"reconstruction_start_nats": 70.0, "reconstruction_end_nats": end}
    whole, trick = {"kl_end_nats": kl, "encoder_norm": 3.0}, {"kl_end_nats": 10.0}
    return {"ways": dict(zip(cut.WAYS, (row, whole, {}, trick), strict=True))}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (ways(), "supported", "gradient norm 3"),
        (ways(leak=1e-30), "not supported", "passes the direct draw"),
        (ways(moved=1e-9), "not supported", "passes the direct draw"),
        (ways(decoder=0.0), "not supported", "decoder does not learn"),
        (ways(end=71.0), "not supported", "decoder does not learn"),
        (ways(kl=5.0), "depends", "50 % of the usual KL"),
    ],
)
def test_cut_verdict(figures, word, says):
    # Kills: a tolerance for "exactly zero"; a decoder that need not learn; a KL that is not looked at.
    found = cut.verdict(figures)
    assert found.word == word and says in found.because


def families(gaussian, laplace, seen=5):
    rows = {"Gaussian": {"tests": 9, "rejected": gaussian}, "Laplace": {"tests": 9, "rejected": laplace}}
    return {"families": rows, "planted_error_found": seen, "planted_error_tests": 5}


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        (families(0, 0), "supported"),
        (families(0, 1), "depends"),
        (families(2, 1), "not supported"),
        (families(0, 0, seen=4), "not supported"),
    ],
)
def test_fit_verdict(figures, word):
    # Kills: a rejection that is forgotten; a test that passes because it sees nothing.
    assert fit.verdict(figures).word == word


def estimates(off=1.0, variance=1.0, rival=9.0):
    row = {"largest_standard_errors_off": off, "variance": variance, "exact_variance": 1.0}
    return {
        "gradients": {
            "reparametrized, mean": row,
            "score function, mean": {**row, "largest_standard_errors_off": rival},
        }
    }


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        (estimates(), "supported"),
        (estimates(off=5.1), "not supported"),
        (estimates(off=math.nan), "not supported"),
        (estimates(variance=1.06), "depends"),
        (estimates(variance=0.94), "depends"),
    ],
)
def test_unbiased_verdict(figures, word):
    # Kills: the rival's error held against the claim; a NaN that passes; a variance looked at from one side.
    assert gradient.unbiased(figures).word == word


@pytest.mark.parametrize(
    ("pairs", "word"), [([(1, 2), (1, 3)], "supported"), ([(2, 1)], "not supported"), ([(1, 2), (2, 1)], "depends")]
)
def test_quieter_verdict(pairs, word):
    # Kills: the ratio upside down; the best row alone.
    costs = {str(i): {"variance_reparametrized": a, "variance_score function": b} for i, (a, b) in enumerate(pairs)}
    assert gradient.quieter({"costs": costs}).word == word


# --- closed forms


@pytest.mark.parametrize("frequency", [0.25, 1.0, 4.0])
def test_exact_wave(frequency):
    # Kills: a slip in the moments of cos(w z), here by quadrature.
    def expected(f):
        return integrate.quad(lambda e: f(e) * math.exp(-e * e / 2) / math.sqrt(2 * math.pi), -9, 9, limit=400)[0]

    w, s, z = frequency, gradient.STD, lambda e: gradient.MEAN + gradient.STD * e
    mean = expected(lambda e: -w * math.sin(w * z(e)))
    square = expected(lambda e: w**2 * math.sin(w * z(e)) ** 2)
    cost = expected(lambda e: math.cos(w * z(e)))
    m20, m22 = (expected(lambda e, n=n: (math.cos(w * z(e)) - cost) ** 2 * (e / s) ** n) for n in (0, 2))
    rival = m22 / 3 - mean**2 / 6 + m20 / s**2 / 6  # three samples
    found = gradient.exact_wave(frequency, 3)
    np.testing.assert_allclose(found["reparametrized"], (mean, (square - mean**2) / 3), rtol=1e-6)
    np.testing.assert_allclose(found["score function"], (mean, rival), rtol=1e-6)


def test_holm():
    # Kills: Bonferroni's or no correction; going on after the first that stands.
    assert fit.holm(np.array([0.0049, 0.0051, 0.9])).tolist() == [False, False, False]
    assert fit.holm(np.array([0.9, 0.0049, 0.001])).tolist() == [False, True, True]
    assert fit.holm(np.array([0.009, 0.2])).tolist() == [False, False]
