import io
import os
import zipfile
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse

from jaxgen.core import BadRequest
from jaxgen.data import load, streams
from jaxgen.runs.inputs import data_of, divided

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 5, 6, 3), dtype=np.uint8)
TABLE = RNG.normal(size=(40, 4))


def everything(data):
    return np.concatenate([data.train.x, data.valid.x, data.test.x])


def same(x, y):
    return sorted(row.tobytes() for row in x) == sorted(row.tobytes() for row in y)


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def refused(source, *says):
    with pytest.raises(BadRequest) as caught:
        load(str(source))
    message = str(caught.value)
    assert "\n" not in message and all(s in message for s in says), message


@pytest.mark.parametrize("key", ["x", "images", "data", "X", "anything"])
def test_examples_by_key_or_as_the_only_array(tmp_path, key):
    # Kills: a missing key name, labels counted among the arrays.
    data = load(save(tmp_path / "a.npz", **{key: PIXELS}, labels=np.arange(40) % 2))
    assert data.kind == "image" and data.shape == (5, 6, 3) and data.notes == () and data.name == "a.npz"
    assert same(everything(data), PIXELS) and data.classes == ("0", "1")
    if key != "anything":
        assert same(everything(load(save(tmp_path / "b.npz", more=TABLE, **{key: PIXELS}))), PIXELS)


@pytest.mark.parametrize("key", ["y", "labels", "label"])
def test_labels_by_key(tmp_path, key):
    # Kills: a missing key name; labels that leave their examples.
    x = np.arange(40, dtype=np.uint8).reshape(40, 1, 1) * np.ones((8, 8), np.uint8) + 100
    data = load(save(tmp_path / "a.npz", x=x, **{key: np.arange(40) // 20 * 7 - 3}))
    assert data.classes == ("-3", "4") and data.shape == (8, 8, 1)
    for split in (data.train, data.valid, data.test):
        assert split.label.dtype == np.int32
        assert np.array_equal(split.label, (split.x[:, 0, 0, 0].astype(int) - 100) // 20)


def test_labels_of_each_kind(tmp_path):
    # Kills: strings refused, sorted by number of the first appearance, "1.0" for a class, booleans refused, bytes
    # refused or shown as b'...', a column of labels refused.
    def classes(y):
        return load(save(tmp_path / "a.npz", x=TABLE, y=y)).classes

    assert classes(np.array(["katze", "hund", "ährenmaus", "hund"] * 10)) == ("hund", "katze", "ährenmaus")
    assert classes(np.array([2.0, 10.0] * 20)) == ("2", "10")
    assert classes(np.arange(40) % 2 == 0) == ("False", "True")
    assert classes(np.array([10, 9] * 20, np.uint8)) == ("9", "10")
    assert classes(np.array([b"hund", "ährenmaus".encode()] * 20)) == ("hund", "ährenmaus")
    assert classes(np.arange(40)[:, None] % 3) == ("0", "1", "2")


@pytest.mark.parametrize(
    "y, says",
    [
        (np.zeros(39, int), "(39,)"),
        (np.zeros((40, 2), int), "(40, 2)"),
        (np.zeros((1, 40), int), "(1, 40)"),
        (np.zeros((), int), "()"),
        (np.r_[np.zeros(7), 0.5, np.ones(32)], "label 7 is 0.5"),
        (np.r_[np.zeros(39), np.nan], "label 39 is nan"),
        (np.zeros(40, complex), "complex"),
        (np.array([b"caf\xe9"] * 40), "no UTF-8"),
        (np.array([None] * 40), "y holds Python objects"),
        (np.arange(40), "identifiers"),
    ],
)
def test_labels_that_are_refused(tmp_path, y, says):
    # Kills: each check of labels left out.
    refused(save(tmp_path / "a.npz", x=TABLE, y=y), says)


def test_keys_that_say_nothing_or_too_much(tmp_path):
    # Kills: the first of several arrays taken in silence.
    refused(save(tmp_path / "a.npz", x_train=TABLE, x_test=TABLE, y=np.zeros(40)), "x_train, x_test, y", "call the")
    refused(save(tmp_path / "b.npz", x=TABLE, images=PIXELS), "x and images")
    refused(save(tmp_path / "c.npz", x=TABLE, y=np.zeros(40), label=np.zeros(40)), "y and label")
    refused(save(tmp_path / "d.npz", y=np.zeros(40)), "call the examples x")
    refused(save(tmp_path / "e.npz"), "holds nothing")
    assert load(save(tmp_path / "f.npz", x=TABLE, ids=np.arange(3))).notes == ("arrays not used: ids.",)


@pytest.mark.parametrize(
    "names", ["x_train y_train x_test y_test", "train_images train_labels test_images test_labels"]
)
def test_splits_that_the_names_tell(tmp_path, names):
    # Kills: a test split that is shuffled into train, labels joined in the order of the file, validation out of test.
    first, last = np.full((30, 8, 8), 100, np.uint8), np.full((9, 8, 8), 200, np.uint8)
    arrays = first, np.arange(30) % 2, last, np.full(9, 2, np.uint8)
    saved = dict(reversed(list(zip(names.split(), arrays, strict=True))))
    data = load(save(tmp_path / "a.npz", **saved))
    assert (data.test.x == 200).all() and len(data.test.x) == 9 and (data.test.label == 2).all()
    assert (data.train.x == 100).all() and (data.valid.x == 100).all() and len(data.train.x) + len(data.valid.x) == 30
    assert data.classes == ("0", "1", "2") and "test: the source's own." in data.notes


def test_splits_by_name_may_hold_validation_and_no_labels(tmp_path):
    # Kills: labels that are demanded, "val" unknown, an extra array that refuses the file.
    x = np.concatenate([PIXELS, PIXELS])
    saved = {"train_images": x, "val_images": x[:20], "test_images": x[:30], "md5_sums": np.zeros(3)}
    data = load(save(tmp_path / "a.npz", **saved))
    assert [len(split.x) for split in (data.train, data.valid, data.test)] == [80, 20, 30]
    assert data.train.label is None and "arrays not used: md5_sums." in data.notes


@pytest.mark.parametrize(
    "change, says",
    [
        ({"y_test": None}, ["x_train, y_train, x_test", "labels with each split"]),
        ({"x_val": PIXELS[:20]}, ["labels with each split"]),
        ({"train_x": PIXELS}, ["x_train and train_x", "keep one"]),
        ({"y_test": np.zeros(39, int)}, ["[40, 40]", "[40, 39]"]),
        ({"x_test": PIXELS / 255.0}, ["x_train is uint8", "x_test is float64", "alike"]),
        ({"x_test": PIXELS[:, 1:]}, ["(40, 5, 6, 3)", "(40, 4, 6, 3)", "alike"]),
        ({"y_test": np.array(["1"] * 40)}, ["y_test is <U1"]),
        ({"y_test": np.array(1)}, ["y_test is int64 ()"]),
    ],
)
def test_splits_by_name_that_do_not_fit(tmp_path, change, says):
    # Kills: each check left out.
    whole = {"x_train": PIXELS, "y_train": np.arange(40) % 2, "x_test": PIXELS, "y_test": np.arange(40) % 2}
    saved = {key: array for key, array in (whole | change).items() if array is not None}
    refused(save(tmp_path / "a.npz", **saved), *says)


def test_npy_and_kinds(tmp_path):
    # Kills: [N, 2] taken for points, [N, H, W] for a table, a channel count that must be 1 or 3, endings by case.
    for x, kind, shape in [
        (TABLE[:, :2], "table", (2,)),
        (PIXELS[..., 0], "image", (5, 6, 1)),
        (PIXELS[..., :2], "image", (5, 6, 2)),
        (np.concatenate([PIXELS, PIXELS], -1), "image", (5, 6, 6)),
    ]:
        with open(tmp_path / "a.NPY", "wb") as file:
            np.save(file, x)
        data = load(str(tmp_path / "a.NPY"))
        assert (data.kind, data.shape, data.classes, data.train.label) == (kind, shape, (), None)
        assert (data.scale is None) == (kind == "image")
    for dtype in (np.float16, np.int64, np.uint8, bool, ">f4"):
        np.save(tmp_path / "b.npy", (TABLE * 3 > 0).astype(dtype))
        assert load(str(tmp_path / "b.npy")).train.x.dtype == np.float32


def test_fortran_order_is_the_same_data(tmp_path):
    # Kills: bytes read in the order of memory.
    np.save(tmp_path / "a.npy", PIXELS)
    np.save(tmp_path / "b.npy", np.asfortranarray(PIXELS))
    assert load(str(tmp_path / "a.npy")).digest == load(str(tmp_path / "b.npy")).digest


@pytest.mark.parametrize(
    "x, expected, note",
    [
        (PIXELS, PIXELS, ()),
        (PIXELS.astype(np.int64), PIXELS, ("pixels 0..255 (int64) rounded to whole numbers.",)),
        (PIXELS.astype(np.float32), PIXELS, ("pixels 0..255 (float32) rounded to whole numbers.",)),
        (PIXELS * 0.5 + 100.2, np.rint(PIXELS * 0.5 + 100.2), ("pixels 0..255 (float64) rounded to whole numbers.",)),
        (PIXELS / 255, PIXELS, ("pixels 0..1 (float64) taken times 255, rounded.",)),
        ((PIXELS / 255).astype(np.float32), PIXELS, ("pixels 0..1 (float32) taken times 255, rounded.",)),
        (
            np.where(PIXELS > 99, 0.999, 0.001),
            (PIXELS > 99) * 255,
            ("pixels 0..1 (float64) taken times 255, rounded.",),
        ),
        (PIXELS > 99, (PIXELS > 99) * 255, ("pixels 0..1 (bool) taken times 255, rounded.",)),
        (PIXELS // 128, PIXELS // 128 * 255, ("pixels 0..1 (uint8) taken times 255, rounded.",)),
    ],
)
def test_pixel_ranges(tmp_path, x, expected, note):
    # Kills: cut off instead of rounded, [0, 1] taken for 0..255 (black), 0..1 integers left black, silence.
    data = load(save(tmp_path / "a.npz", x=x))
    assert everything(data).dtype == np.uint8 and same(everything(data), expected.astype(np.uint8))
    assert data.notes == note


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
@pytest.mark.parametrize("top", [4095, 4096, 32767])
def test_arrays_of_16_bits_follow_the_rule_of_files(tmp_path, dtype, top):
    # Kills: a refusal; another limit than files have; numbers cut to eight bits.
    x = RNG.integers(0, top, (40, 8, 8)).astype(dtype)
    x[3, 2, 1] = top
    data = load(str(save(tmp_path / "a.npz", x=x)))
    white = 4095 if top == 4095 else 65535
    found = np.concatenate([split.x[..., 0] for split in data.splits.values()])
    expected = np.rint(x.astype(np.float64) * 255 / white)
    assert sorted(map(tuple, found.reshape(40, -1))) == sorted(map(tuple, expected.reshape(40, -1)))
    assert any(f"0..{white}." in note for note in data.notes)


@pytest.mark.parametrize(
    "x, says",
    [
        (PIXELS / 127.5 - 1, "from -1 to 1"),
        (PIXELS.astype(np.int32) * 257, "to 65535"),
        (PIXELS.astype(np.int16) - 1, "from -1"),
        (PIXELS.astype(np.int16) * 9 - 1, "from -1"),
        (PIXELS / 254.9, "to 1.00039"),
        (PIXELS + 0.5, "to 255.5"),
    ],
)
def test_pixel_ranges_that_are_refused(tmp_path, x, says):
    # Kills: wrapping, clipping in silence, [0, 1.0004] taken for 0..255 (black).
    refused(save(tmp_path / "a.npz", x=x), says, "0 to 1 or 0 to 255")


def test_nan_and_infinity_are_counted_and_placed(tmp_path):
    # Kills: infinity let through, an index of the flat array, a count of rows.
    for value in (np.nan, np.inf, -np.inf):
        x, table = PIXELS / 255, TABLE.copy()
        x[7, 1, 2, 0] = x[7, 1, 2, 2] = x[9, 0, 0, 0] = value
        table[3, 2] = value
        refused(save(tmp_path / "a.npz", x=x), "3 values are NaN or infinite, the first at (7, 1, 2, 0)")
        refused(save(tmp_path / "b.npz", x=table), "1 values", "(3, 2)")


def test_channels_before_pixels_are_refused(tmp_path):
    # Kills: an image 3 pixels high with as many channels as it is wide; true images of few rows or many channels.
    for shape in ((40, 3, 8, 8), (40, 1, 28, 28), (40, 4, 5, 9)):
        refused(save(tmp_path / "a.npz", x=np.ones(shape)), "[N, H, W, C]", "transpose(0, 2, 3, 1)", str(shape))
    for shape in ((40, 3, 8, 3), (40, 8, 8, 8), (40, 1, 3, 9), (40, 2, 8, 8)):
        assert load(save(tmp_path / "a.npz", x=np.ones(shape))).shape == shape[1:]


@pytest.mark.parametrize(
    "x, says",
    [
        (np.arange(40.0), "(40,): save a table as [N, D], images as [N, H, W] or [N, H, W, C], with"),
        (np.zeros((30, 2, 2, 2, 2)), "(30, 2, 2, 2, 2)"),
        (np.zeros(()), "()"),
        (np.zeros((0, 3)), "(0, 3)"),
        (np.zeros((40, 0)), "(40, 0)"),
        (np.zeros((40, 8, 8, 0)), "(40, 8, 8, 0)"),
        (PIXELS[:19], "19 examples"),
        (np.zeros((40, 2), complex), "complex"),
        (np.array([["a", "b"]] * 40), "numbers"),
        (np.array([[None, 1]] * 40), "Python objects"),
        (np.zeros(40, [("a", float)]), "numbers"),
    ],
)
def test_arrays_that_are_refused(tmp_path, x, says):
    # Kills: each check of shape and dtype left out; pickles that are loaded.
    refused(save(tmp_path / "a.npz", x=x), says)
    np.save(tmp_path / "b.npy", x)
    refused(tmp_path / "b.npy", says)


def test_damaged_files_are_refused_in_a_line(tmp_path):
    # Kills: any exception of zip, zlib or NumPy's header parser that is not caught; a wrong array from a flipped bit.
    for name, write in (("a.npz", np.savez), ("b.npz", np.savez_compressed), ("c.npy", np.save)):
        stream = io.BytesIO()
        write(stream, TABLE)
        whole = stream.getvalue()
        (tmp_path / name).write_bytes(whole)
        digest = load(str(tmp_path / name)).digest
        for cut in (0, 1, 5, 30, 100, len(whole) // 2, len(whole) - 1):
            (tmp_path / name).write_bytes(whole[:cut])
            refused(tmp_path / name, name)
        for at in range(0, len(whole) if name != "c.npy" else 128, 7):
            damaged = bytearray(whole)
            damaged[at] ^= 0x55
            (tmp_path / name).write_bytes(damaged)
            try:  # a flip in a field that nobody reads (a time stamp) leaves the data as it was
                assert load(str(tmp_path / name)).digest == digest or name == "c.npy"
            except BadRequest as error:
                assert "\n" not in str(error)


def test_other_files_are_refused(tmp_path):
    # Kills: NumPy's guess by content, a text file called .npy, a zip without arrays, swapped endings.
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    refused(tmp_path / "a.csv", ".npz or .npy file, or a folder")
    (tmp_path / "a.npy").write_text("1,2\n3,4\n")
    refused(tmp_path / "a.npy", "no NumPy file")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x", "not an array")
    refused(tmp_path / "a.npz", "no array")
    with open(tmp_path / "b.npz", "wb") as file:
        np.save(file, TABLE)
    refused(tmp_path / "b.npz", "name it .npy")
    with open(tmp_path / "b.npy", "wb") as file:
        np.savez(file, TABLE)
    refused(tmp_path / "b.npy", "name it .npz")


def test_classes_that_only_an_official_test_split_holds_are_named(tmp_path):
    # Kills: a split that is asked for what was never shown, without a word.
    saved = {"x_train": PIXELS, "y_train": np.arange(40) % 2, "X_test": PIXELS, "Y_test": np.r_[np.arange(39) % 2, 7]}
    assert "in test but never in train: '7'." in load(save(tmp_path / "a.npz", **saved)).notes


def test_several_columns_of_labels_say_what_to_do(tmp_path):
    # Kills: a line that tells shapes alone to who has fourteen findings an image.
    refused(save(tmp_path / "a.npz", x=PIXELS, y=np.zeros((40, 14), int)), "14 columns", "y[:, 0]", "argmax")


def test_arrays_of_other_libraries():
    # Kills: values under a mask that are trained on; a frame of several types refused; strings refused for their box.
    table = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(BadRequest, match="the array: 2 values are masked"):
        divided(np.ma.masked_array(table, mask=np.arange(120).reshape(40, 3) < 2))
    assert divided(np.ma.masked_array(table, mask=False)).shape == (3,)
    for label in (np.array(["a", "b"] * 20, object), np.array(["a", "b"] * 20, np.dtypes.StringDType())):
        assert divided((table, label)).classes == ("a", "b")
    assert divided((table, np.array([3, 5] * 20, object))).classes == ("3", "5")
    with pytest.raises(BadRequest, match="label 1 is missing: fill it in"):
        divided((table, np.array(["a", None] * 20, object)))


class Unknown:
    """It compares as pandas.NA does."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("ambiguous")


def test_odd_labels_in_objects():
    # Kills: a traceback at a number beyond int64, or at a missing value; booleans shown as 0 and 1; the advice to make
    # "nan" a class.
    with pytest.raises(BadRequest, match="label 1 is missing"):
        divided((TABLE, np.array(["a", Unknown()] * 20, object)))
    assert divided((TABLE, np.array([True, False] * 20, object))).classes == ("False", "True")
    with pytest.raises(BadRequest, match=r"labels are object; .* hand in y.astype\(str\)"):
        divided((TABLE, np.array([2**70, 1] * 20, object)))
    with pytest.raises(BadRequest, match="label 3 is missing"):
        divided((TABLE, np.array([*"abc", np.nan] * 10, object)))


def test_masked_sets_are_refused():
    # Kills: masked values of {name: x} that are trained on.
    with pytest.raises(BadRequest, match="40 values are masked"):
        data_of({"a": np.ma.masked_array(TABLE, mask=TABLE == TABLE[:, :1]), "b": TABLE})


class Frame(dict[str, "Column"]):
    """As much of a frame of pandas or polars as is read."""

    columns = property(lambda self: list(self))

    def to_numpy(self):
        raise AssertionError("its columns have several types")

    def __array__(self, dtype=None, copy=None):
        return np.stack([np.asarray(column.values, object) for column in self.values()], 1)


class Column(NamedTuple):
    values: Any

    def to_numpy(self):
        return self.values


def test_frames_are_tables(monkeypatch):
    # Kills: object[60, 3] in place of a table; a missing number read as 0; a column of words without its name; digits
    # in words, such as of a category, taken for numbers; labels in a frame refused; two columns of one name stacked.
    numbers = np.random.default_rng(0).normal(size=40)
    columns = {"age": Column(np.arange(40)), "dose": Column(numbers), "ill": Column(np.arange(40) % 2 == 0)}
    data = divided(Frame(columns))
    assert data.kind == "table" and data.shape == (3,)
    expected = np.stack([np.arange(40), numbers, np.arange(40) % 2 == 0], 1)
    mean, std = data.scale
    found = np.concatenate([data.train.x, data.valid.x, data.test.x]) * std + mean
    np.testing.assert_allclose(np.sort(found, 0), np.sort(expected, 0), rtol=1e-4, atol=1e-5)
    with pytest.raises(BadRequest, match="column 'ward' holds words.*drop it, or encode it"):
        divided(Frame({**columns, "ward": Column(np.array(["a"] * 40, object))}))
    with pytest.raises(BadRequest, match="column 'zip' holds words"):
        divided(Frame({**columns, "zip": Column(np.array(["01", "22"] * 20, object))}))
    labelled = Frame(sort=Column(np.array(["x", "y"] * 20, object)))
    assert divided((Frame(columns), labelled)).classes == ("x", "y")
    twice = Frame(columns)
    monkeypatch.setattr(Frame, "columns", ["age", "age"])
    with pytest.raises(BadRequest, match="2 columns are called 'age'"):
        divided(twice)
    monkeypatch.undo()
    missing = np.where(np.arange(40) == 7, np.nan, numbers)
    with pytest.raises(BadRequest, match="column 'dose' is NaN or infinite in row 7"):
        divided(Frame({**columns, "dose": Column(missing)}))


class Index(tuple):
    def equals(self, other):
        return tuple(self) == tuple(other)


class Rows(np.ndarray):
    """Numbers whose rows have names, as those of a frame or a series of pandas."""

    index = Index()


def named(values, index):
    rows = np.asarray(values).view(Rows)
    rows.index = Index(index)
    return rows


@pytest.mark.parametrize("take", [divided, data_of])
def test_labels_of_other_rows_are_refused(take):
    # Kills: a series that was shuffled apart from its frame, matched by position.
    x, y = named(np.random.default_rng(0).normal(size=(40, 3)), range(40)), np.arange(40) % 2
    assert take((x, named(y, range(40)))).classes == ("0", "1")
    with pytest.raises(BadRequest, match=r"another index than the examples: hand in y.loc\[x.index\]"):
        take((x, named(y, reversed(range(40)))))


def member(path, name, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", content)
    return path


def header(shape, descr="<f8", version=1):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY" + bytes((version, 0)) + len(text).to_bytes(2 if version == 1 else 4, "little") + text


@pytest.mark.parametrize("shape", [(10**12, 3), (25, 3), (2**63, 2**63)])
def test_headers_that_say_more_than_there_is(tmp_path, shape):
    # Kills: memory that is asked for by a header alone; a number of bytes that overflows; one of two kinds of file.
    content = header(shape) + bytes(24 * 3 * 8)
    (tmp_path / "a.npy").write_bytes(content)
    for path in (tmp_path / "a.npy", member(tmp_path / "a.npz", "x", content)):
        refused(path, path.name, f"float64 of shape {shape} takes", "and 576 are there")


@pytest.mark.parametrize("descr", ["|V0", "<U0", "|S0"])
def test_items_that_hold_nothing(tmp_path, descr):
    # Kills: a file that ends the whole process, for NumPy divides by the size of an item (here too, without the check).
    (tmp_path / "a.npy").write_bytes(header((20, 3), descr) + bytes(100))
    refused(tmp_path / "a.npy", "hold nothing")
    refused(member(tmp_path / "a.npz", "x", header((20, 3), descr)), "hold nothing")


def test_headers_without_end(tmp_path):
    # Kills: four gigabytes that are asked for to read a header; the whole of a long header in a message.
    content = header((24, 3), version=2)
    (tmp_path / "a.npy").write_bytes(content[:8] + b"\xff" * 4 + content[12:])
    refused(tmp_path / "a.npy", "its header takes more than 10000 bytes")
    with pytest.raises(BadRequest):
        load(str(tmp_path / "a.npy"), room=0)
    (tmp_path / "a.npy").write_bytes(header((24, 3), descr="?" * 5000))
    with pytest.raises(BadRequest) as caught:
        load(str(tmp_path / "a.npy"))
    assert len(str(caught.value)) < 600


def test_what_takes_more_than_the_memory_there_is(tmp_path, monkeypatch):
    # Kills: an archive of a megabyte that unpacks to a gigabyte, read to the end; images of a file of their own, which
    # stay on the disk, refused with it.
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((30, 100, 100), np.uint8))
    np.save(tmp_path / "a.npy", np.full((30, 100, 100), 200, np.uint8))
    monkeypatch.setattr(streams, "host_memory", lambda: 299_999)
    for name in ("a.npz", "a.npy"):
        refused(tmp_path / name, name, "GiB, and this machine has 0.000279 GiB: use fewer examples")
    assert len(load(str(tmp_path / "a.npy"), room=0).train.x) == 21
    monkeypatch.setattr(streams, "host_memory", lambda: 310_000)
    assert load(str(tmp_path / "a.npz")).shape == (100, 100, 1)


def test_an_archive_that_holds_a_name_twice(tmp_path):
    # Kills: the first of two arrays lost without a word.
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for n in (24, 25):
            stream = io.BytesIO()
            np.save(stream, TABLE[:n])
            archive.writestr("x.npy", stream.getvalue())
    refused(tmp_path / "a.npz", "a.npz holds x several times")


def test_splits_without_numbers(tmp_path):
    # Kills: positions of a trillion examples that take no bytes.
    save(tmp_path / "a.npz", x_train=np.zeros((10**12, 0)), x_test=np.zeros((5, 0)))
    refused(tmp_path / "a.npz", "save all splits alike")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_a_pipe_is_no_file_of_arrays(tmp_path, name):
    # Kills: a pipe whose writer is waited for.
    os.mkfifo(tmp_path / name)
    refused(tmp_path / name, "no plain file")


def test_labels_that_cannot_be_shown(tmp_path):
    # Kills: a class that no report can be written with; two classes of one name; a number that is no character.
    y = np.array(["a\nb", "a b", "\ud800", "c"] * 10)
    assert load(save(tmp_path / "a.npz", x=TABLE, y=y)).classes == ("a\\nb", "a b", "c", "\ufffd")
    broken = np.frombuffer(np.full(40, 0x7FFFFFFF, np.uint32).tobytes(), "<U1")
    refused(save(tmp_path / "b.npz", x=TABLE, y=broken), "b.npz: labels are damaged strings")


def test_refusals_of_what_is_divided_name_the_file(tmp_path):
    # Kills: a line that does not say of which data it speaks.
    refused(save(tmp_path / "few.npz", x=TABLE[:19]), "few.npz: the data holds 19 examples")
    refused(save(tmp_path / "far.npz", x=1e19 * TABLE), "far.npz: column ")


def test_sparse_matrices_are_named():
    # Kills: "the examples are object", which says nothing to whoever has a sparse matrix.
    for make in (scipy.sparse.csr_matrix, scipy.sparse.coo_array):
        with pytest.raises(BadRequest, match=r"keeps only what is not zero: hand in x.toarray\(\)"):
            divided(make(TABLE))


def test_a_machine_without_memory_is_no_damaged_file(tmp_path, monkeypatch):
    # Kills: "damaged or unreadable" of a file that is whole.
    def fail(*args, **options):
        raise MemoryError

    np.save(tmp_path / "x.npy", np.zeros((30, 4)))
    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(MemoryError):
        load(str(tmp_path / "x.npy"))
