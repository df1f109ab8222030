"""Decoded images kept on the disk under a key that names their content, so that they are decoded once.

They lie in `$XDG_CACHE_HOME/jaxgen`, else `~/.cache/jaxgen`; `JAXGEN_CACHE` names another folder, or is `off`. What
lies there may be deleted at any time. Several processes may keep the same images at once: they write the same.
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgen.system import files

OFF = "off"
PARTIAL = ".partial-"  # how the name of what is being filled begins
OLD = 86_400  # seconds


class Kept(NamedTuple):
    """Images, and what is known of them besides."""

    x: np.ndarray  # uint8 [N, H, W, C]; mapped from the disk if they are kept
    about: dict[str, Any]  # whatever JSON takes


def folder() -> Path | None:
    """Where decoded images are kept; None if the user wants none kept, or has no home directory."""
    if (named := os.environ.get("JAXGEN_CACHE")) is not None and named.strip().lower() == OFF:
        return None
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    place = files.expanded(named or os.path.join(home, "jaxgen"))
    return None if place.parts[:1] == ("~",) else place  # a container's user may have no home


def key_of(parts: Iterable[bytes | str]) -> str:
    """A key that names what its parts say, in their order.

    >>> key_of(["a", "b"])[:8] == key_of([b"a", b"b"])[:8], key_of(["ab"]) == key_of(["a", "b"])
    (True, False)
    """
    sha = hashlib.sha256()
    for part in parts:
        content = os.fsencode(part)
        sha.update(len(content).to_bytes(8, "little") + content)
    return sha.hexdigest()[:40]


def find(key: str, *, room: float = math.inf) -> Kept | None:
    """What is kept under a key; None if there is nothing, or it is damaged.

    Images that take more than `room` bytes are not compared with their digest, for that would read all of them.
    """
    place = folder()
    if place is None:
        return None
    try:
        about = files.read_json((place / f"{key}.json").read_bytes())
        x = np.load(place / f"{key}.npy", mmap_mode="r", allow_pickle=False)
        if x.dtype != np.uint8 or list(x.shape) != about["shape"] or not isinstance(about["about"], dict):
            return None
        if about["seal"] != _seal(about["about"]) or (x.nbytes <= room and about["sha256"] != _digest(x)):
            return None
        return Kept(x, about["about"])
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None


def make(
    key: str, shape: tuple[int, ...], fill: Callable[[np.ndarray], dict[str, Any]], *, room: float = math.inf
) -> tuple[np.ndarray | None, str | None]:
    """Fills an array uint8 of `shape` and keeps it; and why it could not be kept, or None.

    `fill(x) -> about` writes all of x. If nothing can be kept x is filled in memory, unless it takes more than `room`
    bytes: then it is not filled at all, and None in its place.
    """
    place = folder()
    beside = None if place is None else place / f"{PARTIAL}{uuid.uuid4().hex}"
    x, why = (None, None) if beside is None else _blank(beside, shape)
    try:
        if x is None or place is None or beside is None:
            if math.prod(shape) > room:
                return None, why
            unkept = np.empty(shape, np.uint8)
            fill(unkept)
            return unkept, why
        about = fill(x)
        try:
            x.flush()
            os.replace(beside, place / f"{key}.npy")
            # The last: without it nothing is there.
            files.write_json(
                place / f"{key}.json",
                {"shape": list(shape), "sha256": _digest(x), "seal": _seal(about), "about": about},
            )
        except OSError as error:
            why = _reason(place, error)
        return x, why
    finally:
        if beside is not None:
            with contextlib.suppress(OSError):  # it was renamed, or never made
                beside.unlink()


def _blank(beside: Path, shape: tuple[int, ...]) -> tuple[np.memmap | None, str | None]:
    """An array on the disk to be filled, or why there is none."""
    place, size = beside.parent, math.prod(shape)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)  # copies of images that others may not be meant to read
        _sweep(place)
        if (free := shutil.disk_usage(place).free) < 2 * size:
            return None, f"{place} has {free / 1e6:,.0f} MB free"
        os.close(os.open(beside, os.O_CREAT | os.O_WRONLY, 0o600))
        x = np.lib.format.open_memmap(beside, "w+", np.uint8, shape)
        if hasattr(os, "posix_fallocate"):  # a mapped file that outgrows a disk or a quota would kill the process
            with open(beside, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        return x, None
    except OSError as error:
        return None, _reason(place, error)


def _sweep(place: Path) -> None:
    """Removes what a killed process left more than a day ago: nothing else names it."""
    for left in place.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):  # another process may have been faster
            if time.time() - left.stat().st_mtime > OLD:
                left.unlink()


def _reason(place: Path, error: OSError) -> str:
    return f"{place}: {error.strerror or type(error).__name__}"


def _seal(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _digest(x: np.ndarray) -> str:
    return hashlib.sha256(x.reshape(-1).data).hexdigest()
