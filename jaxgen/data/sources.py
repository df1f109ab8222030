"""Where data comes from: a known name, or a path. Nothing here touches a network."""

import difflib
import math
import os
from collections.abc import Callable, Iterable

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data import array_files, idx, image_folder
from jaxgen.data.data import Data
from jaxgen.data.decode import check_size
from jaxgen.data.divide import assemble
from jaxgen.data.embedded import EMBEDDED
from jaxgen.data.resize import resized
from jaxgen.data.tfds import catalogue, records


def load(
    source: str | os.PathLike,
    *,
    seed: int = 0,
    room: float = math.inf,
    size: int | None = None,
    labels: str | os.PathLike | None = None,
) -> Data:
    """The data set of a known name, or of a path: an `.npz` or `.npy` file, or a folder of images or of idx files.

    Known are the embedded sets and the image sets that TensorFlow Datasets (TFDS) has prepared on this machine. A known
    name wins over a file or folder of the same name: `./digits` is the folder. `array_files.read`, `image_folder.read`,
    `idx.read` and `records.read` say what each may hold. `seed` decides the splits, and what `ring8`, `grid25`,
    `shapes` and `stacked_digits` draw; a test split that the source names is kept. Images of an `.npy`, of a folder or
    of TFDS that take more than `room` bytes in memory are left on the disk, to be streamed; all else is loaded.

    With `size` each image becomes a square of that many pixels a side: its centre square, resized with a box filter. A
    folder without it gets the shape that `decode.common_shape` says. `labels` names a file with the labels of the
    images of a folder (`label_file.of_images`).

    Raises:
      BadRequest: neither a known name nor an existing path, a set of TFDS that is not prepared, or a path that holds no
        usable data; a size outside 8 to 64, or of what are no images; labels of what is no folder of images.

    >>> data = load("ring8")
    >>> data.kind, data.shape, len(data.train.x), len(data.classes)
    ('points', (2,), 20000, 8)
    """
    source = os.fspath(source)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise BadRequest(f"the seed of the data is a whole number from 0 on, not {seed!r}.")
    size = None if size is None else check_size(size)
    data = _load(source, seed, room, size, None if labels is None else os.path.expanduser(os.fspath(labels)))
    return data if size is None else resized(data, size)


def _load(source: str, seed: int, room: float, size: int | None, labels: str | None) -> Data:
    """`load`, but that `size` counts for what is decoded alone."""
    if known := _known(source, room, size):
        if labels is not None:
            raise _not_labelled(source)
        data = known(seed)
        if os.path.exists(source):
            data = data._replace(notes=(*data.notes, f"the known data set; the path of that name is ./{source}."))
        return data
    path = os.path.expanduser(source)
    if not source or not os.path.exists(path):
        raise _nothing(source)
    name = os.path.basename(os.path.abspath(path))
    if os.path.isdir(path) and not idx.find(path):
        examples = image_folder.read(path, size=size, labels=labels, room=room)
        return assemble(name, "image", examples, seed=seed, room=room)
    if labels is not None:
        raise _not_labelled(source)
    kind, examples = ("image", idx.read(path)) if os.path.isdir(path) else array_files.read(path, room=room)
    return assemble(name, kind, examples, seed=seed, room=room)


def _not_labelled(source: str) -> BadRequest:
    return BadRequest(f"labels from a file are those of a folder of images, and {source} is none: leave them out.")


def names() -> tuple[str, ...]:
    """The known data sets: the embedded ones, then those that TFDS has prepared on this machine.

    >>> names()[:7]
    ('digits', 'shapes', 'shapes64', 'ring8', 'grid25', 'stacked_digits', 'cancer')
    """
    return (*EMBEDDED, *catalogue.names())


def _known(source: str, room: float, size: int | None) -> Callable[[int], Data] | None:
    if source in EMBEDDED:
        return EMBEDDED[source]
    if place := catalogue.find(source):
        return lambda seed: assemble(source, "image", records.read(place, size=size, room=room), seed=seed, room=room)
    return None


def _nothing(source: str) -> BadRequest:
    registered, (first, _, rest) = catalogue.registered(), source.partition("/")
    if first in catalogue.names():
        without = f", without a configuration {rest!r}" if rest else ""
        return BadRequest(f"no data {source!r}: {first!r} is prepared{without}. Leave out what comes after {first!r}.")
    if first in registered:
        return catalogue.unprepared(source)
    near = _beside(source, 1.0) or _near(source, names(), 0.6) or _beside(source, 0.7) or _near(source, registered, 0.7)
    hint = f"did you mean {near!r}? " if near else ""
    what = "no file or folder" if os.sep in source else "no data"
    return BadRequest(
        f"{what} {source!r}: {hint}Known are {', '.join(names())}; a path to a file or folder must exist."
    )


def _near(name: str, known: Iterable[str], least: float) -> str | None:
    return next(iter(difflib.get_close_matches(name.lower(), known, n=1, cutoff=least)), None)


def _beside(source: str, least: float) -> str | None:
    """The array file or folder beside the path `source` whose name without ending is the nearest to its own."""
    place, name = os.path.split(os.path.expanduser(source))
    if not name or not os.path.isdir(place or "."):
        return None
    entries = [entry for entry in catalogue.listed(place or ".") if entry[0] != "."]
    paths = {entry: os.path.join(place, entry) for entry in entries}
    stems = {
        os.path.splitext(entry)[0].lower(): path
        for entry, path in paths.items()
        if entry.lower().endswith((".npz", ".npy")) or os.path.isdir(path)
    }
    near = _near(os.path.splitext(name)[0], stems, least)
    return None if near is None else stems[near]
