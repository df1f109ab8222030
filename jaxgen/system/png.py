"""Examples as PNG bytes: grids of images, scatters of points, heat-maps of tables."""

import io

import numpy as np
from PIL import Image, ImageDraw

from jaxgen.core import BadRequest

TILE = 48  # pixels that a small image is enlarged to, at least, where no zoom is given
REAL, MADE = (150, 158, 172), (214, 82, 24)  # grey below, orange above: they also differ in lightness
COLD, MIDDLE, WARM = (33, 102, 172), (247, 247, 247), (178, 24, 43)


def png_grid(images, columns: int | None = None, zoom: int | None = None) -> bytes:
    """Images side by side, row by row, each pixel an exact square of `zoom` pixels; gaps are transparent.

    Args:
      images: uint8 [N, H, W, C] or float [N, H, W, C] in [0, 1]. One channel is grey; otherwise the first three are
        red, green and blue. A float outside [0, 1] is clipped, one that is not finite is drawn at half.
      columns: images a row; ceil(sqrt(N)) where not given.
      zoom: whole number of pixels a pixel; where not given, the least that makes an image's longer side 48 pixels.

    Raises:
      BadRequest: no image, another rank, or a zoom or a number of columns below one.

    >>> png_grid(np.zeros((6, 8, 8, 1), np.uint8), columns=3)[1:4]
    b'PNG'
    """
    images = np.asarray(images)
    if images.ndim != 4 or 0 in images.shape:
        raise BadRequest(f"a grid needs images of shape [N, H, W, C], none of them 0; this is {list(images.shape)}.")
    n, height, width, _ = images.shape
    across = min(n, int(np.ceil(np.sqrt(n))) if columns is None else columns)
    scale = -(-TILE // max(height, width)) if zoom is None else zoom
    if across < 1 or scale < 1:
        raise BadRequest(f"a grid needs columns and zoom of at least 1; these are {across} and {scale}.")
    rows, gap = -(-n // across), max(1, max(height, width) // 16)
    paper = np.zeros((rows * (height + gap) - gap, across * (width + gap) - gap, 4), np.uint8)
    for i, image in enumerate(_rgb(images)):
        top, left = (i // across) * (height + gap), (i % across) * (width + gap)
        paper[top : top + height, left : left + width] = np.dstack([image, np.full((height, width), 255, np.uint8)])
    return _png(Image.fromarray(np.kron(paper, np.ones((scale, scale, 1), np.uint8))))


def png_points(points, like, *, side: int = 480) -> bytes:
    """Points over those of `like`, on axes of equal scale that hold all of `like` and a tenth more.

    Args:
      points: float [N, 2], orange. Those outside the axes, or not finite, are not drawn.
      like: float [M, 2], M at least 1, grey, below: the real data.
      side: pixels of the square picture.

    Raises:
      BadRequest: another shape.
    """
    points, like = np.asarray(points, np.float64), np.asarray(like, np.float64)
    for a in (points, like):
        if a.ndim != 2 or a.shape[1] != 2:
            raise BadRequest(f"a scatter needs points of shape [N, 2]; this is {list(a.shape)}.")
    if not len(like):
        raise BadRequest("a scatter takes its axes from the real points, and there are none.")
    low, high = like.min(axis=0), like.max(axis=0)
    middle, reach = (low + high) / 2, max(float((high - low).max()) * 0.6, 1e-6)
    fine = 3  # drawn larger and averaged down, for round dots
    picture = Image.new("RGB", (fine * side, fine * side), "white")
    pen, radius = ImageDraw.Draw(picture), fine * side / 240
    for cloud, colour in ((like, REAL), (points, MADE)):
        at = (cloud - middle) / reach
        at = at[np.isfinite(at).all(axis=1) & (np.abs(at) <= 1).all(axis=1)]
        for x, y in (at * [1, -1] + 1) * (fine * side / 2):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return _png(picture.resize((side, side), Image.Resampling.BOX))


def png_table(rows, *, limit: float = 3.0, zoom: int = 8) -> bytes:
    """Rows of a standardised table as a heat-map: an example a row, a feature a column, blue below 0, red above.

    Args:
      rows: float [N, F], in standard deviations. What is not finite is black.
      limit: the value of full colour; larger ones look the same.
      zoom: pixels a cell.

    Raises:
      BadRequest: another rank, or nothing to draw.
    """
    rows = np.asarray(rows, np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise BadRequest(f"a heat-map needs rows of shape [N, F], neither of them 0; this is {list(rows.shape)}.")
    known = np.isfinite(rows)
    at = np.where(known, np.clip(np.where(known, rows, 0) / limit, -1, 1), 0)[..., None]
    end = np.where(at < 0, np.array(COLD), np.array(WARM))
    colour = np.array(MIDDLE) + np.abs(at) * (end - np.array(MIDDLE))
    colour = np.where(known[..., None], colour, 0).round().astype(np.uint8)
    return _png(Image.fromarray(np.kron(colour, np.ones((zoom, zoom, 1), np.uint8))))


def _rgb(images: np.ndarray) -> np.ndarray:
    if images.dtype != np.uint8:
        images = np.clip(np.nan_to_num(np.asarray(images, np.float32), nan=0.5, posinf=0.5, neginf=0.5), 0, 1)
        images = (images * 255).round().astype(np.uint8)
    if images.shape[-1] == 1:
        return np.repeat(images, 3, axis=-1)
    first = images[..., :3]
    return np.pad(first, ((0, 0),) * 3 + ((0, 3 - first.shape[-1]),))


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
