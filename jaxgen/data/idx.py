"""Folders of idx files, the format of MNIST and its kin: `train-images-idx3-ubyte`, packed by gzip or not."""

import gzip
import math
import os
import struct
import zlib

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.data import Examples
from jaxgen.data.streams import check_room

IMAGES = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
LABELS = ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte")


def find(path: str) -> dict[str, str]:
    """The idx files of a folder by their name without `.gz`; of a file that is there twice, the unpacked one.

    Copies of MNIST also name them `train-images.idx3-ubyte`; the dash goes before the dot.

    >>> find("/nowhere")
    {}
    """
    files = {}
    for name in IMAGES + LABELS:
        dotted = name.replace("-idx", ".idx")
        for file in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
            there = os.path.join(path, file)
            if name not in files and os.path.isfile(there):
                files[name] = there
    return files


def read(path: str) -> Examples:
    """The images and labels of a folder of idx files: uint8 [N, H, W, 1], classes by the value of their labels.

    The t10k files are the test split. Without them the train files are divided; without labels there are none.

    Raises:
      BadRequest: a file missing beside the others, damaged, or of another format, shape or length.
    """
    files = find(path)
    wanted = [IMAGES[0], *(IMAGES[1:] if IMAGES[1] in files or LABELS[1] in files else ())]
    if any(name in files for name in LABELS):
        wanted += LABELS[: len(wanted)]
    missing = [name for name in wanted if name not in files]
    if missing:
        raise BadRequest(f"{path} holds idx files, and lacks {', '.join(missing)}: put what is missing beside them.")
    x = [_array(files[name], rank=3) for name in wanted if name in IMAGES]
    if x[0].shape[1:] != x[-1].shape[1:]:
        raise BadRequest(f"{path}: images of train have shape {x[0].shape[1:]}, those of t10k {x[-1].shape[1:]}.")
    images = np.concatenate(x)[..., None]
    official = np.repeat(np.array([0, 2], np.int8)[: len(x)], [len(a) for a in x])
    y = [_array(files[name], rank=1) for name in wanted if name in LABELS]
    for a, b, name in zip(x, y, LABELS, strict=False):
        if len(a) != len(b):
            raise BadRequest(f"{files[name]} holds {len(b)} labels for {len(a)} images: they are of different sets.")
    label: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    if y:
        values, inverse = np.unique(np.concatenate(y), return_inverse=True)
        label, classes = inverse.astype(np.int32), tuple(map(str, values))
    return Examples(len(images), images.__getitem__, label, classes, official=official)


def _array(path: str, rank: int) -> np.ndarray:
    """The array of an idx file of unsigned bytes: magic 0 0 8 rank, sizes as big-endian uint32, then the values."""
    try:
        packed = path.endswith(".gz")
        with (gzip.open if packed else open)(path, "rb") as file:
            head = file.read(4 + 4 * rank)
            if head[:4] != bytes((0, 0, 8, rank)):
                raise ValueError(f"it begins with {head[:4].hex() or 'nothing'}, not 000008{rank:02x}")
            shape = struct.unpack_from(f">{rank}I", head, 4)
            needed = math.prod(shape)
            there = needed if packed else os.path.getsize(path) - len(head)
            if there == needed:
                check_room(f"shape {shape}", needed)
                content = file.read(needed)  # no more, for a packed file may unpack to any size
                there = len(content) + len(file.read(1))
        if there != needed:
            more = "more" if packed and there > needed else str(there)
            raise ValueError(f"shape {shape} needs {needed} values, and {more} are there")
    except BadRequest as error:
        raise BadRequest(f"{path}: {error}") from error
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise BadRequest(f"{path} is damaged or no idx file ({reason}): put the original in its place.") from error
    if 0 in shape:
        raise BadRequest(f"{path} holds nothing: its shape is {shape}.")
    return np.frombuffer(content, np.uint8).reshape(shape)
