"""Images, in files or in memory, brought to one shape."""

import io
import logging
import numbers
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.bare import bare
from jaxgen.system.silence import Silence

# What PIL logs of a damaged file would stand beside our one line; who configures logging still gets it.
logging.getLogger("PIL").addHandler(logging.NullHandler())

T = TypeVar("T")
# PIL's other readers are never tried on a user's files.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
RULE = 2  # another number once the pixels of some file are others than before
LARGE = 1 << 24  # pixels of an image beyond which no other such image is decoded at the same time
SIDES = (8, 16, 28, 32, 64)
DEPTHS = {255: 8, 4095: 12, 65535: 16}  # the largest number of a pixel that is kept in 16 bits, and what that says
TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM"}  # by EXIF orientation
SIDEWAYS = {5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}
TURNS |= SIDEWAYS
GREY = ("1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


class Header(NamedTuple):
    """What is known of an image before its pixels are read."""

    width: int
    height: int
    grey: bool
    deep: bool = False  # its pixels are integers of more than eight bits


class Unreadable(BadRequest):
    """An image that cannot be read."""

    def __init__(self, name: str, reason: str):
        """`name` of the image; `reason` is what the reader says."""
        super().__init__(f"{name} cannot be read as an image ({reason}): mend or remove it.")
        self.name, self.reason = name, reason


def check_size(size: Any) -> int:
    """The side of the square that images are brought to, as a plain int.

    Raises:
      BadRequest: no whole number from 8 to 64, which is what the networks take.
    """
    if isinstance(size, numbers.Integral) and not isinstance(size, bool) and SIDES[0] <= int(size) <= SIDES[-1]:
        return int(size)
    raise BadRequest(
        f"size={size!r}: images become squares of {SIDES[0]} to {SIDES[-1]} pixels a side, a whole number, for "
        "networks take no others."
    )


def read_header(file: str | IO[bytes], name: str) -> Header:
    """The header of an encoded image; `name` is what an error calls it.

    Raises:
      BadRequest: it cannot be read.
    """

    def header(image) -> Header:
        width, height = image.size
        # Turning changes the common shape only where images may keep theirs; for large PNGs asking costs a decoding.
        # The size of a TIFF is that of the turned image.
        if max(width, height) <= SIDES[-1] and image.format != "TIFF" and _turn(image) in SIDEWAYS:
            width, height = height, width
        return Header(width, height, image.mode in GREY, image.mode.startswith("I"))

    return _read(file, name, header)


def common_shape(headers: Sequence[Header], size: int | None = None) -> tuple[tuple[int, int, int], str]:
    """The shape (H, W, C) that all images get, and the rule in a line.

    With `size` it is a square of that side. Without, where all share one size with both sides in 8..64, they keep it;
    else it is a square whose side is the median of the shorter sides, rounded to the nearest of 8, 16, 28, 32 and 64
    (the smaller of two equally near). C is 1 where all are grey, else 3.

    >>> common_shape([Header(178, 218, False)] * 5)[0]
    (64, 64, 3)
    """
    widths, heights, greys, _ = map(np.array, zip(*headers, strict=True))
    channels, colour = (1, "grey") if greys.all() else (3, "RGB")
    width, height = int(widths[0]), int(heights[0])
    low, high = np.minimum(widths, heights), np.maximum(widths, heights)
    wanted = SIDES[0] <= low[0] and high[0] <= SIDES[-1] if size is None else (height, width) == (size, size)
    same = bool((widths == width).all() and (heights == height).all())
    if same and wanted:
        return (height, width, channels), f"{len(headers)} images of {height}x{width}, {colour}."
    side = nearest_side(np.median(low)) if size is None else size
    were = f" of {height}x{width}" if same else f", shorter side {low.min()} to {low.max()}"
    note = f"{len(headers)} images{were}: centre square at {side}x{side}, {colour}."
    return (side, side, channels), note


def rule(size: int | None) -> str:
    """What the pixels of a file depend on beside its content."""
    import PIL

    return f"{RULE} {PIL.__version__} {size}"


def nearest_side(side: float) -> int:
    """The nearest of 8, 16, 28, 32 and 64; the smaller of two equally near.

    >>> nearest_side(300), nearest_side(12)
    (64, 8)
    """
    return min(SIDES, key=lambda s: abs(s - side))


def depth(highest: int) -> tuple[int, str]:
    """The number that is white, of images whose pixels are integers of 16 bits, and the rule in a line.

    `highest` is the largest number in any of the images, so that their brightness stays comparable. White is the
    largest number of 8, 12 or 16 bits, whichever is the first to hold it: microscopes, X-ray detectors and cameras
    keep 12 bits in files of 16. What a file says of itself is not asked: `BitsPerSample` 16 of a TIFF is how numbers
    are kept, of one with 12 none is larger than 4095; PNG has numbers scaled up to 16 bits whatever its `sBIT`.

    >>> depth(4095)[0], depth(4096)[0]
    (4095, 65535)
    """
    top = next((top for top in DEPTHS if highest <= top), 65535)
    none = "" if top == 65535 else f", of which none is above {highest},"
    return top, f"pixels of 16 bits{none} read as {DEPTHS[top]}-bit: 0..{top}."


def highest(file: str | IO[bytes], name: str) -> int:
    """The largest number in an encoded image.

    Raises:
      BadRequest: it cannot be read.
    """
    return _read(file, name, lambda image: int(np.asarray(image).max()))


def decode(file: str | IO[bytes], name: str, shape: tuple[int, int, int], top: int = 65535) -> np.ndarray:
    """The pixels of an encoded image, uint8 of `shape`: cropped at its centre to a square, resized with a box filter.

    EXIF orientation is applied if it can be read, transparency put on white. Modes I and I;16 run from 0 to `top`,
    which `depth` tells, F from 0 to 1. Other metadata are not read where they are damaged or too large for Pillow.

    Raises:
      BadRequest: it cannot be read.
    """
    return _read(file, name, lambda image: _pixels(image, shape, top))


def _pixels(image, shape: tuple[int, int, int], white: int) -> np.ndarray:
    from PIL import Image

    height, width, channels = shape
    image.load()  # of a TIFF this turns it
    if (turn := _turn(image)) in TURNS:
        image = image.transpose(Image.Transpose[TURNS[turn]])
    if image.size != (width, height):
        short = min(image.size)
        left, top = (image.width - short) // 2, (image.height - short) // 2
        image = image.crop((left, top, left + short, top + short))
    image = _plain(image, "L" if channels == 1 else "RGB", white)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(image).reshape(shape)


_alone = threading.Lock()
_silenced = Silence()  # PIL warns of odd metadata, which no pixel depends on


def _read(file: str | IO[bytes], name: str, use: Callable[[Any], T]) -> T:
    """What `use` makes of the opened image; where that fails, of the image without its metadata."""
    from PIL import Image

    # By a handle, for PIL maps files that it is told by name, and then scrambles a TIFF that lies on its side.
    handle = file
    try:
        with _silenced(), open(file, "rb") if isinstance(file, str) else nullcontext(file) as handle:
            try:
                return _used(handle, use)
            except Image.DecompressionBombError as error:
                most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
                raise ValueError(f"more than the {most:,} pixels that Pillow reads: make it smaller") from error
            except Exception as error:
                handle.seek(0)
                if (content := bare(handle.read())) is None:
                    raise
                try:
                    return _used(io.BytesIO(content), use)
                except Exception:  # metadata were not the reason, or not alone
                    raise error from None
    except Exception as error:  # a damaged image fails in as many ways as PIL has readers
        said = (error.strerror if isinstance(error, OSError) else "") or str(error).replace(f" {handle!r}", "")
        reason = " ".join(said.split()) or type(error).__name__
        raise Unreadable(name, reason) from error


def _used(handle: IO[bytes], use: Callable[[Any], T]) -> T:
    from PIL import Image

    with Image.open(handle, formats=FORMATS) as image:
        # Each takes up to 30 bytes a pixel, and there are as many threads as cores.
        with _alone if image.width * image.height > LARGE else nullcontext():
            return use(image)


def _turn(image) -> Any:
    """The EXIF orientation; 1 if it says nothing that can be read, for metadata must not cost pixels."""
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # EXIF fails in as many ways as it is damaged
        return 1


def _plain(image, mode: str, top: int):
    """Eight bits a channel, without transparency."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        x, top = np.asarray(image), 1 if image.mode == "F" else top
        if not (x.min() >= 0 and x.max() <= top):  # not (...): NaN is refused as well
            raise ValueError(f"pixels run from {x.min()} to {x.max()}, and mode {image.mode} is read as 0 to {top}")
        image = Image.fromarray(np.rint(x * (255 / top)).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return image.convert(mode)
