"""What arrays mean as data: which shapes and values are images, tables and labels; in files and in Python alike."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.data import Data, Examples, Split, class_names, subset
from jaxgen.data.decode import depth
from jaxgen.data.divide import digest
from jaxgen.data.frames import as_array, label_array

FAR = 100.0  # from unit scale, beyond which the columns of an array are not what rates and networks are made for


def check_finite(name: str, x: np.ndarray) -> None:
    """Refuses NaN and infinity; `name` is what an error calls the array, here and below.

    Raises:
      BadRequest: says how many and where.
    """
    if x.dtype.kind == "f":
        bad = ~np.isfinite(x)
        if bad.any():
            first = tuple(map(int, np.unravel_index(bad.argmax(), x.shape)))
            raise BadRequest(
                f"{name}: {int(bad.sum())} values are NaN or infinite, the first at {first}: mend or drop them."
            )


def with_channels(name: str, x: np.ndarray) -> np.ndarray:
    """Images [N, H, W] or [N, H, W, C] as the latter.

    Raises:
      BadRequest: they look like [N, C, H, W].
    """
    if x.ndim == 4 and x.shape[1] in (1, 3, 4) and min(x.shape[2:]) > 4:
        raise BadRequest(
            f"{name}: images are [N, H, W, C], and {x.shape} looks like [N, C, H, W]: save x.transpose(0, 2, 3, 1)."
        )
    return x if x.ndim == 4 else x[..., None]


def pixels(name: str, x: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Images as uint8 [N, H, W, C], and notes of what was done to them.

    Raises:
      BadRequest: neither 0 to 1 nor 0 to 255; as `with_channels`.
    """
    x = with_channels(name, x)
    convert, notes = as_pixels(name, x.dtype, x.min(), x.max())
    return convert(x), notes


def as_pixels(name: str, dtype: Any, low: Any, high: Any) -> tuple[Callable[[np.ndarray], np.ndarray], list[str]]:
    """What makes uint8 pixels of numbers of `dtype` from `low` to `high`, and notes of what that does.

    Integers of 16 bits above 255 are read by the rule of files (`decode.depth`): as 12-bit if none is above 4095.

    Raises:
      BadRequest: neither 0 to 1 nor 0 to 255.
    """
    if dtype.kind in "iu" and dtype.itemsize == 2 and low >= 0 and high > 255:
        top, note = depth(int(high))
        return lambda x: np.rint(x * (255 / top)).astype(np.uint8), [note]
    if low < 0 or high > 255 or (dtype.kind == "f" and 1 < high < 2):
        raise BadRequest(
            f"{name}: pixels run from {low:.6g} to {high:.6g}; 0 to 1 or 0 to 255 are allowed: rescale or clip."
        )
    if high <= 1:
        notes = [f"pixels 0..1 ({dtype}) taken times 255, rounded."]
        return lambda x: np.rint(x * np.float64(255)).astype(np.uint8), notes
    if dtype == np.uint8:
        return lambda x: x, []
    return lambda x: np.rint(x).astype(np.uint8), [f"pixels 0..255 ({dtype}) rounded to whole numbers."]


def labels(name: str, label: np.ndarray, n: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of `n` examples as int32 [n], positions in the classes; and these.

    Raises:
      BadRequest: another length or kind.
    """
    if isinstance(label, np.ndarray) and label.ndim == 2 and len(label) == n and label.shape[1] > 1:
        raise BadRequest(
            f"{name}: labels have {label.shape[1]} columns, {label.shape}: keep one of them, such as y[:, 0]; of "
            "one-hot labels save y.argmax(1); or leave the labels out."
        )
    if not isinstance(label, np.ndarray) or label.shape not in ((n,), (n, 1)):
        raise BadRequest(f"{name}: labels have shape {getattr(label, 'shape', None)}, and ({n},) is needed, one each.")
    label = label.reshape(n)
    if label.dtype.kind == "S":
        try:
            label = np.char.decode(label, "utf-8")
        except UnicodeDecodeError as error:
            raise BadRequest(f"{name}: labels are bytes that are no UTF-8: save whole numbers or strings.") from error
    if label.dtype.kind == "f":
        whole = np.isfinite(label) & (label == np.rint(label))
        if not whole.all():
            first = int((~whole).argmax())
            raise BadRequest(f"{name}: label {first} is {label[first]}; labels are whole numbers or strings.")
    elif label.dtype.kind not in "biuU":
        missing = [i for i, value in enumerate(label.tolist()) if _is_missing(value)]
        if missing:
            raise BadRequest(f"{name}: label {missing[0]} is missing: fill it in, or drop its example.")
        raise BadRequest(
            f"{name}: labels are {label.dtype}; they are whole numbers or strings: hand in y.astype(str), or "
            "y.astype(int)."
        )
    values, inverse = np.unique(label, return_inverse=True)
    try:
        classes = class_names([str(int(v) if label.dtype.kind == "f" else v) for v in values])
    except (ValueError, SystemError) as error:  # a number that is no character, in a damaged file
        raise BadRequest(f"{name}: labels are damaged strings ({error}): save whole numbers or strings.") from error
    return inverse.astype(np.int32), classes


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # as pandas.NA is compared
        return True
    except ValueError:  # an array
        return False


def examples(
    name: str, x: Any, label: Any, *, notes: tuple[str, ...] = (), official: np.ndarray | None = None
) -> tuple[str, Examples]:
    """The kind ("image" or "table") of arrays, and them as examples that are to be divided.

    Args:
      name: what an error calls them.
      x: [N, D], [N, H, W] or [N, H, W, C], as `array_files.read` says.
      label: [N] or [N, 1], or None.
      notes: what was done to them before.
      official: as in `Examples`.

    Raises:
      BadRequest: no numbers, another rank, not finite; pixels or labels of another range, length or kind.
    """
    if not (isinstance(x, np.ndarray) and x.dtype.kind in "biuf"):
        raise BadRequest(f"{name}: the examples are {getattr(x, 'dtype', 'no array')}, and numbers are needed.")
    if x.ndim not in (2, 3, 4) or x.size == 0:
        raise BadRequest(
            f"{name}: the examples have shape {x.shape}: save a table as [N, D], images as [N, H, W] or [N, H, W, C], "
            "with at least one of each."
        )
    check_finite(name, x)
    classes: tuple[str, ...] = ()
    if label is not None:
        label, classes = labels(name, label, len(x))
    if x.ndim == 2:
        return "table", Examples(len(x), x.__getitem__, label, classes, notes, official)
    x, more = pixels(name, x)
    return "image", Examples(len(x), x.__getitem__, label, classes, (*notes, *more), official)


def for_training(x: Any, label: Any = None) -> Data:
    """An array (and labels) as data of which all is trained on; valid and test are empty.

    `[N, H, W]` and `[N, H, W, C]` are images and `[N, D]` a table, as in a file. Floats stay as they are: those of a
    table are not standardised, pixels from 0 to 1 not rounded (those from 0 to 255 are). A table far from unit scale
    is warned of, for in a file it would have been standardised.

    Raises:
      BadRequest: no numbers, another shape, not finite; whatever is refused in a file.
    """
    x = as_array(x)
    if x.dtype.kind not in "biuf" or x.ndim < 2 or x.size == 0:
        raise BadRequest(
            f"an array to train on holds numbers, [N, ...], and this is {x.dtype}{list(x.shape)}; with labels it is "
            "(x, label)."
        )
    name, notes = "the array", list[str]()
    check_finite(name, x)
    if x.ndim in (3, 4) and not (x.dtype.kind == "f" and x.min() >= 0 and x.max() <= 1):
        x, notes = pixels(name, x)
    elif x.ndim in (3, 4):
        x = with_channels(name, x)
    if x.dtype != np.uint8:
        with np.errstate(over="ignore"):  # it is looked at next
            x = x.astype(np.float32)
        check_finite(f"{name} as float32", x)
        if x.ndim == 2:
            _warn_of_units(x)
    classes: tuple[str, ...] = ()
    if label is not None:
        label, classes = labels(name, label_array(label), len(x))
    kind = "image" if x.ndim == 4 else "points" if x.shape[1:] == (2,) else "table"
    whole = Split(x, label)
    none = subset(whole, np.arange(0))
    splits = (whole, none, none)
    return Data("array", kind, *splits, classes, None, None, digest(splits), tuple(notes))


def _warn_of_units(x: np.ndarray) -> None:
    top = np.sqrt(np.square(x, dtype=np.float64).mean(0).max())
    if top and not 1 / FAR <= top <= FAR:
        warnings.warn(
            f"the columns of the array are taken as they are, and the largest has a root mean square of {top:.3g}: "
            "standardise them, or save them as .npz and pass its path, which does that.",
            stacklevel=6,  # whoever called fit
        )
