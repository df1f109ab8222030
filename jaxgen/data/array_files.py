"""Arrays in .npz and .npy files: which of them are the examples, which the labels, and which split is which."""

import math
import os
import zipfile
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxgen.core import BadRequest, one_line
from jaxgen.data import arrays
from jaxgen.data.data import Examples, part_of
from jaxgen.data.streams import check_room, mapped

IMAGES = ("x", "images", "data", "X")
SAID = 300  # characters of what NumPy says of a damaged file, which may repeat all of its header
HEADER = 10_000  # bytes of the header of an array that NumPy reads
BLOCK = 1024  # images looked at at a time where they do not fit in memory
LABELS = ("y", "labels", "label", "target", "Y")


class Content(NamedTuple):
    """What a file holds, before it is looked at."""

    x: Any
    label: Any  # None where there are no labels
    notes: tuple[str, ...] = ()
    official: np.ndarray | None = None  # as in `Examples`


def read(path: str, *, room: float = math.inf) -> tuple[str, Examples]:
    """The kind ("image" or "table") and the examples of an array file.

    An `.npz` holds the examples under `x`, `images`, `data` or `X` (or as its only other array) and may hold labels
    under `y`, `labels`, `label`, `target` or `Y`; or all that split by split, as `x_train`, `y_train`, `x_test`,
    `y_test` or `train_images`, `train_labels`, `val_images` ... An `.npy` holds examples. `[N, D]` is a table,
    `[N, H, W]` and `[N, H, W, C]` are images. A table holds finite numbers. Images hold 0..255; floats up to 1 and
    integers up to 1 are taken as fractions of 255 and rounded. Labels `[N]` or `[N, 1]` are whole numbers or strings,
    also as UTF-8 bytes; the classes are their sorted values.

    Images in an `.npy` that would take more than `room` bytes in memory are read from the disk as they are asked for.

    Raises:
      BadRequest: another ending, a damaged file, Python objects, unknown keys, another rank or range, channels before
        pixels, NaN or infinite values, labels of another length or kind, splits that differ in shape or kind.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in (".npz", ".npy"):
        text = " Save a table of numbers by numpy.savez('a.npz', x=rows, y=labels)." if _is_text(path) else ""
        raise BadRequest(f"{path} is not read: pass an .npz or .npy file, or a folder of images.{text}")
    if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would wait for its writer
        raise BadRequest(f"{path} is no plain file: save the arrays in one.")
    if ending == ".npy" and (mapping := _mapped(path, room)) is not None:
        return "image", mapping
    x, label, notes, official = _open(path, ending == ".npz")
    return arrays.examples(path, x, label, notes=notes, official=official)


def _is_text(path: str) -> bool:
    return path.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".txt"))


def _mapped(path: str, room: float) -> Examples | None:
    """The images of a file that do not fit in memory; None: they do, or `read` has something to say of them."""
    try:
        with open(path, "rb") as file:
            _needed(file, os.path.getsize(path))
        x = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # as many as NumPy's header parser has
        return None
    if not isinstance(x, np.ndarray) or x.ndim not in (3, 4) or x.dtype.kind not in "biuf" or x.size <= room:
        return None
    x, low, high = arrays.with_channels(path, x), np.inf, -np.inf
    for i in range(0, len(x), BLOCK):
        block = np.asarray(x[i : i + BLOCK])
        arrays.check_finite(f"{path}, from example {i} on", block)
        low, high = min(low, block.min()), max(high, block.max())
        if x.dtype == np.uint8 and high > 1:
            break  # they are pixels of eight bits, whatever follows
    convert, notes = arrays.as_pixels(path, x.dtype, low, high)
    return Examples(len(x), mapped(x, convert), None, (), tuple(notes), None, x.shape[1:])


def _open(path: str, zipped: bool) -> Content:
    try:
        with open(path, "rb") as file:
            if not zipped:
                check_room(path, _needed(file, os.path.getsize(path)))
                file.seek(0)
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray) == zipped:
                raise BadRequest(f"{path} is {'one array: name it .npy' if zipped else 'an archive: name it .npz'}.")
            return _members(path, loaded) if zipped else Content(loaded, None)
    except (BadRequest, MemoryError):
        raise
    except Exception as error:  # a damaged file fails in as many ways as zip, zlib and NumPy's header parser have
        if "allow_pickle" in str(error):
            reason = _objects(path)
        else:
            said = " ".join(str(error).split()) or type(error).__name__
            reason = f"damaged or unreadable ({said[:SAID]})"
        raise BadRequest(f"{path}: {reason}.") from error


def _objects(path: str) -> str:
    """What to say of a file that NumPy would only read by unpickling it: which of its arrays holds objects."""
    general = "it is no NumPy file, or it holds Python objects, which are never loaded: save plain numbers"
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    np.lib.format.read_magic(member)
                    if np.lib.format.read_array_header_1_0(member)[2].hasobject:
                        key = name.removesuffix(".npy")
                        return (
                            f"{key} holds Python objects, which are never loaded: save plain numbers, or strings as "
                            f"{key}.astype(str)"
                        )
    except Exception:  # one array, or damaged
        return general
    return general


def _needed(file: Any, size: int) -> int:
    """The bytes that an array takes by its header, once it is known that a file of `size` bytes holds as many.

    0 of another kind of file, which NumPy has something to say of, and of Python objects.

    Raises:
      ValueError: it is cut short, or its header lies.
    """
    prefix = np.lib.format.MAGIC_PREFIX
    head = file.read(len(prefix) + 2)
    if head[:-2] != prefix:
        return 0
    first = head[-2] == 1
    length = file.read(2 if first else 4)
    if int.from_bytes(length, "little") > HEADER:  # NumPy would read it all to refuse it
        raise ValueError(f"its header takes more than {HEADER} bytes")
    file.seek(len(head))
    header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if dtype.hasobject:
        return 0
    if not dtype.itemsize:  # NumPy divides by it where it maps a file, and the process would end
        raise ValueError(f"items of type {dtype.str} hold nothing")
    needed, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if needed > there:
        raise ValueError(f"{dtype} of shape {shape} takes {needed} bytes, and {there} are there")
    return needed


def _checked(path: str, archive: Any, key: str) -> np.ndarray:
    """A member of an archive, once it is known that it is an array and has room in memory."""
    info = archive.zip.NameToInfo.get(f"{key}.npy") or archive.zip.getinfo(key)
    with archive.zip.open(info) as member:
        check_room(f"{path}: {key}", max(info.file_size, _needed(member, info.file_size)))
    if not isinstance(array := archive[key], np.ndarray):
        raise ValueError(f"{key} is no array")
    return array


def _members(path: str, archive: Any) -> Content:
    keys = archive.files
    if doubled := [key for key, count in Counter(keys).items() if count > 1]:
        raise BadRequest(f"{path} holds {doubled[0]} several times: save it again, each array once.")
    key, label = _one(path, keys, IMAGES), _one(path, keys, LABELS)
    if key is None and label is None and any(_split(k) == (0, False) for k in keys):
        return _splits(path, archive)
    rest = [k for k in keys if k not in (key, label)]
    if key is None:
        if len(rest) != 1:
            raise BadRequest(
                f"{path} holds {', '.join(keys) or 'nothing'}: call the examples x, and the labels y; or x_train, "
                "y_train, x_test, y_test."
            )
        key = rest.pop()
    x = _checked(path, archive, key)
    return Content(x, None if label is None else _checked(path, archive, label), _unused(rest))


def _splits(path: str, archive: Any) -> Content:
    """One after the other what stands split by split, with labels in each split or in none."""
    by: dict[tuple[int, bool], str] = {}
    for key in archive.files:
        if (named := _split(key)) in by:
            raise BadRequest(f"{path} holds {by[named]} and {key}, which mean the same here: keep one.")
        if named is not None:
            by[named] = key
    parts = sorted(part for part, is_label in by if not is_label)
    labelled = sorted(part for part, is_label in by if is_label)
    if labelled not in ([], parts):
        raise BadRequest(f"{path} holds {', '.join(by.values())}: give labels with each split, or with none.")
    x, sizes = _joined(path, {by[part, False]: _checked(path, archive, by[part, False]) for part in parts})
    label = None
    if labelled:
        label, counts = _joined(path, {by[part, True]: _checked(path, archive, by[part, True]) for part in parts})
        if counts != sizes:
            raise BadRequest(f"{path}: splits of {sizes} examples have {counts} labels, and each needs one.")
    rest = [key for key in archive.files if key not in by.values()]
    return Content(x, label, _unused(rest), np.repeat(np.array(parts, np.int8), sizes))


def _joined(path: str, splits: Mapping[str, np.ndarray]) -> tuple[np.ndarray, list[int]]:
    """All splits in one array, and their lengths."""
    # Signed or not is one kind: arrays of small integers are often saved as either.
    kinds = {(a.dtype.kind.replace("u", "i"), a.shape[1:]) if a.ndim else None for a in splits.values()}
    if len(kinds) > 1 or None in kinds or any(len(a) and not a.size for a in splits.values()):
        dtypes = ", ".join(f"{key} is {a.dtype} {a.shape}" for key, a in splits.items())
        raise BadRequest(f"{path}: {dtypes}: save all splits alike.")
    return np.concatenate(list(splits.values())), [len(a) for a in splits.values()]


def _split(key: str) -> tuple[int, bool] | None:
    """The place in `NAMES` and whether it is labels, of a name that says so, such as x_train or train_labels."""
    words = key.split("_")
    for part, role in (words, words[::-1]) if len(words) == 2 else ():
        if (split := part_of(part)) is not None and role in (*IMAGES, *LABELS):
            return split, role in LABELS
    return None


def _unused(rest: list[str]) -> tuple[str, ...]:
    return (one_line(f"arrays not used: {', '.join(rest)}."),) if rest else ()


def _one(path: str, keys: list[str], known: tuple[str, ...]) -> str | None:
    present = [k for k in known if k in keys]
    if len(present) > 1:
        raise BadRequest(f"{path} holds {' and '.join(present)}, which mean the same here: keep one.")
    return present[0] if present else None
