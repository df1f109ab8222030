"""Preparing sets of TensorFlow Datasets (TFDS) without TensorFlow and without a network.

TFDS reaches TensorFlow through a module object of its own that imports it when it is first used. Here the few file
functions that builders of image sets use are put behind that object, a PNG encoder behind the image feature, and a
refusal behind the download. These are private names of tensorflow-datasets, which stand in this module alone, with the
versions that have them. `sys.modules` is not touched: no other library believes that TensorFlow is there.
"""

import contextlib
import importlib.metadata
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from jaxgen.core import BadRequest

KNOWN = ("4.9.10",)  # the versions of tensorflow-datasets with which the tests of this folder passed


@contextlib.contextmanager
def offline(refuse: Callable[[str], BadRequest]) -> Iterator[None]:
    """Within it builders prepare without TensorFlow where there is none, and a download raises `refuse(url)`.

    With a version of TFDS that is not `KNOWN` it says so in a line on stderr.

    Raises:
      BadRequest: that version has other private names.
    """
    manager_type, encoder_type, lazy = _private_names()

    def download(manager, resource):
        raise refuse(resource.url)

    with contextlib.ExitStack() as patches:
        patches.enter_context(_replaced(manager_type, "_download", download))
        if importlib.util.find_spec("tensorflow") is None:
            patches.enter_context(_replaced(encoder_type, "_encode_image", _encode_image))
            # `_module` is a cached property: what stands in the object's own dictionary goes before importing.
            attributes = object.__getattribute__(lazy, "__dict__")
            attributes["_module"] = _stub()
            patches.callback(attributes.pop, "_module", None)
        yield


def _private_names() -> tuple[type, type, Any]:
    """What downloads, what encodes images, and what imports TensorFlow when it is first used."""
    version = importlib.metadata.version("tensorflow-datasets")
    known = f"pip install tensorflow-datasets=={KNOWN[-1]}"
    try:
        from tensorflow_datasets.core.download.download_manager import DownloadManager
        from tensorflow_datasets.core.features.image_feature import _ImageEncoder, _validate_np_array
        from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow as lazy

        _ = DownloadManager._download, _ImageEncoder._encode_image, _validate_np_array, type(lazy)._module
    except (ImportError, AttributeError) as error:
        raise BadRequest(f"no set can be prepared with tensorflow-datasets {version} ({error}): {known}.") from error
    if version not in KNOWN:
        print(f"tensorflow-datasets {version} has not been tried: if this fails, {known}", file=sys.stderr, flush=True)
    return DownloadManager, _ImageEncoder, lazy


@contextlib.contextmanager
def _replaced(owner: type, name: str, new: Callable) -> Iterator[None]:
    old = getattr(owner, name)
    setattr(owner, name, new)
    try:
        yield
    finally:
        setattr(owner, name, old)


class _Stub(SimpleNamespace):
    """A part of TensorFlow; what is not in it takes the whole."""

    def __getattr__(self, name: str) -> Any:
        raise BadRequest(
            f"this set takes TensorFlow itself to prepare ({name}): pip install tensorflow, and try again."
        )


class _File(io.FileIO):
    """tf.io.gfile.GFile can be read after its `with` block: NumPy reads an .npz when an array is asked for."""

    def __exit__(self, *_):
        pass

    def __del__(self):
        self.close()


def _open(path: Any, mode: str = "r") -> Any:
    return _File(os.fspath(path)) if mode == "rb" else open(os.fspath(path), mode)


def _stub() -> _Stub:
    gfile = _Stub(
        GFile=_open,
        exists=os.path.exists,
        isdir=os.path.isdir,
        listdir=os.listdir,
        makedirs=lambda path: os.makedirs(path, exist_ok=True),
        walk=os.walk,
    )
    return _Stub(io=_Stub(gfile=gfile), compat=_Stub(as_text=os.fspath))


def _encode_image(encoder: Any, image: Any) -> bytes:
    from PIL import Image
    from tensorflow_datasets.core.features.image_feature import _validate_np_array

    _validate_np_array(image, shape=encoder.shape, dtype=encoder.np_dtype)
    content = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(content, encoder.encoding_format)
    return content.getvalue()
