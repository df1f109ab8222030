"""Odd .npy and .npz files, folders of idx files, and tables of labels."""

import contextlib
import gzip
import io
import math
import random
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
from fuzz_bytes import NUMBERS, damaged, junk
from fuzz_case import Case, examples_read

from jaxgen.data import array_files, idx, load

DTYPES = "u1 i1 u2 >u2 i4 >i8 u8 f2 f4 >f8 f16 c8 ? U1 U5 U0 S3 S0 V0 V8 O M8[s] m8 a".split()
KEYS = "x images data X y labels label target Y x_train y_train x_test y_test train_images train_labels val_x".split()
ODD_KEYS = ("", "x.npy", "../x", "a\nb", "é" * 50, "x\0y", "X ", "__class__", "file", "arr_0", "k" * 3000)


def npy(rng: random.Random) -> bytes:
    """An array as a file: mostly one that can be written, at times a header that says what is not so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = _array(rng)
    way = rng.randrange(8)
    if way == 0:
        return damaged(rng, content)
    if way == 1:
        return _header(rng) + junk(rng, 2000)
    return content


def _array(rng: random.Random) -> bytes:
    n = rng.choice((0, 1, 19, 20, 24, 40))
    inside = rng.choice(((), (3,), (1,), (4, 4), (4, 4, 1), (4, 5, 3), (3, 8, 8), (0,), (4, 0), (2, 2, 2, 2)))
    dtype = np.dtype(rng.choice(DTYPES)) if rng.random() < 0.6 else np.dtype("f8")
    draw = np.random.default_rng(rng.randrange(2**32))
    values = draw.normal(size=(n, *inside)) * rng.choice((1, 1, 1e-3, 300, 1e20, 1e300))
    if rng.random() < 0.5:
        values = np.abs(np.rint(values)) % rng.choice((2, 4, 256))
    if values.size and rng.random() < 0.15:
        values.flat[rng.randrange(values.size)] = rng.choice((np.nan, np.inf, -np.inf, 1e308, 5e-324))
    if dtype.kind in "V" or rng.random() < 0.03:
        array = np.zeros((n, *inside), [("a", "f4"), ("b", "U2")] if rng.random() < 0.5 else dtype)
    else:
        with np.errstate(all="ignore"):
            array = values.astype(dtype)
    if rng.random() < 0.2:
        array = np.asfortranarray(array)
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=rng.choice((None, (1, 0), (2, 0), (3, 0))), allow_pickle=True)
    return file.getvalue()


def _header(rng: random.Random) -> bytes:
    number = rng.choice((*NUMBERS, -1, 10**18, 10**30, "True", "1.5", "'a'", "None"))
    shapes = ("(20, 3)", f"({number},)", f"({number}, 3)", f"(20, {number})", "20", "()", "[20, 3]", f"({number},) * 9")
    types = (*(f"'<{d}'" for d in DTYPES), "'|b1'", "[('a', '<f4')]", "'<f8,<f8'", "None", "'<f99'", "('<f4', (3,))")
    parts = [
        f"'descr': {rng.choice(types)}",
        f"'fortran_order': {rng.choice(('True', 'False', '0', 'None'))}",
        f"'shape': {rng.choice(shapes)}",
    ]
    if rng.random() < 0.2:
        parts[rng.randrange(3)] = rng.choice(("", "'extra': 1", "'a': " + "(" * 300 + ")" * 300, "'\\ud800': '", "*"))
    text = ("{" + ", ".join(parts) + rng.choice((", }", "}", "")) + "\n").encode()
    version = rng.choice((b"\1\0", b"\2\0", b"\3\0", b"\4\0", b"\0\0"))
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(text) if rng.random() < 0.9 else rng.choice((0, 9999)))
    return b"\x93NUMPY" + version + size + text


def npz(rng: random.Random) -> bytes:
    """An archive: right pairs, right splits, or members of any name and kind, stored or packed, doubled or huge."""
    file = io.BytesIO()
    way = rng.randrange(4)
    names = [("x", "y"), ("x_train", "y_train", "x_test", "y_test"), ("images",)][way % 3]
    if way == 3:
        names = tuple(rng.choice((*KEYS, *ODD_KEYS)) for _ in range(rng.randint(0, 4)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of doubled names
        with zipfile.ZipFile(file, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for name in names:
                ending = ".npy" if rng.random() < 0.95 else rng.choice(("", ".NPY", ".npy.npy"))
                with contextlib.suppress(ValueError):
                    archive.writestr(name.replace("\0", "0") + ending, _member(rng, name))
    content = file.getvalue()
    return damaged(rng, content) if rng.random() < 0.3 else content


def _member(rng: random.Random, name: str) -> bytes:
    way = rng.randrange(10)
    if way == 0:
        return npy(rng)
    if way == 1:
        return junk(rng)
    if way == 2 and rng.random() < 0.2:  # a bomb: packed, it takes a thousandth
        n = 10 ** rng.randint(4, 7)
        return _npy_of(np.zeros((n, 16), np.uint8)) if rng.random() < 0.5 else _header(rng) + bytes(n)
    n = 24 if rng.random() < 0.9 else rng.choice((0, 20, 25))
    draw = np.random.default_rng(rng.randrange(2**32))
    if "y" in name.lower() or "l" in name:
        words = ("a", "b", "ü", "", "a\nb", "\ud800")
        labels = (draw.integers(0, 3, n), np.array([rng.choice(words) for _ in range(n)] or [""]), draw.normal(size=n))
        label = rng.choice(labels)[:n]
        return _npy_of(label[:, None] if rng.random() < 0.1 else label)
    return _npy_of(draw.normal(size=(n, 3)) if rng.random() < 0.5 else draw.integers(0, 255, (n, 6, 6)).astype("u1"))


def _npy_of(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def array_case(rng: random.Random, root: Path) -> Case:
    zipped = rng.random() < 0.6
    path = root / f"a{'.npz' if zipped else '.npy'}"
    content = npz(rng) if zipped else npy(rng)
    path.write_bytes(content if rng.random() < 0.98 else npy(rng) if zipped else npz(rng))
    room = rng.choice((math.inf, math.inf, 100, 0))

    def read() -> int:
        if rng.random() < 0.3:
            data = load(str(path), room=room)
            return sum(len(split.x) for split in data.splits.values())
        return examples_read(*array_files.read(str(path), room=room))

    return Case(read, (path.name,), lambda: _rows(path))


def _rows(path: Path) -> int | None:
    """How many examples a file holds, by NumPy itself; None if it cannot tell."""
    roles = {"x", "images", "data", "X"}
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return len(loaded)
        keys = [key for key in loaded.files if key in roles]
        keys = keys or [key for key in loaded.files if "_" in key and roles & set(key.split("_"))]
        return sum(len(loaded[key]) for key in keys) if keys else None
    except Exception:
        return None


def idx_case(rng: random.Random, root: Path) -> Case:
    """A folder of idx files, some of them damaged, missing, packed, or with headers that lie."""
    total = 0
    with_test, with_labels = rng.random() < 0.5, rng.random() < 0.7
    for part in ("train", "t10k") if with_test else ("train",):
        n = 24 if part == "train" else 5
        total += n
        for role, rank in (("images", 3), ("labels", 1)) if with_labels else (("images", 3),):
            shape = (n, 5, 4)[:rank]
            content = struct.pack(f">4B{rank}I", 0, 0, 8, rank, *shape)
            content += bytes(rng.randrange(3) for _ in range(math.prod(shape)))
            way = rng.random()
            if way < 0.15:
                content = damaged(rng, content)
            elif way < 0.2:
                content = struct.pack(f">4B{rank}I", 0, 0, 8, rank, *(rng.choice(NUMBERS) % 2**32 for _ in shape))
            packed = rng.random() < 0.4
            if packed:
                bomb = rng.random() < 0.03
                content = gzip.compress(content + bytes(10**7 if bomb else 0), 1)
                content = damaged(rng, content) if rng.random() < 0.2 else content
            dot = rng.choice("-.")
            if rng.random() < 0.97:
                (root / f"{part}-{role}{dot}idx{rank}-ubyte{'.gz' if packed else ''}").write_bytes(content)
    if not idx.find(str(root)):
        (root / "train-images-idx3-ubyte").write_bytes(b"")
    read = idx.read if rng.random() < 0.7 else lambda path: load(path)
    names = (root.name,)

    def count() -> int:
        found = read(str(root))
        return (
            sum(len(s.x) for s in found.splits.values()) if hasattr(found, "splits") else examples_read("image", found)
        )

    return Case(count, names, lambda: None)
