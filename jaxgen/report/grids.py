"""Grids of examples: images and tables as PNG data URIs, points as inline SVG."""

import base64
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from jaxgen.report.charts import Look, key, scatter
from jaxgen.system.png import png_grid, png_table

WIDEST = 320  # CSS pixels of a picture: the width of a phone less its margins


class Grid(NamedTuple):
    """Pictures that are shown together, with one zoom and one number of columns.

    `pictures` is {label: uint8 or float [N, H, W, C]}, or float [N, 2] if the data are points, or float [N, F] for a
    table; "real data" comes first. A label that is the name of a model is shown with that model's colour.
    """

    title: str
    about: str
    pictures: Mapping[str, np.ndarray]
    columns: int | None = None  # images in a row, if a row has a meaning (such as the steps of an interpolation)


class Figure(NamedTuple):
    """One picture of a grid, ready for the page."""

    label: str
    key: Markup
    body: Markup


def figures(grid: Grid, kind: str, looks: Mapping[str, Look], *, most: int) -> list[Figure]:
    """The pictures of a grid, ready for the page.

    Args:
      grid: what is shown.
      kind: the kind of the data: "image", "points" or "table".
      looks: by model.
      most: the most bytes of one PNG; rows are left out until it is small enough.
    """
    first = next(iter(grid.pictures.values()))
    plain = Look("c-real", "ring")
    out = []
    for label, examples in grid.pictures.items():
        look, examples = looks.get(label, plain), np.asarray(examples)
        if kind == "points":
            description = f"{grid.title}: {len(examples)} points, {label}"
            body = scatter(examples if label in looks else examples[:0], first, look, description)
        elif kind == "table":
            png = png_table(examples[:40], zoom=1)
            zoom = min(8, max(1, WIDEST // examples.shape[1]))
            body = _image(png, zoom, f"{grid.title}: {label}; each row is an example, each column a feature")
        else:
            body = _images(examples, grid, label, most)
        out.append(Figure(label, key(look), body))
    return out


def layout(shape: tuple[int, int], columns: int | None = None) -> tuple[int, int, int]:
    """Zoom, columns and rows for images of height and width `shape` in at most 320 x 320 CSS pixels.

    >>> layout((8, 8)), layout((28, 28)), layout((64, 64)), layout((8, 8), columns=9)
    ((6, 6, 6), (2, 5, 5), (1, 4, 4), (3, 9, 11))
    """
    height, width = shape
    gap = max(1, max(shape) // 16)
    zoom = max(1, round(48 / max(shape)))
    if columns:
        zoom = max(1, min(zoom, WIDEST // (columns * (width + gap))))
    fit = [max(1, (WIDEST + gap * zoom) // ((side + gap) * zoom)) for side in (width, height)]
    return zoom, columns or fit[0], fit[1]


def _images(examples: np.ndarray, grid: Grid, label: str, most: int) -> Markup:
    zoom, columns, rows = layout(examples.shape[1:3], grid.columns)
    while True:
        shown = examples[: rows * columns]
        png = png_grid(shown, columns=columns, zoom=1)
        if len(png) <= most or rows == 1:
            return _image(png, zoom, f"{grid.title}: {len(shown)} images in rows of {columns}, {label}")
        rows -= 1


def _image(png: bytes, zoom: int, alt: str) -> Markup:
    width, height = (int.from_bytes(png[at : at + 4]) * zoom for at in (16, 20))  # of the IHDR chunk
    data = base64.b64encode(png).decode()
    tag = Markup('<img src="data:image/png;base64,{}" width="{}" height="{}" alt="{}">')
    return tag.format(data, width, height, alt)
