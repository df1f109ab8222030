"""Image sets that TensorFlow Datasets (TFDS) has prepared, read without TensorFlow and without a network."""

import io
import math
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data import cache
from jaxgen.data.data import Examples, part_of
from jaxgen.data.decode import Header, common_shape, decode, read_header, rule
from jaxgen.data.decoded import once
from jaxgen.data.streams import mapped
from jaxgen.data.tfds.catalogue import listed
from jaxgen.system.bar import counted

BLOCK = 1024  # records read at a time


def tfds() -> Any:
    """The module tensorflow_datasets. What it imports warns of its own future, which no user of ours can change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_datasets

        return tensorflow_datasets


def read(folder: str, *, size: int | None = None, room: float = math.inf) -> Examples:
    """The images and labels of the prepared version in `folder`, in its own splits.

    The image is the feature `image`, or the only feature that is one; the label is the class label `label`, or the only
    one. `decode.common_shape`, with `size`, and `decode.decode` bring the images to one shape. The arrays are kept
    (`jaxgen.data.cache`) and read from there the next time. Splits other than train, validation and test are not used.

    Raises:
      BadRequest: not prepared as array_record, no such images, no train split, or damaged.
    """
    if not any(".array_record" in file for file in listed(folder)):
        raise BadRequest(
            f"{folder} holds no array_record, and other formats take TensorFlow to read: prepare the set anew in "
            "another folder (TFDS_DATA_DIR), with --file_format=array_record."
        )
    try:
        return _examples(folder, tfds().builder_from_directory(folder, file_format="array_record"), size, room)
    except (BadRequest, ImportError, MemoryError):
        raise
    except Exception as error:  # a damaged set fails in as many ways as TFDS and its readers have
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise BadRequest(f"{folder} cannot be read ({reason}): delete it, and prepare the set again.") from error


def _examples(folder: str, builder: Any, size: int | None, room: float) -> Examples:
    info = builder.info
    image, label = _features(folder, info.features)
    counts = {split: info.splits[split].num_examples for split in info.splits}
    parts = {split: part for split in counts if (part := part_of(split)) is not None}
    used = sorted((split for split in parts if counts[split]), key=parts.__getitem__)
    if not used or parts[used[0]] != 0:
        raise BadRequest(f"{folder} has no train split: there are {', '.join(counts) or 'none'}.")
    total = sum(counts[split] for split in used)
    x, y = _arrays(folder, builder, used, total, (image, label), size, room)
    notes = [_shape_note(total, x.shape[1:], info.features[image].shape)]
    if unused := [split for split in counts if split not in parts]:
        notes.append(f"splits not used: {', '.join(unused)}.")
    labels, classes = (None, ()) if label is None else (y, tuple(info.features[label].names))
    if labels is not None and (labels < 0).any():
        labels, classes = None, ()
        notes.append("some labels are withheld by the source, so none is used.")
    official = np.repeat(np.array([parts[split] for split in used], np.int8), [counts[split] for split in used])
    return Examples(total, mapped(x), labels, classes, tuple(notes), official, x.shape[1:])


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


def _arrays(
    folder: str,
    builder: Any,
    used: list[str],
    total: int,
    features: tuple[str, str | None],
    size: int | None,
    room: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The images uint8 [N, H, W, C] and labels int32 [N], zeros without any, of the splits one after another.

    All records are read once, twice where only their headers tell the common shape, and what they hold is kept.
    """
    key = _key(folder, size)
    if kept := cache.find(key, room=room):
        return kept.x, np.array(kept.about["label"], np.int32)
    image, label = features
    types = builder.info.features
    skipped = [name for name, feature in types.items() if isinstance(feature, tfds().features.Image)]
    decoders = {name: tfds().decode.SkipDecoding() for name in skipped}
    sources = [builder.as_data_source(split, decoders=decoders) for split in used]
    if sum(map(len, sources)) != total:
        raise ValueError(f"{sum(map(len, sources))} records, and {total} are said to be there")
    height, width, channels = types[image].shape
    if None in (height, width, channels):
        headers = [read_header(io.BytesIO(record[image]), f"{folder}: image {i}") for i, record in _records(sources)]
    else:
        headers = [Header(width, height, channels == 1)]
    shape, _ = common_shape(headers, size)
    y = np.zeros(total, np.int32)

    def fill(x: np.ndarray) -> dict[str, Any]:
        with counted(total, "reading") as passed:
            for i, record in _records(sources):
                x[i] = decode(io.BytesIO(record[image]), f"{folder}: image {i}", shape)
                y[i] = 0 if label is None else record[label]
                passed()
        return {"label": y.tolist()}

    x = once(f"reading {total:,} images of {builder.info.full_name}", key, (total, *shape), fill)
    assert x is not None
    return x, y


def _key(folder: str, size: int | None) -> str:
    """A key that changes with the files of a prepared set: their place, names, sizes and times; and with `size`."""
    files = [(name, os.stat(os.path.join(folder, name))) for name in listed(folder)]
    told = [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in files]
    return cache.key_of(["records", rule(size), os.path.realpath(folder), *told])


def _records(sources: list[Any]) -> Iterator[tuple[int, Any]]:
    # __getitems__, for one record at a time takes three times as long; in blocks, for not all sets fit into memory.
    at = 0
    for source in sources:
        for start in range(0, len(source), BLOCK):
            for record in source.__getitems__(list(range(start, min(start + BLOCK, len(source))))):
                yield at, record
                at += 1
