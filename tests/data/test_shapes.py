"""Drawn shapes: every pixel follows from the factors, and the factors travel with the images."""

import time

import numpy as np
import pytest

from jaxgen.data import load, shapes, subset
from jaxgen.data.data import Examples
from jaxgen.data.divide import assemble


def drawn(**factors):
    """One image of each of the combinations, float in [0, 1], [N, 64, 64]; what is not said is 0."""
    at = np.stack(np.broadcast_arrays(*(factors.get(name, 0) for name in shapes.FACTORS)), -1).reshape(-1, 5)
    return shapes.draw(at, 64)[..., 0] / 255


def moments(images):
    """Area, and the centre as (column, row), in pixels, of images [N, H, W]."""
    rows, columns = np.indices(images.shape[1:]) + 0.5
    area = images.sum((1, 2))
    return area, np.stack([(images * columns).sum((1, 2)), (images * rows).sum((1, 2))], -1) / area[:, None]


def test_areas_are_those_of_the_shapes():
    # Kills: a radius for a diameter, a shape cut by its window, an angle that changes the size, no anti-aliasing.
    radius = np.array(shapes.RADII, float)
    heart = 3.6592  # area of (a^2 + b^2 - 1)^3 <= a^2 b^3, by quadrature below
    a = np.linspace(-1.3, 1.3, 1301)
    points = (a[:, None] ** 2 + a[None] ** 2 - 1) ** 3 <= a[:, None] ** 2 * a[None] ** 3
    assert points.sum() * (a[1] - a[0]) ** 2 == pytest.approx(heart, rel=1e-3)
    for shape, unit in enumerate((np.pi / 2, 2.0, heart / 1.25**2)):
        for angle in range(shapes.ANGLES):
            area, _ = moments(drawn(shape=shape, size=np.arange(len(radius)), angle=angle, x=3, y=4))
            # Edges along the rows or diagonals of the points move a side of 1.41 radii by up to 1/4 pixel.
            rtol = 2 * 0.25 / (1.41 * radius.min()) if shape == 1 and angle in (0, 3) else 0.005
            np.testing.assert_allclose(area, unit * radius**2, rtol=rtol)


def test_places_are_where_the_factors_say():
    # Kills: x and y exchanged, y from the bottom, places that are not 4 pixels apart, a shape beside the middle.
    x, y = (a.ravel() for a in np.indices((shapes.PLACES, shapes.PLACES)))
    _, centre = moments(drawn(shape=1, size=2, angle=1, x=x, y=y))
    np.testing.assert_allclose(centre, np.stack([18 + 4 * x, 18 + 4 * y], -1), atol=0.02)


def test_angles_turn_anticlockwise():
    # Kills: degrees for radians, the other sense, a mirrored heart (its tip is below at angle 0).
    images = drawn(shape=0, size=3, angle=np.arange(shapes.ANGLES), x=4, y=4)
    _, centre = moments(images)
    rows, columns = np.indices((64, 64)) + 0.5
    for angle, (image, (cx, cy)) in enumerate(zip(images, centre, strict=True)):
        right, up = columns - cx, cy - rows
        major = 0.5 * np.arctan2(2 * (image * right * up).sum(), (image * (right**2 - up**2)).sum())
        assert np.rad2deg(major) == pytest.approx(15 * angle, abs=0.5)
    heart = drawn(shape=2, size=3, x=4, y=4)[0] > 0.5
    widths = heart.sum(1)[heart.any(1)]
    assert widths[-1] < 6 < widths[0] and len(widths) > 30


def test_the_small_form_is_the_large_one_in_blocks():
    # Kills: every fourth pixel in place of a mean; a form of its own that differs from the other.
    at = np.random.default_rng(0).permutation(shapes.grid())[:20]
    large = shapes.draw(at, 64)[..., 0] / 255
    small = shapes.draw(at, 16)[..., 0] / 255
    by_hand = [
        [[image[4 * r : 4 * r + 4, 4 * c : 4 * c + 4].mean() for c in range(16)] for r in range(16)] for image in large
    ]
    np.testing.assert_allclose(small, by_hand, atol=1.01 / 255)
    assert 0.2 < np.mean((small > 0.02) & (small < 0.98)) / np.mean(small > 0.02)  # edges are grey


def test_no_two_combinations_look_alike():
    # Kills: angles of 90 degrees and more, at which a square comes back; a factor that changes nothing.
    at = shapes.grid()
    at = at[(at[:, 3] == 0) & (at[:, 4] == 0)]
    assert len(np.unique(shapes.draw(at, 64).reshape(len(at), -1), axis=0)) == len(at) == 72


@pytest.mark.parametrize(("name", "side"), [("shapes", 16), ("shapes64", 64)])
def test_the_set(name, side):
    # Kills: factors of other images, a label that is not the shape, an image twice, a slow drawing.
    began = time.perf_counter()
    data = load(name)
    assert time.perf_counter() - began < 10  # 1 s alone
    assert data.shape == (side, side, 1) and data.kind == "image" and data.notes == ()
    assert data.factors == shapes.FACTORS and data.classes == shapes.SHAPES
    everything = np.concatenate([split.factors for split in data.splits.values()])
    assert everything.dtype == np.int32 and len(np.unique(everything, axis=0)) == 4000
    for split in data.splits.values():
        np.testing.assert_array_equal(split.label, split.factors[:, 0])
        np.testing.assert_array_equal(split.x[::50], shapes.draw(split.factors[::50], side))


def test_the_seed_draws_at_random():
    # Kills: the permutation that divides used again for the draw, after which classes stand together; one draw for all
    # seeds.
    data, other = load("shapes"), load("shapes", seed=1)
    assert data.digest == load("shapes").digest != other.digest
    first = np.bincount(data.train.label[:300], minlength=3)
    assert np.all(np.abs(first - 100) < 5 * np.sqrt(300 * 2 / 9))
    for k, count in enumerate(shapes.COUNTS):
        share = np.bincount(data.test.factors[:, k], minlength=count) / len(data.test.x)
        assert np.all(np.abs(share - 1 / count) < 5 * np.sqrt((count - 1) / count**2 / len(data.test.x)))


def test_factors_travel_with_their_examples():
    # Kills: factors in the order of the source, or dropped by `subset`; factors where there are none.
    x = np.arange(60, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    factors = np.stack([np.arange(60), 100 + np.arange(60)], -1).astype(np.int32)
    examples = Examples(60, x.__getitem__, None, (), factors=factors, factor_names=("a", "b"))
    data = assemble("rows", "points", examples, seed=0)
    assert data.factors == ("a", "b")
    for split in data.splits.values():
        np.testing.assert_array_equal(split.factors[:, 0], split.x[:, 0])
        np.testing.assert_array_equal(split.factors[:, 1], 100 + split.x[:, 0])
    part = subset(data.train, np.array([3, 1]))
    np.testing.assert_array_equal(part.factors, data.train.factors[[3, 1]])
    assert load("digits").factors == () and load("digits").train.factors is None
