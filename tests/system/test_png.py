import io

import numpy as np
import pytest
from PIL import Image

from jaxgen.core import BadRequest
from jaxgen.system.png import COLD, MADE, MIDDLE, REAL, WARM, png_grid, png_points, png_table


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_grid_places_each_image_and_leaves_gaps_clear():
    # Kills: column-major order; a gap that is painted; a zoom that smooths; rows and columns swapped.
    images = np.arange(6 * 8 * 8, dtype=np.uint8).reshape(6, 8, 8, 1) // 2
    seen = pixels(png_grid(images, columns=4, zoom=3))
    assert seen.shape == ((2 * 9 - 1) * 3, (4 * 9 - 1) * 3, 4)
    for i in range(6):
        top, left = 27 * (i // 4), 27 * (i % 4)
        tile = seen[top : top + 24, left : left + 24]
        for channel in range(3):
            np.testing.assert_array_equal(tile[::3, ::3, channel], images[i, ..., 0])
            np.testing.assert_array_equal(tile[1::3, 2::3, channel], images[i, ..., 0])
        assert (tile[..., 3] == 255).all()
    assert (seen[24:27, :, 3] == 0).all() and (seen[27:, 54:, 3] == 0).all()


def test_grid_of_floats_colours_and_odd_values():
    # Kills: floats not scaled by 255; truncation for rounding; channels swapped; NaN cast as it is.
    image = np.zeros((1, 9, 9, 3), np.float32)
    image[0, 0, 0] = [1.0, 0.5, 0.2]
    image[0, 1, 1] = [np.nan, 7.0, -np.inf]
    seen = pixels(png_grid(image, zoom=1))
    np.testing.assert_array_equal(seen[0, 0], [255, 128, 51, 255])
    np.testing.assert_array_equal(seen[1, 1], [128, 255, 128, 255])
    two = pixels(png_grid(np.full((1, 8, 8, 2), 90, np.uint8), zoom=1))
    np.testing.assert_array_equal(two[0, 0], [90, 90, 0, 255])


@pytest.mark.parametrize("side, zoom", [(8, 6), (28, 2), (48, 1), (64, 1)])
def test_grid_enlarges_small_images_by_whole_numbers(side, zoom):
    # Kills: floor for ceiling in the zoom (28 pixels would stay 28).
    assert pixels(png_grid(np.zeros((1, side, side, 1), np.uint8))).shape[:2] == (side * zoom, side * zoom)


def test_points_lie_where_they_should():
    # Kills: y not turned up; unequal axes; points outside drawn at the edge.
    like = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.5]])
    seen = pixels(png_points(np.array([[0.0, 0.6], [1.0, 0.25], [np.nan, 0.0], [9.0, 9.0]]), like, side=240))
    made = (np.abs(seen.astype(int) - MADE) < 12).all(axis=-1)
    y, x = np.nonzero(made)
    middle, reach = np.array([0.0, 0.25]), 1.2  # by hand: the box of `like` is 2 wide and .5 high
    expected = [(at - middle) / reach * 120 * [1, -1] + 120 for at in (np.array([0.0, 0.6]), np.array([1.0, 0.25]))]
    for spot in expected:
        assert np.hypot(x + 0.5 - spot[0], y + 0.5 - spot[1]).min() < 1.5
    assert all(
        min(np.hypot(px + 0.5 - s[0], py + 0.5 - s[1]) for s in expected) < 4 for px, py in zip(x, y, strict=True)
    )


def test_made_points_lie_over_real_ones():
    # Kills: the real points drawn last.
    same = np.array([[0.0, 0.0], [1.0, 1.0]])
    seen = pixels(png_points(same, same, side=240)).astype(int)
    assert (np.abs(seen - MADE) < 12).all(axis=-1).any() and not (np.abs(seen - REAL) < 12).all(axis=-1).any()


def test_table_colours():
    # Kills: blue and red swapped; no clipping; NaN drawn as zero.
    seen = pixels(png_table([[-3.0, 0.0, 3.0], [-99.0, np.nan, 1.5]], zoom=2))
    assert seen.shape == (4, 6, 3)
    np.testing.assert_array_equal(seen[::2, ::2][0], [COLD, MIDDLE, WARM])
    np.testing.assert_array_equal(seen[2, 0], COLD)
    np.testing.assert_array_equal(seen[2, 2], [0, 0, 0])
    np.testing.assert_allclose(seen[2, 4], (np.array(MIDDLE) + WARM) / 2, atol=1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: png_grid(np.zeros((0, 8, 8, 1), np.uint8)),
        lambda: png_grid(np.zeros((8, 8, 1), np.uint8)),
        lambda: png_grid(np.zeros((1, 8, 8, 1), np.uint8), zoom=0),
        lambda: png_grid(np.zeros((1, 8, 8, 1), np.uint8), columns=0),
        lambda: png_points(np.zeros((3, 3)), np.zeros((3, 2))),
        lambda: png_points(np.zeros((3, 2)), np.zeros((0, 2))),
        lambda: png_table(np.zeros(3)),
        lambda: png_table(np.zeros((0, 3))),
    ],
)
def test_refuses_in_a_sentence(draw):
    # Kills: a missing check (PIL's or NumPy's own traceback instead).
    with pytest.raises(BadRequest, match=r"\.$"):
        draw()


def test_same_bytes_again():
    # Kills: a time stamp in the file.
    x = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8, 1)
    assert png_grid(x) == png_grid(x)
