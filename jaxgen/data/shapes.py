"""Grey images of one shape each, with the factors that they were drawn from, in the manner of dSprites.

dSprites (Matthey et al. 2017) has the same five factors. The pixels here are our own, and so is the grid: angles end
before 90 degrees, so that no shape looks alike at two of them, which dSprites' squares and ellipses do.
"""

import itertools

import numpy as np

SHAPES = ("ellipse", "square", "heart")
RADII = (12, 14, 16, 18)  # of the disc that holds the shape, in pixels of the 64 x 64 form
ANGLES = 6  # 0, 15, ... 75 degrees, anticlockwise
PLACES = 8  # along either side, 4 pixels apart in the 64 x 64 form
FACTORS = ("shape", "size", "angle", "x", "y")
COUNTS = (len(SHAPES), len(RADII), ANGLES, PLACES, PLACES)  # the values of each factor
SIDE, WINDOW, STEP = 64, 36, 4  # pixels: of the image, of the square that holds a shape, between two places
SAMPLES = 4  # per pixel and side, of which a pixel is the mean
BLOCK = 4  # pixels of the 64 x 64 form along either side, of which one of the 16 x 16 form is the mean


def grid() -> np.ndarray:
    """All combinations of the factors, int32 [4608, 5], in the order of `FACTORS`; y counts rows, from the top.

    >>> grid().shape, grid()[-1].tolist()
    ((4608, 5), [2, 3, 5, 7, 7])
    """
    return np.array(list(itertools.product(*map(range, COUNTS))), np.int32)


def inside(shape: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points lie in the shape, which the unit disc holds; u points to the right and v upwards.

    Ellipse: semi-axes 1 and 0.5. Square: corners on the circle. Heart: (a^2 + b^2 - 1)^3 <= a^2 b^3 of a = 1.25 u and
    b = 1.25 v + 0.25, whose tip is then at v = -1.

    >>> inside(0, np.array([0.9, 0.0]), np.array([0.0, 0.9])).tolist()
    [True, False]
    """
    if SHAPES[shape] == "ellipse":
        return u**2 + 4 * v**2 <= 1
    if SHAPES[shape] == "square":
        return 2 * np.maximum(u**2, v**2) <= 1
    a, b = 1.25 * u, 1.25 * v + 0.25
    return (a**2 + b**2 - 1) ** 3 <= a**2 * b**3


def draw(factors: np.ndarray, side: int) -> np.ndarray:
    """White shapes on black, uint8 [N, side, side, 1], of factors [N, 5]; side is 64 or 16.

    A pixel of the 64 x 64 form is the mean of 4 x 4 points in it, one of the 16 x 16 form that of 4 x 4 such pixels.

    >>> image = draw(np.array([[1, 3, 0, 0, 7]]), 64)[0, :, :, 0]  # the largest square, upright, at the bottom left
    >>> image[46, 18].item(), image[46, 40].item(), image[10, 18].item()
    (255, 0, 0)
    """
    sprites = _sprites()
    images = np.zeros((len(factors), SIDE, SIDE), np.float32)
    for image, (shape, size, angle, x, y) in zip(images, factors, strict=True):
        image[STEP * y : STEP * y + WINDOW, STEP * x : STEP * x + WINDOW] = sprites[shape, size, angle]
    if side != SIDE:
        images = images.reshape(len(images), side, BLOCK, side, BLOCK).mean((2, 4))
    return np.rint(255 * images).astype(np.uint8)[..., None]


def _sprites() -> np.ndarray:
    """The shapes of all sizes and angles in the middle of a window, float32 [3, 4, 6, WINDOW, WINDOW] in [0, 1]."""
    at = (np.arange(WINDOW * SAMPLES) + 0.5) / SAMPLES - WINDOW / 2
    right, up = at[None, :], -at[:, None]
    drawn = np.zeros((*COUNTS[:3], WINDOW, WINDOW), np.float32)
    for shape, size, angle in np.ndindex(*COUNTS[:3]):
        turn, radius = np.deg2rad(90 / ANGLES * angle), RADII[size]
        u, v = (np.cos(turn) * right + np.sin(turn) * up) / radius, (np.cos(turn) * up - np.sin(turn) * right) / radius
        points = inside(shape, u, v).reshape(WINDOW, SAMPLES, WINDOW, SAMPLES)
        drawn[shape, size, angle] = points.mean((1, 3))
    return drawn
