"""SHA-256 of the arrays, the files and the record of a checkpoint."""

import hashlib
import json
from pathlib import Path
from typing import Any

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
