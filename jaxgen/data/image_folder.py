"""Folders of images, brought to one shape."""

import math
import os
import re
import stat
from collections import Counter

import numpy as np

from jaxgen.core import BadRequest, one_line
from jaxgen.data import decoded, label_file
from jaxgen.data.data import Examples, class_names, part_of
from jaxgen.data.divide import some

ENDINGS = (
    *("png", "jpg", "jpeg", "jpe", "jfif", "bmp", "gif", "webp", "tif", "tiff"),
    *("ppm", "pgm", "pbm", "pnm", "jp2", "j2k", "avif"),
)
MASKS = "ground_truth"
STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  \r\n\x87\n")
# A part of a file, a copy of another, or a raw photo, which begins as a TIFF and holds a small preview.
NO_IMAGES = (
    *("part", "partial", "crdownload", "download", "tmp", "temp", "bak", "backup", "old", "orig"),
    *("cr2", "nef", "nrw", "arw", "sr2", "srf", "dng", "pef", "orf", "rw2", "raw", "3fr", "erf", "iiq", "kdc", "dcr"),
)
DOMAIN = re.compile(r"(train|val|valid|test)([AB])")
NO_CLASSES = ("unlabelled", "unlabeled", "unsup", "unsupervised", "extra")  # what lies beside train and is no class


def read(path: str, *, size: int | None = None, labels: str | None = None, room: float = math.inf) -> Examples:
    """The images of a folder and of its sub-folders; the first-level sub-folder is the label.

    Where the names of all first-level sub-folders are those of splits (`data.part_of`: train, Testing, val2017 ...),
    they are the splits, and the second level is the label. trainA, trainB, testA and testB, as CycleGAN's sets have
    them, are splits of the labels A and B. Beside train and test a folder `ground_truth` is not read: MVTec AD keeps
    the masks of its defects there. One such name among other folders is read as a class, and a note says so.

    Images that lie in the folder itself have no labels; a folder with images both beside and inside sub-folders is
    refused. With `labels`, a CSV file, it names their labels, and their splits if it has a column of them
    (`label_file.of_images`); sub-folders are then no labels. Read are the `ENDINGS` in any case, and files
    whose first bytes are those of such an image (but no downloads that were cut, backups and raw photos), the first
    frame of each; hidden and other files are skipped and counted.

    `decoded.pixels` brings them to one shape, with `size` to squares of that side, and keeps them where it took long.

    Raises:
      BadRequest: no images, images at both levels, splits beside other folders or without train, labels that do not
        fit, or images that cannot be read.
    """
    images, notes = _find(path)
    notes += _bare(path, images)
    images, masks = _without_masks(path, images)
    if not images:
        skipped = f" ({notes[0].removesuffix('.')})" if notes else ""
        raise BadRequest(f"{path} holds no images{skipped}: read are {', '.join(ENDINGS)}, and idx files.")
    if labels is None:
        folders = _folders(path, images)
        official = _official(path, folders)
        level = 0 if official is None else 1
        label, classes = _labels(path, images, [names[level : level + 1] for names in folders])
        said = [f"labels: the {len(classes)} sub-folders of the {('first', 'second')[level]} level."] if classes else []
        said += [] if official is not None else _doubtful(classes)
    else:
        named = label_file.of_images(labels, path, [os.path.relpath(file, path) for file in images])
        images = [images[i] for i in named.images]
        official = _official(path, _folders(path, images)) if named.official is None else named.official
        label, classes, said = named.label, named.classes, list(named.notes)
    pixels, shape, done = decoded.pixels(path, images, size=size, room=room)
    notes = [one_line(note) for note in (*notes, *masks, *done, *said)]
    return Examples(len(images), pixels, label, classes, tuple(notes), official, shape)


def _folders(path: str, images: list[str]) -> list[list[str]]:
    """The sub-folders that each image lies in, from the first level on; trainA is A in train, if all are named so."""
    folders = [os.path.relpath(file, path).split(os.sep)[:-1] for file in images]
    paired = [DOMAIN.fullmatch(names[0]) if names else None for names in folders]
    if not all(paired):
        return folders
    return [[pair[1], pair[2], *names[1:]] for pair, names in zip(paired, folders, strict=True) if pair]


def _find(path: str) -> tuple[list[str], list[str]]:
    """Image files in sorted order, so that the order of the file system decides nothing; and what was skipped."""
    images: list[str] = []
    skipped: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    seen: set = set()

    def refuse(error):
        raise BadRequest(f"{error.filename} cannot be read: {error.strerror}.")

    for folder, below, names in os.walk(path, onerror=refuse, followlinks=True):
        skipped["hidden"] += sum(name.startswith(".") for name in below + names)
        seen.add(os.path.realpath(folder))
        shown = sorted(name for name in below if name[0] != ".")
        # Linked folders are followed, except to where the walk has been: that might never end.
        below[:] = [name for name in shown if os.path.realpath(os.path.join(folder, name)) not in seen]
        skipped["links to folders that are read already"] += len(shown) - len(below)
        for name in (n for n in names if n[0] != "."):
            file, ending = os.path.join(folder, name), os.path.splitext(name)[1][1:].lower()
            odd = ending in NO_IMAGES or name.endswith("~")
            pipe = not os.path.isfile(file) and os.path.exists(file)  # opening it would wait for its writer
            if not pipe and (ending in ENDINGS or (not odd and _looks_like_an_image(file))):
                images.append(file)
            else:
                skipped["not images"] += 1
                endings[f".{ending}" if ending else "no ending"] += 1
    counts = ", ".join(f"{n} {what}" for what, n in skipped.items() if n)
    if endings:
        counts += f" ({some(sorted(endings, key=lambda ending: (-endings[ending], ending)))})"
    return sorted(images), [f"skipped: {counts}."] if counts else []


def _looks_like_an_image(file: str) -> bool:
    """Whether the first bytes of a file with another ending are those of an image that is read here."""
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # opening a pipe would wait for its writer
            return False
        with open(file, "rb") as opened:
            head = opened.read(16)
    except OSError:  # such as a link to nothing
        return False
    return head.startswith(STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or head[4:12] == b"ftypavif"


def _bare(path: str, images: list[str]) -> list[str]:
    """A note that names the first-level sub-folders without an image: they would have been classes, or splits."""
    full = {os.path.relpath(file, path).split(os.sep)[0] for file in images}
    bare = sorted(name for name in os.listdir(path) if name[0] != "." and os.path.isdir(os.path.join(path, name)))
    bare = [repr(name) for name in bare if name not in full]
    return [f"no images in {some(bare)}."] if bare and full else []


def _without_masks(path: str, images: list[str]) -> tuple[list[str], list[str]]:
    """The images without those in a folder `ground_truth` beside train and test, and what a note says of these."""
    firsts = [os.path.relpath(file, path).split(os.sep)[0] for file in images]
    if not {0, 2} <= {part_of(first) for first in firsts}:
        return images, []
    kept = [file for file, first in zip(images, firsts, strict=True) if first.lower() != MASKS]
    n = len(images) - len(kept)
    return kept, [f"not read: the {n} images in {MASKS}, for they are masks of what the others show."] if n else []


def _official(path: str, folders: list[list[str]]) -> np.ndarray | None:
    """The split of each image where the first-level sub-folders are splits, as places in data.NAMES."""
    firsts = sorted({name for names in folders for name in names[:1]})
    parts = {name: part for name in firsts if (part := part_of(name)) is not None}
    others = [name for name in firsts if name not in parts]
    classes = [name for name in others if name.lower() not in NO_CLASSES]
    if not parts or not all(folders) or (classes and len(set(parts.values())) == 1):
        return None  # one class may be called so
    if others:
        raise BadRequest(f"{path} holds {', '.join(parts)} beside {others[0]!r}: move that away, or pass one of them.")
    if 0 not in parts.values():
        raise BadRequest(f"{path} holds {', '.join(parts)} and no train: pass {os.path.join(path, firsts[0])}.")
    return np.array([parts[names[0]] for names in folders], np.int8)


def _doubtful(classes: tuple[str, ...]) -> list[str]:
    """A note on classes whose names are those of a split."""
    splits = [repr(name) for name in classes if part_of(name) is not None]
    if not splits or len(classes) == 1:
        return []
    names, what = ", ".join(splits), "a class" if len(splits) == 1 else "classes"
    return [f"{names} read as {what}, for the other folders are no splits: move away what is no class."]


def _labels(path: str, images: list[str], names: list[list[str]]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels and classes by `names`: [the sub-folder] of each image, or [] where it lies in none."""
    if not any(names):
        return None, ()
    if not all(names):
        loose = os.path.relpath(images[names.index([])], path)
        alone = ", or pass one split alone" if os.sep in loose else ""
        raise BadRequest(
            f"{path} holds images beside and inside sub-folders: move {loose!r} and its like into one{alone}."
        )
    values, inverse = np.unique([name for (name,) in names], return_inverse=True)
    return inverse.astype(np.int32), class_names(list(map(str, values)))
