"""Images, in files or in memory, brought to one shape."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

import numpy as np

from jaxgen.core import BadRequest

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # PIL's other readers are never tried on a user's files
SIDES = (8, 16, 28, 32, 64)
GREY = ("1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


class Header(NamedTuple):
    """What is known of an image before its pixels are read."""

    width: int
    height: int
    grey: bool


def read_header(file: str | IO[bytes], name: str) -> Header:
    """The header of an encoded image; `name` is what an error calls it.

    Raises:
      BadRequest: it cannot be read.
    """
    with _opened(file, name) as image:
        width, height = image.size
        # Turning changes the common shape only where images may keep theirs; for large PNGs asking costs a decoding.
        if max(width, height) <= SIDES[-1] and image.getexif().get(0x0112, 1) >= 5:
            width, height = height, width
        return Header(width, height, image.mode in GREY)


def common_shape(headers: Sequence[Header]) -> tuple[tuple[int, int, int], str]:
    """The shape (H, W, C) that all images get, and the rule in a line.

    Where all share one size with both sides in 8..64, they keep it. Else the shape is a square: its side is the median
    of the shorter sides, rounded to the nearest of 8, 16, 28, 32 and 64 (the smaller of two equally near). C is 1
    where all are grey, else 3.

    >>> common_shape([Header(178, 218, False)] * 5)[0]
    (64, 64, 3)
    """
    widths, heights, greys = map(np.array, zip(*headers, strict=True))
    channels, colour = (1, "grey") if greys.all() else (3, "RGB")
    width, height = int(widths[0]), int(heights[0])
    low, high = np.minimum(widths, heights), np.maximum(widths, heights)
    if (widths == width).all() and (heights == height).all() and SIDES[0] <= low[0] and high[0] <= SIDES[-1]:
        return (height, width, channels), f"{len(headers)} images of {height}x{width}, {colour}."
    side = min(SIDES, key=lambda s: abs(s - np.median(low)))
    note = f"{len(headers)} images, shorter side {low.min()} to {low.max()}: centre square at {side}x{side}, {colour}."
    return (side, side, channels), note


def decode(file: str | IO[bytes], name: str, shape: tuple[int, int, int]) -> np.ndarray:
    """The pixels of an encoded image, uint8 of `shape`: cropped at its centre to a square, resized with a box filter.

    EXIF orientation is applied, transparency put on white. Modes I and I;16 run from 0 to 65535, F from 0 to 1.

    Raises:
      BadRequest: it cannot be read.
    """
    from PIL import Image, ImageOps

    height, width, channels = shape
    with _opened(file, name) as image:
        ImageOps.exif_transpose(image, in_place=True)
        if image.size != (width, height):
            short = min(image.size)
            left, top = (image.width - short) // 2, (image.height - short) // 2
            image = image.crop((left, top, left + short, top + short))
        image = _plain(image, "L" if channels == 1 else "RGB")
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BOX)
        return np.asarray(image).reshape(shape)


@contextmanager
def _opened(file: str | IO[bytes], name: str) -> Iterator:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL warns of odd metadata, which no pixel depends on
            with Image.open(file, formats=FORMATS) as image:
                yield image
    except BadRequest:
        raise
    except Exception as error:  # a damaged image fails in as many ways as PIL has readers
        reason = " ".join(str(error).replace(f" {file!r}", "").split()) or type(error).__name__
        raise BadRequest(f"{name} cannot be read as an image ({reason}): mend or remove it.") from error


def _plain(image, mode: str):
    """Eight bits a channel, without transparency."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        x, top = np.asarray(image), 1 if image.mode == "F" else 65535
        if not (x.min() >= 0 and x.max() <= top):  # not (...): NaN is refused as well
            raise ValueError(f"pixels run from {x.min()} to {x.max()}, and mode {image.mode} is read as 0 to {top}")
        image = Image.fromarray(np.rint(x * (255 / top)).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return image.convert(mode)
