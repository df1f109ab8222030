"""Image sets that TensorFlow Datasets (TFDS) has prepared, read without TensorFlow and without a network."""

import contextlib
import io
import math
import os
import shutil
import sys
import uuid
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.data import PARTS, Examples
from jaxgen.data.decode import Header, common_shape, decode, read_header
from jaxgen.data.streams import mapped
from jaxgen.data.tfds.catalogue import listed

KEPT = "jaxgen-1-{}.npy"  # the arrays of a set, beside its records; another number once another rule makes them
BLOCK = 1024  # records read at a time


class Arrays(NamedTuple):
    """The splits of a set one after another."""

    x: np.ndarray  # uint8 [N, H, W, C]
    label: np.ndarray  # int32 [N]; zeros where there are none
    notes: tuple[str, ...] = ()


def tfds() -> Any:
    """The module tensorflow_datasets. What it imports warns of its own future, which no user of ours can change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_datasets

        return tensorflow_datasets


def read(folder: str) -> Examples:
    """The images and labels of the prepared version in `folder`, in its own splits.

    The image is the feature `image`, or the only feature that is one; the label is the class label `label`, or the only
    one. `images.common_shape` and `images.decode` bring the images to one shape. The arrays are kept beside the records
    and read from there the next time. Splits other than train, validation and test are not used.

    Raises:
      BadRequest: not prepared as array_record, no such images, no train split, or damaged.
    """
    if not any(".array_record" in file for file in listed(folder)):
        raise BadRequest(
            f"{folder} holds no array_record, and other formats take TensorFlow to read: prepare the set anew in "
            "another folder (TFDS_DATA_DIR), with --file_format=array_record."
        )
    try:
        return _examples(folder, tfds().builder_from_directory(folder, file_format="array_record"))
    except (BadRequest, ImportError, MemoryError):
        raise
    except Exception as error:  # a damaged set fails in as many ways as TFDS and its readers have
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise BadRequest(f"{folder} cannot be read ({reason}): delete it, and prepare the set again.") from error


def _examples(folder: str, builder: Any) -> Examples:
    info = builder.info
    image, label = _features(folder, info.features)
    counts = {split: info.splits[split].num_examples for split in info.splits}
    used = sorted((split for split in counts if split in PARTS and counts[split]), key=PARTS.__getitem__)
    if not used or PARTS[used[0]] != 0:
        raise BadRequest(f"{folder} has no train split: there are {', '.join(counts) or 'none'}.")
    total = sum(counts[split] for split in used)
    found = _kept(folder, total)
    if found is None:
        with _beside(folder) as beside:
            found = _keep(folder, beside, _arrays(folder, beside, builder, used, total, image, label))
    notes = [_shape_note(total, found.x.shape[1:], info.features[image].shape), *found.notes]
    if unused := [split for split in counts if split not in PARTS]:
        notes.append(f"splits not used: {', '.join(unused)}.")
    labels, classes = (None, ()) if label is None else (found.label, tuple(info.features[label].names))
    if labels is not None and (labels < 0).any():
        labels, classes = None, ()
        notes.append("some labels are withheld by the source, so none is used.")
    official = np.repeat(np.array([PARTS[split] for split in used], np.int8), [counts[split] for split in used])
    return Examples(total, mapped(found.x), labels, classes, tuple(notes), official, found.x.shape[1:])


def _features(folder: str, features: Any) -> tuple[str, str | None]:
    """The names of the feature that is the image, and of the one that is the label."""
    kinds = tfds().features
    found = dict(features.items()) if isinstance(features, kinds.FeaturesDict) else {}

    def one(main: str, kind: type) -> str | None:
        those = [name for name, feature in found.items() if isinstance(feature, kind)]
        return main if main in those else those[0] if len(those) == 1 else None

    image = one("image", kinds.Image)
    if image is None or len(found[image].shape) != 3 or found[image].np_dtype == np.float32:
        raise BadRequest(f"{folder} is no set of plain images: its features are {', '.join(sorted(found)) or 'none'}.")
    return image, one("label", kinds.ClassLabel)


def _shape_note(total: int, shape: tuple[int, ...], told: tuple[int | None, ...]) -> str:
    height, width, channels = shape
    same = "of" if told[:2] == (height, width) else ", centre square at"
    return f"{total} images {same} {width}x{height}, {'grey' if channels == 1 else 'RGB'}.".replace(" ,", ",")


@contextlib.contextmanager
def _beside(folder: str) -> Iterator[str]:
    """A name for what is not whole yet, which no other process has; the file is gone at the end."""
    path = os.path.join(folder, KEPT.format(f"partial-{uuid.uuid4().hex}"))
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):  # it was renamed, or never made
            os.remove(path)


def _arrays(
    folder: str, beside: str, builder: Any, used: list[str], total: int, image: str, label: str | None
) -> Arrays:
    """Reads all records once, twice where only their headers tell the common shape."""
    print(f"reading {total} images of {builder.info.full_name}, once", file=sys.stderr, flush=True)
    features = builder.info.features
    images = [name for name, feature in features.items() if isinstance(feature, tfds().features.Image)]
    decoders = {name: tfds().decode.SkipDecoding() for name in images}
    sources = [builder.as_data_source(split, decoders=decoders) for split in used]
    if sum(map(len, sources)) != total:
        raise ValueError(f"{sum(map(len, sources))} records, and {total} are said to be there")
    height, width, channels = features[image].shape
    if None in (height, width, channels):
        headers = [read_header(io.BytesIO(record[image]), f"{folder}: image {i}") for i, record in _records(sources)]
    else:
        headers = [Header(width, height, channels == 1)]
    shape, _ = common_shape(headers)
    x, y = _blank(beside, (total, *shape)), np.zeros(total, np.int32)
    for i, record in _records(sources):
        x[i] = decode(io.BytesIO(record[image]), f"{folder}: image {i}", shape)
        y[i] = 0 if label is None else record[label]
    return Arrays(x, y)


def _records(sources: list[Any]) -> Iterator[tuple[int, Any]]:
    # __getitems__, for one record at a time takes three times as long; in blocks, for not all sets fit into memory.
    at = 0
    for source in sources:
        for start in range(0, len(source), BLOCK):
            for record in source.__getitems__(list(range(start, min(start + BLOCK, len(source))))):
                yield at, record
                at += 1


def _blank(beside: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array to fill: on the disk if there is space, for not all sets fit into memory."""
    with contextlib.suppress(OSError):
        # A mapped array on a disk that is full would kill the process.
        if shutil.disk_usage(os.path.dirname(beside)).free > 2 * math.prod(shape):
            return np.lib.format.open_memmap(beside, "w+", np.uint8, shape)
    return np.empty(shape, np.uint8)


def _keep(folder: str, beside: str, arrays: Arrays) -> Arrays:
    """Puts the arrays beside the records, each whole or not at all."""
    images, labels = (os.path.join(folder, KEPT.format(what)) for what in ("images", "labels"))
    try:
        with _beside(folder) as other:
            _save(other, labels, arrays.label)
        if isinstance(arrays.x, np.memmap):
            arrays.x.flush()
            os.replace(beside, images)
        else:
            _save(beside, images, arrays.x)
    except OSError as error:
        why = f"the arrays could not be kept in {folder} ({error.strerror}): reading takes as long the next time."
        return arrays._replace(notes=(why,))
    return arrays


def _save(beside: str, path: str, array: np.ndarray) -> None:
    with open(beside, "wb") as file:
        np.save(file, array)
    os.replace(beside, path)


def _kept(folder: str, total: int) -> Arrays | None:
    """What an earlier reading kept, the images on the disk until they are asked for; None: not there, or damaged."""
    images, labels = (os.path.join(folder, KEPT.format(what)) for what in ("images", "labels"))
    try:
        x, y = np.load(images, mmap_mode="r", allow_pickle=False), np.load(labels, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = (x.ndim, len(x), x.dtype, y.shape, y.dtype) == (4, total, np.uint8, (total,), np.int32)
    return Arrays(x, y) if fits else None
