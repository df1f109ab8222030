"""Labels of images from a table of text: a CSV file with a line for each image."""

import csv
import io
import os
import posixpath
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.data import class_names, part_of

FILES = tuple(
    "file filename file_name path filepath file_path image image_name image_path img name id image_id".split()
)
LABELS = tuple("label class category target labels class_name class_label".split())
SPLITS = ("split", "set", "fold")
SEPARATORS = ",;\t"
DIGITS = 4000  # of a number that Python reads
NAMED = 3  # names that a message lists, at most


class Labelled(NamedTuple):
    """What a file says of images."""

    images: np.ndarray  # int [n]: those that have a label, as positions
    label: np.ndarray  # int32 [n]
    classes: tuple[str, ...]
    official: np.ndarray | None  # int8 [n]: the split of each, as in `Examples`; None: the file has no splits
    notes: tuple[str, ...]


class Row(NamedTuple):
    """A line that names an image."""

    line: int
    name: str
    label: str
    split: str | None


def of_images(path: str, folder: str, names: Sequence[str]) -> Labelled:
    """The labels that the file `path` has for the images `names`, relative to `folder`.

    The file is UTF-8, separated by comma, semicolon or tab. Its first line names the columns, in any case: that of the
    images (file, filename, path, image, name, id ...), that of the labels (label, class, category, target ..., or the
    only other one) and, if there is one, that of the splits (split, set, fold, with train, val or validation, and
    test). Two columns without names are images and labels. Other columns are not used.

    An image is named by its path from the folder, or by its name alone, with or without ending, where one image
    alone is meant; in other capitals only where none is named so. A path of another folder names none. Images without a
    line, or with an empty label, are left out, and a note counts them. Classes are in the order of their numbers if all
    are whole numbers, else in that of their letters.

    Raises:
      BadRequest: a file that cannot be read so, a line that names no image or one of several, an image with several
        labels, splits without train.
    """
    rows, notes = _rows(path, _text(path))
    at = _places(path, folder, rows, names)
    chosen: dict[int, Row] = {}
    for place, row in zip(at, rows, strict=True):
        first = chosen.setdefault(place, row)
        if (first.label, first.split) != (row.label, row.split):
            what, old, new = "a label", first.label, row.label
            if old == new:
                what, old, new = "a split", first.split or "", row.split or ""
            raise BadRequest(
                f"{path}: {names[place]} has {what} {old!r} in line {first.line} and {new!r} in line {row.line}: keep "
                "one."
            )
    images = np.array(sorted(place for place, row in chosen.items() if row.label), int)
    missing = [names[i] for i in sorted(set(range(len(names))) - set(images))]
    if missing:
        notes.append(f"left out, for {os.path.basename(path)} has no label of them: {_few(missing)}.")
    label, classes = _classes(path, [chosen[i] for i in images])
    official = _official(path, [chosen[i] for i in images])
    return Labelled(images, label, classes, official, tuple(notes))


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadRequest(f"{path} is not UTF-8 (line {line}): save it as CSV in UTF-8.") from error
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}. It is to name the label of each image.") from error


def _rows(path: str, text: str) -> tuple[list[Row], list[str]]:
    """The lines of the file, and a note of what its columns were taken for."""
    lines = _lines(path, text)
    header = [cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in lines[0][1]]
    columns = [_column(header, names) for names in (FILES, LABELS, SPLITS)]
    if doubled := [header[column] for column in columns if column is not None and header.count(header[column]) > 1]:
        raise BadRequest(f"{path}: several columns are called {doubled[0]!r}: rename or remove all but one.")
    others = [i for i in range(len(header)) if i not in columns]
    if columns[0] is not None and columns[1] is None and len(others) == 1:
        columns[1] = others[0]  # whatever it is called
    if columns[0] is None or columns[1] is None:
        if len(header) != 2 or columns != [None] * 3:
            known = f"{', '.join(lines[0][1][:6])}{' ...' if len(header) > 6 else ''}"
            raise BadRequest(
                f"{path}: its first line must call one column file and one label (and one split, if it has any); its "
                f"columns are {known}. An image has one label."
            )
        columns, body = [0, 1, None], lines
    else:
        body = lines[1:]
    image, label, split = columns
    assert image is not None and label is not None
    note = f"labels: from {os.path.basename(path)}"
    if body is not lines:
        note += f", column {lines[0][1][label].strip()!r}"
    notes = [f"{note}."]
    if split is not None and all(part_of(cells[split]) is None for _, cells in body):
        notes.append(f"column {lines[0][1][split].strip()!r} is not used: it names neither train nor val nor test.")
        split = None
    rows = [
        Row(line, cells[image].strip(), cells[label].strip(), None if split is None else cells[split].strip())
        for line, cells in body
    ]
    if not rows:
        raise BadRequest(f"{path} names no image: give it a line for each.")
    return rows, notes


def _lines(path: str, text: str) -> list[tuple[int, list[str]]]:
    """The cells of each line that is not empty, and its number; all have as many."""
    tables, wrong = [], []
    for separator in SEPARATORS:
        try:
            table = _table(text, separator)
        except ValueError as error:
            wrong.append(str(error))
            continue
        if table and len(table[0][1]) > 1:
            tables.append(table)
    if tables:
        return max(tables, key=_names)
    why = next(iter(wrong), "its lines have one column" if text.strip() else "it is empty")
    raise BadRequest(f"{path} is no table of images and labels, separated by comma, semicolon or tab: {why}.")


def _table(text: str, separator: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        table = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
    for line, cells in table:
        if len(cells) != len(table[0][1]):
            raise ValueError(f"line {line} has {len(cells)} columns, and line {table[0][0]} {len(table[0][1])}")
    return table


def _names(table: list[tuple[int, list[str]]]) -> bool:
    """Whether the first line names columns, as far as it is known what they are called."""
    cells = {cell.strip().lower() for cell in table[0][1]}
    return bool(cells & set(FILES) and cells & set(LABELS))


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _places(path: str, folder: str, rows: Sequence[Row], names: Sequence[str]) -> list[int]:
    """The image that each line names, as a position."""
    by = _spellings(names)
    folded: dict[str, set[int]] = {}
    for spelling, those in by.items():
        folded.setdefault(_folded(spelling), set()).update(those)
    found, lost = [], []
    for row in rows:
        name = posixpath.normpath(row.name.replace("\\", "/"))
        if os.path.isabs(row.name) and "\0" not in row.name:
            name = os.path.relpath(os.path.realpath(row.name), os.path.realpath(folder)).replace(os.sep, "/")
        places = by.get(name) or sorted(folded.get(_folded(name), ()))
        if len(places) > 1:
            meant = _few([names[i] for i in places])
            raise BadRequest(f"{path}, line {row.line}: {row.name!r} may be {meant}: write it out.")
        if places:
            found.append(places[0])
        else:
            lost.append(f"{row.name!r} (line {row.line})")
    if lost:
        raise BadRequest(f"{path}: of {len(rows)} lines {len(lost)} name no image in {folder}: {_few(lost)}.")
    return found


def _folded(name: str) -> str:
    """A name as systems compare it that know no capitals, or that keep accents apart from their letters, as macOS does.

    >>> _folded("U\u0308.PNG") == _folded("\u00fc.png")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _spellings(names: Sequence[str]) -> Mapping[str, Sequence[int]]:
    """The images that a name may mean. What names one of them in full means no other."""
    full = [name.replace(os.sep, "/") for name in names]
    by: dict[str, list[int]] = {}
    for i, name in enumerate(full):
        base = posixpath.basename(name)
        for spelling in dict.fromkeys((posixpath.splitext(name)[0], base, posixpath.splitext(base)[0])):
            by.setdefault(spelling, []).append(i)
    return {**by, **{name: [i] for i, name in enumerate(full)}}


def _classes(path: str, rows: Sequence[Row]) -> tuple[np.ndarray, tuple[str, ...]]:
    several = [row for row in rows if "|" in row.label]
    if several:
        raise BadRequest(
            f"{path}: {len(several)} images have several labels, such as {several[0].label!r} in line "
            f"{several[0].line}: an image has one; keep one of them."
        )
    found = {row.label for row in rows}
    numbers = all(len(label) <= DIGITS and label.removeprefix("-").isdecimal() for label in found)
    classes = sorted(found, key=(lambda label: (int(label), label)) if numbers else str)
    place = {name: i for i, name in enumerate(classes)}
    return np.array([place[row.label] for row in rows], np.int32), class_names(classes)


def _official(path: str, rows: Sequence[Row]) -> np.ndarray | None:
    if not rows or rows[0].split is None:
        return None
    for row in rows:
        if part_of(row.split or "") is None:
            raise BadRequest(f"{path}, line {row.line}: split {row.split!r} is none of train, val and test.")
    parts = np.array([part_of(row.split or "") for row in rows], np.int8)
    if not (parts == 0).any():
        raise BadRequest(f"{path} puts no image into train: there is nothing to train on.")
    return parts


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
