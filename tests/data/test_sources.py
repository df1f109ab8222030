import itertools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.data import as_float, load, names


def together(data):
    splits = (data.train, data.valid, data.test)
    return np.concatenate([s.x for s in splits]), np.concatenate([s.label for s in splits])


def as_multiset(x):
    return sorted(row.tobytes() for row in np.ascontiguousarray(x))


def test_digits_are_sklearns_scaled_to_255():
    # Kills: x * 16 (256 wraps to 0), x * 15 (the brightest is 240), images cut off instead of rounded.
    from sklearn.datasets import load_digits

    data = load("digits")
    x, label = together(data)
    table = np.array([0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255], np.uint8)
    found = load_digits()
    expected = table[found.images.astype(int)]
    assert x.dtype == np.uint8 and data.shape == (8, 8, 1) and label.dtype == np.int32
    assert as_multiset(x[..., 0]) == as_multiset(expected)
    # Labels travel with their images: a digit and its label, appended as one more row of pixels.
    tagged = [np.concatenate([a.reshape(-1, 64), b[:, None]], 1) for a, b in ((x, label), (expected, found.target))]
    assert as_multiset(tagged[0].astype(np.uint8)) == as_multiset(tagged[1].astype(np.uint8))
    assert data.classes == tuple("0123456789") and data.kind == "image" and data.modes is None and data.scale is None
    assert [len(s.x) for s in (data.train, data.valid, data.test)] == [1259, 179, 359]


@pytest.mark.parametrize("name, count, std", [("ring8", 8, 0.01), ("grid25", 25, 0.05)])
def test_mixtures_have_their_modes(name, count, std):
    # Kills: an endpoint counted twice (linspace(0, 2 pi, 8)), a variance for a std, unequal weights, labels of others.
    data = load(name)
    x, label = together(data)
    n = len(x)
    means = data.modes.means
    assert data.kind == "points" and data.modes.std == std and data.classes == tuple(map(str, range(count)))
    assert means.shape == (count, 2) and x.dtype == np.float32 and x.shape == (25_000, 2) and label.dtype == np.int32
    gaps = [np.linalg.norm(a - b) for a, b in itertools.combinations(means.astype(np.float64), 2)]
    assert min(gaps) == pytest.approx({"ring8": 2 * np.sin(np.pi / 8), "grid25": 2.0}[name], rel=1e-5)
    weight = np.bincount(label, minlength=count) / n
    assert np.all(np.abs(weight - 1 / count) < 5 * np.sqrt((1 / count) * (1 - 1 / count) / n))
    rest = (x - means[label]).astype(np.float64)
    assert np.all(np.abs(rest.mean(0)) < 5 * std / np.sqrt(n))
    assert abs(rest.std() - std) < 5 * std / np.sqrt(2 * 2 * n)
    for mode in range(count):
        mine = rest[label == mode]
        assert np.all(np.abs(mine.mean(0)) < 5 * std / np.sqrt(len(mine)))


def test_ring8_lies_on_the_unit_circle_and_grid25_on_its_grid():
    # Kills: a ring of another radius, a grid with a missing or doubled point.
    ring, grid = load("ring8").modes.means, load("grid25").modes.means
    np.testing.assert_allclose(np.linalg.norm(ring, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(ring[[0, 2]], [[1, 0], [0, 1]], atol=1e-6)
    assert set(map(tuple, grid.tolist())) == set(itertools.product((-4, -2, 0, 2, 4), repeat=2))


def test_cancer_is_standardised_by_its_training_split():
    # Kills: mean and std of all examples, a scale that does not lead back to the user's units, swapped classes.
    from sklearn.datasets import load_breast_cancer

    data = load("cancer")
    found = load_breast_cancer()
    x, label = together(data)
    assert data.kind == "table" and data.shape == (30,) and x.dtype == np.float32
    np.testing.assert_allclose(data.train.x.mean(0, dtype=np.float64), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.x.std(0, dtype=np.float64), 1, rtol=1e-5)
    mean, std = data.scale
    back = x * std + mean
    np.testing.assert_allclose(np.sort(back, 0), np.sort(found.data, 0), rtol=1e-4, atol=1e-4)
    assert data.anomalies == ("malignant",) and load("digits").anomalies == ()
    assert data.classes == ("malignant", "benign") and np.bincount(label).tolist() == [212, 357]


def test_seed_decides_draws_and_splits():
    # Kills: a seed that is ignored, or taken from elsewhere.
    for name in names():
        assert load(name).digest == load(name, seed=0).digest != load(name, seed=1).digest


@pytest.mark.parametrize("seed", [-1, 0.5, "1", None, True])
def test_seeds_that_are_none(seed):
    # Kills: NumPy's own ValueError, a traceback for the user.
    with pytest.raises(BadRequest, match="seed"):
        load("digits", seed=seed)


@pytest.mark.parametrize(
    "source, near",
    [
        ("digit", "digits"),
        ("Ring8", "ring8"),
        ("CANCER", "cancer"),
        ("fashon_mnist", "fashion_mnist"),
        ("cifar-10", "cifar10"),
    ],
)
def test_unknown_names_offer_the_nearest(source, near):
    # Kills: a hint that compares case by case, a message without the rule for paths.
    with pytest.raises(BadRequest, match=f"did you mean '{near}'.*must exist") as caught:
        load(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source, near",
    [
        ("wine", "wine.npz"),
        ("Wine.npy", "wine.npz"),
        ("sub/wien", "sub/wine.npy"),
        ("photoes", "photos"),
        ("rings", "rings.npz"),
        ("cifar10", None),
        ("digit", "digits"),
        ("cifar-10", "cifar10"),
        ("nosuch", None),
        ("winograd", "winogrande"),
        ("secrets", None),
    ],
)
def test_what_is_meant(source, near, tmp_path, monkeypatch):
    # Kills: a far name of TFDS before the file beside it; a far name at all; a name that is known after one that is
    # like it; files that hold no data.
    monkeypatch.chdir(tmp_path)
    for folder in ("sub", "photos", ".secrets"):
        os.mkdir(folder)
    for file in ("wine.npz", "rings.npz", "sub/wine.npy", "secret.txt"):
        open(file, "w").close()
    with pytest.raises(BadRequest) as caught:
        load(source)
    said = str(caught.value)
    assert f"did you mean {near!r}?" in said if near else "did you mean" not in said, said


@pytest.mark.parametrize("source", ["", "zzz", "/no/such/place", "x" * 5000, "a\0b", "~nobody/here"])
def test_what_does_not_exist_is_refused(source):
    # Kills: the current folder for "", and OSError or ValueError for names that no file can have.
    with pytest.raises(BadRequest, match="must exist"):
        load(source)


def test_a_known_name_wins_over_a_path_and_says_so(tmp_path, monkeypatch):
    # Kills: the path first; a silent choice.
    monkeypatch.chdir(tmp_path)
    os.mkdir("digits")
    np.save("plain.npy", np.arange(60.0).reshape(30, 2))
    data = load("digits")
    assert data.digest != load("cancer").digest and len(data.train.x) == 1259 and "./digits" in data.notes[-1]
    with pytest.raises(BadRequest, match="no images"):
        load("./digits")
    assert load("plain.npy").name == "plain.npy" and load("./plain.npy").shape == (2,)


def test_as_float_is_the_same_in_and_out_of_jit():
    # Kills: x / 256, a float16 detour, integers passed on as they are.
    x = np.arange(256, dtype=np.uint8)
    for got in (as_float(x), as_float(jnp.asarray(x)), jax.jit(as_float)(x)):
        assert got.dtype == np.float32 and got[0] == 0 and got[255] == 1
        np.testing.assert_allclose(got, np.arange(256) / 255.0, rtol=1e-6)
    y = np.array([-1.5, 3.25], np.float32)
    assert as_float(y) is y
    for dtype in (np.int32, np.float64, np.float16):
        with pytest.raises(BadRequest, match="uint8 or float32"):
            as_float(np.zeros(2, dtype))


def test_importing_costs_no_reader():
    # Kills: an import of scikit-learn, PIL or TensorFlow at the top of a module.
    code = (
        "import sys, jaxgen.data as d; late = ('sklearn', 'PIL', 'tensorflow', 'tensorflow_datasets');"
        "assert not [m for m in late if m in sys.modules]; d.load('ring8');"
        "assert not [m for m in late if m in sys.modules]; d.load('digits');"
        "assert 'sklearn' in sys.modules and not {'tensorflow', 'tensorflow_datasets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
