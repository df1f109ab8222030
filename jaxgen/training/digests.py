"""SHA-256 of the arrays, the files and the record of a checkpoint; and what its record holds."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np


def digest(name: str, leaf: np.ndarray) -> str:
    """Of an array with its name, type and shape."""
    head = f"{name} {leaf.dtype.name} {leaf.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(leaf).tobytes()).hexdigest()


def digest_file(path: Path) -> str:
    """Of what a file holds."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(record: dict[str, Any]) -> str:
    """Of a record, in whatever order its entries stand."""
    return hashlib.sha256(json.dumps(record, sort_keys=True, allow_nan=False).encode()).hexdigest()


def check_record(record: dict[str, Any]) -> None:
    """Refuses a record of this format that lacks what is read of it: a seal that fits may be another program's.

    Raises:
      ValueError, KeyError, TypeError: says what.
    """
    if not all(isinstance(record[part], dict) for part in ("meta", "leaves", "files")):
        raise ValueError("it lacks what each record has")
    for shape, dtype, _ in record["leaves"].values():
        if not isinstance(shape, list) or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError(f"{shape} is no shape")
        if jnp.dtype(str(dtype)).name != dtype:
            raise ValueError(f"{dtype} is no type of an array")
