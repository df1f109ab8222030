"""Image files of a folder as one array: by all cores, all damaged ones named at once, and kept if that took long."""

import functools
import hashlib
import math
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data import cache
from jaxgen.data.decode import Unreadable, common_shape, decode, depth, highest, read_header, rule
from jaxgen.data.streams import each, mapped
from jaxgen.system.bar import counted

T = TypeVar("T")
LONG = 50e6  # bytes of files whose images are kept: 2 s for one core, which takes 9.6 ms for a JPEG of 230 kB
FILE = 6e3  # bytes that one more file counts for: with its header it takes 0.27 ms where it is a PNG of 3 kB
NAMED = 3  # damaged files that a message names


def pixels(
    path: str, images: Sequence[str], *, size: int | None = None, room: float = math.inf
) -> tuple[Callable[[np.ndarray], np.ndarray], tuple[int, int, int], list[str]]:
    """The images of files below `path`: what reads them by position, their one shape, and notes of what was done.

    `decode.common_shape` and `decode.decode` bring them to one shape, and `decode.depth` to eight bits. Headers are
    read at once, pixels once they are asked for. Where decoding takes long, the first call decodes all and keeps them
    (`jaxgen.data.cache`) under a key made of the contents of the files and of `size`; a later process reads
    neither headers nor pixels again. What takes more than `room` bytes and cannot be kept is decoded as it is asked
    for.

    Raises:
      BadRequest: images that cannot be read, all of them in one line; `read` too.
    """
    key = _key(images, size) if cache.folder() else None
    if key and (kept := cache.find(key, room=room)):
        return mapped(kept.x), tuple(kept.x.shape[1:]), list(kept.about["notes"])
    shape, top, notes = _settle(path, images, size)

    def decoded(at: np.ndarray, out: np.ndarray | None = None, passed: Callable[[], None] = lambda: None) -> np.ndarray:
        x = np.empty((len(at), *shape), np.uint8) if out is None else out

        def one(row: int) -> None:
            passed()
            x[row] = decode(images[at[row]], images[at[row]], shape, top)

        gathered(path, len(at), one)
        return x

    if key is None:
        return decoded, shape, notes

    @functools.lru_cache(1)
    def whole() -> np.ndarray | None:
        def fill(x: np.ndarray) -> dict[str, Any]:
            with counted(len(x), "decoding") as passed:
                decoded(np.arange(len(x)), x, passed)
            return {"notes": notes}

        return once(f"decoding {len(images):,} images of {path}", key, (len(images), *shape), fill, room=room)

    def read(at: np.ndarray) -> np.ndarray:
        return decoded(at) if (x := whole()) is None else mapped(x)(at)

    return read, shape, notes


def once(
    what: str, key: str, shape: tuple[int, ...], fill: Callable[[np.ndarray], dict[str, Any]], *, room: float = math.inf
) -> np.ndarray | None:
    """`cache.make`, and lines on stderr of what is done, where it is kept and how large it is, or why it is not."""
    place = cache.folder()
    where = f", once: {math.prod(shape) / 1e6:,.1f} MB are kept in {place}" if place else ""
    print(f"{what}{where}", file=sys.stderr, flush=True)
    kept, why = cache.make(key, shape, fill, room=room)
    if why:
        print(f"could not be kept, so it takes as long the next time ({why})", file=sys.stderr, flush=True)
    return kept


def _key(images: Sequence[str], size: int | None) -> str | None:
    """A key that changes with the content of any file, their order, the size, and what decodes.

    None if decoding takes no time, by the number and the size of the files alone, or if one cannot be read, which is
    then named like all others.
    """

    contents = [b""] * len(images)

    def look(rows: range) -> None:
        for i in rows:
            with open(images[i], "rb") as file:
                contents[i] = hashlib.file_digest(file, "sha256").digest()

    try:
        if sum(FILE + os.path.getsize(file) for file in images) <= LONG:
            return None
        each(look, len(images))
        return cache.key_of(["images", rule(size), *contents])
    except OSError:
        return None


def _settle(path: str, images: Sequence[str], size: int | None) -> tuple[tuple[int, int, int], int, list[str]]:
    """The shape of all images, the number that is white in those of 16 bits, and notes of both."""
    headers = gathered(path, len(images), lambda i: read_header(images[i], images[i]))
    shape, note = common_shape(headers, size)
    deep = [file for file, header in zip(images, headers, strict=True) if header.deep]
    if not deep:
        return shape, 65535, [note]
    enough = threading.Event()  # more than 12 bits decide already

    def look(i: int) -> int:
        most = 0 if enough.is_set() else highest(deep[i], deep[i])
        if most > 4095:
            enough.set()
        return most

    most = max(gathered(path, len(deep), look))
    top, said = depth(most)
    return shape, top, [note, said]


def gathered(path: str, n: int, one: Callable[[int], T]) -> list[T]:
    """[one(0), ..., one(n - 1)], by several threads.

    Raises:
      BadRequest: one line that names the images that cannot be read, relative to `path` if they are several.
    """
    found: dict[int, T] = {}
    bad: list[Unreadable] = []

    def fill(rows: range) -> None:
        for i in rows:
            try:
                found[i] = one(i)
            except Unreadable as error:
                bad.append(error)

    each(fill, n)
    if len(bad) == 1:
        raise bad[0]
    if bad:
        first = sorted(bad, key=lambda error: error.name)[:NAMED]
        names = ", ".join(f"{os.path.relpath(error.name, path)} ({error.reason})" for error in first)
        more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        raise BadRequest(f"{path}: {len(bad)} images cannot be read: {names}{more}: mend or remove them.")
    return [found[i] for i in range(n)]
