"""Active units and the length of interpolations, against closed forms."""

import numpy as np

from jaxgen.metrics import active_units, path_ratio


def test_active_units():
    # Kills: std for variance (0.05 would count); squares about zero in place of the mean; the sum over dimensions.
    rng = np.random.default_rng(0)
    z = rng.normal(size=(5000, 5)) * [1.0, 0.2, 0.05, 0.0, 0.0] + [0.0, 0.0, 0.0, 3.0, 0.0]
    assert active_units(z) == 2
    assert active_units(z, threshold=0.001) == 3


def circle(z):
    return np.concatenate([np.cos(z), np.sin(z)], -1)


def test_path_ratio_of_a_circle():
    # Kills: steps - 1 points; a sum over squares; ends taken from latent space; a mean of ratios (pairs differ here).
    start, end = np.array([[0.0], [0.0]]), np.array([[np.pi], [np.pi / 2]])
    steps = 10
    length = sum(2 * steps * np.sin(a / 2 / steps) for a in (np.pi, np.pi / 2))
    exact = length / (2 + np.sqrt(2))
    np.testing.assert_allclose(path_ratio(circle, lambda x: x, start, end, steps=steps), exact, rtol=1e-5)


def test_path_ratio_straight():
    # Kills: a figure that depends on scale, or on how fast the line is run through.
    start, end = np.random.default_rng(0).normal(size=(2, 7, 3))
    np.testing.assert_allclose(path_ratio(lambda z: 9 * z + 1, lambda x: x @ np.eye(3, 2), start, end), 1, rtol=1e-5)
    np.testing.assert_allclose(path_ratio(lambda z: z**3, lambda x: x, 0 * start, end[:, :1] ** 0), 1, rtol=1e-5)


def test_path_ratio_collapsed():
    # Kills: 0 / 0.
    assert path_ratio(lambda z: 0 * z, lambda x: x, np.zeros((3, 2)), np.ones((3, 2))) is None
