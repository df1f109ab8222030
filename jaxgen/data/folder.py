"""Folders of images, brought to one shape."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.splits import Examples

ENDINGS = ("png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # PIL's other readers are never tried on a user's files
SIDES = (8, 16, 28, 32, 64)
GREY = ("1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def read(path: str) -> Examples:
    """The images of a folder and of its sub-folders; the first-level sub-folder is the label.

    Images that lie in the folder itself have no labels; a folder with images both beside and inside sub-folders is
    refused. Read are png, jpg, jpeg, bmp, gif, webp, tif and tiff in any case, the first frame of each; hidden and
    other files are skipped and counted.

    One shape: where all images share one with both sides in 8..64, they keep it. Else each is cropped at its centre to
    a square and resized (box) to the median of the shorter sides, rounded to the nearest of 8, 16, 28, 32 and 64 (the
    smaller of two equally near). Grey if all are grey (modes 1, L, LA, I, I;16, F), else RGB; transparency on white;
    EXIF orientation applied. Modes I and I;16 run from 0 to 65535, F from 0 to 1.

    Headers are read first, pixels one image at a time into the uint8 result.

    Raises:
      BadRequest: no images, images at both levels, or an image that cannot be read, by name of the first.
    """
    found, notes = _find(path)
    if not found:
        skipped = f" ({notes[0].removesuffix('.')})" if notes else ""
        raise BadRequest(f"{path} holds no images{skipped}: read are {', '.join(ENDINGS)}.")
    label, classes = _labels(path, found)
    shape, said = _common([_header(file) for file in found])
    if classes:
        said.append(f"labels: the {len(classes)} sub-folders of the first level.")

    def decode(order):
        x = np.empty((len(order), *shape), np.uint8)
        for i, at in enumerate(order):
            x[i] = _decode(found[at], shape)
        return x

    return Examples(len(found), decode, label, classes, (*notes, *said))


def _find(path: str) -> tuple[list[str], list[str]]:
    """Image files in sorted order, so that the order of the file system decides nothing; and what was skipped."""
    found: list[str] = []
    skipped: Counter[str] = Counter()
    seen: set = set()

    def refuse(error):
        raise BadRequest(f"{error.filename} cannot be read: {error.strerror}.")

    for folder, below, names in os.walk(path, onerror=refuse, followlinks=True):
        skipped["hidden"] += sum(name.startswith(".") for name in below + names)
        seen.add(os.path.realpath(folder))
        # Linked folders are followed, except back to where the walk has been: that would never end.
        below[:] = sorted(b for b in below if b[0] != "." and os.path.realpath(os.path.join(folder, b)) not in seen)
        for name in (n for n in names if n[0] != "."):
            if os.path.splitext(name)[1][1:].lower() in ENDINGS:
                found.append(os.path.join(folder, name))
            else:
                skipped["not images"] += 1
    counts = ", ".join(f"{n} {what}" for what, n in skipped.items() if n)
    return sorted(found), [f"skipped: {counts}."] if counts else []


def _labels(path: str, found: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    firsts = [os.path.relpath(file, path).split(os.sep)[:-1][:1] for file in found]
    if not any(firsts):
        return None, ()
    if not all(firsts):
        loose = os.path.basename(found[firsts.index([])])
        raise BadRequest(f"{path} holds images beside and inside sub-folders: move {loose!r} and its like into one.")
    values, inverse = np.unique([first for (first,) in firsts], return_inverse=True)
    # A name that is not UTF-8 would fail later, where it is written into a report.
    return inverse.astype(np.int32), tuple(os.fsencode(str(v)).decode(errors="replace") for v in values)


@contextmanager
def _opened(file: str) -> Iterator:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL warns of odd metadata, which no pixel depends on
            with Image.open(file, formats=FORMATS) as image:
                yield image
    except BadRequest:
        raise
    except Exception as error:  # a damaged image fails in as many ways as PIL has readers
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadRequest(f"{file} cannot be read as an image ({reason}): mend or remove it.") from error


def _header(file: str) -> tuple[int, int, bool]:
    """Width, height and whether it is grey."""
    with _opened(file) as image:
        width, height = image.size
        # Turning changes the common shape only where images may keep theirs; for large PNGs asking costs a decoding.
        if max(width, height) <= SIDES[-1] and image.getexif().get(0x0112, 1) >= 5:
            width, height = height, width
        return width, height, image.mode in GREY


def _common(headers: list[tuple[int, int, bool]]) -> tuple[tuple[int, int, int], list[str]]:
    """The shape (H, W, C) that all images get, and the rule in a line."""
    widths, heights, greys = map(np.array, zip(*headers, strict=True))
    channels, colour = (1, "grey") if greys.all() else (3, "RGB")
    width, height = int(widths[0]), int(heights[0])
    low, high = np.minimum(widths, heights), np.maximum(widths, heights)
    if (widths == width).all() and (heights == height).all() and SIDES[0] <= low[0] and high[0] <= SIDES[-1]:
        return (height, width, channels), [f"{len(headers)} images of {width}x{height}, {colour}."]
    side = min(SIDES, key=lambda s: abs(s - np.median(low)))
    said = f"{len(headers)} images, shorter side {low.min()} to {low.max()}: centre square at {side}x{side}, {colour}."
    return (side, side, channels), [said]


def _decode(file: str, shape: tuple[int, int, int]) -> np.ndarray:
    from PIL import Image, ImageOps

    height, width, channels = shape
    with _opened(file) as image:
        ImageOps.exif_transpose(image, in_place=True)
        if image.size != (width, height):
            short = min(image.size)
            left, top = (image.width - short) // 2, (image.height - short) // 2
            image = image.crop((left, top, left + short, top + short))
        image = _plain(image, "L" if channels == 1 else "RGB")
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BOX)
        return np.asarray(image).reshape(shape)


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
