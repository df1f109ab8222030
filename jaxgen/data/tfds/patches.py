"""Preparing sets of TensorFlow Datasets (TFDS) without TensorFlow and without a network.

TFDS reaches TensorFlow through a module object of its own that imports it when it is first used. Here the few file
functions that builders of image sets use are put behind that object, a PNG encoder behind the image feature, and a
refusal behind the download. All three are private names of tensorflow-datasets 4.9.10, which pyproject.toml pins, and
stand in this module alone. `sys.modules` is not touched: no other library believes that TensorFlow is there.
"""

import contextlib
import importlib.util
import io
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from jaxgen.core import BadRequest


@contextlib.contextmanager
def offline(refuse: Callable[[str], BadRequest]) -> Iterator[None]:
    """Within it builders prepare without TensorFlow where there is none, and a download raises `refuse(url)`."""
    from tensorflow_datasets.core.download.download_manager import DownloadManager
    from tensorflow_datasets.core.features.image_feature import _ImageEncoder
    from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow as lazy

    def download(manager, resource):
        raise refuse(resource.url)

    with contextlib.ExitStack() as patches:
        patches.enter_context(_replaced(DownloadManager, "_download", download))
        if importlib.util.find_spec("tensorflow") is None:
            patches.enter_context(_replaced(_ImageEncoder, "_encode_image", _encode_image))
            # `_module` is a cached property: what stands in the object's own dictionary goes before importing.
            attributes = object.__getattribute__(lazy, "__dict__")
            attributes["_module"] = _stub()
            patches.callback(attributes.pop, "_module", None)
        yield


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
