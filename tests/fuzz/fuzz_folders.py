"""Odd folders of images, damaged images of every format, and tables of labels for them."""

import contextlib
import io
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from fuzz_bytes import NUMBERS, damaged, jpeg_parts, junk, png_parts
from fuzz_case import Case, examples_read
from PIL import Image

from jaxgen.data import image_folder, load

# Name of the format, ending, modes.
FORMATS = (
    ("PNG", "png", "1 L LA P RGB RGBA I;16"),
    ("JPEG", "jpg", "L RGB CMYK"),
    ("TIFF", "tif", "1 L RGB RGBA I;16 F CMYK"),
    ("GIF", "gif", "L P RGB"),
    ("BMP", "bmp", "1 L P RGB"),
    ("WEBP", "webp", "RGB RGBA"),
    ("PPM", "ppm", "1 L RGB I"),
    ("JPEG2000", "jp2", "L RGB"),
)
SIDEWAYS = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"  # an orientation of 6
NAMES = tuple("a b 0 10 9 train Test val2017 ground_truth unlabeled trainA testB .hidden".split())
ODD_NAMES = ("a\nb", "-r", "x.png", " ", "ü", "u\u0308", "😀", "n" * 240, "caf\udce9", "caf\udce8", "\x1b[31m", "a|b")


@lru_cache(1)
def whole() -> dict[str, list[bytes]]:
    """Images that can be read, by ending."""
    draw = np.random.default_rng(0)
    found: dict[str, list[bytes]] = {}
    for name, ending, modes in FORMATS:
        for mode in modes.split():
            pixels = draw.integers(0, 256, (9, 8, 3), dtype=np.uint8)
            image = Image.fromarray(pixels)
            if mode in ("I;16", "I"):
                image = Image.fromarray(draw.integers(0, 65536, (9, 8), dtype=np.uint16))
            elif mode == "F":
                image = Image.fromarray(draw.random((9, 8), dtype=np.float32))
            elif mode != "RGB":
                image = image.convert(mode)
            for options in (
                {},
                {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"},
                {"progressive": True},
            ):
                file = io.BytesIO()
                if options and name not in ("PNG", "JPEG", "TIFF", "WEBP"):
                    continue
                image.save(file, name, **options)
                found.setdefault(ending, []).append(file.getvalue())
    return found


def image(rng: random.Random, good: float = 0.8) -> tuple[str, bytes]:
    """The ending and the content of an image, which is damaged at times."""
    ending = rng.choice(("png", "jpg", "png", "jpg", *whole()))
    content = rng.choice(whole()[ending])
    if rng.random() < good:
        return ending, content
    if ending == "png" and rng.random() < 0.6:
        return ending, png_parts(rng, content)
    if ending == "jpg" and rng.random() < 0.6:
        return ending, jpeg_parts(rng, content)
    others = [rng.choice(contents) for contents in whole().values()]
    return ending, rng.choice((damaged(rng, content, others), damaged(rng, content, others), b"", junk(rng)))


def image_case(rng: random.Random, root: Path) -> Case:
    """One image among others that can be read."""
    for i in range(rng.choice((1, 2, 3))):
        (root / f"{i}.png").write_bytes(rng.choice(whole()["png"]))
    ending, content = image(rng, 0.02)
    (root / f"odd.{rng.choice((ending, ending, 'png', 'dat'))}").write_bytes(content)
    notes: list[str] = []

    def read() -> int:
        found = image_folder.read(str(root))
        notes.extend(found.notes)
        return examples_read("image", found)

    return Case(read, (root.name,), lambda: reachable(root, notes))


def folder_case(rng: random.Random, root: Path) -> Case:
    """A tree of folders with odd names, links, pipes, and what is no image."""
    folders = [root]
    for _ in range(rng.randint(0, 6)):
        name = rng.choice(NAMES if rng.random() < 0.8 else ODD_NAMES)
        with contextlib.suppress(OSError):
            (made := rng.choice(folders) / name).mkdir()
            folders.append(made)
    for i in range(rng.choice((0, 1, 8, 25))):
        ending, content = image(rng, 0.995)
        name = rng.choice((f"{i}", f"{i}", f"{i}", f"{i}{rng.choice(ODD_NAMES)}"))[:200]
        with contextlib.suppress(OSError):
            (rng.choice(folders) / f"{name}.{rng.choice((ending, ending, ending.upper(), 'txt'))}").write_bytes(content)
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        with contextlib.suppress(OSError):
            _odd(rng, rng.choice(folders), folders)
    size = rng.choice((None, None, None, 8, 16))
    whole_data, notes = rng.random() < 0.2, list[str]()

    def read() -> int:
        if whole_data:
            data = load(str(root), size=size)
            notes.extend(data.notes)
            return sum(len(split.x) for split in data.splits.values())
        found = image_folder.read(str(root), size=size)
        notes.extend(found.notes)
        return examples_read("image", found)

    def expected() -> int | None:
        said = any("links to folders" in note or "masks" in note for note in notes)  # what is left out
        return None if said else reachable(root, notes)

    return Case(read, (root.name,), expected)


def _odd(rng: random.Random, folder: Path, folders: list[Path]) -> None:
    way = rng.randrange(7)
    if way == 0:
        (folder / "link").symlink_to(rng.choice((*folders, "..", "nowhere", "/dev/null")))
    elif way == 1:
        (folder / "link.png").symlink_to(rng.choice((*folders, "0.png", "link.png", "/dev/zero")))
    elif way == 2:
        os.mkfifo(folder / rng.choice(("pipe", "pipe.png")))
    elif way == 3:
        (folder / rng.choice(("0.txt", ".DS_Store", "Thumbs.db", "a.cr2", "a.png~", "a.png.part"))).write_bytes(
            junk(rng)
        )
    elif way == 4:
        (folder / "empty.jpg").write_bytes(b"")
    elif way == 5:
        (folder / "folder.png").mkdir()
    else:
        deep = folder.joinpath(*["d"] * 50)
        deep.mkdir(parents=True)
        (deep / "deep.png").write_bytes(whole()["png"][0])


def reachable(root: Path, notes: Sequence[str]) -> int:
    """The files of a tree, each way to them counted, without those that a note counts as skipped."""
    skipped = next((note for note in notes if note.startswith("skipped:")), "")
    counted = [int(n) for n in re.findall(r"(\d+) not images", skipped)]
    return sum(1 for _ in _files(str(root), ())) - sum(counted)


def _files(folder: str, above: tuple[str, ...]) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in above:
        return
    for entry in os.scandir(folder):
        if entry.name[0] != ".":
            if os.path.isdir(entry.path):
                yield from _files(entry.path, (*above, real))
            else:
                yield entry.path


def label_case(rng: random.Random, root: Path) -> Case:
    """Six images, and a table that names them, in some dialect and with some fault."""
    names = [f"{i}.png" for i in range(6)]
    if rng.random() < 0.2:
        names[0] = rng.choice(("u\u0308.png", "a,b.png", "a b.png", "A.PNG", "a.b.png"))
    (root / "photos").mkdir()
    for name in names:
        (root / "photos" / name).write_bytes(whole()["png"][1])
    rows = [[_spelt(rng, name), rng.choice(("cat", "dog", "1", "-2", "ü", "a b"))] for name in names]
    header = [
        rng.choice((*["file", "Filename", "image", "id"] * 4, "foo")),
        rng.choice(("label", "Class", "bar", "target")),
    ]
    if rng.random() < 0.2:
        header.append(rng.choice(("split", "fold", "label", "other")))
        rows = [[*row, rng.choice(("train", "train", "Test", "val", "1"))] for row in rows]
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        _spoil(rng, rows)
    if rng.random() < 0.9:
        rows.insert(0, header)
    content = _text(rng, rows)
    (root / "labels.csv").write_bytes(damaged(rng, content) if rng.random() < 0.25 else content)
    seen: list[int] = []

    def read() -> int:
        found = image_folder.read(str(root / "photos"), labels=str(root / "labels.csv"))
        seen.append(_left_out(found.notes))
        return examples_read("image", found)

    return Case(read, ("labels.csv", root.name), lambda: len(names) - seen[0])


def _left_out(notes: tuple[str, ...]) -> int:
    """How many images a note says are left out."""
    line = next((note for note in notes if note.startswith("left out")), "")
    named = line.count(".png") + line.count(".PNG")
    return named + (int(line.rpartition(" and ")[2].split()[0]) if " more." in line else 0)


def _spelt(rng: random.Random, name: str) -> str:
    return rng.choice(
        (*[name] * 9, f"./{name}", name[:-4], f".\\{name}", name[:-4], name.upper() if rng.random() < 0.1 else name)
    )


def _spoil(rng: random.Random, rows: list[list[str]]) -> None:
    row = rng.choice(rows)
    cells = (
        "",
        "cat|dog",
        "9" * 5000,
        "-",
        "²",
        "/\0",
        "../0.png",
        "\ud7ff",
        "a\nb",
        '"',
        "0.png",
        "x" * 140_000,
        "nan",
    )
    way = rng.randrange(5)
    if way == 0:
        row[rng.randrange(len(row))] = rng.choice(cells)
    elif way == 1:
        rows.append(list(row))
    elif way == 2 and len(rows) > 1:
        rows.remove(row)
    elif way == 3:
        row.append(rng.choice(cells))
    else:
        row[0] = f"/nowhere/{rng.choice(NUMBERS)}"


def _text(rng: random.Random, rows: list[list[str]]) -> bytes:
    separator, end = rng.choice(",,,;\t,,,;\t|"), rng.choice(("\n", "\n", "\r\n", "\r", "\n\n"))
    quote: Callable[[str], str] = rng.choice((str, str, lambda cell: '"' + cell.replace('"', '""') + '"'))
    text = end.join(separator.join(map(quote, row)) for row in rows) + rng.choice(("", end))
    coding = rng.choice((*["utf-8"] * 12, "utf-8-sig", "utf-16", "latin-1"))
    return text.encode(coding, "replace")
