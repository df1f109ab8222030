"""Two sets of images without pairs, made of one: who is trained on them, and the known pairs of other images."""

import functools

import numpy as np

from jaxgen.data import Data, Split, as_float
from jaxgen.data.styles import STYLES
from jaxgen.recipes import Recipe, cyclegan
from jaxgen.tasks import domains
from jaxgen.tasks.evaluation import positions
from jaxgen.training.pool import Pool

ORIGINAL = "original"  # the domain of the images as they are; the other one is called as its style
BLOCK = 512  # images that are put into the style at once
RATE = 2e-3  # of the cycle GAN: the best of 2e-4 (the paper's), 1e-3 and 2e-3 by the error on validation digits. The
# vae was given as many, 5e-4, 1e-3 and 2e-3, and its own 1e-3 was the best
IDENTITY = 0.1  # of the identity loss of the cycle GAN (its paper's section 5.2): the best of 0, .1 and .5, likewise.
# Without it two of five runs found the other solution that keeps the cycle, and inverted the images


def pairs_known(data: Data) -> bool:
    """Whether images are translated into a style whose truth is known, not from one class of the data to another."""
    return len(data.domains) < 2


def style_of(data: Data) -> str:
    """The known style: the one that the data name, else `coloured` if images have three channels, `thick` otherwise."""
    return data.domains[0] if data.domains else "coloured" if data.shape[-1] == 3 else "thick"


def domains_of(data: Data) -> tuple[str, str]:
    """The names of the two sets: images are translated from the first to the second."""
    return (ORIGINAL, style_of(data)) if pairs_known(data) else (data.domains[0], data.domains[1])


def servable(data: Data) -> str | None:
    """None, or why there are no two domains to translate between."""
    if data.kind != "image":
        return "style transfer needs images."
    if not pairs_known(data):
        return domains.servable(data)
    if len(data.train.x) < 2 or not len(data.test.x):
        return f"{data.name} has too few images for two sets of them and a test."
    first, style = data.test.x[:100], style_of(data)
    if np.array_equal(STYLES[style](first), first):
        return f"the style {style!r} changes nothing in the images of {data.name}."
    return None


def unpaired(data: Data) -> Data:
    """Two sets of training images in one split, told apart by their label: some as they are, the others in the style.

    Of a fixed random order of the training images the first half, rounded down, stays. No image is in both. If the data
    name two classes as domains, the sets are these.
    """
    if not pairs_known(data):
        return domains.two_sets(data)
    n, style = len(data.train.x), STYLES[style_of(data)]
    order = np.random.default_rng(0).permutation(n)
    pool = Pool.empty((n, *data.shape), np.uint8)
    for i in range(0, n, BLOCK):
        pool.x[i : i + BLOCK] = data.train.x[order[i : i + BLOCK]]
    for i in range(n // 2, n, BLOCK):  # a block at a time: a style makes float32 of its images
        pool.x[i : i + BLOCK] = style(pool.x[i : i + BLOCK])
    label = np.repeat([0, 1], [n // 2, n - n // 2]).astype(np.int32)
    return data._replace(train=Split(pool.rows(np.arange(n)), label), classes=(ORIGINAL, style_of(data)), anomalies=())


def size(data: Data) -> int:
    """How many training images the two sets have together."""
    return len(data.train.x) if pairs_known(data) else domains.size(data)


def configure(side: str, recipe: Recipe, data: Data) -> tuple[Recipe, str | None]:
    """A cycle GAN for every GAN; any other recipe as it is, with the domain as the label that it is given.

    An autoencoder whose encoder and decoder are given the domain s and whose prior is not: z ~ p(z), x ~ p(x | z, s).
    That is the unsupervised model of the variational fair autoencoder (Louizos et al. 2016, arXiv 1511.00830) without
    its MMD penalty: that a z means the same in both domains rests on the common prior and on networks that share all
    weights but those of the label. UNIT (Liu et al. 2017, arXiv 1703.00848) adds critics and a cycle to such a latent.
    """
    translator = functools.partial(cyclegan, learning_rate=RATE, identity=IDENTITY)
    return (translator, None) if side == "gan" else (recipe, "label")


def known_pairs(split: Split, style: str, part: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(originals, the same in the style, labels) of the examples of a split that evaluation looks at, or of a part."""
    at = positions(len(split.x), split.x.shape[1:], part)
    x = split.x[at]
    return as_float(x), as_float(STYLES[style](x)), None if split.label is None else split.label[at]


def some(x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Those of the examples of x at the positions `at` that evaluation looks at."""
    return x[at[positions(len(at), x.shape[1:])]]
