"""Styles whose truth is known: functions of images uint8 [N, H, W, C] to images of the same shape and type.

Applied to one half of a set of images they make two domains without pairs, and the pair of an unseen image is known.
"""

from collections.abc import Callable, Mapping

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data.data import Data, listed

DARK, LIGHT = (20, 40, 110), (255, 225, 150)  # between which `coloured` maps brightness
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue; ITU-R BT.601
PIXELS_A_STEP = 28  # of the shorter side, for each pixel that light regions grow by


def inverted(x: np.ndarray) -> np.ndarray:
    """255 - x.

    Raises:
      BadRequest: what is no array of images; so does each of these functions.

    >>> inverted(np.array([0, 55, 255], np.uint8).reshape(1, 1, 3, 1)).ravel().tolist()
    [255, 200, 0]
    """
    return 255 - _checked(x)


def thick(x: np.ndarray) -> np.ndarray:
    """Light regions, such as the strokes of light digits, grown by a pixel on each of four sides.

    Grey dilation by a cross of 3 x 3 pixels, repeated side / 28 times, rounded, and once at least; `side` is the
    shorter one. Channels apart.

    >>> thick(np.array([[0, 0, 9, 0, 0]], np.uint8).reshape(1, 1, 5, 1)).ravel().tolist()
    [0, 9, 9, 9, 0]
    """
    from scipy.ndimage import grey_dilation

    x = _checked(x)
    for _ in range(_reach(x)):
        x = grey_dilation(x, footprint=_cross())
    return x


def edges(x: np.ndarray) -> np.ndarray:
    """Outlines: the largest minus the smallest value among a pixel and its neighbours on four sides.

    The morphological gradient, by the cross and the repetitions of `thick`. Channels apart.

    >>> edges(np.array([[0, 0, 9, 9, 9]], np.uint8).reshape(1, 1, 5, 1)).ravel().tolist()
    [0, 9, 9, 0, 0]
    """
    return thick(x) - inverted(thick(inverted(x)))  # erosion is the dilation of the inverted image, inverted


def coloured(x: np.ndarray) -> np.ndarray:
    """Brightness as a colour: from dark blue (20, 40, 110) where the image is black to cream (255, 225, 150) at white.

    Raises:
      BadRequest: images that do not have the three channels red, green and blue.

    >>> coloured(np.array([[0, 0, 0], [255, 255, 255]], np.uint8).reshape(1, 1, 2, 3))[0, 0].tolist()
    [[20, 40, 110], [255, 225, 150]]
    """
    if _checked(x).shape[-1] != 3:
        raise BadRequest(f"'coloured' takes images of three channels, and these have {x.shape[-1]}: use 'thick'.")
    bright = (x @ np.array(LUMA, np.float32) / np.float32(255))[..., None]
    dark, light = np.array(DARK, np.float32), np.array(LIGHT, np.float32)
    return np.round(dark + bright * (light - dark)).astype(np.uint8)


STYLES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    style.__name__: style for style in (inverted, thick, edges, coloured)
}


def with_domains(data: Data, names: tuple[str, ...]) -> Data:
    """The same data, to be translated between these two classes, or into this one style of `jaxgen.data.styles`.

    Raises:
      BadRequest: no images, a name that is no class, the same one twice, no style, or a style that these images cannot
        have.

    >>> from jaxgen.data import load
    >>> with_domains(load("digits"), ("3", "8")).domains, with_domains(load("digits"), ("inverted",)).domains
    (('3', '8'), ('inverted',))
    """
    if data.kind != "image":
        raise BadRequest(f"{data.name} holds no images, and so there are no domains to translate between.")
    if len(names) == 1:
        style = STYLES.get(names[0])
        if style is None:
            styles = ", ".join(STYLES)
            raise BadRequest(f"domains: {names[0]!r} is no style; there are {styles}. Or name two classes, A,B.")
        style(data.train.x[:1])  # refuses images that it cannot change
        return data._replace(domains=names)
    if len(names) != 2 or names[0] == names[1]:
        raise BadRequest(f"domains: name two classes, A,B, or one style, not {', '.join(names) or 'nothing'}.")
    for name in names:
        if name not in data.classes:
            raise BadRequest(f"domains: {data.name} has no class {name!r}: its classes are {listed(data.classes)}.")
    return data._replace(domains=names)


def _checked(x: np.ndarray) -> np.ndarray:
    if getattr(x, "ndim", 0) != 4 or x.dtype != np.uint8:
        raise BadRequest("a style takes images uint8 [N, H, W, C], such as the splits of jaxgen.data.load hold.")
    return x


def _cross() -> np.ndarray:
    return np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)[None, :, :, None]


def _reach(x: np.ndarray) -> int:
    return max(1, round(min(x.shape[1:3]) / PIXELS_A_STEP))
