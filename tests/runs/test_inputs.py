"""What a caller may hand in: arrays as data."""

import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.data import load
from jaxgen.runs.inputs import data_of, divided
from jaxgen.runs.run import fit

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 8, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "x",
    [
        PIXELS,
        PIXELS.astype(np.int64),
        PIXELS.astype(np.float32),
        PIXELS[..., 0],
        PIXELS[..., 0].astype(np.int32),
        PIXELS > 99,
        PIXELS[..., 0] // 128,
    ],
    ids=lambda x: f"{x.dtype} {x.ndim}",
)
def test_images_are_what_they_are_in_a_file(x, tmp_path):
    # Kills: integers refused, [N, H, W] taken for a table, 0 and 1 left black.
    np.save(tmp_path / "x.npy", x)
    filed, data = load(str(tmp_path / "x.npy")), data_of(x)
    assert (data.kind, data.shape, data.train.x.dtype) == ("image", filed.shape, np.uint8)
    both = [sorted(row.tobytes() for row in rows) for rows in (data.train.x, np.concatenate([s.x for s in filed[2:5]]))]
    assert both[0] == both[1] and data.notes == filed.notes


def test_floats_are_taken_as_they_are():
    # Kills: pixels rounded to 256 values; a table standardised; an array divided into splits.
    x = RNG.random((40, 8, 8))
    data = data_of(x)
    np.testing.assert_array_equal(data.train.x, x[..., None].astype(np.float32))
    for table in (RNG.normal(5, 3, (40, 3)), RNG.integers(-9, 9, (40, 3))):
        data = data_of(table)
        np.testing.assert_array_equal(data.train.x, table.astype(np.float32))
        assert data.kind == "table" and data.scale is None and len(data.test.x) == 0


def test_a_table_far_from_unit_scale_is_warned_of(tmp_path):
    # Kills: an array trained on in silence where its file would be standardised; a warning of what is near unit scale,
    # of pixels, or of what is far and standardised; one that names a line of this package.
    near = np.tile([[1.0], [-1.0]], (30, 6))
    far = near * [1, 100, 1e-3, 1e6, 0, 1] + [0, 0, 0, 0, 7, 0]  # 1, 100, 0.001, a million, 7 and 1
    for x, said in ((far, r"e\+06: standardise them"), (near * 1e-4, "of 0.0001"), (near + 300, "of 300")):
        with pytest.warns(UserWarning, match=said):
            data_of(x)
    with pytest.warns(UserWarning, match="or save them as .npz") as found:
        fit("vae", far, steps=1, batch_size=8)
    assert [each.filename for each in found] == [__file__]
    np.save(tmp_path / "far.npy", far)
    for x in (near * 9, near * 0, PIXELS.reshape(40, -1), str(tmp_path / "far.npy")):
        data_of(x)  # a warning is an error here


def test_examples_with_labels():
    # Kills: a ValueError of NumPy; labels dropped, or in another order than their examples; a digest without them.
    names = np.array(["b", "a", "c", "a"] * 10)
    data = data_of((PIXELS, names))
    assert data.classes == ("a", "b", "c") and data.train.label.dtype == np.int32
    assert [data.classes[i] for i in data.train.label] == names.tolist()
    np.testing.assert_array_equal(data.train.x, PIXELS)
    assert data.valid.label.shape == (0,) and data.digest != data_of(PIXELS).digest
    assert data_of((PIXELS.tolist(), np.arange(40)[:, None] % 2)).classes == ("0", "1")


@pytest.mark.parametrize(
    "x", [PIXELS, RNG.normal(5, 300, (40, 3)), RNG.random((40, 8, 8))], ids=["bytes", "table", "floats"]
)
def test_what_is_divided_is_what_it_is_in_a_file(x, tmp_path):
    # Kills: other splits than those of the file, from which a comparison of the same data would answer otherwise; a
    # table that is not standardised; a `Data` that is divided again.
    label = np.array(["b", "a"] * 20)
    np.savez(tmp_path / "x.npz", x=x, y=label)
    filed, data = load(str(tmp_path / "x.npz")), divided((x, label))
    assert data.digest == filed.digest and data.classes == filed.classes and data.notes == filed.notes
    assert [len(split.x) for split in data.splits.values()] == [28, 4, 8]
    assert divided(data) is data and divided(str(tmp_path / "x.npz")).digest == filed.digest
    with pytest.raises(BadRequest, match="shape"):
        divided(x.ravel())
