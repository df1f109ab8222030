"""What other libraries hand over in place of arrays: frames, series, masked arrays, strings in any box."""

import numbers
from collections import Counter
from typing import Any

import numpy as np

from jaxgen.core import BadRequest

LARGEST = 2**63 - 1  # whole number that int64 holds


def as_array(value: Any) -> np.ndarray:
    """What NumPy makes of a value: an array, rows, or a frame or series of pandas or polars.

    A frame of numbers and booleans becomes a table, float64. Strings in whatever box (objects, categories, NumPy's
    StringDType) become NumPy's own.

    Raises:
      BadRequest: nothing, such as of rows of several lengths; a sparse matrix; values that are masked or missing; a
        column of a frame that does not hold numbers.
    """
    if np.ma.isMaskedArray(value) and (masked := int(np.ma.getmaskarray(value).sum())):
        raise BadRequest(f"the array: {masked} values are masked: fill them in, or drop their examples.")
    if hasattr(value, "toarray"):
        raise BadRequest(f"{type(value).__name__} keeps only what is not zero: hand in x.toarray().")
    if hasattr(value, "columns") and hasattr(value, "to_numpy"):
        return _table(value)
    try:
        return _unboxed(np.asarray(value))
    except (ValueError, TypeError) as error:
        raise BadRequest(f"{type(value).__name__} is no array to train on ({error}): pass one of NumPy's.") from error


def label_array(value: Any) -> np.ndarray:
    """`as_array` of labels, which may stand in the one column of a frame.

    Raises:
      BadRequest: as `as_array`.
    """
    names = list(getattr(value, "columns", ()))
    return as_array(value[names[0]].to_numpy() if len(names) == 1 and hasattr(value, "to_numpy") else value)


def _table(frame: Any) -> np.ndarray:
    """The columns of a frame side by side; a number that is missing becomes NaN, which is refused with its place."""
    columns, names = [], Counter(frame.columns)
    for name, count in names.items():
        if count > 1:
            raise BadRequest(f"the table: {count} columns are called {str(name)!r}: rename or drop one.")
        column = np.asarray(frame[name].to_numpy())
        words = column.dtype.kind == "O" and any(isinstance(value, str) for value in column)  # "01" is a name
        try:
            values = column.astype(np.float64) if column.dtype.kind in "biufO" and not words else None
        except (ValueError, TypeError):  # an object that is no number, or a missing value of pandas
            values = None
        if values is None:
            held = "words" if words else column.dtype
            raise BadRequest(
                f"the table: column {str(name)!r} holds {held}, and numbers without missing values are needed: "
                "drop it, or encode it as numbers."
            )
        if not np.isfinite(values).all():
            first = int((~np.isfinite(values)).argmax())
            raise BadRequest(
                f"the table: column {str(name)!r} is NaN or infinite in row {first}: mend or drop such rows."
            )
        columns.append(values)
    return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))


def _unboxed(array: np.ndarray) -> np.ndarray:
    """Strings as NumPy's own, whichever array holds them; whole numbers and booleans in an array of objects too."""
    if array.dtype.kind not in "OT" or not array.size:
        return array
    values = array.ravel().tolist()
    if all(isinstance(value, str) for value in values):
        return np.array(values).reshape(array.shape)
    if all(isinstance(value, bool) for value in values):
        return np.array(values).reshape(array.shape)
    if all(isinstance(value, numbers.Integral) and abs(int(value)) <= LARGEST for value in values):
        return np.array(values, np.int64).reshape(array.shape)
    return array
