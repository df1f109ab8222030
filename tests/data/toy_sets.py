"""Small sets as they are met: idx files, and what TFDS prepares."""

import gzip
import io
import struct

import numpy as np
from PIL import Image

from jaxgen.data.tfds.records import tfds

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (80, 28, 28), dtype=np.uint8)
Y = (np.arange(80) * 7 % 10).astype(np.uint8)
TRAIN = 60  # of the 80; the rest are test
CLASSES = ["shirt", "bag", "coat", "hat", "sock", "shoe", "dress", "boot", "belt", "tie"]


def idx(array, kind=8):
    """The content of an idx file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def contents(x=X, y=Y, train=TRAIN):
    """The four files of a set, unpacked, by name."""
    return {
        "train-images-idx3-ubyte": idx(x[:train]),
        "train-labels-idx1-ubyte": idx(y[:train]),
        "t10k-images-idx3-ubyte": idx(x[train:]),
        "t10k-labels-idx1-ubyte": idx(y[train:]),
    }


def write(folder, files, packed=()):
    """Writes files by name, those that `packed` names with gzip."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        if name in packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (folder / name).write_bytes(content)
    return folder


def png(array):
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG")
    return content.getvalue()


def prepare(root, splits, features, *, name="toy", version="1.0.0", file_format="array_record"):
    """Prepares a set of TFDS from examples by split; `features` is a function of the module of features."""

    class Toy(tfds().core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds().core.Version(version)

        def _info(self):
            return tfds().core.DatasetInfo(builder=self, features=features(tfds().features))

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(split) for split in splits}

        def _generate_examples(self, split):
            yield from enumerate(splits[split])

    Toy.name = name
    config = tfds().download.DownloadConfig(try_download_gcs=False)
    tfds().disable_progress_bar()
    Toy(data_dir=str(root), file_format=file_format).download_and_prepare(download_config=config)
    return root / name / version


def mnist(kinds):
    return kinds.FeaturesDict({"image": kinds.Image(shape=(28, 28, 1)), "label": kinds.ClassLabel(names=CLASSES)})


def examples(x, y):
    return [{"image": io.BytesIO(png(a)), "label": int(b)} for a, b in zip(x, y, strict=True)]


def splits(**sizes):
    """By name, so many examples each, in the order of X."""
    ends = np.cumsum(list(sizes.values()))
    return {
        name: examples(X[end - n : end], Y[end - n : end]) for (name, n), end in zip(sizes.items(), ends, strict=True)
    }
