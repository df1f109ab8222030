"""Where data comes from: a known name, or a path. Nothing here touches a network."""

import difflib
import math
import os
from collections.abc import Callable, Iterable

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data import array_files, idx, image_folder
from jaxgen.data.data import Data
from jaxgen.data.divide import assemble
from jaxgen.data.embedded import EMBEDDED
from jaxgen.data.tfds import catalogue, records


def load(source: str, *, seed: int = 0, room: float = math.inf) -> Data:
    """The data set of a known name, or of a path: an `.npz` or `.npy` file, or a folder of images or of idx files.

    Known are the embedded sets and the image sets that TensorFlow Datasets (TFDS) has prepared on this machine. A known
    name wins over a file or folder of the same name: `./digits` is the folder. `array_files.read`, `image_folder.read`,
    `idx.read` and `records.read` say what each may hold. `seed` decides the splits, and the draws of `ring8`, `grid25`
    and `shapes`; a test split that the source names is kept. Images of an `.npy`, of a folder or of TFDS that take more
    than `room` bytes in memory are left on the disk, to be streamed; all else is loaded.

    Raises:
      BadRequest: neither a known name nor an existing path, a set of TFDS that is not prepared, or a path that holds no
        usable data.

    >>> data = load("ring8")
    >>> data.kind, data.shape, len(data.train.x), len(data.classes)
    ('points', (2,), 20000, 8)
    """
    source = os.fspath(source)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise BadRequest(f"the seed of the data is a whole number from 0 on, not {seed!r}.")
    if known := _known(source, room):
        data = known(seed)
        if os.path.exists(source):
            data = data._replace(notes=(*data.notes, f"the known data set; the path of that name is ./{source}."))
        return data
    path = os.path.expanduser(source)
    name = os.path.basename(os.path.abspath(path))
    if source and os.path.isdir(path):
        return assemble(
            name, "image", idx.read(path) if idx.find(path) else image_folder.read(path), seed=seed, room=room
        )
    if source and os.path.exists(path):
        kind, examples = array_files.read(path, room=room)
        return assemble(name, kind, examples, seed=seed, room=room)
    raise _nothing(source)


def names() -> tuple[str, ...]:
    """The known data sets: the embedded ones, then those that TFDS has prepared on this machine.

    >>> names()[:6]
    ('digits', 'shapes', 'shapes64', 'ring8', 'grid25', 'cancer')
    """
    return (*EMBEDDED, *catalogue.names())


def _known(source: str, room: float) -> Callable[[int], Data] | None:
    if source in EMBEDDED:
        return EMBEDDED[source]
    if place := catalogue.find(source):
        return lambda seed: assemble(source, "image", records.read(place), seed=seed, room=room)
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
