"""Images that are in memory, or are read by position, as squares of another size: the rule by which files are read."""

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.data import Data
from jaxgen.data.decode import SIDES, check_size, nearest_side
from jaxgen.data.divide import finish, shared
from jaxgen.data.streams import Stored, digest, reader


def squares(x: np.ndarray, side: int) -> np.ndarray:
    """Images [N, H, W, C], uint8 or float32, as [N, side, side, C]: their centre squares, resized with a box filter.

    >>> squares(np.arange(16, dtype=np.uint8).reshape(1, 2, 8, 1), 1).ravel().tolist()  # of columns 3 and 4
    [8]
    """
    from PIL import Image

    short = min(x.shape[1:3])
    top, left = ((length - short) // 2 for length in x.shape[1:3])
    x = x[:, top : top + short, left : left + short]

    def one(i: int) -> np.ndarray:
        channels = [Image.fromarray(np.ascontiguousarray(x[i, ..., c])) for c in range(x.shape[-1])]
        return np.stack([np.asarray(each.resize((side, side), Image.Resampling.BOX)) for each in channels], -1)

    return reader(one, (side, side, x.shape[-1]), x.dtype)(np.arange(len(x)))


def resized(data: Data, size: int) -> Data:
    """The same data, each image a square of `size` pixels a side (`squares`), with a note and a digest of their own.

    Raises:
      BadRequest: data that are no images; a size that no network takes.

    >>> from jaxgen.data import load
    >>> data = resized(load("shapes64"), 8)
    >>> data.shape, data.notes
    ((8, 8, 1), ('64x64 images: centre square at 8x8.',))
    """
    size = check_size(size)
    if data.kind != "image":
        raise BadRequest(f"size={size} is the side of images, and {data.name} is a set of vectors: leave it out.")
    height, width, _ = data.shape
    if (height, width) == (size, size):
        return data
    stored = any(isinstance(split.x, Stored) for split in data.splits.values())
    old = set() if stored else set(shared(data))  # of other pixels
    train, valid, test = (split._replace(x=_resized(split.x, size)) for split in data.splits.values())
    notes = [note for note in data.notes if note not in old]
    notes.append(f"{height}x{width} images: centre square at {size}x{size}.")
    data = data._replace(train=train, valid=valid, test=test, notes=tuple(notes))
    return data._replace(digest=digest((train, valid, test))) if stored else finish(data)


def for_networks(data: Data) -> int | None:
    """The size for `resized` of images with a side above 64, which is more than networks take; None of other data.

    It is the side that a folder of such images gets.
    """
    if data.kind != "image" or max(data.shape[:2]) <= SIDES[-1]:
        return None
    return nearest_side(min(data.shape[:2]))


def _resized(x: np.ndarray | Stored, size: int) -> np.ndarray | Stored:
    if not isinstance(x, Stored):
        return squares(x, size)
    anew, shape = x.anew, (size, size, x.shape[-1])

    def both(at: np.ndarray):
        assert anew is not None
        images, label = anew(at)
        return squares(images, size), label

    return Stored(
        lambda at: squares(x[at], size), np.arange(len(x)), shape, x.dtype, anew=None if anew is None else both
    )
