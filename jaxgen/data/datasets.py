"""Data sets of Python with random access, such as a `grain.MapDataset`, as data that are streamed."""

from typing import Any

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.data import Data, Split
from jaxgen.data.streams import Stored, digest, pool, reader


def of_dataset(dataset: Any, *, label: Any = None, classes: tuple[str, ...] = (), name: str = "dataset") -> Data:
    """A data set with random access as data, of which all is trained on: a `grain.MapDataset` of one epoch.

    Items are x, (x, label) or {"x": ..., "label": ...}: x uint8 or float32, [H, W, C] or [D], all of one shape; a label
    a whole number. They are read by several threads, again in each epoch; of a MapDataset without `label`, position i
    of epoch e is `dataset[e * len(dataset) + i]`, so that its `random_map` and `shuffle` draw anew in each.

    Args:
      dataset: whatever has a length and is indexed by position.
      label: int [N], if the items hold none, or to spare a pass over all of them.
      classes: the names of the labels; by default the numbers.
      name: of the data.

    Raises:
      BadRequest: no random access, an endless or empty data set, items of another kind.
    """
    total = _length(dataset)
    x, found = _item(dataset, 0)
    kinds = {np.dtype(np.uint8), np.dtype(np.float32)}
    if x.dtype not in kinds or x.ndim not in (1, 3) or x.size == 0:
        raise BadRequest(f"items of a data set are uint8 or float32, [H, W, C] or [D], not {x.dtype}{list(x.shape)}.")

    def one(i: int) -> tuple[np.ndarray, Any]:
        item, its_label = _item(dataset, i)
        if (item.shape, item.dtype) != (x.shape, x.dtype):
            raise BadRequest(
                f"item {i} of the data set is {item.dtype}{list(item.shape)}, and item 0 {x.dtype}{list(x.shape)}: "
                "bring them to one shape."
            )
        return item, its_label

    def items(at: np.ndarray) -> tuple[np.ndarray, Any]:
        labels = None if found is None else np.empty(len(at), np.int32)

        def both(row: int) -> np.ndarray:
            item, its_label = one(int(at[row]))
            if labels is not None:
                labels[row] = _whole(its_label, int(at[row]), len(classes))
            return item

        return reader(both, x.shape, x.dtype)(np.arange(len(at))), labels

    anew = items if label is None and _counts_on(dataset) else None
    if label is None and found is not None:
        label = list(pool().map(lambda i: _whole(_item(dataset, i)[1], i), range(total)))
    if label is not None:
        label = np.asarray(label)
        if label.shape != (total,) or label.dtype.kind not in "iu" or label.min() < 0:
            raise BadRequest(
                f"the labels of a data set are whole numbers from 0 on, one for each of its {total} items."
            )
        label = label.astype(np.int32)
        classes = classes or tuple(map(str, range(label.max() + 1)))
        if label.max() >= len(classes):
            raise BadRequest(f"label {label.max()} has no name: there are {len(classes)} classes.")
    read = reader(lambda i: one(i)[0], x.shape, x.dtype)
    whole = Stored(read, np.arange(total), x.shape, x.dtype, anew=anew)
    none = Split(whole.part(slice(0)), None if label is None else label[:0])
    train = Split(whole, label)
    kind = "image" if x.ndim == 3 else "points" if x.shape == (2,) else "table"
    named = classes if label is not None else ()
    return Data(name, kind, train, none, none, named, None, None, digest((train, none, none)), ())


def _length(dataset: Any) -> int:
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise BadRequest(
            f"{type(dataset).__name__} cannot be read by position: pass a grain.MapDataset, without to_iter_dataset()."
        )
    total = len(dataset)
    if not 0 < total < 2**31:
        what = "none" if not total else "no end"
        raise BadRequest(f"the data set has {what} of items: pass one epoch of it, without repeat().")
    return total


def _item(dataset: Any, i: int) -> tuple[np.ndarray, Any]:
    """x and the label, or None, of an item."""
    item = dataset[i]
    if isinstance(item, dict):
        if "x" not in item:
            raise BadRequest(f"items of a data set are {{'x': ..., 'label': ...}}, and item {i} has {', '.join(item)}.")
        return np.asarray(item["x"]), item.get("label")
    if item is None:
        raise BadRequest(
            f"item {i} of the data set is None, as filter() leaves it: filter before it becomes a MapDataset."
        )
    x, label = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
    return np.asarray(x), label


def _whole(label: Any, i: int, classes: int = 2**31) -> int:
    label = np.asarray(label)
    if label.shape not in ((), (1,)) or label.dtype.kind not in "iu" or not 0 <= label < classes:
        raise BadRequest(
            f"the label of item {i} is {label}: it must be a whole number from 0 on, the same classes ever."
        )
    return int(label.reshape(()))


def _counts_on(dataset: Any) -> bool:
    """Whether positions beyond the length are those of later epochs, as of a `grain.MapDataset`."""
    return any(base.__module__.startswith("grain") and base.__name__ == "MapDataset" for base in type(dataset).__mro__)
