"""Labels of images from a CSV file."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.core import BadRequest
from jaxgen.data import load

NAMES = [f"{'ab'[i % 2]}/{i:02}.png" for i in range(24)]


@pytest.fixture
def photos(tmp_path):
    """24 images in two sub-folders, image i of brightness 10 i."""
    for i, name in enumerate(NAMES):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 10 * i, np.uint8)).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def kind(i):
    return ("cat", "dog", "bird")[i // 8]


def labelled(photos, lines, encoding="utf-8", **options):
    file = photos.parent / "labels.csv"
    file.write_text("\n".join(lines), encoding=encoding)
    return load(photos, labels=file, **options)


def found(data):
    """{image: class} of all splits."""
    return {
        int(x[0, 0, 0]) // 10: data.classes[label]
        for split in data.splits.values()
        for x, label in zip(split.x, split.label, strict=True)
    }


def everything(data):
    return np.concatenate([split.x for split in data.splits.values()])


def refused(photos, lines, *says, **options):
    with pytest.raises(BadRequest) as caught:
        labelled(photos, lines, **options)
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in says), message
    assert len(message.replace(str(photos.parent), "")) < 250


EXPECTED = {i: kind(i) for i in range(24)}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header, spell",
    [
        ("file{}label", lambda i: NAMES[i]),
        ("Image_ID{}Class", lambda i: f"{i:02}"),
        (" Filename {}CATEGORY", lambda i: NAMES[i].removesuffix(".png")),
        ("name{}target", lambda i: f"{i:02}.png"),
        ("path{}label", lambda i: f".\\{NAMES[i]}".replace("/", "\\")),
        ("image_id{}Diagnosis", lambda i: f"{i:02}"),
        (None, lambda i: NAMES[i]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_columns_separators_and_spellings(photos, separator, header, spell, encoding):
    # Kills: a name of a column, a case, a separator, an ending or a mark of byte order that matters; the sub-folders
    # as labels; the first line lost where it is none of names; lines taken in the order of the files.
    lines = [f"{spell(i)}{separator}{kind(i)}" for i in reversed(range(24))]
    data = labelled(photos, ([header.format(separator)] if header else []) + lines + [""], encoding)
    assert found(data) == EXPECTED and data.classes == ("bird", "cat", "dog")
    assert any(note.startswith("labels: from labels.csv") for note in data.notes)


def test_other_columns_are_not_used_and_quotes_are_read(photos):
    # Kills: the first column for the named one; an identifier for the name beside it; a comma within quotes that cuts.
    lines = ["id,note,label,file", *(f'{99 - i},"a, ""b""",{kind(i)},{NAMES[i]}' for i in range(24))]
    assert found(labelled(photos, lines)) == EXPECTED


def test_whole_numbers_are_in_their_order(photos):
    # Kills: class 10 before class 9, so that labels are other numbers than the file says.
    data = labelled(photos, ["file,label", *(f"{NAMES[i]},{(9, 10, 100)[i // 8]}" for i in range(24))])
    assert data.classes == ("9", "10", "100")


@pytest.mark.parametrize("column", ["split", "Set", "FOLD"])
def test_splits_of_the_file(photos, column):
    # Kills: a split that the file names and that is divided anew; one of another case; val taken for test.
    parts = ["train"] * 20 + ["Val", "validation", "test", "TEST"]
    lines = [f"file,label,{column}", *(f"{NAMES[i]},{kind(i % 16)},{part}" for i, part in enumerate(parts))]
    data = labelled(photos, lines)
    assert sorted(data.test.x[:, 0, 0, 0]) == [220, 230] and sorted(data.valid.x[:, 0, 0, 0]) == [200, 210]
    assert "valid and test: the source's own." in data.notes


def test_numbered_folds_are_no_splits(photos):
    # Kills: a refusal of a column that says something else; silence of it.
    lines = ["file,label,fold", *(f"{NAMES[i]},{kind(i)},{i % 5}" for i in range(24))]
    data = labelled(photos, lines)
    assert data.official == () and any("'fold' is not used" in note for note in data.notes)
    lines[3] = lines[3][:-1] + "test"
    refused(photos, lines, "line 2", "split '0' is none of train, val and test")
    lines = ["file,label,set", *(f"{NAMES[i]},{kind(i)},test" for i in range(24))]
    refused(photos, lines, "no image into train")


def test_splits_of_the_folder_stay(tmp_path):
    # Kills: a test image of the folder that is trained on because labels come from a file.
    for i in range(30):
        file = tmp_path / "photos" / ("test" if i < 4 else "train") / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 8 * i, np.uint8)).save(file)
    data = labelled(tmp_path / "photos", ["id,class", *(f"{i},{'xy'[i % 2]}" for i in range(30))])
    assert sorted(data.test.x[:, 0, 0, 0] // 8) == [0, 1, 2, 3] and data.classes == ("x", "y")


def test_images_without_a_label_are_left_out_with_a_note(photos):
    # Kills: a refusal; a class of the empty label; a count of those that are named; an image without a line that is
    # read all the same.
    (photos / "a" / "00.png").write_bytes(b"no image")
    lines = ["file,label", f"{NAMES[1]},", *(f"{NAMES[i]},{kind(i)}" for i in range(4, 24))]
    data = labelled(photos, lines)
    assert found(data) == {i: kind(i) for i in range(4, 24)}
    assert "left out, for labels.csv has no label of them: a/00.png, a/02.png, b/01.png and 1 more." in data.notes


def test_lines_that_are_refused(photos):
    # Kills: a line that names nothing dropped in silence; a guess between two images; the last of two labels.
    good = ["file,label", *(f"{NAMES[i]},{kind(i)}" for i in range(24))]
    lost = [*good, *(f"x{i}.png,cat" for i in range(5))]
    refused(photos, lost, "of 29 lines 5 name no image", "'x0.png' (line 26)", "and 2 more")
    refused(photos, [*good, f"{NAMES[3]},dog"], "b/03.png has a label 'cat' in line 5 and 'dog' in line 26")
    assert found(labelled(photos, [*good, f"{NAMES[3]},cat"])) == EXPECTED
    (photos / "c").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(photos / "c" / "03.jpg")
    refused(photos, [*good, "03,cat"], "line 26: '03' may be b/03.png, c/03.jpg")
    assert len(everything(labelled(photos, [*good, "c/03,bird"]))) == 25
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(photos / "05.png")  # in full it is this one, not b/05.png
    assert found(labelled(photos, [*good, "05.png,bird"])) == {**EXPECTED, 25: "bird"}


def test_files_that_are_refused(photos):
    # Kills: several labels of an image taken for one; a traceback of the codec, of csv or of the system; an image
    # column guessed from many.
    good = ["file,label", *(f"{NAMES[i]},{kind(i)}" for i in range(24))]
    refused(photos, ["image_id,Smiling,Young", "00,1,0"], "call one column file and one label", "image_id, Smiling")
    refused(photos, [*good[:-1], f"{NAMES[23]},cat|dog"], "1 images have several labels", "'cat|dog' in line 25")
    refused(photos, [*good, "a/00.png,cat,dog"], "line 26 has 3 columns, and line 1 2")
    refused(photos, ["file", "a/00.png"], "no table", "one column")
    refused(photos, [], "it is empty")
    refused(photos, ["file,label"], "names no image")
    refused(photos, [*good, 'a/00.png,"cat'], "no table", "line 26")
    refused(photos, [*good[:-1], f"{NAMES[23]},Hündin"], "not UTF-8 (line 25)", encoding="latin-1")
    refused(photos, good, "not UTF-8 (line 1)", encoding="utf-16")
    for file, says in ((photos, "Is a directory"), (photos / "no.csv", "No such file")):
        with pytest.raises(BadRequest, match=says):
            load(photos, labels=file)


def test_labels_of_what_is_no_folder_of_images(photos, tmp_path):
    # Kills: labels that are dropped without a word.
    np.save(tmp_path / "x.npy", np.zeros((20, 8, 8), np.uint8))
    for source in ("digits", str(tmp_path / "x.npy")):
        with pytest.raises(BadRequest, match="labels from a file are those of a folder of images"):
            load(source, labels="x.csv")


def test_a_path_of_another_folder_names_no_image(photos):
    # Kills: labels of the file of that name in another folder, without a word.
    for name in ("/elsewhere/00.png", "../other/00.png", "b/00.png", "other/00.png"):
        refused(photos, ["file,label", *(f"{n},x" for n in NAMES[1:]), f"{name},cat"], "1 name no image", "line 25")
    assert found(labelled(photos, ["file,label", *(f"{n.split('/')[1]},x" for n in NAMES)]))[0] == "x"


def test_cells_that_no_program_expects(photos):
    # Kills: a traceback at a number of more digits than Python reads, or at a path with a null; the second of two
    # columns of labels dropped without a word; a class that breaks a line.
    good = ["file,label", *(f"{NAMES[i]},{kind(i)}" for i in range(24))]
    digits = "9" * 5000
    assert labelled(photos, [*(f"{name},1" for name in NAMES[1:]), f"{NAMES[0]},{digits}"]).classes == ("1", digits)
    refused(photos, [*good, "/a\0b.png,cat"], "name no image")
    refused(photos, ["file,label,Label", *(f"{line},x" for line in good[1:])], "several columns are called 'label'")
    assert "a b" in labelled(photos, [*good[:-1], f'{NAMES[23]},"a\nb"']).classes


def test_names_in_other_capitals_and_other_accents(photos):
    # Kills: a name that looks the same, from a system that keeps accents apart from letters or knows no capitals,
    # refused; one in other capitals preferred to the one that is written so.
    good = ["file,label", *(f"{NAMES[i].upper()},{kind(i)}" for i in range(24))]
    assert found(labelled(photos, good)) == EXPECTED
    (photos / NAMES[0]).rename(photos / "U\u0308.png")
    assert found(labelled(photos, [*good[:1], "\u00fc.PNG,cat", *good[2:]])) == EXPECTED
    (photos / "U\u0308.png").rename(photos / "X.png")
    (photos / NAMES[1]).rename(photos / "x.png")
    lines = [*good[:1], "X.png,cat", "x.png,cat", *good[3:]]
    assert found(labelled(photos, lines)) == EXPECTED
    refused(photos, [*lines, "X.PNG,cat"], "'X.PNG' may be X.png, x.png")
