import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgen.core import BadRequest
from jaxgen.data import decode, image_folder, load
from jaxgen.data.data import part_of

RNG = np.random.default_rng(0)


def noise(height, width, *channels):
    return RNG.integers(0, 256, (height, width, *channels), dtype=np.uint8)


def put(path, image, **options):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def fill(folder, n, *shape):
    arrays = [noise(*shape) for _ in range(n)]
    for i, array in enumerate(arrays):
        put(folder / f"{i:03}.png", array)
    return arrays


def everything(data):
    return np.concatenate([data.train.x, data.valid.x, data.test.x])


def holds(data, expected):
    """Whether one of the images is `expected`."""
    return any(np.array_equal(x, expected) for x in everything(data))


def refused(source, *says):
    with pytest.raises(BadRequest) as caught:
        load(str(source))
    message = str(caught.value)
    assert "\n" not in message and all(s in message for s in says), message


@pytest.mark.parametrize("shape", [(8, 8), (8, 64), (11, 9, 3)])
def test_one_common_shape_is_kept(tmp_path, shape):
    # Kills: height and width swapped, squares forced on all, RGB forced on grey.
    arrays = fill(tmp_path, 20, *shape)
    data = load(str(tmp_path))
    expected = np.stack(arrays).reshape(20, *shape[:2], -1)
    assert data.kind == "image" and data.shape == expected.shape[1:] and data.train.label is None
    assert sorted(x.tobytes() for x in everything(data)) == sorted(x.tobytes() for x in expected)
    assert data.notes[0].startswith(f"20 images of {shape[0]}x{shape[1]}, ") and data.classes == ()
    assert data.digest == load(str(tmp_path)).digest != load(str(tmp_path), seed=1).digest


@pytest.mark.parametrize(
    "sizes, side",
    [
        ([(65, 65)], 64),
        ([(300, 500)], 64),
        ([(7, 7)], 8),
        ([(3, 100)], 8),
        ([(8, 65)], 8),
        ([(12, 12), (12, 13)], 8),
        ([(13, 20), (14, 13)], 16),
        ([(22, 22), (40, 22)], 16),
        ([(23, 23), (40, 23)], 28),
        ([(31, 31), (31, 90)], 32),
        ([(60, 60), (49, 49), (49, 70)], 64),
        ([(9, 9), (9, 9), (9, 9), (60, 60)], 8),
    ],
)
def test_side_is_the_rounded_median_of_the_shorter_sides(tmp_path, sizes, side):
    # Kills: a mean for the median, the longer side, rounding down, the larger of two equally near.
    for i in range(24):
        put(tmp_path / f"{i}.png", noise(*sizes[i % len(sizes)]))
    data = load(str(tmp_path))
    assert data.shape == (side, side, 1)
    assert f"centre square at {side}x{side}, grey" in data.notes[0]


def test_crop_is_central_and_resizing_is_a_box(tmp_path):
    # Kills: squeezing, a crop from the corner, nearest neighbour (aliasing), a filter wider than the box.
    wide = noise(128, 200)
    tall = noise(256, 64)
    fill(tmp_path, 20, 70, 70)
    put(tmp_path / "wide.png", wide)
    put(tmp_path / "tall.png", tall)
    data = load(str(tmp_path))
    assert data.shape == (64, 64, 1)
    assert holds(data, tall[96:160, :, None])
    means = wide[:, 36:164].reshape(64, 2, 64, 2).mean((1, 3))[..., None]
    assert any(np.abs(x - means).max() <= 1 for x in everything(data))


def mixed(tmp_path, extra):
    """20 grey images of 8x8 and one more, `extra`: the value of its first pixel as the library reads it."""
    for i in range(20):
        put(tmp_path / f"{i}.png", np.full((8, 8), 100, np.uint8))
    put(tmp_path / ("extra" + (".tif" if extra.mode in ("F", "CMYK", "I") else ".png")), extra)
    data = load(str(tmp_path))
    found = [x for x in everything(data) if not np.all(x == 100)]
    assert len(found) == 1 and all("centre square" not in note for note in data.notes)
    return found[0][0, 0].tolist()


def palette(colour, **info):
    image = Image.new("P", (8, 8), 0)
    image.putpalette(colour + (0, 0, 0))
    image.info.update(info)
    return image


@pytest.mark.parametrize(
    "extra, pixel",
    [
        (Image.new("1", (8, 8), 1), [255]),
        (Image.new("L", (8, 8), 7), [7]),
        (Image.new("LA", (8, 8), (0, 0)), [255]),
        (Image.new("LA", (8, 8), (40, 255)), [40]),
        (Image.fromarray(np.full((8, 8), 257 * 99, np.uint16)), [99]),
        (Image.fromarray(np.full((8, 8), 65535, np.int32)), [255]),
        (Image.fromarray(np.full((8, 8), 0.2, np.float32)), [51]),
        (Image.new("RGB", (8, 8), (1, 2, 3)), [1, 2, 3]),
        (Image.new("RGBA", (8, 8), (1, 2, 3, 255)), [1, 2, 3]),
        (Image.new("RGBA", (8, 8), (1, 2, 3, 0)), [255, 255, 255]),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 51)), [204, 204, 204]),
        (palette((9, 8, 7)), [9, 8, 7]),
        (palette((9, 8, 7), transparency=0), [255, 255, 255]),
        (Image.new("CMYK", (8, 8), (0, 255, 0, 0)), [255, 0, 255]),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value),
)
def test_modes(tmp_path, extra, pixel):
    # Kills: transparency on black or dropped, 16 bits clipped, colour for grey and grey for colour.
    assert mixed(tmp_path, extra) == pixel


@pytest.mark.parametrize(
    "value", [np.float32(1.5), np.float32(np.nan), np.float32(-0.1), np.int32(70_000), np.int32(-1)]
)
def test_numbers_out_of_range_are_refused(tmp_path, value):
    # Kills: wrapping around at 256; NaN as 0.
    fill(tmp_path, 20, 8, 8)
    put(tmp_path / "odd.tif", np.full((8, 8), value))
    refused(tmp_path, "odd.tif", "is read as 0 to")


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("exif", [b"no tiff header", b"II*\0\x08\0\0\0\1\0\x12\1\2\0\2\0\0\0" + b"6" + bytes(7)])
def test_damaged_metadata_cost_no_pixels(tmp_path, ending, exif):
    # Kills: an image refused for an EXIF block that cannot be read, or whose orientation is the text "6".
    fill(tmp_path, 20, 9, 12)
    whole = np.full((9, 12), 77, np.uint8)
    put(tmp_path / f"odd.{ending}", whole, exif=b"Exif\0\0" + exif)
    assert holds(load(tmp_path), whole[..., None])


@pytest.mark.parametrize(
    "orientation, turn",
    [
        (2, np.fliplr),
        (3, lambda x: np.rot90(x, 2)),
        (4, np.flipud),
        (5, np.transpose),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: np.rot90(x, 2).T),
        (8, np.rot90),
    ],
)
@pytest.mark.parametrize("ending, options", [("png", {}), ("tif", {}), ("tif", {"compression": "tiff_lzw"})])
def test_every_orientation(tmp_path, orientation, turn, ending, options):
    # Kills: a turn in the other direction; a TIFF, which its reader turns itself, turned twice or of the other shape;
    # one that is not compressed scrambled.
    exif, image = Image.Exif(), noise(9, 12)
    exif[0x0112] = orientation
    put(tmp_path / "a" / f"turned.{ending}", image, exif=exif, **options)
    expected = turn(image)
    fill(tmp_path / "a", 20, *expected.shape)
    assert holds(load(tmp_path / "a"), expected[..., None])


def test_exif_orientation_is_applied(tmp_path):
    # Kills: orientation ignored in the header (5x8 of another shape) or in the pixels.
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    arrays = fill(tmp_path, 20, 9, 12)
    turned = noise(12, 9)
    put(tmp_path / "turned.png", turned, exif=exif)
    data = load(str(tmp_path))
    assert data.shape == (9, 12, 1)
    assert holds(data, np.rot90(turned, -1)[..., None]) and holds(data, arrays[0][..., None])
    large = np.zeros((100, 300), np.uint8)
    large[:50] = 255
    folder = tmp_path / "large"
    fill(folder, 20, 64, 70)
    put(folder / "turned.jpg", large, exif=exif)
    x = [x for x in everything(load(str(folder))) if x.std() > 100]
    assert len(x) == 1 and x[0][:, -1].mean() > 250 and x[0][:, 0].mean() < 5


def test_first_level_sub_folders_are_labels(tmp_path):
    # Kills: the last folder as the label, names split at spaces, an empty or hidden folder as a class.
    root = tmp_path / "mes données 📷"
    for i in range(12):
        put(root / "Hündin & Welpe" / "été 2024" / f"bild {i} ä.PNG", np.full((8, 8), 200 + i, np.uint8))
        put(root / "chat noir" / f"{i}.JPeG", np.full((8, 8), i, np.uint8))
    put(root / "chat noir" / "été 2024" / "extra.bmp", np.full((8, 8), 99, np.uint8))
    (root / "vide").mkdir()
    put(root / ".cache" / "x.png", np.zeros((8, 8), np.uint8))
    data = load(str(root))
    assert data.classes == ("Hündin & Welpe", "chat noir") and data.name == "mes données 📷"
    for split in (data.train, data.valid, data.test):
        assert np.array_equal(split.label, split.x[:, 0, 0, 0] < 150)
    assert len(everything(data)) == 25
    assert data.notes[0] == "skipped: 1 hidden." and "labels: the 2 sub-folders of the first level." in data.notes


def layout(root, **counts):
    """`root/SPLIT/{cat,dog}/*.png`: cats are dark, dogs bright, and the splits differ in a step of 20."""
    for step, (split, n) in enumerate(counts.items()):
        for base, name in ((10, "cat"), (150, "dog")):
            for i in range(n):
                put(root / split / name / f"{i}.png", np.full((8, 8), base + 20 * step + i, np.uint8))
    return root


def test_a_folder_without_images_is_named(tmp_path):
    # Kills: a class that vanishes without its name, such as one of files that are not read; silence of it.
    fill(tmp_path / "cat", 20, 8, 8)
    for i in range(3):
        (tmp_path / "dog" / "more").mkdir(parents=True, exist_ok=True)
        (tmp_path / "dog" / "more" / f"{i}.heic").write_bytes(b"an image of another kind")
    (tmp_path / ".git").mkdir()
    data = load(tmp_path)
    assert data.classes == ("cat",) and data.notes[:2] == (
        "skipped: 1 hidden, 3 not images (.heic).",
        "no images in 'dog'.",
    )


def test_other_names_of_splits(tmp_path):
    # Kills: Training and Testing as the classes of data that are divided anew.
    fill(tmp_path / "Training" / "a", 20, 8, 8)
    fill(tmp_path / "dev" / "a", 3, 8, 8)
    fill(tmp_path / "Testing" / "a", 4, 8, 8)
    data = load(tmp_path)
    assert data.classes == ("a",) and [len(split.x) for split in data.splits.values()] == [20, 3, 4]


def test_a_split_of_which_the_rest_is_no_split(tmp_path):
    # Kills: a class called test, or unlabelled, without a word.
    for name in ("ok", "nok", "test"):
        fill(tmp_path / "parts" / name, 10, 8, 8)
    data = load(tmp_path / "parts")
    assert data.classes == ("nok", "ok", "test") and any("read as a class" in n and "'test'" in n for n in data.notes)
    for name in ("train", "Unlabelled"):
        fill(tmp_path / "half" / name / "a", 20, 8, 8)
    refused(tmp_path / "half", "holds train beside 'Unlabelled'")


@pytest.mark.parametrize(
    "name, part",
    [
        ("val2017", 1),
        ("train-2014", 0),
        ("Hold-Out", 2),
        ("EVAL", 2),
        ("training_set", 0),
        ("Test Set", 2),
        ("devset", 1),
        ("subset", None),
        ("set", None),
        ("test1", None),
        ("val3017", None),
        ("cat", None),
    ],
)
def test_names_of_splits(name, part):
    # Kills: COCO's years as part of the name; a number of any kind taken for a year; a case that matters; sets
    # as classes, as in training_set and test_set.
    assert part_of(name) == part


def test_images_are_known_by_their_content(tmp_path):
    # Kills: photos without an ending, or with a stranger's, that vanish; a pipe that is opened, which never ends.
    for i, kind in enumerate(("png", "jpeg", "gif", "webp", "tiff", "jpeg2000", "avif")):
        for name in (f"{i}", f"{i}.dat"):
            put(tmp_path / name, np.full((8, 8), 150, np.uint8), format=kind)
    fill(tmp_path, 20, 8, 8)
    (tmp_path / "text.dat").write_text("GIF, in words")
    os.mkfifo(tmp_path / "pipe")
    data = load(tmp_path)
    assert len(everything(data)) == 34 and data.notes[0] == "skipped: 2 not images (.dat, no ending)."


def test_what_begins_as_an_image_and_is_none_to_use(tmp_path):
    # Kills: a folder refused for a download that was cut or for a raw photo; a backup that is trained on and tested on.
    fill(tmp_path, 20, 8, 8)
    for name in ("a.png.crdownload", "b.png~", "c.png.bak"):
        put(tmp_path / name, np.full((8, 8), 150, np.uint8), format="png")
    put(tmp_path / "d.CR2", np.full((8, 8), 150, np.uint8), format="tiff")
    data = load(tmp_path)
    assert len(everything(data)) == 20 and data.notes[0].startswith("skipped: 4 not images (")


def test_two_domains_by_split(tmp_path):
    # Kills: CycleGAN's trainA, trainB, testA, testB as four classes, divided anew.
    for name, n in (("trainA", 20), ("trainB", 18), ("testA", 4), ("testB", 5)):
        fill(tmp_path / name, n, 8, 8)
    data = load(tmp_path)
    assert data.classes == ("A", "B") and len(data.test.x) == 9 and np.bincount(data.test.label).tolist() == [4, 5]


@pytest.mark.parametrize("valid", ["val", "Valid", "VALIDATION"])
def test_sub_folders_that_are_splits(tmp_path, valid):
    # Kills: "train" and "test" as labels; a test image trained on; a name that matters by its case; labels by split.
    data = load(str(layout(tmp_path, **{"train": 16, valid: 2, "Test": 3})))
    assert data.classes == ("cat", "dog")
    for step, (split, n) in enumerate(((data.train, 16), (data.valid, 2), (data.test, 3))):
        pixels = split.x[:, 0, 0, 0].astype(int)
        assert sorted(pixels) == [base + 20 * step + i for base in (10, 150) for i in range(n)]
        assert np.array_equal(split.label, pixels >= 150)
    assert "labels: the 2 sub-folders of the second level." in data.notes
    assert "valid and test: the source's own." in data.notes


def test_splits_may_lack_labels_and_one_of_them(tmp_path):
    # Kills: a split demanded that is not there; labels made of nothing; a valid split taken out of test.
    fill(tmp_path / "train", 40, 8, 8)
    arrays = fill(tmp_path / "test", 5, 8, 8)
    data = load(str(tmp_path))
    assert data.train.label is None and data.classes == ()
    assert [len(split.x) for split in (data.train, data.valid, data.test)] == [35, 5, 5]
    assert sorted(x.tobytes() for x in data.test.x) == sorted(x.tobytes() for x in arrays)


def test_splits_that_are_none_or_half(tmp_path):
    # Kills: splits guessed in silence where other folders stand beside them; half of the labels; test as train.
    fill(tmp_path / "a" / "train", 20, 8, 8)
    fill(tmp_path / "a" / "bus", 20, 8, 8)
    assert load(str(tmp_path / "a")).classes == ("bus", "train")  # vehicles
    layout(tmp_path / "b", train=10, test=10, extra=2)
    refused(tmp_path / "b", "test, train beside 'extra'")
    layout(tmp_path / "c", val=10, test=10)
    refused(tmp_path / "c", "no train", str(tmp_path / "c" / "test"))
    layout(tmp_path / "d", train=10)
    fill(tmp_path / "d" / "test", 3, 8, 8)
    refused(tmp_path / "d", "beside and inside", "'test/000.png'", "one split alone")


def test_the_layout_of_mvtec(tmp_path):
    # Kills: masks read as images or as a class; a refusal of the folder beside the splits; defects that are trained on,
    # or that are not known as anomalies; masks of a folder that holds no splits left out in silence.
    for folder, n in (("train/good", 40), ("test/good", 6), ("test/crack", 3), ("test/hole", 2)):
        fill(tmp_path / folder, n, 8, 8)
    for folder, n in (("ground_truth/crack", 3), ("ground_truth/hole", 2)):
        fill(tmp_path / folder, n, 8, 8)
    (tmp_path / "license.txt").write_text("nothing")
    data = load(str(tmp_path))
    assert data.classes == ("crack", "good", "hole") and data.anomalies == ("crack", "hole")
    assert [np.bincount(split.label, minlength=3).tolist() for split in (data.train, data.valid, data.test)] == [
        [0, 35, 0],
        [0, 5, 0],
        [3, 6, 2],
    ]
    assert "not read: the 5 images in ground_truth, for they are masks of what the others show." in data.notes
    assert "anomalies: 'crack', 'hole', for train holds 'good' alone." in data.notes
    assert not any("in train only" in note for note in data.notes)
    fill(tmp_path / "flat" / "ground_truth", 20, 8, 8)
    fill(tmp_path / "flat" / "rest", 20, 8, 8)
    assert load(str(tmp_path / "flat")).classes == ("ground_truth", "rest")


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_folder_names_that_are_not_utf8(tmp_path):
    # Kills: a class name that no report can be written with.
    fill(tmp_path / os.fsdecode(b"caf\xe9"), 10, 8, 8)
    fill(tmp_path / "the", 10, 8, 8)
    assert load(str(tmp_path)).classes == ("caf\ufffd", "the")


def test_everything_else_is_skipped_and_counted(tmp_path):
    # Kills: hidden files read as images (macOS writes ._1.png beside 1.png), silence.
    fill(tmp_path / "a", 20, 8, 8)
    (tmp_path / "a" / "._000.png").write_bytes(b"nothing")
    (tmp_path / ".DS_Store").write_bytes(b"nothing")
    for name in ("a/Thumbs.db", "readme.txt", "a/png"):
        (tmp_path / name).write_text("nothing")
    data = load(str(tmp_path))
    assert data.notes[0] == "skipped: 2 hidden, 3 not images (.db, .txt, no ending)." and len(everything(data)) == 20


def test_all_endings_are_read(tmp_path):
    # Kills: an ending or a reader left out; a case that matters.
    for i, ending in enumerate(image_folder.ENDINGS):
        for j, name in enumerate((ending, ending.upper(), ending.title())):
            kind = {"pbm": "ppm", "j2k": "jpeg2000", "pnm": "ppm"}.get(ending)  # PBM holds black and white alone
            put(tmp_path / f"{i}{j}.{name}", np.full((8, 8), 150, np.uint8), format=kind)
    data = load(str(tmp_path))
    assert len(everything(data)) == 3 * len(image_folder.ENDINGS) and np.all(
        np.abs(everything(data).astype(int) - 150) <= 2
    )


def test_linked_folders_are_followed_and_circles_end(tmp_path):
    # Kills: a linked class that vanishes; a walk without end.
    fill(tmp_path / "elsewhere", 20, 8, 8)
    root = tmp_path / "root"
    fill(root / "b", 10, 8, 8)
    os.symlink(tmp_path / "elsewhere", root / "a")
    os.symlink(root, root / "b" / "up")
    data = load(str(root))
    assert data.classes == ("a", "b") and len(everything(data)) == 30


def test_the_file_system_decides_no_order(tmp_path, monkeypatch):
    # Kills: files in the order in which the system lists them.
    fill(tmp_path, 20, 8, 8)
    digest, walk = load(str(tmp_path)).digest, os.walk
    for order in (sorted, lambda names: sorted(names, reverse=True)):
        monkeypatch.setattr(os, "walk", lambda *a, order=order, **k: ((f, b, order(n)) for f, b, n in walk(*a, **k)))
        assert load(str(tmp_path)).digest == digest


def test_warnings_of_the_reader_are_no_failure(tmp_path, monkeypatch):
    # Kills: PIL's warning of a large image on the user's screen (here, where warnings are errors, a refusal).
    fill(tmp_path, 20, 70, 70)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    assert load(str(tmp_path)).shape == (64, 64, 1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    refused(tmp_path, "000.png", "more than the 4,000 pixels that Pillow reads: make it smaller")


def test_folders_that_are_refused(tmp_path):
    # Kills: labels for some images only, an empty array, a split of nothing.
    refused(tmp_path / "missing", "must exist")
    refused(tmp_path, "holds no images", "png")
    (tmp_path / "notes.txt").write_text("nothing")
    refused(tmp_path, "holds no images (skipped: 1 not images (.txt))")
    fill(tmp_path, 19, 8, 8)
    refused(tmp_path, "19 examples")
    put(tmp_path / "sub" / "1.png", noise(8, 8))
    refused(tmp_path, "beside and inside", "'000.png'")


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif", "webp", "tif"])
@pytest.mark.parametrize("size", [8, 70])
def test_damaged_images_are_named(tmp_path, ending, size):
    # Kills: a reader's own exception, a truncated image half grey, a message without the file.
    fill(tmp_path, 20, size, size)
    bad = put(tmp_path / f"011 bäd.{ending}", noise(size, size))
    whole = bad.read_bytes()
    for part in (b"", b"no image at all", whole[:20], whole[: len(whole) * 2 // 3]):
        bad.write_bytes(part)
        refused(tmp_path, f"011 bäd.{ending} cannot be read as an image")


def test_all_damaged_images_are_named_at_once(tmp_path):
    # Kills: the first alone; a header that ends the look at the others; those whose pixels alone are damaged; a count
    # of the names that are shown; names in the order in which threads end.
    fill(tmp_path, 30, 12, 12)
    for i in (3, 9, 11, 20, 28):
        (tmp_path / f"{i:03}.png").write_bytes(b"no image")
    refused(tmp_path, f"{tmp_path}: 5 images cannot be read: 003.png (", ", 009.png (", ", 011.png (", ") and 2 more: ")
    for i in (3, 9, 11, 20, 28):
        whole = put(tmp_path / f"{i:03}.png", noise(12, 12)).read_bytes()
        (tmp_path / f"{i:03}.png").write_bytes(whole[: len(whole) * 2 // 3])
    refused(
        tmp_path,
        "5 images cannot be read: 003.png (image file is truncated",
        ", 009.png (",
        ", 011.png (",
        ") and 2 more: mend or remove them.",
    )


@pytest.mark.parametrize(
    "values, brightest, says",
    [
        ((60, 4095), 255, "none is above 4095, read as 12-bit: 0..4095."),
        ((60, 4096), 16, "pixels of 16 bits read as 16-bit: 0..65535."),
        ((60, 65535), 255, "0..65535."),
        ((60, 255), 255, "read as 8-bit: 0..255."),
    ],
)
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_the_depth_of_16_bit_files_is_one_for_the_folder(tmp_path, values, brightest, says, ending):
    # Kills: a depth for each image, by which the dark ones are as bright as the others; 4095 of 65535, black; a limit
    # that is off by one; a rule that nobody is told.
    dark, bright = values
    for i in range(20):
        put(tmp_path / f"{i:02}.{ending}", np.full((8, 8), dark if i else bright, np.uint16))
    data = load(str(tmp_path))
    top = next(top for top in (255, 4095, 65535) if top >= bright)
    assert sorted(set(everything(data).ravel().tolist())) == sorted({round(dark * 255 / top), brightest})
    assert any(says in note for note in data.notes)


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("size", [8, 20, 64])
def test_a_size_that_is_asked_for(tmp_path, size, width):
    # Kills: a size dropped where all images share one that networks take; squeezing; a filter of its own.
    arrays = fill(tmp_path, 20, 40, width, 3)
    data = load(str(tmp_path), size=size)
    assert data.shape == (size, size, 3) and data.notes[0].endswith(f"centre square at {size}x{size}, RGB.")
    if size == 20:
        means = arrays[0][:, width // 2 - 20 : width // 2 + 20].reshape(20, 2, 20, 2, 3).mean((1, 3))
        assert any(np.abs(x - means).max() <= 1 for x in everything(data))


def test_a_size_that_images_have_changes_nothing(tmp_path):
    # Kills: a resampling, or a note of one, where there is nothing to do.
    fill(tmp_path, 20, 16, 16)
    plain, asked = load(tmp_path), load(tmp_path, size=16)
    assert (asked.digest, asked.notes) == (plain.digest, plain.notes)


def test_other_formats_behind_a_known_ending_are_not_opened(tmp_path):
    # Kills: PIL trying all its readers, Ghostscript among them, on a user's file.
    fill(tmp_path, 20, 8, 8)
    put(tmp_path / "a.eps", noise(8, 8)).rename(tmp_path / "a.png")
    refused(tmp_path, "a.png cannot be read")


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the peak of resident memory from Linux")
def test_memory_is_the_result_and_one_image(tmp_path):
    # Kills: a list of decoded images (64 of them take 430 MB), files left open with their pixels.
    first = put(tmp_path / "00.png", np.broadcast_to(np.arange(1500, dtype=np.uint8)[:, None, None], (1500, 1500, 3)))
    for i in range(1, 64):
        os.link(first, tmp_path / f"{i:02}.png")
    code = (
        "import sys, jaxgen.data as d, PIL.Image, PIL.ImageOps, PIL.PngImagePlugin\n"
        "def peak(): return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024\n"
        "before = peak(); data = d.load(sys.argv[1])\n"
        "assert data.shape == (64, 64, 3) and len(data.train.x) == 45, data.shape\n"
        "assert peak() - before < 80, peak() - before"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_warnings_are_ignored_as_long_as_any_thread_reads():
    # Kills: filters put back by the thread that ends first, in front of those that still read; filters left behind.
    before = list(warnings.filters)
    inside, outside = threading.Event(), threading.Event()

    def first():
        with decode._silenced():
            inside.set()
            assert outside.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    with decode._silenced():
        outside.set()
        thread.join(10)
        warnings.warn("ignored", stacklevel=1)  # an error in these tests
    assert warnings.filters == before


def test_links_to_what_is_read_already_are_counted(tmp_path):
    # Kills: a folder that is dropped without a word, for another link leads to it; a link to itself that ends the walk
    # with the system's error.
    fill(tmp_path / "a", 20, 8, 8)
    (tmp_path / "b").mkdir()
    os.symlink(tmp_path / "a", tmp_path / "b" / "again")
    os.symlink("itself", tmp_path / "itself")
    data = load(str(tmp_path))
    assert len(everything(data)) == 20
    assert data.notes[0] == ("skipped: 1 links to folders that are read already, 1 not images (no ending).")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_pipes_are_no_images(tmp_path):
    # Kills: a pipe that is named as an image, and whose writer is waited for.
    fill(tmp_path, 20, 8, 8)
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    data = load(str(tmp_path))
    assert len(everything(data)) == 20 and data.notes[0] == "skipped: 2 not images (.png, no ending)."


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_names_of_folders_that_cannot_be_shown(tmp_path):
    # Kills: a note or a message of two lines, or one that changes the terminal; two classes of one name.
    for name in (b"caf\xe9", b"caf\xe8", b"a\nb", b"the"):
        fill(tmp_path / os.fsdecode(name), 10, 8, 8)
    (tmp_path / "x.\x1b[31m").write_text("nothing")
    data = load(str(tmp_path))
    assert data.classes == ("a b", "caf\\udce8", "caf\\udce9", "the")
    assert data.notes[0] == "skipped: 1 not images (.\ufffd[31m)."
    (tmp_path / "the" / "c\nd.png").write_bytes(b"no image")
    refused(tmp_path, "the/c d.png cannot be read")


def test_large_images_are_decoded_one_after_the_other(tmp_path, monkeypatch):
    # Kills: as many large images in memory as there are threads.
    fill(tmp_path, 24, 20, 20)
    inside, most, read = [], [], decode._pixels

    def watched(image, *args):
        inside.append(image)
        most.append(len(inside))
        time.sleep(0.005)
        try:
            return read(image, *args)
        finally:
            inside.remove(image)

    monkeypatch.setattr(decode, "_pixels", watched)
    load(str(tmp_path))
    assert max(most) > 1
    most.clear()
    monkeypatch.setattr(decode, "LARGE", 399)
    load(str(tmp_path))
    assert max(most) == 1 and len(most) == 24
