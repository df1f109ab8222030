"""Images of any source at a size that is asked for."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.core import BadRequest
from jaxgen.data import load
from jaxgen.data.decode import SIDES, check_size
from jaxgen.data.resize import for_networks, resized, squares
from jaxgen.nets import LARGEST, SMALLEST

RNG = np.random.default_rng(0)


def everything(data):
    return np.concatenate([split.x[:] for split in data.splits.values()])


@pytest.mark.parametrize("shape, size", [((65, 65, 3), 64), ((33, 90, 1), 16), ((90, 41, 3), 28), ((9, 9, 3), 20)])
def test_arrays_and_files_follow_one_rule(tmp_path, shape, size):
    # Kills: another crop, filter or rounding than that of files; channels mixed; another order than that of the array.
    x = RNG.integers(0, 256, (24, *shape), dtype=np.uint8)
    (tmp_path / "folder").mkdir()
    for i, image in enumerate(x):
        Image.fromarray(image.squeeze()).save(tmp_path / "folder" / f"{i:02}.png")
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(24) % 2)
    folder, array, labelled = (load(tmp_path / name, size=size) for name in ("folder", "x.npy", "x.npz"))
    assert folder.shape == array.shape == (size, size, shape[-1]) and array.digest == folder.digest
    assert array.notes == (f"{shape[0]}x{shape[1]} images: centre square at {size}x{size}.",)
    order = np.concatenate([split.label for split in labelled.splits.values()])
    first = {image.tobytes(): i for i, image in enumerate(squares(x, size))}
    assert [first[image.tobytes()] % 2 for image in everything(labelled)] == order.tolist()
    streamed = load(tmp_path / "x.npy", size=size, room=10)
    assert np.array_equal(everything(streamed), everything(array)) and streamed.digest != array.digest


def test_floats_keep_their_type_and_their_range():
    # Kills: fractions rounded to 0 and 1; a mean of other pixels.
    x = RNG.random((5, 16, 20, 2), np.float32)
    means = x[:, :, 2:18].reshape(5, 8, 2, 8, 2, 2).mean((2, 4))
    found = squares(x, 8)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, means, atol=1e-6)  # of four numbers up to 1 in float32


def test_known_sets_are_resized_too():
    # Kills: a size that only files have; factors or labels that are lost; a note of other pixels that stays.
    data, plain = load("shapes", size=8), load("shapes")
    assert data.shape == (8, 8, 1) and np.array_equal(data.train.factors, plain.train.factors)
    assert load("digits", size=8).digest == load("digits").digest != load("digits", size=16).digest
    twice = np.repeat(RNG.integers(0, 256, (40, 16, 16, 1), dtype=np.uint8), 2, 0)
    split = plain.train._replace(x=twice, label=None, factors=None)
    old = plain._replace(train=split, valid=split, test=split, notes=("80 of 80 valid examples also stand in train.",))
    assert sum("valid examples also stand in train" in note for note in resized(old, 8).notes) == 1


@pytest.mark.parametrize("size", [7, 65, 0, -8, 16.5, "16", True, None])
def test_sizes_that_no_network_takes(size):
    # Kills: a limit that is off by one, or another than the networks have; a size that is cut to a whole number.
    assert (SIDES[0], SIDES[-1]) == (SMALLEST, LARGEST)
    assert check_size(np.int64(64)) == 64 and check_size(8) == 8
    with pytest.raises(BadRequest, match="8 to 64 pixels a side"):
        check_size(size)


def test_vectors_have_no_size():
    # Kills: a size that is dropped without a word.
    with pytest.raises(BadRequest, match="size=16 is the side of images, and ring8 is a set of vectors"):
        load("ring8", size=16)


def test_what_networks_need(tmp_path):
    # Kills: images that fit resized; the longer side for the shorter; another side than a folder gets.
    plain = load("digits")
    for shape, side in (((64, 8), None), ((8, 8), None), ((65, 64), 64), ((300, 20), 16), ((128, 128), 64)):
        data = plain._replace(train=plain.train._replace(x=np.zeros((2, *shape, 1), np.uint8)))
        assert for_networks(data) == side
    assert for_networks(load("ring8")) is None
